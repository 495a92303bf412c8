//! `AWS::StepFunctions::Activity`: `Ref` is the ARN.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape, TAGS};
use super::states_machine::{change_tags, encryption, tag_list};
use super::{Live, Provider, ProviderError, ResourceContext, text};

pub(super) struct Activity;

static PROPERTIES: [Property; 3] = [
    Property::new("Name", Shape::Text).with(Effect::Replace).required(),
    Property::new("EncryptionConfiguration", Shape::Any).with(Effect::Replace),
    Property::new("Tags", TAGS),
];

impl Provider for Activity {
    fn kind(&self) -> &str {
        "AWS::StepFunctions::Activity"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&PROPERTIES)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn", "Name"])
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
            let name = text(properties, "Name").unwrap_or_default();
            let arn = cx.environment.account.arn("states", &format!("activity:{name}"));
            if !cx.resuming {
                // CreateActivity is idempotent; without this question a second stack would take over the first's.
                match cx.call("states", "DescribeActivity", json!({"activityArn": arn})).await {
                    Ok(_) => return Err(ProviderError::already_exists(self.kind(), &arn)),
                    // A service without activities says so to the creation, too, in words that fit better.
                    Err(error) if error.is_not_found() || error.is_unknown_operation() => {}
                    Err(error) => return Err(error),
                }
            }
            let mut input = json!({"name": name, "tags": tag_list(properties)});
            if let Some(encryption) = encryption(properties) {
                input["encryptionConfiguration"] = encryption;
            }
            let reply = cx.call("states", "CreateActivity", input).await?;
            let arn = text(&reply, "activityArn").map_or(arn, str::to_owned);
            let attributes =
                BTreeMap::from([("Arn".to_owned(), json!(arn)), ("Name".to_owned(), json!(name))]);
            Ok(Live { physical_id: arn, attributes })
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
            change_tags(cx, &live.physical_id, old, new).await?;
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
            let input = json!({"activityArn": live.physical_id});
            match cx.call("states", "DeleteActivity", input).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}
