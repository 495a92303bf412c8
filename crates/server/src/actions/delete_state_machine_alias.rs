//! DeleteStateMachineAlias: deleting what does not exist succeeds.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::aliases;
use crate::states::{StepFunctions, read_input, store_failure};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_alias_arn: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { state_machine_alias_arn: arn } = read_input(input)?;
    aliases::check_arn(&arn)?;
    context.blocking(move |c| c.machines().delete_alias(&arn).map_err(|error| store_failure(&error))).await?;
    Ok(json!({}))
}
