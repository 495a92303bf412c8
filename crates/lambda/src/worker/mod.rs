//! One worker: a function's process with its Runtime API, serving one invocation after the other.
//!
//! A worker is a task that owns the process and takes invocations through a channel; dropping its [`Worker`] ends
//! both. Which worker serves which invocation is the pool's matter, what to run is the launch's.

mod outcome;
pub(crate) mod process;
mod runtime_api;

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

pub(crate) use self::outcome::Outcome;
use self::process::{CommandLine, Process};
use self::runtime_api::{ApiEvent, Next, RuntimeApi, Said, Taken};
use crate::logs::{Pump, WorkerLog};

/// How often a busy worker's memory is looked at; every fifth time the whole group's.
const MEMORY_LOOK: Duration = Duration::from_millis(100);

/// What a worker needs to know of its function.
pub(crate) struct Blueprint {
    pub(crate) command: CommandLine,
    pub(crate) version: String,
    pub(crate) timeout: Duration,
    pub(crate) memory_mb: u32,
    pub(crate) init_time: Duration,
    /// `INIT_START`'s text about the runtime.
    pub(crate) runtime: String,
    /// Said in the log at each start.
    pub(crate) notes: Vec<String>,
    /// Why a language package is absent, for the error that follows from it.
    pub(crate) missing_packages: Option<String>,
    /// Has `workers/` for records of processes and `tmp/` for scratch directories.
    pub(crate) work_dir: std::path::PathBuf,
}

/// An invocation on its way to a process.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    /// With the qualifier that the caller gave.
    pub(crate) invoked_arn: String,
    pub(crate) client_context: Option<String>,
}

/// An invocation that ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    /// The last 4 KB of its log.
    pub(crate) tail: Vec<u8>,
    /// Whether the worker can serve another.
    pub(crate) reusable: bool,
}

struct Job {
    invocation: Invocation,
    answer: oneshot::Sender<Option<Finished>>,
}

/// The handle of a worker.
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    /// Starts a worker; its process starts with the first invocation. `alive` is held as long as the worker lives,
    /// `shutdown` ends it.
    pub(crate) fn start(
        blueprint: Arc<Blueprint>,
        log: WorkerLog,
        shutdown: watch::Receiver<bool>,
        alive: impl Send + 'static,
    ) -> Worker {
        let (jobs, inbox) = mpsc::channel(1);
        tokio::spawn(async move {
            run(blueprint, log, shutdown, inbox).await;
            drop(alive);
        });
        Worker { jobs }
    }

    /// Whether its process has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Serves `invocation`; `None` where the process had ended before it took it, so that another worker may.
    pub(crate) async fn invoke(&self, invocation: Invocation) -> Option<Finished> {
        let (answer, wait) = oneshot::channel();
        self.jobs.send(Job { invocation, answer }).await.ok()?;
        wait.await.ok().flatten()
    }
}

async fn run(
    blueprint: Arc<Blueprint>,
    log: WorkerLog,
    shutdown: watch::Receiver<bool>,
    mut jobs: mpsc::Receiver<Job>,
) {
    let (sender, events) = mpsc::channel(16);
    let api = match RuntimeApi::start(sender).await {
        Ok(api) => api,
        Err(error) => {
            tracing::error!(%error, "no loopback port for a function's Runtime API");
            return;
        }
    };
    let scratch = blueprint.work_dir.join("tmp").join(uuid::Uuid::new_v4().simple().to_string());
    let _ = std::fs::create_dir_all(&scratch);
    let mut actor = Actor {
        blueprint,
        log,
        shutdown,
        events,
        address: api.address.to_string(),
        scratch: scratch.clone(),
        running: None,
        waiting: None,
        memory_max: 0,
    };
    loop {
        let job = tokio::select! {
            job = jobs.recv() => job,
            () = actor.idle() => None,
        };
        let Some(job) = job else { break };
        let finished = actor.serve(&job.invocation).await;
        let reusable = finished.as_ref().is_some_and(|f| f.reusable);
        let _ = job.answer.send(finished);
        if !reusable {
            break;
        }
    }
    drop(actor);
    drop(api);
    let _ = tokio::fs::remove_dir_all(scratch).await;
}

struct Running {
    process: Process,
    pump: Pump,
}

struct Actor {
    blueprint: Arc<Blueprint>,
    log: WorkerLog,
    shutdown: watch::Receiver<bool>,
    events: mpsc::Receiver<ApiEvent>,
    /// Of the Runtime API: `host:port`.
    address: String,
    scratch: std::path::PathBuf,
    running: Option<Running>,
    /// The runtime's open request for an invocation.
    waiting: Option<oneshot::Sender<Next>>,
    /// Bytes.
    memory_max: u64,
}

/// What a worker waits for while a process runs.
enum Happening {
    Api(ApiEvent),
    Exited(Option<ExitStatus>),
    Deadline,
    Shutdown,
}

/// Why a process did not come to its first request.
enum InitFailure {
    Answer(Outcome),
    TimedOut,
}

impl Actor {
    /// Watches the process between invocations; returns when it has ended.
    async fn idle(&mut self) {
        loop {
            match self.happening(None).await {
                Happening::Api(event) => self.outside_invocation(event),
                Happening::Exited(_) | Happening::Deadline | Happening::Shutdown => {
                    self.running = None;
                    return;
                }
            }
        }
    }

    /// The next thing that happens. Exceeding the memory setting kills the process, which is then what happens.
    async fn happening(&mut self, deadline: Option<Instant>) -> Happening {
        let Some(running) = &mut self.running else {
            // Before the first invocation there is no process, only the end to wait for.
            let _ = self.shutdown.wait_for(|s| *s).await;
            return Happening::Shutdown;
        };
        let end = tokio::time::Instant::from_std(deadline.unwrap_or_else(Instant::now));
        let mut looks = interval(MEMORY_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.reset();
        let limit = u64::from(self.blueprint.memory_mb) << 20;
        let mut count = 0u32;
        loop {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => return Happening::Api(event),
                status = running.process.wait() => return Happening::Exited(status.ok()),
                () = sleep_until(end), if deadline.is_some() => return Happening::Deadline,
                _ = self.shutdown.wait_for(|s| *s) => return Happening::Shutdown,
                _ = looks.tick(), if deadline.is_some() => {
                    count += 1;
                    let used = running.process.memory(count.is_multiple_of(5)).unwrap_or(0);
                    self.memory_max = self.memory_max.max(used);
                    if used > limit {
                        running.process.kill();
                    }
                }
            }
        }
    }

    fn outside_invocation(&mut self, event: ApiEvent) {
        match event {
            ApiEvent::Next(waiting) => self.waiting = Some(waiting),
            ApiEvent::Said { reply, .. } => {
                let _ = reply.send(Taken::WrongId);
            }
            ApiEvent::InitError(_) => {}
        }
    }

    /// Serves one invocation; `None` where a warm process turned out to be dead before it took it.
    async fn serve(&mut self, invocation: &Invocation) -> Option<Finished> {
        self.log.clear_tail();
        self.memory_max = 0;
        let warm = self.running.is_some();
        let mut init_time = None;
        let mut deadline = None;
        let start = format!("START RequestId: {} Version: {}", invocation.request_id, self.blueprint.version);
        if !warm {
            match self.start_up(invocation, &mut deadline).await {
                Ok(took) => init_time = Some(took),
                Err(outcome) => {
                    self.log.line(&start).await;
                    return Some(self.finish(invocation, outcome, Instant::now(), None, false).await);
                }
            }
            // The tail of an invocation begins with its first line; only a failed start is shown too.
            self.log.clear_tail();
        }
        self.log.line(&start).await;
        let started = Instant::now();
        let deadline = deadline.unwrap_or(started + self.blueprint.timeout);
        let (outcome, reusable) = match self.hand_over(invocation, deadline).await {
            Ok(()) => self.await_answer(invocation, deadline).await,
            // A warm process that died, or does not come back, is replaced without a word.
            Err(_) if warm => {
                self.running = None;
                return None;
            }
            Err(Some(outcome)) => (outcome, false),
            Err(None) => (outcome::timed_out(&invocation.request_id, self.blueprint.timeout), false),
        };
        Some(self.finish(invocation, outcome, started, init_time, reusable).await)
    }

    /// Starts the process and waits until the runtime asks for its first invocation. Its own time limit applies; a
    /// process that exceeds it is started once more, now within the function's timeout, as on AWS.
    async fn start_up(
        &mut self,
        invocation: &Invocation,
        deadline: &mut Option<Instant>,
    ) -> Result<Duration, Outcome> {
        let started = Instant::now();
        match self.initialise(invocation, started + self.blueprint.init_time).await {
            Ok(()) => return Ok(started.elapsed()),
            Err(InitFailure::Answer(outcome)) => return Err(outcome),
            Err(InitFailure::TimedOut) => {}
        }
        let limit = self.blueprint.init_time.as_secs_f64() * 1000.0;
        self.log
            .line(&format!("INIT_REPORT Init Duration: {limit:.2} ms\tPhase: init\tStatus: timeout"))
            .await;
        let started = Instant::now();
        let end = started + self.blueprint.timeout;
        *deadline = Some(end);
        match self.initialise(invocation, end).await {
            Ok(()) => Ok(started.elapsed()),
            Err(InitFailure::Answer(outcome)) => Err(outcome),
            Err(InitFailure::TimedOut) => {
                Err(outcome::timed_out(&invocation.request_id, self.blueprint.timeout))
            }
        }
    }

    async fn initialise(&mut self, invocation: &Invocation, deadline: Instant) -> Result<(), InitFailure> {
        self.running = None;
        self.waiting = None;
        while self.events.try_recv().is_ok() {}
        self.log.line(&format!("INIT_START Runtime Version: {}", self.blueprint.runtime)).await;
        for note in &self.blueprint.notes {
            self.log.line(note).await;
        }
        let invalid =
            |reason: &str| InitFailure::Answer(outcome::invalid_entrypoint(&invocation.request_id, reason));
        let program = &self.blueprint.command.program;
        if !program.is_file() {
            return Err(invalid(&format!("Couldn't find valid bootstrap(s): [{}]", program.display())));
        }
        self.spawn().map_err(|error| invalid(&format!("the process cannot be started: {error}")))?;
        let failure = loop {
            match self.happening(Some(deadline)).await {
                Happening::Api(ApiEvent::Next(waiting)) => {
                    self.waiting = Some(waiting);
                    return Ok(());
                }
                Happening::Api(ApiEvent::InitError(body)) => {
                    let hint = self.blueprint.missing_packages.as_deref();
                    break InitFailure::Answer(outcome::init_error(&invocation.request_id, &body, hint));
                }
                Happening::Api(event) => self.outside_invocation(event),
                Happening::Exited(status) => {
                    break InitFailure::Answer(outcome::exited(&invocation.request_id, status));
                }
                Happening::Deadline => break InitFailure::TimedOut,
                Happening::Shutdown => {
                    break InitFailure::Answer(outcome::exited(&invocation.request_id, None));
                }
            }
        };
        self.end_process().await;
        Err(failure)
    }

    fn spawn(&mut self) -> std::io::Result<()> {
        let mut command = self.blueprint.command.clone();
        let scratch = self.scratch.to_string_lossy().into_owned();
        let own = [
            ("AWS_LAMBDA_RUNTIME_API", self.address.clone()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream_name(&self.blueprint.version)),
        ];
        command.environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        for name in ["HOME", "TMPDIR"] {
            command.environment.entry(name.to_owned()).or_insert_with(|| scratch.clone());
        }
        let (process, pipe) = Process::start(&command, &self.blueprint.work_dir)?;
        self.running = Some(Running { process, pump: Pump::start(pipe, self.log.clone()) });
        Ok(())
    }

    /// Kills the process and takes up what it had printed.
    async fn end_process(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.process.kill();
            running.pump.flush().await;
            let _ = running.process.wait().await;
        }
    }

    /// Gives the invocation to the runtime, waiting for its request where needed. `Err(None)`: no request in time.
    async fn hand_over(&mut self, invocation: &Invocation, deadline: Instant) -> Result<(), Option<Outcome>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let deadline_ms = Timestamp::now().as_millisecond() + i64::try_from(left.as_millis()).unwrap_or(0);
        let mut next = Next {
            request_id: invocation.request_id.clone(),
            deadline_ms,
            function_arn: invocation.invoked_arn.clone(),
            trace_id: trace_id(),
            client_context: invocation.client_context.clone(),
            payload: invocation.payload.clone(),
        };
        loop {
            if let Some(waiting) = self.waiting.take() {
                match waiting.send(next) {
                    Ok(()) => return Ok(()),
                    // The connection is gone; the runtime, if it lives, asks again.
                    Err(back) => next = back,
                }
            }
            match self.happening(Some(deadline)).await {
                Happening::Api(event) => self.outside_invocation(event),
                Happening::Exited(status) => {
                    return Err(Some(outcome::exited(&invocation.request_id, status)));
                }
                Happening::Shutdown => return Err(Some(outcome::exited(&invocation.request_id, None))),
                Happening::Deadline => return Err(None),
            }
        }
    }

    async fn await_answer(&mut self, invocation: &Invocation, deadline: Instant) -> (Outcome, bool) {
        loop {
            match self.happening(Some(deadline)).await {
                Happening::Api(ApiEvent::Said { id, said, reply }) if id == invocation.request_id => {
                    let (taken, outcome) = match said {
                        Said::Response(payload) => (Taken::Yes, Outcome::Response(payload)),
                        Said::Error(payload) => (Taken::Yes, Outcome::FunctionError(payload)),
                        Said::TooLarge => (Taken::TooLarge, outcome::too_large()),
                    };
                    let _ = reply.send(taken);
                    return (outcome, true);
                }
                // A request for the next invocation before this one is answered is refused.
                Happening::Api(ApiEvent::Next(waiting)) => drop(waiting),
                Happening::Api(event) => self.outside_invocation(event),
                Happening::Exited(status) => return (outcome::exited(&invocation.request_id, status), false),
                Happening::Shutdown => return (outcome::exited(&invocation.request_id, None), false),
                Happening::Deadline => {
                    return (outcome::timed_out(&invocation.request_id, self.blueprint.timeout), false);
                }
            }
        }
    }

    /// Ends a process that is not to be used again, completes the log, and wraps the outcome up.
    async fn finish(
        &mut self,
        invocation: &Invocation,
        outcome: Outcome,
        started: Instant,
        init_time: Option<Duration>,
        reusable: bool,
    ) -> Finished {
        let outcome = outcome.with_task_root_of_aws(&self.blueprint.command.directory);
        let took = started.elapsed();
        if reusable && let Some(running) = &mut self.running {
            if let Some(used) = running.process.memory(false) {
                self.memory_max = self.memory_max.max(used);
            }
            running.pump.flush().await;
        } else {
            self.end_process().await;
        }
        let id = &invocation.request_id;
        if let Outcome::FunctionError(payload) = &outcome
            && !reusable
        {
            self.log.line(&String::from_utf8_lossy(payload)).await;
        }
        let milliseconds = took.as_secs_f64() * 1000.0;
        let mut report = format!(
            "REPORT RequestId: {id}\tDuration: {milliseconds:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB\tMax \
             Memory Used: {} MB",
            milliseconds.ceil(),
            self.blueprint.memory_mb,
            self.memory_max.div_ceil(1 << 20),
        );
        if let Some(init) = init_time {
            report.push_str(&format!("\tInit Duration: {:.2} ms", init.as_secs_f64() * 1000.0));
        }
        let end = format!("END RequestId: {id}");
        self.log.lines([end.as_bytes(), report.as_bytes()]).await;
        Finished { outcome, tail: self.log.tail(), reusable }
    }
}

/// `2026/11/22/[$LATEST]<32 hexadecimal digits>`
fn log_stream_name(version: &str) -> String {
    let day = Timestamp::now().to_string();
    let day = day.get(..10).unwrap_or_default().replace('-', "/");
    format!("{day}/[{version}]{}", uuid::Uuid::new_v4().simple())
}

fn trace_id() -> String {
    let (root, parent) =
        (uuid::Uuid::new_v4().simple().to_string(), uuid::Uuid::new_v4().simple().to_string());
    format!("Root=1-{:08x}-{};Parent={};Sampled=0", Timestamp::now().as_second(), &root[..24], &parent[..16])
}
