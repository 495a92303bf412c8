//! Tags of functions.

use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::change;
use crate::Inner;
use crate::faults;
use crate::names::{self, FunctionId};
use crate::validate::{Input, Problems};

/// Tags of one function, AWS's limit.
const TAGS_MAX: usize = 50;

fn resource(inner: &Inner, input: &Input<'_>) -> Result<FunctionId, Fault> {
    let arn = input.required_text("Resource")?;
    let id = names::parse(arn, None, &inner.ground.account)?;
    if !arn.starts_with("arn:") || id.qualifier.is_some() {
        return Err(faults::invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    inner.function(&id)?;
    Ok(id)
}

pub(super) async fn tag(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let id = resource(inner, input)?;
    let Some(tags) = input.text_map("Tags")? else {
        let mut problems = Problems::new();
        problems.missing("tags");
        problems.fault()?;
        return Ok(json!({}));
    };
    change(inner, &id, |record| {
        record.tags.extend(tags);
        if record.tags.len() > TAGS_MAX {
            return Err(faults::invalid_parameter("Number of tags exceeds resource tag limit."));
        }
        Ok(json!({}))
    })
    .await
}

pub(super) async fn untag(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let id = resource(inner, input)?;
    let keys = input.get("TagKeys").and_then(Value::as_array).cloned().unwrap_or_default();
    change(inner, &id, |record| {
        record.tags.retain(|name, _| !keys.iter().any(|key| key.as_str() == Some(name)));
        Ok(json!({}))
    })
    .await
}

pub(super) fn list(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let id = resource(inner, input)?;
    Ok(json!({"Tags": inner.function(&id)?.record().tags.clone()}))
}
