//! Checks of input members against the API model: types, lengths, ranges, patterns, enumerations, in AWS's words.

use serde_json::{Map, Value};
use stepwell_aws::Fault;

/// The violations found so far; AWS reports them together.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<String>,
}

impl Problems {
    pub(crate) fn new() -> Self {
        Problems::default()
    }

    /// A text's length in characters.
    pub(crate) fn length(&mut self, member: &str, value: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length < min {
            self.add(member, value, &format!("Member must have length greater than or equal to {min}"));
        } else if length > max {
            self.add(member, value, &format!("Member must have length less than or equal to {max}"));
        }
    }

    /// A number's range, both ends included.
    pub(crate) fn range(&mut self, member: &str, value: i64, min: i64, max: i64) {
        if value < min {
            self.add(
                member,
                &value.to_string(),
                &format!("Member must have value greater than or equal to {min}"),
            );
        } else if value > max {
            self.add(
                member,
                &value.to_string(),
                &format!("Member must have value less than or equal to {max}"),
            );
        }
    }

    /// One of a fixed set.
    pub(crate) fn one_of(&mut self, member: &str, value: &str, allowed: &[&str]) {
        if !allowed.contains(&value) {
            self.add(member, value, &format!("Member must satisfy enum value set: [{}]", allowed.join(", ")));
        }
    }

    /// Records that `value` does not match `pattern`.
    pub(crate) fn pattern(&mut self, member: &str, value: &str, pattern: &str) {
        self.add(member, value, &format!("Member must satisfy regular expression pattern: {pattern}"));
    }

    /// Records that a required member is absent.
    pub(crate) fn missing(&mut self, member: &str) {
        self.found
            .push(format!("Value null at '{member}' failed to satisfy constraint: Member must not be null"));
    }

    fn add(&mut self, member: &str, value: &str, constraint: &str) {
        // A hostile value must not come back in full.
        let shown: String = value.chars().take(200).collect();
        self.found.push(format!("Value '{shown}' at '{member}' failed to satisfy constraint: {constraint}"));
    }

    /// The `ValidationException` that names all problems, if there are any.
    pub(crate) fn fault(&self) -> Result<(), Fault> {
        if self.found.is_empty() {
            return Ok(());
        }
        let count = self.found.len();
        let plural = if count == 1 { "" } else { "s" };
        Err(Fault::new(
            "ValidationException",
            format!("{count} validation error{plural} detected: {}", self.found.join("; ")),
        ))
    }
}

/// Typed access to an input structure. A member of another type is a `SerializationException`, `null` is absent.
pub(crate) struct Input<'a> {
    members: &'a Map<String, Value>,
}

impl<'a> Input<'a> {
    pub(crate) fn new(input: &'a Value) -> Result<Self, Fault> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        match input {
            Value::Object(members) => Ok(Input { members }),
            Value::Null => Ok(Input { members: &EMPTY }),
            other => Err(wrong_type("the input", "a structure", other)),
        }
    }

    /// All members, also those that are null.
    pub(crate) fn members(&self) -> &'a Map<String, Value> {
        self.members
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|v| !v.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        self.get(name).map(|v| v.as_str().ok_or_else(|| wrong_type(name, "a string", v))).transpose()
    }

    /// A text that must be there; `label` is its name in AWS's message.
    pub(crate) fn required_text(&self, name: &str) -> Result<&'a str, Fault> {
        self.text(name)?.ok_or_else(|| {
            let mut problems = Problems::new();
            problems.missing(&label(name));
            problems.fault().expect_err("a problem was just added")
        })
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.get(name).map(|v| v.as_i64().ok_or_else(|| wrong_type(name, "an integer", v))).transpose()
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Fault> {
        self.get(name).map(|v| v.as_bool().ok_or_else(|| wrong_type(name, "a boolean", v))).transpose()
    }

    pub(crate) fn structure(&self, name: &str) -> Result<Option<Input<'a>>, Fault> {
        self.get(name)
            .map(|v| {
                v.as_object()
                    .map(|members| Input { members })
                    .ok_or_else(|| wrong_type(name, "a structure", v))
            })
            .transpose()
    }

    /// A map of texts, in the order given.
    pub(crate) fn text_map(&self, name: &str) -> Result<Option<Map<String, Value>>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let members = value.as_object().ok_or_else(|| wrong_type(name, "a map", value))?;
        match members.iter().find(|(_, v)| !v.is_string()) {
            Some((key, other)) => Err(wrong_type(&format!("{name}.{key}"), "a string", other)),
            None => Ok(Some(members.clone())),
        }
    }
}

/// A member's name as AWS's messages write it: the first letter small.
pub(crate) fn label(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn wrong_type(name: &str, wanted: &str, got: &Value) -> Fault {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a structure",
    };
    Fault::new("SerializationException", format!("{name} must be {wanted}, not {got}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_come_in_one_message() {
        let mut problems = Problems::new();
        assert!(problems.fault().is_ok());
        problems.range("timeout", 901, 1, 900);
        problems.length("description", "", 1, 3);
        let fault = problems.fault().expect_err("problems");
        assert_eq!(
            fault.message,
            "2 validation errors detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have \
             value less than or equal to 900; Value '' at 'description' failed to satisfy constraint: Member must \
             have length greater than or equal to 1"
        );
    }
}
