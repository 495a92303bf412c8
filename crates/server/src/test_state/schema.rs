//! Whether a mocked result has the shape of the API's answer, as far as we know that API.
//!
//! Step Functions writes member names with a capital first letter, timestamps and blobs as text. Members that the API
//! does not know pass. What a service answers is known from its model; results of services that are not in
//! [`crate::model::answers`] are taken as they are.

use stepwell_asl::program::{IntegrationPattern, ResourceKind};
use stepwell_asl::value::Value;

use crate::model;
use crate::model::table::{Bounds, Model, ShapeId, ShapeKind};

/// What is wrong with a mocked result, in AWS's words; the first finding only. `mode` is `STRICT`, `PRESENT` or
/// `NONE`.
pub(super) fn problem(resource: &ResourceKind, result: &Value, mode: &str) -> Option<String> {
    if mode == "NONE" {
        return None;
    }
    let (model, shape) = answer_of(resource)?;
    Check { model, requires: mode == "STRICT" }.value(shape, "", result)
}

/// The model of the answer of the API that a task calls.
fn answer_of(resource: &ResourceKind) -> Option<(&'static Model, ShapeId)> {
    let ResourceKind::Service { resource_type, api, pattern, .. } = resource else { return None };
    let service = resource_type.strip_prefix("aws-sdk:").unwrap_or(resource_type);
    let operation = match (service, &**api, pattern) {
        // What ends such a task is the answer of the call that polls.
        ("states" | "sfn", "startExecution", IntegrationPattern::Sync | IntegrationPattern::Sync2) => {
            "DescribeExecution".to_owned()
        }
        (_, _, IntegrationPattern::RequestResponse) => capitalized(api),
        _ => return None,
    };
    let (model, prefix) = match service {
        "states" | "sfn" => (model::step_functions(), String::new()),
        "eventbridge" => (model::answers(), "events.".into()),
        other => (model::answers(), format!("{other}.")),
    };
    let output = model.operation(&format!("{prefix}{operation}"))?.output?;
    Some((model, output))
}

fn capitalized(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

struct Check {
    model: &'static Model,
    /// Whether required members must be there.
    requires: bool,
}

impl Check {
    fn value(&self, id: ShapeId, field: &str, value: &Value) -> Option<String> {
        let must_be = |what: &str| Some(format!("Field '{field}' must be {what}"));
        match (&self.model.shape(id).kind, value) {
            (_, Value::Null) => None,
            (ShapeKind::Structure(members), Value::Object(given)) => {
                for member in members {
                    let name = capitalized(&member.name);
                    match given.get(&name) {
                        None if member.required && self.requires => {
                            return Some(format!("Required field '{name}' is missing"));
                        }
                        None => {}
                        Some(value) => {
                            let problem = self.value(member.shape, &name, value);
                            if problem.is_some() {
                                return problem;
                            }
                        }
                    }
                }
                None
            }
            (ShapeKind::Map { value: of }, Value::Object(given)) => {
                given.iter().find_map(|(key, value)| self.value(*of, key, value))
            }
            (ShapeKind::Structure(_) | ShapeKind::Map { .. }, _) => must_be("an object"),
            (ShapeKind::List { member, size }, Value::Array(items)) => {
                let problem = items.iter().find_map(|item| self.value(*member, field, item));
                problem.or_else(|| length(field, items.len(), *size))
            }
            (ShapeKind::List { .. }, _) => must_be("an array"),
            (ShapeKind::Text(facts), Value::String(text)) => {
                if !facts.values.is_empty() && !facts.values.iter().any(|known| **known == **text) {
                    return Some(format!("Field '{field}' is not an expected value"));
                }
                let characters = if facts.in_bytes { text.len() } else { text.encode_utf16().count() };
                length(field, characters, facts.length)
            }
            (ShapeKind::Blob { size }, Value::String(text)) => length(field, text.len(), *size),
            (ShapeKind::Timestamp, Value::String(_)) => None,
            (ShapeKind::Text(_) | ShapeKind::Blob { .. } | ShapeKind::Timestamp, _) => must_be("a string"),
            (ShapeKind::Integer { range, .. } | ShapeKind::Float { range }, Value::Number(number)) => {
                let number = number.as_f64();
                if range.min.is_some_and(|min| number < min as f64) {
                    return Some(format!("Field '{field}' is less than the minimum value"));
                }
                let over = range.max.is_some_and(|max| number > max as f64);
                over.then(|| format!("Field '{field}' exceeds the maximum value"))
            }
            (ShapeKind::Integer { .. } | ShapeKind::Float { .. }, _) => must_be("a number"),
            (ShapeKind::Boolean, Value::Bool(_)) => None,
            (ShapeKind::Boolean, _) => must_be("a boolean"),
        }
    }
}

fn length(field: &str, length: usize, size: Bounds) -> Option<String> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if size.min.is_some_and(|min| length < min) {
        return Some(format!("Field '{field}' is smaller than the minimum length"));
    }
    size.max.is_some_and(|max| length > max).then(|| format!("Field '{field}' exceeds the maximum length"))
}
