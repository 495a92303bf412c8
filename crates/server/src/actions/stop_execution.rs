//! StopExecution: aborts a running execution; for a closed one it answers when it closed.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::StopExecutionError;

use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    execution_arn: String,
    error: Option<String>,
    cause: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { execution_arn, error, cause } = read_input(input)?;
    arns::standard_execution(&execution_arn)?;
    let stop_ms = context.engine().stop_execution(&execution_arn, error, cause).await.map_err(refusal)?;
    Ok(json!({ "stopDate": seconds(stop_ms) }))
}

fn refusal(error: StopExecutionError) -> Fault {
    match error {
        StopExecutionError::DoesNotExist { execution_arn } => fault::execution_does_not_exist(&execution_arn),
        StopExecutionError::Throttled => fault::throttled(),
        StopExecutionError::Stopping => fault::stopping(),
        error @ (StopExecutionError::Commit(_) | StopExecutionError::Read { .. }) => store_failure(&error),
    }
}
