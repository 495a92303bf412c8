//! What each intrinsic function computes. A failure is the reason that stands at the end of AWS's error text.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{FormatTemplate, hash, random};
use crate::environment::Environment;
use crate::json;
use crate::value::{Number, Object, Value};

/// Longest text for `States.Base64Encode`, `Base64Decode` and `Hash`, in characters.
const CODEC_CHARS_MAX: usize = 10_000;
/// Most elements that `States.ArrayRange` makes.
const RANGE_ITEMS_MAX: i64 = 1000;
/// Longest text that a function makes, in bytes. AWS stops results at 256 KiB when they leave the state; this keeps
/// what leads up to that in memory.
const TEXT_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    StringToJson,
    JsonToString,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
    Format,
}

/// Name, function, and the least and most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 18] = [
    ("States.Array", Function::Array, 0, usize::MAX),
    ("States.ArrayPartition", Function::ArrayPartition, 2, 2),
    ("States.ArrayContains", Function::ArrayContains, 2, 2),
    ("States.ArrayRange", Function::ArrayRange, 3, 3),
    ("States.ArrayGetItem", Function::ArrayGetItem, 2, 2),
    ("States.ArrayLength", Function::ArrayLength, 1, 1),
    ("States.ArrayUnique", Function::ArrayUnique, 1, 1),
    ("States.Base64Encode", Function::Base64Encode, 1, 1),
    ("States.Base64Decode", Function::Base64Decode, 1, 1),
    ("States.Hash", Function::Hash, 2, 2),
    ("States.JsonMerge", Function::JsonMerge, 3, 3),
    ("States.StringToJson", Function::StringToJson, 1, 1),
    ("States.JsonToString", Function::JsonToString, 1, 1),
    ("States.MathRandom", Function::MathRandom, 2, 3),
    ("States.MathAdd", Function::MathAdd, 2, 2),
    ("States.StringSplit", Function::StringSplit, 2, 2),
    ("States.UUID", Function::Uuid, 0, 0),
    ("States.Format", Function::Format, 1, usize::MAX),
];

type Computed = Result<Value, String>;

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        FUNCTIONS.iter().find(|(n, ..)| *n == name).map(|(_, f, ..)| *f)
    }

    pub(super) fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|(_, f, ..)| *f == self).map_or("", |(n, ..)| n)
    }

    /// What is wrong with so many arguments.
    pub(super) fn arity_problem(self, count: usize) -> Option<String> {
        let (name, _, least, most) = FUNCTIONS.iter().find(|(_, f, ..)| *f == self)?;
        let fits = (*least..=*most).contains(&count);
        (!fits).then(|| format!("{name} does not take {count} arguments"))
    }

    /// Calls the function.
    pub(super) fn apply(self, arguments: &[Value], env: &dyn Environment) -> Computed {
        if let Some(problem) = self.arity_problem(arguments.len()) {
            return Err(problem);
        }
        match (self, arguments) {
            (Function::Array, _) => Ok(arguments.to_vec().into()),
            (Function::ArrayPartition, [list, size]) => partition(array(list)?, integer(size)?),
            (Function::ArrayContains, [list, value]) => Ok(array(list)?.contains(value).into()),
            (Function::ArrayRange, [start, end, step]) => {
                range(integer(start)?, integer(end)?, integer(step)?)
            }
            (Function::ArrayGetItem, [list, index]) => get_item(array(list)?, integer(index)?),
            (Function::ArrayLength, [list]) => {
                i64::try_from(array(list)?.len()).map(Value::from).map_err(|e| e.to_string())
            }
            (Function::ArrayUnique, [list]) => Ok(unique(array(list)?)),
            (Function::Base64Encode, [text]) => Ok(BASE64.encode(short(string(text)?)?).into()),
            (Function::Base64Decode, [text]) => decode(short(string(text)?)?),
            (Function::Hash, [data, algorithm]) => digest(data, string(algorithm)?),
            (Function::JsonMerge, [first, second, deep]) => merge(object(first)?, object(second)?, deep),
            (Function::StringToJson, [text]) => string_to_json(string(text)?),
            (Function::JsonToString, [value]) => {
                within_limit(value.approximate_json_len(TEXT_BYTES_MAX))?;
                Ok(value.to_json().into())
            }
            (Function::MathRandom, [start, end, seed @ ..]) => math_random(start, end, seed.first(), env),
            (Function::MathAdd, [a, b]) => math_add(int32(a)?, int32(b)?),
            (Function::StringSplit, [text, delimiters]) => Ok(split(string(text)?, string(delimiters)?)),
            (Function::Uuid, _) => Ok(random::uuid(env).into()),
            (Function::Format, [template, values @ ..]) => {
                format(&FormatTemplate::parse(string(template)?)?, values)
            }
            _ => Err(format!("{} does not take {} arguments", self.name(), arguments.len())),
        }
    }
}

/// `States.Format`: the pieces of the template with the values between them.
pub(super) fn format(template: &FormatTemplate, values: &[Value]) -> Computed {
    let placeholders = template.pieces.len() - 1;
    if placeholders != values.len() {
        return Err(format!(
            "the template has {placeholders} placeholders, but {} values were given",
            values.len()
        ));
    }
    let mut text = template.pieces[0].clone();
    for (value, piece) in values.iter().zip(&template.pieces[1..]) {
        within_limit(value.approximate_json_len(TEXT_BYTES_MAX).map(|length| length + text.len()))?;
        show(value, &mut text);
        text.push_str(piece);
    }
    Ok(text.into())
}

/// Appends a value as Java prints it: strings bare, members as `name=value`.
fn show(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Array(list) => {
            out.push('[');
            for (i, element) in list.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                show(element, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(name);
                out.push('=');
                show(value, out);
            }
            out.push('}');
        }
        scalar => scalar.write_json(out),
    }
}

fn within_limit(length: Option<usize>) -> Result<(), String> {
    match length {
        Some(length) if length <= TEXT_BYTES_MAX => Ok(()),
        _ => Err(format!("the result is longer than {TEXT_BYTES_MAX} bytes")),
    }
}

fn wrong_type(expected: &str, value: &Value) -> String {
    format!("expected an argument of type {expected}, but was {}", value.type_name())
}

fn array(value: &Value) -> Result<&[Value], String> {
    value.as_array().ok_or_else(|| wrong_type("array", value))
}

fn object(value: &Value) -> Result<&Object, String> {
    value.as_object().ok_or_else(|| wrong_type("object", value))
}

fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| wrong_type("string", value))
}

/// A text that is not longer than the functions on encodings take.
fn short(text: &str) -> Result<&str, String> {
    match text.encode_utf16().count() {
        0..=CODEC_CHARS_MAX => Ok(text),
        length => Err(format!("the text has {length} characters, more than {CODEC_CHARS_MAX}")),
    }
}

/// A number, rounded to the nearest integer, halves upwards: -1.5 is -1.
fn integer(value: &Value) -> Result<i64, String> {
    let number = value.as_number().ok_or_else(|| wrong_type("number", value))?;
    if let Number::Int(n) = number {
        return Ok(*n);
    }
    let rounded = (number.as_f64() + 0.5).floor();
    Number::Float(rounded).as_i64().ok_or_else(|| format!("the number {number} is out of range"))
}

fn int32(value: &Value) -> Result<i32, String> {
    let number = integer(value)?;
    i32::try_from(number).map_err(|_| format!("the number {number} is no 32-bit integer"))
}

fn partition(list: &[Value], size: i64) -> Computed {
    match usize::try_from(size) {
        Ok(size) if size > 0 => {
            let chunks: Vec<Value> = list.chunks(size).map(|chunk| chunk.to_vec().into()).collect();
            Ok(chunks.into())
        }
        _ => Err("the size of the chunks must be positive".into()),
    }
}

fn range(start: i64, end: i64, step: i64) -> Computed {
    if step == 0 {
        return Err("the step must not be 0".into());
    }
    let distance = i128::from(end) - i128::from(start);
    let steps = distance / i128::from(step);
    let count = if distance != 0 && (distance < 0) != (step < 0) { 0 } else { steps + 1 };
    if count > i128::from(RANGE_ITEMS_MAX) {
        return Err(format!("the range has more than {RANGE_ITEMS_MAX} elements"));
    }
    let count = i64::try_from(count).unwrap_or(0);
    let elements: Vec<Value> = (0..count).map(|i| Value::from(start + i * step)).collect();
    Ok(elements.into())
}

fn get_item(list: &[Value], index: i64) -> Computed {
    let item = usize::try_from(index).ok().and_then(|i| list.get(i));
    item.cloned().ok_or_else(|| format!("the index {index} is out of bounds for an array of {}", list.len()))
}

/// The first of each group of equal elements.
fn unique(list: &[Value]) -> Value {
    let mut seen = BTreeSet::new();
    let kept: Vec<Value> = list.iter().filter(|value| seen.insert(canonical(value))).cloned().collect();
    kept.into()
}

/// A text that is the same for equal values.
fn canonical(value: &Value) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Number(n) => match n.as_i64() {
                Some(n) => out.push_str(&n.to_string()),
                None => out.push_str(&Number::Float(n.as_f64()).to_string()),
            },
            Value::Array(list) => {
                out.push('[');
                for element in list.iter() {
                    write(element, out);
                    out.push(',');
                }
                out.push(']');
            }
            Value::Object(members) => {
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_by(|a, b| a.0.cmp(b.0));
                out.push('{');
                for (name, value) in sorted {
                    crate::value::write_json_string(name, out);
                    write(value, out);
                    out.push(',');
                }
                out.push('}');
            }
            scalar => scalar.write_json(out),
        }
    }
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn decode(text: &str) -> Computed {
    let bytes = BASE64.decode(text).map_err(|_| "the text is not Base64".to_owned())?;
    String::from_utf8(bytes).map(Value::from).map_err(|_| "the decoded data is not UTF-8".into())
}

fn digest(data: &Value, algorithm: &str) -> Computed {
    let hex = match data {
        Value::String(text) => hash::hex_digest(algorithm, short(text)?.as_bytes()),
        other => {
            within_limit(other.approximate_json_len(TEXT_BYTES_MAX))?;
            hash::hex_digest(algorithm, short(&other.to_json())?.as_bytes())
        }
    };
    hex.map(Value::from).ok_or_else(|| {
        format!("the algorithm '{algorithm}' is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512")
    })
}

fn merge(first: &Object, second: &Object, deep: &Value) -> Computed {
    match deep {
        Value::Bool(false) => {
            let mut merged = first.clone();
            for (name, value) in second.iter() {
                merged.insert(name.clone(), value.clone());
            }
            Ok(merged.into())
        }
        Value::Bool(true) => {
            Err("only a shallow merge is supported: the third argument must be false".into())
        }
        other => Err(wrong_type("boolean", other)),
    }
}

fn string_to_json(text: &str) -> Computed {
    if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
        return Ok(Value::Null);
    }
    match json::parse(text) {
        Ok(Value::Number(Number::Text(n))) if &*n == "-0" => Ok(Value::from(0)),
        Ok(value) => Ok(value),
        Err(e) => Err(e.to_string()),
    }
}

fn math_random(start: &Value, end: &Value, seed: Option<&Value>, env: &dyn Environment) -> Computed {
    let (start, end) = (int32(start)?, int32(end)?);
    if start >= end {
        return Err(format!("the start {start} must be less than the end {end}"));
    }
    let bits = match seed {
        Some(seed) => random::seeded(integer(seed)?),
        None => env.random_u64(),
    };
    Ok(random::between(start.into(), end.into(), bits).into())
}

fn math_add(a: i32, b: i32) -> Computed {
    a.checked_add(b)
        .map(|sum| Value::from(i64::from(sum)))
        .ok_or_else(|| "the sum is no 32-bit integer".into())
}

/// Splits at every character of `delimiters`; empty parts are dropped.
fn split(text: &str, delimiters: &str) -> Value {
    let parts: Vec<Value> =
        text.split(|c| delimiters.contains(c)).filter(|part| !part.is_empty()).map(Value::from).collect();
    parts.into()
}
