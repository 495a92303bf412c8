//! UntagResource of a state machine or an activity; a key that is not there is ignored.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::tags::{self, TagChange};
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    resource_arn: String,
    tag_keys: Vec<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { resource_arn: arn, tag_keys: keys } = read_input(input)?;
    tags::check_arn(&arn)?;
    context.blocking(move |c| tags::change(c, &arn, TagChange::Remove(keys))).await?;
    Ok(json!({}))
}
