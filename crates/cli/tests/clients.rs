//! AWS's own clients, unmodified, against the real binary: boto3 through the scripts in `tests/python/`, and one tour
//! (`tours/`) with boto3, the AWS CLI and the SDKs for JavaScript and Rust, which must all see the same.
//!
//! Skipped, visibly, where a client is not there; `./test` brings all of them.

#![allow(clippy::print_stdout, reason = "a test speaks to whoever runs it")]

mod support;

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::{PATIENCE, Server, output, python_has, root, skipped, stepwell};

/// Runs a script against a server of its own; the server must be alive and well afterwards.
fn script(name: &str) {
    if !python_has("boto3") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    let path = root().join("crates/cli/tests/python").join(name);
    let (code, stdout, stderr) = output(client(&server, "python3").arg(path));
    assert_eq!(code, 0, "{name}:\n{stdout}\n{stderr}");
    print!("{stdout}");
    let (status, _) = support::http(&server.host, "GET", "/readyz", &[], b"").expect("the server is alive");
    assert_eq!(status, 200);
}

/// A program with what `stepwell env` sets: an endpoint, a region, any credentials.
fn client(server: &Server, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).env("AWS_ENDPOINT_URL", &server.url);
    for (variable, value) in [
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        command.env(variable, value);
    }
    command
}

/// Whether a program runs to a good end.
fn runs(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs the tour with a client; it must print what all of them print.
fn tour(program: impl AsRef<OsStr>, arguments: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    let mut child = client(&server, program)
        .args(arguments)
        .current_dir(root().join("tours"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tour starts");
    // A tour that waits for what does not happen would wait for ever.
    let deadline = Instant::now() + 3 * PATIENCE;
    while child.try_wait().expect("is waited for").is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let Output { status, stdout, stderr } = child.wait_with_output().expect("has ended");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    print!("{stdout}");
    let expected = std::fs::read_to_string(root().join("tours/expected.txt")).expect("is there");
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>(), "{stderr}");
    assert!(status.success(), "{stderr}");
}

#[test]
fn the_tour_with_boto3() {
    if python_has("boto3") {
        tour("python3", &["python/tour.py"]);
    }
}

#[test]
fn the_tour_with_the_aws_command_line() {
    match runs("aws", &["--version"]) {
        true => tour("bash", &["cli/tour.sh"]),
        false => skipped("there is no aws"),
    }
}

#[test]
fn the_tour_with_javascript() {
    match runs("node", &["-e", "require('@aws-sdk/client-sfn')"]) {
        true => tour("node", &["javascript/tour.js"]),
        false => skipped("there is no node, or NODE_PATH has no @aws-sdk/client-sfn"),
    }
}

/// The SDK takes longer to build than all else that these tests need, so that only `./test` builds it.
#[test]
fn the_tour_with_rust() {
    match std::env::var_os("STEPWELL_TOUR_RUST") {
        Some(program) => tour(program, &[]),
        None => skipped("STEPWELL_TOUR_RUST does not name the program that tours/rust builds"),
    }
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

/// What the tour does not see: the other services, and how the command line tells of a mistake.
#[test]
fn the_aws_command_line() {
    if !runs("aws", &["--version"]) {
        return skipped("there is no aws");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    let aws = |arguments: &[&str]| output(client(&server, "aws").args(arguments).args(["--output", "text"]));
    let ok = |arguments: &[&str]| {
        let (code, stdout, stderr) = aws(arguments);
        assert_eq!(code, 0, "aws {arguments:?}: {stderr}");
        stdout.trim().to_owned()
    };
    // Version 1 of the AWS CLI puts an endpoint of its own before the environment's, for SQS alone.
    ok(&["sqs", "create-queue", "--queue-name", "q", "--endpoint-url", &server.url]);
    assert!(
        ok(&["sqs", "list-queues", "--query", "QueueUrls", "--endpoint-url", &server.url]).ends_with("/q")
    );
    assert_eq!(ok(&["dynamodb", "list-tables", "--query", "length(TableNames)"]), "0");
    assert_eq!(ok(&["lambda", "list-functions", "--query", "length(Functions)"]), "0");
    let missing = "arn:aws:states:us-east-1:000000000000:stateMachine:missing";
    let (code, _, stderr) = aws(&["stepfunctions", "describe-state-machine", "--state-machine-arn", missing]);
    assert!(code != 0 && stderr.contains("StateMachineDoesNotExist"), "{stderr}");
}

/// A server that is safe to reach from elsewhere: TLS, two keys of two accounts, exchanged while it runs.
#[test]
fn signed_requests_by_tls() {
    if !python_has("boto3") {
        return;
    }
    if !runs("openssl", &["version"]) {
        return skipped("there is no openssl to make a certificate with");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    let (certificate, key, keys) = (path("cert.pem"), path("key.pem"), path("credentials"));
    let made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext \
                subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let made: Vec<&str> = made.split(' ').chain(["-keyout", &key, "-out", &certificate]).collect();
    assert!(runs("openssl", &made), "the certificate is not made");
    let profile = |id: &str, account: &str| {
        format!(
            "[{id}]\naws_access_key_id = {id}\naws_secret_access_key = secret+of/{id}=1234567890\n{account}\n"
        )
    };
    let other = profile("AKIAOTHER", "aws_account_id = 111111111111");
    std::fs::write(&keys, profile("AKIAFIRST", "") + &other).expect("writes");
    let arguments = ["--credentials", &keys, "--tls-cert", &certificate, "--tls-key", &key];
    let server = Server::start_with(&directory.path().join("data"), &arguments);
    let set = |command: &mut Command, id: &str| {
        command.env("AWS_ENDPOINT_URL", &server.url).env("AWS_CA_BUNDLE", &certificate);
        command
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", format!("secret+of/{id}=1234567890"));
    };

    let mut script = client(&server, "python3");
    script.arg(root().join("crates/cli/tests/python/secured.py"));
    set(&mut script, "AKIAFIRST");
    script.env("OTHER_KEY_ID", "AKIAOTHER").env("OTHER_SECRET", "secret+of/AKIAOTHER=1234567890");
    let (code, stdout, stderr) = output(&mut script);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    print!("{stdout}");

    let list = |id: &str| {
        let mut command = stepwell(&["machines", "list", "--json"]);
        set(&mut command, id);
        output(&mut command)
    };
    let (code, stdout, stderr) = list("AKIAFIRST");
    assert!(code == 0 && stdout.contains("stateMachine:m"), "{stdout}{stderr}");
    let (code, _, stderr) = list("AKIASECOND");
    assert!(
        code == 1 && stderr.contains("UnrecognizedClientException") && stderr.contains("hint"),
        "{stderr}"
    );
    if runs("aws", &["--version"]) {
        let mut aws = client(&server, "aws");
        aws.args([
            "stepfunctions",
            "list-state-machines",
            "--query",
            "stateMachines[].name",
            "--output",
            "text",
        ]);
        set(&mut aws, "AKIAFIRST");
        let (code, stdout, stderr) = output(&mut aws);
        assert_eq!((code, stdout.trim()), (0, "m"), "{stderr}");
        aws.env("AWS_SECRET_ACCESS_KEY", "another");
        let (code, _, stderr) = output(&mut aws);
        assert!(code != 0 && stderr.contains("InvalidSignatureException"), "{stderr}");
    }

    std::fs::write(&keys, profile("AKIASECOND", "") + &other).expect("writes");
    server.hang_up();
    let deadline = Instant::now() + PATIENCE;
    while list("AKIASECOND").0 != 0 {
        assert!(Instant::now() < deadline, "the new key is not taken");
    }
    assert!(list("AKIAFIRST").2.contains("UnrecognizedClientException"));
    // What cannot be used changes nothing.
    std::fs::write(&keys, "[default]\naws_access_key_id = X\n").expect("writes");
    server.hang_up();
    assert_eq!(list("AKIASECOND").0, 0);
    assert_eq!(server.terminate(), Some(0));
}
