//! `DeleteMessage` and `DeleteMessageBatch`.

use std::sync::Arc;

use serde_json::{Map, Value};
use stepwell_aws::Fault;

use super::delete_queue::check_present;
use super::nothing;
use crate::batch::{Answers, entries};
use crate::fault;
use crate::index::{Index, Phase};
use crate::input::Input;
use crate::ledger::{Commitment, Turn};
use crate::queue::Queue;
use crate::receipt::Receipt;
use crate::service::Queues;

pub(crate) async fn one(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let handle = input.required_text("ReceiptHandle")?;
    let (mut outcomes, commitment) = delete(queues, &queue, &[Ok(handle)])?;
    outcomes.pop().unwrap_or(Ok(()))?;
    commitment.durable().await?;
    Ok(nothing())
}

pub(crate) async fn batch(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let entries = entries(input, "DeleteMessageBatch")?;
    let handles: Vec<_> = entries.iter().map(|entry| entry.input.required_text("ReceiptHandle")).collect();
    let (outcomes, commitment) = delete(queues, &queue, &handles)?;
    commitment.durable().await?;
    let mut answers = Answers::default();
    for (entry, outcome) in entries.iter().zip(outcomes) {
        answers.add(entry.id, outcome.map(|()| Map::new()));
    }
    Ok(answers.output())
}

/// Deletes the messages of these handles, all with one write.
fn delete(
    queues: &Queues,
    queue: &Arc<Queue>,
    handles: &[Result<&str, Fault>],
) -> Result<(Vec<Result<(), Fault>>, Commitment), Fault> {
    let mut turn = queues.ledger.turn();
    check_present(queue)?;
    let record = queue.record();
    let mut index = queue.tend(&record.settings, &mut turn, queues.now_ms());
    let fifo = record.settings.fifo.is_some();
    let outcomes = handles
        .iter()
        .map(|handle| delete_one(queue, fifo, &mut index, &mut turn, handle.clone()?))
        .collect();
    drop(index);
    if fifo {
        // The next of the group may now be handed out.
        queue.arrivals.notify_one();
    }
    Ok((outcomes, turn.commit(|| {})))
}

fn delete_one(
    queue: &Queue,
    fifo: bool,
    index: &mut Index,
    turn: &mut Turn<'_>,
    handle: &str,
) -> Result<(), Fault> {
    let receipt = Receipt::parse(handle).filter(|receipt| receipt.queue == queue.id);
    let receipt = receipt.ok_or_else(|| fault::receipt_handle_is_invalid(handle))?;
    // A message that is gone is a success; so is an outdated handle, which deletes nothing.
    let Some(slot) = index.get(receipt.seq).filter(|slot| slot.receives == receipt.receives) else {
        return Ok(());
    };
    if fifo && slot.phase != Phase::InFlight {
        return Err(fault::invalid_value(handle, "ReceiptHandle", "The receipt handle has expired."));
    }
    if let Some(slot) = index.remove(receipt.seq) {
        turn.delete_message(index.generation, receipt.seq, &slot);
    }
    Ok(())
}
