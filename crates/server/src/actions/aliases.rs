//! What the operations on aliases share: the check of a routing configuration, and an alias's ARN.

use serde::Deserialize;
use stepwell_aws::Fault;
use stepwell_engine::machines::Route;

use crate::arns::MachineArn;
use crate::{arns, fault};

/// The reason that faults about a routing configuration carry.
const INVALID_ROUTING: Option<&str> = Some("INVALID_ROUTING_CONFIGURATION");

/// An item of `routingConfiguration`. The model has checked that the weight is 0 to 100.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoutingItem {
    state_machine_version_arn: String,
    weight: f64,
}

/// The machine of the versions that a routing configuration names, and the routes.
pub(super) fn routes(items: &[RoutingItem]) -> Result<(String, Vec<Route>), Fault> {
    let arns: Vec<&str> = items.iter().map(|item| item.state_machine_version_arn.as_str()).collect();
    for arn in &arns {
        arns::machine_without_label(arn)?;
    }
    let invalid = |message: String| Err(fault::validation(message, INVALID_ROUTING));
    let received = arns.join(", ");
    let mut routes: Vec<Route> = Vec::with_capacity(items.len());
    for item in items {
        let Some(version) = arns::version(&item.state_machine_version_arn) else {
            let message = "Routing configuration must contain state machine version ARNs.";
            return invalid(format!("{message} Received: [{received}]"));
        };
        routes.push(Route { version, weight: item.weight as u8 });
    }
    let machines: Vec<&str> = arns.iter().map(|arn| arns::split_qualifier(arn).0).collect();
    if machines.iter().any(|machine| *machine != machines[0]) {
        let message = "Routing configuration must contain versions of the same state machine.";
        return invalid(format!("{message} Received: [{received}]"));
    }
    if let [first, second] = routes[..]
        && first.version == second.version
    {
        let message = "Routing configuration must contain distinct state machine version ARNs.";
        return invalid(format!("{message} Received: [{received}]"));
    }
    if routes.iter().map(|route| u32::from(route.weight)).sum::<u32>() != 100 {
        let weights: Vec<String> = routes.iter().map(|route| route.weight.to_string()).collect();
        let message = "Sum of routing configuration weights must equal 100.";
        return invalid(format!("{message} Received: [{}]", weights.join(", ")));
    }
    // The model has checked that there is an item.
    Ok((machines.first().copied().unwrap_or_default().to_owned(), routes))
}

/// Refuses what cannot be an alias's ARN.
pub(super) fn check_arn(arn: &str) -> Result<(), Fault> {
    let form = arns::machine_without_label(arn)?;
    if form != MachineArn::Qualified || arns::version(arn).is_some() {
        return Err(fault::validation(format!("'{arn}' is not a state machine alias ARN"), None));
    }
    Ok(())
}
