//! The engine with a real store, its own threads and scripted tasks.

#[path = "engine/express.rs"]
mod express;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stepwell_asl::MachineType;
use stepwell_asl::payload::Payload;
use stepwell_aws::{Account, BoxFuture};
use stepwell_engine::machines::{Configurations, MachineRevision, Machines, NewMachine};
use stepwell_engine::{
    Clock, Engine, EngineOptions, ExecutionStatus, HistoryPage, StartExecution, StartExecutionError,
    StopExecutionError, SystemClock,
};
use stepwell_integrations::{TaskOutcome, TaskRequest, TaskRunner};
use stepwell_store::Store;
use tokio::sync::{Notify, Semaphore};

/// A task that waits for a permit, counts its attempts by id, and gives its parameters back.
struct Gate {
    permits: Semaphore,
    attempts: Mutex<HashMap<String, usize>>,
    asked: Notify,
}

impl Gate {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Gate { permits: Semaphore::new(permits), attempts: Mutex::default(), asked: Notify::new() })
    }

    fn attempts(&self) -> HashMap<String, usize> {
        self.attempts.lock().expect("no panic holds it").clone()
    }

    async fn wait_for_attempts(&self, count: usize) {
        loop {
            let asked = self.asked.notified();
            if self.attempts().values().sum::<usize>() >= count {
                return;
            }
            asked.await;
        }
    }
}

impl TaskRunner for Gate {
    fn run(&self, request: TaskRequest) -> BoxFuture<'_, TaskOutcome> {
        Box::pin(async move {
            *self
                .attempts
                .lock()
                .expect("no panic holds it")
                .entry(request.attempt_id.to_string())
                .or_default() += 1;
            self.asked.notify_waiters();
            match self.permits.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return TaskOutcome::Failed { error: Some("Closed".into()), cause: None },
            }
            TaskOutcome::Succeeded(request.parameters)
        })
    }
}

struct House {
    engine: Engine,
    store: Store,
}

/// A clock that is moved by hand.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn open(dir: &Path, runner: Arc<dyn TaskRunner>, shards: usize) -> House {
    open_with(dir, runner, shards, Arc::new(SystemClock), None)
}

fn open_with(
    dir: &Path,
    runner: Arc<dyn TaskRunner>,
    shards: usize,
    clock: Arc<dyn Clock>,
    retention: Option<Duration>,
) -> House {
    let store = Store::open(dir).expect("the store opens");
    let machines = Arc::new(Machines::open(&store, Account::default()).expect("the machines open"));
    let options = EngineOptions {
        account: Account::default(),
        shards: NonZeroUsize::new(shards).expect("not zero"),
        clock,
        retention,
    };
    let runtime = tokio::runtime::Handle::current();
    let engine = Engine::start(store.clone(), machines, runner, runtime, options).expect("the engine starts");
    House { engine, store }
}

impl House {
    fn machine(&self, name: &str, definition: &str) -> Arc<MachineRevision> {
        self.machine_of(MachineType::Standard, name, definition)
    }

    fn machine_of(&self, machine_type: MachineType, name: &str, definition: &str) -> Arc<MachineRevision> {
        let configurations =
            Configurations { logging: "{}".into(), tracing: "{}".into(), encryption: "{}".into() };
        let created = self.engine.machines().create(
            NewMachine {
                name: name.into(),
                definition: definition.into(),
                role_arn: "arn:aws:iam::000000000000:role/r".into(),
                machine_type,
                configurations,
                tags: Vec::new(),
                publish: None,
            },
            1,
        );
        let arn = created.expect("the machine is created").arn;
        self.engine.machines().current(&arn).expect("is there")
    }

    async fn start(
        &self,
        revision: &Arc<MachineRevision>,
        name: Option<&str>,
        input: &str,
    ) -> Result<String, StartExecutionError> {
        let request = StartExecution {
            revision: revision.clone(),
            name: name.map(str::to_owned),
            input: Payload::parse(input).expect("the input is JSON"),
            trace_header: None,
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
        };
        self.engine.start_execution(request).await.map(|started| started.execution_arn.to_string())
    }

    async fn ended(&self, arn: &str) -> (ExecutionStatus, Option<String>) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let description = self.engine.describe_execution(arn).expect("reads").expect("is there");
            if description.row.status() != ExecutionStatus::Running {
                return (description.row.status(), description.output.map(|o| o.text().to_string()));
            }
            assert!(std::time::Instant::now() < deadline, "{arn} still runs");
            tokio::task::yield_now().await;
        }
    }

    fn event_ids(&self, arn: &str) -> Vec<u64> {
        let page = HistoryPage { from_id: 1, reverse: false, limit: 100_000 };
        self.engine.history(arn, page).expect("reads").expect("is there").iter().map(|e| e.id).collect()
    }

    /// Ends the engine as a crash would: what is in memory is lost.
    fn lose(self) {
        self.engine.shutdown();
        drop(self.engine);
        drop(self.store);
    }
}

const TASK: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"S"},"S":{"Type":"Succeed"}}}"#;
const PASS: &str =
    r#"{"StartAt":"P","States":{"P":{"Type":"Pass","Result":{"x":1},"ResultPath":"$.r","End":true}}}"#;

#[tokio::test]
async fn an_execution_runs_to_its_end_and_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path(), Gate::new(1), 2);
    let machine = house.machine("m", TASK);
    let arn = house.start(&machine, Some("e"), r#"{"a": 1.10}"#).await.expect("starts");
    assert_eq!(arn, "arn:aws:states:us-east-1:000000000000:execution:m:e");
    assert_eq!(house.ended(&arn).await, (ExecutionStatus::Succeeded, Some(r#"{"a": 1.10}"#.to_owned())));
    assert_eq!(house.event_ids(&arn), (1..=9).collect::<Vec<_>>());
    let page = HistoryPage { from_id: 0, reverse: true, limit: 2 };
    let newest = house.engine.history(&arn, page).expect("reads").expect("is there");
    assert_eq!(newest.iter().map(|e| e.id).collect::<Vec<_>>(), [9, 8]);
    let listed = house.engine.list_executions(&machine.machine_arn, None, None, 10).expect("reads");
    assert_eq!((listed.rows.len(), listed.next), (1, None));
    let running = house
        .engine
        .list_executions(&machine.machine_arn, Some(ExecutionStatus::Running), None, 10)
        .expect("reads");
    assert!(running.rows.is_empty());
    house.lose();
}

#[tokio::test]
async fn a_name_is_one_execution_also_after_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Gate::new(0);
    let house = open(dir.path(), gate.clone(), 3);
    let machine = house.machine("m", TASK);
    let arn = house.start(&machine, Some("e"), r#"{"a":1}"#).await.expect("starts");
    assert_eq!(house.start(&machine, Some("e"), r#"{ "a": 1 }"#).await.expect("is the same"), arn);
    let other = house.start(&machine, Some("e"), r#"{"a":2}"#).await;
    assert!(matches!(other, Err(StartExecutionError::AlreadyExists { .. })), "{other:?}");
    gate.wait_for_attempts(1).await;
    house.lose();

    let gate = Gate::new(1);
    let house = open(dir.path(), gate, 3);
    let machine = house.engine.machines().current(&machine.machine_arn).expect("is there");
    assert!(house.start(&machine, Some("e"), r#"{"a":2}"#).await.is_err());
    assert_eq!(house.ended(&arn).await.0, ExecutionStatus::Succeeded);
    let closed = house.start(&machine, Some("e"), r#"{"a":1}"#).await;
    assert!(matches!(closed, Err(StartExecutionError::AlreadyExists { .. })), "{closed:?}");
    house.lose();
}

#[tokio::test]
async fn a_task_in_flight_is_dispatched_again_under_the_same_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Gate::new(0);
    let house = open(dir.path(), first.clone(), 1);
    let machine = house.machine("m", TASK);
    let arn = house.start(&machine, None, "{}").await.expect("starts");
    first.wait_for_attempts(1).await;
    house.lose();

    // Another number of shards than before: an execution is not tied to one.
    let second = Gate::new(1);
    let house = open(dir.path(), second.clone(), 4);
    assert_eq!(house.ended(&arn).await.0, ExecutionStatus::Succeeded);
    assert_eq!(first.attempts(), second.attempts());
    assert_eq!(house.event_ids(&arn), (1..=9).collect::<Vec<_>>());
    house.lose();
}

#[tokio::test]
async fn many_executions_at_once_all_end_and_page_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path(), Gate::new(0), 2);
    let machine = house.machine("m", PASS);
    let starts: Vec<_> = (0..500)
        .map(|i| {
            let (engine, revision) = (house.engine.clone(), machine.clone());
            let input = Payload::parse(r#"{"a":[1,2,3]}"#).expect("the input is JSON");
            let request = StartExecution {
                revision,
                name: Some(format!("e{i}")),
                input,
                trace_header: None,
                state_machine_version_arn: None,
                state_machine_alias_arn: None,
            };
            tokio::spawn(async move { engine.start_execution(request).await })
        })
        .collect();
    for start in starts {
        let started = start.await.expect("no panic").expect("starts");
        let (status, output) = house.ended(&started.execution_arn).await;
        assert_eq!(
            (status, output.as_deref()),
            (ExecutionStatus::Succeeded, Some(r#"{"a":[1,2,3],"r":{"x":1}}"#))
        );
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = house
            .engine
            .list_executions(&machine.machine_arn, Some(ExecutionStatus::Succeeded), after.as_ref(), 77)
            .expect("reads");
        assert!(page.rows.len() <= 77);
        seen.extend(page.rows.iter().map(|row| row.outcome.as_ref().expect("has ended").stop_ms));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 500);
    assert!(seen.is_sorted_by(|a, b| a >= b), "newest first");
    house.lose();
}

#[tokio::test]
async fn stopping_aborts_and_gives_the_task_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Gate::new(0);
    let house = open(dir.path(), gate.clone(), 1);
    let machine = house.machine("m", TASK);
    let arn = house.start(&machine, None, "{}").await.expect("starts");
    gate.wait_for_attempts(1).await;
    let stopped = house.engine.stop_execution(&arn, Some("Why".into()), None).await.expect("stops");
    assert_eq!(house.ended(&arn).await.0, ExecutionStatus::Aborted);
    assert_eq!(house.engine.stop_execution(&arn, None, None).await.expect("is stopped"), stopped);
    let missing =
        house.engine.stop_execution("arn:aws:states:us-east-1:000000000000:execution:m:no", None, None).await;
    assert!(matches!(missing, Err(StopExecutionError::DoesNotExist { .. })), "{missing:?}");
    house.lose();
}

#[tokio::test]
async fn a_machine_that_loops_ends_at_the_history_limit_and_others_run_meanwhile() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path(), Gate::new(0), 1);
    let looping = house.machine(
        "loop",
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"C"},"C":{"Type":"Choice","Choices":[{"Variable":"$.stop","IsPresent":true,"Next":"E"}],"Default":"A"},"E":{"Type":"Succeed"}}}"#,
    );
    let arn = house.start(&looping, None, "{}").await.expect("starts");
    let quick = house.machine("quick", PASS);
    let other = house.start(&quick, None, "{}").await.expect("starts");
    assert_eq!(house.ended(&other).await.0, ExecutionStatus::Succeeded);
    assert_eq!(house.ended(&arn).await.0, ExecutionStatus::Failed);
    let ids = house.event_ids(&arn);
    assert_eq!(ids, (1..=25_000).collect::<Vec<_>>());
    let cause = house
        .engine
        .describe_execution(&arn)
        .expect("reads")
        .expect("is there")
        .row
        .outcome
        .expect("ended")
        .cause;
    assert_eq!(cause.as_deref(), Some("The execution reached the maximum number of history events (25000)."));
    house.lose();
}

#[tokio::test]
async fn an_input_over_the_limit_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path(), Gate::new(0), 1);
    let machine = house.machine("m", PASS);
    let input = format!("\"{}\"", "x".repeat(262_144));
    let refused = house.start(&machine, None, &input).await;
    assert!(matches!(refused, Err(StartExecutionError::InputTooLarge)), "{refused:?}");
    house.lose();
}

const MAP_RUN: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","Label":"each","ItemProcessor":{
    "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
    "StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}},
    "End":true}}}"#;

#[tokio::test]
async fn a_map_run_has_executions_of_its_own_and_survives_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Gate::new(3);
    let house = open(dir.path(), first.clone(), 2);
    let machine = house.machine("m", MAP_RUN);
    let arn = house.start(&machine, Some("e"), "[1,2,3,4,5,6,7,8]").await.expect("starts");
    first.wait_for_attempts(8).await;
    house.lose();

    let second = Gate::new(100);
    let house = open(dir.path(), second.clone(), 3);
    let (status, output) = house.ended(&arn).await;
    assert_eq!((status, output.as_deref()), (ExecutionStatus::Succeeded, Some("[1,2,3,4,5,6,7,8]")));
    // Children whose end was durable before the crash are not run again, and none has another name than before.
    let (before, after) = (first.attempts(), second.attempts());
    assert!(
        before.len() == 8 && after.keys().all(|attempt| before.contains_key(attempt)),
        "{before:?} {after:?}"
    );
    let labelled = "arn:aws:states:us-east-1:000000000000:stateMachine:m/each";
    let children = house.engine.list_executions(labelled, None, None, 100).expect("reads").rows;
    assert_eq!(children.len(), 8);
    assert!(children.iter().all(|child| child.status() == ExecutionStatus::Succeeded));
    let page = HistoryPage { from_id: 1, reverse: false, limit: 100 };
    let child =
        house.engine.history(&children[0].info.execution_arn, page).expect("reads").expect("is there");
    assert_eq!(child.len(), 7);
    house.lose();
}

#[tokio::test]
async fn stopping_an_execution_stops_its_map_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Gate::new(0);
    let house = open(dir.path(), gate.clone(), 2);
    let machine = house.machine("m", MAP_RUN);
    let arn = house.start(&machine, None, "[1,2]").await.expect("starts");
    gate.wait_for_attempts(2).await;
    house.engine.stop_execution(&arn, None, None).await.expect("stops");
    let labelled = "arn:aws:states:us-east-1:000000000000:stateMachine:m/each";
    for child in house.engine.list_executions(labelled, None, None, 100).expect("reads").rows {
        assert_eq!(house.ended(&child.info.execution_arn).await.0, ExecutionStatus::Aborted);
    }
    house.lose();
}

const WAIT: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$.s","End":true}}}"#;

#[tokio::test]
async fn what_waits_leaves_memory_and_comes_back_for_its_timer_its_name_and_its_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path(), Gate::new(0), 2);
    let machine = house.machine("m", WAIT);
    let short = house.start(&machine, Some("short"), r#"{"s":2}"#).await.expect("starts");
    let long = house.start(&machine, Some("long"), r#"{"s":3600}"#).await.expect("starts");
    // The same name and input is the same execution, wherever it is.
    assert_eq!(house.start(&machine, Some("long"), r#"{"s":3600}"#).await.expect("is the same"), long);
    assert!(house.start(&machine, Some("long"), r#"{"s":1}"#).await.is_err());
    house.lose();

    let house = open(dir.path(), Gate::new(0), 3);
    let machine = house.engine.machines().current(&machine.machine_arn).expect("is there");
    assert_eq!(house.start(&machine, Some("long"), r#"{"s":3600}"#).await.expect("is the same"), long);
    house.engine.stop_execution(&long, None, None).await.expect("stops");
    assert_eq!(house.ended(&long).await.0, ExecutionStatus::Aborted);
    assert_eq!(house.ended(&short).await.0, ExecutionStatus::Succeeded);
    let page = HistoryPage { from_id: 1, reverse: false, limit: 10 };
    let events = house.engine.history(&short, page).expect("reads").expect("is there");
    let waited_ms = events[2].timestamp_ms - events[1].timestamp_ms;
    assert!(waited_ms >= 2000, "left after {waited_ms} ms");
    house.lose();
}

#[tokio::test]
async fn a_task_token_brings_an_execution_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let activity = "arn:aws:states:us-east-1:000000000000:activity:a";
    let definition = format!(
        r#"{{"StartAt":"T","States":{{"T":{{"Type":"Task","Resource":"{activity}","TimeoutSeconds":3600,"End":true}}}}}}"#
    );
    let house = open(dir.path(), Gate::new(0), 1);
    house.engine.activities().create("a", "{}", Vec::new(), 1).expect("is created");
    let machine = house.machine("m", &definition);
    let arn = house.start(&machine, None, r#"{"n":1}"#).await.expect("starts");
    let wait = std::time::Duration::from_secs(10);
    let task = house.engine.activities().poll(activity, None, wait).await.expect("polls").expect("has come");
    assert_eq!(&**task.input.text(), r#"{"n":1}"#);
    house.lose();

    let house = open(dir.path(), Gate::new(0), 2);
    house.engine.send_task_heartbeat(&task.token).await.expect("is heard");
    let output = Payload::parse("[2]").expect("is JSON");
    house.engine.send_task_success(&task.token, output.clone()).await.expect("is taken");
    assert_eq!(house.ended(&arn).await, (ExecutionStatus::Succeeded, Some("[2]".to_owned())));
    assert!(house.engine.send_task_success(&task.token, output).await.is_err(), "a token serves once");
    house.lose();
}

/// Closed executions go when their time is over and not before, and their names are free; a Map Run's children go with
/// it; what runs stays.
#[tokio::test]
async fn what_closed_before_the_retention_time_is_removed() {
    const TIME: Duration = Duration::from_secs(10);
    let time_ms = i64::try_from(TIME.as_millis()).expect("small");
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(Hands(AtomicI64::new(1_700_000_000_000)));
    let house = open_with(directory.path(), Gate::new(0), 2, clock.clone(), Some(TIME));
    let pass = house.machine("pass", r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#);
    let map = house.machine(
        "map",
        r#"{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{
            "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
            "StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}}}}"#,
    );
    let first = house.start(&pass, Some("first"), "1").await.expect("starts");
    let run = house.start(&map, Some("run"), "[1,2,3]").await.expect("starts");
    house.ended(&first).await;
    house.ended(&run).await;
    clock.0.fetch_add(time_ms / 2, Ordering::Relaxed);
    let second = house.start(&pass, Some("second"), "1").await.expect("starts");
    let waiting =
        house.machine("wait", r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}"#);
    let waiting = house.start(&waiting, None, "1").await.expect("starts");
    let listed = |machine: &str| {
        let page = house.engine.list_executions(machine, None, None, 100).expect("reads");
        page.rows.iter().map(|row| row.info.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&pass.machine_arn), ["second", "first"]);
    let rows = || house.store.keyspace("executions.rows").expect("opens").prefix(&[]).count();
    assert_eq!(rows(), 7, "two of pass, one of map and its three children, one that waits");
    clock.0.fetch_add(time_ms / 2 + 1, Ordering::Relaxed);
    eventually(&house, |_| listed(&pass.machine_arn) == ["second"] && listed(&map.machine_arn).is_empty())
        .await;
    assert!(house.engine.describe_execution(&first).expect("reads").is_none());
    let page = HistoryPage { from_id: 1, reverse: false, limit: 100 };
    assert!(house.engine.history(&run, page).expect("reads").is_none());
    assert!(house.engine.describe_execution(&second).expect("reads").is_some());
    assert!(house.engine.describe_execution(&waiting).expect("reads").is_some());
    // The name is free, also for another input.
    house.start(&pass, Some("first"), "2").await.expect("starts");
    assert_eq!(house.ended(&first).await.1.as_deref(), Some("2"));
    assert_eq!(house.event_ids(&first), [1, 2, 3, 4]);
    house.engine.shutdown();
}

#[tokio::test]
async fn figures_say_what_happened_and_what_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Gate::new(1);
    let house = open(dir.path(), gate.clone(), 2);
    let task = house.machine("m", TASK);
    let arn = house.start(&task, None, "{}").await.expect("starts");
    house.ended(&arn).await;
    let held = house.start(&task, None, "{}").await.expect("starts");
    gate.wait_for_attempts(2).await;
    house.start(&house.machine("w", WAIT), None, r#"{"s":3600}"#).await.expect("starts");
    let settled = |figures: &stepwell_engine::EngineFigures| (figures.in_memory, figures.parked) == (1, 1);
    let figures = eventually(&house, settled).await;
    assert_eq!((figures.started, figures.timers, figures.tasks_under_way), (3, 1, 1));
    assert_eq!(figures.ended.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 0, 0, 0]);
    // T and S; T; W.
    assert_eq!((figures.transitions, figures.events), (4, 9 + 4 + 2));
    let [calls] = figures.tasks.as_slice() else { panic!("{:?}", figures.tasks) };
    assert_eq!((calls.kind, calls.outcome, calls.took.count()), ("lambda", "succeeded", 1));
    house.engine.stop_execution(&held, None, None).await.expect("stops");
    let given_up = |figures: &stepwell_engine::EngineFigures| figures.tasks.len() == 2;
    let figures = eventually(&house, given_up).await;
    assert_eq!((figures.tasks[1].outcome, figures.tasks_under_way, figures.ended[3].1), ("given_up", 0, 1));
    house.engine.redrive_execution(&held, None).await.expect("is redriven");
    house.engine.stop_execution(&held, None, None).await.expect("stops");
    let figures = house.engine.figures();
    assert_eq!((figures.started, figures.redriven, figures.ended[3].1), (3, 1, 2));
    let store = house.store.figures();
    assert!(store.commits.get().count() >= 5, "{store:?}");
    assert_eq!(store.queued.get(), 0);
    house.lose();

    let house = open(dir.path(), Gate::new(0), 1);
    let figures = house.engine.figures();
    assert_eq!((figures.parked, figures.started), (1, 0), "what waits is known after a start");
    house.lose();
}

async fn eventually(
    house: &House,
    holds: impl Fn(&stepwell_engine::EngineFigures) -> bool,
) -> stepwell_engine::EngineFigures {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let figures = house.engine.figures();
        if holds(&figures) {
            return figures;
        }
        assert!(std::time::Instant::now() < deadline, "{figures:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
