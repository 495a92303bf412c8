//! `AWS::DynamoDB::GlobalTable` (what CDK's `TableV2` gives) with one replica in this region: a plain table.

use serde_json::{Value, json};
use stepwell_aws::BoxFuture;

use super::dynamodb_table::{
    ATTRIBUTES, KEY_SCHEMA, LOCAL_INDEXES, PROJECTION, STREAM, TIME_TO_LIVE, create_table, delete_table,
    update_table,
};
use super::schema::{Effect, Property, Shape, TAGS};
use super::{Live, Provider, ProviderError, ResourceContext, copied, text};

pub(super) struct GlobalTable;

const NO_EFFECT: &str = "has no effect here";

const AUTO_SCALING: Shape = Shape::Object(&[
    Property::new("MaxCapacity", Shape::Integer),
    Property::new("MinCapacity", Shape::Integer),
    Property::new("SeedCapacity", Shape::Integer),
    Property::new("TargetTrackingScalingPolicyConfiguration", Shape::Any),
]);
const WRITE_THROUGHPUT: Shape =
    Shape::Object(&[Property::new("WriteCapacityAutoScalingSettings", AUTO_SCALING)]);
const READ_THROUGHPUT: Shape = Shape::Object(&[
    Property::new("ReadCapacityAutoScalingSettings", AUTO_SCALING),
    Property::new("ReadCapacityUnits", Shape::Integer),
]);

static PROPERTIES: [Property; 16] = [
    Property::new("AttributeDefinitions", ATTRIBUTES).required(),
    Property::new("BillingMode", Shape::Text),
    Property::new(
        "GlobalSecondaryIndexes",
        Shape::List(&Shape::Object(&[
            Property::new("IndexName", Shape::Text).required(),
            Property::new("KeySchema", KEY_SCHEMA).required(),
            Property::new("Projection", PROJECTION).required(),
            Property::new("WarmThroughput", Shape::Any),
            Property::new("WriteOnDemandThroughputSettings", Shape::Any),
            Property::new("WriteProvisionedThroughputSettings", WRITE_THROUGHPUT),
        ])),
    ),
    Property::new("GlobalTableSettingsReplicationMode", Shape::Any).with(Effect::Recorded),
    Property::new("GlobalTableSourceArn", Shape::Text).with(Effect::Refuse("tables shared with others")),
    Property::new("GlobalTableWitnesses", Shape::Any).with(Effect::Warn(NO_EFFECT)),
    Property::new("KeySchema", KEY_SCHEMA).with(Effect::Replace),
    Property::new("LocalSecondaryIndexes", LOCAL_INDEXES).with(Effect::Replace),
    Property::new("MultiRegionConsistency", Shape::Text).with(Effect::Warn(NO_EFFECT)),
    Property::new(
        "Replicas",
        Shape::List(&Shape::Object(&[
            Property::new("ContributorInsightsSpecification", Shape::Any).with(Effect::Warn(NO_EFFECT)),
            Property::new("DeletionProtectionEnabled", Shape::Boolean),
            Property::new("GlobalSecondaryIndexes", Shape::Any),
            Property::new("GlobalTableSettingsReplicationMode", Shape::Any),
            Property::new("KinesisStreamSpecification", Shape::Any)
                .with(Effect::Refuse("Kinesis streams of changes")),
            Property::new("PointInTimeRecoverySpecification", Shape::Any)
                .with(Effect::Warn("there are no backups by point in time")),
            Property::new("ReadOnDemandThroughputSettings", Shape::Any),
            Property::new("ReadProvisionedThroughputSettings", READ_THROUGHPUT),
            Property::new("Region", Shape::Text).required(),
            Property::new("ReplicaStreamSpecification", Shape::Any),
            Property::new("ResourcePolicy", Shape::Any),
            Property::new("SSESpecification", Shape::Any),
            Property::new("TableClass", Shape::Text),
            Property::new("Tags", TAGS),
        ])),
    )
    .required(),
    Property::new("SSESpecification", Shape::Any).with(Effect::Recorded),
    Property::new("StreamSpecification", STREAM),
    Property::new("TableName", Shape::Text).with(Effect::Replace),
    Property::new("TimeToLiveSpecification", TIME_TO_LIVE),
    Property::new("WarmThroughput", Shape::Any).with(Effect::Warn(NO_EFFECT)),
    Property::new("WriteProvisionedThroughputSettings", WRITE_THROUGHPUT),
];

impl Provider for GlobalTable {
    fn kind(&self) -> &str {
        "AWS::DynamoDB::GlobalTable"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&PROPERTIES)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn", "StreamArn", "TableId"])
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
        Box::pin(async move {
            let table = as_table(cx, properties)?;
            create_table(cx, self.kind(), &table).await
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
            let (old, new) = (as_table(cx, old)?, as_table(cx, new)?);
            update_table(cx, live, &old, &new).await
        })
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

/// The properties of the plain table that a global table with one local replica is.
fn as_table(cx: &ResourceContext<'_>, properties: &Value) -> Result<Value, ProviderError> {
    let region = &cx.environment.account.region;
    let replicas =
        properties.get("Replicas").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let [replica] = replicas else {
        return Err(ProviderError::new(format!(
            "Replicas must hold exactly one replica, in region {region}; there is no replication here"
        )));
    };
    if text(replica, "Region") != Some(region) {
        return Err(ProviderError::new(format!("The replica must be in region {region}")));
    }
    let shared = [
        "AttributeDefinitions",
        "BillingMode",
        "KeySchema",
        "LocalSecondaryIndexes",
        "StreamSpecification",
        "TableName",
        "TimeToLiveSpecification",
    ];
    let mut table = copied(properties, &shared);
    table.extend(copied(replica, &["DeletionProtectionEnabled", "TableClass", "Tags"]));
    let is_provisioned = text(properties, "BillingMode").unwrap_or("PROVISIONED") == "PROVISIONED";
    if is_provisioned {
        table.insert("ProvisionedThroughput".to_owned(), throughput(properties, replica));
    }
    if let Some(indexes) = properties.get("GlobalSecondaryIndexes").and_then(Value::as_array) {
        let of_replica = replica.get("GlobalSecondaryIndexes").and_then(Value::as_array);
        let plain = indexes.iter().map(|index| {
            let mut plain = copied(index, &["IndexName", "KeySchema", "Projection"]);
            if is_provisioned {
                let name = text(index, "IndexName");
                let same = of_replica.into_iter().flatten().find(|other| text(other, "IndexName") == name);
                plain.insert(
                    "ProvisionedThroughput".to_owned(),
                    throughput(index, same.unwrap_or(&Value::Null)),
                );
            }
            Value::Object(plain)
        });
        table.insert("GlobalSecondaryIndexes".to_owned(), plain.collect());
    }
    Ok(Value::Object(table))
}

/// Nothing is throttled here, so the lower end of auto scaling stands for the capacity.
fn throughput(write: &Value, read: &Value) -> Value {
    let writes =
        write.pointer("/WriteProvisionedThroughputSettings/WriteCapacityAutoScalingSettings/MinCapacity");
    let settings = read.get("ReadProvisionedThroughputSettings");
    let reads = settings.and_then(|settings| {
        settings
            .get("ReadCapacityUnits")
            .or_else(|| settings.pointer("/ReadCapacityAutoScalingSettings/MinCapacity"))
    });
    json!({"ReadCapacityUnits": reads.cloned().unwrap_or(json!(1)), "WriteCapacityUnits": writes.cloned().unwrap_or(json!(1))})
}
