//! The examples, as two versions of the CDK synthesized them, deployed unchanged and run through the API.

#![allow(clippy::print_stdout, reason = "a test speaks to whoever runs it")]

mod support;

use serde_json::{Value, json};
use support::{Server, assert_history_is_sound, changed_assembly, example};

fn deploy(server: &Server, path: &std::path::Path) -> (i32, Vec<Value>, String) {
    let (code, stdout, stderr) = server.cli(&["deploy", path.to_str().expect("UTF-8"), "--json"]);
    let lines = stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    (code, lines, stderr)
}

fn action(lines: &[Value]) -> &str {
    let stack = lines.iter().find(|line| line["kind"] == "stack").expect("a stack");
    stack["stack"]["action"].as_str().expect("an action")
}

/// Deploys an example, runs it, and gives its output and the number of its events.
fn run_example(server: &Server, path: &str, input: &Value) -> (Value, usize) {
    let (code, lines, stderr) = deploy(server, &example(path));
    let stack = lines.iter().find(|line| line["kind"] == "stack").expect("a stack");
    assert_eq!(code, 0, "{path}: {stack} {stderr}");
    let resources = stack["stack"]["resources"].as_array().expect("resources");
    let machine =
        resources.iter().find(|r| r["kind"] == "AWS::StepFunctions::StateMachine").expect("a machine");
    let arn = server.start_execution(machine["physical_id"].as_str().expect("an ARN"), input);
    let ended = server.ended(&arn);
    assert_eq!(ended["status"], "SUCCEEDED", "{path}: {ended}");
    let history = server.history(&arn);
    assert_history_is_sound(&history, &arn);
    (serde_json::from_str(ended["output"].as_str().expect("an output")).expect("JSON"), history.len())
}

#[test]
fn the_workflows_end_as_they_do_on_aws() {
    for version in ["cdk.out", "cdk.out.2.276"] {
        let directory = tempfile::tempdir().expect("a directory");
        let server = Server::start(directory.path());
        let input = json!({"id": "job-1"});

        let (output, events) = run_example(&server, &format!("lambda-iteration/{version}"), &input);
        assert_eq!((output, events), (json!({"counter": 9}), 14));

        let (output, events) = run_example(&server, &format!("transfer-data-records/{version}"), &json!({}));
        assert_eq!((output, events), (json!({"List": ["DONE"]}), 101));
        let scanned =
            server.try_call("DynamoDB_20120810", "Scan", &json!({"TableName": "TableStepFuncDemo"}));
        assert_eq!(scanned.expect("answers").expect("scans")["Count"], 10);

        let (output, events) =
            run_example(&server, &format!("transfer-data-records-sqs/{version}"), &json!({}));
        assert_eq!((output, events), (json!({"List": ["DONE"]}), 151));
        assert_eq!(
            received(&server),
            (0..10).map(|n| format!("Hello This is message {n}")).collect::<Vec<_>>()
        );

        let (output, events) = run_example(&server, &format!("job-poller/{version}"), &input);
        assert_eq!(events, 21);
        let first = &output["output"]["output"];
        assert_eq!(first["ExecutedVersion"], "$LATEST");
        assert_eq!(first["StatusCode"], 200);
        let payload =
            json!({"id": "job-1", "status": "SUCCEEDED", "lambdaResult": {"message": "Hello Hai Tran "}});
        assert_eq!(first["Payload"], payload);
        assert!(
            first["SdkHttpMetadata"].is_object() && first["SdkResponseMetadata"]["RequestId"].is_string()
        );
    }
}

/// The bodies of all messages in the only queue, sorted.
fn received(server: &Server) -> Vec<String> {
    let call = |operation: &str, input: Value| {
        server.try_call("AmazonSQS", operation, &input).expect("answers").expect("is not refused")
    };
    let url = call("ListQueues", json!({}))["QueueUrls"][0].clone();
    let mut bodies = Vec::new();
    loop {
        let answer = call("ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10}));
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        if messages.is_empty() {
            bodies.sort();
            return bodies;
        }
        for message in messages {
            bodies.push(message["Body"].as_str().expect("a body").to_owned());
            call("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}));
        }
    }
}

#[test]
fn a_raising_function_fails_the_execution() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    assert_eq!(deploy(&server, &example("job-poller/cdk.out")).0, 0);
    let arn = server.start_execution(&server.machine("StateMachineDemo"), &json!({}));
    let ended = server.ended(&arn);
    assert_eq!((&ended["status"], &ended["error"]), (&json!("FAILED"), &json!("KeyError")));
    assert!(ended["output"].is_null());
    let cause: Value = serde_json::from_str(ended["cause"].as_str().expect("a cause")).expect("JSON");
    assert_eq!((&cause["errorMessage"], &cause["errorType"]), (&json!("'id'"), &json!("KeyError")));
    assert!(cause["requestId"].is_string() && cause["stackTrace"].is_array());
}

#[test]
fn deploying_again_changes_what_changed() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(&directory.path().join("data"));
    let original = example("job-poller/cdk.out");
    let (code, lines, _) = deploy(&server, &original);
    assert_eq!((code, action(&lines)), (0, "Created"));
    let (code, lines, _) = deploy(&server, &original);
    assert_eq!((code, action(&lines)), (0, "Unchanged"));
    assert_eq!(lines.iter().filter(|line| line["kind"] == "stackEvent").count(), 0);

    let changed = changed_assembly(&original, directory.path(), "\\\"Seconds\\\":10", "\\\"Seconds\\\":1");
    let (code, lines, stderr) = deploy(&server, &changed);
    assert_eq!((code, action(&lines)), (0, "Updated"), "{stderr}");
    let touched: Vec<_> = lines
        .iter()
        .filter(|line| line["event"]["status"] == "UPDATE_COMPLETE")
        .map(|line| line["event"]["kind"].as_str().expect("a kind"))
        .filter(|kind| *kind != "AWS::CloudFormation::Stack")
        .collect();
    assert_eq!(touched, ["AWS::StepFunctions::StateMachine"]);
    let machine = server.machine("StateMachineDemo");
    let definition = server.states("DescribeStateMachine", &json!({"stateMachineArn": machine}));
    assert!(definition["definition"].as_str().expect("text").contains("\"Seconds\":1,"));

    let (code, stdout, _) = server.cli(&["stacks", "list", "--json"]);
    let stacks: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (code, &stacks[0]["name"], &stacks[0]["status"]),
        (0, &json!("StepfunctionsDemoStack"), &json!("UPDATE_COMPLETE"))
    );
    let (code, stdout, _) = server.cli(&["stacks", "show", "StepfunctionsDemoStack"]);
    assert!(code == 0 && stdout.contains("AWS::Lambda::Function"), "{stdout}");
    let (code, _, stderr) = server.cli(&["stacks", "delete", "StepfunctionsDemoStack"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(server.cli(&["stacks", "show", "StepfunctionsDemoStack"]).0, 1);
    let left = server.states("ListStateMachines", &json!({}));
    assert_eq!(left["stateMachines"], json!([]));
}

#[test]
fn what_is_not_supported_is_named_before_anything_is_made() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(&directory.path().join("data"));
    let template = directory.path().join("bad.yaml");
    let text = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n  Net:\n    Type: AWS::EC2::VPC\n";
    std::fs::write(&template, text).expect("is written");
    let (code, stdout, stderr) = server.cli(&["deploy", template.to_str().expect("UTF-8")]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("AWS::EC2::VPC") && stderr.contains("Net") && stderr.contains("line 5"),
        "{stderr}"
    );
    let queues = server.try_call("AmazonSQS", "ListQueues", &json!({})).expect("answers").expect("lists");
    assert!(queues["QueueUrls"].as_array().is_none_or(Vec::is_empty), "{queues}");

    // A definition that cannot be is refused as a resource that fails, and everything is rolled back.
    let broken = changed_assembly(
        &example("job-poller/cdk.out"),
        directory.path(),
        "\\\"StartAt\\\":\\\"SubmitJob\\\"",
        "\\\"StartAt\\\":\\\"Nowhere\\\"",
    );
    let (code, _, stderr) = server.cli(&["deploy", broken.to_str().expect("UTF-8")]);
    assert_eq!(code, 1);
    assert!(stderr.contains("Nowhere") && stderr.contains("ROLLBACK_COMPLETE"), "{stderr}");
}

#[test]
fn web_pages_cannot_deploy() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    let (status, _) = support::http(&server.host, "POST", "/_stepwell/stacks", &[], b"{}").expect("answers");
    assert_eq!(status, 403, "without the header that pages cannot send");
    let (status, _) = support::http(&server.host, "GET", "/_stepwell/info", &[], b"").expect("answers");
    assert_eq!(status, 200);
}

#[test]
fn services_may_be_elsewhere() {
    let directory = tempfile::tempdir().expect("a directory");
    let elsewhere = Server::start(&directory.path().join("elsewhere"));
    let endpoints = ["dynamodb", "sqs"].map(|service| format!("{service}={}", elsewhere.url));
    let arguments: Vec<&str> =
        endpoints.iter().flat_map(|endpoint| ["--endpoint", endpoint.as_str()]).collect();
    let server = Server::start_with(&directory.path().join("here"), &arguments);
    let (output, events) = run_example(&server, "transfer-data-records-sqs/cdk.out", &json!({}));
    assert_eq!((output, events), (json!({"List": ["DONE"]}), 151));
    assert_eq!(received(&elsewhere).len(), 10);
    let machines = elsewhere.states("ListStateMachines", &json!({}));
    assert_eq!(machines["stateMachines"], json!([]), "the engine is here");
    let tables = |server: &Server| {
        server.try_call("DynamoDB_20120810", "ListTables", &json!({})).expect("answers").expect("lists")
    };
    assert_eq!(tables(&server), tables(&elsewhere), "clients need to know only one server");
}
