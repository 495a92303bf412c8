//! `PurgeQueue`.

use serde_json::Value;
use stepwell_aws::Fault;

use super::delete_queue::{check_present, sweep};
use super::nothing;
use crate::fault;
use crate::index::Index;
use crate::input::Input;
use crate::limits::PURGE_INTERVAL_MS;
use crate::service::Queues;

/// Empties the queue at once, by giving it a new generation of messages; the records of the old one go afterwards.
pub(crate) async fn call(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let commitment = {
        let mut turn = queues.ledger.turn();
        check_present(&queue)?;
        let now_ms = queues.now_ms();
        let mut record = (*queue.record()).clone();
        if record.purged_ms.is_some_and(|purged_ms| now_ms - purged_ms < PURGE_INTERVAL_MS) {
            return Err(fault::purge_in_progress(&queue.name));
        }
        let old = record.generation;
        record.generation = turn.number();
        record.purged_ms = Some(now_ms);
        *queue.index() = Index::new(record.generation, record.settings.fifo.is_some());
        queue.set_record(record, &mut turn);
        let ledger = queues.ledger.clone();
        let runtime = tokio::runtime::Handle::current();
        turn.commit(move || {
            runtime.spawn_blocking(move || sweep(&ledger, old, None));
        })
    };
    commitment.durable().await?;
    Ok(nothing())
}
