//! One shard: the executions whose ARN hashes to it, their timers, and the loop that moves them.

mod children;
mod express;
mod lives;
mod parking;
mod redrive;
mod removal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::ResourceKind;
use stepwell_integrations::{Host, Progress, TaskRequest};
use stepwell_interpreter::{
    ChildStart, Command, Decision, Effect, Execution, ExecutionInfo, ExecutionStatus, MapRunSettings, Moment,
    Record, TaskDispatch, TaskReply, TaskToken, decide, resume,
};
use stepwell_store::{
    CommitError, ExecutionKey, ExecutionRow, Executions, ExpressStart, ExpressStarts, Outcome, ReadError,
    Redrives, Store, WriteBatch,
};
use tokio::sync::oneshot;

use crate::activities::{Activities, ActivityTask, Offer};
use crate::clock::Clock;
use crate::dispatch::{AttemptKey, Dispatcher};
use crate::engine::{EndWatch, shard_index};
use crate::figures::ShardFigures;
use crate::machines::{MachineRevision, Machines};
use crate::requests::{
    RedriveExecutionError, StartExecutionError, StartedExecution, StopExecutionError, TaskTokenError,
    UpdateMapRunError,
};
use crate::retention::Removal;

pub(crate) use express::{ExpressIds, ExpressKeys, SyncRequest, is_express};

/// Messages that one round handles at the most before what happened so far is handed to the store.
const ROUND_MESSAGES_MAX: usize = 256;

/// Bytes of a round's batch after which it is handed to the store: what was decided is written while more is.
const ROUND_BYTES_MAX: usize = 256 * 1024;

/// Events after which a round ends, too: what an Express execution does is no part of the batch, and one that goes in
/// circles asks for its next turn in the same round.
const ROUND_EVENTS_MAX: u64 = 4_000;

/// Timers that one round fires at the most.
const ROUND_TIMERS_MAX: usize = 256;

/// The longest sleep of an idle shard; bounds what a clock that jumps can do.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What a shard is told.
pub(crate) enum Message {
    /// StartExecution.
    Start(Box<StartRequest>),
    /// StartSyncExecution.
    StartSync(Box<SyncRequest>),
    /// An Express execution ran when the engine stopped: it runs from its start once more.
    RunExpressAgain(Box<ExpressStart>),
    /// The same for an Express child of a Map Run.
    RunExpressChildAgain { key: ExecutionKey },
    /// The start of this Express execution is durable.
    ExpressDurable { key: ExecutionKey },
    /// StopExecution.
    Stop(Box<StopRequest>),
    /// An attempt at a task ended.
    TaskEnded { key: ExecutionKey, scheduled_event: u64, reply: TaskReply },
    /// The call of a `.sync` attempt was answered; the job it began is waited for.
    TaskSubmitted { key: ExecutionKey, scheduled_event: u64, output: Payload },
    /// SendTaskSuccess, SendTaskFailure or SendTaskHeartbeat.
    Token(Box<TokenRequest>),
    /// A worker takes an activity's task. Answered once its start is durable; dropped unanswered where nobody waits
    /// for the task any more.
    ActivityTaken { attempt: AttemptKey, worker_name: Option<Arc<str>>, answer: oneshot::Sender<()> },
    /// RedriveExecution.
    Redrive(Box<RedriveRequest>),
    /// UpdateMapRun.
    UpdateMapRun(Box<UpdateMapRunRequest>),
    /// A Map Run asks for a child execution.
    StartChild { child: Box<ChildStart>, revision: Arc<MachineRevision> },
    /// It may be known by now what became of this Express child before its Map Run was redriven.
    StartUndecided { execution_arn: Arc<str> },
    /// The Map Run of this child execution is over.
    StopChild { execution_arn: Arc<str> },
    /// A child execution has ended; the command is for its parent.
    ChildEnded { parent_arn: Arc<str>, command: Box<Command> },
    /// A run of states that was cut for fairness goes on.
    Continue { key: ExecutionKey },
    /// What this execution waits for is durable; where nothing has happened to it since, it leaves memory.
    Park { key: ExecutionKey, batch: u32 },
    /// The end of this execution, with its event of this number, is durable.
    Closed { execution_arn: Arc<str>, last_event_id: u64 },
    /// This execution closed before the retention time.
    Remove(Box<Removal>),
    /// The removal of this execution is durable.
    Removed { execution_arn: Arc<str> },
    /// The engine stops.
    Shutdown,
}

/// A StartExecution request for this shard.
pub(crate) struct StartRequest {
    pub info: ExecutionInfo,
    pub revision: Arc<MachineRevision>,
    pub input: Payload,
    pub trace_header: Option<Arc<str>>,
    pub state_machine_version_arn: Option<Arc<str>>,
    pub state_machine_alias_arn: Option<Arc<str>>,
    /// Whether the caller chose the name, so that it may be taken.
    pub named: bool,
    pub answer: oneshot::Sender<Result<StartedExecution, StartExecutionError>>,
}

/// A StopExecution request for this shard.
pub(crate) struct StopRequest {
    pub execution_arn: Arc<str>,
    pub error: Option<Arc<str>>,
    pub cause: Option<Arc<str>>,
    pub answer: oneshot::Sender<Result<i64, StopExecutionError>>,
}

/// A RedriveExecution request for this shard.
pub(crate) struct RedriveRequest {
    pub execution_arn: Arc<str>,
    pub client_token: Option<Arc<str>>,
    pub answer: oneshot::Sender<Result<i64, RedriveExecutionError>>,
}

/// An UpdateMapRun request for the shard of the Map Run's execution.
pub(crate) struct UpdateMapRunRequest {
    pub execution_arn: Arc<str>,
    pub map_run_arn: Arc<str>,
    pub settings: MapRunSettings,
    pub answer: oneshot::Sender<Result<(), UpdateMapRunError>>,
}

/// A request that a task token came with.
pub(crate) struct TokenRequest {
    pub token: TaskToken,
    pub action: TokenAction,
    pub answer: oneshot::Sender<Result<(), TaskTokenError>>,
}

/// What the holder of a task token says.
pub(crate) enum TokenAction {
    End(TaskReply),
    Heartbeat,
}

/// An execution in memory.
struct Live {
    execution: Execution,
    revision: Arc<MachineRevision>,
    row: ExecutionRow,
    /// Its entry in [`Shard::timers`].
    timer_ms: Option<i64>,
    /// Whether the store has it as parked.
    is_parked: bool,
}

/// What waits for a batch to become durable.
enum Release {
    Start(
        oneshot::Sender<Result<StartedExecution, StartExecutionError>>,
        Result<StartedExecution, StartExecutionError>,
    ),
    Stop(oneshot::Sender<Result<i64, StopExecutionError>>, i64),
    Token(oneshot::Sender<Result<(), TaskTokenError>>, Result<(), TaskTokenError>),
    Redrive(oneshot::Sender<Result<i64, RedriveExecutionError>>, Result<i64, RedriveExecutionError>),
    UpdateMapRun(oneshot::Sender<Result<(), UpdateMapRunError>>, Result<(), UpdateMapRunError>),
    ActivityTaken(oneshot::Sender<()>),
    Dispatch(AttemptKey, Box<TaskRequest>),
    Offer(Box<Offer>),
    Cancel(AttemptKey),
    /// To the shard of the execution with this ARN.
    Route(Arc<str>, Message),
    Message(Message),
    /// Whoever asked for a removal is told by its end.
    Removal(mpsc::Sender<()>),
}

/// What all shards share.
pub(crate) struct Surroundings {
    pub store: Store,
    pub executions: Executions,
    pub express_starts: ExpressStarts,
    pub express_keys: ExpressKeys,
    pub machines: Arc<Machines>,
    pub activities: Arc<Activities>,
    pub dispatcher: Arc<Dispatcher>,
    pub clock: Arc<dyn Clock>,
    /// Is told of every end.
    pub ends: Arc<OnceLock<Arc<dyn EndWatch>>>,
    /// The inboxes of all shards.
    pub shards: OnceLock<Vec<mpsc::Sender<Message>>>,
}

/// The state of one shard. Everything in it is touched by its own thread only.
pub(crate) struct Shard {
    surroundings: Arc<Surroundings>,
    /// Its own inbox, for messages that come back to it.
    itself: mpsc::Sender<Message>,
    /// API requests in the inbox, for back-pressure; counted up by the engine.
    queued_requests: Arc<AtomicUsize>,
    figures: Arc<ShardFigures>,
    live: lives::Lives,
    /// Closed, but not yet durably so: the store does not know them yet.
    closing: HashMap<Arc<str>, i64>,
    /// Removed, but not yet durably so: the store still shows them.
    removing: HashSet<Arc<str>>,
    /// Child executions that close, and are asked for once more.
    deferred_children: HashMap<Arc<str>, children::Deferred>,
    express: express::Expresses,
    timers: BTreeSet<(i64, ExecutionKey)>,
    /// Timers of parked executions found at the start, until they become part of `timers` all at once: a set made so
    /// is as small as can be, and made fast.
    recovered_timers: Vec<(i64, ExecutionKey)>,
    batch: WriteBatch,
    releases: Vec<Release>,
    /// Time only grows, whatever the clock does.
    now_ms: i64,
    entropy: u64,
}

impl Shard {
    pub(crate) fn new(
        surroundings: Arc<Surroundings>,
        itself: mpsc::Sender<Message>,
        queued_requests: Arc<AtomicUsize>,
        entropy: u64,
    ) -> Self {
        Shard {
            surroundings,
            itself,
            queued_requests,
            figures: Arc::default(),
            live: lives::Lives::default(),
            closing: HashMap::new(),
            removing: HashSet::new(),
            deferred_children: HashMap::new(),
            express: express::Expresses::default(),
            timers: BTreeSet::new(),
            recovered_timers: Vec::new(),
            batch: WriteBatch::new(),
            releases: Vec::new(),
            now_ms: i64::MIN,
            entropy,
        }
    }

    /// What it counts about itself.
    pub(crate) fn figures(&self) -> &Arc<ShardFigures> {
        &self.figures
    }

    /// Loads a running execution after a start of the engine: its timers run again, its attempts are dispatched again
    /// under the same names.
    pub(crate) fn recover(&mut self, key: ExecutionKey) -> Result<(), ReadError> {
        let Some(Live { mut execution, revision, row, .. }) = self.fold(key)? else { return Ok(()) };
        for effect in resume(&revision.program, &mut execution) {
            match effect {
                Effect::Dispatch(dispatch) => {
                    let release = self.hand_out(key, &row.info, &dispatch, Progress::Again);
                    self.releases.push(release);
                }
                Effect::Continue => self.releases.push(Release::Message(Message::Continue { key })),
                effect => self.child_effect(Some(revision.clone()), effect),
            }
        }
        self.live.insert(key, Live { execution, revision, row, timer_ms: None, is_parked: false });
        self.set_timer(key);
        Ok(())
    }

    /// Handles messages and timers until the engine stops.
    pub(crate) fn run(mut self, inbox: &mpsc::Receiver<Message>) {
        self.release_recovered();
        loop {
            self.advance_clock();
            let first = match inbox.recv_timeout(self.sleep()) {
                Ok(first) => Some(first),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            if self.round(first, inbox, ROUND_MESSAGES_MAX).is_none() {
                return;
            }
        }
    }

    /// Handles `first` and what else is in the inbox, fires what is due, and hands what happened to the store. Says
    /// how many messages and timers there were; `None` when the engine stops.
    pub(crate) fn round(
        &mut self,
        first: Option<Message>,
        inbox: &mpsc::Receiver<Message>,
        messages_max: usize,
    ) -> Option<usize> {
        self.advance_clock();
        let events_max = self.figures.events.get() + ROUND_EVENTS_MAX;
        let mut handled = 0;
        let mut next = first.or_else(|| inbox.try_recv().ok());
        while let Some(message) = next {
            if matches!(message, Message::Shutdown) {
                self.commit();
                return None;
            }
            self.handle(message);
            handled += 1;
            let has_room = handled < messages_max
                && self.batch.byte_len() < ROUND_BYTES_MAX
                && self.figures.events.get() < events_max;
            next = if has_room { inbox.try_recv().ok() } else { None };
        }
        let fired = self.fire_timers();
        self.commit();
        self.figures.messages.add_alone(handled as u64);
        self.figures.rounds.add_alone(1);
        self.measure();
        Some(handled + fired)
    }

    /// Tells how much it holds.
    fn measure(&self) {
        self.figures.in_memory.set_count(self.live.len() + self.express.len());
        self.figures.timers.set_count(self.timers.len());
    }

    /// Starts no execution any more while those in memory take so many bytes.
    pub(crate) fn limit_memory(&mut self, bytes_max: usize) {
        self.live.limit(bytes_max);
    }

    /// What memory holds of executions: nothing, once all have ended.
    pub(crate) fn held(&self) -> Vec<(&'static str, usize)> {
        let mut held = vec![
            ("executions that close", self.closing.len()),
            ("executions that are removed", self.removing.len()),
            ("child executions that close and are asked for", self.deferred_children.len()),
            ("timers", self.timers.len() + self.recovered_timers.len()),
            ("requests", self.queued_requests.load(Ordering::Relaxed)),
            ("releases", self.releases.len()),
            ("bytes of a batch", self.batch.byte_len()),
        ];
        held.extend(self.live.held());
        held.extend(self.express.held());
        held
    }

    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.timers.first().map(|(due_ms, _)| *due_ms)
    }

    /// The executions in memory, in the order of their starts.
    pub(crate) fn executions(&self) -> Vec<(ExecutionKey, &Execution)> {
        let mut executions: Vec<_> = self.live.iter().map(|(key, live)| (key, &live.execution)).collect();
        executions.sort_unstable_by_key(|(key, _)| *key);
        executions
    }

    /// The end of recovery. What it hands out leaves at once: all of it is durable. Behind a first batch it could leave
    /// together with its own result, which somebody who holds a task token may send meanwhile.
    pub(crate) fn release_recovered(&mut self) {
        let mut timers = std::mem::take(&mut self.recovered_timers);
        timers.extend(std::mem::take(&mut self.timers));
        self.timers = BTreeSet::from_iter(timers);
        assert!(self.batch.is_empty(), "recovery lets nothing happen");
        self.measure();
        for release in std::mem::take(&mut self.releases) {
            perform(release, &Ok(()), &self.surroundings, &self.itself);
        }
    }

    fn advance_clock(&mut self) {
        self.now_ms = self.now_ms.max(self.surroundings.clock.now_ms());
    }

    fn sleep(&self) -> Duration {
        let Some((due_ms, _)) = self.timers.first() else { return SLEEP_MAX };
        let ms = u64::try_from(due_ms.saturating_sub(self.now_ms)).unwrap_or(0);
        Duration::from_millis(ms).min(SLEEP_MAX)
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Start(request) => {
                self.queued_requests.fetch_sub(1, Ordering::Relaxed);
                if request.revision.express { self.start_express(*request) } else { self.start(*request) }
            }
            Message::StartSync(request) => {
                self.queued_requests.fetch_sub(1, Ordering::Relaxed);
                self.start_sync(*request);
            }
            Message::RunExpressAgain(start) => self.run_express_again(*start),
            Message::RunExpressChildAgain { key } => self.run_express_child_again(key),
            Message::ExpressDurable { key } => self.express_durable(key),
            Message::Stop(request) => {
                self.queued_requests.fetch_sub(1, Ordering::Relaxed);
                self.stop(*request);
            }
            Message::TaskEnded { key, scheduled_event, reply } => {
                self.command(key, Command::CallEnded { scheduled_event, reply });
            }
            Message::TaskSubmitted { key, scheduled_event, output } => {
                self.command(key, Command::TaskSubmitted { scheduled_event, output });
            }
            Message::Token(request) => {
                self.queued_requests.fetch_sub(1, Ordering::Relaxed);
                self.token(*request);
            }
            Message::Redrive(request) => {
                self.queued_requests.fetch_sub(1, Ordering::Relaxed);
                self.redrive(request);
            }
            Message::UpdateMapRun(request) => {
                self.queued_requests.fetch_sub(1, Ordering::Relaxed);
                self.update_map_run(*request);
            }
            Message::ActivityTaken { attempt: (key, scheduled_event), worker_name, answer } => {
                let waits =
                    self.live.get(key).is_some_and(|live| live.execution.waits_for_worker(scheduled_event));
                if waits {
                    self.command(key, Command::ActivityStarted { scheduled_event, worker_name });
                    self.releases.push(Release::ActivityTaken(answer));
                }
            }
            Message::StartChild { child, revision } => self.start_child(child, revision),
            Message::StartUndecided { execution_arn } => self.start_undecided(&execution_arn),
            Message::StopChild { execution_arn } => self.stop_child(&execution_arn),
            Message::ChildEnded { parent_arn, command } => {
                if let Some(key) = self.running(&parent_arn) {
                    self.command(key, *command);
                }
            }
            Message::Continue { key } => self.command(key, Command::Continue),
            Message::Park { key, batch } => self.park(key, batch),
            Message::Closed { execution_arn, .. } => {
                self.closing.remove(&execution_arn);
                self.start_deferred_child(&execution_arn);
            }
            Message::Remove(removal) => self.remove(*removal),
            Message::Removed { execution_arn } => {
                self.removing.remove(&execution_arn);
            }
            Message::Shutdown => {}
        }
    }

    fn start(&mut self, request: StartRequest) {
        let StartRequest {
            info,
            revision,
            input,
            trace_header,
            state_machine_version_arn,
            state_machine_alias_arn,
            named,
            answer,
        } = request;
        let info = Arc::new(ExecutionInfo { start_ms: self.now_ms, ..info });
        if named && let Some(known) = self.known(&info.execution_arn, &input).transpose() {
            // The original may still be on its way to the disk; this round's batch comes after it. That holds for
            // "exists already" too: a client that hears it counts on the execution.
            self.releases.push(Release::Start(answer, known));
            return;
        }
        if self.live.is_full() {
            self.figures.throttled.add_alone(1);
            let _ = answer.send(Err(StartExecutionError::Throttled));
            return;
        }
        let key = self.surroundings.executions.new_key();
        let row = ExecutionRow {
            info: info.clone(),
            revision: revision.key,
            trace_header,
            state_machine_version_arn,
            state_machine_alias_arn,
            outcome: None,
            redrives: Redrives::default(),
        };
        let started = StartedExecution { execution_arn: info.execution_arn.clone(), start_ms: info.start_ms };
        self.releases.push(Release::Start(answer, Ok(started)));
        self.begin_standard(key, row, revision, input);
    }

    /// Starts the Standard execution of which `row` tells.
    fn begin_standard(
        &mut self,
        key: ExecutionKey,
        row: ExecutionRow,
        revision: Arc<MachineRevision>,
        input: Payload,
    ) {
        let mut execution = Execution::new(row.info.clone());
        let moment = self.moment();
        let decision = decide(&revision.program, &mut execution, Command::Start { input }, moment);
        let mut live = Live { execution, revision, row, timer_ms: None, is_parked: false };
        live.row.outcome = outcome(&decision, &live.execution, self.now_ms);
        self.surroundings.executions.put_started(&mut self.batch, key, &live.row);
        self.figures.started.add_alone(1);
        self.run_on(key, live, decision);
    }

    /// An execution begins to run, or runs again after a redrive, with `decision`: puts what happened into the round's
    /// batch, all but the row.
    fn run_on(&mut self, key: ExecutionKey, live: Live, decision: Decision) {
        let (info, outcome) = (live.row.info.clone(), live.row.outcome.clone());
        let Surroundings { executions, machines, .. } = &*self.surroundings;
        put_decision(&mut self.batch, executions, machines, key, &live, &decision.records);
        self.figures.decided(&decision.records);
        self.live.insert(key, live);
        self.release_effects(key, &info, decision.effects);
        if let Some(outcome) = outcome {
            self.live.remove(key);
            self.closed(&info.execution_arn, &outcome);
        } else {
            self.set_timer(key);
            self.consider_parking(key);
        }
    }

    /// What a second StartExecution under the same name gets; `None` where the name is free.
    fn known(
        &self,
        execution_arn: &Arc<str>,
        input: &Payload,
    ) -> Result<Option<StartedExecution>, StartExecutionError> {
        let exists = || StartExecutionError::AlreadyExists { execution_arn: execution_arn.clone() };
        let read = |error: ReadError| StartExecutionError::Read { reason: error.to_string() };
        if self.closing.contains_key(execution_arn) {
            return Err(exists());
        }
        let (start_ms, known_input) = match self.live.key_of(execution_arn).and_then(|key| self.live.get(key))
        {
            Some(live) => (live.row.info.start_ms, live.execution.input().map(|known| known.payload.clone())),
            None if self.removing.contains(execution_arn) => return Ok(None),
            None => match self.surroundings.executions.find(execution_arn).map_err(read)? {
                None => return Ok(None),
                Some((_, row)) if row.outcome.is_some() => return Err(exists()),
                Some((key, row)) => {
                    let input = self.surroundings.executions.payload(key, 0, 0).map_err(read)?;
                    (row.info.start_ms, Some(input))
                }
            },
        };
        if known_input.as_ref() == Some(input) {
            Ok(Some(StartedExecution { execution_arn: execution_arn.clone(), start_ms }))
        } else {
            Err(exists())
        }
    }

    fn stop(&mut self, request: StopRequest) {
        let StopRequest { execution_arn, error, cause, answer } = request;
        if let Some(key) = self.running(&execution_arn) {
            self.command(key, Command::Stop { error, cause });
        }
        if let Some(stop_ms) = self.closing.get(&execution_arn) {
            self.releases.push(Release::Stop(answer, *stop_ms));
            return;
        }
        let result = match self.surroundings.executions.find(&execution_arn) {
            Ok(Some((_, ExecutionRow { outcome: Some(outcome), .. }))) => Ok(outcome.stop_ms),
            // It runs by the books and is not here: recovery could not read it, and said so.
            Ok(Some(_)) => Err(StopExecutionError::Read {
                reason: format!(
                    "the journal of {execution_arn} cannot be read, so that it cannot be stopped"
                ),
            }),
            Ok(None) => Err(StopExecutionError::DoesNotExist { execution_arn }),
            Err(error) => Err(StopExecutionError::Read { reason: error.to_string() }),
        };
        let _ = answer.send(result);
    }

    fn token(&mut self, request: TokenRequest) {
        let TokenRequest { token: TaskToken { execution_arn, scheduled_event, nonce }, action, answer } =
            request;
        let key = self.running(&execution_arn);
        let waits = key
            .and_then(|key| self.live.get(key))
            .is_some_and(|live| live.execution.waits_for_token(scheduled_event, nonce));
        let Some(key) = key.filter(|_| waits) else {
            // What is not waited for may have been: AWS tells a task that is over from one that never was.
            let is_known = key.is_some()
                || self.closing.contains_key(&execution_arn)
                || self.surroundings.executions.find(&execution_arn).is_ok_and(|found| found.is_some());
            let error = if is_known { TaskTokenError::TimedOut } else { TaskTokenError::DoesNotExist };
            // What ended the task may still be on its way to the disk.
            self.releases.push(Release::Token(answer, Err(error)));
            return;
        };
        let command = match action {
            TokenAction::End(reply) => Command::TokenEnded { scheduled_event, reply },
            TokenAction::Heartbeat => Command::Heartbeat { scheduled_event },
        };
        self.command(key, command);
        self.releases.push(Release::Token(answer, Ok(())));
    }

    /// How an attempt leaves the shard: to the task runner, or to wait for a worker.
    fn hand_out(
        &self,
        key: ExecutionKey,
        info: &ExecutionInfo,
        dispatch: &TaskDispatch,
        progress: Progress,
    ) -> Release {
        let attempt = (key, dispatch.scheduled_event);
        if !matches!(dispatch.resource.kind, ResourceKind::Activity) {
            return Release::Dispatch(attempt, Box::new(task_request(info, dispatch, progress)));
        }
        let token = TaskToken {
            execution_arn: info.execution_arn.clone(),
            scheduled_event: dispatch.scheduled_event,
            nonce: dispatch.token_nonce,
        };
        Release::Offer(Box::new(Offer {
            attempt,
            activity_arn: dispatch.resource.arn.clone(),
            task: ActivityTask { token: token.encode(), input: dispatch.parameters.payload.clone() },
            shard: self.itself.clone(),
        }))
    }

    /// Lets the interpreter decide, and puts what happened into the round's batch.
    fn command(&mut self, key: ExecutionKey, command: Command) {
        if express::is_express(key) {
            self.command_express(key, command);
            return;
        }
        if self.live.get(key).is_none() && !self.load(key) {
            return;
        }
        let moment = self.moment();
        let Some(live) = self.live.get_mut(key) else { return };
        let decision = decide(&live.revision.program, &mut live.execution, command, moment);
        if decision.records.is_empty() {
            // Nothing happened, but a cut run may still have to go on.
            let info = live.row.info.clone();
            self.release_effects(key, &info, decision.effects);
            self.consider_parking(key);
            return;
        }
        live.row.outcome = outcome(&decision, &live.execution, moment.now_ms);
        let Surroundings { executions, machines, .. } = &*self.surroundings;
        put_decision(&mut self.batch, executions, machines, key, live, &decision.records);
        self.figures.decided(&decision.records);
        if live.row.outcome.is_some() {
            executions.put_closed(&mut self.batch, key, &live.row);
        }
        let info = live.row.info.clone();
        let outcome = live.row.outcome.clone();
        self.release_effects(key, &info, decision.effects);
        if let Some(outcome) = outcome {
            if let Some(Live { timer_ms: Some(due_ms), .. }) = self.live.remove(key) {
                self.timers.remove(&(due_ms, key));
            }
            self.closed(&info.execution_arn, &outcome);
        } else {
            self.set_timer(key);
            self.consider_parking(key);
        }
    }

    /// The `stop_ms` of its outcome is what was recorded, which the clock may since have fallen behind.
    fn closed(&mut self, execution_arn: &Arc<str>, outcome: &Outcome) {
        self.closing.insert(execution_arn.clone(), outcome.stop_ms);
        let (execution_arn, last_event_id) = (execution_arn.clone(), outcome.last_event_id);
        self.releases.push(Release::Message(Message::Closed { execution_arn, last_event_id }));
    }

    fn release_effects(&mut self, key: ExecutionKey, info: &ExecutionInfo, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Dispatch(dispatch) => {
                    let release = self.hand_out(key, info, &dispatch, Progress::New);
                    self.releases.push(release);
                }
                Effect::Cancel { scheduled_event } => {
                    self.releases.push(Release::Cancel((key, scheduled_event)));
                }
                // No need to wait for the disk: nothing of it leaves before it is durable, and batches become so in
                // their order. The others have their turn first; the store blocks a shard that is too far ahead.
                Effect::Continue => drop(self.itself.send(Message::Continue { key })),
                Effect::Finished { status, output, .. } => {
                    self.figures.ended(status);
                    tracing::debug!(execution = %info.execution_arn, status = status.name(), "execution ended");
                    let redrive = self.live.get(key).map_or(0, |live| live.row.redrives.of_map_run);
                    self.tell_parent(info, redrive, output.map(|stored| stored.payload));
                }
                effect => {
                    let revision = self.live.get(key).map(|live| live.revision.clone());
                    self.child_effect(revision, effect);
                }
            }
        }
    }

    fn set_timer(&mut self, key: ExecutionKey) {
        let Some(live) = self.live.get_mut(key) else { return };
        let due_ms = live.execution.next_due_ms();
        if live.timer_ms == due_ms {
            return;
        }
        if let Some(old) = live.timer_ms {
            self.timers.remove(&(old, key));
        }
        live.timer_ms = due_ms;
        if let Some(due_ms) = due_ms {
            self.timers.insert((due_ms, key));
        }
    }

    /// Fires what is due, in due order; says how many there were.
    fn fire_timers(&mut self) -> usize {
        let events_max = self.figures.events.get() + ROUND_EVENTS_MAX;
        for fired in 0..ROUND_TIMERS_MAX {
            let has_room = self.figures.events.get() < events_max;
            match self.timers.first().copied() {
                Some((due_ms, key)) if due_ms <= self.now_ms && has_room => {
                    self.timers.pop_first();
                    self.figures.timer_fired(self.now_ms.saturating_sub(due_ms));
                    if let Some(live) = self.live.get_mut(key) {
                        live.timer_ms = None;
                    }
                    self.command(key, Command::Tick);
                    self.set_timer(key);
                }
                _ => return fired,
            }
        }
        ROUND_TIMERS_MAX
    }

    fn moment(&mut self) -> Moment {
        // A Weyl sequence: every decision gets bits of its own; the interpreter mixes them.
        self.entropy = self.entropy.wrapping_add(0xD1B5_4A32_D192_ED03);
        Moment { now_ms: self.now_ms, entropy: self.entropy }
    }

    /// Hands the round to the store. Its releases follow once it is durable; the shard goes on meanwhile.
    fn commit(&mut self) {
        if self.batch.is_empty() && self.releases.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let releases = std::mem::take(&mut self.releases);
        let surroundings = self.surroundings.clone();
        let itself = self.itself.clone();
        self.surroundings.store.commit_then(batch, move |result| {
            for release in releases {
                perform(release, &result, &surroundings, &itself);
            }
        });
    }
}

/// Sends `message` to the shard of an execution.
pub(crate) fn send_to_shard(surroundings: &Surroundings, execution_arn: &str, message: Message) {
    let shards = surroundings.shards.get();
    if let Some(shard) = shards.and_then(|shards| shards.get(shard_index(execution_arn, shards.len()))) {
        // An engine that stops has no shards any more; the next start goes on.
        let _ = shard.send(message);
    }
}

fn perform(
    release: Release,
    result: &Result<(), CommitError>,
    surroundings: &Surroundings,
    shard: &mpsc::Sender<Message>,
) {
    let Surroundings { dispatcher, activities, .. } = surroundings;
    match (release, result) {
        (Release::Start(answer, started), Ok(())) => drop(answer.send(started)),
        (Release::Start(answer, _), Err(error)) => {
            drop(answer.send(Err(StartExecutionError::Commit(error.clone()))));
        }
        (Release::Stop(answer, stop_ms), Ok(())) => drop(answer.send(Ok(stop_ms))),
        (Release::Stop(answer, _), Err(error)) => {
            drop(answer.send(Err(StopExecutionError::Commit(error.clone()))))
        }
        (Release::Token(answer, result), Ok(())) => drop(answer.send(result)),
        (Release::Token(answer, _), Err(error)) => {
            drop(answer.send(Err(TaskTokenError::Commit(error.clone()))))
        }
        (Release::Redrive(answer, result), Ok(())) => drop(answer.send(result)),
        (Release::Redrive(answer, _), Err(error)) => {
            drop(answer.send(Err(RedriveExecutionError::Commit(error.clone()))))
        }
        (Release::UpdateMapRun(answer, result), Ok(())) => drop(answer.send(result)),
        (Release::UpdateMapRun(answer, _), Err(error)) => {
            drop(answer.send(Err(UpdateMapRunError::Commit(error.clone()))))
        }
        (Release::ActivityTaken(answer), Ok(())) => drop(answer.send(())),
        (Release::Dispatch(attempt, request), Ok(())) => {
            dispatcher.dispatch(attempt, *request, shard.clone())
        }
        (Release::Offer(offer), Ok(())) => activities.offer(*offer),
        (Release::Cancel(attempt), Ok(())) => {
            dispatcher.cancel(attempt);
            activities.withdraw(attempt);
        }
        (Release::Route(arn, message), Ok(())) => send_to_shard(surroundings, &arn, message),
        (Release::Message(message), Ok(())) => {
            if let Message::Closed { execution_arn, last_event_id } = &message {
                dispatcher.execution_closed(execution_arn);
                if let Some(ends) = surroundings.ends.get() {
                    ends.ended(execution_arn, *last_event_id);
                }
            }
            drop(shard.send(message));
        }
        (Release::Removal(under_way), Ok(())) => drop(under_way),
        // Nothing happens that is not durable.
        (
            Release::ActivityTaken(_)
            | Release::Dispatch(..)
            | Release::Offer(_)
            | Release::Cancel(..)
            | Release::Route(..)
            | Release::Message(_)
            | Release::Removal(_),
            Err(_),
        ) => {}
    }
}

/// Puts the records of the decision that an execution has just made into a batch, and what follows from them: the rows
/// of Map Runs, and logs.
fn put_decision(
    batch: &mut WriteBatch,
    executions: &Executions,
    machines: &Machines,
    key: ExecutionKey,
    live: &Live,
    records: &[Record],
) {
    let Live { execution, revision, row, .. } = live;
    let number = execution.next_batch() - 1;
    executions.put_records(batch, key, number, records);
    for run in execution.map_runs().iter().filter(|run| run.changed_in == number) {
        executions.put_map_run(batch, key, run);
    }
    if let Some(log) = machines.execution_log() {
        log.log(batch, revision, &row.info, execution.redrive_count(), records);
    }
}

/// How the decision ended the execution, if it did.
fn outcome(decision: &Decision, execution: &Execution, now_ms: i64) -> Option<Outcome> {
    let stop_ms = decision.records.iter().rev().find_map(|record| match record {
        Record::Event(event) => Some(event.timestamp_ms),
        Record::Private(_) => None,
    });
    let stop_ms = stop_ms.unwrap_or(now_ms);
    decision.effects.iter().find_map(|effect| match effect {
        Effect::Finished { status, output, error, cause } => {
            assert_ne!(*status, ExecutionStatus::Running, "what has finished does not run");
            Some(Outcome {
                status: *status,
                stop_ms,
                output: output.as_ref().map(|stored| (stored.batch, stored.index)),
                error: error.clone(),
                cause: cause.clone(),
                last_event_id: execution.last_event_id(),
            })
        }
        _ => None,
    })
}

fn task_request(info: &ExecutionInfo, dispatch: &TaskDispatch, progress: Progress) -> TaskRequest {
    let submitted = dispatch.submitted.as_ref().map(|answer| answer.payload.clone());
    TaskRequest {
        attempt_id: format!("{}#{}", info.execution_arn, dispatch.scheduled_event).into(),
        resource: dispatch.resource.clone(),
        parameters: dispatch.parameters.payload.clone(),
        execution_arn: info.execution_arn.clone(),
        state_machine_arn: info.state_machine_arn.clone(),
        role_arn: dispatch.credentials_role.clone().unwrap_or_else(|| info.role_arn.clone()),
        progress: submitted.map_or(progress, Progress::Submitted),
        // The dispatcher puts itself there.
        host: Host::default(),
    }
}
