//! RedriveExecution: an execution that ended without success goes on from where it failed.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::RedriveExecutionError;

use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    execution_arn: String,
    client_token: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { execution_arn, client_token } = read_input(input)?;
    arns::standard_execution(&execution_arn)?;
    // A child execution is redriven with its Map Run alone.
    if arns::is_labelled_execution(&execution_arn) {
        return Err(fault::validation(
            "Labeled Execution ARNs are not supported for this API",
            Some("API_DOES_NOT_SUPPORT_LABELED_ARNS"),
        ));
    }
    let redrive_ms =
        context.engine().redrive_execution(&execution_arn, client_token).await.map_err(refusal)?;
    Ok(json!({ "redriveDate": seconds(redrive_ms) }))
}

fn refusal(error: RedriveExecutionError) -> Fault {
    match error {
        RedriveExecutionError::DoesNotExist { execution_arn } => {
            fault::execution_does_not_exist(&execution_arn)
        }
        RedriveExecutionError::NotRedrivable { reason } => fault::execution_not_redrivable(reason),
        RedriveExecutionError::Throttled => fault::throttled(),
        RedriveExecutionError::Stopping => fault::stopping(),
        error @ (RedriveExecutionError::Commit(_) | RedriveExecutionError::Read { .. }) => {
            store_failure(&error)
        }
    }
}
