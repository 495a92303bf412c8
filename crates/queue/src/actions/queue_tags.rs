//! `TagQueue`, `UntagQueue` and `ListQueueTags`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::create_queue::too_many_tags;
use super::delete_queue::check_present;
use super::nothing;
use crate::fault;
use crate::input::Input;
use crate::limits::TAGS_MAX;
use crate::service::Queues;

pub(crate) async fn tag(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let added = input.text_map("Tags")?;
    if added.is_empty() {
        return Err(fault::missing_parameter("Tags"));
    }
    change(queues, input, |tags| {
        tags.extend(added.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    })
    .await
}

pub(crate) async fn untag(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let removed = input.texts("TagKeys")?;
    if removed.is_empty() {
        return Err(fault::missing_parameter("TagKeys"));
    }
    change(queues, input, |tags| tags.retain(|key, _| !removed.contains(&key.as_str()))).await
}

pub(crate) fn list(queues: &Queues, input: Input<'_>) -> Result<Value, Fault> {
    let tags = &queues.addressed(input)?.record().tags;
    Ok(if tags.is_empty() { nothing() } else { json!({"Tags": tags}) })
}

async fn change(
    queues: &Queues,
    input: Input<'_>,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<Value, Fault> {
    let queue = queues.addressed(input)?;
    let commitment = {
        let mut turn = queues.ledger.turn();
        check_present(&queue)?;
        let mut record = (*queue.record()).clone();
        change(&mut record.tags);
        if record.tags.len() > TAGS_MAX {
            return Err(too_many_tags());
        }
        queue.set_record(record, &mut turn);
        turn.commit(|| {})
    };
    commitment.durable().await?;
    Ok(nothing())
}
