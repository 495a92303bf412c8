//! What goes into [`crate::decide`] and what comes out.

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::Resource;

use crate::event::{Record, Stored, ThreadId};
use crate::execution::{ExecutionInfo, ExecutionStatus};
use crate::map_run::MapRunSettings;
use crate::states::map_run::child_arn;

/// Time and chance, the two things a decision cannot take from itself.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    /// 64 random bits; all randomness of the decision is drawn from them.
    pub entropy: u64,
}

/// Something happened to an execution.
#[derive(Debug)]
pub enum Command {
    /// It begins, with this input. The first command of every execution.
    Start {
        /// Any JSON document of at most [`crate::limits::PAYLOAD_BYTES_MAX`] bytes.
        input: Payload,
    },
    /// Time has come for what was due ([`crate::Execution::next_due_ms`]).
    Tick,
    /// A run of states that was cut for fairness goes on ([`Effect::Continue`]).
    Continue,
    /// The call of an attempt was answered. That ends the attempt, unless it waits for a task token or a job: then a
    /// result is what was submitted.
    CallEnded {
        /// Id of its `…Scheduled` event. An answer for an attempt that is no longer waited for changes nothing.
        scheduled_event: u64,
        /// How.
        reply: TaskReply,
    },
    /// The call of a `.sync` attempt was answered; the job it began is waited for ([`Command::CallEnded`]).
    TaskSubmitted {
        /// Id of its `…Scheduled` event.
        scheduled_event: u64,
        /// The answer.
        output: Payload,
    },
    /// A worker has taken an activity's task.
    ActivityStarted {
        /// Id of its `…Scheduled` event.
        scheduled_event: u64,
        /// `workerName` of GetActivityTask.
        worker_name: Option<Arc<str>>,
    },
    /// SendTaskSuccess or SendTaskFailure.
    TokenEnded {
        /// Id of its `…Scheduled` event.
        scheduled_event: u64,
        /// How.
        reply: TaskReply,
    },
    /// RedriveExecution: one that ended without success goes on.
    Redrive,
    /// UpdateMapRun.
    UpdateMapRun {
        /// Which one; one that does not run stays as it is.
        map_run_arn: Arc<str>,
        /// What changes.
        settings: MapRunSettings,
    },
    /// A child execution of a Map Run has ended.
    ChildEnded {
        /// The chain that visits the Map state.
        thread: ThreadId,
        /// The Map Run; an end in an earlier one changes nothing.
        map_run_arn: Arc<str>,
        /// Which child, from 0.
        index: u32,
        /// With which redrive of the Map Run it began or was redriven; 0 without. That it failed in an earlier one
        /// changes nothing.
        redrive: u32,
        /// What it gave; `None` where it did not succeed.
        output: Option<Payload>,
    },
    /// SendTaskHeartbeat.
    Heartbeat {
        /// Id of its `…Scheduled` event.
        scheduled_event: u64,
    },
    /// StopExecution.
    Stop {
        /// As the caller gave it.
        error: Option<Arc<str>>,
        /// As the caller gave it.
        cause: Option<Arc<str>>,
    },
}

/// How an attempt at a task ended.
#[derive(Debug, Clone)]
pub enum TaskReply {
    /// With a result.
    Succeeded(Payload),
    /// With an error that `Retry` and `Catch` may name.
    Failed {
        /// Its name.
        error: Option<Arc<str>>,
        /// Its explanation.
        cause: Option<Arc<str>>,
    },
}

/// What a command led to.
#[derive(Debug, Default)]
pub struct Decision {
    /// What happened, already applied to the execution; to be stored as one.
    pub records: Vec<Record>,
    /// What to do once the records are durable.
    pub effects: Vec<Effect>,
}

/// What leaves an execution. Performed only after the records of its decision are durable.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Call a task.
    Dispatch(TaskDispatch),
    /// Nobody waits for this attempt any more.
    Cancel {
        /// Id of its `…Scheduled` event.
        scheduled_event: u64,
    },
    /// Start a child execution of a Map Run, unless it has been started before; redrive one that failed before the Map
    /// Run was redriven.
    StartChild(Box<ChildStart>),
    /// Stop a child execution: its Map Run is over.
    StopChild {
        /// Its ARN.
        execution_arn: Arc<str>,
    },
    /// Hand in [`Command::Continue`] when the others on the shard have had their turn.
    Continue,
    /// The execution has ended.
    Finished {
        /// Not `RUNNING`.
        status: ExecutionStatus,
        /// Only with `SUCCEEDED`.
        output: Option<Stored>,
        /// Where the status has one.
        error: Option<Arc<str>>,
        /// Where the status has one.
        cause: Option<Arc<str>>,
    },
}

/// A child execution of a Map Run to be started.
#[derive(Debug, Clone)]
pub struct ChildStart {
    /// All but the time, which is its own.
    pub info: ExecutionInfo,
    /// Its input.
    pub input: Payload,
    /// The number of the Map Run's redrive, from 1; 0 before the first. One that failed in an earlier one is to be
    /// redriven.
    pub redrive: u32,
}

impl ChildStart {
    /// The ARNs that the executions of this item had before the last redrive of the Map Run, the latest first: each
    /// redrive gives an Express child a new one. Not each of them was started.
    pub fn earlier(&self) -> impl Iterator<Item = Arc<str>> {
        let child_of = self.info.child_of.as_ref().filter(|_| self.info.kind.is_express());
        child_of.into_iter().flat_map(|of| {
            let arn = |redrive| child_arn(&of.map_run_arn, self.info.kind, of.index, redrive).0;
            (0..self.redrive).rev().map(arn)
        })
    }
}

/// One attempt to be made.
#[derive(Debug, Clone)]
pub struct TaskDispatch {
    /// The branch that waits.
    pub thread: ThreadId,
    /// Id of the `…Scheduled` event; names the attempt, also after a crash.
    pub scheduled_event: u64,
    /// The other half of its task token ([`crate::TaskToken`]); 0 where it has none.
    pub token_nonce: u64,
    /// What to call.
    pub resource: Resource,
    /// With what.
    pub parameters: Stored,
    /// `Credentials.RoleArn`, where the state has it.
    pub credentials_role: Option<Arc<str>>,
    /// What its call was answered before a crash: the job that it began goes on and is only to be waited for.
    pub submitted: Option<Stored>,
}
