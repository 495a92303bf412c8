//! Every command on good and bad input: exit codes, where output goes, and that JSON is JSON.

#![allow(clippy::print_stdout, reason = "a test speaks to whoever runs it")]

mod operations;
mod support;

use serde_json::{Value, json};
use support::{Server, example, output, stepwell};

const GOOD: &str =
    r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":{"n":1},"Next":"B"},"B":{"Type":"Succeed"}}}"#;
const FAILS: &str = r#"{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"Mine","Cause":"on purpose"}}}"#;
const WAITS: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#;
const BAD: &str = "{\n  \"StartAt\": \"A\",\n  \"States\": {\n    \"A\": {\"Type\": \"Pass\", \"Next\": \"Nowhere\"}\n  }\n}\n";
const BAD_YAML: &str = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    Next: Nowhere\n";

fn run(arguments: &[&str]) -> (i32, String, String) {
    output(&mut stepwell(arguments))
}

fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).expect("is written");
    path.to_str().expect("UTF-8").to_owned()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

#[test]
fn validate_shows_every_problem_with_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = file(&directory, "good.asl.json", GOOD);
    let bad = file(&directory, "bad.asl.json", BAD);
    let bad_yaml = file(&directory, "bad.yaml", BAD_YAML);
    let broken = file(&directory, "broken.json", "{\"StartAt\": ");

    assert_eq!(
        run(&["validate", &good]),
        (0, "1 definition checked: 0 errors, 0 warnings\n".into(), String::new())
    );
    let (code, stdout, stderr) = run(&["validate", &bad]);
    assert_eq!(code, 1);
    assert!(stdout.contains("error"), "{stdout}");
    assert!(
        stderr.contains("bad.asl.json:4:") && stderr.contains("Nowhere") && stderr.contains("^^^"),
        "{stderr}"
    );
    let (code, _, stderr) = run(&["validate", &bad_yaml]);
    assert_eq!(code, 1);
    assert!(stderr.contains("bad.yaml:5:5") && stderr.contains("Next: Nowhere"), "{stderr}");
    let (code, _, stderr) = run(&["validate", &broken]);
    assert_eq!(code, 1);
    assert!(stderr.contains("broken.json:1:"), "{stderr}");

    let (code, stdout, _) = run(&["validate", "--json", &bad, &bad_yaml, &good]);
    assert_eq!(code, 1);
    let answer = &lines(&stdout)[0];
    assert_eq!(answer["result"], "FAIL");
    let place = |name: &str| {
        let all = answer["diagnostics"].as_array().expect("a list");
        let of_file = |d: &&Value| {
            d["file"].as_str().is_some_and(|f| f.ends_with(name)) && d["location"] == "/States/A/Next"
        };
        all.iter().find(of_file).map(|d| d["line"].clone())
    };
    assert_eq!(place("bad.asl.json"), Some(json!(4)));
    assert_eq!(place("bad.yaml"), Some(json!(5)));
}

#[test]
fn validate_and_graph_read_templates_and_assemblies() {
    for version in ["cdk.out", "cdk.out.2.276"] {
        let assembly = example(&format!("job-poller/{version}"));
        let template = assembly.join("StepfunctionsDemoStack.template.json");
        for path in [assembly.to_str().expect("UTF-8"), template.to_str().expect("UTF-8")] {
            let (code, stdout, stderr) = run(&["validate", path]);
            assert_eq!(
                (code, stdout.as_str()),
                (0, "1 definition checked: 0 errors, 0 warnings\n"),
                "{stderr}"
            );
            let (code, stdout, _) = run(&["graph", path]);
            assert_eq!(code, 0);
            assert!(stdout.starts_with("flowchart") && stdout.contains("WaitXSeconds"), "{stdout}");
        }
    }
}

#[test]
fn graph_writes_files_and_refuses_what_it_cannot_draw() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = file(&directory, "good.asl.json", GOOD);
    let svg = directory.path().join("good.svg");
    let (code, stdout, _) =
        run(&["graph", &good, "--format", "svg", "--output", svg.to_str().expect("UTF-8")]);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(std::fs::read_to_string(&svg).expect("is there").starts_with("<svg"));
    assert_eq!(run(&["graph", &file(&directory, "bad.json", BAD)]).0, 1);
    assert_eq!(run(&["graph", "/does/not/exist"]).0, 2);
    assert_eq!(run(&["graph"]).0, 2);
}

#[test]
fn run_tells_success_from_failure() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = file(&directory, "good.asl.json", GOOD);
    let (code, stdout, stderr) = run(&["run", &good, "--input", "{\"x\":1}"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(serde_json::from_str::<Value>(&stdout).expect("JSON"), json!({"n": 1}));
    assert!(stderr.contains("✔") && stderr.contains("2 states"), "{stderr}");
    assert!(!stderr.contains('\x1b') && !stdout.contains('\x1b'), "colours where no terminal is");

    let marked = file(&directory, "marked.asl.json", &format!("\u{feff}{GOOD}"));
    assert_eq!(
        run(&["run", &marked, "--input", "{\"x\":1}"]).0,
        0,
        "a byte order mark is no part of the text"
    );

    let (code, stdout, stderr) = run(&[
        "run",
        &file(
            &directory,
            "fails.yaml",
            "StartAt: F\nStates: {F: {Type: Fail, Error: Mine, Cause: on purpose}}\n",
        ),
    ]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("error: Mine") && stderr.contains("cause: on purpose"), "{stderr}");

    let (code, stdout, _) = run(&["run", "--json", &good, &file(&directory, "fails.json", FAILS)]);
    assert_eq!(code, 1);
    let lines = lines(&stdout);
    let result = lines.last().expect("a result");
    assert_eq!((&result["kind"], &result["ok"]), (&json!("result"), &json!(false)));
    assert_eq!(result["executions"][0]["output"], json!({"n": 1}));
    assert_eq!(result["executions"][1]["error"], "Mine");
    let events = lines.iter().filter(|line| line["kind"] == "event").count();
    assert_eq!(events, 6 + 3, "every event of both");

    let waits = file(&directory, "waits.json", WAITS);
    let (code, _, stderr) = run(&["run", "--timeout", "1", &waits]);
    assert_eq!(code, 1);
    assert!(stderr.contains("the time is over"), "{stderr}");
}

#[test]
fn run_refuses_what_it_cannot_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = file(&directory, "good.asl.json", GOOD);
    let bad = file(&directory, "bad.asl.json", BAD);
    let no_machine = file(&directory, "t.yaml", "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n");
    let unknown_type = file(&directory, "u.yaml", "Resources:\n  V:\n    Type: AWS::EC2::VPC\n");
    for (arguments, code, told) in [
        (vec!["run", &bad], 1, "Nowhere"),
        (vec!["run", &good, "--input", "{"], 2, "the input is no JSON document"),
        (vec!["run", &good, "--state-machine", "other"], 2, "there is no state machine 'other' in it"),
        (vec!["run", "/does/not/exist.json"], 2, "cannot read /does/not/exist.json"),
        (vec!["run", &no_machine], 2, "there is no state machine in it"),
        (vec!["run", &unknown_type], 1, "AWS::EC2::VPC"),
        (vec!["run", &good, "--endpoint-url", "http://127.0.0.1:1"], 2, "start one with 'stepwell serve'"),
        (vec!["run", &good, "--endpoint-url", "nonsense"], 2, "is no URL of a server"),
        (vec!["run"], 2, "required"),
        (vec!["serve", "--listen", "0.0.0.0:0"], 2, "refusing to listen"),
        (vec!["serve", "--endpoint", "nonsense"], 2, "SERVICE=URL"),
        (vec!["serve", "--account", "1"], 2, "twelve digits"),
        (vec!["nonsense"], 2, "unrecognized subcommand"),
    ] {
        let (got, stdout, stderr) = output(stepwell(&arguments).current_dir(directory.path()));
        assert_eq!((got, stdout.as_str()), (code, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_server_is_looked_at_from_the_command_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(&directory.path().join("data"));
    let good = file(&directory, "good.asl.json", GOOD);
    let waits = file(&directory, "waits.json", WAITS);
    assert_eq!(server.cli(&["run", &good]).0, 0);
    assert_eq!(server.cli(&["run", &waits, "--timeout", "0"]).0, 1);

    let (code, stdout, _) = server.cli(&["machines", "list"]);
    assert!(code == 0 && stdout.contains("good") && stdout.contains("waits"), "{stdout}");
    let (code, stdout, _) = server.cli(&["machines", "show", "good", "--json"]);
    assert_eq!((code, lines(&stdout)[0]["definition"].as_str()), (0, Some(GOOD)));
    assert_eq!(server.cli(&["machines", "show", "missing"]).0, 1);

    let (code, stdout, _) = server.cli(&["executions", "start", "good", "--input", "{}"]);
    assert_eq!(code, 0);
    let arn = stdout.trim();
    server.ended(arn);
    let (code, stdout, _) = server.cli(&["executions", "show", arn]);
    assert!(code == 0 && stdout.contains("SUCCEEDED"), "{stdout}");
    let (code, stdout, _) = server.cli(&["executions", "history", arn]);
    assert!(code == 0 && stdout.contains("PassStateEntered") && stdout.lines().count() == 7, "{stdout}");
    let (code, stdout, _) = server.cli(&["executions", "history", arn, "--json", "--reverse"]);
    assert_eq!((code, lines(&stdout)[0]["events"][0]["id"].as_u64()), (0, Some(6)));
    let (code, stdout, _) = server.cli(&["executions", "list", "--json", "--state-machine", "good"]);
    assert_eq!((code, lines(&stdout)[0].as_array().map(Vec::len)), (0, Some(2)));
    let (code, stdout, _) = server.cli(&["executions", "list", "--status", "aborted"]);
    assert!(code == 0 && stdout.contains(":waits:") && !stdout.contains(":good:"), "{stdout}");
    let (code, _, stderr) =
        server.cli(&["executions", "show", "arn:aws:states:us-east-1:000000000000:execution:good:x"]);
    assert!(code == 1 && stderr.contains("ExecutionDoesNotExist"), "{stderr}");

    let (_, stdout, _) = server.cli(&["executions", "start", "waits"]);
    let arn = stdout.trim();
    assert_eq!(server.cli(&["executions", "stop", arn, "--error", "E", "--cause", "C"]).0, 0);
    let ended = server.ended(arn);
    assert_eq!(
        (&ended["status"], &ended["error"], &ended["cause"]),
        (&json!("ABORTED"), &json!("E"), &json!("C"))
    );
    assert_eq!(server.cli(&["executions", "redrive", arn]).0, 0);
    let (code, _, stderr) = server.cli(&["executions", "redrive", arn]);
    assert!(code == 1 && stderr.contains("Execution is RUNNING and cannot be redriven"), "{stderr}");
    let (_, stdout, _) = server.cli(&["executions", "show", arn]);
    assert!(stdout.contains("RUNNING") && stdout.contains("redrive 1"), "{stdout}");
    assert_eq!(server.cli(&["executions", "stop", arn]).0, 0);
    let (code, stdout, _) = server.cli(&["graph", "--execution", arn, "--format", "svg"]);
    assert!(code == 0 && stdout.starts_with("<svg"), "{stdout}");

    let (code, stdout, _) = server.cli(&["env"]);
    assert!(code == 0 && stdout.contains(&format!("export AWS_ENDPOINT_URL={}\n", server.url)), "{stdout}");
    assert!(stdout.contains("AWS_DISABLE_HOST_PREFIX_INJECTION=true"), "{stdout}");
    let (_, stdout, _) = server.cli(&["env", "--json"]);
    assert_eq!(lines(&stdout)[0]["AWS_ENDPOINT_URL"], json!(server.url));

    assert_eq!(server.terminate(), Some(0), "SIGTERM ends it in order");
}

#[test]
fn two_servers_do_not_share_a_port_or_a_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let data = data.to_str().expect("UTF-8");
    let (code, _, stderr) = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data]);
    assert!(code == 2 && stderr.contains("in use by another Stepwell process"), "{stderr}");
    let other = directory.path().join("other");
    let (code, _, stderr) =
        run(&["serve", "--listen", &server.host, "--data-dir", other.to_str().expect("UTF-8")]);
    assert!(code == 2 && stderr.contains("cannot listen on"), "{stderr}");
}

#[test]
fn a_library_user_starts_the_system_in_the_same_process() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let directory = tempfile::tempdir().expect("a directory");
        // A second time on the same directory: the first has let go of it, and what it had is there.
        for machines in [0, 1] {
            let system = stepwell::System::start(stepwell::SystemOptions::new(directory.path()))
                .await
                .expect("starts");
            let host = system.address().to_string();
            let counted = tokio::task::spawn_blocking(move || {
                let call = |operation: &str, input: &Value| {
                    let headers = [("X-Amz-Target", format!("AWSStepFunctions.{operation}"))];
                    let body = input.to_string();
                    let answer =
                        support::http(&host, "POST", "/", &headers, body.as_bytes()).expect("answers");
                    assert_eq!(answer.0, 200);
                    serde_json::from_slice::<Value>(&answer.1).expect("JSON")
                };
                let before = call("ListStateMachines", &json!({}))["stateMachines"].as_array().map(Vec::len);
                let role = "arn:aws:iam::000000000000:role/r";
                call("CreateStateMachine", &json!({"name": "m", "definition": GOOD, "roleArn": role}));
                before
            });
            assert_eq!(counted.await.expect("runs"), Some(machines));
            system.shutdown().await;
        }
    });
}

#[test]
fn versions_are_told() {
    assert_eq!(run(&["--version"]).1, format!("stepwell {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(lines(&run(&["version", "--json"]).1)[0]["version"], env!("CARGO_PKG_VERSION"));
}

/// A run with tiny numbers: every section must check its results and report figures that can be true.
#[test]
fn bench_reports_every_section() {
    let directory = tempfile::tempdir().expect("a directory");
    let data_dir = directory.path().to_str().expect("UTF-8");
    let arguments = ["bench", "--json", "--seconds", "0.1", "--parked", "200", "--data-dir", data_dir];
    let (code, stdout, stderr) = run(&arguments);
    let report = &lines(&stdout)[0];
    let names: Vec<&str> = list(&report["sections"]).map(|section| text(&section["name"])).collect();
    assert_eq!(names, ["startup", "start", "loop", "sync", "map", "shape", "journal", "parked"]);
    for section in list(&report["sections"]) {
        assert_eq!(section["error"], Value::Null, "{section}");
        assert!(list(&section["measurements"]).count() > 0, "{section}");
        for measurement in list(&section["measurements"]) {
            assert_sane(measurement);
            list(&measurement["references"]).for_each(assert_sane);
        }
    }
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let section = |name: &str| list(&report["sections"]).find(|section| section["name"] == name).expect(name);
    let clients = |name: &str| -> Vec<u64> {
        list(&section(name)["measurements"]).filter_map(|m| m["clients"].as_u64()).collect()
    };
    assert_eq!(clients("start"), [1, 64]);
    assert_eq!(clients("sync"), [1, 32]);
    let parked = section("parked");
    assert_eq!(parked["measurements"][0]["operations"], 200);
    let figures: Vec<&str> = list(&parked["figures"]).map(|figure| text(&figure["name"])).collect();
    assert!(figures.contains(&"restartToReady"), "{figures:?}");
    let transition = &section("journal")["measurements"][0];
    assert_eq!(transition["parts"]["count"], 1000);
    assert_eq!(std::fs::read_dir(directory.path()).expect("is read").count(), 0, "nothing is left");

    let (code, stdout, stderr) =
        run(&["bench", "--only", "startup", "--seconds", "0.05", "--data-dir", data_dir]);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(stdout.contains("PER SECOND") && stdout.contains("resident memory when idle"), "{stdout}");
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Something was done, it took time, and the percentiles grow.
fn assert_sane(measured: &Value) {
    let number = |value: &Value| value.as_f64().unwrap_or(-1.0);
    assert!(number(&measured["operations"]) >= 1.0, "{measured}");
    assert!(number(&measured["perSecond"]) > 0.0, "{measured}");
    let latency = ["p50", "p90", "p99", "max"].map(|name| number(&measured["latencyMilliseconds"][name]));
    assert!(latency[0] > 0.0 && latency.is_sorted(), "{measured}");
}

#[test]
fn bench_measures_a_server_elsewhere() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(&directory.path().join("data"));
    let (code, stdout, stderr) =
        run(&["bench", "--json", "--only", "start", "--seconds", "0.05", "--endpoint-url", &server.url]);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let measurement = &lines(&stdout)[0]["sections"][0]["measurements"][0];
    assert_sane(measurement);
    assert_eq!(measurement["diskBytesEach"], Value::Null, "nobody knows its disk");
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:stepwell-bench-start";
    let machines = server.states("ListStateMachines", &json!({}));
    assert!(!machines.to_string().contains(arn), "what is left is being deleted: {machines}");
    let (code, stdout, _) = run(&["bench", "--only", "startup", "--endpoint-url", &server.url]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("needs a server of its own"), "{stdout}");
    let (code, _, stderr) = run(&["bench", "--endpoint-url", "https://127.0.0.1:1"]);
    assert_eq!(code, 2, "{stderr}");
    let (code, _, stderr) = run(&["bench", "--server-cpu", "999999"]);
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn a_server_that_strangers_could_reach_does_not_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = file(&directory, "unused", "");
    let serve = |arguments: &[&str]| {
        let all = [&["serve", "--listen", "0.0.0.0:0", "--data-dir", &data], arguments].concat();
        let (code, stdout, stderr) = run(&all);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        stderr
    };
    let refused = serve(&[]);
    for part in ["refusing to listen on 0.0.0.0:0", "TLS", "--credentials", "--allow-unauthenticated"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    // What is asked for and cannot be used is told, and no secret is.
    let keys = file(&directory, "keys", "[a]\naws_secret_access_key = hush\n");
    let told = serve(&["--credentials", &keys]);
    assert!(told.contains("profile 'a' has no aws_access_key_id") && !told.contains("hush"), "{told}");
    assert!(serve(&["--credentials", "/nowhere"]).contains("cannot read credentials from /nowhere"));
    assert!(serve(&["--tls-cert", &keys]).contains("--tls-key"));
    let told = serve(&["--tls-cert", &keys, "--tls-key", &keys]);
    assert!(told.contains("cannot read a certificate") && !told.contains("hush"), "{told}");
    assert!(serve(&["--max-requests", "0"]).contains("--max-requests"));
}
