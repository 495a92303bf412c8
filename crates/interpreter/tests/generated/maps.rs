//! Maps whose items or inputs are not what they were, and what is left running when a Map fails by itself.

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{
    Command, Effect, EventDetails, Execution, ExecutionStatus, Moment, PrivateRecord, Record, decide, resume,
};

use super::drive::Run;

const CHILD: &str = r#"{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;
const ITERATION: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Wait","Seconds":1,"End":true}}}"#;

/// A JSONata Map state `M` with `fields`, and a Wait after it.
fn run(fields: &str) -> Run {
    let text = format!(
        r#"{{"QueryLanguage":"JSONata","StartAt":"M","States":{{"M":{{"Type":"Map",{fields},"Next":"W"}},"W":{{"Type":"Wait","Seconds":9,"End":true}}}}}}"#
    );
    Run::new(stepwell_asl::compile(&text).unwrap())
}

fn go(run: &mut Run, command: Command) -> Vec<Effect> {
    let decision = decide(&run.program, &mut run.live, command, Moment { now_ms: run.now_ms, entropy: 3 });
    if !decision.records.is_empty() {
        run.batches.push(decision.records);
    }
    decision.effects
}

fn start(run: &mut Run, input: &str) -> Vec<Effect> {
    go(run, Command::Start { input: Payload::parse(input).unwrap() })
}

fn end_child(started: &[Effect]) -> Command {
    let child = started.iter().find_map(|effect| match effect {
        Effect::StartChild(child) => Some(child),
        _ => None,
    });
    let of = child.unwrap().info.child_of.clone().unwrap();
    Command::ChildEnded {
        thread: of.thread,
        map_run_arn: of.map_run_arn,
        index: of.index,
        redrive: 0,
        output: Some(Payload::empty_object()),
    }
}

/// The execution as a journal tells it that was written before items were kept.
fn without_kept_items(run: &Run) -> Execution {
    let mut execution = Execution::new(run.live.info().clone());
    for batch in &run.batches {
        for record in batch {
            let is_new = matches!(
                record,
                Record::Private(PrivateRecord::MapItemsKept { .. } | PrivateRecord::MapItemsBatched { .. })
            );
            if !is_new {
                execution.apply(&run.program, record).unwrap();
            }
        }
        execution.end_batch();
    }
    execution
}

#[test]
fn a_journal_without_items_goes_on_with_what_they_are_now() {
    let fields = format!(
        r#""MaxConcurrency":1,"Items":"{{% $states.input.items %}}","ItemBatcher":{{"MaxItemsPerBatch":2}},"ItemProcessor":{CHILD}"#
    );
    let mut run = run(&fields);
    let mut effects = start(&mut run, r#"{"items":[1,2,3]}"#);
    run.live = without_kept_items(&run);
    let again = resume(&run.program, &mut run.live);
    assert_eq!(format!("{again:?}"), format!("{effects:?}"));
    effects = go(&mut run, end_child(&effects));
    let Some(Effect::StartChild(child)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(child.input.text().as_ref(), r#"{"Items":[3]}"#);
    go(&mut run, end_child(&effects));
    assert!(run.live.next_due_ms().is_some(), "the Map is left");
}

#[test]
fn a_journal_without_items_fails_by_name_where_they_have_become_fewer() {
    for processor in [CHILD, ITERATION] {
        let fields = format!(
            r#""MaxConcurrency":1,"Items":"{{% [$filter([5000,5000,5000], function($i) {{ $i > $millis() - {} }})] %}}","ItemProcessor":{processor}"#,
            Run::new(
                stepwell_asl::compile(r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#)
                    .unwrap()
            )
            .now_ms
        );
        let mut run = run(&fields);
        let effects = start(&mut run, "{}");
        run.live = without_kept_items(&run);
        run.now_ms += 60_000;
        let command = if processor == CHILD { end_child(&effects) } else { Command::Tick };
        go(&mut run, command);
        assert_eq!(run.live.status(), ExecutionStatus::Failed);
        let last = run.batches.last().and_then(|records| records.last());
        let Some(Record::Event(event)) = last else { panic!("{last:?}") };
        let EventDetails::ExecutionFailed { error, cause } = &event.details else { panic!("{event:?}") };
        assert_eq!(error.as_deref(), Some("States.Runtime"));
        assert!(cause.as_deref().unwrap().contains("fewer items"), "{cause:?}");
    }
}

#[test]
fn children_are_stopped_when_a_later_input_cannot_be_made() {
    for handler in [
        r#""Catch":[{"ErrorEquals":["States.ALL"],"Next":"W"}]"#,
        r#""Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":1}]"#,
    ] {
        let fields = format!(
            r#""MaxConcurrency":2,"Items":"{{% $states.input %}}","ItemSelector":{{"v":"{{% $states.context.Map.Item.Value.v %}}"}},"ItemProcessor":{CHILD},{handler}"#
        );
        let mut run = run(&fields);
        let started = start(&mut run, r#"[{"v":1},{"v":2},{}]"#);
        let started_arns: Vec<_> = started
            .iter()
            .filter_map(|effect| match effect {
                Effect::StartChild(child) => Some(child.info.execution_arn.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(started_arns.len(), 2);
        let effects = go(&mut run, end_child(&started));
        let stopped = effects.iter().filter_map(|effect| match effect {
            Effect::StopChild { execution_arn } => Some(execution_arn.clone()),
            _ => None,
        });
        assert_eq!(stopped.collect::<Vec<_>>(), started_arns[1..]);
        assert_eq!(run.live.map_runs()[0].status, stepwell_interpreter::MapRunStatus::Failed);
        // Whoever was stopped and ended nevertheless is not waited for.
        let batches = run.batches.len();
        go(&mut run, end_child(&started[1..]));
        assert_eq!(run.batches.len(), batches);
        assert_eq!(run.live.status(), ExecutionStatus::Running);
    }
}
