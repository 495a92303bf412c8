//! Looking up the fields of states that may hold a path instead of a value, with AWS's texts for what can go wrong.

use std::sync::Arc;

use crate::environment::{Environment, StatesError};
use crate::path::Path;
use crate::payload::Payload;
use crate::program::{FailText, PathField, ResultPath, SecondsField, WaitUntil};
use crate::timestamp::Timestamp;
use crate::value::{Number, Value};

/// Longest delay of a task's timeout or heartbeat, in seconds.
pub const SECONDS_MAX: u32 = 99_999_999;

impl PathField {
    /// The part of `payload` that the field selects.
    pub fn apply(&self, payload: &Payload, env: &dyn Environment) -> Result<Payload, StatesError> {
        match self {
            PathField::Whole => Ok(payload.clone()),
            PathField::Empty => Ok(Payload::empty_object()),
            PathField::Path(path) => look_up(path, payload.value(), env).map(Payload::from_value),
        }
    }
}

impl ResultPath {
    /// The raw input with `result` in it, as the field says.
    pub fn apply(&self, raw_input: &Payload, result: Payload) -> Result<Payload, StatesError> {
        match self {
            ResultPath::Replace => Ok(result),
            ResultPath::Discard => Ok(raw_input.clone()),
            ResultPath::At(path) => {
                path.insert(raw_input.value(), result.value().clone()).map(Payload::from_value)
            }
        }
    }
}

/// The value of a path field that must lead somewhere.
fn look_up(path: &Path, input: &Value, env: &dyn Environment) -> Result<Value, StatesError> {
    path.evaluate_directly(input, env)
        .map_err(|miss| StatesError::runtime(format!("Invalid path '{}' : {}", path.text(), miss.reason())))
}

impl SecondsField {
    /// The seconds, 1 to 99,999,999; `field` is `TimeoutSecondsPath` or `HeartbeatSecondsPath`.
    pub fn resolve(
        &self,
        field: &'static str,
        input: &Value,
        env: &dyn Environment,
    ) -> Result<u32, StatesError> {
        let path = match self {
            SecondsField::Literal(seconds) => return Ok(*seconds),
            SecondsField::Path(path) => path,
        };
        let value = look_up(path, input, env)?;
        let seconds = value.as_number().and_then(Number::as_i64).and_then(|n| u32::try_from(n).ok());
        seconds.filter(|s| (1..=SECONDS_MAX).contains(s)).ok_or_else(|| {
            let path = path.text();
            StatesError::runtime(format!(
                "The {field} parameter does not reference a positive integer value: {path} == {}",
                shown(&value)
            ))
        })
    }
}

/// When a `Wait` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitTarget {
    /// So many seconds after the state was entered.
    Seconds(u64),
    /// At this instant; at once if it is past.
    At(Timestamp),
}

impl WaitUntil {
    /// When the wait ends.
    pub fn resolve(&self, input: &Value, env: &dyn Environment) -> Result<WaitTarget, StatesError> {
        match self {
            WaitUntil::Seconds(seconds) => Ok(WaitTarget::Seconds((*seconds).into())),
            WaitUntil::Timestamp(instant) => Ok(WaitTarget::At(*instant)),
            WaitUntil::SecondsPath(path) => seconds_path(path, input, env).map(WaitTarget::Seconds),
            WaitUntil::TimestampPath(path) => timestamp_path(path, input, env).map(WaitTarget::At),
        }
    }
}

fn seconds_path(path: &Path, input: &Value, env: &dyn Environment) -> Result<u64, StatesError> {
    let text = path.text();
    let value = path.evaluate(input, env).map_err(|_| {
        StatesError::runtime(format!("The SecondsPath parameter does not reference an input value: {text}"))
    })?;
    let seconds = match &value {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    };
    let complaint = match seconds {
        Some(seconds) if seconds > i64::from(SECONDS_MAX) => "references a value that is too large",
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) => return Ok(seconds),
            Err(_) => "references a negative value",
        },
        None => "cannot be parsed as a long value",
    };
    Err(StatesError::runtime(format!("The SecondsPath parameter {complaint}: {text} == {}", shown(&value))))
}

fn timestamp_path(path: &Path, input: &Value, env: &dyn Environment) -> Result<Timestamp, StatesError> {
    let text = path.text();
    let value = path.evaluate(input, env).map_err(|_| {
        StatesError::runtime(format!("The TimestampPath parameter does not reference an input value: {text}"))
    })?;
    value.as_str().and_then(Timestamp::parse_rfc3339).ok_or_else(|| {
        StatesError::runtime(format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: \
             {text} == {}",
            shown(&value)
        ))
    })
}

/// A value as error texts show it: strings without quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_json(), str::to_owned)
}

impl FailText {
    /// The text; `field` is `ErrorPath` or `CausePath`.
    pub fn resolve(
        &self,
        field: &'static str,
        input: &Value,
        env: &dyn Environment,
    ) -> Result<Arc<str>, StatesError> {
        let expression = match self {
            FailText::Literal(text) => return Ok(text.clone()),
            FailText::Path(expression) => expression,
        };
        match expression.evaluate(field, input, env)? {
            Value::String(text) => Ok(text),
            other => Err(StatesError::runtime(format!(
                "The {field} parameter does not reference a string value: {} == {}",
                expression.text(),
                other.to_json()
            ))),
        }
    }
}
