//! The APIs of the optimized integrations, and from a Task's parameters to API members.
//!
//! What each takes is in [`stepwell_asl::integration`]. A `null` counts as given but is not sent, so that the service
//! itself says what it misses.

use serde_json::{Map, Value as Json};
use stepwell_asl::integration::{self, Integration, Shape, invalid_format};
use stepwell_asl::program::IntegrationPattern;
use stepwell_asl::value::Value;

use crate::convert;
use crate::failure::Failure;

/// How an optimized integration is called.
#[derive(Debug)]
pub(crate) struct Api {
    /// Its name and what it takes.
    pub(crate) integration: &'static Integration,
    /// `GetItem`
    pub(crate) operation: &'static str,
    /// Parameters that are no members of the call: its service reads them.
    pub(crate) apart: &'static [&'static str],
    /// The patterns that AWS has for it.
    pub(crate) patterns: &'static [IntegrationPattern],
}

impl Api {
    /// `dynamodb`
    pub(crate) fn resource_type(&self) -> &'static str {
        self.integration.resource_type
    }
}

/// The API of an optimized integration; `None` where AWS has no such resource or Stepwell does not know it.
pub(crate) fn optimized(resource_type: &str, api: &str) -> Option<&'static Api> {
    APIS.iter().find(|a| a.resource_type() == resource_type && a.integration.api == api)
}

/// All APIs of the optimized integrations that are served.
pub(crate) fn apis() -> &'static [Api] {
    APIS
}

/// The members to send.
///
/// Errors: `States.Runtime`, naming all missing and malformed fields, as AWS does before it calls.
pub(crate) fn members(api: &Api, parameters: &Value) -> Result<Map<String, Json>, Failure> {
    let problems = api.integration.problems(parameters);
    if !problems.is_empty() {
        return Err(unusable(parameters, &problems));
    }
    let mut members = Map::new();
    for parameter in api.integration.parameters {
        if api.apart.contains(&parameter.name) {
            continue;
        }
        match parameters.get(parameter.name) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let json = convert(parameter.shape, value)
                    .ok_or_else(|| unusable(parameters, &[invalid_format(parameter.name)]))?;
                members.insert(parameter.name.to_owned(), json);
            }
        }
    }
    Ok(members)
}

/// `States.Runtime` with AWS's text about parameters from which no request can be built.
pub(crate) fn unusable(parameters: &Value, problems: &[String]) -> Failure {
    Failure::runtime(integration::unusable(&parameters.to_json(), problems))
}

fn convert(shape: Shape, value: &Value) -> Option<Json> {
    match (shape, value) {
        (Shape::Any, Value::String(s)) => Some(Json::String(s.to_string())),
        (Shape::Any, _) => Some(Json::String(value.to_json())),
        (Shape::Text, Value::Array(_) | Value::Object(_)) => None,
        (Shape::Text, Value::String(s)) => Some(Json::String(s.to_string())),
        (Shape::Text, _) => Some(Json::String(value.to_json())),
        (Shape::Integer, Value::Number(n)) => n.as_i64().map(Json::from),
        (Shape::Integer, Value::String(s)) => s.parse::<i64>().ok().map(Json::from),
        (Shape::Boolean, Value::Bool(b)) => Some(Json::Bool(*b)),
        (Shape::Boolean, Value::String(s)) => s.parse::<bool>().ok().map(Json::Bool),
        (Shape::Object | Shape::Lists, Value::Object(_)) | (Shape::List, Value::Array(_)) => {
            convert::to_api(value)
        }
        _ => None,
    }
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

static APIS: &[Api] = &[
    Api {
        integration: &integration::LAMBDA_INVOKE,
        operation: "Invoke",
        // It travels as the body, with its own text; see `services/lambda.rs`.
        apart: &["Payload"],
        patterns: CALLBACK,
    },
    Api {
        integration: &integration::DYNAMODB_GET_ITEM,
        operation: "GetItem",
        apart: &[],
        patterns: RESPONSE_ONLY,
    },
    Api {
        integration: &integration::DYNAMODB_PUT_ITEM,
        operation: "PutItem",
        apart: &[],
        patterns: RESPONSE_ONLY,
    },
    Api {
        integration: &integration::DYNAMODB_UPDATE_ITEM,
        operation: "UpdateItem",
        apart: &[],
        patterns: RESPONSE_ONLY,
    },
    Api {
        integration: &integration::DYNAMODB_DELETE_ITEM,
        operation: "DeleteItem",
        apart: &[],
        patterns: RESPONSE_ONLY,
    },
    Api {
        integration: &integration::SQS_SEND_MESSAGE,
        operation: "SendMessage",
        apart: &[],
        patterns: CALLBACK,
    },
    Api { integration: &integration::SNS_PUBLISH, operation: "Publish", apart: &[], patterns: CALLBACK },
    Api {
        integration: &integration::EVENTS_PUT_EVENTS,
        operation: "PutEvents",
        apart: &[],
        patterns: CALLBACK,
    },
    Api {
        integration: &integration::APIGATEWAY_INVOKE,
        // No service's: see `services/apigateway.rs`.
        operation: "",
        apart: &["RequestBody"],
        patterns: CALLBACK,
    },
    Api {
        integration: &integration::HTTP_INVOKE,
        // No service's: see `services/http`, which also reads the parameters.
        operation: "",
        apart: &[],
        patterns: RESPONSE_ONLY,
    },
    Api {
        integration: &integration::STATES_START_EXECUTION,
        operation: "StartExecution",
        apart: &[],
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
                r#"{"MessageBody":"{\"a\":1.10}","QueueUrl":"u","DelaySeconds":5}"#,
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
