//! SendTaskFailure: ends the task of a token with an error.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::task_tokens::refusal;
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    task_token: String,
    error: Option<String>,
    cause: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { task_token, error, cause } = read_input(input)?;
    context.engine().send_task_failure(&task_token, error, cause).await.map_err(refusal)?;
    Ok(json!({}))
}
