//! Tags of state machines, as the tagging operations and CreateStateMachine share them.

use serde::Deserialize;
use serde_json::Value;
use stepwell_aws::Fault;
use stepwell_engine::machines::{TAGS_MAX, TagMachineError};

use crate::states::store_failure;
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

/// How a failed change of tags looks from outside.
pub(super) fn refusal(error: &TagMachineError, arn: &str) -> Fault {
    match error {
        TagMachineError::DoesNotExist { .. } => fault::resource_not_found(arn),
        TagMachineError::TooManyTags => too_many(arn),
        TagMachineError::Machines(error) => store_failure(error),
    }
}
