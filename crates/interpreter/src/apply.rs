//! [`Execution::apply`]: the only function that changes an execution.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepwell_asl::program::{ExecutionType, ProcessorMode, Program, StateId, StateKind};

use crate::event::{EventDetails, HistoryEvent, PrivateRecord, Record, ScheduledResource, Stored, ThreadId};
use crate::execution::{
    Activity, Attempt, Children, DueWhat, Execution, ExecutionKind, ExecutionStatus, Parent, Position,
    Thread, Visit,
};
use crate::map_run::{MapRun, MapRunSettings, MapRunState, MapRunStatus, concurrency_limit};
use crate::redrive::GivenUp;
use crate::retry::Failure;

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

impl Execution {
    /// Closes the journal batch that is being filled: later payloads belong to the next one.
    ///
    /// Called by [`crate::decide`] at its end, and by whoever folds a journal after each stored batch.
    pub fn end_batch(&mut self) {
        self.batch += 1;
    }

    /// Lets `record` happen. Records come in the order in which they were decided; one that does not fit the
    /// execution (a broken journal) is refused.
    pub fn apply(&mut self, program: &Program, record: &Record) -> Result<(), ApplyError> {
        match record {
            Record::Event(event) => self.apply_event(program, event),
            Record::Private(record) => self.apply_private(program, record),
        }
    }

    fn apply_event(&mut self, program: &Program, event: &HistoryEvent) -> Result<(), ApplyError> {
        if event.id != self.last_event_id + 1 {
            return Err(ApplyError::Gap { expected: self.last_event_id + 1, found: event.id });
        }
        let is_redrive = matches!(event.details, EventDetails::ExecutionRedriven { .. });
        let fits =
            if is_redrive { self.status.is_unsuccessful() } else { self.status == ExecutionStatus::Running };
        if !fits {
            return Err(ApplyError::Closed { id: event.id });
        }
        let at_ms = event.timestamp_ms;
        match &event.details {
            EventDetails::ExecutionStarted { input, .. } => self.begin(program, input),
            EventDetails::ExecutionRedriven { .. } => self.redrive(program, at_ms),
            EventDetails::ExecutionSucceeded { .. } => self.end(ExecutionStatus::Succeeded, at_ms),
            EventDetails::ExecutionFailed { .. } => self.end(ExecutionStatus::Failed, at_ms),
            EventDetails::ExecutionAborted { .. } => self.end(ExecutionStatus::Aborted, at_ms),
            EventDetails::ExecutionTimedOut { .. } => self.end(ExecutionStatus::TimedOut, at_ms),
            EventDetails::MapIterationSucceeded { .. } => {
                self.child_succeeded(event.thread, Some(event.id))?
            }
            _ => self.apply_thread_event(program, event)?,
        }
        self.last_event_id = event.id;
        self.last_event_ms = event.timestamp_ms;
        Ok(())
    }

    fn begin(&mut self, program: &Program, input: &Stored) {
        self.input = Some(input.clone());
        // The first state's entry names no previous event, not even ExecutionStarted: AWS's way.
        let start_at = match &self.info.child_of {
            None => Some(program.start_at),
            Some(child_of) => program
                .state_named(&child_of.map_state)
                .and_then(|map| start_of(program, map, child_of.index)),
        };
        let start_at = start_at.unwrap_or(program.start_at);
        self.add_thread(ThreadId::MAIN, None, start_at, input, 0);
        self.begin_timeout(self.info.start_ms);
    }

    /// `TimeoutSeconds` of the machine begins to run.
    fn begin_timeout(&mut self, at_ms: i64) {
        if let Some(timeout_s) = self.info.timeout_s {
            self.due.insert((at_ms + i64::from(timeout_s) * 1000, DueWhat::Execution));
        }
    }

    /// Notes for all chains what is ready and what is due, after the execution began to run again.
    pub(crate) fn remember_all(&mut self, at_ms: i64) {
        self.begin_timeout(at_ms);
        let ids: Vec<ThreadId> = self.threads.keys().copied().collect();
        ids.into_iter().for_each(|id| self.remember(id));
    }

    fn add_thread(
        &mut self,
        id: ThreadId,
        parent: Option<Parent>,
        start_at: StateId,
        input: &Stored,
        last_event: u64,
    ) {
        let position = Position::Between { next: Some(start_at), input: input.clone() };
        self.threads.insert(id, Thread { parent, last_event, position, variables: BTreeMap::new() });
        self.next_thread = self.next_thread.max(id.0 + 1);
        self.ready.insert(id);
    }

    fn end(&mut self, status: ExecutionStatus, at_ms: i64) {
        self.status = status;
        self.map_runs.abort_all(self.batch, at_ms);
        // What did not succeed can be redriven from where it stood.
        if status == ExecutionStatus::Succeeded {
            self.threads.clear();
        }
        self.ready.clear();
        self.due.clear();
    }

    fn apply_thread_event(&mut self, program: &Program, event: &HistoryEvent) -> Result<(), ApplyError> {
        let misplaced = || ApplyError::Misplaced { id: event.id };
        self.forget(event.thread);
        self.apply_to_map_runs(event);
        let thread = self.threads.get_mut(&event.thread).ok_or_else(misplaced)?;
        let mut is_in_chain = true;
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
                    items: None,
                    given_up: None,
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
            // Neither moves the chain: AWS lets the exit that follows name the same previous event.
            EventDetails::ParallelStateSucceeded
            | EventDetails::MapStateSucceeded
            | EventDetails::MapRunSucceeded => is_in_chain = false,
            EventDetails::MapIterationAborted { .. } | EventDetails::StateAborted { .. } => {
                is_in_chain = false
            }
            EventDetails::MapIterationFailed { .. } => is_in_chain = false,
            EventDetails::MapIterationStarted { .. }
            | EventDetails::ParallelStateFailed
            | EventDetails::MapStateFailed
            | EventDetails::EvaluationFailed { .. } => {}
            details => {
                let visit = thread.visit_mut().ok_or_else(misplaced)?;
                apply_to_visit(program, visit, event, details).ok_or_else(misplaced)?;
            }
        }
        if is_in_chain {
            thread.last_event = event.id;
        }
        self.remember(event.thread);
        Ok(())
    }

    fn apply_private(&mut self, program: &Program, record: &PrivateRecord) -> Result<(), ApplyError> {
        let misplaced = ApplyError::Misplaced { id: self.last_event_id };
        let id = match record {
            PrivateRecord::ThreadStarted { thread, parent, index, input, previous_event_id } => {
                let parent = Parent { thread: *parent, index: *index };
                return self
                    .child_started(program, *thread, parent, input, *previous_event_id)
                    .ok_or(misplaced);
            }
            PrivateRecord::BranchSucceeded { thread } => return self.child_succeeded(*thread, None),
            PrivateRecord::ChildrenFailed { parent, failing_event, error, cause, is_heartbeat } => {
                let failure =
                    Failure { error: error.clone(), cause: cause.clone(), is_heartbeat: *is_heartbeat };
                return self.children_failed(*parent, *failing_event, failure).ok_or(misplaced);
            }
            PrivateRecord::MapRunUpdated { thread, settings } => {
                return self.map_run_updated(*thread, *settings).ok_or(misplaced);
            }
            PrivateRecord::WaitScheduled { thread, .. }
            | PrivateRecord::RetryScheduled { thread, .. }
            | PrivateRecord::HeartbeatReceived { thread, .. }
            | PrivateRecord::MapItemsKept { thread, .. }
            | PrivateRecord::MapItemsBatched { thread, .. }
            | PrivateRecord::ChildExecutionStarted { thread, .. }
            | PrivateRecord::ChildExecutionEnded { thread, .. } => *thread,
        };
        self.forget(id);
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
                visit.given_up = None;
                visit.activity = Activity::BackingOff { due_ms: *due_ms };
            }
            PrivateRecord::HeartbeatReceived { at_ms, .. } => {
                if let Activity::Task(attempt) = &mut visit.activity {
                    attempt.heartbeat_due_ms = after(*at_ms, attempt.heartbeat_s);
                }
            }
            PrivateRecord::MapItemsKept { items, .. } => {
                visit.items.get_or_insert_default().stored = Some(items.clone())
            }
            PrivateRecord::MapItemsBatched { ends, .. } => {
                visit.items.get_or_insert_default().batch_ends = Some(ends.clone());
            }
            PrivateRecord::ChildExecutionStarted { index, .. } => {
                if let Activity::MapRun(run) = &mut visit.activity {
                    run.child_started(*index);
                }
            }
            PrivateRecord::ChildExecutionEnded { index, output, .. } => {
                if let Activity::MapRun(run) = &mut visit.activity
                    && run.running.remove(index)
                    && let Some(result) = run.children.results.get_mut(*index as usize)
                {
                    result.clone_from(output);
                    if output.is_none() {
                        run.unsuccessful.insert(*index);
                    }
                    run.children.ended += 1;
                    run.children.running -= 1;
                }
            }
            _ => {}
        }
        self.remember(id);
        Ok(())
    }

    fn child_started(
        &mut self,
        program: &Program,
        id: ThreadId,
        parent: Parent,
        input: &Stored,
        previous_event_id: u64,
    ) -> Option<()> {
        self.forget(parent.thread);
        let container = self.threads.get_mut(&parent.thread)?;
        let start_at = start_of(program, container.visit()?.state, parent.index)?;
        let children = container.children_mut()?;
        children.next_index = parent.index + 1;
        children.running += 1;
        children.made_room = None;
        self.remember(parent.thread);
        self.add_thread(id, Some(parent), start_at, input, previous_event_id);
        Some(())
    }

    /// A branch or iteration has come to its end; `event` is the one that says so, where there is one.
    fn child_succeeded(&mut self, id: ThreadId, event: Option<u64>) -> Result<(), ApplyError> {
        let misplaced = || ApplyError::Misplaced { id: event.unwrap_or(self.last_event_id) };
        let child = self.threads.get(&id).ok_or_else(misplaced)?;
        let (Some(parent), Position::Between { next: None, input }) = (child.parent, &child.position) else {
            return Err(misplaced());
        };
        let (result, last_event) = (input.clone(), child.last_event);
        self.forget(id);
        self.threads.remove(&id);
        self.forget(parent.thread);
        let missing = ApplyError::Misplaced { id: self.last_event_id };
        let container = self.threads.get_mut(&parent.thread).ok_or(missing.clone())?;
        container.last_event = event.unwrap_or(last_event);
        let children = container.children_mut().ok_or(missing.clone())?;
        *children.results.get_mut(parent.index as usize).ok_or(missing)? = Some(result);
        children.ended += 1;
        children.running = children.running.saturating_sub(1);
        children.made_room = Some(last_event);
        self.remember(parent.thread);
        Ok(())
    }

    fn children_failed(&mut self, parent: ThreadId, failing_event: u64, failure: Failure) -> Option<()> {
        let mut threads = BTreeMap::new();
        for id in self.descendants(parent) {
            self.forget(id);
            let Some(thread) = self.threads.remove(&id) else { continue };
            if let Some(run) = thread.map_run() {
                self.map_runs.end(&run.map_run_arn, self.batch, MapRunStatus::Aborted, self.last_event_ms);
            }
            threads.insert(id, thread);
        }
        self.forget(parent);
        let container = self.threads.get_mut(&parent)?;
        let last_event = std::mem::replace(&mut container.last_event, failing_event);
        let visit = container.visit_mut()?;
        let activity = std::mem::replace(&mut visit.activity, Activity::Failed(failure));
        if let Activity::Children(children) = activity {
            visit.give_up(GivenUp::Children { children, threads, last_event });
        }
        self.remember(parent);
        Some(())
    }

    /// What an event means for the Map Run of its chain, as it is told of.
    fn apply_to_map_runs(&mut self, event: &HistoryEvent) {
        let (batch, at_ms) = (self.batch, event.timestamp_ms);
        let Some(thread) = self.threads.get(&event.thread) else { return };
        let visit = thread.visit();
        let visited: Option<Arc<str>> = visit.and_then(|visit| match &visit.activity {
            Activity::MapRun(run) | Activity::Redriving(run) => Some(run.map_run_arn.clone()),
            _ => None,
        });
        match &event.details {
            EventDetails::MapRunStarted {
                map_run_arn,
                children,
                concurrency,
                tolerated_failure_count,
                tolerated_failure_percentage,
            } => {
                let items = visit.and_then(|visit| match &visit.activity {
                    Activity::Children(items) => u32::try_from(items.results.len()).ok(),
                    _ => None,
                });
                self.map_runs.add(MapRunState {
                    map_run_arn: map_run_arn.clone(),
                    started_event: event.id,
                    status: MapRunStatus::Running,
                    start_ms: at_ms,
                    stop_ms: None,
                    max_concurrency: *concurrency,
                    tolerated_failure_count: *tolerated_failure_count,
                    tolerated_failure_percentage: *tolerated_failure_percentage,
                    children: *children,
                    items: items.unwrap_or(*children),
                    redrive_count: 0,
                    redrive_ms: None,
                    changed_in: batch,
                });
            }
            EventDetails::MapRunRedriven { map_run_arn, redrive_count } => {
                self.map_runs.change(map_run_arn, batch, |run| {
                    (run.status, run.stop_ms) = (MapRunStatus::Running, None);
                    (run.redrive_count, run.redrive_ms) = (*redrive_count, Some(at_ms));
                });
            }
            EventDetails::MapRunSucceeded => {
                visited.iter().for_each(|arn| self.map_runs.end(arn, batch, MapRunStatus::Succeeded, at_ms));
            }
            // Whatever makes the state fail is the end of its Map Run.
            EventDetails::MapRunFailed { .. } | EventDetails::MapStateFailed => {
                visited.iter().for_each(|arn| self.map_runs.end(arn, batch, MapRunStatus::Failed, at_ms));
            }
            _ => {}
        }
    }

    fn map_run_updated(&mut self, thread: ThreadId, settings: MapRunSettings) -> Option<()> {
        self.forget(thread);
        let run = self.threads.get_mut(&thread)?.map_run_mut()?;
        run.set(settings);
        let arn = run.map_run_arn.clone();
        self.map_runs.change(&arn, self.batch, |run| {
            run.max_concurrency = settings.max_concurrency.unwrap_or(run.max_concurrency);
            run.tolerated_failure_count = settings.tolerated_failure_count.or(run.tolerated_failure_count);
            run.tolerated_failure_percentage =
                settings.tolerated_failure_percentage.or(run.tolerated_failure_percentage);
        });
        self.remember(thread);
        Some(())
    }

    /// The branches and iterations below `parent`, at any depth, in order.
    pub(crate) fn descendants(&self, parent: ThreadId) -> Vec<ThreadId> {
        let mut found: Vec<ThreadId> = Vec::new();
        // A child's number is above its parent's, so one pass sees every parent before its children.
        for (id, thread) in self.threads.range(parent..) {
            if thread.parent.is_some_and(|p| p.thread == parent || found.binary_search(&p.thread).is_ok()) {
                found.push(*id);
            }
        }
        found
    }

    /// Whether branches or iterations of the state that `parent` visits are there.
    pub(crate) fn has_children(&self, parent: ThreadId) -> bool {
        self.threads.range(parent..).any(|(_, thread)| thread.parent.is_some_and(|p| p.thread == parent))
    }

    fn forget(&mut self, id: ThreadId) {
        self.ready.remove(&id);
        if let Some(due) = self.threads.get(&id).and_then(Thread::due_ms) {
            self.due.remove(&(due, DueWhat::Thread(id)));
        }
    }

    fn remember(&mut self, id: ThreadId) {
        let Some(thread) = self.threads.get(&id) else { return };
        if thread.is_ready() {
            self.ready.insert(id);
        }
        if let Some(due) = thread.due_ms() {
            self.due.insert((due, DueWhat::Thread(id)));
        }
    }
}

/// The first state of the branch or iteration `index` of `container`.
fn start_of(program: &Program, container: StateId, index: u32) -> Option<StateId> {
    match &program.state(container).kind {
        StateKind::Parallel(parallel) => parallel.branches.get(index as usize).map(|branch| branch.start_at),
        StateKind::Map(map) => Some(map.processor.start_at),
        _ => None,
    }
}

/// What an event does to the visit of a state that works with others. `None`: it does not fit.
fn apply_to_visit(
    program: &Program,
    visit: &mut Visit,
    event: &HistoryEvent,
    details: &EventDetails,
) -> Option<()> {
    let failed = |error: &Option<_>, cause: &Option<_>, is_heartbeat| {
        Activity::Failed(Failure { error: error.clone(), cause: cause.clone(), is_heartbeat })
    };
    visit.activity = match details {
        EventDetails::LambdaFunctionScheduled { scheduled, .. }
        | EventDetails::ActivityScheduled { scheduled, .. }
        | EventDetails::TaskScheduled { scheduled, .. } => Activity::Task(attempt(event, scheduled)),
        EventDetails::LambdaFunctionStarted
        | EventDetails::ActivityStarted { .. }
        | EventDetails::TaskStarted { .. } => {
            let Activity::Task(attempt) = &mut visit.activity else { return None };
            attempt.started = true;
            // Only who holds a task token can send a heartbeat.
            if attempt.token_nonce != 0 {
                attempt.heartbeat_due_ms = after(event.timestamp_ms, attempt.heartbeat_s);
            }
            return Some(());
        }
        EventDetails::TaskSubmitted { output, .. } => {
            let Activity::Task(attempt) = &mut visit.activity else { return None };
            attempt.submitted = Some(output.clone());
            if attempt.token_nonce != 0 {
                attempt.heartbeat_due_ms = after(event.timestamp_ms, attempt.heartbeat_s);
            }
            return Some(());
        }
        EventDetails::LambdaFunctionSucceeded { output }
        | EventDetails::ActivitySucceeded { output }
        | EventDetails::TaskSucceeded { output, .. } => Activity::Succeeded { result: output.clone() },
        EventDetails::LambdaFunctionFailed { error, cause }
        | EventDetails::ActivityFailed { error, cause }
        | EventDetails::TaskSubmitFailed { error, cause, .. }
        | EventDetails::TaskFailed { error, cause, .. } => failed(error, cause, false),
        EventDetails::LambdaFunctionTimedOut { error, cause }
        | EventDetails::ActivityTimedOut { error, cause }
        | EventDetails::TaskTimedOut { error, cause, .. } => {
            let Activity::Task(attempt) = &visit.activity else { return None };
            failed(error, cause, attempt.is_heartbeat_missed(event.timestamp_ms))
        }
        EventDetails::MapRunStarted {
            map_run_arn,
            children,
            concurrency,
            tolerated_failure_count,
            tolerated_failure_percentage,
        } => Activity::MapRun(Box::new(MapRun {
            map_run_arn: map_run_arn.clone(),
            kind: kind_of_children(program, visit.state),
            begins_after: event.previous_event_id,
            children: Children::new(*children, concurrency_limit(*concurrency)),
            running: BTreeSet::new(),
            unsuccessful: BTreeSet::new(),
            to_redrive: BTreeSet::new(),
            redrive_count: 0,
            tolerated_failure_count: *tolerated_failure_count,
            tolerated_failure_percentage: *tolerated_failure_percentage,
        })),
        EventDetails::MapRunRedriven { redrive_count, .. } => {
            let Activity::Redriving(run) = &mut visit.activity else { return None };
            let mut run = run.clone();
            run.redrive(*redrive_count);
            Activity::MapRun(run)
        }
        EventDetails::MapRunFailed { error, cause } => {
            let failed = failed(error, cause, false);
            if let Activity::MapRun(run) = std::mem::replace(&mut visit.activity, failed) {
                visit.give_up(GivenUp::MapRun(run));
            }
            return Some(());
        }
        EventDetails::ParallelStateStarted => {
            visit.given_up = None;
            Activity::Children(branches(program, visit.state)?)
        }
        EventDetails::MapStateStarted { length, concurrency } => {
            visit.given_up = None;
            visit.items = Some(Box::default());
            Activity::Children(Children::new(*length, *concurrency))
        }
        _ => return None,
    };
    Some(())
}

fn branches(program: &Program, state: StateId) -> Option<Children> {
    let StateKind::Parallel(parallel) = &program.state(state).kind else { return None };
    let count = u32::try_from(parallel.branches.len()).ok()?;
    Some(Children::new(count, count))
}

fn kind_of_children(program: &Program, state: StateId) -> ExecutionKind {
    match &program.state(state).kind {
        StateKind::Map(map) if map.processor.mode == ProcessorMode::Distributed(ExecutionType::Express) => {
            ExecutionKind::Express
        }
        _ => ExecutionKind::Standard,
    }
}

fn attempt(event: &HistoryEvent, scheduled: &ScheduledResource) -> Attempt {
    Attempt {
        scheduled_event: event.id,
        parameters: scheduled.parameters.clone(),
        credentials_role: scheduled.credentials_role.clone(),
        token_nonce: scheduled.token_nonce,
        heartbeat_s: scheduled.heartbeat_s,
        started: false,
        submitted: None,
        timeout_due_ms: after(event.timestamp_ms, scheduled.timeout_s),
        heartbeat_due_ms: None,
    }
}

/// So many seconds after `ms`.
fn after(ms: i64, seconds: Option<u64>) -> Option<i64> {
    seconds.map(|s| ms.saturating_add_unsigned(s.saturating_mul(1000)))
}
