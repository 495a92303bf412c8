//! Reading the members of an object in the definition, with the errors that AWS reports for wrong ones.

use std::sync::Arc;

use indexmap::IndexSet;

use super::Compiler;
use crate::json::{Node, NodeKind, Span};
use crate::path::{Path, ReferencePath};
use crate::program::{PathField, QueryLanguage, ResultPath};
use crate::template::{Template, TemplateProblem, TemplateProblemKind};

/// Longest timeout, wait and retry interval, in seconds. Source: Developer Guide, quotas.
pub(super) const SECONDS_MAX: u32 = 99_999_999;

/// An object of the definition with its location in AWS's form: `/States/X`, empty for the whole definition.
pub(super) struct Fields<'n> {
    pub(super) node: &'n Node,
    location: String,
}

impl<'n> Fields<'n> {
    pub(super) fn new(node: &'n Node, location: String) -> Self {
        Fields { node, location }
    }

    /// The location of the object itself.
    pub(super) fn at(&self) -> String {
        if self.location.is_empty() { "/".into() } else { self.location.clone() }
    }

    /// The location of a member.
    pub(super) fn at_field(&self, name: &str) -> String {
        format!("{}/{name}", self.location)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.node.get(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.node.get(name).is_some()
    }

    /// Where the value of a member stands; the object's own place if there is no such member.
    pub(super) fn span(&self, name: &str) -> Span {
        self.get(name).map_or(self.own_span(), |node| node.span)
    }

    /// Where the name of a member stands.
    pub(super) fn name_span(&self, name: &str) -> Span {
        self.node.member(name).map_or(self.own_span(), |member| member.name_span)
    }

    /// The opening bracket, which stands for the object as a whole.
    pub(super) fn own_span(&self) -> Span {
        Span { start: self.node.span.start, end: self.node.span.start + 1 }
    }
}

impl Compiler {
    /// Reports members whose names are not in `known`, and repeated ones.
    pub(super) fn check_names(&mut self, fields: &Fields<'_>, known: &[&str]) {
        for member in fields.node.members() {
            if !known.contains(&&*member.name) {
                self.unsupported(fields, &member.name, member.name_span);
            }
        }
        self.check_repeated(fields);
    }

    /// Warns about members that stand in the object more than once.
    pub(super) fn check_repeated(&mut self, fields: &Fields<'_>) {
        let mut seen = IndexSet::new();
        for member in fields.node.members() {
            if !seen.insert(&member.name) {
                let message =
                    format!("The field '{}' is given more than once; the last one counts", member.name);
                self.report.warning("DUPLICATE_FIELD", fields.at(), member.name_span, message);
            }
        }
    }

    pub(super) fn unsupported(&mut self, fields: &Fields<'_>, name: &str, span: Span) {
        self.report.schema(fields.at(), span, format!("Field '{name}' is not supported"));
    }

    /// Reports the required members that are missing, all in one finding as AWS does.
    pub(super) fn require(&mut self, fields: &Fields<'_>, names: &[&str]) -> bool {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !fields.has(name)).collect();
        if !missing.is_empty() {
            let message = format!("These fields are required: [{}]", missing.join(", "));
            self.report.schema(fields.at(), fields.own_span(), message);
        }
        missing.is_empty()
    }

    /// Reports that at most one of two members may be there.
    pub(super) fn exclusive(&mut self, fields: &Fields<'_>, first: &str, second: &str) {
        if fields.has(first) && fields.has(second) {
            let message = format!("Only one of the fields [{first}, {second}] is allowed");
            self.report.schema(fields.at(), fields.name_span(second), message);
        }
    }

    pub(super) fn wrong_type(&mut self, at: String, span: Span, expected: &str) {
        self.report.schema(at, span, format!("Expected value of type [{expected}]"));
    }

    /// The member `name` as an object with its own location.
    pub(super) fn object<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Option<Fields<'n>> {
        let node = fields.get(name)?;
        if !node.is_object() {
            self.wrong_type(fields.at_field(name), node.span, "OBJECT");
            return None;
        }
        Some(Fields::new(node, fields.at_field(name)))
    }

    /// The members of the array `name`, each an object with a location such as `/States/X/Choices[0]`.
    pub(super) fn objects<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Vec<Fields<'n>> {
        let Some(node) = fields.get(name) else { return Vec::new() };
        let Some(elements) = node.as_array() else {
            self.wrong_type(fields.at_field(name), node.span, "ARRAY");
            return Vec::new();
        };
        let mut objects = Vec::with_capacity(elements.len());
        for (i, element) in elements.iter().enumerate() {
            let at = format!("{}[{i}]", fields.at_field(name));
            if element.is_object() {
                objects.push(Fields::new(element, at));
            } else {
                self.wrong_type(at, element.span, "OBJECT");
            }
        }
        objects
    }

    pub(super) fn string(&mut self, fields: &Fields<'_>, name: &str) -> Option<Arc<str>> {
        let node = fields.get(name)?;
        let text = node.as_str().cloned();
        if text.is_none() {
            self.wrong_type(fields.at_field(name), node.span, "STRING");
        }
        text
    }

    pub(super) fn boolean(&mut self, fields: &Fields<'_>, name: &str) -> Option<bool> {
        let node = fields.get(name)?;
        if let NodeKind::Bool(value) = node.kind {
            return Some(value);
        }
        self.wrong_type(fields.at_field(name), node.span, "BOOLEAN");
        None
    }

    /// A whole number from `min` to `max`.
    pub(super) fn integer(&mut self, fields: &Fields<'_>, name: &str, min: u32, max: u32) -> Option<u32> {
        let node = fields.get(name)?;
        let at = fields.at_field(name);
        let Some(number) = node.as_number().filter(|n| n.as_f64().fract() == 0.0) else {
            self.wrong_type(at, node.span, "INTEGER");
            return None;
        };
        let number = number.as_f64();
        if number < f64::from(min) {
            self.report.schema(at, node.span, format!("Minimum value is {min}"));
            return None;
        }
        if number > f64::from(max) {
            self.report.schema(at, node.span, format!("Maximum value is {max}"));
            return None;
        }
        node.as_number().and_then(crate::value::Number::as_i64).and_then(|n| u32::try_from(n).ok())
    }

    pub(super) fn float(&mut self, fields: &Fields<'_>, name: &str, min: f64, max: f64) -> Option<f64> {
        let node = fields.get(name)?;
        let at = fields.at_field(name);
        let Some(number) = node.as_number().map(crate::value::Number::as_f64) else {
            self.wrong_type(at, node.span, "NUMBER");
            return None;
        };
        if number < min {
            self.report.schema(at, node.span, format!("Minimum value is {min:?}"));
            return None;
        }
        if number > max || !number.is_finite() {
            self.report.schema(at, node.span, format!("Maximum value is {max:?}"));
            return None;
        }
        Some(number)
    }

    /// A path of any kind.
    pub(super) fn path(&mut self, fields: &Fields<'_>, name: &str) -> Option<Path> {
        if self.state_language == QueryLanguage::Jsonata {
            return None;
        }
        let text = self.string(fields, name)?;
        match Path::parse(&text) {
            Ok(path) => {
                self.references.extend(path.variable().cloned());
                Some(path)
            }
            Err(error) => {
                let message = format!("Value is not a valid JSONPath: {error}");
                self.report.schema(fields.at_field(name), fields.span(name), message);
                None
            }
        }
    }

    /// `InputPath` or `OutputPath`.
    pub(super) fn path_field(&mut self, fields: &Fields<'_>, name: &str) -> PathField {
        match fields.get(name) {
            None => PathField::Whole,
            Some(_) if self.state_language == QueryLanguage::Jsonata => PathField::Whole,
            Some(node) if node.is_null() => PathField::Empty,
            Some(_) => match self.path(fields, name) {
                Some(path) if !path.is_root() => PathField::Path(path),
                _ => PathField::Whole,
            },
        }
    }

    /// `ResultPath`.
    pub(super) fn result_path(&mut self, fields: &Fields<'_>) -> ResultPath {
        let Some(node) = fields.get("ResultPath") else { return ResultPath::Replace };
        if self.state_language == QueryLanguage::Jsonata {
            return ResultPath::Replace;
        }
        if node.is_null() {
            return ResultPath::Discard;
        }
        let Some(text) = self.string(fields, "ResultPath") else { return ResultPath::Replace };
        match ReferencePath::parse(&text) {
            Ok(path) if path.is_root() => ResultPath::Replace,
            Ok(path) => ResultPath::At(path),
            Err(error) => {
                let message = format!("Value is not a Reference Path: {error}");
                self.report.schema(fields.at_field("ResultPath"), node.span, message);
                ResultPath::Replace
            }
        }
    }

    /// A payload template of a JSONPath state; it must be an object.
    pub(super) fn template(&mut self, fields: &Fields<'_>, name: &str) -> Option<Template> {
        if self.state_language == QueryLanguage::Jsonata {
            return None;
        }
        let node = fields.get(name)?;
        let at = fields.at_field(name);
        if !node.is_object() {
            self.wrong_type(at, node.span, "OBJECT");
            return None;
        }
        let mut problems = Vec::new();
        let template = Template::compile(node, &mut problems);
        self.references.extend(template.variables());
        self.report_template(problems, &at);
        self.warn_about_missing_dollar(node, &at);
        self.warn_about_calls(&template, &at, node.span);
        Some(template)
    }

    pub(super) fn report_template(&mut self, problems: Vec<TemplateProblem>, at: &str) {
        for TemplateProblem { kind, span } in problems {
            let message = match kind {
                TemplateProblemKind::NoExpression { field, .. } => format!(
                    "The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"
                ),
                TemplateProblemKind::Clash(field) => {
                    format!("The fields '{field}' and '{field}.$' must not both be given")
                }
                TemplateProblemKind::Query(problem) => {
                    self.report.error(problem.code, at, span, problem.message);
                    continue;
                }
            };
            self.report.schema(at, span, message);
        }
    }

    /// `QueryLanguage`. Whatever is not `JSONPath` is taken as JSONata, as AWS does besides reporting it.
    pub(super) fn query_language(&mut self, fields: &Fields<'_>) -> Option<QueryLanguage> {
        let node = fields.get("QueryLanguage")?;
        match node.as_str().map(|s| &**s) {
            Some("JSONPath") => Some(QueryLanguage::JsonPath),
            Some("JSONata") => Some(QueryLanguage::Jsonata),
            _ => {
                let message = "Value should be one of the following: [JSONPath, JSONata]";
                self.report.schema(fields.at_field("QueryLanguage"), node.span, message);
                Some(QueryLanguage::Jsonata)
            }
        }
    }
}
