//! `AWS::StepFunctions::StateMachineVersion` and `…Alias`: `Ref` is the ARN of the version or alias.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape};
use super::{Live, Provider, ProviderError, ResourceContext, lower_first, text};

pub(super) struct StateMachineVersion;

static VERSION: [Property; 3] = [
    Property::new("StateMachineArn", Shape::Text).with(Effect::Replace).required(),
    Property::new("StateMachineRevisionId", Shape::Text).with(Effect::Replace),
    Property::new("Description", Shape::Text).with(Effect::Replace),
];

fn live(arn: &str) -> Live {
    Live { physical_id: arn.to_owned(), attributes: BTreeMap::from([("Arn".to_owned(), json!(arn))]) }
}

impl Provider for StateMachineVersion {
    fn kind(&self) -> &str {
        "AWS::StepFunctions::StateMachineVersion"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&VERSION)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn"])
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let mut input = json!({"stateMachineArn": properties["StateMachineArn"]});
            for (property, member) in
                [("StateMachineRevisionId", "revisionId"), ("Description", "description")]
            {
                if let Some(value) = text(properties, property) {
                    input[member] = json!(value);
                }
            }
            let reply = cx.call("states", "PublishStateMachineVersion", input).await?;
            Ok(live(text(&reply, "stateMachineVersionArn").unwrap_or_default()))
        })
    }

    fn update<'a>(
        &'a self,
        _cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _old: &'a Value,
        _new: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move { Ok(live.clone()) })
    }

    fn delete<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let input = json!({"stateMachineVersionArn": live.physical_id});
            match cx.call("states", "DeleteStateMachineVersion", input).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}

pub(super) struct StateMachineAlias;

static ALIAS: [Property; 4] = [
    Property::new("Name", Shape::Text).with(Effect::Replace),
    Property::new("Description", Shape::Text),
    Property::new(
        "RoutingConfiguration",
        Shape::List(&Shape::Object(&[
            Property::new("StateMachineVersionArn", Shape::Text).required(),
            Property::new("Weight", Shape::Integer).required(),
        ])),
    ),
    Property::new("DeploymentPreference", Shape::Any)
        .with(Effect::Refuse("shifting traffic step by step; use RoutingConfiguration")),
];

fn alias_input(properties: &Value) -> Value {
    let routing = properties.get("RoutingConfiguration").cloned().unwrap_or_else(|| json!([]));
    let mut input = json!({"routingConfiguration": lower_first(&routing)});
    if let Some(description) = text(properties, "Description") {
        input["description"] = json!(description);
    }
    input
}

impl Provider for StateMachineAlias {
    fn kind(&self) -> &str {
        "AWS::StepFunctions::StateMachineAlias"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&ALIAS)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn"])
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let mut input = alias_input(properties);
            input["name"] =
                json!(text(properties, "Name").map_or_else(|| cx.generated_name(80), str::to_owned));
            let reply = cx.call("states", "CreateStateMachineAlias", input).await?;
            Ok(live(text(&reply, "stateMachineAliasArn").unwrap_or_default()))
        })
    }

    fn update<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _old: &'a Value,
        new: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let mut input = alias_input(new);
            input["stateMachineAliasArn"] = json!(live.physical_id);
            cx.call("states", "UpdateStateMachineAlias", input).await?;
            Ok(live.clone())
        })
    }

    fn delete<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let input = json!({"stateMachineAliasArn": live.physical_id});
            match cx.call("states", "DeleteStateMachineAlias", input).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}
