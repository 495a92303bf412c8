//! `SendMessage` and `SendMessageBatch`.

use std::sync::Arc;

use serde_json::{Map, Value};
use stepwell_aws::Fault;

use super::delete_queue::check_present;
use crate::batch::{Answers, entries};
use crate::dedup::{self, Deduplication};
use crate::draft::{Draft, check_batch_entry};
use crate::fault;
use crate::index::{Phase, Slot};
use crate::input::Input;
use crate::ledger::{Commitment, Turn, json, lock};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::queue::Queue;
use crate::record::{QueueRecord, Seen};
use crate::service::Queues;

pub(crate) async fn one(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let draft = Draft::read(input, &queue.record().settings)?;
    let (mut answers, commitment) = send(queues, &queue, vec![draft])?;
    commitment.durable().await?;
    Ok(Value::Object(answers.pop().unwrap_or_default()))
}

pub(crate) async fn batch(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let record = queue.record();
    let entries = entries(input, "SendMessageBatch")?;
    let mut drafts = Vec::new();
    let mut outcomes = Vec::new();
    let mut bytes = 0;
    for entry in &entries {
        check_batch_entry(entry.input, &record.settings)?;
        match Draft::read(entry.input, &record.settings) {
            Ok(draft) => {
                bytes += draft.bytes;
                outcomes.push(Ok(()));
                drafts.push(draft);
            }
            Err(fault) => outcomes.push(Err(fault)),
        }
    }
    if bytes > MESSAGE_BYTES_MAX {
        let text = format!(
            "Batch requests cannot be longer than {MESSAGE_BYTES_MAX} bytes. You have sent {bytes} bytes."
        );
        return Err(fault::batch("BatchRequestTooLong", text));
    }
    let (sent, commitment) = send(queues, &queue, drafts)?;
    commitment.durable().await?;
    let mut sent = sent.into_iter();
    let mut answers = Answers::default();
    for (entry, outcome) in entries.iter().zip(outcomes) {
        answers.add(entry.id, outcome.map(|()| sent.next().unwrap_or_default()));
    }
    Ok(answers.output())
}

/// Puts messages into the queue, all with one write, and gives the answer for each. They can be received once the
/// commitment is kept.
fn send(
    queues: &Queues,
    queue: &Arc<Queue>,
    drafts: Vec<Draft>,
) -> Result<(Vec<Map<String, Value>>, Commitment), Fault> {
    let now_ms = queues.now_ms();
    let encoded: Vec<_> = drafts
        .into_iter()
        .map(|mut draft| {
            draft.message.sent_ms = now_ms;
            let bytes = json(&draft.message);
            (draft, bytes)
        })
        .collect();
    let mut turn = queues.ledger.turn();
    check_present(queue)?;
    let record = queue.record();
    let mut answers = Vec::with_capacity(encoded.len());
    let mut added = Vec::with_capacity(encoded.len());
    for (draft, bytes) in encoded {
        match place(queue, &record, &draft, now_ms, &mut turn) {
            Place::Duplicate(seen) => {
                answers.push(draft.answer(&seen.message, Some(sequence_number(seen.seq))));
            }
            Place::New(seq) => {
                let slot = new_slot(&draft, seq, now_ms);
                turn.put_body(seq, bytes);
                turn.put_slot(record.generation, seq, &slot);
                let sequence = record.settings.fifo.as_ref().map(|_| sequence_number(seq));
                answers.push(draft.answer(&draft.message.id, sequence));
                added.push((seq, slot));
            }
        }
    }
    let queue = queue.clone();
    let generation = record.generation;
    // A duplicate writes nothing, but is answered only after the message it repeats is durable.
    let commitment = turn.commit(move || queue.admit(generation, added));
    Ok((answers, commitment))
}

enum Place {
    /// A message with the same deduplication id was sent before.
    Duplicate(Seen),
    /// Its place in the order.
    New(u64),
}

fn place(queue: &Queue, record: &QueueRecord, draft: &Draft, now_ms: i64, turn: &mut Turn<'_>) -> Place {
    let (Some(fifo), Some(id)) = (&record.settings.fifo, &draft.message.deduplication) else {
        return Place::New(turn.number());
    };
    let group = draft.message.group.as_deref().filter(|_| fifo.deduplication_per_group);
    let digest = Deduplication::digest(id, group);
    let mut table = lock(&queue.deduplication);
    if let Some(seen) = table.find(&digest, now_ms) {
        return Place::Duplicate(seen.clone());
    }
    for forgotten in table.forget(now_ms) {
        turn.delete_seen(dedup::key(queue.id, &forgotten));
    }
    let seq = turn.number();
    let seen = Seen { sent_ms: now_ms, seq, message: draft.message.id.clone() };
    turn.put_seen(dedup::key(queue.id, &digest), &seen);
    table.remember(digest, seen);
    Place::New(seq)
}

fn new_slot(draft: &Draft, seq: u64, now_ms: i64) -> Slot {
    let delay_ms = i64::from(draft.delay_s) * 1_000;
    Slot {
        body: seq,
        enqueued_ms: now_ms,
        phase: if delay_ms > 0 { Phase::Delayed } else { Phase::Visible },
        until_ms: now_ms + delay_ms,
        receives: 0,
        first_receive_ms: 0,
        last_receive_ms: 0,
        group: draft.message.group.as_deref().map(Arc::from),
        source: None,
    }
}

/// A `SequenceNumber`: twenty digits, growing, not consecutive.
pub(super) fn sequence_number(seq: u64) -> String {
    const BASE: u64 = 10_000_000_000_000_000_000;
    BASE.saturating_add(seq).to_string()
}
