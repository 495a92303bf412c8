//! `AWS::Lambda::Version` and `AWS::Lambda::Alias`: `Ref` is the ARN with the qualifier.
//!
//! Where the Lambda service does not know versions, both stand for `$LATEST`, with a warning: a state machine that
//! calls them runs the function's current code instead of a frozen copy.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape};
use super::{Live, Provider, ProviderError, ResourceContext, copied, text};

pub(super) struct Version;

static VERSION: [Property; 7] = [
    Property::new("CodeSha256", Shape::Text).with(Effect::Replace),
    Property::new("Description", Shape::Text).with(Effect::Replace),
    Property::new("FunctionName", Shape::Text).with(Effect::Replace).required(),
    Property::new("FunctionScalingConfig", Shape::Any).with(Effect::Recorded),
    Property::new("ProvisionedConcurrencyConfig", Shape::Any).with(Effect::Recorded),
    Property::new("RuntimePolicy", Shape::Any).with(Effect::Recorded),
    Property::new("Tags", Shape::Any).with(Effect::Recorded),
];

/// The unqualified ARN of a function given by name, ARN or partial ARN.
fn function_arn(cx: &ResourceContext<'_>, function: &str) -> String {
    if function.starts_with("arn:") {
        return function.splitn(8, ':').take(7).collect::<Vec<_>>().join(":");
    }
    let name = function.rsplit(':').next().unwrap_or(function);
    cx.environment.account.arn("lambda", &format!("function:{name}"))
}

fn version(arn: &str, number: &str) -> Live {
    let attributes =
        BTreeMap::from([("FunctionArn".to_owned(), json!(arn)), ("Version".to_owned(), json!(number))]);
    Live { physical_id: arn.to_owned(), attributes }
}

impl Provider for Version {
    fn kind(&self) -> &str {
        "AWS::Lambda::Version"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&VERSION)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["FunctionArn", "Version"])
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let input = copied(properties, &["FunctionName", "CodeSha256", "Description"]);
            match cx.call("lambda", "PublishVersion", Value::Object(input)).await {
                Ok(reply) => {
                    let arn = text(&reply, "FunctionArn").unwrap_or_default();
                    let number = text(&reply, "Version").unwrap_or("$LATEST");
                    // The API's ARN may come without the qualifier that CloudFormation's always has.
                    let is_qualified = arn.split(':').count() > 7;
                    Ok(version(
                        &if is_qualified { arn.to_owned() } else { format!("{arn}:{number}") },
                        number,
                    ))
                }
                Err(error) if error.is_unknown_operation() => {
                    cx.warn("the Lambda service has no versions; this one stands for $LATEST");
                    let function = text(properties, "FunctionName").unwrap_or_default();
                    Ok(version(&format!("{}:$LATEST", function_arn(cx, function)), "$LATEST"))
                }
                Err(error) => Err(error),
            }
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
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let Some(number) = live.attributes.get("Version").and_then(Value::as_str) else { return Ok(()) };
            if number == "$LATEST" {
                return Ok(());
            }
            let input = json!({"FunctionName": properties["FunctionName"], "Qualifier": number});
            match cx.call("lambda", "DeleteFunction", input).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}

pub(super) struct Alias;

static ALIAS: [Property; 7] = [
    Property::new("Description", Shape::Text),
    Property::new("FunctionName", Shape::Text).with(Effect::Replace).required(),
    Property::new("FunctionVersion", Shape::Text).required(),
    Property::new("Name", Shape::Text).with(Effect::Replace).required(),
    Property::new("ProvisionedConcurrencyConfig", Shape::Any).with(Effect::Recorded),
    Property::new("RoutingConfig", Shape::Any).with(Effect::Warn("calls are not shared between versions")),
    Property::new("Tags", Shape::Any).with(Effect::Recorded),
];

const ALIAS_MEMBERS: [&str; 4] = ["Description", "FunctionName", "FunctionVersion", "Name"];

fn alias(arn: &str) -> Live {
    Live { physical_id: arn.to_owned(), attributes: BTreeMap::from([("AliasArn".to_owned(), json!(arn))]) }
}

impl Provider for Alias {
    fn kind(&self) -> &str {
        "AWS::Lambda::Alias"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&ALIAS)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["AliasArn"])
    }

    fn name_property(&self) -> Option<&'static str> {
        // The name is unique per function only, and a replacement is on another function.
        None
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let function = function_arn(cx, text(properties, "FunctionName").unwrap_or_default());
            let name = text(properties, "Name").unwrap_or_default();
            let input = copied(properties, &ALIAS_MEMBERS);
            match cx.call("lambda", "CreateAlias", Value::Object(input)).await {
                Ok(reply) => {
                    let arn =
                        text(&reply, "AliasArn").map_or_else(|| format!("{function}:{name}"), str::to_owned);
                    Ok(alias(&arn))
                }
                Err(error) if error.is_unknown_operation() => {
                    cx.warn("the Lambda service has no aliases; this one stands for $LATEST");
                    Ok(alias(&format!("{function}:$LATEST")))
                }
                Err(error) if cx.resuming && error.code.as_deref() == Some("ResourceConflictException") => {
                    Ok(alias(&format!("{function}:{name}")))
                }
                Err(error) => Err(error),
            }
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
            if !live.physical_id.ends_with(":$LATEST") {
                let mut input = copied(new, &ALIAS_MEMBERS);
                input.entry("Description").or_insert_with(|| json!(""));
                cx.call("lambda", "UpdateAlias", Value::Object(input)).await?;
            }
            Ok(live.clone())
        })
    }

    fn delete<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            if live.physical_id.ends_with(":$LATEST") {
                return Ok(());
            }
            let input = copied(properties, &["FunctionName", "Name"]);
            match cx.call("lambda", "DeleteAlias", Value::Object(input)).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}
