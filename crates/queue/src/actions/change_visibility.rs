//! `ChangeMessageVisibility` and `ChangeMessageVisibilityBatch`.

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
use crate::limits::VISIBILITY_S;
use crate::queue::Queue;
use crate::receipt::Receipt;
use crate::service::Queues;

/// SQS's text for a timeout out of range.
pub(super) const TIMEOUT_REASON: &str = "Must be >= 0 and <= 43200, if provided.";

pub(crate) async fn one(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let (mut outcomes, commitment) = change(queues, &queue, &[input])?;
    outcomes.pop().unwrap_or(Ok(()))?;
    commitment.durable().await?;
    Ok(nothing())
}

pub(crate) async fn batch(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let entries = entries(input, "ChangeMessageVisibilityBatch")?;
    let inputs: Vec<_> = entries.iter().map(|entry| entry.input).collect();
    let (outcomes, commitment) = change(queues, &queue, &inputs)?;
    commitment.durable().await?;
    let mut answers = Answers::default();
    for (entry, outcome) in entries.iter().zip(outcomes) {
        answers.add(entry.id, outcome.map(|()| Map::new()));
    }
    Ok(answers.output())
}

fn change(
    queues: &Queues,
    queue: &Arc<Queue>,
    inputs: &[Input<'_>],
) -> Result<(Vec<Result<(), Fault>>, Commitment), Fault> {
    let mut turn = queues.ledger.turn();
    check_present(queue)?;
    let record = queue.record();
    let now_ms = queues.now_ms();
    let mut index = queue.tend(&record.settings, &mut turn, now_ms);
    let fifo = record.settings.fifo.is_some();
    let outcomes =
        inputs.iter().map(|input| change_one(queue, fifo, &mut index, &mut turn, now_ms, *input)).collect();
    index.settle(now_ms);
    drop(index);
    // Those who wait look again: a message may be there, or come earlier than they think.
    queue.arrivals.notify_one();
    Ok((outcomes, turn.commit(|| {})))
}

fn change_one(
    queue: &Queue,
    fifo: bool,
    index: &mut Index,
    turn: &mut Turn<'_>,
    now_ms: i64,
    input: Input<'_>,
) -> Result<(), Fault> {
    let handle = input.required_text("ReceiptHandle")?;
    let timeout_s = input.integer_in("VisibilityTimeout", &VISIBILITY_S, TIMEOUT_REASON)?;
    let timeout_s = timeout_s.ok_or_else(|| fault::missing_parameter("VisibilityTimeout"))?;
    let receipt = Receipt::parse(handle).filter(|receipt| receipt.queue == queue.id);
    let receipt = receipt.ok_or_else(|| fault::receipt_handle_is_invalid(handle))?;
    let slot = index.get(receipt.seq).filter(|slot| slot.receives == receipt.receives);
    let slot = slot.ok_or_else(|| {
        let reason = "Message does not exist or is not available for visibility timeout change.";
        fault::invalid_value(handle, "ReceiptHandle", reason)
    })?;
    // A standard queue lets the last consumer take the message back although its timeout has passed.
    if fifo && slot.phase != Phase::InFlight {
        return Err(fault::invalid_value(handle, "ReceiptHandle", "The receipt handle has expired."));
    }
    let until_ms = now_ms + i64::from(timeout_s) * 1_000;
    if until_ms - slot.last_receive_ms > i64::from(*VISIBILITY_S.end()) * 1_000 {
        let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].";
        return Err(fault::invalid_value(timeout_s, "VisibilityTimeout", reason));
    }
    let generation = index.generation;
    let changed = index.update(receipt.seq, |slot| {
        slot.phase = Phase::InFlight;
        slot.until_ms = until_ms;
    });
    if let Some(slot) = changed {
        turn.put_slot(generation, receipt.seq, slot);
    }
    Ok(())
}
