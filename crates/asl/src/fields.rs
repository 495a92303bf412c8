//! Looking up the fields of states that may hold a path instead of a value, with AWS's texts for what can go wrong.

use std::sync::Arc;

use crate::environment::{Environment, StatesError};
use crate::jsonata::{QueryFailure, Scope};
use crate::path::Path;
use crate::payload::Payload;
use crate::program::{
    CountField, FailText, Items, PathField, PercentageField, ResultPath, SecondsField, WaitUntil,
};
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
            SecondsField::Query(_) => return Err(other_language(field)),
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

impl SecondsField {
    /// The seconds in a JSONata state; `field` is `TimeoutSeconds` or `HeartbeatSeconds`.
    pub fn resolve_query(&self, field: &'static str, scope: &Scope<'_>) -> Result<u32, QueryFailure> {
        match self {
            SecondsField::Literal(seconds) => Ok(*seconds),
            SecondsField::Path(_) => Err(failed(field, other_language(field))),
            SecondsField::Query(template) => {
                let value = template.evaluate_query(scope, field)?;
                let number =
                    value.as_number().ok_or_else(|| template.unexpected_type(field, "number", &value))?;
                let seconds = number.as_i64().and_then(|n| u32::try_from(n).ok());
                seconds.filter(|s| (1..=SECONDS_MAX).contains(s)).ok_or_else(|| {
                    QueryFailure::new(field, format!("The {field} field must be a positive integer: {value}"))
                })
            }
        }
    }
}

/// A field of the one query language was asked for in the other one, which compilation rules out.
fn other_language(field: &str) -> StatesError {
    StatesError::runtime(format!("The field {field} belongs to another query language than its state."))
}

fn failed(field: &str, error: StatesError) -> QueryFailure {
    QueryFailure { error, location: Some(field.to_owned()) }
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
            WaitUntil::SecondsQuery(_) => Err(other_language("Seconds")),
            WaitUntil::TimestampQuery(_) => Err(other_language("Timestamp")),
        }
    }

    /// When the wait of a JSONata state ends.
    pub fn resolve_query(&self, scope: &Scope<'_>) -> Result<WaitTarget, QueryFailure> {
        match self {
            WaitUntil::Seconds(seconds) => Ok(WaitTarget::Seconds((*seconds).into())),
            WaitUntil::Timestamp(instant) => Ok(WaitTarget::At(*instant)),
            WaitUntil::SecondsPath(_) => Err(failed("SecondsPath", other_language("SecondsPath"))),
            WaitUntil::TimestampPath(_) => Err(failed("TimestampPath", other_language("TimestampPath"))),
            WaitUntil::SecondsQuery(template) => {
                let value = template.evaluate_query(scope, "Seconds")?;
                let number =
                    value.as_number().ok_or_else(|| template.unexpected_type("Seconds", "number", &value))?;
                let seconds = number.as_i64().and_then(|n| u64::try_from(n).ok());
                let seconds = seconds.filter(|s| *s <= SECONDS_MAX.into());
                seconds.map(WaitTarget::Seconds).ok_or_else(|| {
                    let cause =
                        format!("The Seconds field must be an integer from 0 to {SECONDS_MAX}: {value}");
                    QueryFailure::new("Seconds", cause)
                })
            }
            WaitUntil::TimestampQuery(template) => {
                let value = template.evaluate_query(scope, "Timestamp")?;
                let text =
                    value.as_str().ok_or_else(|| template.unexpected_type("Timestamp", "string", &value))?;
                Timestamp::parse_rfc3339(text).map(WaitTarget::At).ok_or_else(|| {
                    let cause = format!(
                        "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: \
                         {text}"
                    );
                    QueryFailure::new("Timestamp", cause)
                })
            }
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
            FailText::Query(_) => return Err(other_language(field)),
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

impl FailText {
    /// The text in a JSONata state; `field` is `Error` or `Cause`.
    pub fn resolve_query(&self, field: &'static str, scope: &Scope<'_>) -> Result<Arc<str>, QueryFailure> {
        match self {
            FailText::Literal(text) => Ok(text.clone()),
            FailText::Path(_) => Err(failed(field, other_language(field))),
            FailText::Query(template) => match template.evaluate_query(scope, field)? {
                Value::String(text) => Ok(text),
                other => Err(template.unexpected_type(field, "string", &other)),
            },
        }
    }
}

/// A number or a string that spells one.
fn spelt_number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => match crate::json::parse(text) {
            Ok(Value::Number(number)) => Some(number),
            _ => None,
        },
        _ => None,
    }
}

impl CountField {
    /// The number in a JSONPath state; `field` is the name without `Path`: `MaxConcurrency`, `ToleratedFailureCount` …
    pub fn resolve(
        &self,
        field: &'static str,
        input: &Value,
        env: &dyn Environment,
    ) -> Result<u32, StatesError> {
        let path = match self {
            CountField::Literal(count) => return Ok(*count),
            CountField::Path(path) => path,
            CountField::Query(_) => return Err(other_language(field)),
        };
        let value = look_up(path, input, env)?;
        let Some(number) = spelt_number(&value).and_then(|n| n.as_i64()) else {
            return Err(StatesError::runtime(format!(
                "The {field}Path field refers to value \"{}\" which is not a valid integer: {}",
                shown(&value),
                path.text()
            )));
        };
        non_negative(field, number)
    }

    /// The number in a JSONata state.
    pub fn resolve_query(&self, field: &'static str, scope: &Scope<'_>) -> Result<u32, QueryFailure> {
        match self {
            CountField::Literal(count) => Ok(*count),
            CountField::Path(_) => Err(failed(field, other_language(field))),
            CountField::Query(template) => {
                let value = template.evaluate_query(scope, field)?;
                let number = value.as_number().and_then(Number::as_i64);
                let number = number.ok_or_else(|| template.unexpected_type(field, "number", &value))?;
                non_negative(field, number).map_err(|error| QueryFailure::new(field, error.cause))
            }
        }
    }
}

fn non_negative(field: &str, number: i64) -> Result<u32, StatesError> {
    if number < 0 {
        return Err(StatesError::runtime(format!("{field} cannot be negative.")));
    }
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

impl PercentageField {
    /// The percentage in a JSONPath state.
    pub fn resolve(&self, input: &Value, env: &dyn Environment) -> Result<f64, StatesError> {
        let field = "ToleratedFailurePercentage";
        let path = match self {
            PercentageField::Literal(percentage) => return Ok(*percentage),
            PercentageField::Path(path) => path,
            PercentageField::Query(_) => return Err(other_language(field)),
        };
        let value = look_up(path, input, env)?;
        let Some(number) = spelt_number(&value) else {
            return Err(StatesError::runtime(format!(
                "The {field}Path field refers to value \"{}\" which is not a valid float: {}",
                shown(&value),
                path.text()
            )));
        };
        percentage(number.as_f64())
    }

    /// The percentage in a JSONata state.
    pub fn resolve_query(&self, scope: &Scope<'_>) -> Result<f64, QueryFailure> {
        let field = "ToleratedFailurePercentage";
        match self {
            PercentageField::Literal(percentage) => Ok(*percentage),
            PercentageField::Path(_) => Err(failed(field, other_language(field))),
            PercentageField::Query(template) => {
                let value = template.evaluate_query(scope, field)?;
                let number =
                    value.as_number().ok_or_else(|| template.unexpected_type(field, "number", &value))?;
                percentage(number.as_f64()).map_err(|error| QueryFailure::new(field, error.cause))
            }
        }
    }
}

fn percentage(number: f64) -> Result<f64, StatesError> {
    if (0.0..=100.0).contains(&number) {
        Ok(number)
    } else {
        Err(StatesError::runtime("ToleratedFailurePercentage must be between 0 and 100."))
    }
}

impl Items {
    /// The array that a JSONPath state iterates over; `input` is its effective input.
    pub fn resolve(&self, input: &Value, env: &dyn Environment) -> Result<Value, StatesError> {
        let (items, path) = match self {
            Items::Input => (input.clone(), "$"),
            Items::Path(path) => (look_up(path, input, env)?, path.text()),
            Items::Template(_) => return Err(other_language("Items")),
        };
        match items {
            Value::Array(_) => Ok(items),
            _ => Err(StatesError {
                error: "States.Runtime",
                cause: format!("Reference path \"{path}\" must point to array."),
                names_state: false,
            }),
        }
    }

    /// The array that a JSONata state iterates over.
    pub fn resolve_query(&self, scope: &Scope<'_>) -> Result<Value, QueryFailure> {
        match self {
            Items::Input => match scope.input() {
                items @ Value::Array(_) => Ok(items.clone()),
                other => {
                    let cause = format!("Map state input must be an array but was: {other}");
                    Err(QueryFailure { location: None, ..QueryFailure::new("Items", cause) })
                }
            },
            Items::Path(_) => Err(failed("ItemsPath", other_language("ItemsPath"))),
            Items::Template(template) => match template.evaluate_query(scope, "Items")? {
                items @ Value::Array(_) => Ok(items),
                other => Err(template.unexpected_type("Items", "array", &other)),
            },
        }
    }
}
