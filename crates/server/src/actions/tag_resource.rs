//! TagResource of a state machine or an activity: adds tags, or gives new values to those that are there.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::tags::{self, TagChange};
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    resource_arn: String,
    tags: Vec<tags::Tag>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { resource_arn: arn, tags: given } = read_input(input)?;
    tags::check_arn(&arn)?;
    let pairs = tags::pairs(given);
    context.blocking(move |c| tags::change(c, &arn, TagChange::Set(pairs))).await?;
    Ok(json!({}))
}
