use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::Resource;
use stepwell_aws::BoxFuture;

/// One attempt at a Task, handed out after its `…Scheduled` event is durable.
#[derive(Debug, Clone)]
pub struct TaskRequest {
    /// Names this attempt and no other; the same when the attempt is dispatched again after a crash.
    pub attempt_id: Arc<str>,
    /// What to call.
    pub resource: Resource,
    /// The `parameters` (or `input`) of the `…Scheduled` event.
    pub parameters: Payload,
    /// The execution that asks.
    pub execution_arn: Arc<str>,
    /// Its state machine.
    pub state_machine_arn: Arc<str>,
    /// The role that the call runs under: the machine's, or that of the state's `Credentials`.
    pub role_arn: Arc<str>,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum TaskOutcome {
    /// The result.
    Succeeded(Payload),
    /// An error that `Retry` and `Catch` may name.
    Failed {
        /// `Lambda.ResourceNotFoundException`, `KeyError` …; absent only for a `SendTaskFailure` without one.
        error: Option<String>,
        /// AWS's text or the function's error payload.
        cause: Option<String>,
    },
}

/// Runs attempts. The engine's only way out to the world; tests script it.
pub trait TaskRunner: Send + Sync {
    /// Runs one attempt to its end. Dropping the future gives the attempt up (the state timed out, or the execution
    /// was stopped); what it called may still finish.
    fn run(&self, request: TaskRequest) -> BoxFuture<'_, TaskOutcome>;
}
