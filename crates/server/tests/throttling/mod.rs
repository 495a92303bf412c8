//! Requests beyond what may wait are refused, and the server serves on.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_asl::payload::Payload;
use stepwell_aws::{Account, Call, Service};
use stepwell_engine::machines::Machines;
use stepwell_engine::simulation::{self, SteppedShard};
use stepwell_engine::{Engine, EngineOptions, SystemClock};
use stepwell_server::{App, Limits, StepFunctions};
use stepwell_store::Store;

use crate::support::Server;
use crate::support::engine::{Identity, ROLE, arn, pass};

/// Requests that may wait for a shard.
const QUEUED_MAX: usize = 16_384;

/// An engine whose only shard works when it is told to.
struct Standing {
    engine: Engine,
    shard: SteppedShard,
    states: StepFunctions,
    /// Dropped last.
    _directory: tempfile::TempDir,
}

impl Standing {
    fn new() -> Standing {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("opens");
        let machines = Arc::new(Machines::open(&store, Account::default()).expect("opens"));
        let options = EngineOptions {
            account: Account::default(),
            shards: NonZeroUsize::MIN,
            clock: Arc::new(SystemClock),
            retention: None,
        };
        let runtime = tokio::runtime::Handle::current();
        let started = simulation::start(store, machines, Arc::new(Identity), runtime, options, || 1);
        let (engine, mut shards, _) = started.expect("starts");
        let states = StepFunctions::new(engine.clone(), Arc::new(SystemClock));
        Standing { engine, shard: shards.remove(0), states, _directory: directory }
    }

    async fn create(&self, name: &str, machine_type: &str) {
        let input =
            json!({"name": name, "definition": pass().to_string(), "roleArn": ROLE, "type": machine_type});
        self.states.call(Call::new("CreateStateMachine", input)).await.expect("is created");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_queue_has_room_for_is_refused_and_may_be_asked_again() {
    let mut standing = Standing::new();
    standing.create("m", "STANDARD").await;
    standing.create("x", "EXPRESS").await;
    let token = {
        // Of a task that never was: it would be answered so.
        let token = stepwell_interpreter::TaskToken {
            execution_arn: arn("execution:m:e").into(),
            scheduled_event: 2,
            nonce: 3,
        };
        token.encode()
    };
    let waiting: Vec<_> = (0..QUEUED_MAX)
        .map(|_| {
            let (engine, token) = (standing.engine.clone(), token.clone());
            tokio::spawn(async move { engine.send_task_success(&token, Payload::empty_object()).await })
        })
        .collect();
    while standing.engine.figures().shards[0].queued_requests < QUEUED_MAX {
        tokio::task::yield_now().await;
    }
    let app = App::builder(Account::default()).target("AWSStepFunctions", Arc::new(standing.states.clone()));
    let server = Server::start(app.build(), Limits::default()).await;
    let execution = arn("execution:m:e");
    let requests: [(&str, Value); 7] = [
        ("StartExecution", json!({"stateMachineArn": arn("stateMachine:m")})),
        ("StartExecution", json!({"stateMachineArn": arn("stateMachine:x")})),
        ("StartSyncExecution", json!({"stateMachineArn": arn("stateMachine:x")})),
        ("StopExecution", json!({"executionArn": execution})),
        ("RedriveExecution", json!({"executionArn": execution})),
        ("SendTaskSuccess", json!({"taskToken": token, "output": "{}"})),
        ("SendTaskFailure", json!({"taskToken": token})),
    ];
    for (operation, input) in &requests {
        let response = server.call(&format!("AWSStepFunctions.{operation}"), &input.to_string()).await;
        assert_eq!(response.status, 400, "{operation}");
        let body = response.json();
        assert!(body["__type"].as_str().is_some_and(|name| name.ends_with("ThrottlingException")), "{body}");
        assert_eq!(body["message"], "Rate exceeded", "{operation}");
    }
    let heartbeat = Call::new("SendTaskHeartbeat", json!({"taskToken": token}));
    let refused = standing.states.call(heartbeat).await.expect_err("is refused");
    assert_eq!((&*refused.code, &*refused.message), ("ThrottlingException", "Rate exceeded"));
    assert_eq!(standing.engine.figures().throttled, 8);

    // What needs no shard is served meanwhile.
    let described = Call::new("DescribeStateMachine", json!({"stateMachineArn": arn("stateMachine:m")}));
    standing.states.call(described).await.expect("is there");

    // The shard works again: whoever waited is answered, and new requests are taken.
    while standing.shard.round(256) > 0 {}
    for waited in waiting {
        waited.await.expect("ends").expect_err("there is no such task");
    }
    let start = tokio::spawn({
        let states = standing.states.clone();
        async move {
            states.call(Call::new("StartExecution", json!({"stateMachineArn": arn("stateMachine:m")}))).await
        }
    });
    while standing.shard.round(256) == 0 {
        tokio::task::yield_now().await;
    }
    start.await.expect("ends").expect("starts");
    assert_eq!(standing.engine.figures().throttled, 8);
    assert_eq!(standing.engine.figures().shards[0].queued_requests, 0);
}
