//! The state machines that are measured, with what goes in and what must come out.

use serde_json::{Value, json};

/// How executions are started, and when one counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// StartExecution; whether all have succeeded is looked up before the clock stops.
    Start,
    /// StartExecution, then DescribeExecution until it has succeeded.
    Watch,
    /// StartSyncExecution of an Express state machine.
    Sync,
}

/// A state machine and what is measured of it.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    /// Part of the state machine's name.
    pub(super) name: &'static str,
    /// What its rows begin with; empty where a section has only one.
    pub(super) label: &'static str,
    pub(super) way: Way,
    pub(super) definition: Value,
    /// JSON text.
    pub(super) input: String,
    pub(super) output: Value,
    /// What an execution consists of, and how many of them.
    pub(super) parts: Option<(&'static str, u64)>,
    /// So many clients; one measurement each.
    pub(super) clients: &'static [usize],
}

fn order() -> Value {
    json!({"order": {"id": "A-1027", "customer": "C-55", "lines": 3}})
}

fn one_pass(name: &'static str, way: Way, clients: &'static [usize]) -> Workload {
    Workload {
        name,
        label: "",
        way,
        definition: json!({"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": true}}}),
        input: order().to_string(),
        output: order(),
        parts: None,
        clients,
    }
}

/// One Pass state, durable.
pub(super) fn start() -> Workload {
    one_pass("start", Way::Start, &[1, 64])
}

/// One Pass state, Express.
pub(super) fn sync() -> Workload {
    one_pass("sync", Way::Sync, &[1, 32])
}

/// Counts to 100: two states for every number, and one at the end.
pub(super) fn looping() -> Workload {
    let definition = json!({
        "StartAt": "Next",
        "States": {
            "Next": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More?"},
            "More?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericLessThan": 100, "Next": "Next"}],
                "Default": "Done"
            },
            "Done": {"Type": "Succeed"}
        }
    });
    Workload {
        name: "loop",
        label: "",
        way: Way::Start,
        definition,
        input: json!({"n": 0}).to_string(),
        output: json!({"n": 100}),
        parts: Some(("transitions", 201)),
        clients: &[1, 64],
    }
}

/// 1,000 items, one Pass state for each.
pub(super) fn map() -> Workload {
    let items = Value::from_iter(0..1000);
    let definition = json!({
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "One",
                    "States": {"One": {"Type": "Pass", "End": true}}
                },
                "End": true
            }
        }
    });
    Workload {
        name: "map",
        label: "",
        way: Way::Watch,
        definition,
        input: items.to_string(),
        output: items,
        parts: Some(("items", 1000)),
        clients: &[1, 8],
    }
}

/// States of [`chain`].
const CHAIN_STATES: u64 = 1000;

/// Bytes of the text that [`chain`] passes on.
const CHAIN_BYTES: usize = 10_000;

/// 1,000 states that pass 10 kB on unchanged.
pub(super) fn chain() -> Workload {
    let state = |number: u64| {
        let mut state = json!({"Type": "Pass"});
        if number == CHAIN_STATES {
            state["End"] = json!(true);
        } else {
            state["Next"] = json!(format!("Pass{}", number + 1));
        }
        (format!("Pass{number}"), state)
    };
    // Text that no compression makes away with.
    let mut random = pseudo_random(7);
    let text: String = (0..CHAIN_BYTES).map(|_| char::from(b'a' + (random() % 26) as u8)).collect();
    let payload = json!({ "text": text });
    Workload {
        name: "journal",
        label: "",
        way: Way::Start,
        definition: json!({"StartAt": "Pass1", "States": Value::from_iter((1..=CHAIN_STATES).map(state))}),
        input: payload.to_string(),
        output: payload,
        parts: Some(("transitions", CHAIN_STATES)),
        clients: &[8],
    }
}

/// Waits longer than anybody measures.
pub(super) fn waiting() -> Workload {
    Workload {
        name: "parked",
        label: "",
        way: Way::Start,
        definition: json!({
            "StartAt": "Wait",
            "States": {"Wait": {"Type": "Wait", "Seconds": 31_536_000, "End": true}}
        }),
        input: order().to_string(),
        output: order(),
        parts: None,
        clients: &[64],
    }
}

/// States of [`shaping`] that shape.
const SHAPES: u64 = 20;

/// The same work in both languages: five members out of a list of orders, twenty times.
pub(super) fn shaping() -> [Workload; 2] {
    let orders = (1..=20).map(|number| {
        json!({"id": format!("A-{number}"), "price": number * 10, "lines": [{"sku": "x", "count": number}]})
    });
    let input = json!({"customer": {"name": "Ada"}, "orders": Value::from_iter(orders)});
    let shaped = json!({
        "ids": Value::from_iter((1..=20).map(|number| format!("A-{number}"))),
        "large": Value::from_iter((16..=20).map(|number| format!("A-{number}"))),
        "count": 20,
        "greeting": "Dear Ada, you have 20 orders",
        "first": input["orders"][0],
    });
    let output = json!({"customer": input["customer"], "orders": input["orders"], "shaped": shaped});
    let path = json!({
        "Type": "Pass",
        "Parameters": {
            "ids.$": "$.orders[*].id",
            "large.$": "$.orders[?(@.price > 150)].id",
            "count.$": "States.ArrayLength($.orders)",
            "greeting.$": "States.Format('Dear {}, you have {} orders', $.customer.name, States.ArrayLength($.orders))",
            "first.$": "$.orders[0]"
        },
        "ResultPath": "$.shaped"
    });
    let jsonata = json!({
        "Type": "Pass",
        "Output": {
            "customer": "{% $states.input.customer %}",
            "orders": "{% $states.input.orders %}",
            "shaped": {
                "ids": "{% $states.input.orders.id %}",
                "large": "{% $states.input.orders[price > 150].id %}",
                "count": "{% $count($states.input.orders) %}",
                "greeting": "{% 'Dear ' & $states.input.customer.name & ', you have ' & $count($states.input.orders) & ' orders' %}",
                "first": "{% $states.input.orders[0] %}"
            }
        }
    });
    [("shape-jsonpath", "JSONPath", path), ("shape-jsonata", "JSONata", jsonata)].map(
        |(name, language, state)| Workload {
            name,
            label: language,
            way: Way::Start,
            definition: repeated(language, &state),
            input: input.to_string(),
            output: output.clone(),
            parts: Some(("shapings", SHAPES)),
            clients: &[16],
        },
    )
}

/// A chain of one state after itself.
fn repeated(language: &str, state: &Value) -> Value {
    let states = (1..=SHAPES).map(|number| {
        let mut state = state.clone();
        if number == SHAPES {
            state["End"] = json!(true);
        } else {
            state["Next"] = json!(format!("Shape{}", number + 1));
        }
        (format!("Shape{number}"), state)
    });
    json!({"QueryLanguage": language, "StartAt": "Shape1", "States": Value::from_iter(states)})
}

/// Numbers that look random and are the same every time.
pub(super) fn pseudo_random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.max(1);
    move || {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}
