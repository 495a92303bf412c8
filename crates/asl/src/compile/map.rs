//! `Map` states, inline and distributed.

use std::sync::Arc;

use super::container::{Around, Siblings};
use super::fields::Fields;
use super::query::{AFTER, BEFORE};
use super::{Compiler, MachineType, resource};
use crate::program::{
    CountField, Distributed, ExecutionType, ItemBatcher, ItemReader, Items, Map, PercentageField, Processor,
    ProcessorMode, QueryLanguage, Resource, ResourceKind, ResultWriter, StateId,
};

/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 40;
/// Most items that a reader reads.
const ITEMS_MAX: u32 = 100_000_000;
/// Largest batch, in bytes.
const BATCH_BYTES_MAX: u32 = 262_144;

impl Compiler {
    pub(super) fn map(&mut self, fields: &Fields<'_>, id: StateId, siblings: &mut Siblings) -> Option<Map> {
        let input_path = self.path_field(fields, "InputPath");
        let items = self.items(fields);
        self.exclusive(fields, "ItemSelector", "Parameters");
        let item_selector = if fields.has("ItemSelector") {
            self.template_or_query(fields, "ItemSelector", BEFORE)
        } else {
            self.template(fields, "Parameters")
        };
        let max_concurrency = self.count(fields, "MaxConcurrency", "MaxConcurrencyPath", 0, u32::MAX);
        let distributed = self.distributed(fields);
        let result_selector = self.template(fields, "ResultSelector");
        let result_path = self.result_path(fields);
        let output_path = self.path_field(fields, "OutputPath");
        let output = self.query(fields, "Output", AFTER);
        let assign = self.assign(fields, AFTER);
        let retry = self.retry(fields);
        let catch = self.catch(fields, id, siblings);
        let transition = self.transition(fields, id, siblings);
        let processor = self.processor(fields);
        Some(Map {
            input_path,
            items,
            item_selector,
            max_concurrency,
            processor: processor?,
            distributed: Box::new(distributed),
            result_selector,
            result_path,
            output_path,
            output,
            assign,
            retry,
            catch,
            transition: transition?,
        })
    }

    fn items(&mut self, fields: &Fields<'_>) -> Items {
        match self.state_language {
            QueryLanguage::JsonPath => self.path(fields, "ItemsPath").map_or(Items::Input, Items::Path),
            QueryLanguage::Jsonata => {
                let node = fields.get("Items");
                let fits =
                    node.is_some_and(|n| n.as_array().is_some() || n.is_object() || n.as_str().is_some());
                if let Some(node) = node.filter(|_| !fits) {
                    self.wrong_type(fields.at_field("Items"), node.span, "ARRAY");
                }
                self.query(fields, "Items", BEFORE).map_or(Items::Input, Items::Template)
            }
        }
    }

    /// `ItemProcessor`, or `Iterator`, and the states in it.
    fn processor(&mut self, fields: &Fields<'_>) -> Option<Processor> {
        let name =
            if fields.has("Iterator") && !fields.has("ItemProcessor") { "Iterator" } else { "ItemProcessor" };
        self.require(fields, &[name]);
        self.exclusive(fields, "ItemProcessor", "Iterator");
        let processor = self.object(fields, name)?;
        self.check_names(&processor, &["Comment", "ProcessorConfig", "StartAt", "States"]);
        let comment = self.string(&processor, "Comment");
        let mode = self.processor_mode(&processor);
        let around = match mode {
            Some(ProcessorMode::Distributed(_)) => Around::Distributed,
            _ => Around::Container,
        };
        // Express children can do what an Express machine can.
        let machine_type = self.machine_type;
        if mode == Some(ProcessorMode::Distributed(ExecutionType::Express)) {
            self.machine_type = MachineType::Express;
        }
        let start_at = self.container(&processor, around);
        self.machine_type = machine_type;
        Some(Processor { comment, start_at: start_at?, mode: mode? })
    }

    fn processor_mode(&mut self, processor: &Fields<'_>) -> Option<ProcessorMode> {
        let Some(node) = processor.get("ProcessorConfig") else { return Some(ProcessorMode::Inline) };
        let config = self.object(processor, "ProcessorConfig")?;
        let mode = self.one_of(&config, "Mode", &["INLINE", "DISTRIBUTED"]);
        if config.has("Mode") && mode.is_none() {
            return None;
        }
        if mode.as_deref() != Some("DISTRIBUTED") {
            self.check_names(&config, &["Mode"]);
            return Some(ProcessorMode::Inline);
        }
        self.check_names(&config, &["Mode", "ExecutionType"]);
        if self.machine_type == MachineType::Express {
            let message = "Express state machine does not support a Map in DISTRIBUTED mode";
            self.report.schema(processor.at_field("ProcessorConfig"), node.span, message);
        }
        if !self.require(&config, &["ExecutionType"]) {
            return None;
        }
        let execution_type = self.one_of(&config, "ExecutionType", &["STANDARD", "EXPRESS"])?;
        let execution_type = match &*execution_type {
            "EXPRESS" => ExecutionType::Express,
            _ => ExecutionType::Standard,
        };
        Some(ProcessorMode::Distributed(execution_type))
    }

    fn distributed(&mut self, fields: &Fields<'_>) -> Distributed {
        Distributed {
            label: self.label(fields),
            item_reader: self.item_reader(fields),
            item_batcher: self.item_batcher(fields),
            result_writer: self.result_writer(fields),
            tolerated_failure_count: self.count(
                fields,
                "ToleratedFailureCount",
                "ToleratedFailureCountPath",
                0,
                u32::MAX,
            ),
            tolerated_failure_percentage: self.percentage(fields),
        }
    }

    fn label(&mut self, fields: &Fields<'_>) -> Option<Arc<str>> {
        let label = self.string(fields, "Label")?;
        let at = fields.at_field("Label");
        let forbidden =
            |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
        if label.is_empty() || label.chars().count() > LABEL_CHARS_MAX || label.contains(forbidden) {
            let message =
                format!("Label '{label}' must have 1 to {LABEL_CHARS_MAX} characters and no special ones");
            self.report.error("INVALID_LABEL_NAME", at.clone(), fields.span("Label"), message);
        }
        if !self.labels.insert(label.clone()) {
            let message = format!("Duplicate label name: {label}");
            self.report.error("DUPLICATE_LABEL_NAME", at, fields.span("Label"), message);
        }
        Some(label)
    }

    fn item_reader(&mut self, fields: &Fields<'_>) -> Option<ItemReader> {
        let reader = self.object(fields, "ItemReader")?;
        self.check_names(&reader, &["Comment", "Resource", "Parameters", "Arguments", "ReaderConfig"]);
        self.check_language(&reader, "Arguments", "Parameters");
        self.require(&reader, &["Resource"]);
        let resource = self.s3_resource(&reader, &["getObject", "listObjectsV2"]);
        let parameters = self.parameters_or_arguments(&reader);
        let nothing =
            crate::json::Node { span: reader.own_span(), kind: crate::json::NodeKind::Object(Vec::new()) };
        let config = self.object(&reader, "ReaderConfig").unwrap_or(Fields::new(&nothing, reader.at()));
        self.check_names(
            &config,
            &[
                "InputType",
                "Transformation",
                "ManifestType",
                "CSVHeaderLocation",
                "CSVHeaders",
                "CSVDelimiter",
                "ItemsPointer",
                "MaxItems",
                "MaxItemsPath",
            ],
        );
        Some(ItemReader {
            resource: resource?,
            parameters,
            input_type: self.one_of(&config, "InputType", &["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"]),
            transformation: self.one_of(&config, "Transformation", &["NONE", "LOAD_AND_FLATTEN"]),
            manifest_type: self.one_of(&config, "ManifestType", &["ATHENA_DATA", "S3_INVENTORY"]),
            csv_header_location: self.one_of(&config, "CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]),
            csv_headers: self.strings(&config, "CSVHeaders"),
            csv_delimiter: self.one_of(
                &config,
                "CSVDelimiter",
                &["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"],
            ),
            items_pointer: self.string(&config, "ItemsPointer"),
            max_items: self.count(&config, "MaxItems", "MaxItemsPath", 0, ITEMS_MAX),
        })
    }

    fn item_batcher(&mut self, fields: &Fields<'_>) -> Option<ItemBatcher> {
        let batcher = self.object(fields, "ItemBatcher")?;
        self.check_names(
            &batcher,
            &[
                "Comment",
                "MaxItemsPerBatch",
                "MaxItemsPerBatchPath",
                "MaxInputBytesPerBatch",
                "MaxInputBytesPerBatchPath",
                "BatchInput",
            ],
        );
        let max_items = self.count(&batcher, "MaxItemsPerBatch", "MaxItemsPerBatchPath", 1, ITEMS_MAX);
        let max_bytes =
            self.count(&batcher, "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath", 1, BATCH_BYTES_MAX);
        let limits = [
            "MaxItemsPerBatch",
            "MaxItemsPerBatchPath",
            "MaxInputBytesPerBatch",
            "MaxInputBytesPerBatchPath",
        ];
        if !limits.iter().any(|name| batcher.has(name)) {
            let message = format!("One of these fields is required: [{}]", limits.join(", "));
            self.report.schema(batcher.at(), batcher.own_span(), message);
        }
        let batch_input = self.template_or_query(&batcher, "BatchInput", BEFORE);
        Some(ItemBatcher {
            max_items_per_batch: max_items,
            max_input_bytes_per_batch: max_bytes,
            batch_input,
        })
    }

    fn result_writer(&mut self, fields: &Fields<'_>) -> Option<ResultWriter> {
        let writer = self.object(fields, "ResultWriter")?;
        self.check_names(&writer, &["Comment", "Resource", "Parameters", "Arguments", "WriterConfig"]);
        self.check_language(&writer, "Arguments", "Parameters");
        let resource = if writer.has("Resource") { self.s3_resource(&writer, &["putObject"]) } else { None };
        let parameters = self.parameters_or_arguments(&writer);
        let (mut transformation, mut output_type) = (None, None);
        if let Some(config) = self.object(&writer, "WriterConfig") {
            self.check_names(&config, &["Transformation", "OutputType"]);
            transformation = self.one_of(&config, "Transformation", &["NONE", "COMPACT", "FLATTEN"]);
            output_type = self.one_of(&config, "OutputType", &["JSON", "JSONL"]);
        }
        if !writer.has("Resource") && !writer.has("WriterConfig") {
            let message = "One of these fields is required: [Resource, WriterConfig]";
            self.report.schema(writer.at(), writer.own_span(), message);
        }
        Some(ResultWriter { resource, parameters, transformation, output_type })
    }

    fn parameters_or_arguments(&mut self, fields: &Fields<'_>) -> Option<crate::template::Template> {
        match self.state_language {
            QueryLanguage::JsonPath => self.template(fields, "Parameters"),
            QueryLanguage::Jsonata => self.query(fields, "Arguments", BEFORE),
        }
    }

    /// `arn:<partition>:states:::s3:<api>` with one of the APIs that a reader or writer may call.
    fn s3_resource(&mut self, fields: &Fields<'_>, apis: &[&str]) -> Option<Resource> {
        let arn = self.string(fields, "Resource")?;
        match resource::parse_s3(&arn, apis) {
            Some(kind @ ResourceKind::Service { .. }) => Some(Resource { arn, kind }),
            _ => {
                let message = format!(
                    "The resource provided {arn} is not recognized. The value is not a valid resource ARN, or the \
                     resource is not available in this region."
                );
                self.report.schema(fields.at_field("Resource"), fields.span("Resource"), message);
                None
            }
        }
    }

    fn strings(&mut self, fields: &Fields<'_>, name: &str) -> Option<Vec<Arc<str>>> {
        let node = fields.get(name)?;
        let strings: Option<Vec<Arc<str>>> =
            node.as_array().and_then(|elements| elements.iter().map(|e| e.as_str().cloned()).collect());
        if strings.is_none() {
            self.wrong_type(fields.at_field(name), node.span, "ARRAY");
        }
        strings
    }

    /// A string that is one of `values`.
    fn one_of(&mut self, fields: &Fields<'_>, name: &str, values: &[&str]) -> Option<Arc<str>> {
        let text = self.string(fields, name)?;
        if values.contains(&&*text) {
            return Some(text);
        }
        let message = format!("Value should be one of the following: [{}]", values.join(", "));
        self.report.schema(fields.at_field(name), fields.span(name), message);
        None
    }

    /// A number, its `…Path` variant, or an expression.
    fn count(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        path: &str,
        min: u32,
        max: u32,
    ) -> Option<CountField> {
        self.exclusive(fields, name, path);
        if self.state_language == QueryLanguage::Jsonata
            && fields.get(name).is_some_and(|n| n.as_str().is_some())
        {
            return self.query(fields, name, BEFORE).map(CountField::Query);
        }
        if fields.has(name) {
            return self.integer(fields, name, min, max).map(CountField::Literal);
        }
        self.path(fields, path).map(CountField::Path)
    }

    fn percentage(&mut self, fields: &Fields<'_>) -> Option<PercentageField> {
        let (name, path) = ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath");
        self.exclusive(fields, name, path);
        if self.state_language == QueryLanguage::Jsonata
            && fields.get(name).is_some_and(|n| n.as_str().is_some())
        {
            return self.query(fields, name, BEFORE).map(PercentageField::Query);
        }
        if fields.has(name) {
            return self.float(fields, name, 0.0, 100.0).map(PercentageField::Literal);
        }
        self.path(fields, path).map(PercentageField::Path)
    }
}
