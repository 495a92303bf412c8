//! The two query languages, and what an expression in JSONata looks like.

use serde_json::Value;

/// The language of paths and expressions in a state, or in a whole machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryLanguage {
    /// `JSONPath`: paths in keys that end in `.$`.
    #[default]
    JsonPath,
    /// `JSONata`: expressions in strings, `{% $states.input.id %}`.
    Jsonata,
}

impl QueryLanguage {
    /// As in the `QueryLanguage` field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            QueryLanguage::JsonPath => "JSONPath",
            QueryLanguage::Jsonata => "JSONata",
        }
    }

    /// The field of a Task with what the call gets.
    pub(crate) fn call_field(self) -> &'static str {
        match self {
            QueryLanguage::JsonPath => "Parameters",
            QueryLanguage::Jsonata => "Arguments",
        }
    }
}

/// The state's input in JSONata.
pub(crate) const INPUT: &str = "{% $states.input %}";

/// Whether `text` is an expression as a field of a JSONata state holds it.
pub(crate) fn is_expression(text: &str) -> bool {
    text.strip_prefix("{%").is_some_and(|rest| rest.ends_with("%}"))
}

/// Whether an expression in `value` looks at the task token, directly or as part of the context object.
pub(crate) fn mentions_task_token(value: &Value) -> bool {
    let Some(text) = value.as_str().filter(|text| is_expression(text)) else { return false };
    text.match_indices("$states.context").any(|(at, found)| {
        let rest = &text[at + found.len()..];
        let rest = rest.strip_prefix(".Task").unwrap_or(rest);
        let rest = rest.strip_prefix(".Token").unwrap_or(rest);
        // Another member of the context object is not the token.
        !rest.strip_prefix('.').is_some_and(|member| member.starts_with(char::is_alphabetic))
    })
}
