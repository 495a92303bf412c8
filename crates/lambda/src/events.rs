//! `Event` invocations: accepted into the store, then run in the background, again after a failure, as AWS does.
//!
//! An accepted event survives a crash: the next start runs it (again, where it had begun: at least once, as on AWS).
//! At most three attempts; then it is dropped and the function's log says so. Destinations and dead-letter queues
//! are not served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stepwell_aws::Fault;
use stepwell_store::{Keyspace, ReadError, Store, WriteBatch};

use crate::Inner;
use crate::catalog::commit;
use crate::faults;
use crate::invoke;
use crate::logs::WorkerLog;
use crate::names::FunctionId;
use crate::worker::{Invocation, Outcome};

/// First byte of a stored event.
const FORMAT: u8 = 1;

/// Pause before an event is tried again that found no place to run.
const THROTTLED_PAUSE: Duration = Duration::from_secs(1);

/// An accepted event as stored: this head as one line of JSON, then the payload.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Head {
    function: String,
    qualifier: Option<String>,
    invoked_arn: String,
    request_id: String,
    client_context: Option<String>,
    /// Failed attempts.
    attempts: usize,
}

pub(crate) struct Events {
    store: Store,
    keyspace: Keyspace,
    pending: AtomicUsize,
}

impl Events {
    pub(crate) fn open(store: &Store) -> Result<Events, ReadError> {
        Ok(Events {
            store: store.clone(),
            keyspace: store.keyspace("lambda.events")?,
            pending: AtomicUsize::new(0),
        })
    }

    /// Takes up what an earlier process accepted and did not finish.
    pub(crate) fn resume(&self, inner: &Arc<Inner>) -> Result<(), ReadError> {
        for pair in self.keyspace.prefix(b"") {
            let (key, _) = pair?;
            self.pending.fetch_add(1, Ordering::AcqRel);
            tokio::spawn(work_off(inner.clone(), key));
        }
        Ok(())
    }

    /// Makes an event durable and starts it.
    pub(crate) async fn accept(
        &self,
        inner: &Arc<Inner>,
        id: &FunctionId,
        invocation: Invocation,
    ) -> Result<(), Fault> {
        if self.pending.fetch_add(1, Ordering::AcqRel) >= inner.ground.options.limits.async_pending {
            self.pending.fetch_sub(1, Ordering::AcqRel);
            return Err(faults::throttled("FunctionInvocationRateLimitExceeded"));
        }
        let head = Head {
            function: id.name.clone(),
            qualifier: id.qualifier.clone(),
            invoked_arn: invocation.invoked_arn,
            request_id: invocation.request_id.clone(),
            client_context: invocation.client_context,
            attempts: 0,
        };
        let key = invocation.request_id.into_bytes();
        let mut batch = WriteBatch::new();
        batch.put(&self.keyspace, key.clone(), encode(&head, &invocation.payload));
        if let Err(error) = commit(&self.store, batch).await {
            self.pending.fetch_sub(1, Ordering::AcqRel);
            return Err(faults::service(error.to_string()));
        }
        tokio::spawn(work_off(inner.clone(), key));
        Ok(())
    }

    async fn write(&self, batch: WriteBatch) {
        if let Err(error) = commit(&self.store, batch).await {
            tracing::error!(%error, "the state of an Event invocation cannot be stored");
        }
    }
}

/// Runs one event until it has succeeded or failed for good.
async fn work_off(inner: Arc<Inner>, key: Vec<u8>) {
    let events = &inner.events;
    while let Some((mut head, payload)) = events.keyspace.get(&key).ok().flatten().and_then(|b| decode(&b)) {
        let id = FunctionId { name: head.function.clone(), qualifier: head.qualifier.clone() };
        let Ok(entry) = inner.function(&id) else { break };
        let invocation = Invocation {
            request_id: head.request_id.clone(),
            payload,
            invoked_arn: head.invoked_arn.clone(),
            client_context: head.client_context.clone(),
        };
        match invoke::run(&inner, &entry, invocation).await {
            Ok(finished) if matches!(finished.outcome, Outcome::Response(_)) => break,
            _ if inner.pool.is_closed() => return,
            Err(fault) if fault.code == "TooManyRequestsException" => {
                if inner.slept(THROTTLED_PAUSE).await {
                    continue;
                }
                return;
            }
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(function = head.function, %fault, "an Event invocation could not run")
            }
        }
        head.attempts += 1;
        let Some(pause) = inner.ground.options.limits.async_retry_pauses.get(head.attempts - 1) else {
            let log = WorkerLog::new(head.function.as_str().into(), inner.logs.clone());
            log.line(&format!("The event {} was dropped after {} attempts", head.request_id, head.attempts))
                .await;
            break;
        };
        let mut batch = WriteBatch::new();
        if let Ok(Some((_, payload))) = events.keyspace.get(&key).map(|b| b.and_then(|b| decode(&b))) {
            batch.put(&events.keyspace, key.clone(), encode(&head, &payload));
        }
        events.write(batch).await;
        if !inner.slept(*pause).await {
            return;
        }
    }
    let mut batch = WriteBatch::new();
    batch.delete(&events.keyspace, key);
    events.write(batch).await;
    events.pending.fetch_sub(1, Ordering::AcqRel);
}

impl Inner {
    /// Waits; `false` where the service closed meanwhile. What is in the store is then the next start's.
    async fn slept(&self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.pool.closed() => false,
        }
    }
}

fn encode(head: &Head, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    serde_json::to_writer(&mut bytes, head).expect("a head is plain data");
    bytes.push(b'\n');
    bytes.extend_from_slice(payload);
    bytes
}

fn decode(bytes: &[u8]) -> Option<(Head, Bytes)> {
    let (&FORMAT, rest) = bytes.split_first()? else { return None };
    let end = rest.iter().position(|b| *b == b'\n')?;
    let head = serde_json::from_slice(&rest[..end]).ok()?;
    Some((head, Bytes::copy_from_slice(&rest[end + 1..])))
}
