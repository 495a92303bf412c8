//! `GetQueueAttributes` and `SetQueueAttributes`.

use serde_json::{Map, Value};
use stepwell_aws::Fault;

use super::create_queue::check_redrive;
use super::delete_queue::check_present;
use super::nothing;
use crate::fault;
use crate::index::Counts;
use crate::input::Input;
use crate::queue::Queue;
use crate::record::QueueRecord;
use crate::service::Queues;
use crate::settings;

/// The attributes that cannot be set, in the order in which `All` shows them.
const COMPUTED: [&str; 6] = [
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
];

pub(crate) fn get(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let names = input.texts("AttributeNames")?;
    let known = |name: &str| name == "All" || COMPUTED.contains(&name) || settings::NAMES.contains(&name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(fault::unknown_attribute(unknown));
    }
    if names.is_empty() {
        return Ok(nothing());
    }
    let record = queue.record();
    let counts = counts(queues, &queue, &record);
    let all = names.contains(&"All");
    let mut attributes = Map::new();
    for name in COMPUTED.iter().chain(&settings::NAMES).filter(|name| all || names.contains(name)) {
        if let Some(value) = show(&queue, &record, counts, name) {
            attributes.insert((*name).to_owned(), value.into());
        }
    }
    let mut output = Map::new();
    if !attributes.is_empty() {
        output.insert("Attributes".into(), Value::Object(attributes));
    }
    Ok(Value::Object(output))
}

/// The numbers of messages, after what is due has happened.
fn counts(queues: &Queues, queue: &Queue, record: &QueueRecord) -> Counts {
    let mut turn = queues.ledger.turn();
    let counts = queue.tend(&record.settings, &mut turn, queues.now_ms()).counts();
    if !turn.changes_nothing() {
        // Removals of expired messages: nobody needs to wait for them.
        drop(turn.commit(|| {}));
    }
    counts
}

fn show(queue: &Queue, record: &QueueRecord, counts: Counts, name: &str) -> Option<String> {
    match name {
        "QueueArn" => Some(queue.arn.clone()),
        "ApproximateNumberOfMessages" => Some(counts.visible.to_string()),
        "ApproximateNumberOfMessagesNotVisible" => Some(counts.in_flight.to_string()),
        "ApproximateNumberOfMessagesDelayed" => Some(counts.delayed.to_string()),
        "CreatedTimestamp" => Some((record.created_ms / 1_000).to_string()),
        "LastModifiedTimestamp" => Some((record.modified_ms / 1_000).to_string()),
        _ => record.settings.show(name),
    }
}

pub(crate) async fn set(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let attributes = input.text_map("Attributes")?;
    if attributes.is_empty() {
        return Err(fault::missing_parameter("Attribute.Name"));
    }
    let commitment = {
        let mut turn = queues.ledger.turn();
        check_present(&queue)?;
        let mut record = (*queue.record()).clone();
        let settings = record.settings.with(&attributes, &queues.account)?;
        check_redrive(queues, &queue.arn, &settings, Some(&record.settings))?;
        record.settings = settings;
        record.modified_ms = queues.now_ms();
        queue.set_record(record, &mut turn);
        turn.commit(|| {})
    };
    commitment.durable().await?;
    Ok(nothing())
}
