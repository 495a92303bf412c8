//! The parsed form of a template: JSON's data model with a line per value.
//!
//! YAML's short forms (`!Ref x`) are already written out (`{"Ref": "x"}`) when a [`Node`] exists. Nesting is bounded by
//! the parsers, so walking a tree recursively is safe.

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

/// A value in a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Line of the template text, from 1; for the member of a map, that of its key.
    pub line: u32,
    /// What stands there.
    pub value: NodeValue,
}

/// The kinds of value; a map keeps the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map with unique keys.
    Map(IndexMap<String, Node>),
}

impl Node {
    /// The string, where this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The list, where this is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            NodeValue::List(items) => Some(items),
            _ => None,
        }
    }

    /// The map, where this is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&IndexMap<String, Node>> {
        match &self.value {
            NodeValue::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The member `key` of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// Text, number or boolean as the text CloudFormation makes of it.
    #[must_use]
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            NodeValue::Text(text) => Some(text.clone()),
            NodeValue::Number(number) => Some(number.to_string()),
            NodeValue::Bool(flag) => Some(flag.to_string()),
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => None,
        }
    }

    /// The function's name and argument, where this is a map with one key that names a function (`Ref`, `Fn::…`).
    #[must_use]
    pub fn as_function(&self) -> Option<(&str, &Node)> {
        let members = self.as_map()?;
        let (name, argument) = members.first()?;
        (members.len() == 1 && (name == "Ref" || name.starts_with("Fn::"))).then_some((name, argument))
    }

    /// The same without lines.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(flag) => Value::Bool(*flag),
            NodeValue::Number(number) => Value::Number(number.clone()),
            NodeValue::Text(text) => Value::String(text.clone()),
            NodeValue::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            NodeValue::Map(members) => {
                Value::Object(members.iter().map(|(k, v)| (k.clone(), v.to_json())).collect::<Map<_, _>>())
            }
        }
    }
}
