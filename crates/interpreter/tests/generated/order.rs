//! The results of a Map or Parallel state stand in the order of its items or branches, in whatever order they came.

use proptest::prelude::*;
use stepwell_asl::payload::Payload;
use stepwell_asl::{Value, json};
use stepwell_interpreter::{
    Command, Effect, Execution, ExecutionStatus, Moment, TaskDispatch, TaskReply, decide,
};

use super::drive::Run;

const TASK: &str =
    r#"{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}"#;

/// Runs the definition, answers its tasks in the order that `order` says, each with what `answer` makes of its input,
/// and gives the output with the largest number of tasks that were under way at a time.
fn output(text: &str, input: &str, order: &[u8], answer: impl Fn(&Value) -> Value) -> (Value, usize) {
    let program = stepwell_asl::compile(text).unwrap();
    let mut execution = Execution::new(Run::new(stepwell_asl::compile(text).unwrap()).live.info().clone());
    let mut open: Vec<TaskDispatch> = Vec::new();
    let mut command = Command::Start { input: Payload::parse(input).unwrap() };
    let mut order = order.iter().cycle();
    let mut most = 0;
    loop {
        let decision = decide(&program, &mut execution, command, Moment { now_ms: 0, entropy: 0 });
        for effect in decision.effects {
            match effect {
                Effect::Dispatch(task) => open.push(task),
                Effect::Finished { status, output, .. } => {
                    assert_eq!(status, ExecutionStatus::Succeeded);
                    return (output.unwrap().payload.value().clone(), most);
                }
                other => panic!("{other:?}"),
            }
        }
        most = most.max(open.len());
        let which = usize::from(*order.next().unwrap()) % open.len();
        let task = open.swap_remove(which);
        let result = Payload::from_value(answer(task.parameters.payload.value()));
        command =
            Command::CallEnded { scheduled_event: task.scheduled_event, reply: TaskReply::Succeeded(result) };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn map(items in prop::collection::vec(any::<i32>(), 0..70), limit in 0..50_usize, order in prop::collection::vec(any::<u8>(), 1..40)) {
        let text = format!(
            r#"{{"StartAt":"M","States":{{"M":{{"Type":"Map","MaxConcurrency":{limit},"ItemProcessor":{{"StartAt":"T","States":{{"T":{TASK}}}}},"End":true}}}}}}"#
        );
        let input: Value = items.iter().map(|item| Value::from(i64::from(*item))).collect::<Vec<_>>().into();
        let (output, most) = output(&text, &input.to_json(), &order, Value::clone);
        prop_assert_eq!(output, input);
        let room = if limit == 0 { 40 } else { limit.min(40) };
        prop_assert_eq!(most, room.min(items.len()));
    }

    #[test]
    fn parallel(count in 1..12_usize, order in prop::collection::vec(any::<u8>(), 1..40)) {
        let branch = |i: usize| format!(
            r#"{{"StartAt":"P{i}","States":{{"P{i}":{{"Type":"Pass","Result":{i},"Next":"T{i}"}},"T{i}":{TASK}}}}}"#
        );
        let branches: Vec<String> = (0..count).map(branch).collect();
        let text = format!(
            r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","Branches":[{}],"End":true}}}}}}"#,
            branches.join(",")
        );
        let (output, most) = output(&text, "{}", &order, |input| vec![input.clone()].into());
        let expected: Vec<String> = (0..count).map(|i| format!("[{i}]")).collect();
        prop_assert_eq!(output, json::parse(&format!("[{}]", expected.join(","))).unwrap());
        prop_assert_eq!(most, count);
    }

    #[test]
    fn map_in_map(rows in prop::collection::vec(prop::collection::vec(any::<i16>(), 0..6), 0..6), order in prop::collection::vec(any::<u8>(), 1..40)) {
        let text = format!(
            r#"{{"StartAt":"M","States":{{"M":{{"Type":"Map","ItemProcessor":{{"StartAt":"N","States":{{"N":{{"Type":"Map","MaxConcurrency":2,"ItemProcessor":{{"StartAt":"T","States":{{"T":{TASK}}}}},"End":true}}}}}},"End":true}}}}}}"#
        );
        let row = |row: &Vec<i16>| Value::from(row.iter().map(|n| Value::from(i64::from(*n))).collect::<Vec<_>>());
        let input = Value::from(rows.iter().map(row).collect::<Vec<_>>());
        let (output, _) = output(&text, &input.to_json(), &order, Value::clone);
        prop_assert_eq!(output, input);
    }
}
