//! A CloudFormation template as written: sections and resource attributes, not yet evaluated.
//!
//! This module owns the syntax (JSON, YAML with short forms) and the shape of every section, and reports all that is
//! wrong with them at once. Functions inside values are left alone: [`crate::intrinsics`] evaluates them,
//! [`crate::graph`] reads the references in them.

mod json;
mod node;
mod sections;
mod yaml;

use indexmap::IndexMap;

pub use node::{Node, NodeValue};
pub use sections::{DeletionPolicy, OutputDecl, ParameterDecl, ResourceDecl, Rule};

use crate::limits::TEMPLATE_BYTES_MAX;
use crate::problem::{Problem, TemplateError};

/// A parsed template.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    root: Node,
    /// `Description`, where there is one.
    pub description: Option<String>,
    /// `Parameters`, in the order of the text.
    pub parameters: IndexMap<String, ParameterDecl>,
    /// `Mappings`: name to the two-level map.
    pub mappings: IndexMap<String, Node>,
    /// `Conditions`: name to expression.
    pub conditions: IndexMap<String, Node>,
    /// `Rules`.
    pub rules: IndexMap<String, Rule>,
    /// `Resources`, in the order of the text.
    pub resources: IndexMap<String, ResourceDecl>,
    /// `Outputs`.
    pub outputs: IndexMap<String, OutputDecl>,
}

impl Template {
    /// Parses a template, JSON where the text begins with `{`, else YAML.
    ///
    /// Errors: all problems of the sections at once; syntax errors alone. A `Transform` is refused by name.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let text = text.trim_start_matches('\u{feff}');
        if text.len() > TEMPLATE_BYTES_MAX {
            let message = format!(
                "Template may not exceed {TEMPLATE_BYTES_MAX} bytes in size; this one has {}",
                text.len()
            );
            return Err(Problem::new(message, "", 0).into());
        }
        let root = parse_document(text)?;
        let mut template = Template {
            source: text.to_owned(),
            root,
            description: None,
            parameters: IndexMap::new(),
            mappings: IndexMap::new(),
            conditions: IndexMap::new(),
            rules: IndexMap::new(),
            resources: IndexMap::new(),
            outputs: IndexMap::new(),
        };
        let mut problems = Vec::new();
        sections::read(&mut template, &mut problems);
        TemplateError::check(problems)?;
        Ok(template)
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Fills in the line of a problem by its place: that of the deepest value on the way there.
    pub fn locate(&self, problem: &mut Problem) {
        if problem.line.is_some() || problem.place.is_empty() {
            return;
        }
        let mut at = &self.root;
        for key in problem.place.split('/') {
            let below = match key.parse::<usize>() {
                Ok(index) => at.as_list().and_then(|items| items.get(index)),
                Err(_) => at.get(key),
            };
            match below {
                Some(below) => at = below,
                None => break,
            }
        }
        // The root's line says nothing.
        problem.line = (!std::ptr::eq(at, &self.root)).then_some(at.line);
    }
}

/// Reads a JSON or YAML document that is not a template (a state machine definition in a file).
///
/// Errors: the syntax error, with its line.
pub fn parse_document(text: &str) -> Result<Node, Problem> {
    if text.trim_start().starts_with('{') { json::parse(text) } else { yaml::parse(text) }
}
