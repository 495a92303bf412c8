//! The service's errors, spelled as SQS spells them.
//!
//! SQS moved from the query protocol to JSON and kept its old codes: the body's `__type` holds the modelled name
//! (`QueueDoesNotExist`), the header `x-amzn-query-error` the old code (`AWS.SimpleQueueService.NonExistentQueue`),
//! and SDKs show the old one. Texts are those that SQS answers with.

use stepwell_aws::Fault;

/// Exceptions of the SQS model.
const MODEL: &str = "com.amazonaws.sqs";
/// Exceptions of the framework below it, which the model does not list.
const CORAL: &str = "com.amazon.coral.service";

fn fault(namespace: &'static str, code: &str, query_code: &str, message: impl Into<String>) -> Fault {
    let mut fault = Fault::new(code, message).in_namespace(namespace);
    fault.headers.push(("x-amzn-query-error".to_owned(), format!("{query_code};Sender")));
    fault
}

/// A modelled exception whose old code carries the service's prefix.
fn prefixed(code: &str, message: impl Into<String>) -> Fault {
    fault(MODEL, code, &format!("AWS.SimpleQueueService.{code}"), message)
}

pub(crate) fn queue_does_not_exist() -> Fault {
    let text = "The specified queue does not exist.";
    fault(MODEL, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", text)
}

pub(crate) fn queue_name_exists(attribute: &str) -> Fault {
    let text =
        format!("A queue already exists with the same name and a different value for attribute {attribute}");
    fault(MODEL, "QueueNameExists", "QueueAlreadyExists", text)
}

pub(crate) fn purge_in_progress(queue: &str) -> Fault {
    let text = format!("Only one PurgeQueue operation on {queue} is allowed every 60 seconds.");
    prefixed("PurgeQueueInProgress", text).with_status(403)
}

pub(crate) fn invalid_address(address: &str) -> Fault {
    let text = format!("The address {address} is not valid for this endpoint.");
    fault(MODEL, "InvalidAddress", "InvalidAddress", text).with_status(404)
}

pub(crate) fn unknown_attribute(name: &str) -> Fault {
    invalid_attribute_name(format!("Unknown Attribute {name}."))
}

pub(crate) fn invalid_attribute_name(message: impl Into<String>) -> Fault {
    fault(MODEL, "InvalidAttributeName", "InvalidAttributeName", message)
}

/// The text `Invalid value for the parameter <name>.`, with a reason where there is one.
pub(crate) fn invalid_attribute_value(name: &str, reason: Option<&str>) -> Fault {
    let text = match reason {
        Some(reason) => format!("Invalid value for the parameter {name}. Reason: {reason}"),
        None => format!("Invalid value for the parameter {name}."),
    };
    fault(MODEL, "InvalidAttributeValue", "InvalidAttributeValue", text)
}

pub(crate) fn invalid_contents() -> Fault {
    let text = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                #xE000 to #xFFFD | #x10000 to #x10FFFF";
    fault(MODEL, "InvalidMessageContents", "InvalidMessageContents", text)
}

pub(crate) fn receipt_handle_is_invalid(handle: &str) -> Fault {
    let text = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
    fault(MODEL, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", text).with_status(404)
}

pub(crate) fn over_limit() -> Fault {
    fault(MODEL, "OverLimit", "OverLimit", "Too many messages are in flight.").with_status(403)
}

pub(crate) fn unsupported(message: &str) -> Fault {
    prefixed("UnsupportedOperation", message)
}

/// A broken rule of batch requests; `code` is one of the model's batch exceptions.
pub(crate) fn batch(code: &str, message: impl Into<String>) -> Fault {
    prefixed(code, message)
}

pub(crate) fn invalid_parameter(message: impl Into<String>) -> Fault {
    fault(CORAL, "InvalidParameterValueException", "InvalidParameterValue", message)
}

/// The text `Value <value> for parameter <name> is invalid. Reason: <reason>`.
pub(crate) fn invalid_value(value: impl std::fmt::Display, name: &str, reason: &str) -> Fault {
    invalid_parameter(format!("Value {value} for parameter {name} is invalid. Reason: {reason}"))
}

pub(crate) fn missing_parameter(name: &str) -> Fault {
    let text = format!("The request must contain the parameter {name}.");
    fault(CORAL, "MissingRequiredParameterException", "MissingParameter", text)
}

/// A member of another JSON type than the model gives it.
pub(crate) fn serialization(message: impl Into<String>) -> Fault {
    fault(CORAL, "SerializationException", "MalformedInput", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_codes_travel_in_the_header() {
        let fault = queue_does_not_exist();
        assert_eq!((fault.code.as_str(), fault.namespace), ("QueueDoesNotExist", Some("com.amazonaws.sqs")));
        assert_eq!(fault.query_code(), "AWS.SimpleQueueService.NonExistentQueue");
        assert_eq!(missing_parameter("MessageBody").query_code(), "MissingParameter");
    }
}
