//! What a transition costs: `decide` with `apply`, without storage.
//!
//! A transition is a state entered and left. `loop` is a counter loop of Choice and Pass with `States.MathAdd`; `pass`
//! runs one Pass that does not look at its input, small and large, whose ratio should be 1; `copy` is the reference of
//! the same run: copying a kilobyte a thousand times.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stepwell_asl::payload::Payload;
use stepwell_interpreter::{Command, Effect, Execution, ExecutionInfo, ExecutionKind, Moment, decide};

const LOOP: &str = r#"{"StartAt":"More?","States":{
    "More?":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":1000,"Next":"Add"}],"Default":"Done"},
    "Add":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"More?"},
    "Done":{"Type":"Succeed"}}}"#;

const PASSES: &str = r#"{"StartAt":"A","States":{
    "A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","End":true}}}"#;

fn info() -> Arc<ExecutionInfo> {
    Arc::new(ExecutionInfo {
        execution_arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".into(),
        name: "e".into(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m".into(),
        state_machine_name: "m".into(),
        role_arn: "arn:aws:iam::000000000000:role/r".into(),
        region: "us-east-1".into(),
        start_ms: 0,
        timeout_s: None,
        child_of: None,
        kind: ExecutionKind::Standard,
    })
}

fn run(program: &stepwell_asl::Program, info: &Arc<ExecutionInfo>, input: &Payload) -> u64 {
    let mut execution = Execution::new(info.clone());
    let mut command = Command::Start { input: input.clone() };
    loop {
        let decision = decide(program, &mut execution, command, Moment { now_ms: 0, entropy: 0 });
        black_box(&decision.records);
        if !decision.effects.iter().any(|e| matches!(e, Effect::Continue)) {
            return execution.last_event_id();
        }
        command = Command::Continue;
    }
}

fn transitions(c: &mut Criterion) {
    let info = info();
    let program = stepwell_asl::compile(LOOP).expect("compiles");
    let input = Payload::parse(r#"{"n":0}"#).expect("is JSON");
    let events = run(&program, &info, &input);
    let mut group = c.benchmark_group("loop");
    group.throughput(Throughput::Elements((events - 2) / 2));
    group.bench_function("transitions", |b| b.iter(|| run(&program, &info, &input)));
    group.finish();

    let program = stepwell_asl::compile(PASSES).expect("compiles");
    let mut group = c.benchmark_group("pass");
    group.throughput(Throughput::Elements(3));
    for (name, bytes) in [("200 B", 200), ("200 KiB", 200 * 1024)] {
        let input = Payload::parse(format!("{{\"x\":\"{}\"}}", "y".repeat(bytes))).expect("is JSON");
        group.bench_function(name, |b| b.iter(|| run(&program, &info, &input)));
    }
    group.finish();

    let kilobyte = vec![7u8; 1024];
    c.benchmark_group("reference").bench_function("copy 1000 x 1 KiB", |b| {
        b.iter(|| (0..1000).map(|_| black_box(kilobyte.clone()).len()).sum::<usize>());
    });
}

criterion_group!(benches, transitions);
criterion_main!(benches);
