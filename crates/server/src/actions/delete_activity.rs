//! DeleteActivity: deleting what does not exist succeeds.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::activities::refusal;
use crate::arns;
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    activity_arn: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { activity_arn: arn } = read_input(input)?;
    arns::activity(&arn)?;
    context.blocking(move |c| c.engine().activities().delete(&arn).map_err(refusal)).await?;
    Ok(json!({}))
}
