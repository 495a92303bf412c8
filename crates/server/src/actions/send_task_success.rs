//! SendTaskSuccess: ends the task of a token with a result.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_asl::Payload;
use stepwell_aws::Fault;

use super::task_tokens::refusal;
use crate::fault;
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    task_token: String,
    output: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { task_token, output } = read_input(input)?;
    let output = Payload::parse(output).map_err(|error| fault::invalid_output(error.message()))?;
    context.engine().send_task_success(&task_token, output).await.map_err(refusal)?;
    Ok(json!({}))
}
