//! `kill -9` at random moments, again and again, on the same data directory: what was acknowledged is there, and what
//! was running ends as it should.
//!
//! `STEPWELL_KILL_ROUNDS` says how often (a few times), `STEPWELL_KILL_SEED` repeats a run.

#![allow(clippy::print_stdout, reason = "a test speaks to whoever runs it")]

mod support;
#[path = "kill/waits.rs"]
mod waits;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::{Server, assert_history_is_sound, changed_assembly, example, stepwell};

/// How long the poller waits here; at AWS's 10 seconds a round would take too long.
const WAIT_SECONDS: f64 = 2.0;

/// A wait may end this much later than it is due, or later than the server that was down is there again.
const LATE_SECONDS: f64 = 10.0;

/// Executions that run at a time. Functions are processes with 3 s to live; where hundreds of them share two processors
/// they run out of time, as they would without a kill.
const RUNNING_MAX: usize = 12;

/// A role that nobody checks.
const ROLE: &str = "arn:aws:iam::000000000000:role/r";

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Everything that a server has acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// ARN to the kind of workflow.
    executions: BTreeMap<String, &'static str>,
    /// How many of them were running when it was last looked.
    running: usize,
    machines: Vec<String>,
    functions: Vec<String>,
    items: Vec<String>,
    messages: Vec<String>,
    /// What Express executions are to write.
    written: Vec<String>,
}

/// What every round works with.
struct Ground {
    poller: String,
    iteration: String,
    transfer: String,
    express: String,
    queue_url: String,
}

/// Leaves no trace but what it writes.
const EXPRESS: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Next":"P"},
    "P":{"Type":"Task","Resource":"arn:aws:states:::dynamodb:putItem","End":true,
        "Parameters":{"TableName":"kept","Item":{"id":{"S.$":"$.id"}}}}}}"#;

const MACHINE: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#;

#[test]
fn nothing_acknowledged_is_lost_and_everything_ends() {
    let rounds = setting("STEPWELL_KILL_ROUNDS").unwrap_or(8);
    let seed = setting("STEPWELL_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7919 + 1);
    println!("STEPWELL_KILL_SEED={seed} STEPWELL_KILL_ROUNDS={rounds}");
    let mut random = Random(seed.max(1));
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut server = Server::start(&data);
    let ground = prepare(&server, directory.path());
    let mut acknowledged = Acknowledged::default();
    let mut ready_times = vec![now()];
    for round in 0..rounds {
        let delay = Duration::from_millis(random.below(2500));
        work_until_killed(server, &ground, &mut acknowledged, round, delay);
        server = Server::start(&data);
        ready_times.push(now());
        check_presence(&server, &ground, &mut acknowledged);
    }
    println!(
        "{} executions, {} Express ones, {} machines, {} functions, {} items, {} messages",
        acknowledged.executions.len(),
        acknowledged.written.len(),
        acknowledged.machines.len(),
        acknowledged.functions.len(),
        acknowledged.items.len(),
        acknowledged.messages.len()
    );
    assert!(!acknowledged.executions.is_empty(), "no round was long enough to start anything");
    for (arn, kind) in &acknowledged.executions {
        check_end(&server, arn, kind, &ready_times);
    }
    check_messages(&server, &ground, &acknowledged);
    check_written(&server, &acknowledged);
}

/// A Map Run whose children wait, and an execution beside it: stopped, redriven, and killed with the server.
#[test]
fn a_redriven_execution_outlives_the_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    let machine = |server: &Server, name: &str, definition: Value| {
        let machine = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE});
        server.states("CreateStateMachine", &machine)["stateMachineArn"].as_str().expect("an ARN").to_owned()
    };
    let waits = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$.s", "End": true}}});
    let plain = machine(&server, "plain", waits.clone());
    let mut processor = waits;
    processor["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    let map = json!({"StartAt": "M", "States": {
        "M": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": true}}});
    let map = machine(&server, "map", map);
    let input = json!({"s": 3, "items": [{"s": 0}, {"s": 3}]});
    let executions = [&plain, &map].map(|machine| server.start_execution(machine, &input));
    let runs = json!({"executionArn": executions[1]});
    let run =
        until(|| server.states("ListMapRuns", &runs)["mapRuns"][0]["mapRunArn"].as_str().map(str::to_owned));
    let run = json!({"mapRunArn": run});
    until(|| (server.states("DescribeMapRun", &run)["executionCounts"]["succeeded"] == 1).then_some(()));
    for execution in &executions {
        server.states("StopExecution", &json!({"executionArn": execution}));
        server.states("RedriveExecution", &json!({"executionArn": execution, "clientToken": "t"}));
    }
    let redriven = server.states("DescribeExecution", &json!({"executionArn": executions[0]}));
    kill_9(server.pid());
    drop(server);
    let server = Server::start(directory.path());
    // It knows its token.
    let again = json!({"executionArn": executions[0], "clientToken": "t"});
    assert_eq!(server.states("RedriveExecution", &again)["redriveDate"], redriven["redriveDate"]);
    for execution in &executions {
        let ended = server.ended(execution);
        assert_eq!((&ended["status"], &ended["redriveCount"]), (&json!("SUCCEEDED"), &json!(1)), "{ended}");
        assert_history_is_sound(&server.history(execution), execution);
    }
    let described = server.states("DescribeMapRun", &run);
    assert_eq!((&described["status"], &described["redriveCount"]), (&json!("SUCCEEDED"), &json!(1)));
    assert_eq!(described["executionCounts"]["succeeded"], 2, "{described}");
}

/// Asks until there is an answer.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it does not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Deploys the workflows and makes a queue and a table of the test's own.
fn prepare(server: &Server, directory: &Path) -> Ground {
    let poller = changed_assembly(
        &example("job-poller/cdk.out"),
        directory,
        "\\\"Seconds\\\":10",
        &format!("\\\"Seconds\\\":{WAIT_SECONDS:.0}"),
    );
    for path in [poller, example("lambda-iteration/cdk.out"), example("transfer-data-records/cdk.out")] {
        let (code, _, stderr) = server.cli(&["deploy", path.to_str().expect("UTF-8")]);
        assert_eq!(code, 0, "{stderr}");
    }
    let call = |target: &str, operation: &str, input: Value| {
        server.try_call(target, operation, &input).expect("answers").expect("is not refused")
    };
    let queue = call("AmazonSQS", "CreateQueue", json!({"QueueName": "kept"}));
    call(
        "DynamoDB_20120810",
        "CreateTable",
        json!({"TableName": "kept", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}),
    );
    let express = json!({"name": "express", "definition": EXPRESS, "roleArn": ROLE, "type": "EXPRESS"});
    let express = call("AWSStepFunctions", "CreateStateMachine", express);
    Ground {
        express: express["stateMachineArn"].as_str().expect("an ARN").to_owned(),
        poller: server.machine("StateMachineDemo"),
        iteration: server.machine("LambdaIter"),
        transfer: server.machine("TransferRecord"),
        queue_url: queue["QueueUrl"].as_str().expect("a URL").to_owned(),
    }
}

/// Asks for one thing after the other, and kills the server meanwhile.
fn work_until_killed(
    server: Server,
    ground: &Ground,
    acknowledged: &mut Acknowledged,
    round: u64,
    delay: Duration,
) {
    let killed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !killed.load(Ordering::Acquire) && number < 400 {
                if ask(&server, ground, acknowledged, round, number).is_err() {
                    break;
                }
                number += 1;
            }
        });
        // The moment of the kill is what is tried: real time of a real process.
        std::thread::sleep(delay);
        kill_9(server.pid());
        killed.store(true, Ordering::Release);
    });
}

fn kill_9(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("is killed");
}

/// One request; what the server acknowledges is noted. The error: no answer.
fn ask(
    server: &Server,
    ground: &Ground,
    acknowledged: &mut Acknowledged,
    round: u64,
    number: u64,
) -> std::io::Result<()> {
    let id = format!("r{round}n{number}");
    let accepted =
        |answer: Result<Value, Value>| answer.unwrap_or_else(|refusal| panic!("refused: {refusal}"));
    match number % 8 {
        0..=2 => {
            let (machine, kind) = [
                (&ground.poller, "poller"),
                (&ground.iteration, "iteration"),
                (&ground.transfer, "transfer"),
            ][usize::try_from(number % 8).expect("small")];
            if acknowledged.running >= RUNNING_MAX {
                return Ok(());
            }
            let request = json!({"stateMachineArn": machine, "name": id, "input": "{\"id\":\"job-1\"}"});
            let answer = accepted(server.try_call("AWSStepFunctions", "StartExecution", &request)?);
            let arn = answer["executionArn"].as_str().expect("an ARN").to_owned();
            acknowledged.executions.insert(arn, kind);
            acknowledged.running += 1;
        }
        3 => {
            let request = json!({"name": id, "definition": MACHINE, "roleArn": ROLE});
            let answer = accepted(server.try_call("AWSStepFunctions", "CreateStateMachine", &request)?);
            acknowledged.machines.push(answer["stateMachineArn"].as_str().expect("an ARN").to_owned());
        }
        4 => {
            let (id, machine) = (format!("express-{id}"), &ground.express);
            let request =
                json!({"stateMachineArn": machine, "name": "same", "input": json!({"id": id}).to_string()});
            accepted(server.try_call("AWSStepFunctions", "StartExecution", &request)?);
            acknowledged.written.push(id);
        }
        5 => {
            let request = json!({"TableName": "kept", "Item": {"id": {"S": id}}});
            accepted(server.try_call("DynamoDB_20120810", "PutItem", &request)?);
            acknowledged.items.push(id);
        }
        6 => {
            let request = json!({"QueueUrl": ground.queue_url, "MessageBody": id});
            accepted(server.try_call("AmazonSQS", "SendMessage", &request)?);
            acknowledged.messages.push(id);
        }
        _ => create_function(server, acknowledged, id)?,
    }
    Ok(())
}

fn create_function(server: &Server, acknowledged: &mut Acknowledged, name: String) -> std::io::Result<()> {
    let request = json!({"FunctionName": name, "Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE,
        "Code": {"ZipFile": EMPTY_ZIP}});
    let body = request.to_string();
    let (status, answer) =
        support::http(&server.host, "POST", "/2015-03-31/functions", &[], body.as_bytes())?;
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
    acknowledged.functions.push(name);
    Ok(())
}

/// A zip archive with one file, `index.py`, that is empty; in base64.
const EMPTY_ZIP: &str = "UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAIAAAAaW5kZXgucHlQSwECFAMUAAAAAAAAACEAAAAAAAAAAAAAAAAACAAAAAAAAAAAAAAAgAEAAAAAaW5kZXgucHlQSwUGAAAAAAEAAQA2AAAAJgAAAAAA";

/// Everything acknowledged is there.
fn check_presence(server: &Server, ground: &Ground, acknowledged: &mut Acknowledged) {
    let found = |target: &str, operation: &str, input: Value| {
        server.try_call(target, operation, &input).expect("answers")
    };
    acknowledged.running = 0;
    for arn in acknowledged.executions.keys() {
        let described =
            found("AWSStepFunctions", "DescribeExecution", json!({"executionArn": arn})).expect(arn);
        acknowledged.running += usize::from(described["status"] == "RUNNING");
    }
    for arn in acknowledged.machines.iter().chain([&ground.poller, &ground.iteration, &ground.transfer]) {
        found("AWSStepFunctions", "DescribeStateMachine", json!({"stateMachineArn": arn})).expect(arn);
    }
    for id in &acknowledged.items {
        let input = json!({"TableName": "kept", "Key": {"id": {"S": id}}});
        let answer = found("DynamoDB_20120810", "GetItem", input).expect(id);
        assert_eq!(answer["Item"]["id"]["S"], json!(id), "item {id} is lost");
    }
    for name in &acknowledged.functions {
        let path = format!("/2015-03-31/functions/{name}");
        let (status, _) = support::http(&server.host, "GET", &path, &[], b"").expect("answers");
        assert_eq!(status, 200, "function {name} is lost");
    }
}

/// The execution ends as it would have without us, and its history shows no trace of the kills but time.
fn check_end(server: &Server, arn: &str, kind: &str, ready_times: &[f64]) {
    let ended = server.ended(arn);
    assert_eq!(ended["status"], "SUCCEEDED", "{arn}: {ended}");
    let output: Value = serde_json::from_str(ended["output"].as_str().expect("an output")).expect("JSON");
    let history = server.history(arn);
    assert_history_is_sound(&history, arn);
    match kind {
        "iteration" => assert_eq!((output, history.len()), (json!({"counter": 9}), 14), "{arn}"),
        "transfer" => assert_eq!((output, history.len()), (json!({"List": ["DONE"]}), 101), "{arn}"),
        _ => {
            let payload =
                json!({"id": "job-1", "status": "SUCCEEDED", "lambdaResult": {"message": "Hello Hai Tran "}});
            assert_eq!(output["output"]["output"]["Payload"], payload, "{arn}");
            assert_eq!(history.len(), 21, "{arn}");
            check_wait(&history, arn, ready_times);
        }
    }
}

/// The wait was not cut short, and not begun anew by a restart.
fn check_wait(history: &[Value], arn: &str, ready_times: &[f64]) {
    let time_of = |kind: &str| {
        let event = history.iter().find(|event| event["type"] == kind).expect(kind);
        event["timestamp"].as_f64().expect("a time")
    };
    let due = time_of("WaitStateEntered") + WAIT_SECONDS;
    let left = time_of("WaitStateExited");
    // Times have milliseconds.
    assert!(left >= due - 0.002, "{arn}: the wait was {} s too short", due - left);
    let ready_again = ready_times.iter().copied().find(|ready| *ready >= due).unwrap_or(due);
    let latest = due.max(ready_again) + LATE_SECONDS;
    assert!(left <= latest, "{arn}: the wait ended {} s after it was due", left - due);
}

/// Every message comes, and none that was not sent.
fn check_messages(server: &Server, ground: &Ground, acknowledged: &Acknowledged) {
    let mut received = Vec::new();
    loop {
        let request =
            json!({"QueueUrl": ground.queue_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600});
        let answer =
            server.try_call("AmazonSQS", "ReceiveMessage", &request).expect("answers").expect("receives");
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        received.extend(messages.iter().map(|m| m["Body"].as_str().expect("a body").to_owned()));
    }
    for id in &acknowledged.messages {
        let times = received.iter().filter(|body| *body == id).count();
        assert_eq!(times, 1, "message {id}");
    }
}

/// Every Express execution has run to its end, perhaps more than once.
fn check_written(server: &Server, acknowledged: &Acknowledged) {
    let deadline = Instant::now() + support::PATIENCE;
    for id in &acknowledged.written {
        let input = json!({"TableName": "kept", "Key": {"id": {"S": id}}});
        loop {
            let answer = server.try_call("DynamoDB_20120810", "GetItem", &input).expect("answers").expect(id);
            if answer["Item"]["id"]["S"] == json!(id) {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "the Express execution that writes {id} was acknowledged and lost"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_deployment_that_was_killed_goes_on() {
    let seed = setting("STEPWELL_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 104_729 + 1);
    println!("STEPWELL_KILL_SEED={seed}");
    let mut random = Random(seed.max(1));
    for _ in 0..setting("STEPWELL_KILL_ROUNDS").map_or(4, |rounds| (rounds / 8).max(4)) {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        let server = Server::start(&data);
        let path = example("job-poller/cdk.out");
        let mut client = stepwell(&["deploy", path.to_str().expect("UTF-8"), "--endpoint-url", &server.url])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the client starts");
        std::thread::sleep(Duration::from_millis(random.below(250)));
        server.kill();
        client.wait().expect("the client ends");

        let server = Server::start(&data);
        let (_, stdout, _) = server.cli(&["stacks", "list", "--json"]);
        let begun = serde_json::from_str::<Value>(&stdout)
            .expect("JSON")
            .as_array()
            .is_some_and(|all| !all.is_empty());
        let deadline = Instant::now() + support::PATIENCE;
        while begun && Instant::now() < deadline {
            let (_, stdout, _) = server.cli(&["stacks", "show", "StepfunctionsDemoStack", "--json"]);
            let stack: Value = serde_json::from_str(&stdout).expect("JSON");
            if stack["status"] == "CREATE_COMPLETE" {
                break;
            }
            assert_eq!(stack["status"], "CREATE_IN_PROGRESS", "{stack}");
        }
        // Whatever was there, deploying brings it to what the template says.
        let (code, _, stderr) = server.cli(&["deploy", path.to_str().expect("UTF-8")]);
        assert_eq!(code, 0, "{stderr}");
        let arn = server.start_execution(&server.machine("StateMachineDemo"), &json!({}));
        assert_eq!(server.ended(&arn)["error"], "KeyError", "the functions are there");
    }
}
