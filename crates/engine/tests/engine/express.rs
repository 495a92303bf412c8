//! Express executions: asynchronous, synchronous, and as children of Map Runs.

use std::time::{Duration, Instant};

use stepwell_asl::MachineType;
use stepwell_engine::{ExecutionStatus, StartExecution, StartExecutionError, SyncExecution};
use stepwell_store::ExpressStarts;

use super::*;

const TWO_TASKS: &str = r#"{"StartAt":"A","States":{
    "A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"B"},
    "B":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}}"#;

const LOOP: &str = r#"{"StartAt":"A","TimeoutSeconds":2,"States":{
    "A":{"Type":"Choice","Choices":[{"Variable":"$.stop","IsPresent":true,"Next":"E"}],"Default":"A"},
    "E":{"Type":"Succeed"}}}"#;

impl House {
    fn express(&self, definition: &str) -> Arc<MachineRevision> {
        self.machine_of(MachineType::Express, "x", definition)
    }

    async fn start_sync(
        &self,
        revision: &Arc<MachineRevision>,
        input: &str,
    ) -> Result<SyncExecution, StartExecutionError> {
        self.engine.start_sync_execution(request(revision, None, input)).await
    }

    /// ARNs of the executions that would run again after a crash.
    fn started(&self) -> Vec<String> {
        let starts = ExpressStarts::open(&self.store).expect("opens").all();
        starts.map(|start| start.expect("reads").info.execution_arn.to_string()).collect()
    }
}

fn request(revision: &Arc<MachineRevision>, name: Option<&str>, input: &str) -> StartExecution {
    StartExecution {
        revision: revision.clone(),
        name: name.map(str::to_owned),
        input: Payload::parse(input).expect("the input is JSON"),
        trace_header: None,
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} never comes about");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_name_is_used_as_often_as_one_likes_and_an_end_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Gate::new(0);
    let house = open(dir.path(), gate.clone(), 2);
    let machine = house.express(TASK);
    let first = house.start(&machine, Some("e"), "{}").await.expect("starts");
    let second = house.start(&machine, Some("e"), r#"{"other":true}"#).await.expect("starts");
    let prefix = "arn:aws:states:us-east-1:000000000000:express:x:e:";
    assert!(first.starts_with(prefix) && second.starts_with(prefix) && first != second, "{first} {second}");
    let mut both = [first.clone(), second];
    both.sort();
    assert_eq!(house.started(), both);
    assert!(house.engine.describe_execution(&first).expect("reads").is_none());
    gate.permits.add_permits(2);
    until("their end", || house.started().is_empty()).await;
    // One that needs nobody else has ended when its start is answered.
    let quick = house.machine_of(MachineType::Express, "quick", PASS);
    let changes = || {
        house.store.flush().expect("is written");
        house.store.figures().changes.get()
    };
    let before = changes();
    house.start(&quick, None, "{}").await.expect("starts");
    assert_eq!(changes(), before, "the disk learns nothing of it");
    assert!(house.started().is_empty());
    assert_eq!(gate.attempts().len(), 2);
    house.lose();
}

#[tokio::test]
async fn what_was_started_runs_again_from_its_start_after_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Gate::new(1);
    let house = open(dir.path(), first.clone(), 1);
    let machine = house.express(TWO_TASKS);
    let arn = house.start(&machine, Some("e"), r#"{"a":1}"#).await.expect("starts");
    first.wait_for_attempts(2).await;
    house.lose();

    let second = Gate::new(2);
    let house = open(dir.path(), second.clone(), 3);
    assert_eq!(house.started(), [arn.as_str()]);
    until("its end", || house.started().is_empty()).await;
    let again = second.attempts();
    assert_eq!(again.len(), 2, "both tasks are called again: {again:?}");
    assert!(again.keys().all(|attempt| attempt.starts_with(&arn)), "{again:?}");
    house.lose();

    let third = Gate::new(0);
    let house = open(dir.path(), third.clone(), 1);
    assert!(house.started().is_empty() && third.attempts().is_empty());
    house.lose();
}

#[tokio::test]
async fn a_synchronous_execution_answers_however_it_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Gate::new(2);
    let house = open(dir.path(), gate.clone(), 2);
    let machine = house.express(TWO_TASKS);
    let ended = house.start_sync(&machine, r#"{"a": 1.10}"#).await.expect("runs");
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
    assert_eq!(ended.output.map(|output| output.text().to_string()).as_deref(), Some(r#"{"a": 1.10}"#));
    assert_eq!(&**ended.input.text(), r#"{"a": 1.10}"#);
    assert!(ended.info.execution_arn.contains(":express:x:"));
    let failing = house.machine_of(
        MachineType::Express,
        "failing",
        r#"{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E","Cause":"because"}}}"#,
    );
    let ended = house.start_sync(&failing, "{}").await.expect("runs");
    assert_eq!((ended.status, ended.error.as_deref()), (ExecutionStatus::Failed, Some("E")));
    assert_eq!(ended.cause.as_deref(), Some("because"));
    let slow = TASK.replacen('{', r#"{"TimeoutSeconds":1,"#, 1);
    let slow = house.machine_of(MachineType::Express, "slow", &slow);
    let ended = house.start_sync(&slow, "{}").await.expect("runs");
    assert_eq!((ended.status, ended.output.is_none()), (ExecutionStatus::TimedOut, true));
    assert!(ended.stop_ms - ended.info.start_ms >= 1000);
    house.lose();
}

#[tokio::test]
async fn an_execution_outlives_its_caller_and_not_its_engine() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Gate::new(0);
    let house = open(dir.path(), gate.clone(), 1);
    let machine = house.express(TWO_TASKS);
    let (engine, gone) = (house.engine.clone(), request(&machine, None, "{}"));
    let caller = tokio::spawn(async move { engine.start_sync_execution(gone).await });
    gate.wait_for_attempts(1).await;
    caller.abort();
    let _ = caller.await;
    gate.permits.add_permits(1);
    gate.wait_for_attempts(2).await;

    let (engine, waiting) = (house.engine.clone(), request(&machine, None, "{}"));
    let caller = tokio::spawn(async move { engine.start_sync_execution(waiting).await });
    gate.wait_for_attempts(3).await;
    house.lose();
    let refused = caller.await.expect("no panic");
    assert!(matches!(refused, Err(StartExecutionError::Stopping)), "{refused:?}");

    // At most once: nothing of them is left.
    let gate = Gate::new(0);
    let house = open(dir.path(), gate.clone(), 1);
    assert!(house.started().is_empty() && gate.attempts().is_empty());
    house.lose();
}

#[tokio::test]
async fn a_loop_goes_on_until_its_time_is_over_and_others_run_meanwhile() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path(), Gate::new(0), 1);
    let machine = house.express(LOOP);
    let (engine, looping) = (house.engine.clone(), request(&machine, None, "{}"));
    let looping = tokio::spawn(async move { engine.start_sync_execution(looping).await });
    let quick = house.machine_of(MachineType::Express, "quick", PASS);
    let ended = house.start_sync(&quick, "{}").await.expect("runs");
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
    assert!(!looping.is_finished());
    let ended = looping.await.expect("no panic").expect("runs");
    assert_eq!(ended.status, ExecutionStatus::TimedOut);
    house.lose();
}

#[tokio::test]
async fn express_children_of_a_map_run_survive_a_crash_without_a_history() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Gate::new(3);
    let house = open(dir.path(), first.clone(), 2);
    let definition = MAP_RUN.replace(r#""STANDARD""#, r#""EXPRESS""#);
    let machine = house.machine("m", &definition);
    let arn = house.start(&machine, Some("e"), "[1,2,3,4,5,6,7,8]").await.expect("starts");
    first.wait_for_attempts(8).await;
    house.lose();

    let second = Gate::new(100);
    let house = open(dir.path(), second.clone(), 3);
    let (status, output) = house.ended(&arn).await;
    assert_eq!((status, output.as_deref()), (ExecutionStatus::Succeeded, Some("[1,2,3,4,5,6,7,8]")));
    let (before, after) = (first.attempts(), second.attempts());
    assert!(
        before.len() == 8 && after.keys().all(|attempt| before.contains_key(attempt)),
        "{before:?} {after:?}"
    );
    let labelled = "arn:aws:states:us-east-1:000000000000:stateMachine:m/each";
    let children = house.engine.list_executions(labelled, None, None, 100).expect("reads").rows;
    assert_eq!(children.len(), 8);
    for child in &children {
        let arn = &child.info.execution_arn;
        assert!(arn.starts_with("arn:aws:states:us-east-1:000000000000:express:m/each:"), "{arn}");
        let described = house.engine.describe_execution(arn).expect("reads").expect("is there");
        assert_eq!(described.row.status(), ExecutionStatus::Succeeded);
        assert_eq!(described.output.as_ref().map(Payload::text), Some(described.input.text()));
        assert_eq!(house.event_ids(arn), [1, 7], "only its start and its end are kept");
    }
    house.lose();
}

#[tokio::test]
async fn stopping_an_execution_stops_the_express_children_of_its_map_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Gate::new(0);
    let house = open(dir.path(), gate.clone(), 2);
    let machine = house.machine("m", &MAP_RUN.replace(r#""STANDARD""#, r#""EXPRESS""#));
    let arn = house.start(&machine, None, "[1,2]").await.expect("starts");
    gate.wait_for_attempts(2).await;
    let labelled = "arn:aws:states:us-east-1:000000000000:stateMachine:m/each";
    let children = house.engine.list_executions(labelled, None, None, 100).expect("reads").rows;
    assert_eq!(children.iter().map(|c| c.status()).collect::<Vec<_>>(), [ExecutionStatus::Running; 2]);
    house.engine.stop_execution(&arn, None, None).await.expect("stops");
    for child in children {
        assert_eq!(house.ended(&child.info.execution_arn).await.0, ExecutionStatus::Aborted);
    }
    house.lose();
}
