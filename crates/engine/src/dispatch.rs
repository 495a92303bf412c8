//! Attempts at tasks that are under way: starts them on the async runtime, gives them up, reports how they ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Instant;

use stepwell_asl::payload::Payload;
use stepwell_aws::BoxFuture;
use stepwell_integrations::{Host, Progress, TaskHost, TaskOutcome, TaskRequest, TaskRunner};
use stepwell_interpreter::TaskReply;
use stepwell_store::ExecutionKey;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::closings::Closings;
use crate::figures::{TaskFigures, task_kind};
use crate::shard::{Message, is_express};

/// Which attempt: the execution and the id of its `…Scheduled` event.
pub(crate) type AttemptKey = (ExecutionKey, u64);

/// Hands attempts to the [`TaskRunner`]. One per engine.
pub(crate) struct Dispatcher {
    runtime: Handle,
    runner: Arc<dyn TaskRunner>,
    under_way: Mutex<HashMap<AttemptKey, UnderWay>>,
    closings: Arc<Closings>,
    figures: TaskFigures,
    /// Whether attempts are still begun.
    is_draining: AtomicBool,
    /// Whether none is begun any more, not even for Express executions.
    is_drained: AtomicBool,
}

/// An attempt that the runner has.
struct UnderWay {
    task: JoinHandle<()>,
    /// What the runner was asked.
    request: TaskRequest,
    host: Arc<AttemptHost>,
    began: Instant,
}

impl Dispatcher {
    pub(crate) fn new(runtime: Handle, runner: Arc<dyn TaskRunner>) -> Self {
        let (under_way, closings) = (Mutex::default(), Arc::default());
        Dispatcher {
            runtime,
            runner,
            under_way,
            closings,
            figures: TaskFigures::default(),
            is_draining: AtomicBool::new(false),
            is_drained: AtomicBool::new(false),
        }
    }

    /// What runs attempts.
    pub(crate) fn runner(&self) -> &Arc<dyn TaskRunner> {
        &self.runner
    }

    /// What it counts about the attempts that have ended.
    pub(crate) fn figures(&self) -> &TaskFigures {
        &self.figures
    }

    /// How many attempts are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.lock().len()
    }

    /// What memory holds of attempts.
    pub(crate) fn held(&self) -> [(&'static str, usize); 2] {
        [("attempts under way", self.under_way()), ("waits for the end of an execution", self.closings.len())]
    }

    /// Begins no attempt any more: what is to be dispatched is left to the next start of the engine. Express executions,
    /// which this process alone knows, go on calling.
    pub(crate) fn begin_drain(&self) {
        // Under the lock, so that none begins after this has returned.
        let _under_way = self.lock();
        self.is_draining.store(true, Ordering::Release);
    }

    /// Begins no attempt at all any more.
    pub(crate) fn end_drain(&self) {
        let _under_way = self.lock();
        self.is_drained.store(true, Ordering::Release);
    }

    /// How many attempts would be lost with this process: those that only wait for a job that they have begun go on
    /// waiting after the next start.
    pub(crate) fn unsettled(&self) -> usize {
        let settled = |attempt: &UnderWay| matches!(attempt.host.progress(), Progress::Submitted(_));
        self.lock().values().filter(|attempt| !settled(attempt)).count()
    }

    /// Runs an attempt; how far it comes and how it ends come back to `shard` as messages, in that order.
    pub(crate) fn dispatch(
        self: &Arc<Self>,
        key: AttemptKey,
        mut request: TaskRequest,
        shard: mpsc::Sender<Message>,
    ) {
        let this = self.clone();
        let host = Arc::new(AttemptHost {
            key,
            progress: Mutex::new(request.progress.clone()),
            closings: self.closings.clone(),
            shard: shard.clone(),
        });
        let asked = request.clone();
        let (kind, began) = (task_kind(&request.resource.kind), Instant::now());
        request.host = Host::new(host.clone());
        // The lock is held until the handle is in the map, so that the attempt cannot end before it is.
        let mut under_way = self.lock();
        let is_draining = self.is_draining.load(Ordering::Acquire) && !is_express(key.0);
        if is_draining || self.is_drained.load(Ordering::Acquire) {
            return;
        }
        let task = self.runtime.spawn(async move {
            let outcome = this.runner.run(request).await;
            let failed = matches!(outcome, TaskOutcome::Failed { .. });
            this.figures.ended(kind, usize::from(failed), began.elapsed());
            // A shard that is gone is one of an engine that has stopped; the next start dispatches again.
            let _ =
                shard.send(Message::TaskEnded { key: key.0, scheduled_event: key.1, reply: reply(outcome) });
            // After the message: whoever sees nothing under way finds all results in the inboxes.
            this.lock().remove(&key);
        });
        under_way.insert(key, UnderWay { task, request: asked, host, began });
    }

    /// Gives an attempt up, and what it has begun.
    pub(crate) fn cancel(&self, key: AttemptKey) {
        let Some(UnderWay { task, mut request, host, began }) = self.lock().remove(&key) else { return };
        task.abort();
        self.figures.ended(task_kind(&request.resource.kind), 2, began.elapsed());
        let runner = self.runner.clone();
        self.runtime.spawn(async move {
            // It may be in the middle of a step, and begin what is to be stopped.
            let _ = task.await;
            request.progress = host.progress();
            runner.give_up(request).await;
        });
    }

    /// Lets all attempts go; what they have begun goes on.
    pub(crate) fn cancel_all(&self) {
        for (_, attempt) in self.lock().drain() {
            attempt.task.abort();
        }
    }

    /// The end of this execution is durable.
    pub(crate) fn execution_closed(&self, execution_arn: &str) {
        self.closings.closed(execution_arn);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptKey, UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine as one attempt sees it.
struct AttemptHost {
    key: AttemptKey,
    progress: Mutex<Progress>,
    closings: Arc<Closings>,
    shard: mpsc::Sender<Message>,
}

impl AttemptHost {
    fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TaskHost for AttemptHost {
    fn submitted(&self, answer: Payload) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Progress::Submitted(answer.clone());
        let (key, scheduled_event) = self.key;
        let _ = self.shard.send(Message::TaskSubmitted { key, scheduled_event, output: answer });
    }

    fn execution_closed(&self, execution_arn: &str) -> BoxFuture<'static, ()> {
        self.closings.wait(execution_arn)
    }
}

fn reply(outcome: TaskOutcome) -> TaskReply {
    match outcome {
        TaskOutcome::Succeeded(result) => TaskReply::Succeeded(result),
        TaskOutcome::Failed { error, cause } => {
            TaskReply::Failed { error: error.map(Arc::from), cause: cause.map(Arc::from) }
        }
    }
}
