//! Between the documents of an execution and the structures that services speak.
//!
//! [`Value`] keeps the text of every number; `serde_json` does not. So only parameters and results of API calls pass
//! here, whose numbers are counts and sizes; the payload of a Lambda function never does.

use serde_json::Value as Json;
use stepwell_asl::value::{Number, Object, Value};

/// Deepest nesting of a structure; what `serde_json` itself reads. No API comes near.
pub(crate) const DEPTH_MAX: usize = 127;

/// The structure of a document, members in order; `None` where it is nested deeper than any API's.
/// `3.0` becomes the integer that an API expects.
pub(crate) fn to_api(value: &Value) -> Option<Json> {
    to_api_within(value, DEPTH_MAX)
}

fn to_api_within(value: &Value, levels: usize) -> Option<Json> {
    Some(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Number(n) => number_to_api(n),
        Value::String(s) => Json::String(s.to_string()),
        Value::Array(elements) => {
            let levels = levels.checked_sub(1)?;
            Json::Array(elements.iter().map(|element| to_api_within(element, levels)).collect::<Option<_>>()?)
        }
        Value::Object(members) => {
            let levels = levels.checked_sub(1)?;
            let members =
                members.iter().map(|(name, value)| Some((name.to_string(), to_api_within(value, levels)?)));
            Json::Object(members.collect::<Option<_>>()?)
        }
    })
}

fn number_to_api(number: &Number) -> Json {
    match number.as_i64() {
        Some(integer) => Json::from(integer),
        None => serde_json::from_str(&number.to_string()).map_or(Json::Null, Json::Number),
    }
}

/// The document of a structure, members in order.
pub(crate) fn from_api(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => Value::Number(number_from_api(n)),
        Json::String(s) => Value::from(s.as_str()),
        Json::Array(elements) => Value::from(elements.iter().map(from_api).collect::<Vec<_>>()),
        Json::Object(members) => Value::from(
            members.iter().map(|(name, value)| (name.as_str(), from_api(value))).collect::<Object>(),
        ),
    }
}

pub(crate) fn number_from_api(number: &serde_json::Number) -> Number {
    Number::from_json_text(&number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::payload::Payload;

    #[test]
    fn structures_keep_order_and_integers() {
        let cases = [
            (r#"{"b":1,"a":[true,null,"x"]}"#, r#"{"b":1,"a":[true,null,"x"]}"#),
            ("3.0", "3"),
            ("1e2", "100"),
            ("1.5", "1.5"),
            ("18446744073709551615", "18446744073709551615"),
        ];
        for (document, expected) in cases {
            let document = Payload::parse(document).expect("JSON");
            assert_eq!(to_api(document.value()).map(|j| j.to_string()).as_deref(), Some(expected));
        }
        let deep = Payload::parse(format!("{}{}", "[".repeat(900), "]".repeat(900))).expect("JSON");
        assert_eq!(to_api(deep.value()), None);
        let json: Json = serde_json::from_str(r#"{"z":18446744073709551615,"a":{"n":-2.5}}"#).expect("JSON");
        assert_eq!(from_api(&json).to_json(), r#"{"z":18446744073709551615,"a":{"n":-2.5}}"#);
    }
}
