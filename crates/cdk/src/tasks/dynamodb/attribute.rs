//! Attribute values and projections, as DynamoDB writes them.

use std::fmt;

use serde_json::{Map, Value};

use crate::values::{JsonPath, Number, Text};

/// A value of a DynamoDB attribute with its type: `{"S": "text"}`, `{"N": "1"}` …
///
/// ```
/// use stepwell_cdk::DynamoAttributeValue as Attribute;
///
/// let value = Attribute::from_map([("name", Attribute::from_string("a")), ("age", Attribute::from_number(7))]);
/// assert_eq!(value.to_json().to_string(), r#"{"M":{"name":{"S":"a"},"age":{"N":"7"}}}"#);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DynamoAttributeValue {
    kind: &'static str,
    value: Content,
    finite: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    Json(Value),
    Path(JsonPath),
}

impl DynamoAttributeValue {
    /// A string.
    #[must_use]
    pub fn from_string(text: impl Into<Text>) -> Self {
        Self::text("S", text)
    }

    /// A number.
    #[must_use]
    pub fn from_number(number: impl Into<Number>) -> Self {
        let number = number.into();
        Self { finite: number.to_json().is_some(), ..Self::json("N", decimal(number)) }
    }

    /// A number given as text, or at a path, for precision that a float does not have.
    #[must_use]
    pub fn number_from_string(text: impl Into<Text>) -> Self {
        Self::text("N", text)
    }

    /// Binary data, as base64 text.
    #[must_use]
    pub fn from_binary(base64: impl Into<Text>) -> Self {
        Self::text("B", base64)
    }

    /// A set of strings.
    #[must_use]
    pub fn from_string_set<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::json("SS", strings(texts))
    }

    /// A set of numbers.
    #[must_use]
    pub fn from_number_set<T: Into<Number>>(numbers: impl IntoIterator<Item = T>) -> Self {
        let numbers: Vec<Number> = numbers.into_iter().map(Into::into).collect();
        let finite = numbers.iter().all(|number| number.to_json().is_some());
        Self { finite, ..Self::json("NS", strings(numbers.into_iter().map(decimal))) }
    }

    /// A set of numbers given as text.
    #[must_use]
    pub fn number_set_from_strings<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::json("NS", strings(texts))
    }

    /// A set of binary values, as base64 texts.
    #[must_use]
    pub fn from_binary_set<T: Into<String>>(base64: impl IntoIterator<Item = T>) -> Self {
        Self::json("BS", strings(base64))
    }

    /// A map of attributes.
    #[must_use]
    pub fn from_map<K: Into<String>>(members: impl IntoIterator<Item = (K, Self)>) -> Self {
        let mut finite = true;
        let members: Map<String, Value> = members
            .into_iter()
            .map(|(name, value)| {
                finite &= value.finite;
                (name.into(), value.to_json())
            })
            .collect();
        Self { finite, ..Self::json("M", members) }
    }

    /// The map of attributes at `path`, in DynamoDB's form.
    #[must_use]
    pub fn map_from_json_path(path: impl Into<String>) -> Self {
        Self::path("M", path)
    }

    /// A list of attributes.
    #[must_use]
    pub fn from_list(items: impl IntoIterator<Item = Self>) -> Self {
        let mut finite = true;
        let items: Vec<Value> = items
            .into_iter()
            .map(|item| {
                finite &= item.finite;
                item.to_json()
            })
            .collect();
        Self { finite, ..Self::json("L", items) }
    }

    /// The list of attributes at `path`, in DynamoDB's form.
    #[must_use]
    pub fn list_from_json_path(path: impl Into<String>) -> Self {
        Self::path("L", path)
    }

    /// `null`
    #[must_use]
    pub fn from_null(null: bool) -> Self {
        Self::json("NULL", null)
    }

    /// `true` or `false`
    #[must_use]
    pub fn from_boolean(flag: bool) -> Self {
        Self::json("BOOL", flag)
    }

    /// The boolean at `path`.
    #[must_use]
    pub fn boolean_from_json_path(path: impl Into<String>) -> Self {
        Self::path("BOOL", path)
    }

    /// The value as it is written in a task's parameters.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        match &self.value {
            Content::Json(value) => object.insert(self.kind.to_owned(), value.clone()),
            Content::Path(path) => object.insert(format!("{}.$", self.kind), path.as_str().into()),
        };
        Value::Object(object)
    }

    /// Whether all numbers inside can be written.
    pub(super) fn is_finite(&self) -> bool {
        self.finite
    }

    /// What stands behind the type: the members of a map.
    pub(super) fn into_members(self) -> Value {
        match self.value {
            Content::Json(value) => value,
            Content::Path(path) => path.as_str().into(),
        }
    }

    fn json(kind: &'static str, value: impl Into<Value>) -> Self {
        Self { kind, value: Content::Json(value.into()), finite: true }
    }

    fn text(kind: &'static str, text: impl Into<Text>) -> Self {
        match text.into() {
            Text::Literal(text) => Self::json(kind, text),
            Text::Path(path) => Self { kind, value: Content::Path(path), finite: true },
        }
    }

    fn path(kind: &'static str, path: impl Into<String>) -> Self {
        Self { kind, value: Content::Path(JsonPath::at(path)), finite: true }
    }
}

/// DynamoDB takes numbers as text.
fn decimal(number: Number) -> String {
    match number {
        Number::Integer(number) => number.to_string(),
        Number::Float(number) => number.to_string(),
    }
}

fn strings<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Value {
    texts.into_iter().map(|text| Value::String(text.into())).collect()
}

/// An attribute to read, or a part of one: `List[0].x`.
///
/// ```
/// use stepwell_cdk::DynamoProjectionExpression;
///
/// let part = DynamoProjectionExpression::new().with_attribute("List").at_index(0).with_attribute("x");
/// assert_eq!(part.to_string(), "List[0].x");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DynamoProjectionExpression(String);

impl DynamoProjectionExpression {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An attribute, or a member of the map so far.
    #[must_use]
    pub fn with_attribute(mut self, name: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('.');
        }
        self.0.push_str(name);
        self
    }

    /// An item of the list so far.
    #[must_use]
    pub fn at_index(mut self, index: u32) -> Self {
        self.0.push_str(&format!("[{index}]"));
        self
    }
}

impl fmt::Display for DynamoProjectionExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
