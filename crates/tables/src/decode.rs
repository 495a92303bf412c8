//! From a request's JSON to the library's typed request, with DynamoDB's answer where that fails.

use dynoxide::DynoxideError;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How a marked text becomes an error.
type Make = fn(String) -> DynoxideError;

/// The marks by which the library's readers say which error a value deserves, longest first.
const MARKS: [(&str, Make); 5] = [
    ("VALIDATION_REQUEST:", DynoxideError::EnvelopedValidation),
    ("VALIDATION_AS_READ:", DynoxideError::ValidationException),
    ("VALIDATION:", DynoxideError::ValidationException),
    ("SERIALIZATION_AS_READ:", DynoxideError::SerializationException),
    ("SERIALIZATION:", DynoxideError::SerializationException),
];

/// Reads a request.
pub(crate) fn request<T: DeserializeOwned>(input: &Value) -> Result<T, DynoxideError> {
    T::deserialize(input).map_err(|error| classify(&error.to_string(), input))
}

fn classify(text: &str, input: &Value) -> DynoxideError {
    for (mark, make) in MARKS {
        if let Some(rest) = text.strip_prefix(mark) {
            return make(rest.to_owned());
        }
    }
    if let Some(member) = quoted_after(text, "missing field `") {
        return missing(member);
    }
    if text.contains("Supplied AttributeValue") {
        return DynoxideError::ValidationException(text.to_owned());
    }
    if text.contains("empty AttributeValue") {
        return DynoxideError::ValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
                .to_owned(),
        );
    }
    if text.contains("unknown variant") || text.contains("invalid type: null") {
        return DynoxideError::ValidationException(text.to_owned());
    }
    let words = attribute_mismatch(text, input).unwrap_or_else(|| mismatch(text));
    DynoxideError::SerializationException(words)
}

/// The part of `text` between `before` and the next backquote.
fn quoted_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split('`').next()
}

/// DynamoDB's words for an absent member, which it spells with a small first letter.
fn missing(member: &str) -> DynoxideError {
    let mut letters = member.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    let path: String = first.into_iter().chain(letters).collect();
    DynoxideError::ValidationException(format!(
        "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
    ))
}

/// DynamoDB's words for `expected <string, array or object> for <type of attribute value>`, where the reader does not
/// say what it found: the first such member of the request is looked up.
fn attribute_mismatch(text: &str, input: &Value) -> Option<String> {
    let rest = text.strip_prefix("expected ")?;
    // `in` speaks of an item of a set, `for` of the value itself.
    let in_set = rest.split_once(" in ");
    let (wanted, name) = in_set.or_else(|| rest.split_once(" for "))?;
    let fits = |value: &Value| match wanted {
        "string" if in_set.is_some() => {
            value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
        }
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    let mut found = find_member(input, name, &|value| !fits(value))?;
    if let (Some(_), Some(items)) = (in_set, found.as_array()) {
        found = items.iter().find(|item| !item.is_string())?;
    }
    Some(match (found, wanted) {
        (Value::Object(_), _) => "Start of structure or map found where not expected".to_owned(),
        (Value::Array(_), "string") => "Unrecognized collection type class java.lang.String".to_owned(),
        (Value::Array(_), _) => "Unrecognized collection type class java.util.Map".to_owned(),
        (_, "array" | "object") => "Unexpected field type".to_owned(),
        (Value::Bool(true), _) => "TRUE_VALUE cannot be converted to String".to_owned(),
        (Value::Bool(false), _) => "FALSE_VALUE cannot be converted to String".to_owned(),
        (Value::Number(number), _) if number.is_f64() => {
            "DECIMAL_VALUE cannot be converted to String".to_owned()
        }
        (_, _) => "NUMBER_VALUE cannot be converted to String".to_owned(),
    })
}

/// The first member called `name`, at any depth, that `wanted` wants. Without recursion.
fn find_member<'a>(input: &'a Value, name: &str, wanted: &dyn Fn(&Value) -> bool) -> Option<&'a Value> {
    let mut open = vec![input];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(member) = members.get(name).filter(|member| wanted(member)) {
                    return Some(member);
                }
                open.extend(members.values().rev());
            }
            Value::Array(items) => open.extend(items.iter().rev()),
            _ => {}
        }
    }
    None
}

/// DynamoDB's words for `invalid type: <found>, expected <wanted>`; other texts as they are.
fn mismatch(text: &str) -> String {
    let Some((found, wanted)) =
        text.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    else {
        return text.to_owned();
    };
    let class = match wanted {
        "a string" => "String",
        "a boolean" => "Boolean",
        "i64" | "u64" | "usize" | "i32" | "u32" => "Long",
        _ if found == "map" => return "Start of structure or map found where not expected".to_owned(),
        _ if found == "sequence" => return "Unrecognized collection type class java.util.Map".to_owned(),
        _ => return "Unexpected field type".to_owned(),
    };
    let token = match found {
        "map" => return "Start of structure or map found where not expected".to_owned(),
        "sequence" => return format!("Unrecognized collection type class java.lang.{class}"),
        "boolean `true`" => "TRUE_VALUE",
        "boolean `false`" => "FALSE_VALUE",
        _ if found.starts_with("string ") && class == "Boolean" => {
            return "Unexpected token received from parser".to_owned();
        }
        _ if found.starts_with("string ") => "STRING_VALUE",
        _ if found.starts_with("floating point ") => "DECIMAL_VALUE",
        _ => "NUMBER_VALUE",
    };
    format!("{token} cannot be converted to {class}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_of_the_reader_become_those_of_dynamodb() {
        for (text, expected, validation) in [
            (
                "missing field `TableName`",
                "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not \
                 be null",
                true,
            ),
            (
                "invalid type: integer `1`, expected a string",
                "NUMBER_VALUE cannot be converted to String",
                false,
            ),
            (
                "invalid type: map, expected a sequence",
                "Start of structure or map found where not expected",
                false,
            ),
            (
                "invalid type: string \"x\", expected a boolean",
                "Unexpected token received from parser",
                false,
            ),
            ("VALIDATION:words", "words", true),
            ("VALIDATION_REQUEST:words", "words", true),
            ("SERIALIZATION:words", "words", false),
        ] {
            let error = classify(text, &Value::Null);
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.error_type().ends_with("#ValidationException"), validation, "{text}");
        }
    }

    #[test]
    fn wrong_attribute_values_are_looked_up() {
        for (item, expected) in [
            (json!({"ok": {"S": "a"}, "bad": {"S": 1}}), "NUMBER_VALUE cannot be converted to String"),
            (json!({"bad": {"L": [{"N": 1.5}]}}), "DECIMAL_VALUE cannot be converted to String"),
            (json!({"bad": {"B": true}}), "TRUE_VALUE cannot be converted to String"),
            (json!({"bad": {"S": []}}), "Unrecognized collection type class java.lang.String"),
            (json!({"bad": {"SS": ["a", 1]}}), "NUMBER_VALUE cannot be converted to String"),
            (json!({"bad": {"SS": "a"}}), "Unexpected field type"),
            (json!({"bad": {"L": {}}}), "Start of structure or map found where not expected"),
            (json!({"bad": {"M": "a"}}), "Unexpected field type"),
            (json!({"bad": {"M": []}}), "Unrecognized collection type class java.util.Map"),
        ] {
            let input = json!({"TableName": "things", "Item": item});
            let error = request::<dynoxide::actions::put_item::PutItemRequest>(&input)
                .map(|_| ())
                .expect_err("fails");
            assert_eq!(error.to_string(), expected, "{input}");
            assert_eq!(error.error_type(), "com.amazon.coral.service#SerializationException");
        }
    }
}
