//! DescribeStateMachineAlias.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::aliases;
use crate::fault;
use crate::history::seconds;
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_alias_arn: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { state_machine_alias_arn: arn } = read_input(input)?;
    aliases::check_arn(&arn)?;
    let alias = context.machines().alias(&arn).ok_or_else(fault::reference_not_found)?;
    let routes: Vec<Value> = alias
        .routes
        .iter()
        .map(|(version, weight)| json!({ "stateMachineVersionArn": &**version, "weight": weight }))
        .collect();
    let mut answer = json!({
        "stateMachineAliasArn": &*alias.arn,
        "name": &*alias.name,
        "routingConfiguration": routes,
        "creationDate": seconds(alias.created_ms),
        "updateDate": seconds(alias.updated_ms.unwrap_or(alias.created_ms)),
    });
    if let Some(description) = &alias.description {
        answer["description"] = Value::from(&**description);
    }
    Ok(answer)
}
