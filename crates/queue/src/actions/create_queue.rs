//! `CreateQueue`.

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_aws::Fault;

use crate::address::{self, name_in_arn};
use crate::fault;
use crate::input::Input;
use crate::limits::TAGS_MAX;
use crate::queue::Queue;
use crate::record::{QueueRecord, VERSION};
use crate::service::Queues;
use crate::settings::Settings;

/// Creates the queue. Creating one that exists is a success if the attributes given are those it has. There is no
/// wait of 60 seconds after a deletion of the same name.
pub(crate) async fn call(queues: &Queues, input: Input<'_>, origin: Option<&str>) -> Result<Value, Fault> {
    let name = input.required_text("QueueName")?;
    let attributes = input.text_map("Attributes")?;
    let tags = input.text_map("tags")?;
    if tags.len() > TAGS_MAX {
        return Err(too_many_tags());
    }
    let fifo =
        attributes.iter().any(|(name, value)| *name == "FifoQueue" && value.eq_ignore_ascii_case("true"));
    address::check_name(name, fifo)?;

    let commitment = {
        let mut turn = queues.ledger.turn();
        let existing = queues.directory().get(name).cloned();
        match existing {
            Some(queue) => {
                check_same(&queue.record().settings, &attributes, queues)?;
                turn.commit(|| {})
            }
            None => {
                let settings = Settings::new(fifo).with(&attributes, &queues.account)?;
                let arn = queues.account.arn("sqs", name);
                check_redrive(queues, &arn, &settings, None)?;
                let now_ms = queues.now_ms();
                let id = turn.number();
                let tags = tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                let record = QueueRecord {
                    version: VERSION,
                    id,
                    generation: id,
                    created_ms: now_ms,
                    modified_ms: now_ms,
                    purged_ms: None,
                    settings,
                    tags,
                };
                turn.put_queue(name, &record);
                let queue = Arc::new(Queue::new(name.to_owned(), arn, record, false));
                queues.directory_mut().insert(name.to_owned(), queue.clone());
                turn.commit(move || queue.set_durable())
            }
        }
    };
    commitment.durable().await?;
    Ok(json!({"QueueUrl": address::url(origin, &queues.account, name)}))
}

pub(super) fn too_many_tags() -> Fault {
    fault::invalid_parameter(format!("Too many tags: a queue can have at most {TAGS_MAX}."))
}

/// Checks that the attributes given are those that the queue has.
fn check_same(existing: &Settings, attributes: &[(&str, &str)], queues: &Queues) -> Result<(), Fault> {
    let wanted = existing.with(attributes, &queues.account)?;
    match attributes.iter().find(|(name, _)| wanted.show(name) != existing.show(name)) {
        None => Ok(()),
        Some((name, _)) => Err(fault::queue_name_exists(name)),
    }
}

/// Checks that the dead-letter queue of `settings` exists, is of the same kind, and lets the queue `arn` use it.
/// `before` are the settings so far, of which an unchanged policy is not checked again.
pub(super) fn check_redrive(
    queues: &Queues,
    arn: &str,
    settings: &Settings,
    before: Option<&Settings>,
) -> Result<(), Fault> {
    let Some(redrive) = &settings.redrive else { return Ok(()) };
    if before.is_some_and(|before| before.redrive.as_ref() == Some(redrive)) {
        return Ok(());
    }
    let invalid = |reason: &str| fault::invalid_value(redrive.show(), "RedrivePolicy", reason);
    let target = name_in_arn(&redrive.target, &queues.account);
    let target = target.and_then(|name| queues.directory().get(name).cloned());
    let target_settings = match target {
        Some(target) => target.record().settings.clone(),
        // A queue may name itself, also while it is being created.
        None if redrive.target == arn => settings.clone(),
        None => return Err(invalid("Dead letter target does not exist.")),
    };
    if target_settings.fifo.is_some() != settings.fifo.is_some() {
        return Err(invalid("Dead-letter queue must be same type of queue as the source."));
    }
    if target_settings.redrive_allow.is_some_and(|allow| !allow.allows(arn)) {
        return Err(invalid(
            "The dead-letter queue's redrive allow policy does not permit this source queue.",
        ));
    }
    Ok(())
}
