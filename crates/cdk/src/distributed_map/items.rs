//! Where the items of a distributed Map come from, how they are put together, and where its results go.

use serde_json::{Map as Object, Value, json};

use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::map::exclusive;
use crate::values::{Text, insert_some};

/// Reads the items of a Map from S3.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemReader {
    api: &'static str,
    parameters: Object<String, Value>,
    config: Object<String, Value>,
}

/// Where the names of a CSV file's columns come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CsvHeaders {
    /// From its first row.
    FirstRow,
    /// From here.
    Given(Vec<String>),
}

impl ItemReader {
    /// The objects of `bucket`: their names, sizes and so on, not what is in them.
    #[must_use]
    pub fn s3_objects(bucket: impl Into<Text>) -> ItemReader {
        let mut parameters = Object::new();
        bucket.into().insert_into(&mut parameters, "Bucket");
        ItemReader { api: "listObjectsV2", parameters, config: Object::new() }
    }

    /// The members of an array in a JSON file.
    #[must_use]
    pub fn s3_json(bucket: impl Into<Text>, key: impl Into<Text>) -> ItemReader {
        ItemReader::file("JSON", bucket.into(), key.into())
    }

    /// The lines of a JSON Lines file.
    #[must_use]
    pub fn s3_json_lines(bucket: impl Into<Text>, key: impl Into<Text>) -> ItemReader {
        ItemReader::file("JSONL", bucket.into(), key.into())
    }

    /// The rows of a CSV file.
    #[must_use]
    pub fn s3_csv(bucket: impl Into<Text>, key: impl Into<Text>, headers: CsvHeaders) -> ItemReader {
        let mut reader = ItemReader::file("CSV", bucket.into(), key.into());
        let location = match &headers {
            CsvHeaders::FirstRow => "FIRST_ROW",
            CsvHeaders::Given(_) => "GIVEN",
        };
        reader.config.insert("CSVHeaderLocation".into(), location.into());
        if let CsvHeaders::Given(headers) = headers {
            reader.config.insert("CSVHeaders".into(), headers.into());
        }
        reader
    }

    /// The objects that an S3 inventory or another manifest lists.
    #[must_use]
    pub fn s3_manifest(bucket: impl Into<Text>, key: impl Into<Text>) -> ItemReader {
        ItemReader::file("MANIFEST", bucket.into(), key.into())
    }

    /// Only objects whose names begin like this; for [`ItemReader::s3_objects`].
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Text>) -> ItemReader {
        prefix.into().insert_into(&mut self.parameters, "Prefix");
        self
    }

    /// What separates the cells: `COMMA` (default), `PIPE`, `SEMICOLON`, `SPACE`, `TAB`; for [`ItemReader::s3_csv`].
    #[must_use]
    pub fn csv_delimiter(mut self, delimiter: impl Into<String>) -> ItemReader {
        self.config.insert("CSVDelimiter".into(), delimiter.into().into());
        self
    }

    /// Not more items than this.
    #[must_use]
    pub fn max_items(mut self, items: u32) -> ItemReader {
        self.config.insert("MaxItems".into(), items.into());
        self
    }

    /// Where that number is.
    #[must_use]
    pub fn max_items_path(mut self, path: impl Into<String>) -> ItemReader {
        self.config.insert("MaxItemsPath".into(), path.into().into());
        self
    }

    fn file(input_type: &str, bucket: Text, key: Text) -> ItemReader {
        let mut reader = ItemReader::s3_objects(bucket);
        reader.api = "getObject";
        key.insert_into(&mut reader.parameters, "Key");
        reader.config.insert("InputType".into(), input_type.into());
        reader
    }

    pub(super) fn to_json(&self, language: QueryLanguage) -> Value {
        let mut reader = Object::new();
        reader.insert("Resource".into(), format!("arn:aws:states:::s3:{}", self.api).into());
        if !self.config.is_empty() {
            reader.insert("ReaderConfig".into(), self.config.clone().into());
        }
        reader.insert(language.call_field().into(), self.parameters.clone().into());
        Value::Object(reader)
    }
}

/// Puts items together for one child execution: by number, by size, or both.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemBatcher {
    max_items: Option<u32>,
    max_items_path: Option<String>,
    max_bytes: Option<u32>,
    max_bytes_path: Option<String>,
    input: Option<Value>,
}

impl ItemBatcher {
    /// A batcher that needs a limit yet.
    #[must_use]
    pub fn new() -> ItemBatcher {
        ItemBatcher::default()
    }

    /// At most this many items.
    #[must_use]
    pub fn max_items_per_batch(mut self, items: u32) -> ItemBatcher {
        self.max_items = Some(items);
        self
    }

    /// Where that number is.
    #[must_use]
    pub fn max_items_per_batch_path(mut self, path: impl Into<String>) -> ItemBatcher {
        self.max_items_path = Some(path.into());
        self
    }

    /// At most this many bytes of input, up to 262,144.
    #[must_use]
    pub fn max_input_bytes_per_batch(mut self, bytes: u32) -> ItemBatcher {
        self.max_bytes = Some(bytes);
        self
    }

    /// Where that number is.
    #[must_use]
    pub fn max_input_bytes_per_batch_path(mut self, path: impl Into<String>) -> ItemBatcher {
        self.max_bytes_path = Some(path.into());
        self
    }

    /// What every batch gets in addition: a payload template.
    #[must_use]
    pub fn batch_input(mut self, template: Value) -> ItemBatcher {
        self.input = Some(template);
        self
    }

    pub(super) fn to_json(&self, state: &str) -> Result<Value, BuildError> {
        let (items, items_path) = (self.max_items.is_some(), self.max_items_path.is_some());
        let (bytes, bytes_path) = (self.max_bytes.is_some(), self.max_bytes_path.is_some());
        exclusive(state, ("max_items_per_batch", items), ("max_items_per_batch_path", items_path))?;
        exclusive(
            state,
            ("max_input_bytes_per_batch", bytes),
            ("max_input_bytes_per_batch_path", bytes_path),
        )?;
        if !(items || items_path || bytes || bytes_path) {
            let problem = "an item batcher needs a limit, of items or of bytes".to_owned();
            return Err(BuildError::InvalidSettings { state: state.to_owned(), problem });
        }
        let mut batcher = Object::new();
        insert_some(&mut batcher, "MaxItemsPerBatch", self.max_items);
        insert_some(&mut batcher, "MaxItemsPerBatchPath", self.max_items_path.clone());
        insert_some(&mut batcher, "MaxInputBytesPerBatch", self.max_bytes);
        insert_some(&mut batcher, "MaxInputBytesPerBatchPath", self.max_bytes_path.clone());
        insert_some(&mut batcher, "BatchInput", self.input.clone());
        Ok(Value::Object(batcher))
    }
}

/// Writes the results of a Map to S3.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultWriter {
    parameters: Object<String, Value>,
}

impl ResultWriter {
    /// Into `bucket`.
    #[must_use]
    pub fn new(bucket: impl Into<Text>) -> ResultWriter {
        let mut parameters = Object::new();
        bucket.into().insert_into(&mut parameters, "Bucket");
        ResultWriter { parameters }
    }

    /// With names that begin like this.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Text>) -> ResultWriter {
        prefix.into().insert_into(&mut self.parameters, "Prefix");
        self
    }

    pub(super) fn to_json(&self, language: QueryLanguage) -> Value {
        json!({"Resource": "arn:aws:states:::s3:putObject", (language.call_field()): self.parameters})
    }
}
