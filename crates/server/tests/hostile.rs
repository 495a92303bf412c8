//! Whatever a request holds, it gets an answer that is not our failure.

mod support;

use serde_json::{Value, json};
use stepwell_server::model::table::ShapeKind;
use support::engine::{Home, ROLE, pass};

/// Values that a member might be given by mistake or malice.
fn values(machine: &str) -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e308),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("\u{fffe}\u{10ffff}"),
        json!("😀".repeat(200)),
        json!("a".repeat(3000)),
        json!("{}"),
        json!("[".repeat(200_000)),
        json!("{\"a\":".repeat(5000)),
        json!("arn:"),
        json!("arn:aws:states:::"),
        json!("arn:aws:states:us-east-1:000000000000:execution:m"),
        json!("arn:aws:states:us-east-1:000000000000:execution:m:e"),
        json!("arn:aws:states:us-east-1:000000000000:stateMachine:"),
        json!("arn:aws:states:us-east-1:000000000000:stateMachine:m/"),
        json!(machine),
        json!([]),
        json!([null, 1, "x", {}]),
        json!({}),
        json!({"level": "ALL", "type": "AWS_OWNED_KEY", "enabled": 1, "key": []}),
        deep,
    ]
}

/// Every member of every operation with every such value, the others being right.
#[tokio::test(flavor = "multi_thread")]
async fn no_input_breaks_an_action() {
    let home = Home::new();
    let machine = home.create("m", &pass()).await;
    let values = values(&machine);
    let model = stepwell_server::model::step_functions();
    let good = |member: &str| match member {
        "name" => json!("m"),
        "definition" => json!(pass().to_string()),
        "roleArn" => json!(ROLE),
        "executionArn" => json!("arn:aws:states:us-east-1:000000000000:execution:m:e"),
        "tags" => json!([{"key": "k", "value": "v"}]),
        "tagKeys" => json!(["k"]),
        _ => json!(machine),
    };
    let mut calls = 0;
    for operation in model.operations() {
        let ShapeKind::Structure(members) = &model.shape(operation.input.expect("has an input")).kind else {
            panic!("{operation:?}")
        };
        let required = members.iter().filter(|m| m.required).map(|m| (m.name.clone(), good(&m.name)));
        let valid: Value = required.collect::<serde_json::Map<_, _>>().into();
        for member in members {
            for value in &values {
                let mut input = valid.clone();
                input[&member.name] = value.clone();
                if let Err(refusal) = home.call(&operation.name, input).await {
                    assert!(
                        !refusal.starts_with("InternalFailure"),
                        "{} {}: {refusal:.200}",
                        operation.name,
                        member.name
                    );
                }
                calls += 1;
            }
        }
        for input in &values {
            let _ = home.call(&operation.name, input.clone()).await;
        }
    }
    assert!(calls > 2000, "{calls}");
    home.create("still-there", &pass()).await;
}
