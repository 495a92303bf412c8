//! UpdateStateMachineAlias.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::{AliasUpdate, UpdateAliasError};

use super::aliases::{self, RoutingItem};
use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_alias_arn: String,
    description: Option<String>,
    routing_configuration: Option<Vec<RoutingItem>>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { state_machine_alias_arn: arn, description, routing_configuration } = read_input(input)?;
    aliases::check_arn(&arn)?;
    let routing = routing_configuration.map(|items| aliases::routes(&items)).transpose()?;
    let routes = match routing {
        Some((machine_arn, _)) if machine_arn != arns::split_qualifier(&arn).0 => {
            let message = "Routing configuration must contain versions of the state machine of the alias.";
            return Err(fault::validation(message, Some("INVALID_ROUTING_CONFIGURATION")));
        }
        Some((_, routes)) => Some(routes),
        None => None,
    };
    if description.is_none() && routes.is_none() {
        let message = "Either the description or the routingConfiguration must be specified";
        return Err(fault::validation(message, Some("MISSING_REQUIRED_PARAMETER")));
    }
    let now_ms = context.now_ms();
    context
        .blocking(move |context| {
            let update = AliasUpdate { description, routes };
            context.machines().update_alias(&arn, update, now_ms).map_err(refusal)
        })
        .await?;
    Ok(json!({ "updateDate": seconds(now_ms) }))
}

fn refusal(error: UpdateAliasError) -> Fault {
    match error {
        UpdateAliasError::DoesNotExist => fault::reference_not_found(),
        UpdateAliasError::Deleting { arn } => fault::machine_deleting(&arn),
        UpdateAliasError::Machines(error) => store_failure(&error),
    }
}
