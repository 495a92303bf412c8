//! DeleteStateMachineVersion: refused while an alias routes to it; deleting what does not exist succeeds.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::DeleteVersionError;

use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_version_arn: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { state_machine_version_arn: arn } = read_input(input)?;
    arns::machine_without_label(&arn)?;
    if arns::version(&arn).is_none() {
        return Err(fault::validation(format!("'{arn}' is not a state machine version ARN"), None));
    }
    context.blocking(move |c| c.machines().delete_version(&arn).map_err(refusal)).await?;
    Ok(json!({}))
}

fn refusal(error: DeleteVersionError) -> Fault {
    match error {
        DeleteVersionError::Referenced { aliases } => fault::conflict(format!(
            "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this \
             version: [{}]",
            aliases.join(", ")
        )),
        DeleteVersionError::Machines(error) => store_failure(&error),
    }
}
