//! Tasks: one file per service, and what they share.

mod aws_sdk;
mod dynamodb;
mod lambda;
mod messages;
mod sqs;
mod states;

use serde_json::{Map, Value};

pub use aws_sdk::CallAwsService;
pub use dynamodb::{
    DynamoAttributeValue, DynamoConsumedCapacity, DynamoDeleteItem, DynamoGetItem,
    DynamoItemCollectionMetrics, DynamoProjectionExpression, DynamoPutItem, DynamoReturnValues,
    DynamoUpdateItem,
};
pub use lambda::{LambdaInvocationType, LambdaInvoke};
pub use messages::{EventBridgePutEvents, EventEntry, SnsPublish};
pub use sqs::SqsSendMessage;
pub use states::{StepFunctionsInvokeActivity, StepFunctionsStartExecution};

use crate::errors::BuildError;
use crate::language::{self, QueryLanguage};

/// How a task waits for what it called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntegrationPattern {
    /// Until the service has answered the call.
    #[default]
    RequestResponse,
    /// Until the job that the call started is done.
    RunJob,
    /// Until somebody returns the task token, which the call must carry.
    WaitForTaskToken,
}

/// `Type`, `Resource` and `Parameters` (in JSONata `Arguments`) of a task that calls `service_api` (such as `lambda:invoke`).
fn service_task(
    state: &str,
    language: QueryLanguage,
    service_api: &str,
    pattern: IntegrationPattern,
    parameters: Map<String, Value>,
    fields: &mut Map<String, Value>,
) -> Result<(), BuildError> {
    let suffix = match pattern {
        IntegrationPattern::RequestResponse => "",
        IntegrationPattern::RunJob => ".sync",
        IntegrationPattern::WaitForTaskToken => ".waitForTaskToken",
    };
    let parameters = Value::Object(parameters);
    if pattern == IntegrationPattern::WaitForTaskToken && !mentions_task_token(&parameters) {
        let token = match language {
            QueryLanguage::JsonPath => "JsonPath::task_token()",
            QueryLanguage::Jsonata => "'{% $states.context.Task.Token %}'",
        };
        let problem = format!("a task that waits for its token must pass it on: use {token}");
        return Err(BuildError::InvalidSettings { state: state.to_owned(), problem });
    }
    fields.insert("Type".into(), "Task".into());
    fields.insert("Resource".into(), format!("arn:aws:states:::{service_api}{suffix}").into());
    fields.insert(language.call_field().into(), parameters);
    Ok(())
}

/// Whether a path or expression in `template` leads to the task token, directly or as part of the context object.
fn mentions_task_token(template: &Value) -> bool {
    let mut open = vec![template];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                for (key, value) in members {
                    if key.ends_with(".$")
                        && value.as_str().is_some_and(|path| path == "$$" || path.contains("$$.Task"))
                    {
                        return true;
                    }
                    open.push(value);
                }
            }
            value if language::mentions_task_token(value) => return true,
            _ => {}
        }
    }
    false
}
