//! JSON values as an execution holds them: cheap to clone, order-keeping, and exact about numbers they never touch.
//!
//! Containers are shared behind [`Arc`]: cloning a value of any size copies one pointer, and changing a member
//! (see [`crate::path::ReferencePath::insert`]) copies only the containers on the way to it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use indexmap::IndexMap;

/// A JSON value.
#[derive(Clone, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, see [`Number`].
    Number(Number),
    /// A string.
    String(Arc<str>),
    /// An array.
    Array(Arc<Vec<Value>>),
    /// An object; members keep the order in which they came.
    Object(Arc<Object>),
}

/// The members of a JSON object in insertion order; a repeated name keeps its first place and its last value.
#[derive(Clone, Default)]
pub struct Object(IndexMap<Arc<str>, Value>);

impl Object {
    /// An object without members.
    #[must_use]
    pub fn new() -> Self {
        Object::default()
    }

    /// An object without members and with room for `capacity` of them.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Object(IndexMap::with_capacity(capacity))
    }

    /// The member `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Sets the member `name` and returns the value that it had.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(name.into(), value.into())
    }

    /// Removes the member `name`; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    /// The member `name`, made by `make` where it is missing.
    pub(crate) fn entry_or_insert(&mut self, name: &Arc<str>, make: impl FnOnce() -> Value) -> &mut Value {
        self.0.entry(name.clone()).or_insert_with(make)
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Value)> {
        self.0.iter()
    }
}

impl<K: Into<Arc<str>>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        Object(members.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}

/// A JSON number. One that was read and is only passed on is written as it was read: `1.10`, `1e3` and integers of
/// any size keep their text.
#[derive(Clone)]
pub enum Number {
    /// An integer that fits, whose text is its plain decimal form.
    Int(i64),
    /// A computed number that is not such an integer.
    Float(f64),
    /// The text of a number that neither of the others would write back the same.
    Text(Arc<str>),
}

impl Number {
    /// The number whose JSON text this is; the caller has checked that it is one.
    #[must_use]
    pub fn from_json_text(text: &str) -> Number {
        match text.parse::<i64>() {
            Ok(n) if text != "-0" => Number::Int(n),
            _ => Number::Text(text.into()),
        }
    }

    /// As the nearest double.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self {
            #[allow(clippy::cast_precision_loss)]
            Number::Int(n) => *n as f64,
            Number::Float(n) => *n,
            Number::Text(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// As an integer, where the number is one (`3`, `3.0`, `3e2`) and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(n) => Some(*n),
            _ => {
                let n = self.as_f64();
                // 2^63 itself is a double but no i64.
                #[allow(clippy::cast_possible_truncation)]
                (n.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&n))
                    .then_some(n as i64)
            }
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a == b,
            (Number::Text(a), Number::Text(b)) if a == b => true,
            (a, b) => a.as_f64() == b.as_f64(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(n) => write!(f, "{n}"),
            // Rust writes the shortest text that reads back the same, but for large and small numbers without an
            // exponent; both are JSON. What is not finite has no JSON form.
            Number::Float(n) if n.is_finite() => write!(f, "{n:?}"),
            Number::Float(_) => f.write_str("null"),
            Number::Text(text) => f.write_str(text),
        }
    }
}

impl PartialEq for Value {
    /// Equality of JSON: numbers by amount, objects whatever the order of their members.
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => Arc::ptr_eq(a, b) || a == b,
            (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b) || a.0 == b.0,
            _ => false,
        }
    }
}

impl Value {
    /// An empty object.
    #[must_use]
    pub fn empty_object() -> Value {
        Value::Object(Arc::default())
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Value::Number(n) => Some(n),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(a) => Some(a),
            _ => None,
        }
    }

    /// The members, if it is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(o) => Some(o),
            _ => None,
        }
    }

    /// The member `name`, if it is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object().and_then(|o| o.get(name))
    }

    /// `array`, `object`, `string`, `number`, `boolean` or `null`, as AWS names the types in its texts.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }

    /// Whether arrays and objects are nested in it more than `limit` deep. What makes a value out of others must ask
    /// before it passes the value on: everything that walks a value relies on [`crate::json::MAX_DEPTH`].
    #[must_use]
    pub fn is_nested_deeper_than(&self, limit: usize) -> bool {
        let is_container = |v: &Value| matches!(v, Value::Array(_) | Value::Object(_));
        match (self, limit.checked_sub(1)) {
            (Value::Array(_) | Value::Object(_), None) => true,
            (Value::Array(elements), Some(rest)) => {
                elements.iter().any(|v| is_container(v) && v.is_nested_deeper_than(rest))
            }
            (Value::Object(members), Some(rest)) => {
                members.iter().any(|(_, v)| is_container(v) && v.is_nested_deeper_than(rest))
            }
            _ => false,
        }
    }

    /// About how long the JSON text is in bytes, escapes not counted; nothing if it is longer than `limit`, in which
    /// case only as much was looked at.
    #[must_use]
    pub fn approximate_json_len(&self, limit: usize) -> Option<usize> {
        let left = self.take_json_len(limit)?;
        Some(limit - left)
    }

    /// What is left of `budget` bytes after this value.
    fn take_json_len(&self, budget: usize) -> Option<usize> {
        match self {
            Value::Null | Value::Bool(_) => budget.checked_sub(4),
            Value::Number(Number::Text(text)) => budget.checked_sub(text.len()),
            Value::Number(_) => budget.checked_sub(1),
            Value::String(text) => budget.checked_sub(text.len() + 2),
            Value::Array(elements) => elements.iter().try_fold(budget.checked_sub(2)?, |left, element| {
                element.take_json_len(left.checked_sub(1)?)
            }),
            Value::Object(members) => {
                members.iter().try_fold(budget.checked_sub(2)?, |left, (name, value)| {
                    value.take_json_len(left.checked_sub(name.len() + 4)?)
                })
            }
        }
    }

    /// Compact JSON text: no blanks, members in order, only what must be escaped is.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    /// Appends the compact JSON text to `out`.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(n) => {
                let _ = write!(out, "{n}");
            }
            Value::String(s) => write_json_string(s, out),
            Value::Array(elements) => {
                out.push('[');
                for (i, element) in elements.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    element.write_json(out);
                }
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_json_string(name, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

/// Appends `text` as a JSON string with its quotes.
pub fn write_json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (i, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0x00..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[plain..i]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04X}");
        } else {
            out.push_str(escape);
        }
        plain = i + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter()).finish()
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Number(Number::Int(n))
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::String(s.into())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::String(s.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(s: Arc<str>) -> Self {
        Value::String(s)
    }
}

impl From<Vec<Value>> for Value {
    fn from(elements: Vec<Value>) -> Self {
        Value::Array(Arc::new(elements))
    }
}

impl From<Object> for Value {
    fn from(members: Object) -> Self {
        Value::Object(Arc::new(members))
    }
}
