//! Whether a mocked result has the shape of the API's answer.
//!
//! Step Functions writes member names with a capital first letter, timestamps and blobs as text. Members that the API
//! does not know pass.

use std::sync::Arc;

use stepwell_asl::program::{IntegrationPattern, ResourceKind};
use stepwell_asl::value::Value;
use stepwell_models::{Reference, Service, Shape, ShapeType};

/// Largest values that AWS checks with where recordings show that it does not use the service's latest model: service,
/// shape, value.
const RECORDED_MAX: &[(&str, &str, f64)] = &[("Lambda", "MemorySize", 10_240.0)];

/// What is wrong with a mocked result, in AWS's words; the first finding only. `mode` is `STRICT`, `PRESENT` or
/// `NONE`.
pub(super) fn problem(resource: &ResourceKind, result: &Value, mode: &str) -> Option<String> {
    if mode == "NONE" {
        return None;
    }
    let (service, operation) = answered_by(resource)?;
    let output = service.operations.get(&operation)?.output.as_ref()?;
    let ResourceKind::Service { resource_type, .. } = resource else { return None };
    let as_json = (&**resource_type == "lambda").then_some("Payload");
    Check { service: &service, requires: mode == "STRICT", as_json }.value(output, "", result)
}

/// The API whose answer ends a task.
fn answered_by(resource: &ResourceKind) -> Option<(Arc<Service>, String)> {
    let ResourceKind::Service { resource_type, api, pattern, .. } = resource else { return None };
    let name = match resource_type.strip_prefix("aws-sdk:").unwrap_or(resource_type) {
        "states" => "sfn",
        "events" => "eventbridge",
        other => other,
    };
    let operation = match (name, &**api, pattern) {
        // What ends such a task is the answer of the call that polls.
        ("sfn", "startExecution", IntegrationPattern::Sync | IntegrationPattern::Sync2) => {
            "DescribeExecution".to_owned()
        }
        (_, _, IntegrationPattern::RequestResponse) => capitalized(api),
        _ => return None,
    };
    Some((stepwell_models::service(name)?, operation))
}

fn capitalized(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

struct Check<'a> {
    service: &'a Service,
    /// Whether required members must be there.
    requires: bool,
    /// The member that the optimized integration gives as JSON and not as the text that it is at the service.
    as_json: Option<&'static str>,
}

impl Check<'_> {
    fn value(&self, of: &Reference, field: &str, value: &Value) -> Option<String> {
        let must_be = |what: &str| Some(format!("Field '{field}' must be {what}"));
        let shape = self.service.shape(of);
        match (shape.kind, value) {
            (_, Value::Null) => None,
            (ShapeType::Structure, Value::Object(_)) => self.structure(shape, value),
            (ShapeType::Map, Value::Object(given)) => {
                let of = shape.value.as_ref()?;
                given.iter().find_map(|(key, value)| self.value(of, key, value))
            }
            (ShapeType::Structure | ShapeType::Map, _) => must_be("an object"),
            (ShapeType::List, Value::Array(items)) => {
                let of = shape.element.as_ref()?;
                let problem = items.iter().find_map(|item| self.value(of, field, item));
                problem.or_else(|| length(field, items.len(), shape))
            }
            (ShapeType::List, _) => must_be("an array"),
            (ShapeType::String | ShapeType::Character, Value::String(text)) => {
                if !shape.values.is_empty() && !shape.values.iter().any(|known| **known == **text) {
                    return Some(format!("Field '{field}' is not an expected value"));
                }
                length(field, text.encode_utf16().count(), shape)
            }
            (ShapeType::Blob, Value::String(text)) => length(field, text.len(), shape),
            (ShapeType::Timestamp, Value::String(_)) => None,
            (ShapeType::String | ShapeType::Character | ShapeType::Blob | ShapeType::Timestamp, _) => {
                must_be("a string")
            }
            (
                ShapeType::Integer | ShapeType::Long | ShapeType::Float | ShapeType::Double,
                Value::Number(number),
            ) => {
                let number = number.as_f64();
                if shape.min.is_some_and(|min| number < min) {
                    return Some(format!("Field '{field}' is less than the minimum value"));
                }
                let recorded =
                    RECORDED_MAX.iter().find(|(id, shape, _)| *id == self.service.id && *shape == of.shape);
                let max = recorded.map(|(_, _, max)| *max).or(shape.max);
                let over = max.is_some_and(|max| number > max);
                over.then(|| format!("Field '{field}' exceeds the maximum value"))
            }
            (ShapeType::Integer | ShapeType::Long | ShapeType::Float | ShapeType::Double, _) => {
                must_be("a number")
            }
            (ShapeType::Boolean, Value::Bool(_)) => None,
            (ShapeType::Boolean, _) => must_be("a boolean"),
        }
    }

    fn structure(&self, shape: &Shape, value: &Value) -> Option<String> {
        let given = value.as_object()?;
        shape.members.iter().find_map(|(member, of)| {
            let name = capitalized(member);
            match given.get(&name) {
                Some(_) if self.as_json == Some(&*name) => None,
                Some(value) => self.value(of, &name, value),
                None if self.requires && shape.required.iter().any(|required| required == member) => {
                    Some(format!("Required field '{name}' is missing"))
                }
                None => None,
            }
        })
    }
}

fn length(field: &str, length: usize, shape: &Shape) -> Option<String> {
    #[allow(clippy::cast_precision_loss)] // Lengths are below 2^52.
    let length = length as f64;
    if shape.min.is_some_and(|min| length < min) {
        return Some(format!("Field '{field}' is smaller than the minimum length"));
    }
    shape.max.is_some_and(|max| length > max).then(|| format!("Field '{field}' exceeds the maximum length"))
}
