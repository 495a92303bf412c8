//! Evaluating the functions of a template: pure, bounded in depth and in what it produces.
//!
//! [`Evaluator`] turns a [`Node`] into JSON against a [`Scope`]. One file for the functions that give values
//! (`functions`), one for those that give booleans. A list or map element that is `AWS::NoValue` is left out.

mod boolean;
mod functions;
mod scope;
pub mod sub;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub use boolean::{check_rules, conditions};
pub use scope::{KNOWN_AFTER_APPLY, Lookup, NoResources, Pseudo, Resources, Scope};

use crate::limits::{EVALUATED_BYTES_MAX, NESTING_MAX};
use crate::problem::Problem;
use crate::template::{Node, NodeValue};

/// Evaluates expressions at one place of a template.
pub struct Evaluator<'a> {
    scope: Scope<'a>,
    place: Vec<String>,
    depth: usize,
    bytes_left: usize,
    imports: BTreeSet<String>,
    later: bool,
}

impl<'a> Evaluator<'a> {
    /// An evaluator whose problems lie below `place` (`Resources/MyQueue/Properties`).
    #[must_use]
    pub fn new(scope: Scope<'a>, place: &str) -> Self {
        Evaluator {
            scope,
            place: vec![place.to_owned()],
            depth: 0,
            bytes_left: EVALUATED_BYTES_MAX,
            imports: BTreeSet::new(),
            later: false,
        }
    }

    /// The value of `node`; `None` for `AWS::NoValue`.
    ///
    /// Errors: the first problem, with its place.
    pub fn value(&mut self, node: &Node) -> Result<Option<Value>, Problem> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(
                self.problem(node, format!("Template error: nested deeper than {NESTING_MAX} levels"))
            );
        }
        let value = match &node.value {
            NodeValue::Null => Some(Value::Null),
            NodeValue::Bool(flag) => Some(Value::Bool(*flag)),
            NodeValue::Number(number) => Some(Value::Number(number.clone())),
            NodeValue::Text(text) => Some(Value::String(self.spend(node, text.clone())?)),
            NodeValue::List(items) => Some(Value::Array(self.items(items)?)),
            NodeValue::Map(members) => match node.as_function() {
                Some((name, argument)) => self.within(name, |this| this.function(node, name, argument))?,
                None => {
                    let mut object = Map::with_capacity(members.len());
                    for (key, member) in members {
                        if key.starts_with("Fn::") {
                            let message = format!("Template error: {key} must be the only key of its object");
                            return Err(self.problem(node, message));
                        }
                        let value = self.within(key, |this| this.value(member))?;
                        if let Some(value) = value {
                            object.insert(key.clone(), value);
                        }
                    }
                    Some(Value::Object(object))
                }
            },
        };
        self.depth -= 1;
        Ok(value)
    }

    /// The value of `node` as text; numbers and booleans are written out.
    ///
    /// Errors: as [`Evaluator::value`], and where the value is a list, a map or nothing.
    pub fn text(&mut self, node: &Node) -> Result<String, Problem> {
        let value = self.value(node)?;
        match value.as_ref().and_then(scalar_text) {
            Some(text) => Ok(text),
            None => Err(self.problem(node, "Template error: a string is expected here")),
        }
    }

    /// Names of the exports that were imported so far.
    #[must_use]
    pub fn imports(&self) -> &BTreeSet<String> {
        &self.imports
    }

    /// Whether a value so far depends on a resource that does not exist yet.
    #[must_use]
    pub fn is_later(&self) -> bool {
        self.later
    }

    fn items(&mut self, items: &[Node]) -> Result<Vec<Value>, Problem> {
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            if let Some(value) = self.within(&index.to_string(), |this| this.value(item))? {
                values.push(value);
            }
        }
        Ok(values)
    }

    fn within<T>(
        &mut self,
        key: &str,
        inner: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.place.push(key.to_owned());
        let result = inner(self)?;
        self.place.pop();
        Ok(result)
    }

    /// Takes the bytes of a produced text off the budget.
    fn spend(&mut self, node: &Node, text: String) -> Result<String, Problem> {
        match self.bytes_left.checked_sub(text.len()) {
            Some(left) => {
                self.bytes_left = left;
                Ok(text)
            }
            None => {
                let message = format!("Template error: evaluates to more than {EVALUATED_BYTES_MAX} bytes");
                Err(self.problem(node, message))
            }
        }
    }

    fn problem(&self, node: &Node, message: impl Into<String>) -> Problem {
        let mut problem = Problem::new(message, self.place.join("/"), node.line);
        self.scope.template.locate(&mut problem);
        problem
    }
}

/// A scalar as the text CloudFormation makes of it.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
