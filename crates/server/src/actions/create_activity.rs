//! CreateActivity: idempotent by name and encryption; the tags of a repeated call are ignored.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::TAGS_MAX;

use super::activities::refusal;
use super::configurations::{self, Encryption};
use super::tags;
use crate::history::seconds;
use crate::names;
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    tags: Option<Vec<tags::Tag>>,
    encryption_configuration: Option<Encryption>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    names::check(&input.name)?;
    let encryption = configurations::encryption(input.encryption_configuration)?;
    let tags = tags::pairs(input.tags.unwrap_or_default());
    if tags.len() > TAGS_MAX {
        return Err(tags::too_many(
            &context.engine().account().arn("states", &format!("activity:{}", input.name)),
        ));
    }
    let now_ms = context.now_ms();
    let activity = context
        .blocking(move |context| {
            context.engine().activities().create(&input.name, &encryption, tags, now_ms).map_err(refusal)
        })
        .await?;
    Ok(json!({ "activityArn": &*activity.arn, "creationDate": seconds(activity.created_ms) }))
}
