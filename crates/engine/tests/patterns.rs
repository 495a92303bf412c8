//! Executions that wait for each other: nested ones, and tasks that another execution's task answers. A real engine, the
//! real integrations and the real API over it; only queues are scripted.

#![allow(clippy::result_large_err, reason = "the shared contract's Fault is large")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_engine::machines::Machines;
use stepwell_engine::{Clock, Engine, EngineOptions};
use stepwell_integrations::{Host, Integrations, TaskOutcome, TaskRequest, TaskRunner};
use stepwell_server::StepFunctions;
use stepwell_store::Store;

const DEADLINE: Duration = Duration::from_secs(30);
const START: &str = "arn:aws:states:::states:startExecution";

/// Takes messages.
#[derive(Default)]
struct Queue(Mutex<Vec<Value>>);

impl Service for Queue {
    fn name(&self) -> &'static str {
        "sqs"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        self.0.lock().expect("no panic holds it").push(call.input);
        Box::pin(async { Ok(Reply::ok(json!({"MessageId": "m", "MD5OfMessageBody": "d"}))) })
    }
}

/// Moved by the tests.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct House {
    engine: Engine,
    states: Arc<dyn Service>,
    queue: Arc<Queue>,
    clock: Arc<Hands>,
}

/// Runs attempts, and lets nobody know how far they come.
struct Mute(Arc<Integrations>);

impl TaskRunner for Mute {
    fn run(&self, request: TaskRequest) -> BoxFuture<'_, TaskOutcome> {
        self.0.run(TaskRequest { host: Host::default(), ..request })
    }
}

fn open(dir: &Path) -> House {
    open_with(dir, |integrations| integrations)
}

fn open_with(dir: &Path, runner: fn(Arc<Integrations>) -> Arc<dyn TaskRunner>) -> House {
    let store = Store::open(dir).expect("the store opens");
    let machines = Arc::new(Machines::open(&store, Account::default()).expect("the machines open"));
    let clock = Arc::new(Hands(AtomicI64::new(1_700_000_000_000)));
    let options = EngineOptions {
        account: Account::default(),
        shards: NonZeroUsize::new(3).expect("not zero"),
        clock: clock.clone(),
        retention: None,
    };
    let integrations = Arc::new(Integrations::new());
    let queue = Arc::new(Queue::default());
    integrations.register(queue.clone());
    let runtime = tokio::runtime::Handle::current();
    let engine = Engine::start(store, machines, runner(integrations.clone()), runtime, options);
    let engine = engine.expect("the engine starts");
    let states: Arc<dyn Service> = Arc::new(StepFunctions::new(engine.clone(), clock.clone()));
    integrations.register_weak(&states);
    House { engine, states, queue, clock }
}

impl House {
    async fn call(&self, operation: &str, input: Value) -> Value {
        let reply = self.states.call(Call::new(operation, input)).await;
        reply.unwrap_or_else(|fault| panic!("{operation}: {fault}")).output
    }

    async fn create(&self, name: &str, definition: Value) -> String {
        let input = json!({
            "name": name,
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::000000000000:role/r",
        });
        let answer = self.call("CreateStateMachine", input).await;
        answer["stateMachineArn"].as_str().expect("an ARN").to_owned()
    }

    async fn start(&self, machine: &str, input: Value) -> String {
        let input = json!({"stateMachineArn": machine, "input": input.to_string()});
        let answer = self.call("StartExecution", input).await;
        answer["executionArn"].as_str().expect("an ARN").to_owned()
    }

    async fn describe(&self, execution: &str) -> Value {
        self.call("DescribeExecution", json!({ "executionArn": execution })).await
    }

    async fn closed(&self, execution: &str) -> Value {
        self.until(execution, async || {
            Some(self.describe(execution).await).filter(|description| description["status"] != "RUNNING")
        })
        .await
    }

    /// The one execution of `machine`, once there is one.
    async fn child(&self, machine: &str) -> String {
        self.until(machine, async || {
            let listed = self.call("ListExecutions", json!({ "stateMachineArn": machine })).await;
            let executions = listed["executions"].as_array().expect("a list").clone();
            assert!(executions.len() <= 1, "{executions:?}");
            Some(executions.first()?["executionArn"].as_str().expect("an ARN").to_owned())
        })
        .await
    }

    async fn events(&self, execution: &str) -> Vec<Value> {
        let history = self.call("GetExecutionHistory", json!({ "executionArn": execution })).await;
        history["events"].as_array().expect("a list").clone()
    }

    async fn types(&self, execution: &str) -> Vec<String> {
        let events = self.events(execution).await;
        events.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    }

    async fn has_event(&self, execution: &str, event_type: &str) {
        self.until(event_type, async || {
            self.types(execution).await.contains(&event_type.to_owned()).then_some(())
        })
        .await;
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} does not come");
            tokio::task::yield_now().await;
        }
    }

    /// The token in the one message that the queue got.
    async fn token(&self) -> String {
        self.until("a message", async || {
            let messages = self.queue.0.lock().expect("no panic holds it").clone();
            let body: Value = serde_json::from_str(messages.first()?["MessageBody"].as_str()?).ok()?;
            body["token"].as_str().map(str::to_owned)
        })
        .await
    }

    /// What is in memory is lost. Reopening the directory waits until the store is let go.
    async fn lose(self) {
        let House { engine, states, .. } = self;
        tokio::task::spawn_blocking(move || {
            engine.shutdown();
            drop((engine, states));
        })
        .await
        .expect("no panic");
    }
}

fn task(resource: &str, parameters: Value) -> Value {
    json!({"StartAt": "T", "States": {"T": {
        "Type": "Task", "Resource": resource, "Parameters": parameters, "End": true,
    }}})
}

fn nested(pattern: &str, child: &str) -> Value {
    let input = json!({
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id", "given.$": "$.given",
    });
    task(&format!("{START}{pattern}"), json!({"StateMachineArn": child, "Input": input}))
}

/// Waits for a token that the queue gets; the answer to it is its output.
fn waiting() -> Value {
    task(
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        json!({"QueueUrl": "http://queue", "MessageBody": {"token.$": "$$.Task.Token"}}),
    )
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().expect("text")).expect("JSON")
}

const SYNC_EVENTS: [&str; 8] = [
    "ExecutionStarted",
    "TaskStateEntered",
    "TaskScheduled",
    "TaskStarted",
    "TaskSubmitted",
    "TaskSucceeded",
    "TaskStateExited",
    "ExecutionSucceeded",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_execution_is_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path());
    let pass = json!({"StartAt": "P", "States": {"P": {
        "Type": "Pass", "Parameters": {"got.$": "$.given", "by.$": "$.AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"},
        "End": true,
    }}});
    for (pattern, name) in [(".sync", "one"), (".sync:2", "two")] {
        let child = house.create(&format!("child-{name}"), pass.clone()).await;
        let parent = house.create(&format!("parent-{name}"), nested(pattern, &child)).await;
        let execution = house.start(&parent, json!({"given": [1]})).await;
        let closed = house.closed(&execution).await;
        assert_eq!(closed["status"], "SUCCEEDED", "{closed}");
        let output = parsed(&closed["output"]);
        let nested = house.child(&child).await;
        let as_given =
            |document: Value| if pattern == ".sync" { document.to_string().into() } else { document };
        let expected = json!({
            "ExecutionArn": nested,
            "Input": as_given(json!({
                "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": execution, "given": [1],
            })),
            "InputDetails": {"Included": true},
            "Name": nested.rsplit(':').next(),
            "Output": as_given(json!({"got": [1], "by": execution})),
            "OutputDetails": {"Included": true},
            "RedriveCount": 0,
            "RedriveStatus": "NOT_REDRIVABLE",
            "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
            "StartDate": 1_700_000_000_000_i64,
            "StateMachineArn": child,
            "Status": "SUCCEEDED",
            "StopDate": 1_700_000_000_000_i64,
        });
        for (member, value) in expected.as_object().expect("members") {
            let found = &output[member];
            let same = match (value.as_str(), found.as_str()) {
                (Some(_), Some(_)) if ["Input", "Output"].contains(&member.as_str()) => {
                    parsed(value) == parsed(found)
                }
                _ => value == found,
            };
            assert!(same, "{member}: expected {value}, was {found}");
        }
        assert_eq!(output.as_object().map(|o| o.len()), expected.as_object().map(|o| o.len()), "{output}");
        assert_eq!(house.types(&execution).await, SYNC_EVENTS);
        let submitted = &house.events(&execution).await[4]["taskSubmittedEventDetails"];
        assert_eq!(submitted["resource"], format!("startExecution{pattern}"));
        assert_eq!(parsed(&submitted["output"])["ExecutionArn"], nested.as_str());
    }
    house.lose().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_failure_is_the_tasks() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path());
    let fail = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "because"}}});
    let child = house.create("child", fail).await;
    let mut definition = nested(".sync:2", &child);
    definition["States"]["T"]["Catch"] = json!([{"ErrorEquals": ["States.TaskFailed"], "Next": "C"}]);
    definition["States"]["C"] = json!({"Type": "Succeed"});
    let parent = house.create("parent", definition).await;
    let execution = house.start(&parent, json!({"given": 1})).await;
    let output = parsed(&house.closed(&execution).await["output"]);
    assert_eq!(output["Error"], "States.TaskFailed");
    let cause = parsed(&output["Cause"]);
    assert_eq!(
        (&cause["Status"], &cause["Error"], &cause["Cause"], &cause["StateMachineArn"]),
        (&json!("FAILED"), &json!("E"), &json!("because"), &json!(child)),
    );
    let missing = house.create("lost", nested(".sync", &format!("{child}-gone"))).await;
    let closed = house.closed(&house.start(&missing, json!({"given": 1})).await).await;
    assert_eq!(closed["error"], "StepFunctions.StateMachineDoesNotExistException", "{closed}");
    house.lose().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_answered_by_another_executions_task() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path());
    let waits = house.create("waits", waiting()).await;
    let answers = house
        .create(
            "answers",
            task(
                "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess",
                json!({"TaskToken.$": "$.token", "Output.$": "$.answer"}),
            ),
        )
        .await;
    let execution = house.start(&waits, json!({})).await;
    let token = house.token().await;
    house.has_event(&execution, "TaskSubmitted").await;
    let answering = house.start(&answers, json!({"token": token, "answer": {"n": 1}})).await;
    assert_eq!(house.closed(&answering).await["status"], "SUCCEEDED");
    assert_eq!(parsed(&house.closed(&execution).await["output"]), json!({"n": 1}));
    assert_eq!(house.types(&execution).await, SYNC_EVENTS);

    // A token serves once.
    let again = house.start(&answers, json!({"token": token, "answer": {}})).await;
    assert_eq!(house.closed(&again).await["error"], "Sfn.TaskTimedOutException");
    house.lose().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_execution_answers_the_token_of_the_one_that_started_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path());
    let child = house
        .create(
            "child",
            task(
                "arn:aws:states:::aws-sdk:sfn:sendTaskFailure",
                json!({"TaskToken.$": "$.token", "Error": "Refused", "Cause": "by the child"}),
            ),
        )
        .await;
    let input = json!({"token.$": "$$.Task.Token"});
    let parent =
        task(&format!("{START}.waitForTaskToken"), json!({"StateMachineArn": child, "Input": input}));
    let parent = house.create("parent", parent).await;
    let closed = house.closed(&house.start(&parent, json!({})).await).await;
    assert_eq!((&closed["error"], &closed["cause"]), (&json!("Refused"), &json!("by the child")), "{closed}");
    house.lose().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_execution_is_waited_for_across_crashes() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path());
    let child = house.create("child", waiting()).await;
    let parent = house.create("parent", nested(".sync:2", &child)).await;
    let execution = house.start(&parent, json!({"given": 1})).await;
    house.has_event(&execution, "TaskSubmitted").await;
    let nested = house.child(&child).await;
    let token = house.token().await;
    house.has_event(&nested, "TaskSubmitted").await;
    house.lose().await;

    // Both still wait; neither asks a second time.
    let house = open(dir.path());
    assert_eq!(house.describe(&execution).await["status"], "RUNNING");
    assert_eq!(house.child(&child).await, nested);
    house.lose().await;

    let house = open(dir.path());
    house.call("SendTaskSuccess", json!({"taskToken": token, "output": "[7]"})).await;
    let closed = house.closed(&execution).await;
    assert_eq!(parsed(&closed["output"])["Output"], json!([7]), "{closed}");
    assert_eq!(house.child(&child).await, nested);
    assert_eq!(house.types(&execution).await, SYNC_EVENTS);
    assert!(house.queue.0.lock().expect("no panic holds it").is_empty(), "asked again");
    house.lose().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_whose_answer_a_crash_lost_is_not_made_twice() {
    for name in [None, Some("chosen")] {
        let dir = tempfile::tempdir().expect("a directory");
        let house = open_with(dir.path(), |integrations| Arc::new(Mute(integrations)));
        let child = house.create("child", waiting()).await;
        let mut definition = nested(".sync:2", &child);
        if let Some(name) = name {
            definition["States"]["T"]["Parameters"]["Name"] = json!(name);
        }
        let parent = house.create("parent", definition).await;
        let execution = house.start(&parent, json!({"given": 1})).await;
        let nested = house.child(&child).await;
        let token = house.token().await;
        house.has_event(&nested, "TaskSubmitted").await;
        // It may even end before the crash.
        if name.is_some() {
            house.call("SendTaskSuccess", json!({"taskToken": token, "output": "[7]"})).await;
            house.closed(&nested).await;
        }
        assert!(!house.types(&execution).await.contains(&"TaskSubmitted".to_owned()));
        house.lose().await;

        let house = open(dir.path());
        house.has_event(&execution, "TaskSubmitted").await;
        if name.is_none() {
            house.call("SendTaskSuccess", json!({"taskToken": token, "output": "[7]"})).await;
        }
        let closed = house.closed(&execution).await;
        assert_eq!(parsed(&closed["output"])["Output"], json!([7]), "{closed}");
        assert_eq!(house.child(&child).await, nested);
        assert_eq!(house.types(&execution).await, SYNC_EVENTS);
        house.lose().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_execution_is_stopped_with_the_task_that_waits_for_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let house = open(dir.path());
    let wait = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}});

    let child = house.create("stopped-child", wait.clone()).await;
    let parent = house.create("stopped", nested(".sync", &child)).await;
    let execution = house.start(&parent, json!({"given": 1})).await;
    house.has_event(&execution, "TaskSubmitted").await;
    house.call("StopExecution", json!({ "executionArn": execution })).await;
    assert_eq!(house.closed(&house.child(&child).await).await["status"], "ABORTED");

    let child = house.create("late-child", wait.clone()).await;
    let mut definition = nested(".sync", &child);
    definition["States"]["T"]["TimeoutSeconds"] = json!(60);
    let parent = house.create("late", definition).await;
    let execution = house.start(&parent, json!({"given": 1})).await;
    house.has_event(&execution, "TaskSubmitted").await;
    house.clock.0.fetch_add(61_000, Ordering::SeqCst);
    assert_eq!(house.closed(&execution).await["error"], "States.Timeout");
    assert_eq!(house.closed(&house.child(&child).await).await["status"], "ABORTED");

    // A start without waiting has let go of it.
    let child = house.create("free-child", wait).await;
    let parent = house.create("free", nested("", &child)).await;
    let closed = house.closed(&house.start(&parent, json!({"given": 1})).await).await;
    assert_eq!(closed["status"], "SUCCEEDED", "{closed}");
    assert_eq!(house.describe(&house.child(&child).await).await["status"], "RUNNING");
    house.lose().await;
}
