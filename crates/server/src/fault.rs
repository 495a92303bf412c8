//! The faults of Step Functions and of the framework around every AWS service, in their exact texts.
//!
//! One place for every message, so that an action names the fault and cannot misspell it.

use serde_json::Value;
use stepwell_aws::Fault;

/// What stands before `#` in the `__type` of Step Functions' own exceptions.
pub(crate) const SERVICE_NAMESPACE: &str = "com.amazonaws.swf.service.v2.model";
/// The same of the request validation that all services share.
pub(crate) const VALIDATION_NAMESPACE: &str = "com.amazon.coral.validate";

/// One of Step Functions' own exceptions.
pub(crate) fn service(code: &str, message: impl Into<String>) -> Fault {
    Fault::new(code, message).in_namespace(SERVICE_NAMESPACE)
}

/// The request breaks constraints of the model; `message` with its frame.
pub(crate) fn constraint(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message).in_namespace(VALIDATION_NAMESPACE)
}

/// The body cannot be read as the operation's input.
pub(crate) fn serialization(message: impl Into<String>) -> Fault {
    Fault::new("SerializationException", message)
}

/// An operation of the model that Stepwell does not serve yet; distinct from one that does not exist.
pub(crate) fn not_yet_supported(operation: &str) -> Fault {
    Fault::new(
        "UnsupportedOperationException",
        format!("The operation {operation} of AWS Step Functions is not yet supported by Stepwell"),
    )
}

/// A `ValidationException` of Step Functions itself, with its `reason` where it has one.
pub(crate) fn validation(message: impl Into<String>, reason: Option<&str>) -> Fault {
    let mut fault = service("ValidationException", message);
    if let Some(reason) = reason {
        fault.members.insert("reason".into(), Value::from(reason));
    }
    fault
}

pub(crate) fn invalid_arn(detail: &str) -> Fault {
    service("InvalidArn", format!("Invalid Arn: '{detail}'"))
}

pub(crate) fn invalid_name(name: &str) -> Fault {
    service("InvalidName", format!("Invalid Name: '{name}'"))
}

pub(crate) fn invalid_token() -> Fault {
    service("InvalidToken", "Invalid Token: 'Invalid token'")
}

pub(crate) fn machine_does_not_exist(arn: &str) -> Fault {
    service("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
}

pub(crate) fn machine_already_exists(arn: &str) -> Fault {
    service("StateMachineAlreadyExists", format!("State Machine Already Exists: '{arn}'"))
}

pub(crate) fn machine_deleting(arn: &str) -> Fault {
    service("StateMachineDeleting", format!("State Machine is being deleted: '{arn}'"))
}

pub(crate) fn machine_type_not_supported() -> Fault {
    service("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
}

pub(crate) fn execution_does_not_exist(arn: &str) -> Fault {
    service("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
}

pub(crate) fn execution_already_exists(arn: &str) -> Fault {
    service("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'"))
}

/// `reason` is a `redriveStatusReason`. In the frame of Step Functions' other exceptions; the text is in no recording.
pub(crate) fn execution_not_redrivable(reason: &str) -> Fault {
    service("ExecutionNotRedrivable", format!("Execution Not Redrivable: '{reason}'"))
}

pub(crate) fn invalid_execution_input(detail: &str) -> Fault {
    service("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{detail}'"))
}

pub(crate) fn invalid_output(detail: &str) -> Fault {
    service("InvalidOutput", format!("Invalid Output: '{detail}'"))
}

pub(crate) fn activity_does_not_exist(arn: &str) -> Fault {
    service("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'"))
}

pub(crate) fn conflict(message: impl Into<String>) -> Fault {
    service("ConflictException", message)
}

pub(crate) fn quota_exceeded(message: impl Into<String>) -> Fault {
    service("ServiceQuotaExceededException", message)
}

/// An alias, or a version that an alias shall route to, is not there.
pub(crate) fn reference_not_found() -> Fault {
    service("ResourceNotFound", "Request references a resource that does not exist.")
}

pub(crate) fn resource_not_found(arn: &str) -> Fault {
    let mut fault = service("ResourceNotFound", format!("Resource not found: '{arn}'"));
    fault.members.insert("resourceName".into(), Value::from(arn));
    fault
}

pub(crate) fn throttled() -> Fault {
    Fault::new("ThrottlingException", "Rate exceeded")
}

/// The server is about to stop; a client that tries again may find the next one.
pub(crate) fn stopping() -> Fault {
    Fault::new("ServiceUnavailable", "The server is stopping").with_status(503)
}
