//! What callers of the engine ask, what they are answered, and why they are refused.

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::Resource;
use stepwell_integrations::HttpTrace;
use stepwell_interpreter::{ExecutionInfo, ExecutionStatus, limits};
use stepwell_store::{CommitError, ExecutionRow, ReadError};

use crate::machines::MachineRevision;

/// A StartExecution request, checked: the name is a legal one, the input within its limit.
#[derive(Debug)]
pub struct StartExecution {
    /// What to run.
    pub revision: Arc<MachineRevision>,
    /// The name; a UUID where the caller gives none.
    pub name: Option<String>,
    /// Any JSON document.
    pub input: Payload,
    /// `traceHeader`.
    pub trace_header: Option<String>,
    /// The version whose revision it is, where the caller started one.
    pub state_machine_version_arn: Option<Arc<str>>,
    /// The alias that led to that version, where the caller started one.
    pub state_machine_alias_arn: Option<Arc<str>>,
}

/// Answer of StartExecution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedExecution {
    /// Its ARN.
    pub execution_arn: Arc<str>,
    /// Milliseconds since 1970.
    pub start_ms: i64,
}

/// An execution that StartSyncExecution has run to its end.
#[derive(Debug, Clone)]
pub struct SyncExecution {
    /// What was fixed at its start.
    pub info: Arc<ExecutionInfo>,
    /// Not `RUNNING`.
    pub status: ExecutionStatus,
    /// Milliseconds since 1970.
    pub stop_ms: i64,
    /// As it was given.
    pub input: Payload,
    /// With `SUCCEEDED`.
    pub output: Option<Payload>,
    /// Where there is one.
    pub error: Option<Arc<str>>,
    /// Where there is one.
    pub cause: Option<Arc<str>>,
}

/// Why an execution was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartExecutionError {
    /// The name is taken by a closed execution, or by a running one with another input.
    #[error("Execution Already Exists: '{execution_arn}'")]
    AlreadyExists {
        /// Whose name it is.
        execution_arn: Arc<str>,
    },
    /// The input is over the limit.
    #[error("the input has more than {} bytes", limits::PAYLOAD_BYTES_MAX)]
    InputTooLarge,
    /// Too many requests wait already.
    #[error("Rate exceeded")]
    Throttled,
    /// It could not be made durable.
    #[error(transparent)]
    Commit(CommitError),
    /// Whether the name is taken could not be found out.
    #[error("{reason}")]
    Read {
        /// What went wrong.
        reason: String,
    },
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// Why an execution was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopExecutionError {
    /// There is none with this ARN.
    #[error("Execution Does Not Exist: '{execution_arn}'")]
    DoesNotExist {
        /// The ARN.
        execution_arn: Arc<str>,
    },
    /// Too many requests wait already.
    #[error("Rate exceeded")]
    Throttled,
    /// It could not be made durable.
    #[error(transparent)]
    Commit(CommitError),
    /// It could not be read.
    #[error("{reason}")]
    Read {
        /// What went wrong.
        reason: String,
    },
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// Why an execution was not redriven.
#[derive(Debug, thiserror::Error)]
pub enum RedriveExecutionError {
    /// There is none with this ARN.
    #[error("Execution Does Not Exist: '{execution_arn}'")]
    DoesNotExist {
        /// The ARN.
        execution_arn: Arc<str>,
    },
    /// It is not one that can be.
    #[error("{reason}")]
    NotRedrivable {
        /// `redriveStatusReason`
        reason: &'static str,
    },
    /// Too many requests wait already.
    #[error("Rate exceeded")]
    Throttled,
    /// It could not be made durable.
    #[error(transparent)]
    Commit(CommitError),
    /// It could not be read.
    #[error("{reason}")]
    Read {
        /// What went wrong.
        reason: String,
    },
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// Why a Map Run was not updated.
#[derive(Debug, thiserror::Error)]
pub enum UpdateMapRunError {
    /// There is none with this ARN.
    #[error("there is no such Map Run")]
    DoesNotExist,
    /// It is over.
    #[error("the Map Run is over")]
    Completed,
    /// Too many requests wait already.
    #[error("Rate exceeded")]
    Throttled,
    /// It could not be made durable.
    #[error(transparent)]
    Commit(CommitError),
    /// It could not be read.
    #[error(transparent)]
    Read(ReadError),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// Why a task token was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TaskTokenError {
    /// The text is none of ours.
    #[error("Invalid Token: 'Invalid token'")]
    Invalid,
    /// There is no such task.
    #[error("Task Does Not Exist: 'Provided task does not exist anymore'")]
    DoesNotExist,
    /// The task is over: it has ended, timed out, or its execution has closed.
    #[error("Task Timed Out: 'Provided task does not exist anymore'")]
    TimedOut,
    /// Too many requests wait already.
    #[error("Rate exceeded")]
    Throttled,
    /// It could not be made durable.
    #[error(transparent)]
    Commit(CommitError),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// What DescribeExecution tells.
#[derive(Debug, Clone)]
pub struct ExecutionDescription {
    /// All but the payloads.
    pub row: ExecutionRow,
    /// As it was given.
    pub input: Payload,
    /// With `SUCCEEDED`.
    pub output: Option<Payload>,
}

/// A call of a task that belongs to no execution, as TestState makes it.
#[derive(Debug, Clone)]
pub struct TaskCall {
    /// What to call.
    pub resource: Resource,
    /// With what.
    pub parameters: Payload,
    /// The role that the call runs under.
    pub role_arn: String,
    /// Who looks at what an HTTP task sends and gets.
    pub http_trace: Option<Arc<HttpTrace>>,
}

/// How a [`TaskCall`] failed, as `Retry` and `Catch` would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskCallFailed {
    /// The error's name.
    pub error: Option<String>,
    /// Its explanation.
    pub cause: Option<String>,
}
