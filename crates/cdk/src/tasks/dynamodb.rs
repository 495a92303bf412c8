//! `dynamodb:getItem`, `putItem`, `updateItem`, `deleteItem`.

mod attribute;

use serde_json::{Map, Value};

pub use attribute::{DynamoAttributeValue, DynamoProjectionExpression};

use super::{IntegrationPattern, service_task};
use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::resources::Table;
use crate::state::task_type;

/// Which consumed capacity DynamoDB reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DynamoConsumedCapacity {
    /// Of the table and each index.
    Indexes,
    /// The sum.
    Total,
    /// None.
    None,
}

/// Whether DynamoDB reports the size of item collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DynamoItemCollectionMetrics {
    /// It does.
    Size,
    /// It does not.
    None,
}

/// Which attributes DynamoDB returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DynamoReturnValues {
    /// None.
    None,
    /// All, as they were before.
    AllOld,
    /// The updated ones, as they were before.
    UpdatedOld,
    /// All, as they are afterwards.
    AllNew,
    /// The updated ones, as they are afterwards.
    UpdatedNew,
}

/// The parameters of all four calls; each type of task offers those that its call has.
struct Settings {
    api: &'static str,
    parameters: Map<String, Value>,
    /// Whether all numbers can be written.
    finite: bool,
}

impl Specific for Settings {
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        if !self.finite {
            return Err(BuildError::NotFinite { state: state.to_owned() });
        }
        service_task(
            state,
            language,
            self.api,
            IntegrationPattern::RequestResponse,
            self.parameters.clone(),
            fields,
        )
    }
}

impl Settings {
    fn new<K: Into<String>>(
        api: &'static str,
        item_field: &'static str,
        item: impl IntoIterator<Item = (K, DynamoAttributeValue)>,
        table: &Table,
    ) -> Settings {
        let mut settings = Settings { api, parameters: Map::new(), finite: true };
        settings.parameters.insert("TableName".into(), table.name().into());
        settings.insert_attributes(item_field, item);
        if api == "dynamodb:getItem" {
            settings.parameters.insert("ConsistentRead".into(), false.into());
        }
        settings
    }

    fn insert_attributes<K: Into<String>>(
        &mut self,
        field: &str,
        attributes: impl IntoIterator<Item = (K, DynamoAttributeValue)>,
    ) {
        let attribute = DynamoAttributeValue::from_map(attributes);
        self.finite &= attribute.is_finite();
        self.parameters.insert(field.to_owned(), attribute.into_members());
    }
}

/// Defines one of the four tasks.
macro_rules! dynamo_task {
    ($(#[$doc:meta])* $name:ident, $api:literal, $item:literal, $what:literal) => {
        task_type!($(#[$doc])* $name, Settings);

        impl $name {
            #[doc = $what]
            #[must_use]
            pub fn new<K: Into<String>>(
                name: impl Into<String>,
                table: Table,
                item: impl IntoIterator<Item = (K, DynamoAttributeValue)>,
            ) -> $name {
                $name::create(name, Settings::new($api, $item, item, &table))
            }

            /// As [`new`](Self::new), with JSONata as query language: `{% … %}` in strings is an expression.
            #[must_use]
            pub fn jsonata<K: Into<String>>(
                name: impl Into<String>,
                table: Table,
                item: impl IntoIterator<Item = (K, DynamoAttributeValue)>,
            ) -> $name {
                $name::new(name, table, item).in_language(QueryLanguage::Jsonata)
            }

            /// Stands for attribute names in expressions: `#name` and the name.
            pub fn expression_attribute_names<K: Into<String>, V: Into<String>>(
                &self,
                names: impl IntoIterator<Item = (K, V)>,
            ) -> $name {
                let names: Map<String, Value> =
                    names.into_iter().map(|(key, name)| (key.into(), Value::String(name.into()))).collect();
                self.parameter("ExpressionAttributeNames", names)
            }

            /// Which consumed capacity is reported. Default: none.
            pub fn return_consumed_capacity(&self, capacity: DynamoConsumedCapacity) -> $name {
                let capacity = match capacity {
                    DynamoConsumedCapacity::Indexes => "INDEXES",
                    DynamoConsumedCapacity::Total => "TOTAL",
                    DynamoConsumedCapacity::None => "NONE",
                };
                self.parameter("ReturnConsumedCapacity", capacity)
            }

            fn parameter(&self, name: &str, value: impl Into<Value>) -> $name {
                self.set(|settings| {
                    settings.parameters.insert(name.to_owned(), value.into());
                })
            }
        }
    };
}

/// What the three writing calls have in common.
macro_rules! writes {
    ($name:ident) => {
        impl $name {
            /// Writes only where this condition holds; otherwise the task fails with
            /// `DynamoDB.ConditionalCheckFailedException`.
            pub fn condition_expression(&self, expression: impl Into<String>) -> $name {
                self.parameter("ConditionExpression", expression.into())
            }

            /// Values for expressions: `:name` and the value.
            pub fn expression_attribute_values<K: Into<String>>(
                &self,
                values: impl IntoIterator<Item = (K, DynamoAttributeValue)>,
            ) -> $name {
                self.set(|settings| settings.insert_attributes("ExpressionAttributeValues", values))
            }

            /// Whether the size of item collections is reported. Default: no.
            pub fn return_item_collection_metrics(&self, metrics: DynamoItemCollectionMetrics) -> $name {
                let metrics = match metrics {
                    DynamoItemCollectionMetrics::Size => "SIZE",
                    DynamoItemCollectionMetrics::None => "NONE",
                };
                self.parameter("ReturnItemCollectionMetrics", metrics)
            }

            /// Which attributes are returned. Default: none.
            pub fn return_values(&self, values: DynamoReturnValues) -> $name {
                let values = match values {
                    DynamoReturnValues::None => "NONE",
                    DynamoReturnValues::AllOld => "ALL_OLD",
                    DynamoReturnValues::UpdatedOld => "UPDATED_OLD",
                    DynamoReturnValues::AllNew => "ALL_NEW",
                    DynamoReturnValues::UpdatedNew => "UPDATED_NEW",
                };
                self.parameter("ReturnValues", values)
            }
        }
    };
}

dynamo_task!(
    /// Reads an item.
    ///
    /// ```
    /// use stepwell_cdk::{DynamoAttributeValue, DynamoGetItem, Table};
    ///
    /// let key = [("MessageId", DynamoAttributeValue::from_string("MessageNo1"))];
    /// let read = DynamoGetItem::new("GetItemFromDb", Table::from_name("TableStepFuncDemo"), key).result_path("$.DynamoDB");
    /// # let _ = read;
    /// ```
    DynamoGetItem,
    "dynamodb:getItem",
    "Key",
    "Reads the item with this key from `table`."
);

impl DynamoGetItem {
    /// Whether the read sees all writes before it. Default: no.
    pub fn consistent_read(&self, consistent: bool) -> DynamoGetItem {
        self.parameter("ConsistentRead", consistent)
    }

    /// Which attributes are read. Default: all.
    pub fn projection_expression(
        &self,
        attributes: impl IntoIterator<Item = DynamoProjectionExpression>,
    ) -> DynamoGetItem {
        let parts: Vec<String> = attributes.into_iter().map(|part| part.to_string()).collect();
        self.parameter("ProjectionExpression", parts.join(","))
    }
}

dynamo_task!(
    /// Writes an item, replacing one with the same key.
    ///
    /// ```
    /// use stepwell_cdk::{DynamoAttributeValue, DynamoPutItem, JsonPath, Table};
    ///
    /// let item = [
    ///     ("MessageId", DynamoAttributeValue::from_string(JsonPath::string_at("$.id"))),
    ///     ("Count", DynamoAttributeValue::from_number(1)),
    /// ];
    /// let write = DynamoPutItem::new("Store", Table::from_name("Messages"), item)
    ///     .condition_expression("attribute_not_exists(MessageId)");
    /// # let _ = write;
    /// ```
    DynamoPutItem,
    "dynamodb:putItem",
    "Item",
    "Writes this item to `table`."
);
writes!(DynamoPutItem);

dynamo_task!(
    /// Changes attributes of an item, which is created where it does not exist.
    ///
    /// ```
    /// use stepwell_cdk::{DynamoAttributeValue, DynamoUpdateItem, Table};
    ///
    /// let count = DynamoUpdateItem::new("Count", Table::from_name("Messages"), [("Id", DynamoAttributeValue::from_string("a"))])
    ///     .update_expression("SET seen = seen + :one")
    ///     .expression_attribute_values([(":one", DynamoAttributeValue::from_number(1))]);
    /// # let _ = count;
    /// ```
    DynamoUpdateItem,
    "dynamodb:updateItem",
    "Key",
    "Changes the item with this key in `table`."
);
writes!(DynamoUpdateItem);

impl DynamoUpdateItem {
    /// What changes: `SET a = :a REMOVE b`.
    pub fn update_expression(&self, expression: impl Into<String>) -> DynamoUpdateItem {
        self.parameter("UpdateExpression", expression.into())
    }
}

dynamo_task!(
    /// Deletes an item.
    ///
    /// ```
    /// use stepwell_cdk::{DynamoAttributeValue, DynamoDeleteItem, JsonPath, Table};
    ///
    /// let forget = DynamoDeleteItem::new("Forget", Table::from_name("Messages"), [("Id", DynamoAttributeValue::from_string("a"))])
    ///     .result_path(JsonPath::DISCARD);
    /// # let _ = forget;
    /// ```
    DynamoDeleteItem,
    "dynamodb:deleteItem",
    "Key",
    "Deletes the item with this key from `table`."
);
writes!(DynamoDeleteItem);
