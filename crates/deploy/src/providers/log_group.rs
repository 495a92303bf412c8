//! `AWS::Logs::LogGroup`: `Ref` is the name. Where the host has no log service the group is only recorded, with the name
//! and ARN that other resources refer to.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape, TAGS};
use super::{Live, Provider, ProviderError, ResourceContext, text};

pub(super) struct LogGroup;

static PROPERTIES: [Property; 9] = [
    Property::new("LogGroupName", Shape::Text).with(Effect::Replace),
    Property::new("RetentionInDays", Shape::Integer),
    Property::new("KmsKeyId", Shape::Text).with(Effect::Recorded),
    Property::new("DataProtectionPolicy", Shape::Any).with(Effect::Recorded),
    Property::new("FieldIndexPolicies", Shape::Any).with(Effect::Recorded),
    Property::new("LogGroupClass", Shape::Text).with(Effect::Recorded),
    Property::new("ResourcePolicyDocument", Shape::Any).with(Effect::Recorded),
    Property::new("DeletionProtectionEnabled", Shape::Boolean).with(Effect::Recorded),
    Property::new("Tags", TAGS).with(Effect::Recorded),
];

impl Provider for LogGroup {
    fn kind(&self) -> &str {
        "AWS::Logs::LogGroup"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&PROPERTIES)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn"])
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LogGroupName")
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let name = text(properties, "LogGroupName").map_or_else(|| cx.generated_name(512), str::to_owned);
            let arn = cx.environment.account.arn("logs", &format!("log-group:{name}:*"));
            let live = Live {
                physical_id: name.clone(),
                attributes: BTreeMap::from([("Arn".to_owned(), json!(arn))]),
            };
            if has_service(cx) {
                match cx.call("logs", "CreateLogGroup", json!({ "logGroupName": name })).await {
                    Err(error) if !(cx.resuming && is_there_already(&error)) => return Err(error),
                    _ => {}
                }
                set_retention(cx, &name, properties).await.map_err(|error| error.leaving(&live))?;
            }
            Ok(live)
        })
    }

    fn update<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        old: &'a Value,
        new: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            if has_service(cx) && old["RetentionInDays"] != new["RetentionInDays"] {
                set_retention(cx, &live.physical_id, new).await?;
            }
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
            if !has_service(cx) {
                return Ok(());
            }
            match cx.call("logs", "DeleteLogGroup", json!({ "logGroupName": live.physical_id })).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}

fn has_service(cx: &ResourceContext<'_>) -> bool {
    cx.environment.services.service("logs").is_some()
}

async fn set_retention(
    cx: &ResourceContext<'_>,
    name: &str,
    properties: &Value,
) -> Result<(), ProviderError> {
    let days = &properties["RetentionInDays"];
    let group = json!({ "logGroupName": name });
    let (operation, input) = match days.is_null() {
        true => ("DeleteRetentionPolicy", group),
        false => ("PutRetentionPolicy", json!({ "logGroupName": name, "retentionInDays": days })),
    };
    cx.call("logs", operation, input).await.map(|_| ())
}

fn is_there_already(error: &ProviderError) -> bool {
    error.code.as_deref() == Some("ResourceAlreadyExistsException")
}
