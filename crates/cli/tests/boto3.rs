//! AWS's own clients, unmodified, against the real binary: boto3 through the scripts in `tests/python/`, and the AWS CLI.
//!
//! Skipped, visibly, where the machine's Python has no boto3 or there is no `aws`.

#![allow(clippy::print_stdout, reason = "a test speaks to whoever runs it")]

mod support;

use std::process::{Command, Stdio};

use support::{Server, output, python_has, root};

/// Runs a script against a server of its own; the server must be alive and well afterwards.
fn script(name: &str) {
    if !python_has("boto3") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    let path = root().join("crates/cli/tests/python").join(name);
    let mut command = Command::new("python3");
    command.arg(path).stdin(Stdio::null());
    for (variable, value) in environment(&server) {
        command.env(variable, value);
    }
    let (code, stdout, stderr) = output(&mut command);
    assert_eq!(code, 0, "{name}:\n{stdout}\n{stderr}");
    print!("{stdout}");
    let (status, _) = support::http(&server.host, "GET", "/readyz", &[], b"").expect("the server is alive");
    assert_eq!(status, 200);
}

/// What a user sets: an endpoint, a region, any credentials.
fn environment(server: &Server) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", server.url.clone()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", "x".into()),
        ("AWS_SECRET_ACCESS_KEY", "x".into()),
        ("AWS_MAX_ATTEMPTS", "1".into()),
    ]
}

#[test]
fn state_machines_and_executions() {
    script("states.py");
}

#[test]
fn functions() {
    script("functions.py");
}

#[test]
fn functions_that_misbehave() {
    script("misbehaving.py");
}

#[test]
fn tables_and_queues() {
    script("tables_and_queues.py");
}

#[test]
fn requests_that_are_wrong() {
    script("wrong.py");
}

/// Prints how many requests were made.
#[test]
fn requests_made_from_the_model() {
    script("model.py");
}

#[test]
fn the_aws_command_line() {
    let version = Command::new("aws").arg("--version").output();
    if !version.is_ok_and(|version| version.status.success()) {
        println!("SKIPPED: there is no aws");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    let aws = |arguments: &[&str]| {
        let mut command = Command::new("aws");
        command.args(arguments).args(["--output", "text"]).stdin(Stdio::null());
        for (variable, value) in environment(&server) {
            command.env(variable, value);
        }
        output(&mut command)
    };
    let ok = |arguments: &[&str]| {
        let (code, stdout, stderr) = aws(arguments);
        assert_eq!(code, 0, "aws {arguments:?}: {stderr}");
        stdout.trim().to_owned()
    };
    let definition = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"hello","End":true}}}"#;
    let role = "arn:aws:iam::000000000000:role/r";
    let states = "stepfunctions";
    let created =
        [states, "create-state-machine", "--name", "m", "--role-arn", role, "--definition", definition];
    let machine = ok(&[created.as_slice(), &["--query", "stateMachineArn"]].concat());
    let started = [states, "start-execution", "--state-machine-arn", &machine, "--query", "executionArn"];
    let execution = ok(&started);
    server.ended(&execution);
    let described = [states, "describe-execution", "--execution-arn", &execution];
    assert_eq!(
        ok(&[described.as_slice(), &["--query", "[status, output]"]].concat()),
        "SUCCEEDED\t\"hello\""
    );
    let history = [states, "get-execution-history", "--execution-arn", &execution];
    assert_eq!(ok(&[history.as_slice(), &["--query", "length(events)"]].concat()), "4");
    assert_eq!(ok(&[states, "list-state-machines", "--query", "stateMachines[].name"]), "m");
    let listed =
        [states, "list-executions", "--state-machine-arn", &machine, "--query", "executions[].status"];
    assert_eq!(ok(&listed), "SUCCEEDED");
    // Version 1 of the AWS CLI puts an endpoint of its own before the environment's, for SQS alone.
    ok(&["sqs", "create-queue", "--queue-name", "q", "--endpoint-url", &server.url]);
    assert!(
        ok(&["sqs", "list-queues", "--query", "QueueUrls", "--endpoint-url", &server.url]).ends_with("/q")
    );
    assert_eq!(ok(&["dynamodb", "list-tables", "--query", "length(TableNames)"]), "0");
    assert_eq!(ok(&["lambda", "list-functions", "--query", "length(Functions)"]), "0");
    let (code, _, stderr) =
        aws(&[states, "describe-state-machine", "--state-machine-arn", &format!("{machine}x")]);
    assert!(code != 0 && stderr.contains("StateMachineDoesNotExist"), "{stderr}");
    ok(&[states, "delete-state-machine", "--state-machine-arn", &machine]);
}
