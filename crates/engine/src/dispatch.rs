//! Attempts at tasks that are under way: starts them on the async runtime, gives them up, reports how they ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use stepwell_integrations::{TaskOutcome, TaskRequest, TaskRunner};
use stepwell_interpreter::TaskReply;
use stepwell_store::ExecutionKey;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::shard::Message;

/// Which attempt: the execution and the id of its `…Scheduled` event.
pub(crate) type AttemptKey = (ExecutionKey, u64);

/// Hands attempts to the [`TaskRunner`]. One per engine.
pub(crate) struct Dispatcher {
    runtime: Handle,
    runner: Arc<dyn TaskRunner>,
    under_way: Mutex<HashMap<AttemptKey, AbortHandle>>,
}

impl Dispatcher {
    pub(crate) fn new(runtime: Handle, runner: Arc<dyn TaskRunner>) -> Self {
        Dispatcher { runtime, runner, under_way: Mutex::new(HashMap::new()) }
    }

    /// Runs an attempt; its end comes back to `shard` as a message.
    pub(crate) fn dispatch(
        self: &Arc<Self>,
        key: AttemptKey,
        request: TaskRequest,
        shard: mpsc::Sender<Message>,
    ) {
        let this = self.clone();
        // The lock is held until the handle is in the map, so that the attempt cannot end before it is.
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let task = self.runtime.spawn(async move {
            let outcome = this.runner.run(request).await;
            this.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            // A shard that is gone is one of an engine that has stopped; the next start dispatches again.
            let _ =
                shard.send(Message::TaskEnded { key: key.0, scheduled_event: key.1, reply: reply(outcome) });
        });
        under_way.insert(key, task.abort_handle());
    }

    /// Gives an attempt up.
    pub(crate) fn cancel(&self, key: AttemptKey) {
        let handle = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        if let Some(handle) = handle {
            handle.abort();
        }
    }

    /// Gives all attempts up.
    pub(crate) fn cancel_all(&self) {
        for (_, handle) in self.under_way.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            handle.abort();
        }
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
