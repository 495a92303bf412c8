//! SendTaskHeartbeat: the heartbeat time of the token's task begins again.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::task_tokens::refusal;
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    task_token: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { task_token } = read_input(input)?;
    context.engine().send_task_heartbeat(&task_token).await.map_err(refusal)?;
    Ok(json!({}))
}
