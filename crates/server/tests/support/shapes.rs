//! Whether an answer has the shape that AWS's model gives it.

use serde_json::Value;
use stepwell_server::model::table::{Model, ShapeId, ShapeKind};

/// What is wrong with `value` as a value of the shape; empty where nothing is.
pub(crate) fn problems(model: &Model, shape: ShapeId, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(model, shape, value, "", &mut problems);
    problems
}

fn check(model: &Model, id: ShapeId, value: &Value, path: &str, problems: &mut Vec<String>) {
    let shape = model.shape(id);
    let fits = match (&shape.kind, value) {
        (ShapeKind::Structure(members), Value::Object(given)) => {
            for member in members {
                match given.get(&member.name) {
                    Some(value) => {
                        check(model, member.shape, value, &format!("{path}/{}", member.name), problems)
                    }
                    None if member.required => problems.push(format!("{path}/{} is missing", member.name)),
                    None => {}
                }
            }
            let unknown = given.keys().filter(|name| members.iter().all(|m| m.name != **name));
            problems.extend(unknown.map(|name| format!("{path}/{name} is not in the model")));
            true
        }
        (ShapeKind::List { member, .. }, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                check(model, *member, item, &format!("{path}/{index}"), problems);
            }
            true
        }
        (ShapeKind::Map { value: of }, Value::Object(given)) => {
            for (name, value) in given {
                check(model, *of, value, &format!("{path}/{name}"), problems);
            }
            true
        }
        (ShapeKind::Text(facts), Value::String(text)) => {
            facts.values.is_empty() || facts.values.contains(text)
        }
        (ShapeKind::Integer { .. }, Value::Number(number)) => number.is_i64(),
        (ShapeKind::Float { .. } | ShapeKind::Timestamp, Value::Number(_)) => true,
        (ShapeKind::Boolean, Value::Bool(_)) => true,
        (ShapeKind::Blob { .. }, Value::String(_)) => true,
        _ => false,
    };
    if !fits {
        problems.push(format!("{path} is no {}: {value}", shape.name));
    }
}
