//! `Map` in distributed mode: every item, or batch of items, is an execution of its own.

mod items;

use serde_json::{Map as Object, Value, json};

pub use items::{CsvHeaders, ItemBatcher, ItemReader, ResultWriter};

use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::map::{Items, exclusive, with_items};
use crate::state::{
    continued, in_jsonata, state_type, with_assign, with_error_handling, with_outputs, with_paths,
    with_result_path, with_result_selector,
};
use crate::values::{Number, insert_some};

state_type!(
    /// Runs the same states for every item of a large collection, each in a child execution.
    ///
    /// ```
    /// use stepwell_cdk::{DistributedMap, ExecutionType, ItemBatcher, ItemReader, Pass, ResultWriter, StateMachine};
    ///
    /// let each = DistributedMap::new("Each object")
    ///     .item_reader(ItemReader::s3_objects("files").prefix("in/"))
    ///     .item_batcher(ItemBatcher::new().max_items_per_batch(100))
    ///     .result_writer(ResultWriter::new("files").prefix("out/"))
    ///     .map_execution_type(ExecutionType::Express)
    ///     .tolerated_failure_percentage(5)
    ///     .item_processor(Pass::new("Convert"));
    /// let asl = StateMachine::new("Convert", each).to_json()?;
    /// assert_eq!(asl["States"]["Each object"]["ItemReader"]["Resource"], "arn:aws:states:::s3:listObjectsV2");
    /// # Ok::<(), stepwell_cdk::BuildErrors>(())
    /// ```
    DistributedMap, Settings, continues: true
);
continued!(DistributedMap);
with_paths!(DistributedMap);
with_outputs!(DistributedMap);
in_jsonata!(DistributedMap);
with_result_path!(DistributedMap);
with_result_selector!(DistributedMap);
with_assign!(DistributedMap);
with_error_handling!(DistributedMap);
with_items!(DistributedMap);

/// The type of the child executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExecutionType {
    /// Durable, up to a year.
    #[default]
    Standard,
    /// Short.
    Express,
}

#[derive(Default)]
struct Settings {
    items: Items,
    execution_type: ExecutionType,
    label: Option<String>,
    reader: Option<ItemReader>,
    batcher: Option<ItemBatcher>,
    writer: Option<ResultWriter>,
    tolerated_count: Option<u32>,
    tolerated_count_path: Option<String>,
    tolerated_percentage: Option<Number>,
    tolerated_percentage_path: Option<String>,
}

impl Specific for Settings {
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Object<String, Value>,
    ) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Map".into());
        let execution_type = match self.execution_type {
            ExecutionType::Standard => "STANDARD",
            ExecutionType::Express => "EXPRESS",
        };
        let config = json!({"Mode": "DISTRIBUTED", "ExecutionType": execution_type});
        fields.insert("ItemProcessor".into(), json!({"ProcessorConfig": config}));
        exclusive(state, ("items_path", self.items.path.is_some()), ("item_reader", self.reader.is_some()))?;
        self.items.render(state, fields)?;
        insert_some(fields, "ItemReader", self.reader.as_ref().map(|reader| reader.to_json(language)));
        insert_some(
            fields,
            "ItemBatcher",
            self.batcher.as_ref().map(|batcher| batcher.to_json(state)).transpose()?,
        );
        insert_some(fields, "ResultWriter", self.writer.as_ref().map(|writer| writer.to_json(language)));
        insert_some(fields, "Label", self.label.clone());
        self.render_tolerance(state, fields)
    }
}

impl Settings {
    fn render_tolerance(&self, state: &str, fields: &mut Object<String, Value>) -> Result<(), BuildError> {
        exclusive(
            state,
            ("tolerated_failure_count", self.tolerated_count.is_some()),
            ("tolerated_failure_count_path", self.tolerated_count_path.is_some()),
        )?;
        exclusive(
            state,
            ("tolerated_failure_percentage", self.tolerated_percentage.is_some()),
            ("tolerated_failure_percentage_path", self.tolerated_percentage_path.is_some()),
        )?;
        insert_some(fields, "ToleratedFailureCount", self.tolerated_count);
        insert_some(fields, "ToleratedFailureCountPath", self.tolerated_count_path.clone());
        if let Some(percentage) = self.tolerated_percentage {
            let percentage =
                percentage.to_json().ok_or_else(|| BuildError::NotFinite { state: state.to_owned() })?;
            fields.insert("ToleratedFailurePercentage".into(), percentage);
        }
        insert_some(fields, "ToleratedFailurePercentagePath", self.tolerated_percentage_path.clone());
        Ok(())
    }
}

impl DistributedMap {
    /// A Map without item processor yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> DistributedMap {
        DistributedMap::create(name, Settings::default())
    }

    /// The type of the child executions. Default: Standard.
    pub fn map_execution_type(&self, execution_type: ExecutionType) -> DistributedMap {
        self.set(|settings| settings.execution_type = execution_type)
    }

    /// A short name that becomes part of the ARNs of child executions, up to 40 characters.
    pub fn label(&self, label: impl Into<String>) -> DistributedMap {
        self.set(|settings| settings.label = Some(label.into()))
    }

    /// Takes the items from S3 instead of the input.
    pub fn item_reader(&self, reader: ItemReader) -> DistributedMap {
        self.set(|settings| settings.reader = Some(reader))
    }

    /// Gives each child execution several items.
    pub fn item_batcher(&self, batcher: ItemBatcher) -> DistributedMap {
        self.set(|settings| settings.batcher = Some(batcher))
    }

    /// Puts the results into S3 instead of the output.
    pub fn result_writer(&self, writer: ResultWriter) -> DistributedMap {
        self.set(|settings| settings.writer = Some(writer))
    }

    /// How many items may fail before the Map does. Default: none.
    pub fn tolerated_failure_count(&self, items: u32) -> DistributedMap {
        self.set(|settings| settings.tolerated_count = Some(items))
    }

    /// Where that number is.
    pub fn tolerated_failure_count_path(&self, path: impl Into<String>) -> DistributedMap {
        self.set(|settings| settings.tolerated_count_path = Some(path.into()))
    }

    /// How much of the items, 0 to 100, may fail before the Map does.
    pub fn tolerated_failure_percentage(&self, percentage: impl Into<Number>) -> DistributedMap {
        self.set(|settings| settings.tolerated_percentage = Some(percentage.into()))
    }

    /// Where that number is.
    pub fn tolerated_failure_percentage_path(&self, path: impl Into<String>) -> DistributedMap {
        self.set(|settings| settings.tolerated_percentage_path = Some(path.into()))
    }
}
