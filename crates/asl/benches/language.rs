//! What the parts of a transition cost: a path, a template, an expression, and the compilation of a large definition.

// Criterion measures time; the crate itself never looks at a clock.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use stepwell_asl::jsonata::{Allowed, Expression, Scope, States};
use stepwell_asl::path::{Path, ReferencePath};
use stepwell_asl::program::StateKind;
use stepwell_asl::{Environment, Payload, Value, compile, json};

struct Nothing(Value);

impl Environment for Nothing {
    fn context(&self) -> &Value {
        &self.0
    }

    fn variable(&self, _name: &str) -> Option<&Value> {
        None
    }

    fn random_u64(&self) -> u64 {
        0
    }
}

/// An order of 200 items, about 30 KiB.
fn order() -> String {
    let items: Vec<String> = (0..200)
        .map(|i| {
            format!(r#"{{"sku":"item-{i}","price":{i}.5,"tags":["a","b"],"text":"{}"}}"#, "x".repeat(80))
        })
        .collect();
    format!(r#"{{"a":{{"b":[0,1,2,{{"c":"found"}}]}},"n":5,"items":[{}]}}"#, items.join(","))
}

fn paths(c: &mut Criterion) {
    let env = Nothing(Value::empty_object());
    let input = json::parse(&order()).unwrap();
    let plain = Path::parse("$.a.b[3].c").unwrap();
    let filter = Path::parse("$.items[?(@.price > 190)].sku").unwrap();
    let place = ReferencePath::parse("$.a.result").unwrap();
    c.bench_function("path plain", |b| b.iter(|| plain.evaluate(black_box(&input), &env)));
    c.bench_function("path filter over 200", |b| b.iter(|| filter.evaluate(black_box(&input), &env)));
    c.bench_function("result path insert", |b| b.iter(|| place.insert(black_box(&input), Value::Null)));
    c.bench_function("json parse 30 KiB", |b| {
        let text = order();
        b.iter(|| json::parse(black_box(&text)));
    });
    c.bench_function("json write 30 KiB", |b| b.iter(|| black_box(&input).to_json()));
}

fn states(c: &mut Criterion) {
    let env = Nothing(Value::empty_object());
    let machine = compile(
        r#"{"StartAt":"Loop","States":{
            "Loop":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":10,"Next":"Add"}],"Default":"Done"},
            "Add":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"Loop"},
            "Done":{"Type":"Succeed"}}}"#,
    )
    .unwrap();
    let small = json::parse(r#"{"n":5}"#).unwrap();
    let (StateKind::Choice(choice), StateKind::Pass(pass)) =
        (&machine.states[0].kind, &machine.states[1].kind)
    else {
        return;
    };
    let parameters = pass.parameters.as_ref().unwrap();
    c.bench_function("template with MathAdd", |b| b.iter(|| parameters.evaluate(black_box(&small), &env)));
    c.bench_function("choice rule", |b| {
        b.iter(|| choice.rules[0].condition.evaluate(black_box(&small), &env))
    });
    let payload = Payload::parse(order()).unwrap();
    c.bench_function("untouched payload", |b| b.iter(|| pass.input_path.apply(black_box(&payload), &env)));
}

fn expressions(c: &mut Criterion) {
    let env = Nothing(Value::empty_object());
    let input = json::parse(&order()).unwrap();
    let states = States { input: &input, result: None, error_output: None };
    let parse = |text| Expression::parse(text, Allowed::default()).unwrap();
    let (plain, total) = (parse("$states.input.a.b"), parse("$sum($states.input.items.price)"));
    c.bench_function("jsonata plain path", |b| {
        b.iter(|| plain.evaluate(&Scope::new(states, &env), "Output"))
    });
    c.bench_function("jsonata sum over 200, input converted", |b| {
        b.iter(|| total.evaluate(&Scope::new(states, &env), "Output"));
    });
    let scope = Scope::new(states, &env);
    c.bench_function("jsonata sum over 200, input shared", |b| b.iter(|| total.evaluate(&scope, "Output")));
}

fn definitions(c: &mut Criterion) {
    let state = |i: usize| {
        format!(
            r#""S{i}":{{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{{"FunctionName":"f",
            "Payload":{{"a.$":"$.a.b[0]","t.$":"States.Format('{{}}-{{}}', $.x, $$.Execution.Id)"}}}},
            "Retry":[{{"ErrorEquals":["States.TaskFailed"],"MaxAttempts":2}}],"ResultPath":"$.r{i}","Next":"S{}"}},"#,
            i + 1
        )
    };
    let states: String = (0..199).map(state).collect();
    let text = format!(r#"{{"StartAt":"S0","States":{{{states}"S199":{{"Type":"Succeed"}}}}}}"#);
    c.bench_function("compile 200 states", |b| b.iter(|| compile(black_box(&text)).unwrap()));
}

criterion_group!(benches, paths, states, expressions, definitions);
criterion_main!(benches);
