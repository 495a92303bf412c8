//! CreateStateMachineAlias: idempotent on name, description and routing.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::{CreateAliasError, NewAlias};

use super::aliases::{self, RoutingItem};
use crate::fault;
use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    description: Option<String>,
    name: String,
    routing_configuration: Vec<RoutingItem>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { description, name, routing_configuration } = read_input(input)?;
    let (machine_arn, routes) = aliases::routes(&routing_configuration)?;
    let now_ms = context.now_ms();
    let alias = context
        .blocking(move |context| {
            let new = NewAlias { name, description, routes };
            context.machines().create_alias(&machine_arn, new, now_ms).map_err(refusal)
        })
        .await?;
    Ok(json!({ "stateMachineAliasArn": &*alias.arn, "creationDate": seconds(alias.created_ms) }))
}

fn refusal(error: CreateAliasError) -> Fault {
    match error {
        CreateAliasError::VersionDoesNotExist => fault::reference_not_found(),
        CreateAliasError::Deleting { arn } => fault::machine_deleting(&arn),
        CreateAliasError::Differs => fault::conflict(
            "Failed to create alias because an alias with the same name and a different routing configuration already \
             exists.",
        ),
        error @ CreateAliasError::LimitExceeded => fault::quota_exceeded(error.to_string()),
        CreateAliasError::Machines(error) => store_failure(&error),
    }
}
