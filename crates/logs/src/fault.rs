//! The faults of CloudWatch Logs, in its texts.

use stepwell_aws::Fault;

pub(crate) fn no_group() -> Fault {
    Fault::new("ResourceNotFoundException", "The specified log group does not exist.")
}

pub(crate) fn no_stream() -> Fault {
    Fault::new("ResourceNotFoundException", "The specified log stream does not exist.")
}

pub(crate) fn exists(what: &str) -> Fault {
    Fault::new("ResourceAlreadyExistsException", format!("The specified log {what} already exists"))
}

pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

/// A failure of the store, told without what it was about.
pub(crate) fn store(error: &dyn std::error::Error) -> Fault {
    tracing::error!(%error, "the store failed");
    Fault::internal("the data directory cannot be read or written; the server's log says why")
}
