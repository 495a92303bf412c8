//! `AWS::DynamoDB::Table`: `Ref` is the name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape, TAGS, TEXTS};
use super::{Live, Provider, ProviderError, ResourceContext, copied, tag_changes, tag_map, text};

pub(super) struct Table;

const NO_EFFECT: &str = "has no effect here";

pub(super) const KEY_SCHEMA: Shape = Shape::List(&Shape::Object(&[
    Property::new("AttributeName", Shape::Text).required(),
    Property::new("KeyType", Shape::Text).required(),
]));
pub(super) const ATTRIBUTES: Shape = Shape::List(&Shape::Object(&[
    Property::new("AttributeName", Shape::Text).required(),
    Property::new("AttributeType", Shape::Text).required(),
]));
pub(super) const PROJECTION: Shape =
    Shape::Object(&[Property::new("NonKeyAttributes", TEXTS), Property::new("ProjectionType", Shape::Text)]);
const THROUGHPUT: Shape = Shape::Object(&[
    Property::new("ReadCapacityUnits", Shape::Integer).required(),
    Property::new("WriteCapacityUnits", Shape::Integer).required(),
]);
pub(super) const LOCAL_INDEXES: Shape = Shape::List(&Shape::Object(&[
    Property::new("IndexName", Shape::Text).required(),
    Property::new("KeySchema", KEY_SCHEMA).required(),
    Property::new("Projection", PROJECTION).required(),
]));
pub(super) const STREAM: Shape = Shape::Object(&[
    Property::new("ResourcePolicy", Shape::Any),
    Property::new("StreamViewType", Shape::Text).required(),
]);
pub(super) const TIME_TO_LIVE: Shape = Shape::Object(&[
    Property::new("AttributeName", Shape::Text),
    Property::new("Enabled", Shape::Boolean).required(),
]);

static PROPERTIES: [Property; 20] = [
    Property::new("AttributeDefinitions", ATTRIBUTES),
    Property::new("BillingMode", Shape::Text),
    Property::new("ContributorInsightsSpecification", Shape::Any).with(Effect::Warn(NO_EFFECT)),
    Property::new("DeletionProtectionEnabled", Shape::Boolean),
    Property::new(
        "GlobalSecondaryIndexes",
        Shape::List(&Shape::Object(&[
            Property::new("ContributorInsightsSpecification", Shape::Any),
            Property::new("IndexName", Shape::Text).required(),
            Property::new("KeySchema", KEY_SCHEMA).required(),
            Property::new("OnDemandThroughput", Shape::Any),
            Property::new("Projection", PROJECTION).required(),
            Property::new("ProvisionedThroughput", THROUGHPUT),
            Property::new("WarmThroughput", Shape::Any),
        ])),
    ),
    Property::new("ImportSourceSpecification", Shape::Any)
        .with(Effect::Refuse("importing data; write the items after the deployment")),
    Property::new("KeySchema", KEY_SCHEMA).with(Effect::Replace).required(),
    Property::new("KinesisStreamSpecification", Shape::Any)
        .with(Effect::Refuse("Kinesis streams of changes")),
    Property::new("LocalSecondaryIndexes", LOCAL_INDEXES).with(Effect::Replace),
    Property::new("OnDemandThroughput", Shape::Any).with(Effect::Warn(NO_EFFECT)),
    Property::new("PointInTimeRecoverySpecification", Shape::Any)
        .with(Effect::Warn("there are no backups by point in time")),
    Property::new("ProvisionedThroughput", THROUGHPUT),
    Property::new("ResourcePolicy", Shape::Any).with(Effect::Recorded),
    Property::new("SSESpecification", Shape::Any).with(Effect::Recorded),
    Property::new("StreamSpecification", STREAM),
    Property::new("TableClass", Shape::Text),
    Property::new("TableName", Shape::Text).with(Effect::Replace),
    Property::new("Tags", TAGS),
    Property::new("TimeToLiveSpecification", TIME_TO_LIVE),
    Property::new("WarmThroughput", Shape::Any).with(Effect::Warn(NO_EFFECT)),
];

impl Provider for Table {
    fn kind(&self) -> &str {
        "AWS::DynamoDB::Table"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&PROPERTIES)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn", "StreamArn"])
    }

    fn changes_attribute(&self, attribute: &str) -> bool {
        attribute == "StreamArn"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("TableName")
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(create_table(cx, self.kind(), properties))
    }

    fn update<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        old: &'a Value,
        new: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(update_table(cx, live, old, new))
    }

    fn delete<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(delete_table(cx, live))
    }
}

/// Creates a table from properties of `AWS::DynamoDB::Table`, and waits until it can be used.
pub(super) async fn create_table(
    cx: &ResourceContext<'_>,
    kind: &str,
    properties: &Value,
) -> Result<Live, ProviderError> {
    let given = text(properties, "TableName");
    let name = given.map_or_else(|| cx.generated_name(255), str::to_owned);
    let members = [
        "AttributeDefinitions",
        "BillingMode",
        "DeletionProtectionEnabled",
        "KeySchema",
        "LocalSecondaryIndexes",
        "ProvisionedThroughput",
        "TableClass",
    ];
    let mut input = copied(properties, &members);
    input.insert("TableName".to_owned(), json!(name));
    if let Some(stream) = properties.get("StreamSpecification") {
        input.insert("StreamSpecification".to_owned(), stream_specification(stream));
    }
    let indexes = indexes(properties);
    if !indexes.is_empty() {
        input.insert("GlobalSecondaryIndexes".to_owned(), indexes.into_values().collect());
    }
    if properties.get("Tags").is_some() {
        input.insert("Tags".to_owned(), tags(tag_map(properties)));
    }
    match cx.call("dynamodb", "CreateTable", Value::Object(input)).await {
        Ok(_) => {}
        Err(error) if error.code.as_deref() == Some("ResourceInUseException") => {
            if !cx.resuming {
                return Err(ProviderError::already_exists(kind, &name));
            }
        }
        Err(error) => return Err(error),
    }
    let existing = Live { physical_id: name.clone(), attributes: BTreeMap::new() };
    let live = await_active(cx, &name).await.map_err(|error| error.leaving(&existing))?;
    time_to_live(cx, &name, &Value::Null, properties).await.map_err(|error| error.leaving(&live))?;
    Ok(live)
}

/// Brings a table from `old` to `new` properties of `AWS::DynamoDB::Table`.
pub(super) async fn update_table(
    cx: &ResourceContext<'_>,
    live: &Live,
    old: &Value,
    new: &Value,
) -> Result<Live, ProviderError> {
    let name = &live.physical_id;
    let mut latest = live.clone();
    for change in table_changes(old, new) {
        let mut input = change;
        input.insert("TableName".to_owned(), json!(name));
        cx.call("dynamodb", "UpdateTable", Value::Object(input)).await?;
        latest = await_active(cx, name).await?;
    }
    time_to_live(cx, name, old, new).await?;
    let (set, removed) = tag_changes(old, new);
    let arn = latest.attributes.get("Arn").cloned().unwrap_or_default();
    if !removed.is_empty() {
        cx.call("dynamodb", "UntagResource", json!({"ResourceArn": arn, "TagKeys": removed})).await?;
    }
    if !set.is_empty() {
        cx.call("dynamodb", "TagResource", json!({"ResourceArn": arn, "Tags": tags(set)})).await?;
    }
    Ok(latest)
}

/// Deletes a table and waits until it is gone.
pub(super) async fn delete_table(cx: &ResourceContext<'_>, live: &Live) -> Result<(), ProviderError> {
    let question = json!({"TableName": live.physical_id});
    match cx.call("dynamodb", "DeleteTable", question.clone()).await {
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    match cx.until("dynamodb", "DescribeTable", &question, |_| false).await {
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// The inputs of the UpdateTable calls that are needed, one change of an index each, as the API demands.
fn table_changes(old: &Value, new: &Value) -> Vec<Map<String, Value>> {
    let mut changes = Vec::new();
    let differs = |property: &str| old.get(property) != new.get(property);
    let billing = |properties: &Value| text(properties, "BillingMode").unwrap_or("PROVISIONED").to_owned();
    if billing(old) != billing(new) || (differs("ProvisionedThroughput") && billing(new) == "PROVISIONED") {
        let mut input = Map::from_iter([("BillingMode".to_owned(), json!(billing(new)))]);
        if billing(new) == "PROVISIONED" {
            input.extend(copied(new, &["ProvisionedThroughput"]));
        }
        changes.push(input);
    }
    if differs("TableClass") {
        let class = text(new, "TableClass").unwrap_or("STANDARD");
        changes.push(Map::from_iter([("TableClass".to_owned(), json!(class))]));
    }
    let protected =
        |properties: &Value| properties.get("DeletionProtectionEnabled") == Some(&Value::Bool(true));
    if protected(old) != protected(new) {
        changes.push(Map::from_iter([("DeletionProtectionEnabled".to_owned(), json!(protected(new)))]));
    }
    let view = |properties: &Value| {
        properties
            .get("StreamSpecification")
            .and_then(|stream| text(stream, "StreamViewType").map(str::to_owned))
    };
    let (old_view, new_view) = (view(old), view(new));
    if old_view != new_view {
        // The kind of a stream cannot change: it ends, and another begins.
        if old_view.is_some() {
            changes
                .push(Map::from_iter([("StreamSpecification".to_owned(), json!({"StreamEnabled": false}))]));
        }
        if let Some(stream) = new.get("StreamSpecification") {
            changes.push(Map::from_iter([("StreamSpecification".to_owned(), stream_specification(stream))]));
        }
    }
    let (old_indexes, new_indexes) = (indexes(old), indexes(new));
    let attributes = new.get("AttributeDefinitions").cloned().unwrap_or_else(|| json!([]));
    let mut index_change = |change: Value| {
        changes.push(Map::from_iter([
            ("AttributeDefinitions".to_owned(), attributes.clone()),
            ("GlobalSecondaryIndexUpdates".to_owned(), json!([change])),
        ]));
    };
    for (name, index) in &old_indexes {
        if new_indexes.get(name) != Some(index) {
            index_change(json!({"Delete": {"IndexName": name}}));
        }
    }
    for (name, index) in &new_indexes {
        if old_indexes.get(name) != Some(index) {
            index_change(json!({"Create": index}));
        }
    }
    changes
}

/// Global secondary indexes by name, with the members that CreateTable knows.
fn indexes(properties: &Value) -> BTreeMap<String, Value> {
    let listed = properties.get("GlobalSecondaryIndexes").and_then(Value::as_array);
    let known = ["IndexName", "KeySchema", "Projection", "ProvisionedThroughput"];
    listed
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(|index| {
            Some((text(index, "IndexName")?.to_owned(), Value::Object(copied(index, &known))))
        })
        .collect()
}

fn stream_specification(stream: &Value) -> Value {
    json!({"StreamEnabled": true, "StreamViewType": stream["StreamViewType"]})
}

fn tags(tags: BTreeMap<String, String>) -> Value {
    tags.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

async fn await_active(cx: &ResourceContext<'_>, name: &str) -> Result<Live, ProviderError> {
    let is_active = |answer: &Value| {
        let table = &answer["Table"];
        let indexes = table["GlobalSecondaryIndexes"].as_array().map(Vec::as_slice).unwrap_or_default();
        text(table, "TableStatus") == Some("ACTIVE")
            && indexes.iter().all(|index| text(index, "IndexStatus").is_none_or(|status| status == "ACTIVE"))
    };
    let answer = cx.until("dynamodb", "DescribeTable", &json!({"TableName": name}), is_active).await?;
    let table = &answer["Table"];
    let mut attributes = BTreeMap::from([("Arn".to_owned(), table["TableArn"].clone())]);
    if let Some(stream) = text(table, "LatestStreamArn") {
        attributes.insert("StreamArn".to_owned(), json!(stream));
    }
    if let Some(id) = text(table, "TableId") {
        attributes.insert("TableId".to_owned(), json!(id));
    }
    Ok(Live { physical_id: name.to_owned(), attributes })
}

async fn time_to_live(
    cx: &ResourceContext<'_>,
    name: &str,
    old: &Value,
    new: &Value,
) -> Result<(), ProviderError> {
    const PROPERTY: &str = "TimeToLiveSpecification";
    let enabled = |properties: &Value| {
        let specification = properties.get(PROPERTY)?;
        let is_on = specification.get("Enabled") == Some(&Value::Bool(true));
        is_on.then(|| text(specification, "AttributeName").unwrap_or_default().to_owned())
    };
    let (before, now) = (enabled(old), enabled(new));
    if before == now {
        return Ok(());
    }
    let steps = [before.map(|attribute| (attribute, false)), now.map(|attribute| (attribute, true))];
    for (attribute, is_on) in steps.into_iter().flatten() {
        let specification = json!({"AttributeName": attribute, "Enabled": is_on});
        let input = json!({"TableName": name, PROPERTY: specification});
        cx.call("dynamodb", "UpdateTimeToLive", input).await?;
    }
    Ok(())
}
