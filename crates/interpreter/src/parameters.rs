//! What the optimized integrations take: parameters that AWS does not document for one never get to its call nor into
//! the history, and parameters from which no call can be made fail the state before anything is scheduled.
//!
//! A `null` counts as given: the service itself says what it misses. How parameters become a call is the integrations'
//! business; here only their shape matters. Integrations that are not in the table take whatever they are given.

use stepwell_asl::environment::StatesError;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Resource, ResourceKind};
use stepwell_asl::value::{Object, Value};

/// The parameters of a call of `resource` as they are scheduled.
///
/// Errors: `States.Runtime` with AWS's text, naming every field that is missing or malformed.
pub(crate) fn prepare(resource: &Resource, parameters: Payload) -> Result<Payload, StatesError> {
    let Some(known) = known(&resource.kind) else { return Ok(parameters) };
    let Some(given) = parameters.value().as_object() else {
        return Err(unusable(
            &parameters,
            &["The value of the field 'Parameters' has an invalid format".into()],
        ));
    };
    let problems: Vec<String> = known.iter().filter_map(|parameter| parameter.problem(given)).collect();
    if !problems.is_empty() {
        return Err(unusable(&parameters, &problems));
    }
    let is_known = |name: &str| known.iter().any(|parameter| parameter.name == name);
    if given.iter().all(|(name, _)| is_known(name)) {
        return Ok(parameters);
    }
    let taken = given.iter().filter(|(name, _)| is_known(name));
    let taken: Object = taken.map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(Payload::from_value(Value::from(taken)))
}

fn unusable(parameters: &Payload, problems: &[String]) -> StatesError {
    StatesError::runtime(format!(
        "The Parameters '{}' could not be used to start the Task: [{}]",
        parameters.text(),
        problems.join(", ")
    ))
}

fn known(resource: &ResourceKind) -> Option<&'static [Parameter]> {
    let ResourceKind::Service { resource_type, api, .. } = resource else { return None };
    let mut all = INTEGRATIONS.iter();
    all.find(|(service, name, _)| *service == &**resource_type && *name == &**api).map(|(.., known)| *known)
}

struct Parameter {
    name: &'static str,
    shape: Shape,
    is_required: bool,
}

/// What a parameter may hold besides `null`.
#[derive(Clone, Copy)]
enum Shape {
    /// Any JSON: it is sent as text.
    Any,
    /// A text, a number or a boolean.
    Text,
    /// A whole number, also as text.
    Integer,
    /// `true` or `false`, also as text.
    Boolean,
    Object,
    List,
    /// An object whose members are lists.
    Lists,
}

impl Parameter {
    fn problem(&self, given: &Object) -> Option<String> {
        match given.get(self.name) {
            None => {
                self.is_required.then(|| format!("The field '{}' is required but was missing", self.name))
            }
            Some(value) if self.shape.fits(value) => None,
            Some(_) => Some(format!("The value of the field '{}' has an invalid format", self.name)),
        }
    }
}

impl Shape {
    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Shape::Any, _) | (_, Value::Null) => true,
            (Shape::Text, Value::String(_) | Value::Number(_) | Value::Bool(_)) => true,
            (Shape::Integer, Value::Number(number)) => number.as_i64().is_some(),
            (Shape::Integer, Value::String(text)) => text.parse::<i64>().is_ok(),
            (Shape::Boolean, Value::Bool(_)) => true,
            (Shape::Boolean, Value::String(text)) => text.parse::<bool>().is_ok(),
            (Shape::Object, Value::Object(_)) | (Shape::List, Value::Array(_)) => true,
            (Shape::Lists, Value::Object(members)) => {
                members.iter().all(|(_, member)| matches!(member, Value::Array(_)))
            }
            _ => false,
        }
    }
}

const fn required(name: &'static str, shape: Shape) -> Parameter {
    Parameter { name, shape, is_required: true }
}

const fn optional(name: &'static str, shape: Shape) -> Parameter {
    Parameter { name, shape, is_required: false }
}

/// Service, API, parameters. Source: the Developer Guide's page of each integration.
static INTEGRATIONS: &[(&str, &str, &[Parameter])] = &[
    (
        "lambda",
        "invoke",
        &[
            required("FunctionName", Shape::Text),
            optional("ClientContext", Shape::Text),
            optional("InvocationType", Shape::Text),
            optional("LogType", Shape::Text),
            optional("Payload", Shape::Any),
            optional("Qualifier", Shape::Text),
        ],
    ),
    (
        "dynamodb",
        "getItem",
        &[
            required("Key", Shape::Object),
            required("TableName", Shape::Text),
            optional("AttributesToGet", Shape::List),
            optional("ConsistentRead", Shape::Boolean),
            optional("ExpressionAttributeNames", Shape::Object),
            optional("ProjectionExpression", Shape::Text),
            optional("ReturnConsumedCapacity", Shape::Text),
        ],
    ),
    (
        "dynamodb",
        "putItem",
        &[
            required("Item", Shape::Object),
            required("TableName", Shape::Text),
            optional("ConditionalOperator", Shape::Text),
            optional("ConditionExpression", Shape::Text),
            optional("Expected", Shape::Object),
            optional("ExpressionAttributeNames", Shape::Object),
            optional("ExpressionAttributeValues", Shape::Object),
            optional("ReturnConsumedCapacity", Shape::Text),
            optional("ReturnItemCollectionMetrics", Shape::Text),
            optional("ReturnValues", Shape::Text),
        ],
    ),
    (
        "dynamodb",
        "updateItem",
        &[
            required("Key", Shape::Object),
            required("TableName", Shape::Text),
            optional("AttributeUpdates", Shape::Object),
            optional("ConditionalOperator", Shape::Text),
            optional("ConditionExpression", Shape::Text),
            optional("Expected", Shape::Object),
            optional("ExpressionAttributeNames", Shape::Object),
            optional("ExpressionAttributeValues", Shape::Object),
            optional("ReturnConsumedCapacity", Shape::Text),
            optional("ReturnItemCollectionMetrics", Shape::Text),
            optional("ReturnValues", Shape::Text),
            optional("UpdateExpression", Shape::Text),
        ],
    ),
    (
        "dynamodb",
        "deleteItem",
        &[
            required("Key", Shape::Object),
            required("TableName", Shape::Text),
            optional("ConditionalOperator", Shape::Text),
            optional("ConditionExpression", Shape::Text),
            optional("Expected", Shape::Object),
            optional("ExpressionAttributeNames", Shape::Object),
            optional("ExpressionAttributeValues", Shape::Object),
            optional("ReturnConsumedCapacity", Shape::Text),
            optional("ReturnItemCollectionMetrics", Shape::Text),
            optional("ReturnValues", Shape::Text),
        ],
    ),
    (
        "sqs",
        "sendMessage",
        &[
            required("MessageBody", Shape::Any),
            required("QueueUrl", Shape::Text),
            optional("DelaySeconds", Shape::Integer),
            optional("MessageAttributes", Shape::Object),
            optional("MessageDeduplicationId", Shape::Text),
            optional("MessageGroupId", Shape::Text),
        ],
    ),
    (
        "sns",
        "publish",
        &[
            required("Message", Shape::Any),
            optional("MessageAttributes", Shape::Object),
            optional("MessageDeduplicationId", Shape::Text),
            optional("MessageGroupId", Shape::Text),
            optional("MessageStructure", Shape::Text),
            optional("PhoneNumber", Shape::Text),
            optional("Subject", Shape::Text),
            optional("TargetArn", Shape::Text),
            optional("TopicArn", Shape::Text),
        ],
    ),
    ("events", "putEvents", &[required("Entries", Shape::List)]),
    (
        "states",
        "startExecution",
        &[
            required("StateMachineArn", Shape::Text),
            optional("Input", Shape::Any),
            optional("Name", Shape::Text),
            optional("TraceHeader", Shape::Text),
        ],
    ),
    (
        "apigateway",
        "invoke",
        &[
            required("ApiEndpoint", Shape::Text),
            required("Method", Shape::Text),
            optional("AllowNullValues", Shape::Boolean),
            optional("AuthType", Shape::Text),
            optional("Headers", Shape::Lists),
            optional("Path", Shape::Text),
            optional("QueryParameters", Shape::Lists),
            optional("RequestBody", Shape::Any),
            optional("Stage", Shape::Text),
        ],
    ),
    (
        "http",
        "invoke",
        &[
            required("ApiEndpoint", Shape::Text),
            required("Method", Shape::Text),
            optional("Authentication", Shape::Object),
            optional("Headers", Shape::Object),
            optional("InvocationConfig", Shape::Object),
            optional("QueryParameters", Shape::Object),
            optional("RequestBody", Shape::Any),
            optional("Transform", Shape::Object),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::program::IntegrationPattern;

    fn resource(service: &str, api: &str) -> Resource {
        let kind = ResourceKind::Service {
            resource_type: service.into(),
            resource: api.into(),
            api: api.into(),
            pattern: IntegrationPattern::RequestResponse,
        };
        Resource { arn: format!("arn:aws:states:::{service}:{api}").into(), kind }
    }

    #[test]
    fn only_documented_parameters_are_scheduled() {
        let cases = [
            (
                ("sqs", "sendMessage"),
                r#"{"QueueUrl":"u","Nonsense":1,"MessageBody":{"a":1.10}}"#,
                r#"{"QueueUrl":"u","MessageBody":{"a":1.10}}"#,
            ),
            (
                ("sqs", "sendMessage"),
                r#"{"QueueUrl": "u", "MessageBody": null}"#,
                r#"{"QueueUrl": "u", "MessageBody": null}"#,
            ),
            (
                ("states", "startExecution"),
                r#"{"StateMachineArn":"a","Input":7}"#,
                r#"{"StateMachineArn":"a","Input":7}"#,
            ),
            (("sns", "publish"), r#"{"Message":[1],"x":{}}"#, r#"{"Message":[1]}"#),
            (
                ("dynamodb", "getItem"),
                r#"{"TableName":"t","Key":{},"ConsistentRead":"true"}"#,
                r#"{"TableName":"t","Key":{},"ConsistentRead":"true"}"#,
            ),
            (("aws-sdk:sqs", "sendMessage"), r#"{"x":1}"#, r#"{"x":1}"#),
            (("glue", "startJobRun"), "[1]", "[1]"),
        ];
        for ((service, api), given, expected) in cases {
            let given = Payload::parse(given).expect("JSON");
            let prepared = prepare(&resource(service, api), given).expect("usable");
            assert_eq!(&**prepared.text(), expected, "{service}:{api}");
        }
        let function = Resource { arn: "arn:f".into(), kind: ResourceKind::LambdaFunction };
        let bare = Payload::parse("3").expect("JSON");
        assert!(prepare(&function, bare.clone()).expect("anything goes").is_same(&bare));
    }

    #[test]
    fn what_makes_no_call_is_refused_with_every_reason() {
        let cases = [
            (
                ("apigateway", "invoke"),
                r#"{"ApiEndpoint":"h","Method":"POST","Headers":{"a":"b"}}"#,
                "The value of the field 'Headers' has an invalid format",
            ),
            (
                ("apigateway", "invoke"),
                r#"{"ApiEndpoint":"h","QueryParameters":"?a=b"}"#,
                "The field 'Method' is required but was missing, \
                 The value of the field 'QueryParameters' has an invalid format",
            ),
            (
                ("dynamodb", "getItem"),
                r#"{"Key":"x"}"#,
                "The value of the field 'Key' has an invalid format, The field 'TableName' is required but was missing",
            ),
            (
                ("sqs", "sendMessage"),
                r#"{"MessageBody":"","QueueUrl":"u","DelaySeconds":1.5}"#,
                "The value of the field 'DelaySeconds' has an invalid format",
            ),
            (
                ("events", "putEvents"),
                r#"{"Entries":{}}"#,
                "The value of the field 'Entries' has an invalid format",
            ),
            (("lambda", "invoke"), "[]", "The value of the field 'Parameters' has an invalid format"),
        ];
        for ((service, api), given, reasons) in cases {
            let parameters = Payload::parse(given).expect("JSON");
            let error = prepare(&resource(service, api), parameters).expect_err("unusable");
            assert_eq!((error.error, error.names_state), ("States.Runtime", true));
            let expected =
                format!("The Parameters '{given}' could not be used to start the Task: [{reasons}]");
            assert_eq!(error.cause, expected);
        }
    }
}
