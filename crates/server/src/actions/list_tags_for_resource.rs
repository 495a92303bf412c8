//! ListTagsForResource of a state machine or an activity, in the order in which the tags were set.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::tags;
use crate::fault;
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    resource_arn: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { resource_arn: arn } = read_input(input)?;
    tags::check_arn(&arn)?;
    let found = tags::of_resource(&context, &arn).ok_or_else(|| fault::resource_not_found(&arn))?;
    let tags: Vec<Value> = found.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    Ok(json!({ "tags": tags }))
}
