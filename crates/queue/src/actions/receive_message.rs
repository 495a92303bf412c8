//! `ReceiveMessage`: choosing messages, dead letters, long polls, and the answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use stepwell_aws::Fault;
use tokio::time::Instant;

use super::change_visibility::TIMEOUT_REASON;
use super::delete_queue::check_present;
use super::nothing;
use super::send_message::sequence_number;
use crate::address::name_in_arn;
use crate::checksum;
use crate::draft::read_token;
use crate::fault;
use crate::index::{Index, Phase, Slot};
use crate::input::Input;
use crate::ledger::{Commitment, Turn, lock};
use crate::limits::{CLEARED_PER_CALL_MAX, IN_FLIGHT_MAX, RECEIVE_MESSAGES, VISIBILITY_S, WAIT_S};
use crate::queue::{Queue, retention_ms};
use crate::receipt::Receipt;
use crate::record::{Message, QueueRecord};
use crate::service::Queues;

/// The system attributes that a receiver may ask for.
const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

/// What a receive of a stopping server may wait: one that was answered at once would be repeated at once.
const LATE_WAIT: Duration = Duration::from_millis(500);

/// What the receiver asks for.
struct Ask<'a> {
    messages_max: usize,
    /// `None` for the queue's own.
    visibility_s: Option<u32>,
    wait_s: Option<u32>,
    attempt: Option<String>,
    system_attributes: Vec<&'a str>,
    attributes: Vec<&'a str>,
}

/// A message on its way out.
struct Delivery {
    seq: u64,
    slot: Slot,
}

/// The outcome of one try.
struct Taken {
    deliveries: Vec<Delivery>,
    /// `None` where nothing changed.
    commitment: Option<Commitment>,
}

async fn durable(commitment: Option<Commitment>) -> Result<(), Fault> {
    match commitment {
        Some(commitment) => commitment.durable().await,
        None => Ok(()),
    }
}

/// A message on its way to the dead-letter queue.
struct Move {
    to: Arc<Queue>,
    generation: u64,
    seq: u64,
    slot: Slot,
}

pub(crate) async fn call(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let ask = Ask::read(input)?;
    let record = queue.record();
    let wait_s = ask.wait_s.unwrap_or(record.settings.wait_s);
    let fifo = record.settings.fifo.is_some();
    let taken = wait(queues, &queue, &ask, wait_s).await?;
    if taken.deliveries.is_empty() {
        return Ok(nothing());
    }
    // The bodies have long been on disk; only the new state of the messages has to get there.
    let (bodies, kept) = tokio::join!(read_bodies(queues, taken.deliveries), durable(taken.commitment));
    kept?;
    let answers: Vec<Value> = bodies?
        .into_iter()
        .map(|(delivery, message)| answer(queues, &queue, &ask, fifo, &delivery, message))
        .collect();
    Ok(if answers.is_empty() { nothing() } else { json!({"Messages": answers}) })
}

impl<'a> Ask<'a> {
    fn read(input: Input<'a>) -> Result<Ask<'a>, Fault> {
        let reason = "Must be between 1 and 10, if provided.";
        let messages_max = input.integer_in("MaxNumberOfMessages", &RECEIVE_MESSAGES, reason)?.unwrap_or(1);
        let reason = "Must be >= 0 and <= 20, if provided.";
        let wait_s = input.integer_in("WaitTimeSeconds", &WAIT_S, reason)?;
        let mut system_attributes = input.texts("AttributeNames")?;
        system_attributes.extend(input.texts("MessageSystemAttributeNames")?);
        let known = |name: &str| name == "All" || SYSTEM_ATTRIBUTES.contains(&name);
        // `AttributeNames` was once also the list of queue attributes, whose names are taken and do nothing.
        let known = |name: &str| known(name) || crate::settings::NAMES.contains(&name);
        if let Some(unknown) = system_attributes.iter().find(|name| !known(name)) {
            return Err(fault::unknown_attribute(unknown));
        }
        Ok(Ask {
            messages_max: usize::try_from(messages_max).unwrap_or(1),
            visibility_s: input.integer_in("VisibilityTimeout", &VISIBILITY_S, TIMEOUT_REASON)?,
            wait_s,
            attempt: read_token(input, "ReceiveRequestAttemptId")?,
            system_attributes,
            attributes: input.texts("MessageAttributeNames")?,
        })
    }

    fn wants_system_attribute(&self, name: &str) -> bool {
        self.system_attributes.iter().any(|asked| *asked == "All" || *asked == name)
    }

    /// `All`, `.*` and `*` ask for every attribute, `prefix.*` for those that begin so, others for the one named.
    fn wants_attribute(&self, name: &str) -> bool {
        self.attributes.iter().any(|asked| match *asked {
            "All" | ".*" | "*" => true,
            asked => asked.strip_suffix(".*").map_or(asked == name, |prefix| name.starts_with(prefix)),
        })
    }
}

/// Wakes the next waiting receive when one stops waiting, for whatever reason: a permit or a timer that this one had
/// must not be lost with it.
struct Baton<'a>(&'a Queue);

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        self.0.arrivals.notify_one();
    }
}

/// Takes messages, waiting up to `wait_s` for the first.
async fn wait(queues: &Queues, queue: &Arc<Queue>, ask: &Ask<'_>, wait_s: u32) -> Result<Taken, Fault> {
    let mut deadline = Instant::now() + Duration::from_secs(wait_s.into());
    let mut ended = queues.waits_ended();
    if *ended.borrow_and_update() {
        deadline = deadline.min(Instant::now() + LATE_WAIT);
    }
    let _baton = Baton(queue);
    loop {
        let mut arrival = std::pin::pin!(queue.arrivals.notified());
        // From here on no arrival is missed, although nobody awaits it yet.
        arrival.as_mut().enable();
        let mut taken = take(queues, queue, ask)?;
        if !taken.deliveries.is_empty() {
            return Ok(taken);
        }
        // Dead letters may have moved.
        durable(taken.commitment.take()).await?;
        if Instant::now() >= deadline {
            return Ok(taken);
        }
        let timer_ms = queue.index().next_timer_ms();
        let due = timer_ms.map(|timer_ms| u64::try_from(timer_ms - queues.now_ms()).unwrap_or(0).max(1));
        let due = due.map_or(deadline, |due_ms| deadline.min(Instant::now() + Duration::from_millis(due_ms)));
        tokio::select! {
            () = arrival => {}
            () = tokio::time::sleep_until(due) => {}
            Ok(()) = ended.changed() => deadline = Instant::now(),
        }
    }
}

/// Takes what can be had now. Messages that were received too often go to the dead-letter queue instead.
fn take(queues: &Queues, queue: &Arc<Queue>, ask: &Ask<'_>) -> Result<Taken, Fault> {
    let mut turn = queues.ledger.turn();
    check_present(queue)?;
    let record = queue.record();
    let now_ms = queues.now_ms();
    let visibility_s = ask.visibility_s.unwrap_or(record.settings.visibility_s);
    let until_ms = now_ms + i64::from(visibility_s) * 1_000;
    let target = dead_letter_queue(queues, queue, &record);
    let mut index = queue.tend(&record.settings, &mut turn, now_ms);
    if record.settings.fifo.is_none() && index.counts().in_flight >= IN_FLIGHT_MAX {
        drop(index);
        // What tending removed is not worth waiting for.
        drop(turn.commit(|| {}));
        return Err(fault::over_limit());
    }

    let attempt = ask.attempt.as_ref().filter(|_| record.settings.fifo.is_some());
    let repeated = attempt.and_then(|id| repeat(queue, &mut index, id, now_ms, until_ms));
    let (deliveries, dead) = match repeated {
        Some(deliveries) => (deliveries, Vec::new()),
        None => choose(&mut index, &mut turn, &record, target.as_ref(), ask.messages_max, now_ms, until_ms),
    };
    for delivery in &deliveries {
        turn.put_slot(index.generation, delivery.seq, &delivery.slot);
    }
    if let Some(id) = attempt.filter(|_| !deliveries.is_empty()) {
        let messages = deliveries.iter().map(|delivery| (delivery.seq, delivery.slot.receives)).collect();
        lock(&queue.attempts).remember(id, now_ms, messages);
    }
    // A timeout of 0 ends at once.
    index.settle(now_ms);
    let more = index.candidate(None).is_some();
    let generation = index.generation;
    drop(index);
    // The next receive has something to look at: more messages, or a new timeout to wait for. Where nothing changed it
    // has not, and waking it would make the two of them run in a circle.
    if !deliveries.is_empty() || more && !turn.changes_nothing() {
        queue.arrivals.notify_one();
    }
    let moves = match target {
        Some(target) => move_away(queue, &target, generation, &mut turn, dead, now_ms),
        None => Vec::new(),
    };
    if turn.changes_nothing() {
        return Ok(Taken { deliveries, commitment: None });
    }
    let commitment = turn.commit(move || {
        for moved in moves {
            moved.to.admit(moved.generation, vec![(moved.seq, moved.slot)]);
        }
    });
    Ok(Taken { deliveries, commitment: Some(commitment) })
}

/// The queue's dead-letter queue and the receive count at which messages go there. A queue that names itself keeps
/// its messages: moving them in a circle would hide them for ever.
fn dead_letter_queue(queues: &Queues, queue: &Queue, record: &QueueRecord) -> Option<(Arc<Queue>, u32)> {
    let redrive = record.settings.redrive.as_ref()?;
    let name = name_in_arn(&redrive.target, &queues.account)?;
    let target = queues.find(name).ok().filter(|target| target.id != queue.id)?;
    Some((target, redrive.receives_max))
}

/// Marks the next messages as in flight; gives them, and the dead letters that were in the way.
fn choose(
    index: &mut Index,
    turn: &mut Turn<'_>,
    record: &QueueRecord,
    target: Option<&(Arc<Queue>, u32)>,
    messages_max: usize,
    now_ms: i64,
    until_ms: i64,
) -> (Vec<Delivery>, Vec<(u64, Slot)>) {
    let mut deliveries: Vec<Delivery> = Vec::new();
    let mut dead = Vec::new();
    let expiry_ms = now_ms - retention_ms(&record.settings);
    for _ in 0..messages_max + CLEARED_PER_CALL_MAX {
        if deliveries.len() == messages_max || index.counts().in_flight >= IN_FLIGHT_MAX {
            break;
        }
        let Some(seq) = index.candidate(deliveries.last().map(|delivery| delivery.seq)) else { break };
        let Some(slot) = index.get(seq) else { break };
        if slot.enqueued_ms <= expiry_ms {
            if let Some(slot) = index.remove(seq) {
                turn.delete_message(index.generation, seq, &slot);
            }
        } else if target.is_some_and(|(_, receives_max)| slot.receives >= *receives_max) {
            dead.extend(index.remove(seq).map(|slot| (seq, slot)));
        } else {
            let taken = index.update(seq, |slot| {
                slot.phase = Phase::InFlight;
                slot.until_ms = until_ms;
                slot.receives = slot.receives.saturating_add(1);
                slot.last_receive_ms = now_ms;
                if slot.receives == 1 {
                    slot.first_receive_ms = now_ms;
                }
            });
            deliveries.extend(taken.map(|slot| Delivery { seq, slot: slot.clone() }));
        }
    }
    (deliveries, dead)
}

/// The deliveries of an earlier receive with the same attempt id, hidden anew, if all of them are still in flight as
/// they were.
fn repeat(
    queue: &Queue,
    index: &mut Index,
    attempt: &str,
    now_ms: i64,
    until_ms: i64,
) -> Option<Vec<Delivery>> {
    let messages = lock(&queue.attempts).recall(attempt, now_ms)?;
    let intact = |(seq, receives): &(u64, u32)| {
        index.get(*seq).is_some_and(|slot| slot.phase == Phase::InFlight && slot.receives == *receives)
    };
    if !messages.iter().all(intact) {
        return None;
    }
    let again =
        |(seq, _)| Some(Delivery { seq, slot: index.update(seq, |slot| slot.until_ms = until_ms)?.clone() });
    messages.into_iter().map(again).collect()
}

/// Writes dead letters into their new queue. Id, body, attributes, time of sending and receive count stay; the place
/// is a new one, and in a FIFO queue the retention begins anew.
fn move_away(
    queue: &Queue,
    target: &(Arc<Queue>, u32),
    generation: u64,
    turn: &mut Turn<'_>,
    dead: Vec<(u64, Slot)>,
    now_ms: i64,
) -> Vec<Move> {
    let (target, _) = target;
    let source: Arc<str> = Arc::from(queue.arn.as_str());
    let record = target.record();
    let mut moves = Vec::with_capacity(dead.len());
    for (old, mut slot) in dead {
        let seq = turn.number();
        slot.source = Some(source.clone());
        slot.phase = Phase::Visible;
        if record.settings.fifo.is_some() {
            slot.enqueued_ms = now_ms;
        }
        turn.delete_slot(generation, old);
        turn.put_slot(record.generation, seq, &slot);
        moves.push(Move { to: target.clone(), generation: record.generation, seq, slot });
    }
    moves
}

/// Reads the bodies from disk, off the asynchronous threads. A message whose body cannot be read stays in the queue,
/// to be tried again after its timeout.
async fn read_bodies(queues: &Queues, deliveries: Vec<Delivery>) -> Result<Vec<(Delivery, Message)>, Fault> {
    let ledger = queues.ledger.clone();
    let read = move || {
        let read_one = |delivery: Delivery| match ledger.read_body(delivery.slot.body) {
            Ok(Some(message)) => Some((delivery, message)),
            Ok(None) => {
                tracing::error!(body = delivery.slot.body, "a message has no readable body");
                None
            }
            Err(error) => {
                tracing::error!(%error, body = delivery.slot.body, "a message cannot be read");
                None
            }
        };
        deliveries.into_iter().filter_map(read_one).collect()
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| Fault::internal(error.to_string()))
}

/// One message of the answer.
fn answer(
    queues: &Queues,
    queue: &Queue,
    ask: &Ask<'_>,
    fifo: bool,
    delivery: &Delivery,
    message: Message,
) -> Value {
    let receipt = Receipt { queue: queue.id, seq: delivery.seq, receives: delivery.slot.receives };
    let mut output = Map::new();
    let system = system_attributes(queues, ask, fifo, delivery, &message);
    output.insert("MessageId".into(), message.id.into());
    output.insert("ReceiptHandle".into(), receipt.handle().into());
    output.insert("MD5OfBody".into(), checksum::of_body(&message.body).into());
    output.insert("Body".into(), message.body.into());
    if !system.is_empty() {
        output.insert("Attributes".into(), Value::Object(system));
    }
    let attributes: Map<String, Value> =
        message.attributes.into_iter().filter(|(name, _)| ask.wants_attribute(name)).collect();
    if let Some(digest) = checksum::of_attributes(&attributes) {
        output.insert("MD5OfMessageAttributes".into(), digest.into());
        output.insert("MessageAttributes".into(), Value::Object(attributes));
    }
    Value::Object(output)
}

fn system_attributes(
    queues: &Queues,
    ask: &Ask<'_>,
    fifo: bool,
    delivery: &Delivery,
    message: &Message,
) -> Map<String, Value> {
    let value = |name: &str| match name {
        "SenderId" => Some(queues.account.id.clone()),
        "SentTimestamp" => Some(message.sent_ms.to_string()),
        "ApproximateReceiveCount" => Some(delivery.slot.receives.to_string()),
        "ApproximateFirstReceiveTimestamp" => Some(delivery.slot.first_receive_ms.to_string()),
        "SequenceNumber" => fifo.then(|| sequence_number(delivery.seq)),
        "MessageDeduplicationId" => message.deduplication.clone(),
        "MessageGroupId" => message.group.clone(),
        "AWSTraceHeader" => message.trace_header.clone(),
        _ => delivery.slot.source.as_deref().map(str::to_owned),
    };
    let wanted = SYSTEM_ATTRIBUTES.iter().filter(|name| ask.wants_system_attribute(name));
    wanted.filter_map(|name| Some(((*name).to_owned(), value(name)?.into()))).collect()
}
