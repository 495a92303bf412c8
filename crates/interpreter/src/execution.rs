//! The live state of an execution. What changes it is in [`crate::apply`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepwell_asl::program::{Program, ResourceKind, StateId, StateKind};

use crate::command::TaskDispatch;
use crate::event::{Stored, ThreadId};
use crate::items::MapItems;
use crate::limits::EXPRESS_SECONDS_MAX;
use crate::map_run::{MapRun, MapRunState, MapRuns};
use crate::redrive::GivenUp;
use crate::retry::Failure;

/// What is fixed when an execution starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionInfo {
    /// `arn:aws:states:…:execution:<machine>:<name>`
    pub execution_arn: Arc<str>,
    /// The last part of the ARN.
    pub name: Arc<str>,
    /// Its state machine.
    pub state_machine_arn: Arc<str>,
    /// That machine's name.
    pub state_machine_name: Arc<str>,
    /// The role it runs under.
    pub role_arn: Arc<str>,
    /// The region that `TaskScheduled` events name.
    pub region: Arc<str>,
    /// Milliseconds since 1970.
    pub start_ms: i64,
    /// `TimeoutSeconds` of the machine.
    pub timeout_s: Option<u32>,
    /// Whose child it is, where it is one of a Map Run.
    pub child_of: Option<ChildOf>,
    /// Of which kind it is.
    pub kind: ExecutionKind,
}

/// What sets executions apart from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExecutionKind {
    /// Of a Standard machine: up to a year, up to 25,000 events.
    #[default]
    Standard,
    /// Of an Express machine, or a child of that kind: up to five minutes, as many events as happen.
    Express,
    /// The same, started by StartSyncExecution.
    SyncExpress,
}

impl ExecutionKind {
    /// The kind of the execution with this ARN, as far as an ARN tells: never [`ExecutionKind::SyncExpress`].
    #[must_use]
    pub fn of_arn(execution_arn: &str) -> Self {
        match execution_arn.split(':').nth(5) {
            Some("express") => ExecutionKind::Express,
            _ => ExecutionKind::Standard,
        }
    }

    /// Whether it is an Express execution, of either kind.
    #[must_use]
    pub fn is_express(self) -> bool {
        self != ExecutionKind::Standard
    }

    /// `TimeoutSeconds` as it counts for this kind, where the machine has `given`.
    #[must_use]
    pub fn timeout_s(self, given: Option<u32>) -> Option<u32> {
        match self {
            ExecutionKind::Standard => given,
            ExecutionKind::Express | ExecutionKind::SyncExpress => {
                Some(given.map_or(EXPRESS_SECONDS_MAX, |given| given.min(EXPRESS_SECONDS_MAX)))
            }
        }
    }
}

/// The place of a child execution in its Map Run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildOf {
    /// `arn:aws:states:…:mapRun:<machine>/<label>:<uuid>`
    pub map_run_arn: Arc<str>,
    /// The Map state whose processor it runs.
    pub map_state: Arc<str>,
    /// The execution that visits that state.
    pub execution_arn: Arc<str>,
    /// The chain of that execution.
    pub thread: ThreadId,
    /// Which child, from 0.
    pub index: u32,
    /// How many items it processes.
    pub items: u32,
}

/// `status` of DescribeExecution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExecutionStatus {
    /// `RUNNING`
    Running,
    /// `SUCCEEDED`
    Succeeded,
    /// `FAILED`
    Failed,
    /// `TIMED_OUT`
    TimedOut,
    /// `ABORTED`
    Aborted,
}

impl ExecutionStatus {
    /// All of them.
    pub const ALL: [ExecutionStatus; 5] = [
        ExecutionStatus::Running,
        ExecutionStatus::Succeeded,
        ExecutionStatus::Failed,
        ExecutionStatus::TimedOut,
        ExecutionStatus::Aborted,
    ];

    /// Whether an execution of this status can be redriven.
    #[must_use]
    pub fn is_unsuccessful(self) -> bool {
        matches!(self, ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted)
    }

    /// As the API spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ExecutionStatus::Running => "RUNNING",
            ExecutionStatus::Succeeded => "SUCCEEDED",
            ExecutionStatus::Failed => "FAILED",
            ExecutionStatus::TimedOut => "TIMED_OUT",
            ExecutionStatus::Aborted => "ABORTED",
        }
    }

    /// The status that the API spells so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// An execution between two commands.
#[derive(Debug, Clone)]
pub struct Execution {
    pub(crate) info: Arc<ExecutionInfo>,
    pub(crate) status: ExecutionStatus,
    pub(crate) input: Option<Stored>,
    pub(crate) last_event_id: u64,
    /// When that was: no later event is earlier, whatever the clock has done since.
    pub(crate) last_event_ms: i64,
    /// Number of the journal batch that the next decision fills.
    pub(crate) batch: u32,
    /// Where its chains stand; also after an end without success, for a redrive.
    pub(crate) threads: BTreeMap<ThreadId, Thread>,
    pub(crate) next_thread: u32,
    /// Chains whose next step needs nobody else.
    pub(crate) ready: BTreeSet<ThreadId>,
    /// What is due when, in order; [`DueWhat::Execution`] is the machine's own timeout.
    pub(crate) due: BTreeSet<(i64, DueWhat)>,
    pub(crate) redrive_count: u32,
    /// When it was redriven last.
    pub(crate) redriven_ms: Option<i64>,
    pub(crate) map_runs: MapRuns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DueWhat {
    Execution,
    Thread(ThreadId),
}

/// One chain of states.
#[derive(Debug, Clone)]
pub(crate) struct Thread {
    /// The branch or iteration it is; none for the main chain.
    pub parent: Option<Parent>,
    /// The event that the next one of this chain names as its previous one.
    pub last_event: u64,
    pub position: Position,
    pub variables: BTreeMap<Arc<str>, Stored>,
}

/// Whose branch or iteration a chain is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parent {
    /// The chain that visits the Parallel or Map state.
    pub thread: ThreadId,
    /// Which one, from 0.
    pub index: u32,
}

/// Where a chain stands.
#[derive(Debug, Clone)]
pub(crate) enum Position {
    /// Between two states: `next` is to be entered with `input`; without a `next` the chain is at its end.
    Between { next: Option<StateId>, input: Stored },
    /// In a state.
    In(Visit),
}

/// A visit of a state, from its entry to its exit.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub state: StateId,
    pub entered_event: u64,
    pub entered_ms: i64,
    /// The raw input.
    pub input: Stored,
    /// Retries made so far, per retrier.
    pub retries: Vec<u32>,
    pub activity: Activity,
    /// What a Map state that has begun iterates over.
    pub items: Option<Box<MapItems>>,
    /// What a Parallel or Map state held when it failed, until it is tried again.
    pub given_up: Option<Box<GivenUp>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Activity {
    /// Its work is to be decided now.
    Ready,
    /// A Wait state waits.
    Waiting { due_ms: i64 },
    /// An attempt at a task is under way.
    Task(Attempt),
    /// The task has given its result; the state is to be left now.
    Succeeded { result: Stored },
    /// Branches or iterations run.
    Children(Children),
    /// Child executions run.
    MapRun(Box<MapRun>),
    /// A Map Run is to be redriven now.
    Redriving(Box<MapRun>),
    /// The state has failed; Retry and Catch are to be asked now.
    Failed(Failure),
    /// A failed state waits for its next attempt.
    BackingOff { due_ms: i64 },
}

#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub scheduled_event: u64,
    pub parameters: Stored,
    pub credentials_role: Option<Arc<str>>,
    pub token_nonce: u64,
    pub heartbeat_s: Option<u64>,
    /// `…Started` has happened.
    pub started: bool,
    /// `TaskSubmitted` has happened: the call was answered with this, and a token or a job is waited for.
    pub submitted: Option<Stored>,
    /// When `TimeoutSeconds` runs out.
    pub timeout_due_ms: Option<i64>,
    /// When `HeartbeatSeconds` runs out; once its clock runs.
    pub heartbeat_due_ms: Option<i64>,
}

impl Attempt {
    /// The earlier of its two ends.
    pub(crate) fn due_ms(&self) -> Option<i64> {
        [self.timeout_due_ms, self.heartbeat_due_ms].into_iter().flatten().min()
    }

    /// Whether it is a missed heartbeat that ends it at `now_ms`, and not the timeout.
    pub(crate) fn is_heartbeat_missed(&self, now_ms: i64) -> bool {
        self.heartbeat_due_ms.is_some_and(|due| due <= now_ms)
            && self.timeout_due_ms.is_none_or(|due| due > now_ms)
    }
}

/// The branches of a Parallel state or the iterations of a Map.
#[derive(Debug, Clone)]
pub(crate) struct Children {
    /// What those that have ended gave, in their order.
    pub results: Vec<Option<Stored>>,
    /// How many have ended.
    pub ended: usize,
    /// The next one to begin.
    pub next_index: u32,
    /// How many run now.
    pub running: u32,
    /// How many may run at a time.
    pub concurrency: u32,
    /// Whose end made room for the next one: the last event of its states.
    pub made_room: Option<u64>,
}

impl Children {
    pub(crate) fn new(length: u32, concurrency: u32) -> Self {
        Children {
            results: vec![None; length as usize],
            ended: 0,
            next_index: 0,
            running: 0,
            concurrency,
            made_room: None,
        }
    }

    pub(crate) fn may_begin_another(&self) -> bool {
        (self.next_index as usize) < self.results.len() && self.running < self.concurrency
    }

    pub(crate) fn all_have_ended(&self) -> bool {
        self.ended == self.results.len()
    }
}

impl Visit {
    pub(crate) fn due_ms(&self) -> Option<i64> {
        match &self.activity {
            Activity::Waiting { due_ms } | Activity::BackingOff { due_ms } => Some(*due_ms),
            Activity::Task(attempt) => attempt.due_ms(),
            Activity::Ready
            | Activity::Succeeded { .. }
            | Activity::Children(_)
            | Activity::MapRun(_)
            | Activity::Redriving(_)
            | Activity::Failed(_) => None,
        }
    }

    /// Whether its next step needs nobody else.
    fn is_ready(&self) -> bool {
        match &self.activity {
            Activity::Ready | Activity::Succeeded { .. } | Activity::Failed(_) | Activity::Redriving(_) => {
                true
            }
            Activity::Children(children) => children.may_begin_another() || children.all_have_ended(),
            Activity::MapRun(run) => run.is_ready(),
            Activity::Waiting { .. } | Activity::Task(_) | Activity::BackingOff { .. } => false,
        }
    }

    pub(crate) fn retry_count(&self) -> u32 {
        self.retries.iter().sum()
    }
}

impl Execution {
    /// An execution to which nothing has happened yet.
    #[must_use]
    pub fn new(info: Arc<ExecutionInfo>) -> Self {
        Execution {
            info,
            status: ExecutionStatus::Running,
            input: None,
            last_event_id: 0,
            last_event_ms: i64::MIN,
            batch: 0,
            threads: BTreeMap::new(),
            next_thread: 0,
            ready: BTreeSet::new(),
            due: BTreeSet::new(),
            redrive_count: 0,
            redriven_ms: None,
            map_runs: MapRuns::default(),
        }
    }

    /// What was fixed at its start.
    #[must_use]
    pub fn info(&self) -> &Arc<ExecutionInfo> {
        &self.info
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> ExecutionStatus {
        self.status
    }

    /// Its input, once started.
    #[must_use]
    pub fn input(&self) -> Option<&Stored> {
        self.input.as_ref()
    }

    /// The id of its newest event; 0 before the first.
    #[must_use]
    pub fn last_event_id(&self) -> u64 {
        self.last_event_id
    }

    /// How often it was redriven.
    #[must_use]
    pub fn redrive_count(&self) -> u32 {
        self.redrive_count
    }

    /// When it was redriven last, in milliseconds since 1970.
    #[must_use]
    pub fn redriven_ms(&self) -> Option<i64> {
        self.redriven_ms
    }

    /// Its Map Runs, in the order of their starts.
    #[must_use]
    pub fn map_runs(&self) -> &[MapRunState] {
        self.map_runs.all()
    }

    /// The number of the journal batch that the next decision fills, from 0.
    #[must_use]
    pub fn next_batch(&self) -> u32 {
        self.batch
    }

    /// When [`crate::Command::Tick`] is to be handed in, at the earliest; `None` while nothing waits for time.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Whether a run of states was cut and waits for [`crate::Command::Continue`].
    #[must_use]
    pub fn wants_to_continue(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The attempts that are under way: after a crash they are dispatched again, under the same names.
    #[must_use]
    pub fn in_flight(&self, program: &Program) -> Vec<TaskDispatch> {
        if self.status != ExecutionStatus::Running {
            return Vec::new();
        }
        self.threads.iter().filter_map(|(id, thread)| thread.dispatch(*id, program)).collect()
    }

    /// Whether nothing works for it now: it waits for time, or for somebody who will name it by its ARN. It can then be
    /// dropped, and folded from its records when it is needed.
    #[must_use]
    pub fn is_idle(&self, program: &Program) -> bool {
        self.status == ExecutionStatus::Running
            && self.ready.is_empty()
            && self.threads.iter().all(|(id, thread)| match thread.visit().map(|visit| &visit.activity) {
                Some(Activity::Waiting { .. } | Activity::BackingOff { .. } | Activity::Children(_)) => true,
                Some(Activity::Task(_)) => thread.dispatch(*id, program).is_none(),
                _ => false,
            })
    }

    /// Whether the attempt with this `…Scheduled` event and nonce waits for its task token.
    #[must_use]
    pub fn waits_for_token(&self, scheduled_event: u64, token_nonce: u64) -> bool {
        self.attempt(scheduled_event).is_some_and(|(_, a)| a.token_nonce == token_nonce && token_nonce != 0)
    }

    /// Whether the attempt with this `…Scheduled` event is an activity's that no worker has taken.
    #[must_use]
    pub fn waits_for_worker(&self, scheduled_event: u64) -> bool {
        self.attempt(scheduled_event).is_some_and(|(_, attempt)| !attempt.started)
    }

    /// The attempt with this `…Scheduled` event, and the chain that waits for it.
    pub(crate) fn attempt(&self, scheduled_event: u64) -> Option<(ThreadId, &Attempt)> {
        if self.status != ExecutionStatus::Running {
            return None;
        }
        self.threads.iter().find_map(|(id, thread)| {
            let attempt = thread.attempt()?;
            (attempt.scheduled_event == scheduled_event).then_some((*id, attempt))
        })
    }

    /// The value of a variable that `thread` sees: its own, or one of the chains around it.
    pub(crate) fn variable<'a>(&'a self, thread: &'a Thread, name: &str) -> Option<&'a Stored> {
        let mut at = Some(thread);
        while let Some(thread) = at {
            if let Some(value) = thread.variables.get(name) {
                return Some(value);
            }
            at = thread.parent.and_then(|parent| self.threads.get(&parent.thread));
        }
        None
    }
}

impl Thread {
    pub(crate) fn visit(&self) -> Option<&Visit> {
        match &self.position {
            Position::In(visit) => Some(visit),
            Position::Between { .. } => None,
        }
    }

    pub(crate) fn visit_mut(&mut self) -> Option<&mut Visit> {
        match &mut self.position {
            Position::In(visit) => Some(visit),
            Position::Between { .. } => None,
        }
    }

    pub(crate) fn attempt(&self) -> Option<&Attempt> {
        match &self.visit()?.activity {
            Activity::Task(attempt) => Some(attempt),
            _ => None,
        }
    }

    pub(crate) fn children_mut(&mut self) -> Option<&mut Children> {
        match &mut self.visit_mut()?.activity {
            Activity::Children(children) => Some(children),
            _ => None,
        }
    }

    pub(crate) fn map_run(&self) -> Option<&MapRun> {
        match &self.visit()?.activity {
            Activity::MapRun(run) => Some(run),
            _ => None,
        }
    }

    pub(crate) fn map_run_mut(&mut self) -> Option<&mut MapRun> {
        match &mut self.visit_mut()?.activity {
            Activity::MapRun(run) => Some(run),
            _ => None,
        }
    }

    pub(crate) fn due_ms(&self) -> Option<i64> {
        self.visit().and_then(Visit::due_ms)
    }

    pub(crate) fn is_ready(&self) -> bool {
        match &self.position {
            Position::Between { .. } => true,
            Position::In(visit) => visit.is_ready(),
        }
    }

    /// The attempt of this chain as it is handed out: when it has just been scheduled, and again after a crash, unless
    /// only its task token is waited for.
    pub(crate) fn dispatch(&self, id: ThreadId, program: &Program) -> Option<TaskDispatch> {
        let attempt = self.attempt()?;
        let StateKind::Task(task) = &program.state(self.visit()?.state).kind else { return None };
        let is_with_worker = matches!(task.resource.kind, ResourceKind::Activity) && attempt.started;
        let waits_for_token = attempt.submitted.is_some() && attempt.token_nonce != 0;
        if is_with_worker || waits_for_token {
            return None;
        }
        Some(TaskDispatch {
            thread: id,
            scheduled_event: attempt.scheduled_event,
            token_nonce: attempt.token_nonce,
            resource: task.resource.clone(),
            parameters: attempt.parameters.clone(),
            credentials_role: attempt.credentials_role.clone(),
            submitted: attempt.submitted.clone(),
        })
    }
}
