//! Values into JSONata's own and back.

use std::rc::Rc;

use indexmap::IndexMap;
use jsonata_core::value::JValue;

use crate::value::{Number, Object, Value};

/// JSONata's form of a value. Numbers become doubles, as the language has no others.
pub(super) fn to_jsonata(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(b) => JValue::Bool(*b),
        Value::Number(n) => JValue::Number(n.as_f64()),
        Value::String(s) => JValue::String(Rc::from(&**s)),
        Value::Array(list) => JValue::array(list.iter().map(to_jsonata).collect()),
        Value::Object(members) => {
            let converted: IndexMap<String, JValue> =
                members.iter().map(|(name, value)| (name.to_string(), to_jsonata(value))).collect();
            JValue::object(converted)
        }
    }
}

/// Why a result is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoJson {
    /// A function or regular expression.
    Function,
    /// Nested too deeply or too large.
    TooMuch,
}

/// JSON from JSONata's form. What is undefined inside of a list or object is left out.
pub(super) fn from_jsonata(
    value: &JValue,
    depth_left: usize,
    bytes_left: &mut usize,
) -> Result<Value, NoJson> {
    let mut spend = |bytes: usize| {
        *bytes_left = bytes_left.checked_sub(bytes).ok_or(NoJson::TooMuch)?;
        Ok(())
    };
    match value {
        JValue::Null | JValue::Undefined => spend(4).map(|()| Value::Null),
        JValue::Bool(b) => spend(4).map(|()| Value::Bool(*b)),
        JValue::Number(n) => spend(1).map(|()| number(*n)),
        JValue::String(s) => spend(s.len() + 2).map(|()| Value::from(&**s)),
        JValue::Array(list) => {
            spend(2 + list.len())?;
            let inside = depth_left.checked_sub(1).ok_or(NoJson::TooMuch)?;
            let defined = list.iter().filter(|v| !v.is_undefined());
            let elements: Result<Vec<Value>, NoJson> =
                defined.map(|v| from_jsonata(v, inside, bytes_left)).collect();
            elements.map(Value::from)
        }
        JValue::Object(members) => {
            spend(2)?;
            let inside = depth_left.checked_sub(1).ok_or(NoJson::TooMuch)?;
            let mut object = Object::with_capacity(members.len());
            for (name, value) in members.iter().filter(|(_, v)| !v.is_undefined()) {
                *bytes_left = bytes_left.checked_sub(name.len() + 4).ok_or(NoJson::TooMuch)?;
                object.insert(name.as_str(), from_jsonata(value, inside, bytes_left)?);
            }
            Ok(object.into())
        }
        _ => Err(NoJson::Function),
    }
}

/// A number as ECMAScript writes it: whole ones without a fraction, up to 21 digits without an exponent.
fn number(n: f64) -> Value {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if !n.is_finite() {
        return Value::Null;
    }
    if n.fract() == 0.0 && n.abs() <= EXACT_MAX {
        #[allow(clippy::cast_possible_truncation)]
        return Value::Number(Number::Int(n as i64));
    }
    let text = if (1e-6..1e21).contains(&n.abs()) {
        format!("{n}")
    } else {
        let text = format!("{n:e}");
        if text.contains("e-") { text } else { text.replace('e', "e+") }
    };
    Value::Number(Number::from_json_text(&text))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_as_ecmascript_writes_them() {
        for (n, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (3.0, "3"),
            (-2.5, "-2.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1e20, "100000000000000000000"),
            (12_345_678_901_234_567_000.0, "12345678901234567000"),
            (1e21, "1e+21"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ] {
            assert_eq!(number(n).to_json(), text);
        }
    }
}
