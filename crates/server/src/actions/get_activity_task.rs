//! GetActivityTask: a long poll; without a task the answer is empty.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::activities::refusal;
use crate::limits::ACTIVITY_POLL;
use crate::states::{StepFunctions, read_input};
use crate::{arns, stopping};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    activity_arn: String,
    worker_name: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { activity_arn: arn, worker_name } = read_input(input)?;
    arns::activity(&arn)?;
    let activities = context.engine().activities();
    let polled = tokio::select! {
        // A task that was taken goes to the worker, also when the server begins to stop.
        biased;
        polled = activities.poll(&arn, worker_name.map(Arc::from), ACTIVITY_POLL) => polled,
        () = stopping::begun() => Ok(None),
    };
    Ok(match polled.map_err(refusal)? {
        Some(task) => json!({ "taskToken": task.token, "input": &**task.input.text() }),
        None => json!({}),
    })
}
