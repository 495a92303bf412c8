//! States: the fields that each type has, and the simple types.

use std::sync::Arc;

use super::Compiler;
use super::container::Siblings;
use super::fields::{Fields, SECONDS_MAX};
use super::query::BEFORE;
use crate::json::Node;
use crate::program::{
    Fail, FailText, Pass, QueryLanguage, State, StateId, StateKind, Succeed, Transition, Wait, WaitUntil,
};
use crate::template::ValueExpression;
use crate::timestamp::Timestamp;

/// In which language a field may be used.
#[derive(Clone, Copy, PartialEq)]
enum In {
    Both,
    JsonPath,
    Jsonata,
}

const TYPES: [&str; 8] = ["Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map"];

/// The fields of a state type besides `Type`, `Comment` and `QueryLanguage`.
fn fields_of(kind: &str) -> &'static [(&'static str, In)] {
    use In::{Both, JsonPath, Jsonata};
    match kind {
        "Pass" => &[
            ("Next", Both),
            ("End", Both),
            ("InputPath", JsonPath),
            ("Parameters", JsonPath),
            ("Result", JsonPath),
            ("ResultPath", JsonPath),
            ("OutputPath", JsonPath),
            ("Output", Jsonata),
            ("Assign", Both),
        ],
        "Task" => &[
            ("Next", Both),
            ("End", Both),
            ("Resource", Both),
            ("InputPath", JsonPath),
            ("Parameters", JsonPath),
            ("Arguments", Jsonata),
            ("Credentials", Both),
            ("TimeoutSeconds", Both),
            ("TimeoutSecondsPath", JsonPath),
            ("HeartbeatSeconds", Both),
            ("HeartbeatSecondsPath", JsonPath),
            ("ResultSelector", JsonPath),
            ("ResultPath", JsonPath),
            ("OutputPath", JsonPath),
            ("Output", Jsonata),
            ("Assign", Both),
            ("Retry", Both),
            ("Catch", Both),
        ],
        "Choice" => &[
            ("Choices", Both),
            ("Default", Both),
            ("InputPath", JsonPath),
            ("OutputPath", JsonPath),
            ("Output", Jsonata),
            ("Assign", Both),
        ],
        "Wait" => &[
            ("Next", Both),
            ("End", Both),
            ("Seconds", Both),
            ("Timestamp", Both),
            ("SecondsPath", JsonPath),
            ("TimestampPath", JsonPath),
            ("InputPath", JsonPath),
            ("OutputPath", JsonPath),
            ("Output", Jsonata),
            ("Assign", Both),
        ],
        "Parallel" => &[
            ("Next", Both),
            ("End", Both),
            ("Branches", Both),
            ("InputPath", JsonPath),
            ("Parameters", JsonPath),
            ("Arguments", Jsonata),
            ("ResultSelector", JsonPath),
            ("ResultPath", JsonPath),
            ("OutputPath", JsonPath),
            ("Output", Jsonata),
            ("Assign", Both),
            ("Retry", Both),
            ("Catch", Both),
        ],
        "Map" => &[
            ("Next", Both),
            ("End", Both),
            ("ItemProcessor", Both),
            ("Iterator", Both),
            ("ItemsPath", JsonPath),
            ("Items", Jsonata),
            ("ItemSelector", Both),
            ("MaxConcurrency", Both),
            ("MaxConcurrencyPath", JsonPath),
            ("ItemReader", Both),
            ("ItemBatcher", Both),
            ("ResultWriter", Both),
            ("Label", Both),
            ("ToleratedFailureCount", Both),
            ("ToleratedFailureCountPath", JsonPath),
            ("ToleratedFailurePercentage", Both),
            ("ToleratedFailurePercentagePath", JsonPath),
            ("InputPath", JsonPath),
            ("Parameters", JsonPath),
            ("ResultSelector", JsonPath),
            ("ResultPath", JsonPath),
            ("OutputPath", JsonPath),
            ("Output", Jsonata),
            ("Assign", Both),
            ("Retry", Both),
            ("Catch", Both),
        ],
        "Succeed" => &[("InputPath", JsonPath), ("OutputPath", JsonPath), ("Output", Jsonata)],
        "Fail" => &[("Error", Both), ("Cause", Both), ("ErrorPath", JsonPath), ("CausePath", JsonPath)],
        _ => &[],
    }
}

impl Compiler {
    /// Compiles one state; nothing if it is too broken to go on with.
    pub(super) fn state(
        &mut self,
        name: Arc<str>,
        node: &Fields<'_>,
        id: StateId,
        siblings: &mut Siblings,
    ) -> Option<State> {
        let fields = node;
        if !fields.node.is_object() {
            self.wrong_type(fields.at(), fields.node.span, "OBJECT");
            // What is broken is not also said to lack an end.
            siblings.note_terminal();
            return None;
        }
        let kind = fields.get("Type").and_then(Node::as_str).cloned();
        let Some(kind) = kind.filter(|kind| TYPES.contains(&&**kind)) else {
            if self.require(fields, &["Type"]) {
                let message =
                    format!("The field 'Type' should have one of these values: [{}]", TYPES.join(", "));
                self.report.schema(fields.at_field("Type"), fields.span("Type"), message);
            }
            siblings.note_terminal();
            return None;
        };
        let language = self.language_of(fields);
        self.state_language = language;
        self.references.clear();
        self.check_state_fields(fields, &kind, language);
        let comment = self.string(fields, "Comment");
        let kind = self.kind(&kind, fields, id, siblings)?;
        let variable_references: Vec<Arc<str>> = std::mem::take(&mut self.references).into_iter().collect();
        if !variable_references.is_empty() {
            self.read_variables.push((fields.at(), fields.own_span(), variable_references.clone()));
        }
        Some(State { name, comment, query_language: language, variable_references, kind })
    }

    fn kind(
        &mut self,
        kind: &str,
        fields: &Fields<'_>,
        id: StateId,
        siblings: &mut Siblings,
    ) -> Option<StateKind> {
        match kind {
            "Pass" => self.pass(fields, id, siblings).map(StateKind::Pass),
            "Task" => self.task(fields, id, siblings).map(|task| StateKind::Task(Box::new(task))),
            "Choice" => self.choice(fields, id, siblings).map(StateKind::Choice),
            "Wait" => self.wait(fields, id, siblings).map(StateKind::Wait),
            "Parallel" => {
                self.parallel(fields, id, siblings).map(|state| StateKind::Parallel(Box::new(state)))
            }
            "Map" => self.map(fields, id, siblings).map(|state| StateKind::Map(Box::new(state))),
            "Succeed" => {
                siblings.note_terminal();
                Some(StateKind::Succeed(Succeed {
                    input_path: self.path_field(fields, "InputPath"),
                    output_path: self.path_field(fields, "OutputPath"),
                    output: self.query(fields, "Output", BEFORE),
                }))
            }
            _ => {
                siblings.note_terminal();
                Some(StateKind::Fail(self.fail(fields)))
            }
        }
    }

    fn language_of(&mut self, fields: &Fields<'_>) -> QueryLanguage {
        let language = self.query_language(fields).unwrap_or(self.language);
        if self.language == QueryLanguage::Jsonata && language == QueryLanguage::JsonPath {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            self.report.schema(fields.at(), fields.name_span("QueryLanguage"), message);
        }
        language
    }

    fn check_state_fields(&mut self, fields: &Fields<'_>, kind: &str, language: QueryLanguage) {
        let known = fields_of(kind);
        // AWS looks for these three first.
        for name in ["TimeoutSeconds", "Catch", "Retry"] {
            if fields.has(name) && !known.iter().any(|(n, _)| *n == name) {
                self.unsupported(fields, name, fields.name_span(name));
            }
        }
        let language_name = language.as_str();
        for member in fields.node.members() {
            let name = &*member.name;
            if matches!(name, "Type" | "Comment" | "QueryLanguage") {
                continue;
            }
            match known.iter().find(|(n, _)| *n == name).map(|(_, language)| language) {
                None if matches!(name, "TimeoutSeconds" | "Catch" | "Retry") => {}
                None => self.unsupported(fields, name, member.name_span),
                Some(In::Jsonata) if language == QueryLanguage::JsonPath => {
                    self.wrong_language(fields, name, language_name, "JSONata");
                }
                Some(In::JsonPath) if language == QueryLanguage::Jsonata => {
                    self.wrong_language(fields, name, language_name, "JSONPath");
                }
                Some(_) => {}
            }
        }
        self.check_repeated(fields);
    }

    /// Reports a member that only one language has where the other one is used.
    pub(super) fn check_language(&mut self, fields: &Fields<'_>, jsonata: &str, jsonpath: &str) {
        match self.state_language {
            QueryLanguage::JsonPath if fields.has(jsonata) => {
                self.wrong_language(fields, jsonata, "JSONPath", "JSONata");
            }
            QueryLanguage::Jsonata if fields.has(jsonpath) => {
                self.wrong_language(fields, jsonpath, "JSONata", "JSONPath");
            }
            _ => {}
        }
    }

    pub(super) fn wrong_language(&mut self, fields: &Fields<'_>, name: &str, actual: &str, needed: &str) {
        let message = format!(
            "The QueryLanguage is set to '{actual}', but field '{name}' is only supported for the '{needed}' \
             QueryLanguage"
        );
        self.report.schema(fields.at(), fields.name_span(name), message);
    }

    /// `Next` or `End`, exactly one.
    pub(super) fn transition(
        &mut self,
        fields: &Fields<'_>,
        id: StateId,
        siblings: &mut Siblings,
    ) -> Option<Transition> {
        self.exclusive(fields, "Next", "End");
        if fields.has("Next") {
            return self.next(id, fields, "Next", siblings).map(Transition::Next);
        }
        siblings.note_terminal();
        if !fields.has("End") {
            let message = "One of these fields is required: [Next, End]";
            self.report.schema(fields.at(), fields.own_span(), message);
            return None;
        }
        match self.boolean(fields, "End") {
            Some(true) => Some(Transition::End),
            Some(false) => {
                let message = "Value should be one of the following: [true]";
                self.report.schema(fields.at_field("End"), fields.span("End"), message);
                None
            }
            None => None,
        }
    }

    fn pass(&mut self, fields: &Fields<'_>, id: StateId, siblings: &mut Siblings) -> Option<Pass> {
        if let Some(result) = fields.get("Result") {
            self.warn_about_static_result(result, &fields.at_field("Result"));
        }
        let pass = Pass {
            input_path: self.path_field(fields, "InputPath"),
            parameters: self.template(fields, "Parameters"),
            result: fields.get("Result").map(Node::to_value),
            result_path: self.result_path(fields),
            output_path: self.path_field(fields, "OutputPath"),
            output: self.query(fields, "Output", BEFORE),
            assign: self.assign(fields, BEFORE),
            transition: Transition::End,
        };
        let transition = self.transition(fields, id, siblings)?;
        Some(Pass { transition, ..pass })
    }

    fn wait(&mut self, fields: &Fields<'_>, id: StateId, siblings: &mut Siblings) -> Option<Wait> {
        let input_path = self.path_field(fields, "InputPath");
        let output_path = self.path_field(fields, "OutputPath");
        let output = self.query(fields, "Output", BEFORE);
        let assign = self.assign(fields, BEFORE);
        let until = self.wait_until(fields);
        let transition = self.transition(fields, id, siblings);
        Some(Wait { input_path, output_path, output, until: until?, assign, transition: transition? })
    }

    fn wait_until(&mut self, fields: &Fields<'_>) -> Option<WaitUntil> {
        const FORMS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        let given: Vec<&str> = FORMS.into_iter().filter(|name| fields.has(name)).collect();
        match given.as_slice() {
            ["Seconds"] if self.holds_expression(fields, "Seconds") => {
                self.query(fields, "Seconds", BEFORE).map(WaitUntil::SecondsQuery)
            }
            ["Timestamp"] if self.holds_expression(fields, "Timestamp") => {
                self.query(fields, "Timestamp", BEFORE).map(WaitUntil::TimestampQuery)
            }
            ["Seconds"] => self.integer(fields, "Seconds", 0, SECONDS_MAX).map(WaitUntil::Seconds),
            ["SecondsPath"] => self.path(fields, "SecondsPath").map(WaitUntil::SecondsPath),
            ["Timestamp"] => self.timestamp(fields, "Timestamp").map(WaitUntil::Timestamp),
            ["TimestampPath"] => self.path(fields, "TimestampPath").map(WaitUntil::TimestampPath),
            _ => {
                let message = format!("Exactly one of these fields is required: [{}]", FORMS.join(", "));
                self.report.schema(fields.at(), fields.own_span(), message);
                None
            }
        }
    }

    /// An RFC 3339 timestamp.
    pub(super) fn timestamp(&mut self, fields: &Fields<'_>, name: &str) -> Option<Timestamp> {
        let text = self.string(fields, name)?;
        let timestamp = Timestamp::parse_rfc3339(&text);
        if timestamp.is_none() {
            let message = "String does not match RFC3339 timestamp";
            self.report.schema(fields.at_field(name), fields.span(name), message);
        }
        timestamp
    }

    fn fail(&mut self, fields: &Fields<'_>) -> Fail {
        Fail {
            error: self.fail_text(fields, "Error", "ErrorPath"),
            cause: self.fail_text(fields, "Cause", "CausePath"),
        }
    }

    fn fail_text(&mut self, fields: &Fields<'_>, name: &str, path_name: &str) -> Option<FailText> {
        self.exclusive(fields, name, path_name);
        if let Some(node) = fields.get(name) {
            if self.holds_expression(fields, name) {
                return self.query(fields, name, BEFORE).map(FailText::Query);
            }
            self.warn_about_missing_path(node, fields.at_field(name), name);
            return self.string(fields, name).map(FailText::Literal);
        }
        if self.state_language == QueryLanguage::Jsonata {
            return None;
        }
        let text = self.string(fields, path_name)?;
        match ValueExpression::parse(&text) {
            Ok(expression) => {
                let variables = expression.paths().into_iter().filter_map(|path| path.variable().cloned());
                self.references.extend(variables);
                Some(FailText::Path(expression))
            }
            Err(_) => {
                let message = format!(
                    "The value for the field '{path_name}' must be a valid JSONPath or a valid intrinsic function call"
                );
                self.report.schema(fields.at_field(path_name), fields.span(path_name), message);
                None
            }
        }
    }
}
