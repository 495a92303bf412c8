//! `AWS::CloudFormation::Stack`: a stack within a stack. `Ref` is the ARN, `Outputs.NAME` are attributes.
//!
//! The template comes from the asset store; the host name of its URL says nothing but where the bucket is written.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape, TAGS};
use super::{Live, Provider, ProviderError, ResourceContext, tag_map, text};
use crate::limits::STACK_NESTING_MAX;
use crate::stack::{DeployError, DeployRequest, StackResult, delete_nested, deploy_nested};

pub(super) struct NestedStack;

static PROPERTIES: [Property; 5] = [
    Property::new("NotificationARNs", Shape::Any).with(Effect::Recorded),
    Property::new("Parameters", Shape::Map(&Shape::Any)),
    Property::new("Tags", TAGS),
    Property::new("TemplateURL", Shape::Text).required(),
    Property::new("TimeoutInMinutes", Shape::Integer).with(Effect::Recorded),
];

impl Provider for NestedStack {
    fn kind(&self) -> &str {
        "AWS::CloudFormation::Stack"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&PROPERTIES)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        None
    }

    fn changes_attribute(&self, _attribute: &str) -> bool {
        // Any output may change with the template.
        true
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let name = cx.generated_name(128);
            bring(cx, &name, properties).await
        })
    }

    fn update<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _old: &'a Value,
        new: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move { bring(cx, name_of(live), new).await })
    }

    fn delete<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match delete_nested(cx.environment, name_of(live), cx.sink).await {
                Ok(_) | Err(DeployError::NotFound(_)) => Ok(()),
                Err(error) => {
                    Err(ProviderError::new(format!("Embedded stack {}: {error}", live.physical_id)))
                }
            }
        })
    }
}

/// `arn:…:stack/NAME/UUID`.
fn name_of(live: &Live) -> &str {
    live.physical_id.split('/').nth(1).unwrap_or_default()
}

async fn bring(cx: &ResourceContext<'_>, name: &str, properties: &Value) -> Result<Live, ProviderError> {
    if cx.nesting >= STACK_NESTING_MAX {
        return Err(ProviderError::new(format!("stacks are nested deeper than {STACK_NESTING_MAX} levels")));
    }
    let url = text(properties, "TemplateURL").unwrap_or_default();
    let (bucket, key) = place(url)
        .ok_or_else(|| ProviderError::new(format!("TemplateURL must be a supported URL. ({url})")))?;
    let found = cx.environment.assets.get(&bucket, &key).await;
    let content = found.map_err(|error| ProviderError::new(error.to_string()))?.ok_or_else(|| {
        ProviderError::new(format!("The template s3://{bucket}/{key} does not exist; upload it first"))
    })?;
    let template = String::from_utf8(content)
        .map_err(|_| ProviderError::new(format!("The template s3://{bucket}/{key} is not UTF-8 text")))?;
    let request = DeployRequest {
        stack_name: name.to_owned(),
        template,
        parameters: parameters(properties),
        tags: tag_map(properties),
        ..DeployRequest::default()
    };
    match deploy_nested(cx.environment, &request, cx.sink, cx.stack_id, cx.nesting + 1).await {
        Ok(result) => {
            for warning in &result.warnings {
                cx.warn(warning.clone());
            }
            Ok(live(&result))
        }
        Err(DeployError::Failed(result)) => {
            let reason =
                format!("Embedded stack {} failed: {}", result.stack_id, DeployError::Failed(result.clone()));
            Err(ProviderError::new(reason).leaving(&live(&result)))
        }
        Err(error) => Err(ProviderError::new(format!("Embedded stack {name}: {error}"))),
    }
}

fn live(result: &StackResult) -> Live {
    let outputs = result.outputs.iter();
    let attributes = outputs.map(|output| (format!("Outputs.{}", output.key), json!(output.value)));
    Live { physical_id: result.stack_id.clone(), attributes: attributes.collect() }
}

/// Lists are joined with commas, as list parameters are given.
fn parameters(properties: &Value) -> BTreeMap<String, String> {
    let given = properties.get("Parameters").and_then(Value::as_object);
    let as_text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            items.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    };
    given.into_iter().flatten().map(|(name, value)| (name.clone(), as_text(value))).collect()
}

/// Bucket and key of `https://s3.REGION.amazonaws.com/BUCKET/KEY`, of `https://BUCKET.s3.REGION.amazonaws.com/KEY`, of
/// `http://HOST:PORT/BUCKET/KEY` and of `s3://BUCKET/KEY`.
fn place(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (host, path) = rest.split_once('/')?;
    let in_host = host.find(".s3.").or_else(|| host.find(".s3-"));
    let (bucket, key) = match (scheme, in_host) {
        ("s3", _) => (host, path),
        (_, Some(end)) => (&host[..end], path),
        (_, None) => path.split_once('/')?,
    };
    (!bucket.is_empty() && !key.is_empty()).then(|| (bucket.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn urls_name_bucket_and_key() {
        for url in [
            "https://s3.us-east-1.amazonaws.com/b/k/x.json",
            "https://b.s3.us-east-1.amazonaws.com/k/x.json",
            "https://b.s3-eu-west-1.amazonaws.com/k/x.json?versionId=1",
            "http://127.0.0.1:8083/b/k/x.json",
            "s3://b/k/x.json",
        ] {
            assert_eq!(place(url), Some(("b".to_owned(), "k/x.json".to_owned())), "{url}");
        }
        for url in ["", "b/k", "https://host/b", "https://s3.amazonaws.com//k"] {
            assert_eq!(place(url), None, "{url}");
        }
    }
}
