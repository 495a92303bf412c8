//! What the properties of a resource type are: names, shapes, and what a change of each means.
//!
//! CloudFormation takes `"10"` for 10 and `"true"` for true; [`normalise`] gives every value the type its property
//! has, so that providers pass values on as they are.

use serde_json::{Map, Value};

use crate::intrinsics::KNOWN_AFTER_APPLY;
use crate::problem::Problem;

/// The type of a value.
#[derive(Debug)]
pub enum Shape {
    /// A string; numbers and booleans are written out.
    Text,
    /// A whole number.
    Integer,
    /// A boolean.
    Boolean,
    /// Anything: documents that are passed on as they are.
    Any,
    /// A list of one shape.
    List(&'static Shape),
    /// A map from free names to one shape.
    Map(&'static Shape),
    /// An object with known members.
    Object(&'static [Property]),
}

/// What a property, or a change of it, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Carried out; a change is made in place.
    InPlace,
    /// Carried out; a change needs a new resource.
    Replace,
    /// Accepted and recorded; it has no meaning here (permissions, encryption keys, alarms).
    Recorded,
    /// Accepted with a warning that says what is missing.
    Warn(&'static str),
    /// Refused before anything is created: leaving it out would change what the resource does.
    Refuse(&'static str),
}

/// One property of a type, or one member of an object.
#[derive(Debug)]
pub struct Property {
    /// The name as in the template.
    pub name: &'static str,
    /// Its type.
    pub shape: Shape,
    /// What it does. Members of objects follow the property they are in, except for warnings and refusals.
    pub effect: Effect,
    /// Whether the template must give it.
    pub required: bool,
}

impl Property {
    /// A property whose change is made in place.
    #[must_use]
    pub const fn new(name: &'static str, shape: Shape) -> Self {
        Property { name, shape, effect: Effect::InPlace, required: false }
    }

    /// The same, with another effect.
    #[must_use]
    pub const fn with(self, effect: Effect) -> Self {
        Property { effect, ..self }
    }

    /// The same, required.
    #[must_use]
    pub const fn required(self) -> Self {
        Property { required: true, ..self }
    }
}

/// A list of texts.
pub const TEXTS: Shape = Shape::List(&Shape::Text);
/// `[{"Key": …, "Value": …}]`.
pub const TAGS: Shape = Shape::List(&Shape::Object(&[
    Property::new("Key", Shape::Text).required(),
    Property::new("Value", Shape::Text),
]));

/// What came of looking at a resource's properties.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is accepted but not carried out.
    pub warnings: Vec<Problem>,
}

/// Checks `value` (an object) against `properties` and gives every value the type of its property.
/// Places of findings begin with `place`.
pub fn normalise(
    properties: &'static [Property],
    value: &Value,
    place: &str,
    findings: &mut Findings,
) -> Value {
    let Value::Object(members) = value else {
        if value.as_str() != Some(KNOWN_AFTER_APPLY) {
            findings.problems.push(Problem::new(
                "Properties validation failed: expected an object",
                place,
                0,
            ));
        }
        return value.clone();
    };
    let mut normal = Map::with_capacity(members.len());
    for (name, member) in members {
        let place = format!("{place}/{name}");
        let Some(property) = properties.iter().find(|property| property.name == name) else {
            findings.problems.push(Problem::new(
                format!("Encountered unsupported property {name}"),
                place,
                0,
            ));
            continue;
        };
        match property.effect {
            Effect::InPlace | Effect::Replace | Effect::Recorded => {}
            Effect::Warn(what) => {
                findings.warnings.push(Problem::new(format!("{name}: {what}"), place.clone(), 0))
            }
            Effect::Refuse(why) => {
                findings.problems.push(Problem::new(
                    format!("{name} is not supported: {why}"),
                    place.clone(),
                    0,
                ));
            }
        }
        normal.insert(name.clone(), shaped(&property.shape, member, &place, findings));
    }
    for property in properties.iter().filter(|property| property.required) {
        if !members.contains_key(property.name) {
            let message = format!("Properties validation failed: required key [{}] not found", property.name);
            findings.problems.push(Problem::new(message, place, 0));
        }
    }
    Value::Object(normal)
}

fn shaped(shape: &'static Shape, value: &Value, place: &str, findings: &mut Findings) -> Value {
    if value.as_str() == Some(KNOWN_AFTER_APPLY) {
        return value.clone();
    }
    let expected = match (shape, value) {
        (Shape::Any, _) => return value.clone(),
        (Shape::Object(properties), Value::Object(_)) => {
            return normalise(properties, value, place, findings);
        }
        (Shape::Map(inner), Value::Object(members)) => {
            let entries = members.iter();
            return entries
                .map(|(key, member)| {
                    (key.clone(), shaped(inner, member, &format!("{place}/{key}"), findings))
                })
                .collect::<Map<_, _>>()
                .into();
        }
        (Shape::List(inner), Value::Array(items)) => {
            let items = items.iter().enumerate();
            return items
                .map(|(index, item)| shaped(inner, item, &format!("{place}/{index}"), findings))
                .collect::<Vec<_>>()
                .into();
        }
        // CloudFormation takes a single value for a list of one.
        (Shape::List(inner @ Shape::Text), Value::String(_)) => {
            return Value::Array(vec![shaped(inner, value, place, findings)]);
        }
        (Shape::Text, Value::String(_)) => return value.clone(),
        (Shape::Text, Value::Number(number)) => return Value::String(number.to_string()),
        (Shape::Text, Value::Bool(flag)) => return Value::String(flag.to_string()),
        (Shape::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => {
            return value.clone();
        }
        (Shape::Integer, Value::Number(number)) => match whole(number.as_f64()) {
            Some(whole) => return whole,
            None => "a whole number",
        },
        (Shape::Integer, Value::String(text)) => match text.trim().parse::<i64>() {
            Ok(number) => return number.into(),
            Err(_) => "a whole number",
        },
        (Shape::Boolean, Value::Bool(_)) => return value.clone(),
        (Shape::Boolean, Value::String(text)) if text == "true" || text == "false" => {
            return Value::Bool(text == "true");
        }
        (Shape::Text, _) => "a string",
        (Shape::Integer, _) => "a whole number",
        (Shape::Boolean, _) => "true or false",
        (Shape::List(_), _) => "a list",
        (Shape::Map(_) | Shape::Object(_), _) => "an object",
    };
    let message = format!("Properties validation failed: expected {expected}");
    findings.problems.push(Problem::new(message, place, 0));
    value.clone()
}

/// 5.0 as 5.
fn whole(number: Option<f64>) -> Option<Value> {
    let number = number?;
    (number.fract() == 0.0 && number.abs() < 9e15).then(|| Value::from(number as i64))
}
