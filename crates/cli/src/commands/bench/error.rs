//! Why something could not be measured.

/// What ends a section; the others are measured all the same.
#[derive(Debug, thiserror::Error)]
pub(super) enum BenchError {
    /// The server cannot be reached, or went away.
    #[error("the connection to the server failed: {0}")]
    Connection(#[from] std::io::Error),
    /// The server refused a request.
    #[error("{message} ({code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The exception's name.
        code: String,
        /// The server's text.
        message: String,
    },
    /// An answer or an execution is not what it should be: no figure may stand for it.
    #[error("{0}")]
    Wrong(String),
    /// A server's process did not start, or did not do what it should.
    #[error("{0}")]
    Process(String),
    /// The section needs what a server elsewhere does not give.
    #[error("needs a server of its own: not with --endpoint-url")]
    NeedsOwnServer,
}

impl BenchError {
    /// Whether the server said that it has too much to do.
    pub(super) fn is_throttling(&self) -> bool {
        matches!(self, BenchError::Refused { status, code, .. }
            if *status == 429 || *status == 503 || code.contains("Throttling") || code == "ExecutionLimitExceeded")
    }
}
