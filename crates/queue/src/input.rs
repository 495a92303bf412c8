//! Reading an operation's input structure: members by name, with the error SQS gives for a wrong JSON type.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use stepwell_aws::Fault;

use crate::fault;

/// An input structure, or one entry of a batch. `null` members count as absent.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a>(Option<&'a Map<String, Value>>);

impl<'a> Input<'a> {
    /// Wraps a structure; no input at all counts as an empty one.
    pub(crate) fn of(value: &'a Value) -> Result<Input<'a>, Fault> {
        match value {
            Value::Null => Ok(Input(None)),
            Value::Object(map) => Ok(Input(Some(map))),
            other => {
                Err(fault::serialization(format!("{} can not be converted to a structure", kind(other))))
            }
        }
    }

    fn member(self, name: &str) -> Option<&'a Value> {
        self.0?.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, Fault> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(other, "a String")),
        }
    }

    /// The text member `name`; `MissingParameter` where it is absent.
    pub(crate) fn required_text(self, name: &str) -> Result<&'a str, Fault> {
        self.text(name)?.ok_or_else(|| fault::missing_parameter(name))
    }

    /// The whole number `name`; `reason` is SQS's text for one outside `range`.
    pub(crate) fn integer_in(
        self,
        name: &str,
        range: &RangeInclusive<u32>,
        reason: &str,
    ) -> Result<Option<u32>, Fault> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_i64().ok_or_else(|| wrong(value, "an Integer"))?,
            other => return Err(wrong(other, "an Integer")),
        };
        let fitting = u32::try_from(number).ok().filter(|number| range.contains(number));
        fitting.map(Some).ok_or_else(|| fault::invalid_value(number, name, reason))
    }

    pub(crate) fn list(self, name: &str) -> Result<&'a [Value], Fault> {
        match self.member(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(wrong(other, "a List")),
        }
    }

    pub(crate) fn texts(self, name: &str) -> Result<Vec<&'a str>, Fault> {
        self.list(name)?.iter().map(|item| item.as_str().ok_or_else(|| wrong(item, "a String"))).collect()
    }

    pub(crate) fn map(self, name: &str) -> Result<Option<&'a Map<String, Value>>, Fault> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(other) => Err(wrong(other, "a Map")),
        }
    }

    /// The map of texts `name`, in the order given; empty where absent.
    pub(crate) fn text_map(self, name: &str) -> Result<Vec<(&'a str, &'a str)>, Fault> {
        let Some(map) = self.map(name)? else { return Ok(Vec::new()) };
        map.iter()
            .map(|(key, value)| Ok((key.as_str(), value.as_str().ok_or_else(|| wrong(value, "a String"))?)))
            .collect()
    }
}

fn wrong(found: &Value, wanted: &str) -> Fault {
    fault::serialization(format!("{} can not be converted to {wanted}", kind(found)))
}

/// The name of a JSON token as it stands in SQS's messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}
