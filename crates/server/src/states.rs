//! Step Functions as a service: from a call to its action.
//!
//! Owns what all actions share: the check against the model, the engine and the clock, and how store errors look from
//! outside. What an operation does is in its file under [`crate::actions`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;
use stepwell_aws::{BoxFuture, Call, Fault, Reply, Service};
use stepwell_engine::machines::Machines;
use stepwell_engine::{Clock, Engine};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{DESCRIPTIONS_MAX, HISTORY_READS_MAX, TRACE_HEADER_CHARS_MAX};
use crate::{actions, fault, model};

/// The Step Functions API over an engine. Cheap to clone.
#[derive(Clone)]
pub struct StepFunctions {
    engine: Engine,
    clock: Arc<dyn Clock>,
    /// Held while the tags of an activity are changed, so that no change is lost.
    activity_tags: Arc<Mutex<()>>,
    /// One permit per page of history that is being read.
    history_reads: Arc<Semaphore>,
    /// One permit per execution that is being described.
    descriptions: Arc<Semaphore>,
}

impl StepFunctions {
    /// The API of `engine`; `clock` should be the engine's own.
    #[must_use]
    pub fn new(engine: Engine, clock: Arc<dyn Clock>) -> Self {
        let history_reads = Arc::new(Semaphore::new(HISTORY_READS_MAX));
        let descriptions = Arc::new(Semaphore::new(DESCRIPTIONS_MAX));
        StepFunctions { engine, clock, activity_tags: Arc::default(), history_reads, descriptions }
    }

    /// Goes on with the deletions of state machines that an earlier stop interrupted. To be called once at the start,
    /// inside the runtime.
    pub fn resume_deletions(&self) {
        for arn in self.machines().deleting() {
            tokio::spawn(actions::delete_state_machine::finish(self.clone(), arn.to_string()));
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn machines(&self) -> &Arc<Machines> {
        self.engine.machines()
    }

    pub(crate) fn lock_activity_tags(&self) -> MutexGuard<'_, ()> {
        self.activity_tags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a page of history may be read; the turn ends when it is dropped.
    pub(crate) async fn turn_to_read(&self) -> OwnedSemaphorePermit {
        self.history_reads.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// The same for the description of an execution with its payloads.
    pub(crate) async fn turn_to_describe(&self) -> OwnedSemaphorePermit {
        self.descriptions.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Runs what touches the store or compiles a definition on a thread that may block. It runs to its end even if
    /// the caller goes away.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StepFunctions) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let context = self.clone();
        let outcome = tokio::task::spawn_blocking(move || work(&context)).await;
        outcome.unwrap_or_else(|_| Err(Fault::internal("the request could not be worked on to its end")))
    }

    async fn answer(&self, call: Call) -> Result<Reply, Fault> {
        let model = model::step_functions();
        let Some(operation) = model.operation(&call.operation) else {
            return Err(Fault::unknown_operation("AWS Step Functions", &call.operation));
        };
        model::validate::check(model, operation, &call.input)?;
        let Some(action) = actions::of(&operation.name) else {
            return Err(fault::not_yet_supported(&operation.name));
        };
        action(self.clone(), traced(call)).await.map(Reply::ok)
    }
}

/// A call's input with the trace of its HTTP request, which AWS prefers to the one in the input. Other headers than a
/// `traceHeader` may be are left out: nobody's request fails for one.
fn traced(call: Call) -> Value {
    let Call { operation, mut input, trace_id, .. } = call;
    if let Some(trace_id) = trace_id.filter(|id| id.len() <= TRACE_HEADER_CHARS_MAX)
        && matches!(operation.as_str(), "StartExecution" | "StartSyncExecution")
    {
        input["traceHeader"] = trace_id.into();
    }
    input
}

impl Service for StepFunctions {
    fn name(&self) -> &'static str {
        "states"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        Box::pin(self.answer(call))
    }
}

/// Reads a checked input into the action's own shape.
pub(crate) fn read_input<T: DeserializeOwned>(input: Value) -> Result<T, Fault> {
    serde_json::from_value(input).map_err(|e| fault::serialization(e.to_string()))
}

/// A failure of the store, told without what it was about.
pub(crate) fn store_failure(error: &dyn std::error::Error) -> Fault {
    tracing::error!(%error, "the store failed");
    Fault::internal("the data directory cannot be read or written; the server's log says why")
}
