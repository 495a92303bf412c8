//! What the optimized integrations take: parameters that AWS does not document for one never get to its call nor into
//! the history, and parameters from which no call can be made fail the state before anything is scheduled.
//!
//! A `null` counts as given: the service itself says what it misses. How parameters become a call is the integrations'
//! business; here only their shape matters. Integrations that are not in the table take whatever they are given.

use stepwell_asl::environment::StatesError;
use stepwell_asl::integration::{Integration, unusable};
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Resource, ResourceKind};
use stepwell_asl::value::{Object, Value};

/// The parameters of a call of `resource` as they are scheduled.
///
/// Errors: `States.Runtime` with AWS's text, naming every field that is missing or malformed.
pub(crate) fn prepare(resource: &Resource, parameters: Payload) -> Result<Payload, StatesError> {
    let ResourceKind::Service { resource_type, api, .. } = &resource.kind else { return Ok(parameters) };
    let Some(integration) = Integration::find(resource_type, api) else { return Ok(parameters) };
    let problems = integration.problems(parameters.value());
    let given = match parameters.value().as_object() {
        Some(given) if problems.is_empty() => given,
        _ => return Err(StatesError::runtime(unusable(parameters.text(), &problems))),
    };
    if given.iter().all(|(name, _)| integration.takes(name)) {
        return Ok(parameters);
    }
    let taken = given.iter().filter(|(name, _)| integration.takes(name));
    let taken: Object = taken.map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(Payload::from_value(Value::from(taken)))
}

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
