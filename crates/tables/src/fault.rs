//! From the library's errors to ours.

use dynoxide::DynoxideError;
use serde_json::{Map, Value};
use stepwell_aws::{Account, Fault};

use crate::arns;

/// Exceptions of the DynamoDB model, and the two framework namespaces whose exceptions it answers with.
const MODEL: &str = "com.amazonaws.dynamodb.v20120810";
const VALIDATE: &str = "com.amazon.coral.validate";
const CORAL: &str = "com.amazon.coral.service";

/// The fault with which `operation` answers this error.
pub(crate) fn of(error: &DynoxideError, operation: &str, account: &Account) -> Fault {
    let status = error.status_code();
    if status >= 500 {
        tracing::error!(operation, %error, "the tables failed");
        return internal();
    }
    let (namespace, code) = error.error_type().split_once('#').unwrap_or((MODEL, error.error_type()));
    let namespace = [VALIDATE, CORAL].into_iter().find(|known| *known == namespace).unwrap_or(MODEL);
    let message = arns::rewrite_text(&message(error, operation), account);
    let mut fault = Fault::new(code, message).with_status(status).in_namespace(namespace);
    fault.members = members(error);
    fault
}

/// A failure of ours: the cause is in the log.
pub(crate) fn internal() -> Fault {
    Fault::new("InternalServerError", "The request processing has failed because of an internal error.")
        .with_status(500)
        .in_namespace(MODEL)
}

/// The single-item writes put some of their refusals into an envelope, which is the caller's to add.
fn message(error: &DynoxideError, operation: &str) -> String {
    let enveloped = matches!(error, DynoxideError::EnvelopedValidation(_))
        && matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem");
    if enveloped { format!("1 validation error detected: {error}") } else { error.to_string() }
}

/// The members beside the message.
fn members(error: &DynoxideError) -> Map<String, Value> {
    let mut members = Map::new();
    match error {
        DynoxideError::TransactionCanceledException(_, reasons) => {
            members.extend(
                serde_json::to_value(reasons).map(|reasons| ("CancellationReasons".to_owned(), reasons)),
            );
        }
        DynoxideError::ConditionalCheckFailedException(_, Some(_)) => {
            // The whole response is written, because the order of set members in it is DynamoDB's.
            if let Ok(Value::Object(mut response)) = serde_json::to_value(error.to_response()) {
                members.extend(response.swap_remove("Item").map(|item| ("Item".to_owned(), item)));
            }
        }
        _ => {}
    }
    members
}
