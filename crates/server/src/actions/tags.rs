//! Tags of state machines and activities, as the tagging operations and the creating ones share them.

use serde::Deserialize;
use serde_json::Value;
use stepwell_aws::Fault;
use stepwell_engine::activities::ActivityError;
use stepwell_engine::machines::{TAGS_MAX, TagMachineError};

use crate::states::{StepFunctions, store_failure};
use crate::{arns, fault};

/// A tag on the wire.
#[derive(Deserialize)]
pub(super) struct Tag {
    key: Option<String>,
    value: Option<String>,
}

/// Keys and values; of a key given twice the last value counts.
pub(super) fn pairs(tags: Vec<Tag>) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::with_capacity(tags.len().min(TAGS_MAX));
    for tag in tags {
        let (key, value) = (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
        match pairs.iter().position(|(k, _)| *k == key) {
            Some(at) => pairs[at].1 = value,
            // Enough to be refused for; comparing every key with every other of a huge list would take for ever.
            None if pairs.len() > TAGS_MAX => break,
            None => pairs.push((key, value)),
        }
    }
    pairs
}

/// The exception for a resource with too many tags.
pub(super) fn too_many(arn: &str) -> Fault {
    let message = format!("Too many tags: a resource can have at most {TAGS_MAX} tags");
    let mut fault = fault::service("TooManyTags", message);
    fault.members.insert("resourceName".into(), Value::from(arn));
    fault
}

/// Refuses what is no ARN at all. Resources that cannot be tagged are simply not found.
pub(super) fn check_arn(arn: &str) -> Result<(), Fault> {
    arns::check(arn)
}

/// A change of the tags of a resource.
pub(super) enum TagChange {
    /// Adds tags, or gives new values to those that are there.
    Set(Vec<(String, String)>),
    /// Removes by key; a key that is not there is ignored.
    Remove(Vec<String>),
}

/// The tags of a resource in the order in which they were set.
pub(super) fn of_resource(context: &StepFunctions, arn: &str) -> Option<Vec<(String, String)>> {
    match arns::is_activity(arn) {
        true => context.engine().activities().get(arn).map(|activity| activity.tags.clone()),
        false => context.machines().tags(arn),
    }
}

/// Changes the tags of a resource. Blocks.
pub(super) fn change(context: &StepFunctions, arn: &str, change: TagChange) -> Result<(), Fault> {
    if arns::is_activity(arn) {
        return change_activity(context, arn, change);
    }
    let changed = match change {
        TagChange::Set(tags) => context.machines().tag(arn, tags),
        TagChange::Remove(keys) => context.machines().untag(arn, &keys),
    };
    changed.map_err(|error| match error {
        TagMachineError::DoesNotExist { .. } => fault::resource_not_found(arn),
        TagMachineError::TooManyTags => too_many(arn),
        TagMachineError::Machines(error) => store_failure(&error),
    })
}

fn change_activity(context: &StepFunctions, arn: &str, change: TagChange) -> Result<(), Fault> {
    let _changing = context.lock_activity_tags();
    let activities = context.engine().activities();
    let mut tags = activities.get(arn).ok_or_else(|| fault::resource_not_found(arn))?.tags.clone();
    match change {
        TagChange::Remove(keys) => tags.retain(|(key, _)| !keys.contains(key)),
        TagChange::Set(given) => {
            for (key, value) in given {
                match tags.iter_mut().find(|(k, _)| *k == key) {
                    Some((_, old)) => *old = value,
                    None => tags.push((key, value)),
                }
            }
        }
    }
    if tags.len() > TAGS_MAX {
        return Err(too_many(arn));
    }
    activities.set_tags(arn, tags).map_err(|error| match error {
        ActivityError::DoesNotExist { .. } => fault::resource_not_found(arn),
        error => super::activities::refusal(error),
    })
}
