//! The fields of JSONata states: values in which strings may be expressions.

use super::Compiler;
use super::fields::Fields;
use crate::json::Node;
use crate::jsonata::Allowed;
use crate::program::{Assign, QueryLanguage};
use crate::template::Template;

/// Only `$states.input` and `$states.context`.
pub(super) const BEFORE: Allowed = Allowed { result: false, error_output: false };
/// `$states.result` as well.
pub(super) const AFTER: Allowed = Allowed { result: true, error_output: false };
/// `$states.errorOutput` as well.
pub(super) const CAUGHT: Allowed = Allowed { result: false, error_output: true };

impl Compiler {
    /// A field that only JSONata states have; any JSON value.
    pub(super) fn query(&mut self, fields: &Fields<'_>, name: &str, allowed: Allowed) -> Option<Template> {
        if self.state_language == QueryLanguage::JsonPath {
            return None;
        }
        let node = fields.get(name)?;
        let mut problems = Vec::new();
        let template = Template::compile_query(node, allowed, &mut problems);
        self.references.extend(template.variables());
        self.report_template(problems, &fields.at_field(name));
        Some(template)
    }

    /// A field that is a payload template in JSONPath states and any value in JSONata states.
    pub(super) fn template_or_query(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        allowed: Allowed,
    ) -> Option<Template> {
        match self.state_language {
            QueryLanguage::JsonPath => self.template(fields, name),
            QueryLanguage::Jsonata => self.query(fields, name, allowed),
        }
    }

    /// Whether a field of a JSONata state holds an expression instead of the literal that it could be. Whatever
    /// begins or ends like one counts, so that a broken one is reported as such.
    pub(super) fn holds_expression(&self, fields: &Fields<'_>, name: &str) -> bool {
        let text = fields.get(name).and_then(Node::as_str);
        self.state_language == QueryLanguage::Jsonata
            && text.is_some_and(|text| text.starts_with("{%") || text.ends_with("%}"))
    }

    /// `Assign`, with valid names.
    pub(super) fn assign(&mut self, fields: &Fields<'_>, allowed: Allowed) -> Option<Assign> {
        let assign = self.assign_of_catcher(fields, allowed)?;
        for name in assign.0.names() {
            self.note_assigned(name, &fields.at_field("Assign"), fields.span("Assign"));
        }
        Some(assign)
    }

    /// `Assign` of a catcher. AWS lets it set what a branch or iteration of the same state sets.
    pub(super) fn assign_of_catcher(&mut self, fields: &Fields<'_>, allowed: Allowed) -> Option<Assign> {
        let node = fields.get("Assign")?;
        let at = fields.at_field("Assign");
        if !node.is_object() {
            self.wrong_type(at, node.span, "OBJECT");
            return None;
        }
        let template = self.template_or_query(fields, "Assign", allowed)?;
        for name in template.names() {
            let mut chars = name.chars();
            let starts_well = chars.next().is_some_and(crate::path::starts_variable);
            let is_identifier = starts_well && chars.all(crate::path::continues_variable);
            if !is_identifier || name.chars().count() > 80 || &*name == "states" {
                let message = format!("The variable name '{name}' is not valid");
                self.report.schema(at.clone(), node.span, message);
            }
            self.assigned_variables.insert(name);
        }
        Some(Assign(template))
    }
}
