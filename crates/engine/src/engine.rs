//! The engine as its callers see it.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use stepwell_asl::payload::Payload;
use stepwell_aws::Account;
use stepwell_figures::{Counter, Gauge};
use stepwell_integrations::{Host, Progress, TaskOutcome, TaskRequest, TaskRunner};
use stepwell_interpreter::{
    ExecutionInfo, ExecutionKind, HistoryEvent, MapRunSettings, Record, TaskReply, TaskToken, limits,
};
use stepwell_store::{
    CommitError, ExecutionKey, ExecutionRow, Executions, ExpressStarts, HistoryPage, ListCursor, Listed,
    ReadError, Store,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::activities::Activities;
use crate::clock::Clock;
use crate::dispatch::Dispatcher;
use crate::figures::{EngineFigures, ShardFigures};
use crate::machines::{MachineRevision, Machines};
use crate::recovery::{recover, recover_express};
use crate::requests::{
    ExecutionDescription, RedriveExecutionError, StartExecution, StartExecutionError, StartedExecution,
    StopExecutionError, SyncExecution, TaskCall, TaskCallFailed, TaskTokenError, UpdateMapRunError,
};
use crate::retention::Retention;
use crate::shard::{
    ExpressIds, ExpressKeys, Message, RedriveRequest, Shard, StartRequest, StopRequest, Surroundings,
    SyncRequest, TokenAction, TokenRequest, UpdateMapRunRequest,
};

/// Requests that may wait for one shard; more are refused (back-pressure).
const QUEUED_REQUESTS_MAX: usize = 16_384;

/// How long AWS keeps executions after they have closed. Source: quotas, "Execution history retention time".
pub const RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How an engine is set up.
#[derive(Clone)]
pub struct EngineOptions {
    /// Whose ARNs it makes.
    pub account: Account,
    /// Number of shards. May differ from one start to the next.
    pub shards: NonZeroUsize,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How long executions are kept after they have closed, as AWS does for [`RETENTION`]; `None` for ever.
    pub retention: Option<Duration>,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineStartError {
    /// What the data directory holds could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No thread could be made.
    #[error("cannot start a shard: {0}")]
    Thread(#[source] std::io::Error),
}

/// Is told of executions that have ended.
pub trait EndWatch: Send + Sync {
    /// The end of this execution is durable. Called on the store's writer thread: must be quick and must not block.
    /// `last_event_id` tells this end from one that follows a redrive.
    fn ended(&self, execution_arn: &Arc<str>, last_event_id: u64);
}

/// How often a drain looks whether tasks are still under way.
const DRAIN_PAUSE: Duration = Duration::from_millis(20);

/// An engine whose threads have not begun.
pub(crate) struct Prepared {
    pub(crate) engine: Engine,
    /// Shards with their inboxes.
    pub(crate) shards: Vec<(Shard, mpsc::Receiver<Message>)>,
    /// Where there is a retention time.
    pub(crate) retention: Option<Retention>,
}

struct ShardHandle {
    inbox: mpsc::Sender<Message>,
    queued_requests: Arc<AtomicUsize>,
    figures: Arc<ShardFigures>,
}

struct Inner {
    account: Account,
    machines: Arc<Machines>,
    activities: Arc<Activities>,
    executions: Executions,
    store: Store,
    dispatcher: Arc<Dispatcher>,
    ends: Arc<OnceLock<Arc<dyn EndWatch>>>,
    shards: Vec<ShardHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Requests refused because too many waited.
    throttled: Counter,
    /// Callers of StartSyncExecution that wait for its end.
    sync_under_way: Gauge,
    /// Dropped to end the thread that removes what closed long ago.
    retention: Mutex<Option<(mpsc::SyncSender<()>, JoinHandle<()>)>>,
    express_ids: ExpressIds,
    stopping: AtomicBool,
}

/// A running engine. Cheap to clone; [`Engine::shutdown`] ends it.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("shards", &self.inner.shards.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts an engine on what `store` holds: executions that were running go on where their journal ends.
    ///
    /// Tasks run on `runtime`. An execution that cannot be read is reported in the log and left as it is; the others
    /// go on.
    pub fn start(
        store: Store,
        machines: Arc<Machines>,
        runner: Arc<dyn TaskRunner>,
        runtime: Handle,
        options: EngineOptions,
    ) -> Result<Engine, EngineStartError> {
        let entropy = || uuid::Uuid::new_v4().as_u64_pair().0;
        let prepared = Engine::prepare(store, machines, runner, runtime, options, entropy)?;
        let Prepared { engine, shards, retention } = prepared;
        let mut threads = Vec::new();
        for (index, (shard, messages)) in shards.into_iter().enumerate() {
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn(move || shard.run(&messages))
                .map_err(EngineStartError::Thread)?;
            threads.push(thread);
        }
        *engine.inner.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        if let Some(retention) = retention {
            let (stop, stopped) = mpsc::sync_channel(0);
            let thread = std::thread::Builder::new()
                .name("retention".into())
                .spawn(move || retention.run(&stopped))
                .map_err(EngineStartError::Thread)?;
            *engine.inner.retention.lock().unwrap_or_else(PoisonError::into_inner) = Some((stop, thread));
        }
        Ok(engine)
    }

    /// An engine whose shards nobody runs yet, recovered from what `store` holds.
    pub(crate) fn prepare(
        store: Store,
        machines: Arc<Machines>,
        runner: Arc<dyn TaskRunner>,
        runtime: Handle,
        options: EngineOptions,
        mut entropy: impl FnMut() -> u64,
    ) -> Result<Prepared, EngineStartError> {
        let executions = Executions::open(&store)?;
        let express_starts = ExpressStarts::open(&store)?;
        let dispatcher = Arc::new(Dispatcher::new(runtime, runner));
        let activities = Arc::new(Activities::open(&store, options.account.clone())?);
        let ends: Arc<OnceLock<_>> = Arc::default();
        let surroundings = Arc::new(Surroundings {
            ends: ends.clone(),
            activities: activities.clone(),
            store: store.clone(),
            executions: executions.clone(),
            express_starts: express_starts.clone(),
            express_keys: ExpressKeys::default(),
            machines: machines.clone(),
            dispatcher: dispatcher.clone(),
            clock: options.clock,
            shards: OnceLock::new(),
        });
        let (mut handles, mut shards) = (Vec::new(), Vec::new());
        for _ in 0..options.shards.get() {
            let (inbox, messages) = mpsc::channel();
            let queued_requests = Arc::new(AtomicUsize::new(0));
            let shard = Shard::new(surroundings.clone(), inbox.clone(), queued_requests.clone(), entropy());
            handles.push(ShardHandle { inbox, queued_requests, figures: shard.figures().clone() });
            shards.push((shard, messages));
        }
        // Nothing was put there before.
        let _ = surroundings
            .shards
            .set(handles.iter().map(|handle: &ShardHandle| handle.inbox.clone()).collect());
        recover(&executions, &mut shards)?;
        recover_express(&express_starts, &mut shards)?;
        let engine = Engine {
            inner: Arc::new(Inner {
                account: options.account,
                machines,
                activities,
                executions,
                store,
                dispatcher,
                ends,
                shards: handles,
                threads: Mutex::default(),
                throttled: Counter::default(),
                sync_under_way: Gauge::default(),
                retention: Mutex::default(),
                express_ids: ExpressIds::new(entropy()),
                stopping: AtomicBool::new(false),
            }),
        };
        let retention = options.retention.map(|time| Retention::new(surroundings, time));
        Ok(Prepared { engine, shards, retention })
    }

    /// The state machines.
    #[must_use]
    pub fn machines(&self) -> &Arc<Machines> {
        &self.inner.machines
    }

    /// The activities: their registry, and [`Activities::poll`] for workers.
    #[must_use]
    pub fn activities(&self) -> &Arc<Activities> {
        &self.inner.activities
    }

    /// Whose ARNs it makes.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.inner.account
    }

    /// Whether it can take requests: false once the store has failed or a shutdown has begun.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.inner.store.has_failed() && !self.inner.stopping.load(Ordering::Acquire)
    }

    /// What it has counted so far, and what it has to do now.
    #[must_use]
    pub fn figures(&self) -> EngineFigures {
        let shard =
            |shard: &ShardHandle| (shard.figures.clone(), shard.queued_requests.load(Ordering::Relaxed));
        let shards: Vec<_> = self.inner.shards.iter().map(shard).collect();
        let mut figures = EngineFigures::of(&shards, self.inner.dispatcher.figures());
        figures.tasks_under_way = self.inner.dispatcher.under_way();
        (figures.activity_tasks_waiting, figures.activity_pollers) = self.inner.activities.waiting();
        figures.throttled += self.inner.throttled.get();
        figures
    }

    /// StartExecution. Returns once the start is durable.
    ///
    /// The same name and input as a running execution's gives that execution's answer again. A start of an Express
    /// machine is always a new execution, and one that ran when the process died runs again, from its start.
    pub async fn start_execution(
        &self,
        request: StartExecution,
    ) -> Result<StartedExecution, StartExecutionError> {
        let StartExecution {
            revision,
            name,
            input,
            trace_header,
            state_machine_version_arn,
            state_machine_alias_arn,
        } = request;
        if input.byte_len() > limits::PAYLOAD_BYTES_MAX {
            return Err(StartExecutionError::InputTooLarge);
        }
        let named = name.is_some();
        let kind = if revision.express { ExecutionKind::Express } else { ExecutionKind::Standard };
        let info = self.new_info(&revision, name, kind);
        let shard = self.admitted(&info.execution_arn).ok_or(StartExecutionError::Throttled)?;
        let (answer, answered) = oneshot::channel();
        let trace_header = trace_header.map(Arc::from);
        let request = StartRequest {
            info,
            revision,
            input,
            trace_header,
            state_machine_version_arn,
            state_machine_alias_arn,
            named,
            answer,
        };
        shard.inbox.send(Message::Start(Box::new(request))).map_err(|_| StartExecutionError::Stopping)?;
        answered.await.unwrap_or(Err(StartExecutionError::Stopping))
    }

    /// StartSyncExecution of an Express machine. Returns once the execution has ended; dropping the future does not
    /// end it. Nothing of it is on disk but its log, where its machine has one.
    pub async fn start_sync_execution(
        &self,
        request: StartExecution,
    ) -> Result<SyncExecution, StartExecutionError> {
        let StartExecution { revision, name, input, .. } = request;
        if input.byte_len() > limits::PAYLOAD_BYTES_MAX {
            return Err(StartExecutionError::InputTooLarge);
        }
        let info = self.new_info(&revision, name, ExecutionKind::SyncExpress);
        let shard = self.admitted(&info.execution_arn).ok_or(StartExecutionError::Throttled)?;
        let (answer, answered) = oneshot::channel();
        let request = SyncRequest { info, revision, input, answer };
        shard.inbox.send(Message::StartSync(Box::new(request))).map_err(|_| StartExecutionError::Stopping)?;
        let _under_way = self.inner.sync_under_way.enter();
        answered.await.unwrap_or(Err(StartExecutionError::Stopping))
    }

    /// What is fixed of an execution that is about to start, but for the time.
    fn new_info(
        &self,
        revision: &MachineRevision,
        name: Option<String>,
        kind: ExecutionKind,
    ) -> ExecutionInfo {
        let name: Arc<str> = name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()).into();
        let resource = match kind {
            ExecutionKind::Standard => format!("execution:{}:{name}", revision.name),
            ExecutionKind::Express | ExecutionKind::SyncExpress => {
                format!("express:{}:{name}:{}", revision.name, self.inner.express_ids.next())
            }
        };
        ExecutionInfo {
            execution_arn: self.inner.account.arn("states", &resource).into(),
            name,
            state_machine_arn: revision.machine_arn.clone(),
            state_machine_name: revision.name.clone(),
            role_arn: revision.role_arn.clone(),
            region: self.inner.account.region.as_str().into(),
            // The shard sets it: time is its.
            start_ms: 0,
            timeout_s: kind.timeout_s(revision.program.timeout_seconds),
            child_of: None,
            kind,
        }
    }

    /// StopExecution. Returns the stop date, in milliseconds since 1970, once it is durable; for an execution that has
    /// closed before, the date of that.
    pub async fn stop_execution(
        &self,
        execution_arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<i64, StopExecutionError> {
        let shard = self.admitted(execution_arn).ok_or(StopExecutionError::Throttled)?;
        let (answer, answered) = oneshot::channel();
        let request = StopRequest {
            execution_arn: execution_arn.into(),
            error: error.map(Arc::from),
            cause: cause.map(Arc::from),
            answer,
        };
        shard.inbox.send(Message::Stop(Box::new(request))).map_err(|_| StopExecutionError::Stopping)?;
        answered.await.unwrap_or(Err(StopExecutionError::Stopping))
    }

    /// RedriveExecution: one that ended without success goes on from where it failed. Gives its `redriveDate` once
    /// that is durable; the same one again for the same client token.
    pub async fn redrive_execution(
        &self,
        execution_arn: &str,
        client_token: Option<String>,
    ) -> Result<i64, RedriveExecutionError> {
        let shard = self.admitted(execution_arn).ok_or(RedriveExecutionError::Throttled)?;
        let (answer, answered) = oneshot::channel();
        let client_token = client_token.map(Arc::from);
        let request = RedriveRequest { execution_arn: execution_arn.into(), client_token, answer };
        shard.inbox.send(Message::Redrive(Box::new(request))).map_err(|_| RedriveExecutionError::Stopping)?;
        answered.await.unwrap_or(Err(RedriveExecutionError::Stopping))
    }

    /// UpdateMapRun. Returns once it is durable. Blocks for a moment, to find the Map Run.
    pub async fn update_map_run(
        &self,
        map_run_arn: &str,
        settings: MapRunSettings,
    ) -> Result<(), UpdateMapRunError> {
        let executions = &self.inner.executions;
        let run = executions.map_run(map_run_arn).map_err(UpdateMapRunError::Read)?;
        let (key, _) = run.ok_or(UpdateMapRunError::DoesNotExist)?;
        let row = executions.row(key).map_err(UpdateMapRunError::Read)?;
        let execution_arn = row.ok_or(UpdateMapRunError::DoesNotExist)?.info.execution_arn.clone();
        let shard = self.admitted(&execution_arn).ok_or(UpdateMapRunError::Throttled)?;
        let (answer, answered) = oneshot::channel();
        let request =
            UpdateMapRunRequest { execution_arn, map_run_arn: map_run_arn.into(), settings, answer };
        shard
            .inbox
            .send(Message::UpdateMapRun(Box::new(request)))
            .map_err(|_| UpdateMapRunError::Stopping)?;
        answered.await.unwrap_or(Err(UpdateMapRunError::Stopping))
    }

    /// SendTaskSuccess. Returns once it is durable.
    pub async fn send_task_success(&self, token: &str, output: Payload) -> Result<(), TaskTokenError> {
        self.send_task(token, TokenAction::End(TaskReply::Succeeded(output))).await
    }

    /// SendTaskFailure. Returns once it is durable.
    pub async fn send_task_failure(
        &self,
        token: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<(), TaskTokenError> {
        let reply = TaskReply::Failed { error: error.map(Arc::from), cause: cause.map(Arc::from) };
        self.send_task(token, TokenAction::End(reply)).await
    }

    /// SendTaskHeartbeat. Returns once it is durable.
    pub async fn send_task_heartbeat(&self, token: &str) -> Result<(), TaskTokenError> {
        self.send_task(token, TokenAction::Heartbeat).await
    }

    /// Calls a task outside of any execution. Nothing of it is recorded; dropping the future gives it up.
    pub async fn call_task(&self, call: TaskCall) -> Result<Payload, TaskCallFailed> {
        let TaskCall { resource, parameters, role_arn, http_trace } = call;
        let id = uuid::Uuid::new_v4();
        let arn = |resource: String| Arc::from(self.inner.account.arn("states", &resource));
        let request = TaskRequest {
            attempt_id: id.to_string().into(),
            resource,
            parameters,
            execution_arn: arn(format!("express:{id}:{id}")),
            state_machine_arn: arn(format!("stateMachine:{id}")),
            role_arn: role_arn.into(),
            progress: Progress::New,
            host: http_trace.map_or_else(Host::default, Host::traced),
        };
        match self.inner.dispatcher.runner().run(request).await {
            TaskOutcome::Succeeded(result) => Ok(result),
            TaskOutcome::Failed { error, cause } => Err(TaskCallFailed { error, cause }),
        }
    }

    async fn send_task(&self, token: &str, action: TokenAction) -> Result<(), TaskTokenError> {
        let token = TaskToken::decode(token).ok_or(TaskTokenError::Invalid)?;
        let shard = self.admitted(&token.execution_arn).ok_or(TaskTokenError::Throttled)?;
        let (answer, answered) = oneshot::channel();
        let request = TokenRequest { token, action, answer };
        shard.inbox.send(Message::Token(Box::new(request))).map_err(|_| TaskTokenError::Stopping)?;
        answered.await.unwrap_or(Err(TaskTokenError::Stopping))
    }

    /// Waits until all that was read before is durable. What the methods that read give may be newer than what a crash
    /// would leave: nobody outside may learn of it before this has returned. At once where nothing is on its way to the
    /// disk, else as long as one sync.
    pub async fn settled(&self) -> Result<(), CommitError> {
        let (told, tells) = oneshot::channel();
        self.inner.store.settle_then(move |result| {
            let _ = told.send(result);
        });
        let stopped = || Err(CommitError { reason: "the writer has stopped".into() });
        tells.await.unwrap_or_else(|_| stopped())
    }

    /// DescribeExecution; `None` where there is none with this ARN.
    pub fn describe_execution(&self, execution_arn: &str) -> Result<Option<ExecutionDescription>, ReadError> {
        let executions = &self.inner.executions;
        let Some((key, row)) = executions.find(execution_arn)? else { return Ok(None) };
        let read = || {
            let input = executions.payload(key, 0, 0)?;
            let output = row.outcome.as_ref().and_then(|o| o.output);
            let output = output.map(|(batch, index)| executions.payload(key, batch, index)).transpose()?;
            Ok(ExecutionDescription { row: row.clone(), input, output })
        };
        self.unless_removed(key, read())
    }

    /// GetExecutionHistory; `None` where there is no execution with this ARN.
    pub fn history(
        &self,
        execution_arn: &str,
        page: HistoryPage,
    ) -> Result<Option<Vec<HistoryEvent>>, ReadError> {
        let Some((key, _)) = self.inner.executions.find(execution_arn)? else { return Ok(None) };
        self.unless_removed(key, self.inner.executions.history(key, page))
    }

    /// [`Engine::history`] event by event, for readers that need not hold them all. With `None` nothing that was
    /// visited counts.
    pub fn visit_history(
        &self,
        execution_arn: &str,
        page: HistoryPage,
        visit: &mut dyn FnMut(HistoryEvent) -> ControlFlow<()>,
    ) -> Result<Option<()>, ReadError> {
        let Some((key, _)) = self.inner.executions.find(execution_arn)? else { return Ok(None) };
        self.unless_removed(key, self.inner.executions.visit_history(key, page, visit))
    }

    /// What was read of an execution; `None` where it has been removed meanwhile, and some of it may have been gone.
    fn unless_removed<T>(
        &self,
        key: ExecutionKey,
        read: Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        match self.inner.executions.row(key)? {
            Some(_) => read.map(Some),
            None => Ok(None),
        }
    }

    /// What the store holds of executions.
    pub(crate) fn executions(&self) -> &Executions {
        &self.inner.executions
    }

    /// ListExecutions of a machine, or of what was started by one of its versions or aliases, newest first.
    pub fn list_executions(
        &self,
        state_machine_arn: &str,
        status: Option<stepwell_interpreter::ExecutionStatus>,
        after: Option<&ListCursor>,
        limit: usize,
    ) -> Result<Listed, ReadError> {
        self.inner.executions.list(state_machine_arn, status, after, limit)
    }

    /// The same of those that `matches`; a page may have fewer than `limit`.
    pub fn list_executions_matching(
        &self,
        arn: &str,
        status: Option<stepwell_interpreter::ExecutionStatus>,
        after: Option<&ListCursor>,
        limit: usize,
        matches: impl Fn(&ExecutionRow) -> bool,
    ) -> Result<Listed, ReadError> {
        self.inner.executions.list_matching(arn, status, after, limit, matches)
    }

    /// Tells `watch` of every execution that ends from now on, once its end is durable. A second call changes nothing.
    pub fn watch_ends(&self, watch: Arc<dyn EndWatch>) {
        let _ = self.inner.ends.set(watch);
    }

    /// What is known of an execution without its payloads; `None` where there is none with this ARN.
    pub fn execution_row(&self, execution_arn: &str) -> Result<Option<ExecutionRow>, ReadError> {
        Ok(self.inner.executions.find(execution_arn)?.map(|(_, row)| row))
    }

    /// All that the journal has of an execution, and its row; `None` where there is none with this ARN.
    pub fn journal(&self, execution_arn: &str) -> Result<Option<(ExecutionRow, Vec<Record>)>, ReadError> {
        let Some((key, row)) = self.inner.executions.find(execution_arn)? else { return Ok(None) };
        let mut all = Vec::new();
        self.inner.executions.replay(key, |_, records| {
            all.extend(records);
            Ok(())
        })?;
        Ok(Some((row, all)))
    }

    /// Calls no tasks any more but those of Express executions, and waits up to `patience` for those under way and for
    /// executions whose caller waits for their end; the others go on as far as they come without. Says how much is still under way: these, and what was not called, the next start calls (again),
    /// but for what only a caller knows of.
    ///
    /// Attempts that only wait for the end of a nested execution are not waited for; they lose nothing.
    pub async fn drain(&self, patience: Duration) -> usize {
        let dispatcher = &self.inner.dispatcher;
        dispatcher.begin_drain();
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let waiting = usize::try_from(self.inner.sync_under_way.get()).unwrap_or(0);
            let under_way = waiting + dispatcher.unsettled();
            if under_way == 0 || tokio::time::Instant::now() >= deadline {
                return under_way;
            }
            tokio::time::sleep(DRAIN_PAUSE).await;
        }
    }

    /// Calls no task at all any more, not even those of Express executions: what they would reach, this process among
    /// it, is about to be closed, and a failure would be recorded as theirs.
    pub fn end_drain(&self) {
        self.inner.dispatcher.end_drain();
    }

    /// Whether the store has failed, so that only a restart helps.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.inner.store.has_failed()
    }

    /// What memory holds beside the shards of executions.
    pub(crate) fn held(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.inner.dispatcher.held().into_iter().chain(self.inner.activities.held())
    }

    /// Stops the shards after what they have in hand, makes that durable, and gives up the tasks under way; the next
    /// start goes on with them. Blocks until the threads have ended.
    pub fn shutdown(&self) {
        self.inner.stopping.store(true, Ordering::Release);
        // It may wait for the shards.
        let retention = self.inner.retention.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, thread)) = retention {
            drop(stop);
            let _ = thread.join();
        }
        for shard in &self.inner.shards {
            let _ = shard.inbox.send(Message::Shutdown);
        }
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let is_stepped = threads.is_empty();
        for thread in threads {
            let _ = thread.join();
        }
        self.inner.dispatcher.cancel_all();
        if !is_stepped {
            // Its failure is in the log, and what it concerns was acknowledged to nobody.
            let _ = self.inner.store.flush();
        }
    }

    /// The shard of an execution, with a request counted in; `None` where too many wait for it.
    fn admitted(&self, execution_arn: &str) -> Option<&ShardHandle> {
        let shard = self.shard(execution_arn);
        let admitted = shard.admit();
        self.inner.throttled.add(u64::from(!admitted));
        admitted.then_some(shard)
    }

    fn shard(&self, execution_arn: &str) -> &ShardHandle {
        &self.inner.shards[shard_index(execution_arn, self.inner.shards.len())]
    }
}

impl ShardHandle {
    /// Counts a request in, unless too many wait.
    fn admit(&self) -> bool {
        let queued = self.queued_requests.fetch_add(1, Ordering::Relaxed);
        if queued >= QUEUED_REQUESTS_MAX {
            self.queued_requests.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        true
    }
}

pub(crate) fn shard_index(execution_arn: &str, shards: usize) -> usize {
    index_of(arn_hash(execution_arn), shards)
}

pub(crate) fn index_of(arn_hash: u64, shards: usize) -> usize {
    // The remainder is below the number of shards.
    #[allow(clippy::cast_possible_truncation)]
    let index = (arn_hash % shards as u64) as usize;
    index
}

/// FNV-1a. On disk with every parked execution: never another function.
pub(crate) fn arn_hash(execution_arn: &str) -> u64 {
    execution_arn
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
