//! UntagResource of a state machine; a key that is not there is ignored.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::tags;
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
    context
        .blocking(move |c| c.machines().untag(&arn, &keys).map_err(|error| tags::refusal(&error, &arn)))
        .await?;
    Ok(json!({}))
}
