//! PublishStateMachineVersion: idempotent on the machine and its revision.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::{Publication, PublishVersionError};

use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_arn: String,
    revision_id: Option<String>,
    description: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { state_machine_arn: arn, revision_id, description } = read_input(input)?;
    arns::machine_without_label(&arn)?;
    let now_ms = context.now_ms();
    let version = context
        .blocking(move |context| {
            let publication = Publication { description };
            let revision_id = revision_id.as_deref().filter(|id| !id.is_empty());
            context.machines().publish(&arn, revision_id, publication, now_ms).map_err(refusal)
        })
        .await?;
    Ok(json!({ "stateMachineVersionArn": &*version.arn, "creationDate": seconds(version.created_ms) }))
}

fn refusal(error: PublishVersionError) -> Fault {
    match error {
        PublishVersionError::DoesNotExist { arn } => fault::machine_does_not_exist(&arn),
        PublishVersionError::Deleting { arn } => fault::machine_deleting(&arn),
        PublishVersionError::OtherRevision { current } => fault::conflict(format!(
            "The revision ID does not match the current revision of the state machine. Current revision ID: {current}"
        )),
        error @ PublishVersionError::LimitExceeded => fault::quota_exceeded(error.to_string()),
        PublishVersionError::Machines(error) => store_failure(&error),
    }
}
