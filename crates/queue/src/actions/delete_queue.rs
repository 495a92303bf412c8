//! `DeleteQueue`.

use std::sync::Arc;

use serde_json::Value;
use stepwell_aws::Fault;

use super::nothing;
use crate::fault;
use crate::input::Input;
use crate::ledger::SharedLedger;
use crate::open;
use crate::queue::Queue;
use crate::service::Queues;

/// Deletes the queue with all that is in it. Its records go after the answer; a crash before that is made good at the
/// next open.
pub(crate) async fn call(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let commitment = {
        let mut turn = queues.ledger.turn();
        check_present(&queue)?;
        queues.directory_mut().remove(&queue.name);
        queue.set_gone();
        turn.delete_queue(&queue.name);
        let ledger = queues.ledger.clone();
        let generation = queue.record().generation;
        let runtime = tokio::runtime::Handle::current();
        let id = queue.id;
        turn.commit(move || {
            runtime.spawn_blocking(move || sweep(&ledger, generation, Some(id)));
        })
    };
    commitment.durable().await?;
    Ok(nothing())
}

/// The queue was not deleted while the caller waited for its turn.
pub(super) fn check_present(queue: &Arc<Queue>) -> Result<(), Fault> {
    if queue.is_gone() { Err(fault::queue_does_not_exist()) } else { Ok(()) }
}

/// Clears the records of a generation. Blocks.
pub(super) fn sweep(ledger: &SharedLedger, generation: u64, queue: Option<u64>) {
    if let Err(error) = open::sweep(ledger, generation, queue) {
        tracing::warn!(%error, "messages of a deleted or purged queue stay on disk until the next start");
    }
}
