//! What the optimized integrations accept: the table of their APIs, and from a Task's parameters to API members.
//!
//! AWS documents the parameters of each optimized integration and lets no others through. A `null` counts as given
//! but is not sent, so that the service itself says what it misses.

use serde_json::{Map, Value as Json};
use stepwell_asl::program::IntegrationPattern;
use stepwell_asl::value::Value;

use crate::convert;
use crate::failure::Failure;

/// One `arn:…:states:::<resource type>:<api>`.
#[derive(Debug)]
pub(crate) struct Api {
    /// `dynamodb`
    pub(crate) resource_type: &'static str,
    /// `getItem`
    pub(crate) api: &'static str,
    /// `GetItem`
    pub(crate) operation: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// The patterns that AWS has for it.
    pub(crate) patterns: &'static [IntegrationPattern],
}

/// One parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// What a parameter may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text; numbers and booleans are written out.
    Text,
    /// Text, or any JSON, which is sent as its text.
    JsonText,
    /// A whole number, also as text.
    Integer,
    /// `true` or `false`, also as text.
    Boolean,
    /// An object.
    Object,
    /// An array.
    List,
}

/// The API of an optimized integration; `None` where AWS has no such resource or Stepwell does not know it.
pub(crate) fn optimized(resource_type: &str, api: &str) -> Option<&'static Api> {
    APIS.iter().find(|a| a.resource_type == resource_type && a.api == api)
}

/// All APIs of the optimized integrations that are served.
pub(crate) fn apis() -> &'static [Api] {
    APIS
}

/// The members to send.
///
/// Errors: `States.Runtime`, naming all missing and malformed fields, as AWS does before it calls.
pub(crate) fn members(api: &Api, parameters: &Value) -> Result<Map<String, Json>, Failure> {
    let mut members = Map::new();
    let mut problems = Vec::new();
    if parameters.as_object().is_none() {
        problems.push("The value of the field 'Parameters' has an invalid format".to_owned());
    }
    for parameter in api.parameters {
        match parameters.get(parameter.name) {
            None if parameter.required => {
                problems.push(format!("The field '{}' is required but was missing", parameter.name));
            }
            None | Some(Value::Null) => {}
            Some(value) => match convert(parameter.kind, value) {
                Some(json) => {
                    members.insert(parameter.name.to_owned(), json);
                }
                None => problems
                    .push(format!("The value of the field '{}' has an invalid format", parameter.name)),
            },
        }
    }
    if problems.is_empty() { Ok(members) } else { Err(unusable(parameters, &problems)) }
}

/// `States.Runtime` with AWS's text about parameters from which no request can be built.
pub(crate) fn unusable(parameters: &Value, problems: &[String]) -> Failure {
    Failure::runtime(format!(
        "The Parameters '{}' could not be used to start the Task: [{}]",
        parameters.to_json(),
        problems.join(", ")
    ))
}

fn convert(kind: Kind, value: &Value) -> Option<Json> {
    match (kind, value) {
        (Kind::JsonText, Value::String(s)) => Some(Json::String(s.to_string())),
        (Kind::JsonText, _) => Some(Json::String(value.to_json())),
        (Kind::Text, Value::Array(_) | Value::Object(_)) => None,
        (Kind::Text, Value::String(s)) => Some(Json::String(s.to_string())),
        (Kind::Text, _) => Some(Json::String(value.to_json())),
        (Kind::Integer, Value::Number(n)) => n.as_i64().map(Json::from),
        (Kind::Integer, Value::String(s)) => s.parse::<i64>().ok().map(Json::from),
        (Kind::Boolean, Value::Bool(b)) => Some(Json::Bool(*b)),
        (Kind::Boolean, Value::String(s)) => s.parse::<bool>().ok().map(Json::Bool),
        (Kind::Object, Value::Object(_)) | (Kind::List, Value::Array(_)) => convert::to_api(value),
        _ => None,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: false }
}

const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: true }
}

const RESPONSE_ONLY: &[IntegrationPattern] = &[IntegrationPattern::RequestResponse];
const CALLBACK: &[IntegrationPattern] =
    &[IntegrationPattern::RequestResponse, IntegrationPattern::WaitForTaskToken];
const ALL_PATTERNS: &[IntegrationPattern] = &[
    IntegrationPattern::RequestResponse,
    IntegrationPattern::Sync,
    IntegrationPattern::Sync2,
    IntegrationPattern::WaitForTaskToken,
];

/// Source: the Developer Guide's page of each integration.
static APIS: &[Api] = &[
    Api {
        resource_type: "lambda",
        api: "invoke",
        operation: "Invoke",
        // `Payload` travels as the body, with its own text; see `services/lambda.rs`.
        parameters: &[
            required("FunctionName", Kind::Text),
            optional("ClientContext", Kind::Text),
            optional("InvocationType", Kind::Text),
            optional("LogType", Kind::Text),
            optional("Qualifier", Kind::Text),
        ],
        patterns: CALLBACK,
    },
    Api {
        resource_type: "dynamodb",
        api: "getItem",
        operation: "GetItem",
        parameters: &[
            required("Key", Kind::Object),
            required("TableName", Kind::Text),
            optional("AttributesToGet", Kind::List),
            optional("ConsistentRead", Kind::Boolean),
            optional("ExpressionAttributeNames", Kind::Object),
            optional("ProjectionExpression", Kind::Text),
            optional("ReturnConsumedCapacity", Kind::Text),
        ],
        patterns: RESPONSE_ONLY,
    },
    Api {
        resource_type: "dynamodb",
        api: "putItem",
        operation: "PutItem",
        parameters: &[
            required("Item", Kind::Object),
            required("TableName", Kind::Text),
            optional("ConditionalOperator", Kind::Text),
            optional("ConditionExpression", Kind::Text),
            optional("Expected", Kind::Object),
            optional("ExpressionAttributeNames", Kind::Object),
            optional("ExpressionAttributeValues", Kind::Object),
            optional("ReturnConsumedCapacity", Kind::Text),
            optional("ReturnItemCollectionMetrics", Kind::Text),
            optional("ReturnValues", Kind::Text),
        ],
        patterns: RESPONSE_ONLY,
    },
    Api {
        resource_type: "dynamodb",
        api: "updateItem",
        operation: "UpdateItem",
        parameters: &[
            required("Key", Kind::Object),
            required("TableName", Kind::Text),
            optional("AttributeUpdates", Kind::Object),
            optional("ConditionalOperator", Kind::Text),
            optional("ConditionExpression", Kind::Text),
            optional("Expected", Kind::Object),
            optional("ExpressionAttributeNames", Kind::Object),
            optional("ExpressionAttributeValues", Kind::Object),
            optional("ReturnConsumedCapacity", Kind::Text),
            optional("ReturnItemCollectionMetrics", Kind::Text),
            optional("ReturnValues", Kind::Text),
            optional("UpdateExpression", Kind::Text),
        ],
        patterns: RESPONSE_ONLY,
    },
    Api {
        resource_type: "dynamodb",
        api: "deleteItem",
        operation: "DeleteItem",
        parameters: &[
            required("Key", Kind::Object),
            required("TableName", Kind::Text),
            optional("ConditionalOperator", Kind::Text),
            optional("ConditionExpression", Kind::Text),
            optional("Expected", Kind::Object),
            optional("ExpressionAttributeNames", Kind::Object),
            optional("ExpressionAttributeValues", Kind::Object),
            optional("ReturnConsumedCapacity", Kind::Text),
            optional("ReturnItemCollectionMetrics", Kind::Text),
            optional("ReturnValues", Kind::Text),
        ],
        patterns: RESPONSE_ONLY,
    },
    Api {
        resource_type: "sqs",
        api: "sendMessage",
        operation: "SendMessage",
        parameters: &[
            required("QueueUrl", Kind::Text),
            required("MessageBody", Kind::JsonText),
            optional("DelaySeconds", Kind::Integer),
            optional("MessageAttributes", Kind::Object),
            optional("MessageDeduplicationId", Kind::Text),
            optional("MessageGroupId", Kind::Text),
        ],
        patterns: CALLBACK,
    },
    Api {
        resource_type: "sns",
        api: "publish",
        operation: "Publish",
        parameters: &[
            required("Message", Kind::JsonText),
            optional("MessageAttributes", Kind::Object),
            optional("MessageDeduplicationId", Kind::Text),
            optional("MessageGroupId", Kind::Text),
            optional("MessageStructure", Kind::Text),
            optional("PhoneNumber", Kind::Text),
            optional("Subject", Kind::Text),
            optional("TargetArn", Kind::Text),
            optional("TopicArn", Kind::Text),
        ],
        patterns: CALLBACK,
    },
    Api {
        resource_type: "events",
        api: "putEvents",
        operation: "PutEvents",
        parameters: &[required("Entries", Kind::List)],
        patterns: CALLBACK,
    },
    Api {
        resource_type: "apigateway",
        api: "invoke",
        // No service's: see `services/apigateway.rs`.
        operation: "",
        parameters: &[
            required("ApiEndpoint", Kind::Text),
            required("Method", Kind::Text),
            optional("AllowNullValues", Kind::Boolean),
            optional("AuthType", Kind::Text),
            optional("Headers", Kind::Object),
            optional("Path", Kind::Text),
            optional("QueryParameters", Kind::Object),
            optional("Stage", Kind::Text),
        ],
        patterns: CALLBACK,
    },
    Api {
        resource_type: "http",
        api: "invoke",
        // No service's: see `services/http`, which also reads the parameters.
        operation: "",
        parameters: &[],
        patterns: RESPONSE_ONLY,
    },
    Api {
        resource_type: "states",
        api: "startExecution",
        operation: "StartExecution",
        parameters: &[
            required("StateMachineArn", Kind::Text),
            optional("Input", Kind::JsonText),
            optional("Name", Kind::Text),
            optional("TraceHeader", Kind::Text),
        ],
        patterns: ALL_PATTERNS,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::payload::Payload;

    fn members_of(resource_type: &str, api: &str, parameters: &str) -> Result<String, Failure> {
        let api = optimized(resource_type, api).expect("a served API");
        let parameters = Payload::parse(parameters).expect("JSON");
        members(api, parameters.value()).map(|m| Json::Object(m).to_string())
    }

    #[test]
    fn only_documented_parameters_pass_and_json_becomes_text() {
        let cases = [
            (
                "sqs",
                "sendMessage",
                r#"{"QueueUrl":"u","MessageBody":{"a":1.10},"Nonsense":1,"DelaySeconds":5.0}"#,
                r#"{"QueueUrl":"u","MessageBody":"{\"a\":1.10}","DelaySeconds":5}"#,
            ),
            ("sqs", "sendMessage", r#"{"QueueUrl":"u","MessageBody":null}"#, r#"{"QueueUrl":"u"}"#),
            (
                "dynamodb",
                "getItem",
                r#"{"TableName":"t","Key":{"id":{"S":"1"}},"ConsistentRead":false}"#,
                r#"{"Key":{"id":{"S":"1"}},"TableName":"t","ConsistentRead":false}"#,
            ),
            (
                "states",
                "startExecution",
                r#"{"StateMachineArn":"a","Input":"{}","Name":7}"#,
                r#"{"StateMachineArn":"a","Input":"{}","Name":"7"}"#,
            ),
        ];
        for (resource_type, api, parameters, expected) in cases {
            assert_eq!(
                members_of(resource_type, api, parameters).as_deref(),
                Ok(expected),
                "{resource_type}"
            );
        }
    }

    #[test]
    fn missing_and_malformed_fields_are_named() {
        let cases = [
            (
                "dynamodb",
                "getItem",
                r#"{"Key":"x"}"#,
                "[The value of the field 'Key' has an invalid format, The field 'TableName' is required but was missing]",
            ),
            ("lambda", "invoke", "{}", "[The field 'FunctionName' is required but was missing]"),
            (
                "sqs",
                "sendMessage",
                r#"{"QueueUrl":["u"],"MessageBody":""}"#,
                "[The value of the field 'QueueUrl' has an invalid format]",
            ),
        ];
        for (resource_type, api, parameters, problems) in cases {
            let failure = members_of(resource_type, api, parameters).expect_err("unusable");
            assert_eq!(failure.error, "States.Runtime");
            assert_eq!(
                failure.cause,
                format!("The Parameters '{parameters}' could not be used to start the Task: {problems}")
            );
        }
    }
}
