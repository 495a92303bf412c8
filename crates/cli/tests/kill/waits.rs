//! Kills under whatever waits: timers, task tokens in a queue, activities, Map Runs, loops, while what closed is being
//! removed; kills of a server that is shutting down, and of one that is starting.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::{PATIENCE, Server, assert_history_is_sound, stepwell};
use super::{ROLE, Random, kill_9, setting};

/// How long closed executions are kept.
const RETENTION: Duration = Duration::from_secs(20);

/// Executions that run at a time.
const RUNNING_MAX: usize = 40;

/// Names, definitions and, for the input `{"n":0}`, outputs.
const MACHINES: [(&str, &str, &str); 6] = [
    ("pass", r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#, r#"{"n":0}"#),
    (
        "loop",
        r#"{"StartAt":"Add","States":{
            "Add":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"Test"},
            "Test":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":1200,"Next":"Add"}],"Default":"Done"},
            "Done":{"Type":"Succeed"}}}"#,
        r#"{"n":1200}"#,
    ),
    ("wait", r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":2,"End":true}}}"#, r#"{"n":0}"#),
    (
        "token",
        r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters":{"QueueUrl":"QUEUE","MessageBody.$":"$$.Task.Token"},"End":true}}}"#,
        r#"{"done":true}"#,
    ),
    (
        "activity",
        // What a worker took and never heard of, because the server died, is offered again.
        r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"ACTIVITY","TimeoutSeconds":4,"End":true,
            "Retry":[{"ErrorEquals":["States.Timeout"],"IntervalSeconds":1,"BackoffRate":1,"MaxAttempts":1000}]}}}"#,
        r#"{"done":true}"#,
    ),
    (
        "map",
        r#"{"StartAt":"L","States":{"L":{"Type":"Pass","Result":[1,2,3,4],"Next":"M"},
            "M":{"Type":"Map","MaxConcurrency":2,"End":true,"ItemProcessor":{
                "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
                "StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"End":true}}}}}}"#,
        "[1,2,3,4]",
    ),
];

/// An acknowledged execution.
struct Started {
    kind: usize,
    at: Instant,
    /// Its end was looked at.
    is_checked: bool,
}

struct Ground {
    machines: Vec<String>,
    queue_url: String,
    activity: String,
}

/// One story: load, kill, start; again and again; then everything must end, and what has ended must go.
pub(super) fn run(rounds: u64, random: &mut Random) {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut server = start(&data);
    let ground = prepare(&server);
    let started = Mutex::new(BTreeMap::new());
    for round in 0..rounds {
        let delay = Duration::from_millis(random.below(2500));
        let shut_down_first = (random.below(4) == 0).then(|| Duration::from_millis(random.below(80)));
        load(&server, &ground, &started, round, || {
            // The moment of the kill is what is tried: real time of a real process.
            std::thread::sleep(delay);
            if let Some(before) = shut_down_first {
                signal_term(server.pid());
                std::thread::sleep(before);
            }
            kill_9(server.pid());
        });
        drop(server);
        while random.below(3) == 0 {
            kill_while_starting(&data, Duration::from_millis(random.below(300)));
        }
        server = start(&data);
        check(&server, &mut started.lock().expect("no panic holds it"));
    }
    finish(&server, &ground, &started);
}

fn start(data: &Path) -> Server {
    Server::start_with(data, &["--retention", &format!("{}s", RETENTION.as_secs())])
}

fn signal_term(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    // It may have been quick.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
}

fn kill_while_starting(data: &Path, after: Duration) {
    let mut command = stepwell(&["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"]);
    let mut child =
        command.arg(data).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts");
    std::thread::sleep(after);
    child.kill().expect("is killed");
    child.wait().expect("is gone");
}

fn prepare(server: &Server) -> Ground {
    let queue = call(server, "AmazonSQS", "CreateQueue", json!({"QueueName": "tokens"}));
    let queue_url = queue["QueueUrl"].as_str().expect("a URL").to_owned();
    let activity = server.states("CreateActivity", &json!({"name": "work"}));
    let activity = activity["activityArn"].as_str().expect("an ARN").to_owned();
    let create = |(name, definition, _): &(&str, &str, &str)| {
        let definition = definition.replace("QUEUE", &queue_url).replace("ACTIVITY", &activity);
        let request = json!({"name": name, "definition": definition, "roleArn": ROLE});
        server.states("CreateStateMachine", &request)["stateMachineArn"].as_str().expect("an ARN").to_owned()
    };
    let machines = MACHINES.iter().map(create).collect();
    Ground { machines, queue_url, activity }
}

fn call(server: &Server, target: &str, operation: &str, input: Value) -> Value {
    server.try_call(target, operation, &input).expect("answers").expect("is not refused")
}

/// Does `work` again and again, until it is over or the server is gone.
fn repeat(over: &AtomicBool, mut work: impl FnMut() -> bool) {
    let mut is_there = true;
    while is_there && !over.load(Ordering::Acquire) {
        is_there = work();
    }
}

/// Starts executions and works for those that wait, until `end` returns.
fn load(
    server: &Server,
    ground: &Ground,
    started: &Mutex<BTreeMap<String, Started>>,
    round: u64,
    end: impl FnOnce(),
) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !over.load(Ordering::Acquire) && ask(server, ground, started, round, number).is_ok() {
                number += 1;
            }
        });
        scope.spawn(|| repeat(&over, || answer_tokens(server, ground).is_ok()));
        scope.spawn(|| repeat(&over, || work(server, ground).is_ok()));
        end();
        over.store(true, Ordering::Release);
    });
}

/// Starts one execution. The error: no answer.
fn ask(
    server: &Server,
    ground: &Ground,
    started: &Mutex<BTreeMap<String, Started>>,
    round: u64,
    number: usize,
) -> std::io::Result<()> {
    let kind = number % MACHINES.len();
    let running = started.lock().expect("no panic holds it").values().filter(|s| !s.is_checked).count();
    if running >= RUNNING_MAX {
        std::thread::sleep(Duration::from_millis(50));
        check_some(server, started)?;
        return Ok(());
    }
    let request = json!({"stateMachineArn": ground.machines[kind], "name": format!("r{round}n{number}"), "input": "{\"n\":0}"});
    match server.try_call("AWSStepFunctions", "StartExecution", &request)? {
        Ok(answer) => {
            let arn = answer["executionArn"].as_str().expect("an ARN").to_owned();
            let new = Started { kind, at: Instant::now(), is_checked: false };
            started.lock().expect("no panic holds it").insert(arn, new);
            Ok(())
        }
        // A server that is shutting down refuses.
        Err(refusal) => Err(std::io::Error::other(refusal.to_string())),
    }
}

fn answer_tokens(server: &Server, ground: &Ground) -> std::io::Result<()> {
    let request = json!({"QueueUrl": ground.queue_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 2,
        "WaitTimeSeconds": 1});
    let Ok(answer) = server.try_call("AmazonSQS", "ReceiveMessage", &request)? else {
        return Err(std::io::ErrorKind::Other.into());
    };
    for message in answer["Messages"].as_array().into_iter().flatten() {
        let done = json!({"taskToken": message["Body"], "output": r#"{"done":true}"#});
        // Sent twice, or answered before: the task is over.
        let _ = server.try_call("AWSStepFunctions", "SendTaskSuccess", &done)?;
        let request = json!({"QueueUrl": ground.queue_url, "ReceiptHandle": message["ReceiptHandle"]});
        let _ = server.try_call("AmazonSQS", "DeleteMessage", &request)?;
    }
    Ok(())
}

fn work(server: &Server, ground: &Ground) -> std::io::Result<()> {
    let request = json!({"activityArn": ground.activity, "workerName": "w"});
    let Ok(answer) = server.try_call("AWSStepFunctions", "GetActivityTask", &request)? else {
        return Err(std::io::ErrorKind::Other.into());
    };
    if let Some(token) = answer["taskToken"].as_str() {
        let done = json!({"taskToken": token, "output": r#"{"done":true}"#});
        let _ = server.try_call("AWSStepFunctions", "SendTaskSuccess", &done)?;
    }
    Ok(())
}

/// Everything acknowledged is there, unless it may have been removed; what has ended has ended well.
fn check(server: &Server, started: &mut BTreeMap<String, Started>) {
    for (arn, execution) in started.iter_mut().filter(|(_, execution)| !execution.is_checked) {
        execution.is_checked = check_one(server, arn, execution).expect("answers");
    }
    started.retain(|_, execution| !execution.is_checked || execution.at.elapsed() < RETENTION * 2);
}

/// The same while the server may be killed.
fn check_some(server: &Server, started: &Mutex<BTreeMap<String, Started>>) -> std::io::Result<()> {
    let mut started = started.lock().expect("no panic holds it");
    for (arn, execution) in started.iter_mut().filter(|(_, execution)| !execution.is_checked) {
        execution.is_checked = check_one(server, arn, execution)?;
    }
    Ok(())
}

/// Whether it has ended.
fn check_one(server: &Server, arn: &str, execution: &Started) -> std::io::Result<bool> {
    let may_be_gone = execution.at.elapsed() >= RETENTION;
    let request = json!({"executionArn": arn});
    let described = match server.try_call("AWSStepFunctions", "DescribeExecution", &request)? {
        Ok(described) => described,
        Err(refusal) => {
            let is_gone =
                refusal["__type"].as_str().is_some_and(|name| name.ends_with("ExecutionDoesNotExist"));
            assert!(!is_gone || may_be_gone, "{arn} is lost: {refusal}");
            // A server that is shutting down says something else.
            return Ok(is_gone);
        }
    };
    if described["status"] == "RUNNING" {
        return Ok(false);
    }
    assert_eq!(described["status"], "SUCCEEDED", "{arn}: {described}");
    assert_eq!(described["output"], MACHINES[execution.kind].2, "{arn}");
    let request = json!({"executionArn": arn, "maxResults": 1000});
    if let Ok(page) = server.try_call("AWSStepFunctions", "GetExecutionHistory", &request)?
        && page["nextToken"].is_null()
    {
        assert_history_is_sound(page["events"].as_array().expect("events"), arn);
    }
    Ok(true)
}

/// No more kills: everything ends, and goes when its time is over; its name is free then.
fn finish(server: &Server, ground: &Ground, started: &Mutex<BTreeMap<String, Started>>) {
    load(server, ground, started, u64::MAX, || {
        let deadline = Instant::now() + PATIENCE;
        loop {
            check(server, &mut started.lock().expect("no panic holds it"));
            let left = started.lock().expect("no panic holds it").len();
            if left > MACHINES.len() * 2 {
                break;
            }
            assert!(Instant::now() < deadline, "nothing new can be started");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| repeat(&over, || answer_tokens(server, ground).is_ok()));
        scope.spawn(|| repeat(&over, || work(server, ground).is_ok()));
        let deadline = Instant::now() + PATIENCE + RETENTION;
        loop {
            check(server, &mut started.lock().expect("no panic holds it"));
            let listed = |machine: &String| {
                let page = server.states("ListExecutions", &json!({"stateMachineArn": machine}));
                page["executions"].as_array().map_or(0, Vec::len)
            };
            let left: usize = ground.machines.iter().map(listed).sum();
            if left == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "{left} executions are left long after they have ended");
            std::thread::sleep(Duration::from_millis(200));
        }
        over.store(true, Ordering::Release);
        // The worker's poll would wait for a task for a minute.
        let free = json!({"stateMachineArn": ground.machines[4], "name": "r0n4", "input": "{\"n\":0}"});
        server.states("StartExecution", &free);
    });
}

/// Rounds and seed as the environment says.
#[test]
fn whatever_waits_survives_and_what_is_over_goes() {
    let rounds = setting("STEPWELL_KILL_ROUNDS").unwrap_or(4);
    let seed = setting("STEPWELL_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 6_700_417 + 1);
    println!("STEPWELL_KILL_SEED={seed} STEPWELL_KILL_ROUNDS={rounds}");
    run(rounds, &mut Random(seed.max(1)));
}
