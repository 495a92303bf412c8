//! Requests made from AWS's model: for every operation a minimal and a full one, and one violation of each constraint.

mod support;

use serde_json::{Map, Value, json};
use stepwell_server::model::step_functions;
use stepwell_server::model::table::{Bounds, Model, Operation, ShapeId, ShapeKind};
use support::engine::Home;

/// Faults that any operation may answer with.
const COMMON: &[&str] = &["ValidationException", "UnsupportedOperationException", "ConflictException"];

/// A value of a shape that violates nothing; with `full` all members, otherwise the required ones.
fn valid(model: &Model, id: ShapeId, full: bool) -> Value {
    match &model.shape(id).kind {
        ShapeKind::Structure(members) => {
            let wanted = members.iter().filter(|member| full || member.required);
            wanted.map(|member| (member.name.clone(), valid(model, member.shape, full))).collect()
        }
        ShapeKind::List { member, size } => {
            let length = size.min.unwrap_or(0).max(i64::from(full));
            (0..length).map(|_| valid(model, *member, full)).collect()
        }
        ShapeKind::Map { value } if full => json!({ "a": valid(model, *value, full) }),
        ShapeKind::Map { .. } => json!({}),
        ShapeKind::Text(facts) => match facts.values.first() {
            Some(value) => value.as_str().into(),
            None => "a".repeat(usize::try_from(facts.length.min.unwrap_or(1)).expect("is small")).into(),
        },
        ShapeKind::Integer { range, .. } => range.min.unwrap_or(1).into(),
        ShapeKind::Float { range } => (range.min.unwrap_or(1) as f64).into(),
        ShapeKind::Boolean => false.into(),
        ShapeKind::Timestamp => 0.into(),
        ShapeKind::Blob { .. } => "".into(),
    }
}

/// Values of the place of a shape that violate it.
fn violations(model: &Model, id: ShapeId) -> Vec<Value> {
    // Longer texts are checked the same way, and only cost time.
    let outside = |size: Bounds| {
        let over = size.max.filter(|max| *max < 10_000).map(|max| max + 1);
        [size.min.filter(|min| *min > 0).map(|min| min - 1), over].into_iter().flatten()
    };
    match &model.shape(id).kind {
        ShapeKind::Structure(members) => {
            let mut bad = vec![json!("text"), json!([])];
            let whole = valid(model, id, true);
            for member in members {
                let with = |value: Value| {
                    let mut changed = whole.clone();
                    changed[&member.name] = value;
                    changed
                };
                bad.extend(violations(model, member.shape).into_iter().map(with));
                if member.required {
                    bad.push(with(Value::Null));
                }
            }
            bad
        }
        ShapeKind::List { member, size } => {
            let mut bad = vec![json!("text"), json!({}), json!([null])];
            bad.extend(violations(model, *member).into_iter().map(|value| json!([value])));
            let item = valid(model, *member, true);
            bad.extend(outside(*size).map(|length| (0..length).map(|_| item.clone()).collect()));
            bad
        }
        ShapeKind::Map { .. } => vec![json!("text"), json!([])],
        ShapeKind::Text(facts) => {
            let mut bad = vec![json!(5), json!(true), json!({}), json!([])];
            if !facts.values.is_empty() {
                bad.push(json!("NO_SUCH_VALUE"));
            }
            let long = |length: i64| "a".repeat(usize::try_from(length).unwrap_or(0));
            bad.extend(outside(facts.length).map(|length| long(length).into()));
            bad
        }
        ShapeKind::Integer { range, .. } | ShapeKind::Float { range } => {
            let mut bad = vec![json!("text"), json!(true), json!({})];
            bad.extend(
                [range.min.map(|min| min - 1), range.max.map(|max| max + 1)]
                    .into_iter()
                    .flatten()
                    .map(Value::from),
            );
            bad
        }
        ShapeKind::Boolean => vec![json!("text"), json!(5), json!([])],
        ShapeKind::Timestamp => vec![json!(true)],
        ShapeKind::Blob { .. } => vec![json!(5)],
    }
}

/// The code that an operation answers with, or `200`.
async fn outcome(home: &Home, operation: &Operation, input: &Value) -> String {
    match home.call(&operation.name, input.clone()).await {
        Ok(_) => "200".into(),
        Err(refusal) => refusal.split(':').next().unwrap_or_default().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_requests_get_an_answer_of_the_model() {
    let (home, model) = (Home::new(), step_functions());
    for operation in model.operations() {
        for full in [false, true] {
            let input = operation.input.map_or(json!({}), |shape| valid(model, shape, full));
            let code = outcome(&home, operation, &input).await;
            let expected =
                code == "200" || operation.errors.contains(&code) || COMMON.contains(&code.as_str());
            assert!(expected, "{} {input}: {code}", operation.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_constraint_of_the_model_is_checked() {
    let (home, model) = (Home::new(), step_functions());
    let mut sent = 0;
    for operation in model.operations() {
        let Some(input) = operation.input else { continue };
        if outcome(&home, operation, &json!({})).await == "UnsupportedOperationException" {
            continue;
        }
        for bad in violations(model, input).into_iter().filter(Value::is_object) {
            let code = outcome(&home, operation, &bad).await;
            let refused = matches!(code.as_str(), "ValidationException" | "SerializationException");
            assert!(refused, "{} {bad}: {code}", operation.name);
            sent += 1;
        }
    }
    assert!(sent > 500, "only {sent} requests were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_the_model_does_not_know_are_ignored() {
    let home = Home::new();
    let unknown: Map<String, Value> =
        [("invented".to_owned(), json!([1, {"x": null}]))].into_iter().collect();
    assert_eq!(home.ok("ListActivities", unknown.into()).await, json!({"activities": []}));
}
