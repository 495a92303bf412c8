//! Nested executions that are waited for: what is asked of Step Functions, in which order, and what is not asked again.

use std::sync::{Arc, Mutex};

use crate::support::{request, resource};
use serde_json::{Value as Json, json};
use stepwell_asl::payload::Payload;
use stepwell_aws::{BoxFuture, Call, Fault, Reply, Service};
use stepwell_integrations::{Host, Integrations, Progress, TaskHost, TaskOutcome, TaskRequest, TaskRunner};

const SYNC: &str = "arn:aws:states:::states:startExecution.sync";
const MACHINE: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:child";
const CHILD: &str = "arn:aws:states:us-east-1:111111111111:execution:child:n";

/// Answers from a script, in order, then as one whose execution runs; keeps what it was asked.
struct Script {
    answers: Mutex<Vec<Result<Json, Fault>>>,
    asked: Mutex<Vec<(String, Json)>>,
}

impl Service for Script {
    fn name(&self) -> &'static str {
        "states"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        let mut answers = self.answers.lock().expect("no panic before");
        let answer = match call.operation.as_str() {
            _ if !answers.is_empty() => answers.remove(0),
            "StartExecution" => started(),
            _ => described("RUNNING"),
        };
        self.asked.lock().expect("no panic before").push((call.operation, call.input));
        Box::pin(async { answer.map(Reply::ok) })
    }
}

impl Script {
    fn new(answers: Vec<Result<Json, Fault>>) -> Arc<Script> {
        Arc::new(Script { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    fn operations(&self) -> Vec<String> {
        self.asked().into_iter().map(|(operation, _)| operation).collect()
    }

    fn asked(&self) -> Vec<(String, Json)> {
        self.asked.lock().expect("no panic before").clone()
    }
}

#[derive(Default)]
struct Noted(Mutex<Vec<Payload>>);

impl TaskHost for Noted {
    fn submitted(&self, answer: Payload) {
        self.0.lock().expect("no panic before").push(answer);
    }

    fn execution_closed(&self, _: &str) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

fn integrations(service: &Arc<Script>) -> Integrations {
    let integrations = Integrations::new();
    integrations.register(service.clone());
    integrations
}

fn asking(progress: Progress, name: Option<&str>) -> (TaskRequest, Arc<Noted>) {
    let mut parameters = json!({"StateMachineArn": MACHINE, "Input": {"a": 1}});
    if let Some(name) = name {
        parameters["Name"] = json!(name);
    }
    let noted = Arc::new(Noted::default());
    let host = Host::new(noted.clone());
    (TaskRequest { progress, host, ..request(resource(SYNC), &parameters.to_string()) }, noted)
}

fn started() -> Result<Json, Fault> {
    Ok(json!({"executionArn": CHILD, "startDate": 1.5}))
}

fn described(status: &str) -> Result<Json, Fault> {
    Ok(json!({
        "executionArn": CHILD, "status": status, "startDate": 1.5, "input": "{\"a\": 1}", "output": "2",
    }))
}

fn submitted() -> Payload {
    Payload::parse(json!({ "ExecutionArn": CHILD }).to_string()).expect("JSON")
}

fn refused(code: &str, status: u16) -> Result<Json, Fault> {
    Err(Fault::new(code, "no").with_status(status))
}

#[tokio::test]
async fn it_is_started_once_and_looked_at_until_it_ends() {
    let described_after_failures = vec![
        started(),
        described("RUNNING"),
        refused("InternalFailure", 500),
        refused("ThrottlingException", 400),
        refused("SdkClientException", 502),
        described("SUCCEEDED"),
    ];
    let service = Script::new(described_after_failures);
    let (request, noted) = asking(Progress::New, Some("n"));
    let outcome = integrations(&service).run(request).await;
    assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{outcome:?}");
    let describe = "DescribeExecution";
    assert_eq!(service.operations(), ["StartExecution", describe, describe, describe, describe, describe]);
    let noted = noted.0.lock().expect("no panic before").clone();
    assert_eq!(noted.len(), 1);
    assert!(noted[0].text().contains(&format!(r#""ExecutionArn":"{CHILD}""#)), "{noted:?}");

    // What has been submitted is only waited for.
    let service = Script::new(vec![described("SUCCEEDED")]);
    let (request, noted) = asking(Progress::Submitted(submitted()), Some("n"));
    let outcome = integrations(&service).run(request).await;
    assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{outcome:?}");
    assert_eq!(service.operations(), [describe]);
    assert!(noted.0.lock().expect("no panic before").is_empty());

    // It is gone.
    let service = Script::new(vec![refused("ExecutionDoesNotExist", 400)]);
    let (request, _) = asking(Progress::Submitted(submitted()), None);
    let outcome = integrations(&service).run(request).await;
    let TaskOutcome::Failed { error, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.as_deref(), Some("StepFunctions.ExecutionDoesNotExistException"));
}

#[tokio::test]
async fn a_taken_name_is_its_own_only_after_a_crash_and_with_its_input() {
    let other = Ok(json!({"executionArn": CHILD, "status": "SUCCEEDED", "startDate": 1, "input": "{}"}));
    let cases = [
        (Progress::New, described("SUCCEEDED"), false),
        (Progress::Again, described("SUCCEEDED"), true),
        (Progress::Again, other, false),
    ];
    for (progress, found, succeeds) in cases {
        let service =
            Script::new(vec![refused("ExecutionAlreadyExists", 400), found, described("SUCCEEDED")]);
        let (request, _) = asking(progress.clone(), Some("n"));
        match integrations(&service).run(request).await {
            TaskOutcome::Succeeded(_) => assert!(succeeds, "{progress:?}"),
            TaskOutcome::Failed { error, .. } => {
                assert!(!succeeds, "{progress:?}");
                assert_eq!(error.as_deref(), Some("StepFunctions.ExecutionAlreadyExistsException"));
            }
        }
    }
}

#[tokio::test]
async fn giving_up_stops_what_is_known_to_be_its_own() {
    let stop = |arn: &str| vec![("StopExecution".to_owned(), json!({ "executionArn": arn }))];
    let (unnamed, _) = asking(Progress::New, None);
    let service = Script::new(vec![]);
    integrations(&service).give_up(unnamed.clone()).await;
    let own = service.asked()[0].1["executionArn"].as_str().expect("an ARN").to_owned();
    assert!(own.starts_with("arn:aws:states:us-east-1:111111111111:execution:child:"), "{own}");
    assert_eq!(service.asked(), stop(&own));

    let (mut without_waiting, _) = asking(Progress::New, None);
    without_waiting.resource = resource("arn:aws:states:::states:startExecution");
    let cases = [
        (asking(Progress::Submitted(submitted()), Some("n")).0, stop(CHILD)),
        // Whose the name is, is not known.
        (asking(Progress::New, Some("n")).0, vec![]),
        (without_waiting, vec![]),
        (request(resource("arn:aws:states:::sqs:sendMessage.waitForTaskToken"), "{}"), vec![]),
    ];
    for (request, expected) in cases {
        let service = Script::new(vec![refused("ExecutionDoesNotExist", 400)]);
        integrations(&service).give_up(request).await;
        assert_eq!(service.asked(), expected);
    }
}

#[tokio::test]
async fn step_functions_may_come_after_the_engine() {
    let integrations = Arc::new(Integrations::new());
    let (request, _) = asking(Progress::Submitted(submitted()), None);
    let (plain, _) = asking(Progress::New, None);
    let plain = TaskRequest { resource: resource("arn:aws:states:::states:startExecution"), ..plain };
    let runs = [request, plain].map(|request| {
        let integrations = integrations.clone();
        tokio::spawn(async move { integrations.run(request).await })
    });
    tokio::task::yield_now().await;
    let (waited_for, started) = (Script::new(vec![described("SUCCEEDED")]), Script::new(vec![]));
    integrations.register(started.clone());
    let [waiting, starting] = runs;
    assert!(matches!(starting.await, Ok(TaskOutcome::Succeeded(_))));
    integrations.register(waited_for);
    assert!(matches!(waiting.await, Ok(TaskOutcome::Succeeded(_))));
    assert!(started.operations().contains(&"StartExecution".to_owned()));
}
