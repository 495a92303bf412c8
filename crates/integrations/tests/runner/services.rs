//! What the recordings do not show: what a service is sent, attempts made twice, limits, services that are missing.

use std::sync::{Arc, Mutex};

use crate::support::{request, resource};
use serde_json::{Value as Json, json};
use stepwell_aws::{BoxFuture, Call, Fault, Reply, Service};
use stepwell_integrations::{Integrations, TaskOutcome, TaskRequest, TaskRunner};

/// Answers each call with `answer` and keeps it.
struct Fake<F> {
    name: &'static str,
    calls: Mutex<Vec<Call>>,
    answer: F,
}

impl<F: Fn(&Call) -> Result<Reply, Fault> + Send + Sync> Service for Fake<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        let answer = (self.answer)(&call);
        self.calls.lock().expect("no panic before").push(call);
        Box::pin(async { answer })
    }
}

fn fake<F: Fn(&Call) -> Result<Reply, Fault> + Send + Sync>(name: &'static str, answer: F) -> Arc<Fake<F>> {
    Arc::new(Fake { name, calls: Mutex::default(), answer })
}

async fn run(service: Arc<dyn Service>, arn: &str, parameters: &str) -> TaskOutcome {
    let integrations = Integrations::new();
    integrations.register(service);
    integrations.run(request(resource(arn), parameters)).await
}

fn inputs<F>(service: &Fake<F>) -> Vec<(String, Json)> {
    let calls = service.calls.lock().expect("no panic before");
    calls.iter().map(|call| (call.operation.clone(), call.input.clone())).collect()
}

fn error(outcome: &TaskOutcome) -> (&str, &str) {
    match outcome {
        TaskOutcome::Failed { error: Some(error), cause: Some(cause) } => (error, cause),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn calls_are_what_the_api_expects() {
    let cases = [
        (
            "sns",
            "arn:aws:states:::sns:publish",
            r#"{"TopicArn":"t","Message":{"a":1.10},"Unknown":true}"#,
            "Publish",
            json!({"Message": "{\"a\":1.10}", "TopicArn": "t"}),
        ),
        (
            "events",
            "arn:aws:states:::events:putEvents",
            r#"{"Entries":[{"Detail":{"a":1.0},"Source":"s","Resources":["r"],"Time":"1970-01-01T00:00:02Z"},{"Detail":"{}","DetailType":null}]}"#,
            "PutEvents",
            json!({"Entries": [
                {"Detail": "{\"a\":1.0}", "Source": "s", "Time": 2.0, "Resources": [
                    "r",
                    "arn:aws:states:us-east-1:111111111111:stateMachine:m",
                    "arn:aws:states:us-east-1:111111111111:execution:m:e",
                ]},
                {"Detail": "{}", "Resources": [
                    "arn:aws:states:us-east-1:111111111111:stateMachine:m",
                    "arn:aws:states:us-east-1:111111111111:execution:m:e",
                ]},
            ]}),
        ),
        (
            "states",
            "arn:aws:states:::states:startExecution",
            r#"{"StateMachineArn":"a","Name":"n","Input":{"x":[1.50]}}"#,
            "StartExecution",
            json!({"stateMachineArn": "a", "input": "{\"x\":[1.50]}", "name": "n"}),
        ),
        (
            "states",
            "arn:aws:states:::aws-sdk:sfn:describeExecution",
            r#"{"ExecutionArn":"a"}"#,
            "DescribeExecution",
            json!({"executionArn": "a"}),
        ),
        (
            "lambda",
            "arn:aws:states:::lambda:invoke",
            r#"{"FunctionName":"f","Payload":{},"Qualifier":"1"}"#,
            "Invoke",
            json!({"FunctionName": "f", "Qualifier": "1", "InvocationType": "RequestResponse"}),
        ),
        (
            "lambda",
            "arn:aws:states:::aws-sdk:lambda:invoke",
            r#"{"FunctionName":"f","Payload":{"a":1}}"#,
            "Invoke",
            json!({"FunctionName": "f"}),
        ),
    ];
    for (name, arn, parameters, operation, input) in cases {
        let service = fake(name, |_| Ok(Reply::empty()));
        let outcome = run(service.clone(), arn, parameters).await;
        assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{arn}: {outcome:?}");
        assert_eq!(inputs(&service), [(operation.to_owned(), input)], "{arn}");
    }
}

#[tokio::test]
async fn an_asynchronous_invocation_has_no_payload_and_no_version() {
    let service = fake("lambda", |_| {
        let mut reply = Reply::empty();
        reply.status = 202;
        Ok(reply)
    });
    let parameters = r#"{"FunctionName":"f","InvocationType":"Event"}"#;
    let outcome = run(service, "arn:aws:states:::lambda:invoke", parameters).await;
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    assert!(result.text().starts_with(r#"{"Payload":"","SdkHttpMetadata":"#), "{result:?}");
    assert!(result.text().ends_with(r#","StatusCode":202}"#), "{result:?}");
}

#[tokio::test]
async fn the_sdk_integration_returns_a_functions_error_as_data() {
    let service = fake("lambda", |_| {
        let mut reply = Reply::empty();
        reply.headers = vec![("x-amz-function-error".into(), "Unhandled".into())];
        reply.body = Some(r#"{"errorType":"E"}"#.into());
        Ok(reply)
    });
    let outcome = run(service, "arn:aws:states:::aws-sdk:lambda:invoke", r#"{"FunctionName":"f"}"#).await;
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        &**result.text(),
        r#"{"ExecutedVersion":"$LATEST","FunctionError":"Unhandled","Payload":"{\"errorType\":\"E\"}","StatusCode":200}"#
    );
}

/// Answers as Step Functions does when the execution of that name is over.
fn over(call: &Call) -> Result<Reply, Fault> {
    match call.operation.as_str() {
        "StartExecution" => Err(Fault::new("ExecutionAlreadyExists", "Execution Already Exists: 'a'")),
        _ => Ok(Reply::ok(
            json!({"executionArn": call.input["executionArn"], "startDate": 1.5, "status": "SUCCEEDED"}),
        )),
    }
}

#[tokio::test]
async fn an_attempt_made_twice_starts_one_execution() {
    const MACHINE: &str =
        r#"{"StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:child:2"}"#;
    let start = "arn:aws:states:::states:startExecution";
    let service = fake("states", over);
    let outcome = run(service.clone(), start, MACHINE).await;
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    let calls = inputs(&service);
    let name = calls[0].1["name"].as_str().expect("a name of our own");
    let arn = format!("arn:aws:states:us-east-1:111111111111:execution:child:{name}");
    assert_eq!(calls[1], ("DescribeExecution".to_owned(), json!({ "executionArn": arn })));
    assert!(result.text().starts_with(&format!(r#"{{"ExecutionArn":"{arn}","#)), "{result:?}");
    assert!(result.text().ends_with(r#","StartDate":1500}"#), "{result:?}");

    // The same attempt has the same name, another attempt another.
    let again = fake("states", over);
    run(again.clone(), start, MACHINE).await;
    assert_eq!(inputs(&again)[0].1["name"], name);
    let other = fake("states", over);
    let integrations = Integrations::new();
    integrations.register(other.clone());
    let request = TaskRequest { attempt_id: "attempt-2".into(), ..request(resource(start), MACHINE) };
    integrations.run(request).await;
    assert_ne!(inputs(&other)[0].1["name"], name);

    // A name that the user chose is taken by somebody else's execution.
    let outcome = run(
        fake("states", over),
        start,
        r#"{"StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:child","Name":"n"}"#,
    )
    .await;
    let (error, cause) = error(&outcome);
    assert_eq!(error, "StepFunctions.ExecutionAlreadyExistsException");
    assert!(cause.contains("Error Code: ExecutionAlreadyExists; Request ID: "), "{cause}");
}

#[tokio::test]
async fn a_result_beyond_the_limit_fails() {
    let large = |_: &Call| {
        let mut reply = Reply::empty();
        reply.body = Some(format!("\"{}\"", "a".repeat(262_143)).into());
        Ok(reply)
    };
    let function = "arn:aws:lambda:us-east-1:111111111111:function:f";
    for (arn, parameters, name) in
        [(function, "{}", function), ("arn:aws:states:::lambda:invoke", r#"{"FunctionName":"f"}"#, "lambda")]
    {
        let outcome = run(fake("lambda", large), arn, parameters).await;
        let cause = format!(
            "The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        assert_eq!(error(&outcome), ("States.DataLimitExceeded", cause.as_str()));
    }
    let fits = |_: &Call| {
        let mut reply = Reply::empty();
        reply.body = Some(format!("\"{}\"", "a".repeat(262_142)).into());
        Ok(reply)
    };
    let outcome = run(fake("lambda", fits), function, "{}").await;
    assert!(matches!(outcome, TaskOutcome::Succeeded(_)));
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let service = fake("dynamodb", |_| Ok(Reply::empty()));
    let cases = [
        ("arn:aws:states:::sns:publish", r#"{"Message":"m"}"#, "--endpoint sns=URL"),
        ("arn:aws:states:::dynamodb:getItem.waitForTaskToken", "{}", "has no pattern .waitForTaskToken"),
        ("arn:aws:states:::ecs:runTask.sync", "{}", "'arn:aws:states:::ecs:runTask.sync' is not supported"),
        (
            "arn:aws:states:::dynamodb:getItem",
            r#"{"Key":{}}"#,
            "The field 'TableName' is required but was missing",
        ),
        (
            "arn:aws:states:::dynamodb:getItem",
            "[]",
            "The value of the field 'Parameters' has an invalid format",
        ),
        (
            "arn:aws:states:::aws-sdk:dynamodb:scan",
            "3",
            "The Parameters '3' could not be used to start the Task",
        ),
    ];
    for (arn, parameters, part) in cases {
        let outcome = run(service.clone(), arn, parameters).await;
        let (error, cause) = error(&outcome);
        assert_eq!(error, "States.Runtime", "{arn}");
        assert!(cause.contains(part), "{arn}: {cause}");
    }
    assert!(inputs(&service).is_empty());
}

#[tokio::test]
async fn a_weakly_registered_service_may_go() {
    let integrations = Integrations::new();
    let service: Arc<dyn Service> = fake("sqs", |_| Ok(Reply::empty()));
    integrations.register_weak(&service);
    let send =
        || request(resource("arn:aws:states:::sqs:sendMessage"), r#"{"QueueUrl":"u","MessageBody":"b"}"#);
    assert!(matches!(integrations.run(send()).await, TaskOutcome::Succeeded(_)));
    drop(service);
    assert_eq!(error(&integrations.run(send()).await).0, "States.Runtime");
}

#[tokio::test]
async fn a_service_that_panics_fails_the_attempt() {
    let service = fake("sqs", |_| panic!("a broken promise"));
    let outcome =
        run(service, "arn:aws:states:::sqs:sendMessage", r#"{"QueueUrl":"u","MessageBody":"b"}"#).await;
    assert_eq!(error(&outcome).0, "States.Runtime");
}

#[tokio::test]
async fn odd_parameters_and_answers_give_an_outcome() {
    let arns = [
        "arn:aws:states:::lambda:invoke",
        "arn:aws:states:::dynamodb:putItem",
        "arn:aws:states:::sqs:sendMessage",
        "arn:aws:states:::sns:publish",
        "arn:aws:states:::events:putEvents",
        "arn:aws:states:::states:startExecution",
        "arn:aws:states:::aws-sdk:sfn:startExecution",
        "arn:aws:states:::aws-sdk:dynamodb:ä",
        "arn:aws:states:::aws-sdk:sqs:",
        "arn:aws:states:::aws-sdk:lambda:invoke",
        "arn:aws:lambda:us-east-1:111111111111:function:f",
    ];
    let deep = format!("{}{}", r#"{"Item":"#.repeat(400), "1".to_owned() + &"}".repeat(400));
    let parameters = [
        "null",
        "[]",
        "\"text\"",
        "-0.0",
        "{}",
        r#"{"":null,"ä":1e999,"Entries":[null,1,{"Resources":"x","Time":5}]}"#,
        r#"{"Entries":[{}],"Key":[],"Item":{"a":[]},"TableName":1e400,"QueueUrl":false,"MessageBody":[1]}"#,
        r#"{"FunctionName":{},"Payload":"{","StateMachineArn":"","Input":"no JSON","Name":""}"#,
        r#"{"FunctionName":"\u0000","Payload":"\ud800"}"#,
        &deep,
    ];
    let answers = [
        json!(null),
        json!([]),
        json!("x"),
        json!({"startDate": "soon", "FailedEntryCount": -1}),
        json!({"Timestamp": 1e300}),
    ];
    for arn in arns {
        for parameters in parameters {
            // What is no JSON never becomes a request.
            if stepwell_asl::payload::Payload::parse(parameters).is_err() {
                continue;
            }
            for answer in &answers {
                let service = fake(service_name(arn), {
                    let answer = answer.clone();
                    move |_: &Call| Ok(Reply::ok(answer.clone()))
                });
                match run(service, arn, parameters).await {
                    TaskOutcome::Succeeded(result) => _ = result.text(),
                    TaskOutcome::Failed { error, .. } => assert!(error.is_some_and(|e| !e.is_empty())),
                }
            }
        }
    }
}

fn service_name(arn: &str) -> &'static str {
    let names = ["lambda", "dynamodb", "sqs", "sns", "events"];
    names.into_iter().find(|name| arn.contains(&format!(":{name}:"))).unwrap_or("states")
}
