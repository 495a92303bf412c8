//! The functions that give values: `Ref`, `Fn::GetAtt`, `Fn::Join` and so on.

use base64::Engine as _;
use serde_json::{Value, json};

use super::sub::{Piece, pieces};
use super::{Evaluator, KNOWN_AFTER_APPLY, Lookup, scalar_text};
use crate::problem::Problem;
use crate::template::{Node, NodeValue};

const SUPPORTED: &str = "[Fn::And, Fn::Base64, Fn::Equals, Fn::FindInMap, Fn::GetAZs, Fn::GetAtt, Fn::If, \
                         Fn::ImportValue, Fn::Join, Fn::Not, Fn::Or, Fn::Select, Fn::Split, Fn::Sub]";

impl Evaluator<'_> {
    pub(super) fn function(
        &mut self,
        node: &Node,
        name: &str,
        argument: &Node,
    ) -> Result<Option<Value>, Problem> {
        match name {
            "Ref" => self.reference(node, argument),
            "Fn::If" => self.choose(node, argument),
            "Fn::GetAtt" => self.attribute(node, argument).map(Some),
            "Fn::Join" => self.join(node, argument).map(Some),
            "Fn::Sub" => self.substitute(node, argument).map(Some),
            "Fn::Select" => self.select(node, argument).map(Some),
            "Fn::Split" => self.split(node, argument).map(Some),
            "Fn::FindInMap" => self.find_in_map(node, argument).map(Some),
            "Fn::Base64" => self.base64(argument).map(Some),
            "Fn::ImportValue" => self.import(node, argument).map(Some),
            "Fn::GetAZs" => self.zones(argument).map(Some),
            "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Equals" => {
                self.boolean_function(node, name, argument).map(|flag| Some(Value::Bool(flag)))
            }
            other => {
                let message = format!(
                    "Template error: Encountered unsupported function: {other} Supported functions are: {SUPPORTED}"
                );
                Err(self.problem(node, message))
            }
        }
    }

    fn reference(&mut self, node: &Node, argument: &Node) -> Result<Option<Value>, Problem> {
        match argument.as_text() {
            Some("AWS::NoValue") => Ok(None),
            Some(name) => self.named(node, name).map(Some),
            None => {
                Err(self.problem(node, "Template error: every Ref object must have a single String value."))
            }
        }
    }

    /// A parameter, a pseudo parameter or a resource's physical id.
    fn named(&mut self, node: &Node, name: &str) -> Result<Value, Problem> {
        if let Some(value) = self.scope.parameters.get(name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.scope.pseudo.get(name) {
            return Ok(value);
        }
        match self.scope.resources.reference(name) {
            Lookup::Value(value) => Ok(value),
            Lookup::Later => Ok(self.known_later()),
            Lookup::Missing => {
                let message = format!("Template format error: Unresolved resource dependencies [{name}]");
                Err(self.problem(node, message))
            }
        }
    }

    fn attribute_of(&mut self, node: &Node, logical_id: &str, attribute: &str) -> Result<Value, Problem> {
        match self.scope.resources.attribute(logical_id, attribute) {
            Lookup::Value(value) => Ok(value),
            Lookup::Later => Ok(self.known_later()),
            Lookup::Missing if self.scope.template.resources.contains_key(logical_id) => {
                let message = format!(
                    "Template error: resource {logical_id} does not support attribute type {attribute} in Fn::GetAtt"
                );
                Err(self.problem(node, message))
            }
            Lookup::Missing => {
                let message = format!(
                    "Template error: instance of Fn::GetAtt references undefined resource {logical_id}"
                );
                Err(self.problem(node, message))
            }
        }
    }

    fn known_later(&mut self) -> Value {
        self.later = true;
        Value::String(KNOWN_AFTER_APPLY.to_owned())
    }

    fn attribute(&mut self, node: &Node, argument: &Node) -> Result<Value, Problem> {
        let malformed = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource \
                         name and the resource attribute";
        match &argument.value {
            NodeValue::Text(text) => match text.split_once('.') {
                Some((logical_id, attribute)) => self.attribute_of(node, logical_id, attribute),
                None => Err(self.problem(node, malformed)),
            },
            NodeValue::List(items) => match items.as_slice() {
                [logical_id, attribute] => {
                    let Some(logical_id) = logical_id.as_text() else {
                        return Err(self.problem(node, malformed));
                    };
                    let attribute = self.text(attribute)?;
                    self.attribute_of(node, logical_id, &attribute)
                }
                _ => Err(self.problem(node, malformed)),
            },
            _ => Err(self.problem(node, malformed)),
        }
    }

    fn choose(&mut self, node: &Node, argument: &Node) -> Result<Option<Value>, Problem> {
        let Some([condition, then, otherwise]) = argument.as_list() else {
            let message = "Template error: Fn::If requires a list argument with three parameters";
            return Err(self.problem(node, message));
        };
        let Some(name) = condition.as_text() else {
            let message =
                "Template error: Fn::If requires a list argument with the first element being a condition";
            return Err(self.problem(node, message));
        };
        let (index, branch) = if self.named_condition(node, name)? { ("1", then) } else { ("2", otherwise) };
        self.within(index, |this| this.value(branch))
    }

    fn join(&mut self, node: &Node, argument: &Node) -> Result<Value, Problem> {
        let malformed = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and \
                         (2) a list of strings to be joined or a function that returns a list of strings (such as \
                         Fn::GetAZs) to be joined.";
        let Some([delimiter, list]) = argument.as_list() else { return Err(self.problem(node, malformed)) };
        let delimiter = self.within("0", |this| this.text(delimiter))?;
        let Some(Value::Array(values)) = self.within("1", |this| this.value(list))? else {
            return Err(self.problem(node, malformed));
        };
        let mut joined = String::new();
        for (index, value) in values.iter().enumerate() {
            let Some(text) = scalar_text(value) else { return Err(self.problem(node, malformed)) };
            if index > 0 {
                joined.push_str(&delimiter);
            }
            joined.push_str(&text);
        }
        self.spend(node, joined).map(Value::String)
    }

    fn substitute(&mut self, node: &Node, argument: &Node) -> Result<Value, Problem> {
        let malformed = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. \
                         Specify a string as first argument, and an optional second argument to specify a mapping \
                         of values to replace in the string";
        let (text, variables) = match &argument.value {
            NodeValue::Text(text) => (text.as_str(), None),
            NodeValue::List(items) => match items.as_slice() {
                [text] | [text, _] => {
                    let Some(text) = text.as_text() else { return Err(self.problem(node, malformed)) };
                    (text, items.get(1))
                }
                _ => return Err(self.problem(node, malformed)),
            },
            _ => return Err(self.problem(node, malformed)),
        };
        let variables = match variables {
            None => None,
            Some(map) => match map.as_map() {
                Some(map) => Some(map),
                None => return Err(self.problem(node, malformed)),
            },
        };
        let cut =
            pieces(text).map_err(|error| self.problem(node, format!("Template error: Fn::Sub: {error}")))?;
        let mut result = String::with_capacity(text.len());
        for piece in cut {
            match piece {
                Piece::Text(text) => result.push_str(text),
                Piece::Literal(literal) => {
                    result.push_str("${");
                    result.push_str(literal);
                    result.push('}');
                }
                Piece::Variable(name) => {
                    let value = match variables.and_then(|map| map.get(name)) {
                        Some(value) => self.within(name, |this| this.text(value))?,
                        None => self.variable(node, name)?,
                    };
                    let value = self.spend(node, value)?;
                    result.push_str(&value);
                }
            }
        }
        self.spend(node, result).map(Value::String)
    }

    /// `${Name}` or `${LogicalId.Attribute}`.
    fn variable(&mut self, node: &Node, name: &str) -> Result<String, Problem> {
        let value = match name.split_once('.') {
            Some((logical_id, attribute)) => self.attribute_of(node, logical_id, attribute)?,
            None => self.named(node, name)?,
        };
        match scalar_text(&value) {
            Some(text) => Ok(text),
            None => {
                let message =
                    format!("Template error: variable {name} in Fn::Sub expression is not a string");
                Err(self.problem(node, message))
            }
        }
    }

    fn select(&mut self, node: &Node, argument: &Node) -> Result<Value, Problem> {
        let malformed = "Template error: every Fn::Select object requires two non-null parameters, the index (an \
                         integer) and the list of objects";
        let Some([index, list]) = argument.as_list() else { return Err(self.problem(node, malformed)) };
        let index = self.within("0", |this| this.text(index))?;
        let Ok(index) = index.trim().parse::<usize>() else { return Err(self.problem(node, malformed)) };
        match self.within("1", |this| this.value(list))? {
            Some(Value::Array(mut values)) if index < values.len() => Ok(values.swap_remove(index)),
            Some(Value::Array(_)) => {
                let message =
                    format!("Template error: Fn::Select  cannot select nonexistent value at index {index}");
                Err(self.problem(node, message))
            }
            // A list that comes out of a resource that does not exist yet.
            Some(Value::String(text)) if text == KNOWN_AFTER_APPLY => Ok(Value::String(text)),
            _ => Err(self.problem(node, malformed)),
        }
    }

    fn split(&mut self, node: &Node, argument: &Node) -> Result<Value, Problem> {
        let malformed = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and \
                         (2) a string to be split or a function that returns a string to be split.";
        let Some([delimiter, text]) = argument.as_list() else { return Err(self.problem(node, malformed)) };
        let Some(delimiter) = delimiter.as_text().filter(|delimiter| !delimiter.is_empty()) else {
            return Err(self.problem(node, malformed));
        };
        let text = self.within("1", |this| this.text(text))?;
        if self.later && text.contains(KNOWN_AFTER_APPLY) {
            return Ok(Value::String(KNOWN_AFTER_APPLY.to_owned()));
        }
        let text = self.spend(node, text)?;
        Ok(Value::Array(text.split(delimiter).map(|part| Value::String(part.to_owned())).collect()))
    }

    fn find_in_map(&mut self, node: &Node, argument: &Node) -> Result<Value, Problem> {
        let Some([map, first, second]) = argument.as_list() else {
            let message = "Template error: every Fn::FindInMap object requires three parameters, the map name, map \
                           key and the attribute for return value";
            return Err(self.problem(node, message));
        };
        let map = self.within("0", |this| this.text(map))?;
        let first = self.within("1", |this| this.text(first))?;
        let second = self.within("2", |this| this.text(second))?;
        let template = self.scope.template;
        let Some(mapping) = template.mappings.get(&map) else {
            let message = format!(
                "Template error: Mapping named '{map}' is not present in the 'Mappings' section of template."
            );
            return Err(self.problem(node, message));
        };
        match mapping.get(&first).and_then(|inner| inner.get(&second)) {
            Some(found) => {
                let value = found.to_json();
                self.spend(node, value.to_string())?;
                Ok(value)
            }
            None => {
                let message = format!("Template error: Unable to get mapping for {map}::{first}::{second}");
                Err(self.problem(node, message))
            }
        }
    }

    fn base64(&mut self, argument: &Node) -> Result<Value, Problem> {
        let text = self.text(argument)?;
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        self.spend(argument, encoded).map(Value::String)
    }

    fn import(&mut self, node: &Node, argument: &Node) -> Result<Value, Problem> {
        let name = self.text(argument)?;
        let Some(value) = self.scope.exports.get(&name) else {
            return Err(self.problem(node, format!("No export named {name} found.")));
        };
        let value = json!(value);
        self.imports.insert(name);
        Ok(value)
    }

    fn zones(&mut self, argument: &Node) -> Result<Value, Problem> {
        let named = self.text(argument)?;
        let region = if named.is_empty() { self.scope.pseudo.account.region.clone() } else { named };
        Ok(json!([format!("{region}a"), format!("{region}b"), format!("{region}c")]))
    }
}
