//! Lambda's exceptions with their texts and HTTP statuses.

use serde_json::Value;
use stepwell_aws::Fault;

/// No such function; `arn` carries the qualifier, where one was given.
pub(crate) fn function_not_found(arn: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("Function not found: {arn}")).with_status(404)
}

/// Something else that is not there.
pub(crate) fn resource_not_found(message: impl Into<String>) -> Fault {
    Fault::new("ResourceNotFoundException", message).with_status(404)
}

/// The request collides with what exists.
pub(crate) fn conflict(message: impl Into<String>) -> Fault {
    Fault::new("ResourceConflictException", message).with_status(409)
}

/// A parameter's value is not acceptable.
pub(crate) fn invalid_parameter(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", message)
}

/// An invocation's payload is not JSON.
pub(crate) fn invalid_content(reason: impl std::fmt::Display) -> Fault {
    Fault::new("InvalidRequestContentException", format!("Could not parse request body into json: {reason}"))
}

/// An invocation's payload is larger than `bytes_max`.
pub(crate) fn request_too_large(bytes_max: usize) -> Fault {
    Fault::new(
        "RequestEntityTooLargeException",
        format!("Request must be smaller than {bytes_max} bytes for the InvokeFunction operation"),
    )
    .with_status(413)
}

/// More invocations at once than allowed; `reason` is one of the API model's `ThrottleReason`.
pub(crate) fn throttled(reason: &str) -> Fault {
    let mut fault = Fault::new("TooManyRequestsException", "Rate Exceeded.").with_status(429);
    fault.members.insert("Reason".into(), Value::String(reason.to_owned()));
    fault
}

/// A failure of ours.
pub(crate) fn service(message: impl Into<String>) -> Fault {
    Fault::new("ServiceException", message).with_status(500)
}

/// The code of [`unanswered`].
pub(crate) const UNANSWERED: &str = "Stepwell.Unanswered";

/// Stands for an invocation that our own end interrupted: what would have come of it is not known. Never leaves the
/// service.
pub(crate) fn unanswered() -> Fault {
    Fault::new(UNANSWERED, "")
}

/// The machine cannot run the function's runtime.
pub(crate) fn invalid_runtime(message: impl Into<String>) -> Fault {
    Fault::new("InvalidRuntimeException", message).with_status(502)
}

/// The function's code cannot be used.
pub(crate) fn invalid_code(message: impl Into<String>) -> Fault {
    Fault::new("InvalidZipFileException", message).with_status(502)
}

/// The given revision is not the current one.
pub(crate) fn precondition_failed() -> Fault {
    Fault::new(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to \
         retrieve the latest Revision Id",
    )
    .with_status(412)
}
