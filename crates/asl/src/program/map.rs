//! `Parallel` and `Map`: the states that contain others.

use std::sync::Arc;

use super::{Assign, Catcher, PathField, Resource, ResultPath, Retrier, StateId, Transition};
use crate::path::Path;
use crate::template::Template;

/// `Parallel`.
#[derive(Debug)]
pub struct Parallel {
    /// `InputPath`.
    pub input_path: PathField,
    /// `Parameters`.
    pub parameters: Option<Template>,
    /// `Arguments` of a JSONata state.
    pub arguments: Option<Template>,
    /// `Branches`, in order; at least one.
    pub branches: Vec<Branch>,
    /// `ResultSelector`.
    pub result_selector: Option<Template>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `OutputPath`.
    pub output_path: PathField,
    /// `Output` of a JSONata state.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Assign>,
    /// `Retry`, in order.
    pub retry: Vec<Retrier>,
    /// `Catch`, in order.
    pub catch: Vec<Catcher>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// A branch of a `Parallel`. Its states are in the program's arena.
#[derive(Debug)]
pub struct Branch {
    /// `Comment`.
    pub comment: Option<Arc<str>>,
    /// `StartAt`.
    pub start_at: StateId,
}

/// `Map`.
#[derive(Debug)]
pub struct Map {
    /// `InputPath`.
    pub input_path: PathField,
    /// What is iterated over.
    pub items: Items,
    /// `ItemSelector`, or `Parameters` as it was called before.
    pub item_selector: Option<Template>,
    /// `MaxConcurrency` or `MaxConcurrencyPath`; 0 sets no limit.
    pub max_concurrency: Option<CountField>,
    /// `ItemProcessor`, or `Iterator` as it was called before.
    pub processor: Processor,
    /// The fields of a Distributed Map; some may be given for an inline one and then mean nothing.
    pub distributed: Box<Distributed>,
    /// `ResultSelector`.
    pub result_selector: Option<Template>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `OutputPath`.
    pub output_path: PathField,
    /// `Output` of a JSONata state.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Assign>,
    /// `Retry`, in order.
    pub retry: Vec<Retrier>,
    /// `Catch`, in order.
    pub catch: Vec<Catcher>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// Where the items of a `Map` come from.
#[derive(Debug)]
pub enum Items {
    /// The effective input itself: neither `ItemsPath` nor `Items`.
    Input,
    /// `ItemsPath`
    Path(Path),
    /// `Items` of a JSONata state: an array, an object, or an expression.
    Template(Template),
}

/// What is done with each item.
#[derive(Debug)]
pub struct Processor {
    /// `Comment`.
    pub comment: Option<Arc<str>>,
    /// `StartAt`. The states are in the program's arena.
    pub start_at: StateId,
    /// `ProcessorConfig`.
    pub mode: ProcessorMode,
}

/// `Mode` of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessorMode {
    /// `INLINE`, or no `ProcessorConfig`: iterations in the execution's own history.
    Inline,
    /// `DISTRIBUTED`: a child execution per item or batch.
    Distributed(ExecutionType),
}

/// `ExecutionType` of a Distributed Map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionType {
    /// `STANDARD`
    Standard,
    /// `EXPRESS`
    Express,
}

/// A whole number from zero, given or to be looked up.
#[derive(Debug)]
pub enum CountField {
    /// The number.
    Literal(u32),
    /// The `…Path` variant.
    Path(Path),
    /// An expression of a JSONata state.
    Query(Template),
}

/// A percentage, given or to be looked up.
#[derive(Debug)]
pub enum PercentageField {
    /// 0 to 100.
    Literal(f64),
    /// The `…Path` variant.
    Path(Path),
    /// An expression of a JSONata state.
    Query(Template),
}

/// The fields that only a Distributed Map uses.
#[derive(Debug, Default)]
pub struct Distributed {
    /// `Label`: stands in the ARN of the Map Run.
    pub label: Option<Arc<str>>,
    /// `ItemReader`.
    pub item_reader: Option<ItemReader>,
    /// `ItemBatcher`.
    pub item_batcher: Option<ItemBatcher>,
    /// `ResultWriter`.
    pub result_writer: Option<ResultWriter>,
    /// `ToleratedFailureCount` or its `…Path` variant.
    pub tolerated_failure_count: Option<CountField>,
    /// `ToleratedFailurePercentage` or its `…Path` variant.
    pub tolerated_failure_percentage: Option<PercentageField>,
}

/// `ItemReader`: items that are read from elsewhere.
#[derive(Debug)]
pub struct ItemReader {
    /// `Resource`: `s3:getObject` or `s3:listObjectsV2`.
    pub resource: Resource,
    /// `Parameters`, or `Arguments` of a JSONata state.
    pub parameters: Option<Template>,
    /// `ReaderConfig.InputType`: `CSV`, `JSON`, `JSONL`, `PARQUET` or `MANIFEST`.
    pub input_type: Option<Arc<str>>,
    /// `ReaderConfig.Transformation`: `NONE` or `LOAD_AND_FLATTEN`.
    pub transformation: Option<Arc<str>>,
    /// `ReaderConfig.ManifestType`: `ATHENA_DATA` or `S3_INVENTORY`.
    pub manifest_type: Option<Arc<str>>,
    /// `ReaderConfig.CSVHeaderLocation`: `FIRST_ROW` or `GIVEN`.
    pub csv_header_location: Option<Arc<str>>,
    /// `ReaderConfig.CSVHeaders`.
    pub csv_headers: Option<Vec<Arc<str>>>,
    /// `ReaderConfig.CSVDelimiter`: `COMMA`, `PIPE`, `SEMICOLON`, `SPACE` or `TAB`.
    pub csv_delimiter: Option<Arc<str>>,
    /// `ReaderConfig.ItemsPointer`: a JSON Pointer to the items in a JSON file.
    pub items_pointer: Option<Arc<str>>,
    /// `ReaderConfig.MaxItems` or `MaxItemsPath`.
    pub max_items: Option<CountField>,
}

/// `ItemBatcher`: several items for each child execution.
#[derive(Debug)]
pub struct ItemBatcher {
    /// `MaxItemsPerBatch` or its `…Path` variant.
    pub max_items_per_batch: Option<CountField>,
    /// `MaxInputBytesPerBatch` or its `…Path` variant, at most 262,144.
    pub max_input_bytes_per_batch: Option<CountField>,
    /// `BatchInput`: goes to each child execution.
    pub batch_input: Option<Template>,
}

/// `ResultWriter`: where the results of the child executions go.
#[derive(Debug)]
pub struct ResultWriter {
    /// `Resource`: `s3:putObject`.
    pub resource: Option<Resource>,
    /// `Parameters`, or `Arguments` of a JSONata state.
    pub parameters: Option<Template>,
    /// `WriterConfig.Transformation`: `NONE`, `COMPACT` or `FLATTEN`.
    pub transformation: Option<Arc<str>>,
    /// `WriterConfig.OutputType`: `JSON` or `JSONL`.
    pub output_type: Option<Arc<str>>,
}
