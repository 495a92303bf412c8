//! `AWS::SQS::Queue`: `Ref` is the queue URL.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape, TAGS};
use super::{Live, Provider, ProviderError, ResourceContext, tag_changes, tag_map, text};

pub(super) struct Queue;

static PROPERTIES: [Property; 17] = [
    Property::new("ContentBasedDeduplication", Shape::Boolean),
    Property::new("DeduplicationScope", Shape::Text),
    Property::new("DelaySeconds", Shape::Integer),
    Property::new("FifoQueue", Shape::Boolean).with(Effect::Replace),
    Property::new("FifoThroughputLimit", Shape::Text),
    Property::new("KmsDataKeyReusePeriodSeconds", Shape::Integer),
    Property::new("KmsMasterKeyId", Shape::Text),
    Property::new("MaximumMessageSize", Shape::Integer),
    Property::new("MessageRetentionPeriod", Shape::Integer),
    Property::new("QueueName", Shape::Text).with(Effect::Replace),
    Property::new("ReceiveMessageWaitTimeSeconds", Shape::Integer),
    Property::new("RedriveAllowPolicy", Shape::Any),
    Property::new("RedrivePolicy", Shape::Any),
    Property::new("SqsManagedSseEnabled", Shape::Boolean),
    Property::new("Tags", TAGS),
    Property::new("VisibilityTimeout", Shape::Integer),
    // Not a property of the resource type, but of the API; templates that carry it come from hand-written tools.
    Property::new("Policy", Shape::Any).with(Effect::Refuse("use AWS::SQS::QueuePolicy")),
];

/// Queue attributes by property, with what they are set to when the property goes away.
const ATTRIBUTES: [(&str, &str); 13] = [
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("DelaySeconds", "0"),
    ("FifoThroughputLimit", "perQueue"),
    ("KmsDataKeyReusePeriodSeconds", "300"),
    ("KmsMasterKeyId", ""),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedriveAllowPolicy", ""),
    ("RedrivePolicy", ""),
    ("SqsManagedSseEnabled", "true"),
    ("VisibilityTimeout", "30"),
];

impl Provider for Queue {
    fn kind(&self) -> &str {
        "AWS::SQS::Queue"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&PROPERTIES)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn", "QueueName", "QueueUrl"])
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("QueueName")
    }

    fn replaces(&self, old: &Value, new: &Value) -> bool {
        text(old, "QueueName") != text(new, "QueueName") || is_fifo(old) != is_fifo(new)
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let ending = if is_fifo(properties) { ".fifo" } else { "" };
            let name = text(properties, "QueueName").map_or_else(|| cx.generated(80, ending), str::to_owned);
            if !cx.resuming {
                // CreateQueue is idempotent; without this question a second stack would take over the first's.
                match cx.call("sqs", "GetQueueUrl", json!({"QueueName": name})).await {
                    Ok(_) => return Err(ProviderError::already_exists(self.kind(), &name)),
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error),
                }
            }
            let mut input = json!({"QueueName": name, "Attributes": attributes(properties)});
            let tags = tag_map(properties);
            if !tags.is_empty() {
                input["tags"] = json!(tags);
            }
            let reply = cx.call("sqs", "CreateQueue", input).await?;
            let url = text(&reply, "QueueUrl").unwrap_or_default().to_owned();
            let question = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
            let existing = Live { physical_id: url.clone(), attributes: BTreeMap::new() };
            let answer = cx.call("sqs", "GetQueueAttributes", question).await;
            let answer = answer.map_err(|error| error.leaving(&existing))?;
            let attributes = BTreeMap::from([
                ("Arn".to_owned(), answer["Attributes"]["QueueArn"].clone()),
                ("QueueName".to_owned(), json!(name)),
                ("QueueUrl".to_owned(), json!(url)),
            ]);
            Ok(Live { physical_id: url, attributes })
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
            let (before, now) = (attributes(old), attributes(new));
            let mut changes = Map::new();
            for (name, default) in ATTRIBUTES {
                match (before.get(name), now.get(name)) {
                    (before, Some(value)) if before != Some(value) => {
                        changes.insert(name.to_owned(), value.clone());
                    }
                    (Some(_), None) => {
                        changes.insert(name.to_owned(), json!(default));
                    }
                    _ => {}
                }
            }
            let url = &live.physical_id;
            if !changes.is_empty() {
                cx.call("sqs", "SetQueueAttributes", json!({"QueueUrl": url, "Attributes": changes})).await?;
            }
            let (set, removed) = tag_changes(old, new);
            if !removed.is_empty() {
                cx.call("sqs", "UntagQueue", json!({"QueueUrl": url, "TagKeys": removed})).await?;
            }
            if !set.is_empty() {
                cx.call("sqs", "TagQueue", json!({"QueueUrl": url, "Tags": set})).await?;
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
            match cx.call("sqs", "DeleteQueue", json!({"QueueUrl": live.physical_id})).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}

fn is_fifo(properties: &Value) -> bool {
    properties.get("FifoQueue") == Some(&Value::Bool(true))
}

/// The `Attributes` of CreateQueue: everything is text there, policies are JSON texts.
fn attributes(properties: &Value) -> Map<String, Value> {
    let mut attributes = Map::new();
    for (name, _) in ATTRIBUTES {
        let value = match properties.get(name) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        attributes.insert(name.to_owned(), Value::String(value));
    }
    // A standard queue does not know the attribute at all.
    if is_fifo(properties) {
        attributes.insert("FifoQueue".to_owned(), json!("true"));
    }
    attributes
}
