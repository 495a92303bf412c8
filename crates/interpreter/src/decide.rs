//! [`decide`]: from a command to the records of what happens and the effects that follow.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use stepwell_asl::environment::StatesError;
use stepwell_asl::jsonata::QueryFailure;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Program, State, StateKind};

use crate::command::{Command, Decision, Effect, Moment};
use crate::context::Surroundings;
use crate::event::{EventDetails, HistoryEvent, PrivateRecord, Record, StateType, Stored, ThreadId};
use crate::execution::{DueWhat, Execution, ExecutionStatus, Position};
use crate::limits::{
    CAUSE_CHARS_MAX, DECISION_RECORDS_MAX, ERROR_CHARS_MAX, HISTORY_EVENTS_MAX, REDRIVABLE_EVENTS_MAX,
};
use crate::retry::Failure;
use crate::states;

/// Decides what `command` leads to, applies it to `execution`, and runs every state that needs nobody else.
///
/// Ends for every input: after about [`DECISION_RECORDS_MAX`] records it stops with [`Effect::Continue`], and no
/// Standard history grows beyond [`HISTORY_EVENTS_MAX`]. A command that means nothing to the execution (it is closed, the
/// attempt is over, nothing is due) gives an empty decision.
pub fn decide(program: &Program, execution: &mut Execution, command: Command, moment: Moment) -> Decision {
    let mut deciding = Deciding {
        program,
        now_ms: moment.now_ms.max(execution.last_event_ms),
        execution,
        entropy: Cell::new(moment.entropy),
        decision: Decision::default(),
        new_payloads: 0,
        scheduled: Vec::new(),
    };
    deciding.command(command);
    deciding.run();
    let decision = deciding.decision;
    if !decision.records.is_empty() {
        execution.end_batch();
    }
    decision
}

/// What a running execution needs done when everything but its records was lost: its attempts and child executions
/// begin once more, under the same names, and a cut run of states goes on.
#[must_use]
pub fn resume(program: &Program, execution: &mut Execution) -> Vec<Effect> {
    let mut effects: Vec<Effect> = execution.in_flight(program).into_iter().map(Effect::Dispatch).collect();
    let wants_to_continue = execution.wants_to_continue();
    let deciding = Deciding {
        program,
        now_ms: execution.info.start_ms,
        execution,
        entropy: Cell::new(0),
        decision: Decision::default(),
        new_payloads: 0,
        scheduled: Vec::new(),
    };
    for (id, thread) in &deciding.execution.threads {
        let visited = thread.visit().map(|visit| program.state(visit.state));
        if let Some(state) = visited
            && let StateKind::Map(map) = &state.kind
        {
            let children = states::map_run::again(&deciding, *id, state, map);
            effects.extend(children.into_iter().map(|child| Effect::StartChild(Box::new(child))));
        }
    }
    if wants_to_continue {
        effects.push(Effect::Continue);
    }
    effects
}

/// Why a state's work stops short.
pub(crate) enum Stop {
    /// The state fails with an error of the language.
    Failed(StatesError),
    /// A JSONata expression fails.
    Query(QueryFailure),
    /// The execution is over: the history is full.
    Over,
}

impl From<StatesError> for Stop {
    fn from(error: StatesError) -> Self {
        Stop::Failed(error)
    }
}

/// One decision under way.
pub(crate) struct Deciding<'a> {
    pub program: &'a Program,
    pub execution: &'a mut Execution,
    pub now_ms: i64,
    entropy: Cell<u64>,
    decision: Decision,
    /// Payloads that this decision's batch stores so far.
    new_payloads: u32,
    /// Chains that scheduled an attempt in this decision, in order.
    pub scheduled: Vec<ThreadId>,
}

impl<'a> Deciding<'a> {
    fn command(&mut self, command: Command) {
        if self.execution.status != ExecutionStatus::Running {
            if matches!(command, Command::Redrive) {
                self.redrive();
            }
            return;
        }
        match command {
            Command::Redrive => {}
            Command::UpdateMapRun { map_run_arn, settings } => {
                let threads = self.execution.threads.iter();
                let runs = threads.filter_map(|(id, thread)| Some((*id, thread.map_run()?)));
                let found = runs.into_iter().find(|(_, run)| run.map_run_arn == map_run_arn);
                if let Some((thread, _)) = found {
                    let _ = self.note(PrivateRecord::MapRunUpdated { thread, settings });
                }
            }
            Command::Start { input } if self.execution.last_event_id == 0 => {
                let input = self.store(input);
                let role_arn = self.execution.info.role_arn.clone();
                let _ = self.emit(ThreadId::MAIN, EventDetails::ExecutionStarted { input, role_arn });
            }
            Command::Start { .. } | Command::Continue => {}
            Command::Tick => self.tick(),
            Command::CallEnded { scheduled_event, reply } => {
                self.with_attempt(scheduled_event, |this, thread| {
                    states::task::call_ended(this, thread, reply)
                });
            }
            Command::TaskSubmitted { scheduled_event, output } => {
                self.with_attempt(scheduled_event, |this, thread| {
                    states::task::submitted(this, thread, output)
                });
            }
            Command::ActivityStarted { scheduled_event, worker_name } => {
                self.with_attempt(scheduled_event, |this, thread| {
                    this.emit(thread, EventDetails::ActivityStarted { worker_name })
                });
            }
            Command::TokenEnded { scheduled_event, reply } => {
                self.with_attempt(scheduled_event, |this, thread| states::task::ended(this, thread, reply));
            }
            Command::ChildEnded { thread, map_run_arn, index, redrive, output } => {
                let run = self.execution.threads.get(&thread).and_then(|t| t.map_run());
                let is_waited_for = run.is_some_and(|run| {
                    run.map_run_arn == map_run_arn
                        && run.running.contains(&index)
                        && (output.is_some() || redrive == run.redrive_count)
                });
                if is_waited_for {
                    let output = output.map(|output| self.store(output));
                    let _ = self.note(PrivateRecord::ChildExecutionEnded { thread, index, output });
                }
            }
            Command::Heartbeat { scheduled_event } => {
                let at_ms = self.now_ms;
                self.with_attempt(scheduled_event, |this, thread| {
                    this.note(PrivateRecord::HeartbeatReceived { thread, at_ms })
                });
            }
            Command::Stop { error, cause } => {
                self.finish(
                    ThreadId::MAIN,
                    EventDetails::ExecutionAborted { error: cut_error(error), cause: cut_cause(cause) },
                );
            }
        }
    }

    /// The execution, which has ended, goes on from its unsuccessful states.
    fn redrive(&mut self) {
        // No more fit where not even the next event would.
        let has_room = self.execution.last_event_id < REDRIVABLE_EVENTS_MAX;
        if self.execution.status.is_unsuccessful() && has_room {
            let redrive_count = self.execution.redrive_count + 1;
            let previous = self.execution.last_event_id;
            let details = EventDetails::ExecutionRedriven { redrive_count };
            let _ = self.emit_after(previous, ThreadId::MAIN, details);
            self.tick();
        }
    }

    /// Handles everything that is due, earliest first.
    fn tick(&mut self) {
        while let Some((due_ms, what)) = self.execution.due.first().copied() {
            if due_ms > self.now_ms || self.over_budget() {
                return;
            }
            let before = self.decision.records.len();
            match what {
                DueWhat::Execution => {
                    let error = Some("States.Timeout".into());
                    self.finish(ThreadId::MAIN, EventDetails::ExecutionTimedOut { error, cause: None });
                    return;
                }
                DueWhat::Thread(thread) => {
                    let done = states::due(self, thread);
                    self.settle(thread, done);
                }
            }
            assert!(
                self.decision.records.len() > before,
                "what is due leads to a record, or it would be due for ever"
            );
        }
    }

    /// Does `what` for the chain that waits for this attempt; nothing where none does any more.
    fn with_attempt(
        &mut self,
        scheduled_event: u64,
        what: impl FnOnce(&mut Self, ThreadId) -> Result<(), Stop>,
    ) {
        if let Some((thread, _)) = self.execution.attempt(scheduled_event) {
            let done = what(self, thread);
            self.settle(thread, done);
        }
    }

    /// Runs until every chain waits for somebody, or the budget is spent.
    fn run(&mut self) {
        while self.execution.status == ExecutionStatus::Running {
            let Some(thread) = self.execution.ready.first().copied() else { break };
            if self.over_budget() {
                self.decision.effects.push(Effect::Continue);
                break;
            }
            let done = self.step(thread);
            self.settle(thread, done);
        }
        self.start_scheduled();
    }

    pub(crate) fn over_budget(&self) -> bool {
        self.decision.records.len() >= DECISION_RECORDS_MAX
    }

    fn step(&mut self, thread: ThreadId) -> Result<(), Stop> {
        let program = self.program;
        match &self.execution.threads[&thread].position {
            Position::Between { next: Some(state), input } => {
                let (state, input) = (program.state(*state), input.clone());
                let state_type = state_type(state);
                self.emit(thread, EventDetails::StateEntered { state_type, name: state.name.clone(), input })
            }
            Position::Between { next: None, input } => {
                if self.execution.threads[&thread].parent.is_some() {
                    return states::children::succeeded(self, thread);
                }
                let output = input.clone();
                self.finish(thread, EventDetails::ExecutionSucceeded { output });
                Ok(())
            }
            Position::In(visit) => states::work(self, thread, program.state(visit.state)),
        }
    }

    /// What AWS writes last: the tasks that were scheduled in this decision, in order, have started.
    fn start_scheduled(&mut self) {
        for thread in std::mem::take(&mut self.scheduled) {
            // It may be gone again: a sibling has failed meanwhile, or the whole execution.
            let is_over = self.execution.status != ExecutionStatus::Running;
            if is_over || self.execution.threads.get(&thread).is_none_or(|t| t.attempt().is_none()) {
                continue;
            }
            let done = states::task::started(self, thread);
            self.settle(thread, done);
            let dispatch = self.execution.threads.get(&thread).and_then(|t| t.dispatch(thread, self.program));
            self.decision.effects.extend(dispatch.map(Effect::Dispatch));
        }
    }

    /// A state could not do its work: `States.Runtime` ends the execution whatever Retry and Catch say; every other
    /// error is theirs first.
    fn settle(&mut self, thread: ThreadId, mut done: Result<(), Stop>) {
        // Recovering can fail in its turn (a catcher's ResultPath that does not fit), but only once.
        for may_recover in [true, false] {
            let (error, query) = match done {
                Err(Stop::Failed(error)) => (error, None),
                Err(Stop::Query(failure)) => (failure.error, Some(failure.location)),
                Ok(()) | Err(Stop::Over) => return,
            };
            let cause: Arc<str> = self.cause_text(thread, &error).into();
            if let Some(location) = query
                && self.evaluation_failed(thread, location, error.error, &cause).is_err()
            {
                return;
            }
            let (error, cause) = (Some(Arc::from(error.error)), cut_cause(Some(cause)));
            let program = self.program;
            let visited =
                self.execution.threads.get(&thread).and_then(|t| t.visit()).map(|visit| visit.state);
            match visited {
                Some(state) if may_recover && error.as_deref() != Some("States.Runtime") => {
                    let failure = Failure { error, cause, is_heartbeat: false };
                    done = states::fail(self, thread, program.state(state), failure);
                }
                _ => {
                    self.finish(thread, EventDetails::ExecutionFailed { error, cause });
                    return;
                }
            }
        }
    }

    fn evaluation_failed(
        &mut self,
        thread: ThreadId,
        location: Option<String>,
        error: &'static str,
        cause: &Arc<str>,
    ) -> Result<(), Stop> {
        let visit = self.execution.threads.get(&thread).and_then(|t| t.visit());
        let Some(state) = visit.map(|visit| self.program.state(visit.state).name.clone()) else {
            return Ok(());
        };
        let location = location.map(Arc::from);
        self.emit(
            thread,
            EventDetails::EvaluationFailed { state, location, error: error.into(), cause: cause.clone() },
        )
    }

    /// The chain `thread` fails: the execution with it, or the Parallel or Map state whose branch or iteration it is.
    pub(crate) fn fail_chain(&mut self, thread: ThreadId, failure: Failure) -> Result<(), Stop> {
        if self.execution.threads.get(&thread).is_some_and(|t| t.parent.is_some()) {
            return states::children::failed(self, thread, failure);
        }
        let Failure { error, cause, .. } = failure;
        self.finish(thread, EventDetails::ExecutionFailed { error, cause });
        Ok(())
    }

    /// AWS's cause: with the state and the event at which it was entered, where the error is one that says so.
    pub(crate) fn cause_text(&self, thread: ThreadId, error: &StatesError) -> String {
        let visit = self.execution.threads.get(&thread).and_then(|t| t.visit());
        match visit {
            Some(visit) if error.names_state => format!(
                "An error occurred while executing the state '{}' (entered at the event id #{}). {}",
                self.program.state(visit.state).name,
                visit.entered_event,
                error.cause
            ),
            _ => error.cause.clone(),
        }
    }

    /// Ends the execution with the terminal event `details`.
    pub(crate) fn finish(&mut self, thread: ThreadId, details: EventDetails) {
        let leftovers = self.leftovers();
        let (status, output, error, cause) = match &details {
            EventDetails::ExecutionSucceeded { output } => {
                (ExecutionStatus::Succeeded, Some(output.clone()), None, None)
            }
            EventDetails::ExecutionAborted { error, cause } => {
                (ExecutionStatus::Aborted, None, error.clone(), cause.clone())
            }
            // The error is the event's alone: AWS describes the execution without one.
            EventDetails::ExecutionTimedOut { .. } => (ExecutionStatus::TimedOut, None, None, None),
            EventDetails::ExecutionFailed { error, cause } => {
                (ExecutionStatus::Failed, None, error.clone(), cause.clone())
            }
            _ => unreachable!("only terminal events end an execution"),
        };
        if self.emit(thread, details).is_ok() {
            self.finished(leftovers, Effect::Finished { status, output, error, cause });
        }
    }

    /// What is given up when the execution ends: attempts and child executions that are under way.
    fn leftovers(&self) -> Vec<Effect> {
        let attempts = self.execution.threads.values().filter_map(|t| t.attempt()).map(|a| a.scheduled_event);
        let mut effects: Vec<Effect> =
            attempts.map(|scheduled_event| Effect::Cancel { scheduled_event }).collect();
        effects.extend(states::map_run::stops_of(self.execution));
        effects
    }

    fn finished(&mut self, leftovers: Vec<Effect>, finished: Effect) {
        // Attempts that this very decision scheduled were never dispatched; cancelling them does no harm.
        let is_for_later =
            |e: &Effect| matches!(e, Effect::Continue | Effect::Dispatch(_) | Effect::StartChild(_));
        self.decision.effects.retain(|e| !is_for_later(e));
        self.decision.effects.extend(leftovers);
        self.decision.effects.push(finished);
    }

    /// Adds an effect.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.decision.effects.push(effect);
    }

    /// Tells that nobody waits for the attempt any more.
    pub(crate) fn cancel(&mut self, scheduled_event: u64) {
        self.decision.effects.push(Effect::Cancel { scheduled_event });
    }

    /// Lets an event happen. Where it would be the last that the history holds and does not end the execution, the
    /// execution fails in its place.
    pub(crate) fn emit(&mut self, thread: ThreadId, details: EventDetails) -> Result<(), Stop> {
        self.emit_with(thread, None, details)
    }

    fn emit_with(
        &mut self,
        thread: ThreadId,
        previous: Option<u64>,
        details: EventDetails,
    ) -> Result<(), Stop> {
        let id = self.execution.last_event_id + 1;
        if id >= HISTORY_EVENTS_MAX && !self.execution.info.kind.is_express() && !details.is_terminal() {
            let leftovers = self.leftovers();
            let error: Option<Arc<str>> = Some("States.Runtime".into());
            let cause: Option<Arc<str>> = Some(
                format!("The execution reached the maximum number of history events ({HISTORY_EVENTS_MAX}).")
                    .into(),
            );
            self.record(self.event(
                id,
                thread,
                None,
                EventDetails::ExecutionFailed { error: error.clone(), cause: cause.clone() },
            ))?;
            self.finished(
                leftovers,
                Effect::Finished { status: ExecutionStatus::Failed, output: None, error, cause },
            );
            return Err(Stop::Over);
        }
        let event = self.event(id, thread, previous, details);
        self.record(event)
    }

    /// Lets an event happen that names another previous event than its chain's last one.
    pub(crate) fn emit_after(
        &mut self,
        previous_event_id: u64,
        thread: ThreadId,
        details: EventDetails,
    ) -> Result<(), Stop> {
        self.emit_with(thread, Some(previous_event_id), details)
    }

    fn event(&self, id: u64, thread: ThreadId, previous: Option<u64>, details: EventDetails) -> Record {
        let previous_event_id = match (&details, previous) {
            (_, Some(previous)) => previous,
            (
                EventDetails::ExecutionStarted { .. }
                | EventDetails::ExecutionAborted { .. }
                | EventDetails::ExecutionTimedOut { .. },
                None,
            ) => 0,
            _ => self.execution.threads.get(&thread).map_or(0, |t| t.last_event),
        };
        Record::Event(HistoryEvent { id, previous_event_id, timestamp_ms: self.now_ms, thread, details })
    }

    /// Notes something that no history shows.
    pub(crate) fn note(&mut self, record: PrivateRecord) -> Result<(), Stop> {
        self.record(Record::Private(record))
    }

    /// Lets `record` happen. One that does not fit is a fault of ours; it is not kept, since no fold could ever get
    /// past it, and the execution fails in its place.
    fn record(&mut self, record: Record) -> Result<(), Stop> {
        match self.execution.apply(self.program, &record) {
            Ok(()) => {
                self.decision.records.push(record);
                Ok(())
            }
            Err(misfit) => {
                if self.execution.status == ExecutionStatus::Running {
                    let error = Some("States.Runtime".into());
                    let cause = Some(format!("The execution cannot go on: {misfit}.").into());
                    self.finish(ThreadId::MAIN, EventDetails::ExecutionFailed { error, cause });
                }
                Err(Stop::Over)
            }
        }
    }

    /// A place in the journal for `payload`: a new one in this decision's batch.
    pub(crate) fn store(&mut self, payload: Payload) -> Stored {
        let index = self.new_payloads;
        self.new_payloads += 1;
        Stored { batch: self.execution.batch, index, payload }
    }

    /// The place of `payload` where it is one of `known`, unchanged; else a new one.
    pub(crate) fn store_unless(&mut self, payload: Payload, known: &[&Stored]) -> Stored {
        match known.iter().find(|stored| stored.payload.is_same(&payload)) {
            Some(stored) => (*stored).clone(),
            None => self.store(payload),
        }
    }

    /// The surroundings in which the expressions of the state that `thread` visits are evaluated.
    pub(crate) fn surroundings<'b>(&'b self, thread: ThreadId, state: &'b State) -> Surroundings<'b> {
        let thread = &self.execution.threads[&thread];
        let visit = thread.visit().expect("a state that works is being visited");
        Surroundings {
            execution: self.execution,
            thread,
            visit,
            program: self.program,
            now_ms: self.now_ms,
            item: None,
            token: None,
            state_name: &state.name,
            shows_retry_count: has_retry_count(state),
            entropy: &self.entropy,
            context: OnceCell::new(),
        }
    }

    /// 64 random bits.
    pub(crate) fn random_u64(&self, thread: ThreadId, state: &State) -> u64 {
        stepwell_asl::environment::Environment::random_u64(&self.surroundings(thread, state))
    }
}

fn has_retry_count(state: &State) -> bool {
    matches!(state_type(state), StateType::Task | StateType::Map)
}

/// The type of `state` as its events name it.
pub(crate) fn state_type(state: &State) -> StateType {
    match &state.kind {
        StateKind::Pass(_) => StateType::Pass,
        StateKind::Task(_) => StateType::Task,
        StateKind::Choice(_) => StateType::Choice,
        StateKind::Wait(_) => StateType::Wait,
        StateKind::Succeed(_) => StateType::Succeed,
        StateKind::Fail(_) => StateType::Fail,
        StateKind::Parallel(_) => StateType::Parallel,
        StateKind::Map(_) => StateType::Map,
    }
}

/// An error name within AWS's length.
pub(crate) fn cut_error(error: Option<Arc<str>>) -> Option<Arc<str>> {
    error.map(|text| cut(text, ERROR_CHARS_MAX))
}

/// A cause within AWS's length.
pub(crate) fn cut_cause(cause: Option<Arc<str>>) -> Option<Arc<str>> {
    cause.map(|text| cut(text, CAUSE_CHARS_MAX))
}

fn cut(text: Arc<str>, chars_max: usize) -> Arc<str> {
    // Bytes are at least as many as characters: most texts need no counting.
    if text.len() <= chars_max {
        return text;
    }
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => text[..end].into(),
        None => text,
    }
}
