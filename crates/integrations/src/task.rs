use std::fmt;
use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::Resource;
use stepwell_aws::BoxFuture;

use crate::http_trace::HttpTrace;

/// One attempt at a Task, handed out after its `…Scheduled` event is durable.
#[derive(Debug, Clone)]
pub struct TaskRequest {
    /// Names this attempt and no other; the same when the attempt is handed out again after a crash.
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
    /// How far the attempt had come before.
    pub progress: Progress,
    /// Who is told how far it comes.
    pub host: Host,
}

/// How far an attempt had come when it was handed out.
#[derive(Debug, Clone, Default)]
pub enum Progress {
    /// It was never handed out before.
    #[default]
    New,
    /// It was, and a crash lost how far it came: the call may have been made.
    Again,
    /// The call was answered with this, and the job that it began is waited for. It must not be made again.
    Submitted(Payload),
}

/// What the engine does for an attempt that is under way.
pub trait TaskHost: Send + Sync {
    /// The call of a `.sync` attempt was answered with `answer`; the job it began is waited for from now on.
    fn submitted(&self, answer: Payload);

    /// Ends when an execution of this engine ends durably, or the engine stops; the wait begins with this call. For an
    /// execution that has ended before, or that runs elsewhere, it does not end: look at it as well.
    fn execution_closed(&self, execution_arn: &str) -> BoxFuture<'static, ()>;

    /// Who looks at what an HTTP task sends and gets: nobody, unless a state is tested by itself.
    fn http_trace(&self) -> Option<&HttpTrace> {
        None
    }
}

/// The host of an attempt.
#[derive(Clone)]
pub struct Host(Arc<dyn TaskHost>);

impl Host {
    /// The attempt is `host`'s.
    #[must_use]
    pub fn new(host: Arc<dyn TaskHost>) -> Self {
        Host(host)
    }

    /// The attempt is nobody's, like that of the default, but its HTTP exchange is noted.
    #[must_use]
    pub fn traced(trace: Arc<HttpTrace>) -> Self {
        Host(Arc::new(Nobody { trace: Some(trace) }))
    }
}

/// What is submitted is not noted anywhere, and no end of an execution is told.
#[derive(Default)]
struct Nobody {
    trace: Option<Arc<HttpTrace>>,
}

impl TaskHost for Nobody {
    fn submitted(&self, _: Payload) {}

    fn execution_closed(&self, _: &str) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn http_trace(&self) -> Option<&HttpTrace> {
        self.trace.as_deref()
    }
}

impl Default for Host {
    /// Nobody: what is submitted is not noted anywhere, and no end of an execution is told.
    fn default() -> Self {
        Host(Arc::new(Nobody::default()))
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl std::ops::Deref for Host {
    type Target = dyn TaskHost;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
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
    /// Runs one attempt to its end: for `.sync` to the end of the job; for `.waitForTaskToken` to the answer of the
    /// call, which is what the engine then notes as submitted.
    ///
    /// Dropping the future leaves what it called alone: the engine stops, or [`TaskRunner::give_up`] follows.
    fn run(&self, request: TaskRequest) -> BoxFuture<'_, TaskOutcome>;

    /// Nobody waits for this attempt any more (its state timed out, its execution was stopped), and its `run` has been
    /// dropped: the job that a `.sync` attempt began is stopped, as far as that is possible. `progress` says what is
    /// known about it.
    fn give_up(&self, request: TaskRequest) -> BoxFuture<'_, ()> {
        drop(request);
        Box::pin(std::future::ready(()))
    }
}
