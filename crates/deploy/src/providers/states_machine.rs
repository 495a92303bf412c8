//! `AWS::StepFunctions::StateMachine`: `Ref` is the ARN.
//!
//! The definition comes as text, as an object or as a file in the asset store, with `DefinitionSubstitutions` put in.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape, TAGS};
use super::{Live, Provider, ProviderError, ResourceContext, lower_first, tag_changes, tag_map, text};
use crate::intrinsics::sub::{Piece, pieces};

pub(super) struct StateMachine;

static PROPERTIES: [Property; 11] = [
    Property::new("Definition", Shape::Any),
    Property::new(
        "DefinitionS3Location",
        Shape::Object(&[
            Property::new("Bucket", Shape::Text).required(),
            Property::new("Key", Shape::Text).required(),
            Property::new("Version", Shape::Text).with(Effect::Warn("object versions are not kept")),
        ]),
    ),
    Property::new("DefinitionString", Shape::Text),
    Property::new("DefinitionSubstitutions", Shape::Map(&Shape::Any)),
    Property::new("EncryptionConfiguration", Shape::Any),
    Property::new(
        "LoggingConfiguration",
        Shape::Object(&[
            Property::new("Destinations", Shape::Any),
            Property::new("IncludeExecutionData", Shape::Boolean),
            Property::new("Level", Shape::Text),
        ]),
    ),
    Property::new("RoleArn", Shape::Text).required(),
    Property::new("StateMachineName", Shape::Text).with(Effect::Replace),
    Property::new("StateMachineType", Shape::Text).with(Effect::Replace),
    Property::new("Tags", TAGS),
    Property::new("TracingConfiguration", Shape::Object(&[Property::new("Enabled", Shape::Boolean)])),
];

impl Provider for StateMachine {
    fn kind(&self) -> &str {
        "AWS::StepFunctions::StateMachine"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&PROPERTIES)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn", "Name", "StateMachineRevisionId"])
    }

    fn changes_attribute(&self, attribute: &str) -> bool {
        attribute == "StateMachineRevisionId"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("StateMachineName")
    }

    fn replaces(&self, old: &Value, new: &Value) -> bool {
        // Leaving the type out means STANDARD.
        let kind = |properties: &Value| text(properties, "StateMachineType").unwrap_or("STANDARD").to_owned();
        text(old, "StateMachineName") != text(new, "StateMachineName") || kind(old) != kind(new)
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let given = text(properties, "StateMachineName");
            let name = given.map_or_else(|| cx.generated_name(80), str::to_owned);
            let arn = cx.environment.account.arn("states", &format!("stateMachine:{name}"));
            if !cx.resuming {
                // CreateStateMachine is idempotent; without this question a second stack would take over the first's.
                match cx.call("states", "DescribeStateMachine", json!({"stateMachineArn": arn})).await {
                    Ok(_) => return Err(ProviderError::already_exists(self.kind(), &arn)),
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error),
                }
            }
            let mut input = settings(cx, properties, None).await?;
            input.insert("name".to_owned(), json!(name));
            if let Some(kind) = text(properties, "StateMachineType") {
                input.insert("type".to_owned(), json!(kind));
            }
            if properties.get("Tags").is_some() {
                input.insert("tags".to_owned(), tag_list(properties));
            }
            let reply = cx.call("states", "CreateStateMachine", Value::Object(input)).await?;
            let arn = text(&reply, "stateMachineArn").map_or(arn, str::to_owned);
            let attributes = BTreeMap::from([
                ("Arn".to_owned(), json!(arn)),
                ("Name".to_owned(), json!(name)),
                // What PublishStateMachineVersion takes for a machine that was never updated.
                ("StateMachineRevisionId".to_owned(), json!("INITIAL")),
            ]);
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
            let mut input = settings(cx, new, Some(old)).await?;
            input.insert("stateMachineArn".to_owned(), json!(live.physical_id));
            let reply = cx.call("states", "UpdateStateMachine", Value::Object(input)).await?;
            let mut live = live.clone();
            if let Some(revision) = text(&reply, "revisionId") {
                live.attributes.insert("StateMachineRevisionId".to_owned(), json!(revision));
            }
            change_tags(cx, &live.physical_id, old, new).await?;
            Ok(live)
        })
    }

    fn delete<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let input = json!({"stateMachineArn": live.physical_id});
            match cx.call("states", "DeleteStateMachine", input).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}

/// What CreateStateMachine and UpdateStateMachine share. `old` is given for an update: a setting that went away is set
/// to its default, because an update leaves what it does not name.
async fn settings(
    cx: &ResourceContext<'_>,
    properties: &Value,
    old: Option<&Value>,
) -> Result<Map<String, Value>, ProviderError> {
    let mut input = Map::new();
    input.insert("definition".to_owned(), json!(definition(cx, properties).await?));
    input.insert("roleArn".to_owned(), properties["RoleArn"].clone());
    let defaults = [
        ("LoggingConfiguration", "loggingConfiguration", json!({"level": "OFF"})),
        ("TracingConfiguration", "tracingConfiguration", json!({"enabled": false})),
        ("EncryptionConfiguration", "encryptionConfiguration", json!({"type": "AWS_OWNED_KEY"})),
    ];
    for (property, member, default) in defaults {
        let value = match property {
            "EncryptionConfiguration" => encryption(properties),
            _ => properties.get(property).map(lower_first),
        };
        let went_away = old.is_some_and(|old| old.get(property).is_some());
        if let Some(value) = value.or_else(|| went_away.then_some(default)) {
            input.insert(member.to_owned(), value);
        }
    }
    Ok(input)
}

/// The text of the definition, substitutions made.
async fn definition(cx: &ResourceContext<'_>, properties: &Value) -> Result<String, ProviderError> {
    let empty = Map::new();
    let substitutions =
        properties.get("DefinitionSubstitutions").and_then(Value::as_object).unwrap_or(&empty);
    let sources = ["DefinitionString", "Definition", "DefinitionS3Location"];
    let given: Vec<&str> = sources.into_iter().filter(|name| properties.get(*name).is_some()).collect();
    match given.as_slice() {
        ["DefinitionString"] => {
            Ok(substituted(text(properties, "DefinitionString").unwrap_or_default(), substitutions))
        }
        ["Definition"] => {
            let mut definition = properties["Definition"].clone();
            substitute_all(&mut definition, substitutions);
            Ok(definition.to_string())
        }
        ["DefinitionS3Location"] => from_asset(cx, &properties["DefinitionS3Location"], substitutions).await,
        _ => Err(ProviderError::new(
            "Exactly one of Definition, DefinitionString and DefinitionS3Location must be given",
        )),
    }
}

async fn from_asset(
    cx: &ResourceContext<'_>,
    location: &Value,
    substitutions: &Map<String, Value>,
) -> Result<String, ProviderError> {
    let (bucket, key) =
        (text(location, "Bucket").unwrap_or_default(), text(location, "Key").unwrap_or_default());
    let found = cx.environment.assets.get(bucket, key).await;
    let content = found.map_err(|error| ProviderError::new(error.to_string()))?.ok_or_else(|| {
        ProviderError::new(format!("The definition s3://{bucket}/{key} does not exist; upload it first"))
    })?;
    let content = String::from_utf8(content)
        .map_err(|_| ProviderError::new(format!("The definition s3://{bucket}/{key} is not UTF-8 text")))?;
    if content.trim_start().starts_with('{') {
        return Ok(substituted(&content, substitutions));
    }
    // A definition file may be YAML; the API takes JSON only.
    let node = crate::template::parse_document(&content)
        .map_err(|problem| ProviderError::new(format!("The definition s3://{bucket}/{key}: {problem}")))?;
    let mut definition = node.to_json();
    substitute_all(&mut definition, substitutions);
    Ok(definition.to_string())
}

/// Replaces `${name}` by the substitution of that name; other `${…}` stay.
fn substituted(text: &str, substitutions: &Map<String, Value>) -> String {
    let Ok(cut) = pieces(text) else { return text.to_owned() };
    if substitutions.is_empty() {
        return text.to_owned();
    }
    let mut result = String::with_capacity(text.len());
    for piece in cut {
        match piece {
            Piece::Text(text) => result.push_str(text),
            Piece::Literal(literal) => result.push_str(&format!("${{!{literal}}}")),
            Piece::Variable(name) => match substitutions.get(name) {
                Some(Value::String(value)) => result.push_str(value),
                Some(value) => result.push_str(&value.to_string()),
                None => result.push_str(&format!("${{{name}}}")),
            },
        }
    }
    result
}

fn substitute_all(value: &mut Value, substitutions: &Map<String, Value>) {
    match value {
        Value::String(text) => *text = substituted(text, substitutions),
        Value::Array(items) => items.iter_mut().for_each(|item| substitute_all(item, substitutions)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| substitute_all(member, substitutions))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `EncryptionConfiguration` as the API has it; the period may come as text.
pub(super) fn encryption(properties: &Value) -> Option<Value> {
    let mut encryption = lower_first(properties.get("EncryptionConfiguration")?);
    if let Some(seconds) =
        encryption["kmsDataKeyReusePeriodSeconds"].as_str().and_then(|s| s.parse::<i64>().ok())
    {
        encryption["kmsDataKeyReusePeriodSeconds"] = json!(seconds);
    }
    Some(encryption)
}

/// Tags as Step Functions' API has them.
pub(super) fn tag_list(properties: &Value) -> Value {
    tag_map(properties).into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// Brings the tags of a state machine or activity from `old` to `new`.
pub(super) async fn change_tags(
    cx: &ResourceContext<'_>,
    arn: &str,
    old: &Value,
    new: &Value,
) -> Result<(), ProviderError> {
    let (set, removed) = tag_changes(old, new);
    if !removed.is_empty() {
        cx.call("states", "UntagResource", json!({"resourceArn": arn, "tagKeys": removed})).await?;
    }
    if !set.is_empty() {
        let tags: Vec<Value> =
            set.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        cx.call("states", "TagResource", json!({"resourceArn": arn, "tags": tags})).await?;
    }
    Ok(())
}
