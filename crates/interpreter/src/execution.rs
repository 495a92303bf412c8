//! The live state of an execution, and [`Execution::apply`], the only function that changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepwell_asl::program::{Program, StateId};

use crate::command::TaskDispatch;
use crate::event::{EventDetails, HistoryEvent, PrivateRecord, Record, Stored, ThreadId};
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
    /// Number of the journal batch that the next decision fills.
    pub(crate) batch: u32,
    pub(crate) threads: BTreeMap<ThreadId, Thread>,
    /// What is due when, in order; [`DueWhat::Execution`] is the machine's own timeout.
    pub(crate) due: BTreeSet<(i64, DueWhat)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DueWhat {
    Execution,
    Thread(ThreadId),
}

/// One chain of states.
#[derive(Debug, Clone)]
pub(crate) struct Thread {
    /// The event that the next one of this chain names as its previous one.
    pub last_event: u64,
    pub position: Position,
    pub variables: BTreeMap<Arc<str>, Stored>,
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
    pub timeout_s: Option<u64>,
    pub started: bool,
    /// When `TimeoutSeconds` runs out, once started.
    pub timeout_due_ms: Option<i64>,
}

impl Visit {
    fn due_ms(&self) -> Option<i64> {
        match &self.activity {
            Activity::Waiting { due_ms } | Activity::BackingOff { due_ms } => Some(*due_ms),
            Activity::Task(attempt) => attempt.timeout_due_ms,
            Activity::Ready | Activity::Succeeded { .. } | Activity::Failed(_) => None,
        }
    }

    /// Whether its next step needs nobody else.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.activity, Activity::Ready | Activity::Succeeded { .. } | Activity::Failed(_))
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
            batch: 0,
            threads: BTreeMap::new(),
            due: BTreeSet::new(),
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
        self.status == ExecutionStatus::Running
            && self.threads.values().any(|t| match &t.position {
                Position::Between { .. } => true,
                Position::In(visit) => visit.is_ready(),
            })
    }

    /// The attempts that are under way: after a crash they are dispatched again, under the same names.
    #[must_use]
    pub fn in_flight(&self, program: &Program) -> Vec<TaskDispatch> {
        self.threads.iter().filter_map(|(id, thread)| thread.dispatch(*id, program)).collect()
    }

    /// Closes the journal batch that is being filled: later payloads belong to the next one.
    ///
    /// Called by [`crate::decide`] at its end, and by whoever folds a journal after each stored batch.
    pub fn end_batch(&mut self) {
        self.batch += 1;
    }

    /// Lets `record` happen. Records come in the order in which they were decided; one that does not fit the
    /// execution (a broken journal) is refused and changes nothing.
    pub fn apply(&mut self, program: &Program, record: &Record) -> Result<(), ApplyError> {
        match record {
            Record::Event(event) => self.apply_event(program, event),
            Record::Private(record) => self.apply_private(record),
        }
    }

    fn apply_event(&mut self, program: &Program, event: &HistoryEvent) -> Result<(), ApplyError> {
        if event.id != self.last_event_id + 1 {
            return Err(ApplyError::Gap { expected: self.last_event_id + 1, found: event.id });
        }
        if self.status != ExecutionStatus::Running {
            return Err(ApplyError::Closed { id: event.id });
        }
        match &event.details {
            EventDetails::ExecutionStarted { input, .. } => self.begin(program, input),
            EventDetails::ExecutionSucceeded { .. } => self.end(ExecutionStatus::Succeeded),
            EventDetails::ExecutionFailed { .. } => self.end(ExecutionStatus::Failed),
            EventDetails::ExecutionAborted { .. } => self.end(ExecutionStatus::Aborted),
            EventDetails::ExecutionTimedOut { .. } => self.end(ExecutionStatus::TimedOut),
            _ => self.apply_thread_event(program, event)?,
        }
        self.last_event_id = event.id;
        Ok(())
    }

    fn begin(&mut self, program: &Program, input: &Stored) {
        self.input = Some(input.clone());
        let position = Position::Between { next: Some(program.start_at), input: input.clone() };
        // The first state's entry names no previous event, not even ExecutionStarted: AWS's way.
        self.threads.insert(ThreadId::MAIN, Thread { last_event: 0, position, variables: BTreeMap::new() });
        if let Some(timeout_s) = self.info.timeout_s {
            self.due.insert((self.info.start_ms + i64::from(timeout_s) * 1000, DueWhat::Execution));
        }
    }

    fn end(&mut self, status: ExecutionStatus) {
        self.status = status;
        self.threads.clear();
        self.due.clear();
    }

    fn apply_thread_event(&mut self, program: &Program, event: &HistoryEvent) -> Result<(), ApplyError> {
        let misplaced = || ApplyError::Misplaced { id: event.id };
        self.forget_due(event.thread);
        let thread = self.threads.get_mut(&event.thread).ok_or_else(misplaced)?;
        match &event.details {
            EventDetails::StateEntered { name, input, .. } => {
                let state = program.state_named(name).ok_or_else(misplaced)?;
                thread.position = Position::In(Visit {
                    state,
                    entered_event: event.id,
                    entered_ms: event.timestamp_ms,
                    input: input.clone(),
                    retries: Vec::new(),
                    activity: Activity::Ready,
                });
            }
            EventDetails::StateExited { output, assigned, next, .. } => {
                let next = match next {
                    Some(name) => Some(program.state_named(name).ok_or_else(misplaced)?),
                    None => None,
                };
                for (name, value) in assigned {
                    thread.variables.insert(name.clone(), value.clone());
                }
                thread.position = Position::Between { next, input: output.clone() };
            }
            EventDetails::LambdaFunctionScheduled { scheduled, .. }
            | EventDetails::TaskScheduled { scheduled, .. } => {
                thread.visit_mut().ok_or_else(misplaced)?.activity = Activity::Task(Attempt {
                    scheduled_event: event.id,
                    parameters: scheduled.parameters.clone(),
                    credentials_role: scheduled.credentials_role.clone(),
                    timeout_s: scheduled.timeout_s,
                    started: false,
                    timeout_due_ms: None,
                });
            }
            EventDetails::LambdaFunctionStarted | EventDetails::TaskStarted { .. } => {
                let attempt = thread.attempt_mut().ok_or_else(misplaced)?;
                attempt.started = true;
                attempt.timeout_due_ms = attempt
                    .timeout_s
                    .map(|s| event.timestamp_ms.saturating_add_unsigned(s.saturating_mul(1000)));
            }
            EventDetails::LambdaFunctionFailed { error, cause }
            | EventDetails::LambdaFunctionTimedOut { error, cause }
            | EventDetails::TaskFailed { error, cause, .. }
            | EventDetails::TaskTimedOut { error, cause, .. } => {
                let failure = Failure { error: error.clone(), cause: cause.clone(), is_heartbeat: false };
                thread.visit_mut().ok_or_else(misplaced)?.activity = Activity::Failed(failure);
            }
            EventDetails::LambdaFunctionSucceeded { output } | EventDetails::TaskSucceeded { output, .. } => {
                thread.visit_mut().ok_or_else(misplaced)?.activity =
                    Activity::Succeeded { result: output.clone() };
            }
            _ => return Err(misplaced()),
        }
        thread.last_event = event.id;
        self.remember_due(event.thread);
        Ok(())
    }

    fn apply_private(&mut self, record: &PrivateRecord) -> Result<(), ApplyError> {
        let id = match record {
            PrivateRecord::WaitScheduled { thread, .. } | PrivateRecord::RetryScheduled { thread, .. } => {
                *thread
            }
        };
        self.forget_due(id);
        let misplaced = ApplyError::Misplaced { id: self.last_event_id };
        let visit = self.threads.get_mut(&id).and_then(Thread::visit_mut).ok_or(misplaced)?;
        match record {
            PrivateRecord::WaitScheduled { due_ms, .. } => {
                visit.activity = Activity::Waiting { due_ms: *due_ms }
            }
            PrivateRecord::RetryScheduled { retrier, due_ms, .. } => {
                let retrier = *retrier as usize;
                if visit.retries.len() <= retrier {
                    visit.retries.resize(retrier + 1, 0);
                }
                visit.retries[retrier] += 1;
                visit.activity = Activity::BackingOff { due_ms: *due_ms };
            }
        }
        self.remember_due(id);
        Ok(())
    }

    fn forget_due(&mut self, id: ThreadId) {
        if let Some(due) = self.threads.get(&id).and_then(Thread::due_ms) {
            self.due.remove(&(due, DueWhat::Thread(id)));
        }
    }

    fn remember_due(&mut self, id: ThreadId) {
        if let Some(due) = self.threads.get(&id).and_then(Thread::due_ms) {
            self.due.insert((due, DueWhat::Thread(id)));
        }
    }
}

impl Thread {
    pub(crate) fn visit(&self) -> Option<&Visit> {
        match &self.position {
            Position::In(visit) => Some(visit),
            Position::Between { .. } => None,
        }
    }

    fn visit_mut(&mut self) -> Option<&mut Visit> {
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

    fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match &mut self.visit_mut()?.activity {
            Activity::Task(attempt) => Some(attempt),
            _ => None,
        }
    }

    fn due_ms(&self) -> Option<i64> {
        self.visit().and_then(Visit::due_ms)
    }

    pub(crate) fn dispatch(&self, id: ThreadId, program: &Program) -> Option<TaskDispatch> {
        let attempt = self.attempt()?;
        let stepwell_asl::program::StateKind::Task(task) = &program.state(self.visit()?.state).kind else {
            return None;
        };
        Some(TaskDispatch {
            thread: id,
            scheduled_event: attempt.scheduled_event,
            resource: task.resource.clone(),
            parameters: attempt.parameters.clone(),
            credentials_role: attempt.credentials_role.clone(),
        })
    }
}

/// A record that does not follow from what happened before: the journal is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// An event is missing or repeated.
    #[error("expected event {expected}, found {found}")]
    Gap {
        /// The next id.
        expected: u64,
        /// The id that came.
        found: u64,
    },
    /// An event after the end.
    #[error("event {id} comes after the end of the execution")]
    Closed {
        /// Its id.
        id: u64,
    },
    /// An event that cannot happen where its chain stands, or that names a state the definition does not have.
    #[error("the record at event {id} does not fit the state of the execution")]
    Misplaced {
        /// Its id, or the newest one for a private record.
        id: u64,
    },
}
