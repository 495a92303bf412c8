//! What can stand where a value is wanted: literals, paths into the data, numbers, whole payloads.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::errors::BuildError;
use crate::language::{self, QueryLanguage};

/// A path into the data of an execution (or an intrinsic function call), to be looked up when the state runs.
///
/// ```
/// use stepwell_cdk::{DynamoAttributeValue, JsonPath};
///
/// let key = DynamoAttributeValue::from_string(JsonPath::string_at("$.List[0]"));
/// assert_eq!(key.to_json().to_string(), r#"{"S.$":"$.List[0]"}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(String);

/// Throws a document away; see [`JsonPath::DISCARD`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discard;

impl JsonPath {
    /// `null` as a path: as `result_path` the result is dropped, as `input_path` or `output_path` an empty object is passed.
    pub const DISCARD: Discard = Discard;

    /// The value at `path`: `$.a.b`, `$$.Execution.Id`, `$variable`, `States.Format('{}', $.a)`.
    #[must_use]
    pub fn at(path: impl Into<String>) -> JsonPath {
        JsonPath(path.into())
    }

    /// A string at `path`; the same as [`JsonPath::at`], named as in the CDK.
    #[must_use]
    pub fn string_at(path: impl Into<String>) -> JsonPath {
        JsonPath(path.into())
    }

    /// `$`, the whole input.
    #[must_use]
    pub fn entire_payload() -> JsonPath {
        JsonPath::at("$")
    }

    /// `$$`, the whole context object.
    #[must_use]
    pub fn entire_context() -> JsonPath {
        JsonPath::at("$$")
    }

    /// `$$.Task.Token`, the token with which a callback task is answered.
    #[must_use]
    pub fn task_token() -> JsonPath {
        JsonPath::at("$$.Task.Token")
    }

    /// `$$.Execution.Id`, the ARN of the execution.
    #[must_use]
    pub fn execution_id() -> JsonPath {
        JsonPath::at("$$.Execution.Id")
    }

    /// `$$.Execution.Name`
    #[must_use]
    pub fn execution_name() -> JsonPath {
        JsonPath::at("$$.Execution.Name")
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is given, or found at a path. Made from `&str`, `String` and [`JsonPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// The text itself.
    Literal(String),
    /// Where it is.
    Path(JsonPath),
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::Literal(text.to_owned())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Text {
        Text::Literal(text.clone())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::Literal(text)
    }
}

impl From<JsonPath> for Text {
    fn from(path: JsonPath) -> Text {
        Text::Path(path)
    }
}

impl Text {
    /// Sets `key`, or `key.$` for a path.
    pub(crate) fn insert_into(&self, object: &mut Map<String, Value>, key: &str) {
        match self {
            Text::Literal(text) => object.insert(key.to_owned(), text.clone().into()),
            Text::Path(path) => object.insert(format!("{key}.$"), path.0.clone().into()),
        };
    }
}

/// The value of `InputPath`, `OutputPath` or `ResultPath`. Made from `&str`, `String` and [`JsonPath::DISCARD`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathSetting {
    /// A path.
    At(String),
    /// `null`
    Discard,
}

impl From<&str> for PathSetting {
    fn from(path: &str) -> PathSetting {
        PathSetting::At(path.to_owned())
    }
}

impl From<String> for PathSetting {
    fn from(path: String) -> PathSetting {
        PathSetting::At(path)
    }
}

impl From<Discard> for PathSetting {
    fn from(_: Discard) -> PathSetting {
        PathSetting::Discard
    }
}

impl From<PathSetting> for Value {
    fn from(path: PathSetting) -> Value {
        match path {
            PathSetting::At(path) => Value::String(path),
            PathSetting::Discard => Value::Null,
        }
    }
}

/// A number as it is written in the definition. Made from integers and floats; `2.0` is written `2`, as JavaScript does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer.
    Integer(i64),
    /// Anything else.
    Float(f64),
}

impl From<i32> for Number {
    fn from(number: i32) -> Number {
        Number::Integer(number.into())
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Number {
        Number::Integer(number)
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Number {
        Number::Integer(number.into())
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Number {
        Number::Float(number)
    }
}

impl Number {
    /// As JSON; `None` where the number is infinite or not a number.
    pub(crate) fn to_json(self) -> Option<Value> {
        /// Integers up to 2^53 have an exact `f64`.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self {
            Number::Integer(number) => Some(number.into()),
            #[expect(clippy::cast_possible_truncation, reason = "integral and below 2^53")]
            Number::Float(number) if number.fract() == 0.0 && number.abs() <= EXACT => {
                Some((number as i64).into())
            }
            Number::Float(number) => serde_json::Number::from_f64(number).map(Value::Number),
        }
    }
}

/// The payload of a task: text, an object with paths inside, or the document at a path.
///
/// ```
/// use serde_json::json;
/// use stepwell_cdk::{Function, LambdaInvoke, TaskInput};
///
/// let invoke = LambdaInvoke::new("Invoke", Function::from_name("Work"))
///     .payload(TaskInput::from_object(json!({"id.$": "$.order.id", "mode": "fast"})));
/// # let _ = invoke;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum TaskInput {
    /// A text, given or at a path.
    Text(Text),
    /// An object; values of keys that end in `.$` are paths.
    Object(Value),
}

impl TaskInput {
    /// A text, as it is; in JSONata it may be an expression.
    #[must_use]
    pub fn from_text(text: impl Into<Text>) -> TaskInput {
        TaskInput::Text(text.into())
    }

    /// A payload template: values of keys that end in `.$` are paths or intrinsic function calls; in JSONata, strings
    /// in `{% %}` are expressions.
    #[must_use]
    pub fn from_object(object: Value) -> TaskInput {
        TaskInput::Object(object)
    }

    /// The document at `path`.
    #[must_use]
    pub fn from_json_path_at(path: impl Into<String>) -> TaskInput {
        TaskInput::Text(Text::Path(JsonPath::at(path)))
    }

    /// The state's input.
    pub(crate) fn whole(language: QueryLanguage) -> TaskInput {
        match language {
            QueryLanguage::JsonPath => TaskInput::from_json_path_at("$"),
            QueryLanguage::Jsonata => TaskInput::from_text(language::INPUT),
        }
    }

    /// Sets `key`, or `key.$` for a path.
    pub(crate) fn insert_into(&self, object: &mut Map<String, Value>, key: &str) {
        match self {
            TaskInput::Text(text) => text.insert_into(object, key),
            TaskInput::Object(value) => {
                object.insert(key.to_owned(), value.clone());
            }
        }
    }
}

/// How long a task may take, or stay silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timeout {
    /// A whole number of seconds.
    Duration(Duration),
    /// Where the number of seconds is.
    At(String),
    /// The expression in JSONata that gives it.
    Jsonata(String),
}

impl Timeout {
    /// A fixed time, a whole number of seconds.
    #[must_use]
    pub fn duration(duration: Duration) -> Timeout {
        Timeout::Duration(duration)
    }

    /// The number of seconds that `expression` gives: `{% $states.input.limit %}`.
    #[must_use]
    pub fn jsonata(expression: impl Into<String>) -> Timeout {
        Timeout::Jsonata(expression.into())
    }

    /// The number of seconds at `path`.
    #[must_use]
    pub fn at(path: impl Into<String>) -> Timeout {
        Timeout::At(path.into())
    }
}

/// The most seconds that a field of the States Language takes.
const SECONDS_MAX: u64 = 99_999_999;

/// `duration` in seconds for `field` of `owner`.
pub(crate) fn seconds(duration: Duration, field: &'static str, owner: &str) -> Result<Value, BuildError> {
    if duration.subsec_nanos() == 0 && duration.as_secs() <= SECONDS_MAX {
        return Ok(duration.as_secs().into());
    }
    Err(BuildError::InvalidDuration { owner: owner.to_owned(), field, duration })
}

/// Sets `field` where there is a value.
pub(crate) fn insert_some(object: &mut Map<String, Value>, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(field.to_owned(), value.into());
    }
}
