//! The check of a request against its model, with AWS's texts.
//!
//! Two layers, as at AWS: a value of the wrong JSON type cannot be read at all (`SerializationException`, one at a
//! time); a readable request is then held against all constraints, and every violation is told in one
//! `ValidationException`. Unknown members are ignored, `null` is an absent member.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use stepwell_aws::Fault;

use super::table::{Bounds, Model, Operation, ShapeId, ShapeKind, TextFacts};
use crate::fault;

/// Violations told in one answer; a list of a hundred thousand bad items must not become a message of megabytes.
const VIOLATIONS_MAX: usize = 10;
/// Characters of an offending value that an answer repeats.
const PRINTED_VALUE_CHARS_MAX: usize = 8192;

/// Whether `input` is a valid request of `operation`.
pub fn check(model: &Model, operation: &Operation, input: &Value) -> Result<(), Fault> {
    let Some(shape) = operation.input else { return Ok(()) };
    readable(model, shape, input)?;
    let mut violations = Violations { model, found: Vec::new() };
    violations.of_value(shape, input, &mut String::new());
    violations.into_result()
}

/// Whether every value has the JSON type of its shape. Depth is bounded by the model, which has no recursive shapes
/// in its inputs, and by the JSON reader.
fn readable(model: &Model, id: ShapeId, value: &Value) -> Result<(), Fault> {
    let unreadable = |as_what: &str| Err(fault::serialization(conversion_text(value, as_what)));
    match (&model.shape(id).kind, value) {
        (_, Value::Null) => Ok(()),
        (ShapeKind::Structure(members), Value::Object(given)) => members
            .iter()
            .filter_map(|member| given.get(&member.name).map(|v| (member.shape, v)))
            .try_for_each(|(shape, v)| readable(model, shape, v)),
        (ShapeKind::List { member, .. }, Value::Array(items)) => {
            items.iter().try_for_each(|item| readable(model, *member, item))
        }
        (ShapeKind::Map { value: of }, Value::Object(given)) => {
            given.values().try_for_each(|v| readable(model, *of, v))
        }
        (ShapeKind::Text(_) | ShapeKind::Blob { .. }, Value::String(_)) => Ok(()),
        (ShapeKind::Boolean, Value::Bool(_)) => Ok(()),
        (ShapeKind::Float { .. } | ShapeKind::Timestamp, Value::Number(_)) => Ok(()),
        (ShapeKind::Integer { bits, .. }, Value::Number(_)) => match integer(value) {
            Some(number) if *bits == 64 || i32::try_from(number).is_ok() => Ok(()),
            _ => unreadable(if *bits == 64 { "Long" } else { "Integer" }),
        },
        (ShapeKind::Structure(_) | ShapeKind::Map { .. }, _) => unreadable("map"),
        (ShapeKind::List { .. }, _) => unreadable("list"),
        (ShapeKind::Text(_), _) => unreadable("String"),
        (ShapeKind::Boolean, _) => unreadable("Boolean"),
        (ShapeKind::Integer { bits: 64, .. }, _) => unreadable("Long"),
        (ShapeKind::Integer { .. }, _) => unreadable("Integer"),
        (ShapeKind::Float { .. }, _) => unreadable("Float"),
        (ShapeKind::Timestamp, _) => unreadable("Timestamp"),
        (ShapeKind::Blob { .. }, _) => unreadable("ByteBuffer"),
    }
}

fn conversion_text(value: &Value, as_what: &str) -> String {
    match (value, as_what) {
        (Value::Object(_), _) => "Start of structure or map found where not expected.".into(),
        (Value::Array(_), _) => "Start of list found where not expected".into(),
        (_, "list") => "Expected list or null".into(),
        (_, "map") => "Expected map or null".into(),
        (Value::String(_), _) => format!("STRING_VALUE cannot be converted to {as_what}"),
        (Value::Bool(true), _) => format!("TRUE_VALUE cannot be converted to {as_what}"),
        (Value::Bool(false), _) => format!("FALSE_VALUE cannot be converted to {as_what}"),
        _ => format!("NUMBER_VALUE cannot be converted to {as_what}"),
    }
}

/// The number as an integer, also where it is written as `5.0`.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        // Beyond 2^53 a float no longer says which integer was meant.
        (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

struct Violations<'a> {
    model: &'a Model,
    found: Vec<String>,
}

impl Violations<'_> {
    fn of_value(&mut self, id: ShapeId, value: &Value, path: &mut String) {
        if self.found.len() >= VIOLATIONS_MAX {
            return;
        }
        let model = self.model;
        match (&model.shape(id).kind, value) {
            (ShapeKind::Structure(members), Value::Object(given)) => {
                for member in members {
                    let depth = path.len();
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&member.name);
                    match given.get(&member.name) {
                        None | Some(Value::Null) if member.required => self.missing(path),
                        None | Some(Value::Null) => {}
                        Some(value) => self.of_value(member.shape, value, path),
                    }
                    path.truncate(depth);
                }
            }
            (ShapeKind::List { member, size }, Value::Array(items)) => {
                self.of_length(*size, items.len(), id, value, path);
                for (index, item) in items.iter().enumerate() {
                    let depth = path.len();
                    let _ = write!(path, ".{}.member", index + 1);
                    match item {
                        Value::Null => self.missing(path),
                        item => self.of_value(*member, item, path),
                    }
                    path.truncate(depth);
                    if self.found.len() >= VIOLATIONS_MAX {
                        return;
                    }
                }
            }
            (ShapeKind::Map { value: of }, Value::Object(given)) => {
                for (key, value) in given {
                    let depth = path.len();
                    let _ = write!(path, ".{key}.member");
                    self.of_value(*of, value, path);
                    path.truncate(depth);
                }
            }
            (ShapeKind::Text(facts), Value::String(text)) => self.of_text(facts, text, id, value, path),
            (ShapeKind::Integer { range, .. } | ShapeKind::Float { range }, Value::Number(number)) => {
                self.of_number(*range, number.as_f64().unwrap_or_default(), id, value, path);
            }
            _ => {}
        }
    }

    fn of_text(&mut self, facts: &TextFacts, text: &str, id: ShapeId, value: &Value, path: &str) {
        let length = if facts.in_bytes { text.len() } else { text.encode_utf16().count() };
        self.of_length(facts.length, length, id, value, path);
        if let Some(pattern) = facts.violated_pattern(text) {
            self.add(id, value, path, &format!("satisfy regular expression pattern: {pattern}"));
        }
        if !facts.values.is_empty() && !facts.values.iter().any(|v| v == text) {
            self.add(id, value, path, &format!("satisfy enum value set: [{}]", facts.values.join(", ")));
        }
    }

    fn of_length(&mut self, size: Bounds, length: usize, id: ShapeId, value: &Value, path: &str) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        if let Some(max) = size.max.filter(|max| length > *max) {
            self.add(id, value, path, &format!("have length less than or equal to {max}"));
        }
        if let Some(min) = size.min.filter(|min| length < *min) {
            self.add(id, value, path, &format!("have length greater than or equal to {min}"));
        }
    }

    fn of_number(&mut self, range: Bounds, number: f64, id: ShapeId, value: &Value, path: &str) {
        if let Some(max) = range.max.filter(|max| number > *max as f64) {
            self.add(id, value, path, &format!("have value less than or equal to {max}"));
        }
        if let Some(min) = range.min.filter(|min| number < *min as f64) {
            self.add(id, value, path, &format!("have value greater than or equal to {min}"));
        }
    }

    fn missing(&mut self, path: &str) {
        self.found
            .push(format!("Value null at '{path}' failed to satisfy constraint: Member must not be null"));
    }

    fn add(&mut self, id: ShapeId, value: &Value, path: &str, constraint: &str) {
        let shown = match self.model.shape(id).sensitive {
            true => String::new(),
            false => format!(" '{}'", self.printed(id, value)),
        };
        self.found
            .push(format!("Value{shown} at '{path}' failed to satisfy constraint: Member must {constraint}"));
    }

    /// A value as AWS's servers print it: `[Item(name=a, weight=50), …]`.
    fn printed(&self, id: ShapeId, value: &Value) -> String {
        let mut text = String::new();
        self.print(id, value, &mut text);
        if let Some((end, _)) = text.char_indices().nth(PRINTED_VALUE_CHARS_MAX) {
            text.truncate(end);
        }
        text
    }

    fn print(&self, id: ShapeId, value: &Value, to: &mut String) {
        if to.len() > PRINTED_VALUE_CHARS_MAX * 4 {
            return;
        }
        let shape = self.model.shape(id);
        match (&shape.kind, value) {
            (_, Value::Null) => to.push_str("null"),
            _ if shape.sensitive => to.push_str("***Sensitive Data Redacted***"),
            (ShapeKind::Structure(members), Value::Object(given)) => {
                to.push_str(&shape.name);
                to.push('(');
                for (index, member) in members.iter().enumerate() {
                    to.push_str(if index == 0 { "" } else { ", " });
                    to.push_str(&member.name);
                    to.push('=');
                    self.print(member.shape, given.get(&member.name).unwrap_or(&Value::Null), to);
                }
                to.push(')');
            }
            (ShapeKind::List { member, .. }, Value::Array(items)) => {
                to.push('[');
                for (index, item) in items.iter().enumerate() {
                    to.push_str(if index == 0 { "" } else { ", " });
                    self.print(*member, item, to);
                }
                to.push(']');
            }
            (_, Value::String(text)) => to.push_str(text),
            // Printed as what they were read into.
            (ShapeKind::Integer { .. }, number) if integer(number).is_some() => {
                let _ = write!(to, "{}", integer(number).unwrap_or_default());
            }
            (ShapeKind::Float { .. }, Value::Number(number)) => {
                let _ = write!(to, "{:?}", number.as_f64().unwrap_or_default());
            }
            (_, other) => {
                let _ = write!(to, "{other}");
            }
        }
    }

    fn into_result(self) -> Result<(), Fault> {
        let count = self.found.len();
        if count == 0 {
            return Ok(());
        }
        let plural = if count == 1 { "error" } else { "errors" };
        let message = format!("{count} validation {plural} detected: {}", self.found.join("; "));
        Err(Fault { members: Map::new(), ..fault::constraint(message) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::step_functions;

    fn refusal(operation: &str, input: &Value) -> Option<(String, String)> {
        let model = step_functions();
        let operation = model.operation(operation).expect(operation);
        check(model, operation, input).err().map(|f| (f.code, f.message))
    }

    #[test]
    fn constraints_have_the_texts_of_aws() {
        let arn = "arn:aws:states:us-east-1:111111111111:stateMachine:m";
        let frame = |rest: &str| format!("1 validation error detected: {rest}");
        let version = |n: u8| json!({"stateMachineVersionArn": format!("{arn}:{n}"), "weight": 50});
        let long = "A".repeat(81);
        let cases = [
            (
                "ListExecutions",
                json!({"maxResults": 1001}),
                frame("Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"),
            ),
            (
                "ListExecutions",
                json!({"maxResults": -1.0}),
                frame("Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0"),
            ),
            (
                "ListExecutions",
                json!({"statusFilter": "succeeded"}),
                frame("Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"),
            ),
            (
                "CreateStateMachineAlias",
                json!({"name": "123", "routingConfiguration": [version(1)]}),
                frame("Value '123' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$"),
            ),
            (
                "CreateStateMachineAlias",
                json!({"name": long, "routingConfiguration": [version(1)]}),
                frame(&format!("Value '{long}' at 'name' failed to satisfy constraint: Member must have length less than or equal to 80")),
            ),
            (
                "CreateStateMachineAlias",
                json!({"name": "a", "routingConfiguration": [{"stateMachineVersionArn": arn, "weight": 101}]}),
                frame("Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100"),
            ),
            (
                "CreateStateMachineAlias",
                json!({"name": "a", "routingConfiguration": [version(1), version(2), version(3)]}),
                frame(&format!("Value '[RoutingConfigurationListItem(stateMachineVersionArn={arn}:1, weight=50), RoutingConfigurationListItem(stateMachineVersionArn={arn}:2, weight=50), RoutingConfigurationListItem(stateMachineVersionArn={arn}:3, weight=50)]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2")),
            ),
            (
                "UpdateMapRun",
                json!({"mapRunArn": arn, "maxConcurrency": -1.0, "toleratedFailurePercentage": 101}),
                "2 validation errors detected: Value '-1' at 'maxConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 0; Value '101.0' at 'toleratedFailurePercentage' failed to satisfy constraint: Member must have value less than or equal to 100".into(),
            ),
            (
                "DescribeExecution",
                json!({"executionArn": ""}),
                frame("Value '' at 'executionArn' failed to satisfy constraint: Member must have length greater than or equal to 1"),
            ),
            (
                "DescribeExecution",
                json!({"executionArn": null}),
                frame("Value null at 'executionArn' failed to satisfy constraint: Member must not be null"),
            ),
            (
                "StartExecution",
                json!({"stateMachineArn": arn, "input": "x".repeat(262_145)}),
                frame("Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144"),
            ),
            (
                "StartExecution",
                json!({"stateMachineArn": arn, "input": "ä".repeat(131_073)}),
                frame("Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144"),
            ),
            (
                "TagResource",
                json!({"resourceArn": arn, "tags": [{"key": ""}, null]}),
                "2 validation errors detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1; Value null at 'tags.2.member' failed to satisfy constraint: Member must not be null".into(),
            ),
            (
                "CreateStateMachine",
                json!({}),
                "3 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value null at 'definition' failed to satisfy constraint: Member must not be null; Value null at 'roleArn' failed to satisfy constraint: Member must not be null".into(),
            ),
        ];
        for (operation, input, expected) in cases {
            let (code, message) = refusal(operation, &input).expect(operation);
            assert_eq!((code.as_str(), message), ("ValidationException", expected), "{operation}");
        }
    }

    #[test]
    fn wrong_types_cannot_be_read() {
        let cases = [
            ("ListExecutions", json!({"maxResults": "5"}), "STRING_VALUE cannot be converted to Integer"),
            ("ListExecutions", json!({"maxResults": 5.5}), "NUMBER_VALUE cannot be converted to Integer"),
            ("ListExecutions", json!({"maxResults": 1e300}), "NUMBER_VALUE cannot be converted to Integer"),
            (
                "ListExecutions",
                json!({"maxResults": 4_294_967_296_u64}),
                "NUMBER_VALUE cannot be converted to Integer",
            ),
            ("StartExecution", json!({"name": 5}), "NUMBER_VALUE cannot be converted to String"),
            ("StartExecution", json!({"name": true}), "TRUE_VALUE cannot be converted to String"),
            ("StartExecution", json!({"input": {}}), "Start of structure or map found where not expected."),
            ("StartExecution", json!({"input": []}), "Start of list found where not expected"),
            ("TagResource", json!({"tags": "x"}), "Expected list or null"),
            ("TagResource", json!({"tags": ["x"]}), "Expected map or null"),
            (
                "GetExecutionHistory",
                json!({"reverseOrder": "true"}),
                "STRING_VALUE cannot be converted to Boolean",
            ),
            ("StartExecution", json!("x"), "Expected map or null"),
        ];
        for (operation, input, expected) in cases {
            let (code, message) = refusal(operation, &input).expect(operation);
            assert_eq!(
                (code.as_str(), message.as_str()),
                ("SerializationException", expected),
                "{operation} {input}"
            );
        }
    }

    #[test]
    fn valid_requests_pass() {
        let arn = "arn:aws:states:us-east-1:111111111111:stateMachine:m";
        for (operation, input) in [
            (
                "ListExecutions",
                json!({"stateMachineArn": arn, "maxResults": 0, "nextToken": null, "unknown": [1]}),
            ),
            ("ListExecutions", json!({"maxResults": 5.0})),
            ("StartExecution", json!({"stateMachineArn": arn, "input": ""})),
            ("StartExecution", json!({"stateMachineArn": arn, "input": "x".repeat(262_144)})),
            ("TagResource", json!({"resourceArn": arn, "tags": []})),
            ("ListStateMachines", json!({})),
        ] {
            assert_eq!(refusal(operation, &input), None, "{operation} {input}");
        }
    }

    #[test]
    fn answers_to_monstrous_requests_stay_small() {
        let tags = vec![json!({"key": "k".repeat(200)}); 10_000];
        let (_, message) =
            refusal("TagResource", &json!({"resourceArn": "a", "tags": tags})).expect("is refused");
        assert!(message.starts_with("10 validation errors detected"), "{}", &message[..80]);
        assert!(message.len() < 10_000);
        let (_, message) =
            refusal("ListExecutions", &json!({"nextToken": "t".repeat(5_000_000)})).expect("is refused");
        assert!(message.len() < 10_000);
    }
}
