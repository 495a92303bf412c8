//! What the journal holds: the events of `GetExecutionHistory`, and a few private records beside them.

use std::sync::Arc;

use stepwell_asl::payload::Payload;

use crate::map_run::MapRunSettings;

/// A payload of an execution with the place where the journal keeps it. The journal writes each payload once, with
/// the batch in which it first occurs; whoever passes it on refers to that place.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The batch of the execution (from 0) that holds it.
    pub batch: u32,
    /// Its number among the payloads of that batch, from 0.
    pub index: u32,
    /// The document.
    pub payload: Payload,
}

impl PartialEq for Stored {
    fn eq(&self, other: &Stored) -> bool {
        (self.batch, self.index) == (other.batch, other.index) && self.payload == other.payload
    }
}

/// A chain of states that run one after the other: the execution itself (0), a Parallel branch, a Map iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u32);

impl ThreadId {
    /// The main chain.
    pub const MAIN: ThreadId = ThreadId(0);
}

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An event that `GetExecutionHistory` shows.
    Event(HistoryEvent),
    /// One that it does not.
    Private(PrivateRecord),
}

/// An event of the history. Ids run from 1 without gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// From 1.
    pub id: u64,
    /// The event before it in its chain, by AWS's rules; 0 for none.
    pub previous_event_id: u64,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The chain it belongs to (not shown).
    pub thread: ThreadId,
    /// Type and details.
    pub details: EventDetails,
}

/// The type of a state, as it stands in the names of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateType {
    /// `PassState…`
    Pass,
    /// `TaskState…`
    Task,
    /// `ChoiceState…`
    Choice,
    /// `WaitState…`
    Wait,
    /// `SucceedState…`
    Succeed,
    /// `FailState…`
    Fail,
    /// `ParallelState…`
    Parallel,
    /// `MapState…`
    Map,
}

impl StateType {
    /// As in the `Type` field and in event names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StateType::Pass => "Pass",
            StateType::Task => "Task",
            StateType::Choice => "Choice",
            StateType::Wait => "Wait",
            StateType::Succeed => "Succeed",
            StateType::Fail => "Fail",
            StateType::Parallel => "Parallel",
            StateType::Map => "Map",
        }
    }
}

/// `resourceType` and `resource` of the Task events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskResource {
    /// `lambda`, `dynamodb`, `aws-sdk:s3` …
    pub resource_type: Arc<str>,
    /// `invoke`, `getItem`, `sendMessage.waitForTaskToken` …
    pub resource: Arc<str>,
}

/// What a `…Scheduled` event says besides the resource.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledResource {
    /// `parameters` of a service, `input` of a Lambda function or activity.
    pub parameters: Stored,
    /// Only where the state sets it.
    pub timeout_s: Option<u64>,
    /// Only where the state sets it.
    pub heartbeat_s: Option<u64>,
    /// `taskCredentials.roleArn`, only where the state sets it.
    pub credentials_role: Option<Arc<str>>,
    /// Half of what makes the attempt's task token (not shown); 0 where the attempt has none.
    pub token_nonce: u64,
}

/// Type and details of an event. Members that are absent in AWS's answer are `None`.
#[expect(missing_docs, reason = "the fields are the members of AWS's event details, documented there")]
#[derive(Debug, Clone, PartialEq)]
pub enum EventDetails {
    /// `ExecutionStarted`
    ExecutionStarted { input: Stored, role_arn: Arc<str> },
    /// `ExecutionSucceeded`
    ExecutionSucceeded { output: Stored },
    /// `ExecutionFailed`
    ExecutionFailed { error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `ExecutionAborted`
    ExecutionAborted { error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `ExecutionTimedOut`
    ExecutionTimedOut { error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `ExecutionRedriven`
    ExecutionRedriven { redrive_count: u32 },
    /// `<Type>StateEntered`
    StateEntered { state_type: StateType, name: Arc<str>, input: Stored },
    /// `<Type>StateExited`; `next` (the state that follows, or none at the end of the chain) is not shown.
    StateExited {
        state_type: StateType,
        name: Arc<str>,
        output: Stored,
        assigned: Vec<(Arc<str>, Stored)>,
        next: Option<Arc<str>>,
    },
    /// `LambdaFunctionScheduled`; `resource` is the function's ARN.
    LambdaFunctionScheduled { resource: Arc<str>, scheduled: ScheduledResource },
    /// `LambdaFunctionStarted`
    LambdaFunctionStarted,
    /// `LambdaFunctionSucceeded`
    LambdaFunctionSucceeded { output: Stored },
    /// `LambdaFunctionFailed`
    LambdaFunctionFailed { error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `LambdaFunctionTimedOut`
    LambdaFunctionTimedOut { error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `ActivityScheduled`; `resource` is the activity's ARN.
    ActivityScheduled { resource: Arc<str>, scheduled: ScheduledResource },
    /// `ActivityStarted`
    ActivityStarted { worker_name: Option<Arc<str>> },
    /// `ActivitySucceeded`
    ActivitySucceeded { output: Stored },
    /// `ActivityFailed`
    ActivityFailed { error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `ActivityTimedOut`
    ActivityTimedOut { error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `TaskScheduled`
    TaskScheduled { resource: TaskResource, region: Arc<str>, scheduled: ScheduledResource },
    /// `TaskStarted`
    TaskStarted { resource: TaskResource },
    /// `TaskSubmitted`
    TaskSubmitted { resource: TaskResource, output: Stored },
    /// `TaskSubmitFailed`: the call that was to begin a job or pass a task token on.
    TaskSubmitFailed { resource: TaskResource, error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `TaskSucceeded`
    TaskSucceeded { resource: TaskResource, output: Stored },
    /// `TaskFailed`
    TaskFailed { resource: TaskResource, error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `TaskTimedOut`
    TaskTimedOut { resource: TaskResource, error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `ParallelStateStarted`
    ParallelStateStarted,
    /// `ParallelStateSucceeded`
    ParallelStateSucceeded,
    /// `ParallelStateFailed`
    ParallelStateFailed,
    /// `MapStateStarted`; `concurrency` (iterations at a time) is not shown.
    MapStateStarted { length: u32, concurrency: u32 },
    /// `MapStateSucceeded`
    MapStateSucceeded,
    /// `MapStateFailed`
    MapStateFailed,
    /// `MapRunStarted`; how many `children` there will be, how many at a time, and which failures are tolerated are not
    /// shown.
    MapRunStarted {
        map_run_arn: Arc<str>,
        children: u32,
        concurrency: u32,
        tolerated_failure_count: Option<u32>,
        tolerated_failure_percentage: Option<f64>,
    },
    /// `MapRunRedriven`
    MapRunRedriven { map_run_arn: Arc<str>, redrive_count: u32 },
    /// `MapRunSucceeded`
    MapRunSucceeded,
    /// `MapRunFailed`
    MapRunFailed { error: Option<Arc<str>>, cause: Option<Arc<str>> },
    /// `MapIterationStarted`; `name` is the Map state's.
    MapIterationStarted { name: Arc<str>, index: u32 },
    /// `MapIterationSucceeded`
    MapIterationSucceeded { name: Arc<str>, index: u32 },
    /// `MapIterationFailed`
    MapIterationFailed { name: Arc<str>, index: u32 },
    /// `MapIterationAborted`
    MapIterationAborted { name: Arc<str>, index: u32 },
    /// `TaskStateAborted`, `WaitStateAborted` …
    StateAborted { state_type: StateType },
    /// `EvaluationFailed`
    EvaluationFailed { state: Arc<str>, location: Option<Arc<str>>, error: Arc<str>, cause: Arc<str> },
}

/// A journal entry that no API shows.
#[derive(Debug, Clone, PartialEq)]
pub enum PrivateRecord {
    /// A Wait state is left at `due_ms`.
    WaitScheduled {
        /// The chain that waits.
        thread: ThreadId,
        /// Milliseconds since 1970.
        due_ms: i64,
    },
    /// A failed task is tried again at `due_ms`.
    RetryScheduled {
        /// The chain that waits.
        thread: ThreadId,
        /// Which of the state's retriers, from 0.
        retrier: u32,
        /// Milliseconds since 1970.
        due_ms: i64,
    },
    /// A task token was heard of: the heartbeat's clock begins anew.
    HeartbeatReceived {
        /// The chain that waits.
        thread: ThreadId,
        /// Milliseconds since 1970.
        at_ms: i64,
    },
    /// A Parallel branch or Map iteration begins.
    ThreadStarted {
        /// The new chain.
        thread: ThreadId,
        /// The chain that visits the Parallel or Map state.
        parent: ThreadId,
        /// Which branch or iteration, from 0.
        index: u32,
        /// The input of its first state.
        input: Stored,
        /// The event that the chain's first event names as its previous one.
        previous_event_id: u64,
    },
    /// A Parallel branch came to its end (a Map iteration has an event for that).
    BranchSucceeded {
        /// Its chain.
        thread: ThreadId,
    },
    /// What a Map state iterates over, where it would not be the same if it were evaluated once more.
    MapItemsKept {
        /// The chain that visits the Map state.
        thread: ThreadId,
        /// An array.
        items: Stored,
    },
    /// How the items of a Map Run are batched.
    MapItemsBatched {
        /// The chain that visits the Map state.
        thread: ThreadId,
        /// How many items there are up to the end of each batch.
        ends: Arc<[u32]>,
    },
    /// A child execution of a Map Run is to be started.
    ChildExecutionStarted {
        /// The chain that visits the Map state.
        thread: ThreadId,
        /// Which child, from 0.
        index: u32,
    },
    /// A child execution of a Map Run has ended.
    ChildExecutionEnded {
        /// The chain that visits the Map state.
        thread: ThreadId,
        /// Which child, from 0.
        index: u32,
        /// What it gave, where it succeeded.
        output: Option<Stored>,
    },
    /// A Map Run goes on under other settings.
    MapRunUpdated {
        /// The chain that visits the Map state.
        thread: ThreadId,
        /// Those that change.
        settings: MapRunSettings,
    },
    /// A branch or iteration failed: all of them are gone, and the Parallel or Map state has failed.
    ChildrenFailed {
        /// The chain that visits the Parallel or Map state.
        parent: ThreadId,
        /// The event that says what failed.
        failing_event: u64,
        /// The error.
        error: Option<Arc<str>>,
        /// Its cause.
        cause: Option<Arc<str>>,
        /// Whether it was a missed heartbeat.
        is_heartbeat: bool,
    },
}

impl PrivateRecord {
    /// The payload that the record refers to, if any.
    #[must_use]
    pub fn stored(&self) -> Option<&Stored> {
        match self {
            PrivateRecord::ThreadStarted { input, .. } => Some(input),
            PrivateRecord::MapItemsKept { items, .. } => Some(items),
            PrivateRecord::ChildExecutionEnded { output, .. } => output.as_ref(),
            _ => None,
        }
    }
}

impl Record {
    /// Calls `visit` for every payload that the record refers to, in a fixed order.
    pub fn for_each_stored(&self, mut visit: impl FnMut(&Stored)) {
        match self {
            Record::Event(event) => event.details.for_each_stored(visit),
            Record::Private(record) => {
                if let Some(stored) = record.stored() {
                    visit(stored);
                }
            }
        }
    }
}

impl EventDetails {
    /// Whether the event ends the execution.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            EventDetails::ExecutionSucceeded { .. }
                | EventDetails::ExecutionFailed { .. }
                | EventDetails::ExecutionAborted { .. }
                | EventDetails::ExecutionTimedOut { .. }
        )
    }

    /// Calls `visit` for every payload that the event refers to, in a fixed order (the journal relies on it).
    pub fn for_each_stored(&self, mut visit: impl FnMut(&Stored)) {
        match self {
            EventDetails::ExecutionStarted { input, .. } | EventDetails::StateEntered { input, .. } => {
                visit(input)
            }
            EventDetails::ExecutionSucceeded { output }
            | EventDetails::LambdaFunctionSucceeded { output }
            | EventDetails::ActivitySucceeded { output }
            | EventDetails::TaskSubmitted { output, .. }
            | EventDetails::TaskSucceeded { output, .. } => visit(output),
            EventDetails::StateExited { output, assigned, .. } => {
                visit(output);
                assigned.iter().for_each(|(_, value)| visit(value));
            }
            EventDetails::LambdaFunctionScheduled { scheduled, .. }
            | EventDetails::ActivityScheduled { scheduled, .. }
            | EventDetails::TaskScheduled { scheduled, .. } => visit(&scheduled.parameters),
            _ => {}
        }
    }
}
