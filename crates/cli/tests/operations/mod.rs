//! What an operator sees and does: metrics, traces, and a server that is told to stop.

mod full_disk;
mod stub;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{PATIENCE, Server, http, root};
use stub::Stub;

const PASS: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#;

const SEND_ONCE: &str = r#"{"StartAt":"Once","States":{"Once":{"Type":"Task","End":true,
    "Resource":"arn:aws:states:::sqs:sendMessage",
    "Parameters":{"QueueUrl":"http://x/000000000000/q","MessageBody":"m"}}}}"#;

/// Sends a message, at first in vain where it is told to, and succeeds.
const SEND: &str = r#"{"StartAt":"Send","States":{
    "Send":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage",
        "Parameters":{"QueueUrl":"http://x/000000000000/q","MessageBody":"m"},
        "Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":1,"MaxAttempts":2}],"Next":"Both"},
    "Both":{"Type":"Parallel","End":true,"Branches":[
        {"StartAt":"L","States":{"L":{"Type":"Pass","End":true}}},
        {"StartAt":"R","States":{"R":{"Type":"Pass","End":true}}}]}}}"#;

impl Server {
    /// Makes a state machine and gives its ARN.
    fn create(&self, name: &str, definition: &str, tracing: bool) -> String {
        let request = json!({
            "name": name,
            "definition": definition,
            "roleArn": "arn:aws:iam::000000000000:role/r",
            "tracingConfiguration": {"enabled": tracing},
        });
        self.states("CreateStateMachine", &request)["stateMachineArn"].as_str().expect("an ARN").to_owned()
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (status, body) = http(&self.host, "GET", path, &[], b"").expect("answers");
        (status, String::from_utf8(body).expect("text"))
    }

    /// The value of a series of `/metrics`, written with its labels.
    fn metric(&self, series: &str) -> f64 {
        let (status, page) = self.get("/metrics");
        assert_eq!(status, 200);
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series} is missing from\n{page}")).parse().expect("a number")
    }
}

#[test]
fn metrics_tell_what_happened_and_the_manual_lists_them_all() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path());
    let machine = server.create("m", PASS, false);
    for _ in 0..3 {
        let arn = server.start_execution(&machine, &json!({}));
        server.ended(&arn);
    }
    let refused = json!({"stateMachineArn": format!("{machine}-not")});
    server.try_call("AWSStepFunctions", "StartExecution", &refused).expect("answers").expect_err("none such");
    server.try_call("AWSStepFunctions", "MadeUp", &json!({})).expect("answers").expect_err("none such");
    for (series, value) in [
        ("stepwell_executions_started_total", 3.0),
        (r#"stepwell_executions_ended_total{status="SUCCEEDED"}"#, 3.0),
        (r#"stepwell_executions_ended_total{status="FAILED"}"#, 0.0),
        ("stepwell_executions_running", 0.0),
        ("stepwell_state_transitions_total", 3.0),
        ("stepwell_history_events_total", 12.0),
        (r#"stepwell_http_requests_total{service="states",operation="StartExecution",status="200"}"#, 3.0),
        (r#"stepwell_http_requests_total{service="states",operation="StartExecution",status="400"}"#, 1.0),
        (r#"stepwell_http_requests_total{service="states",operation="other",status="400"}"#, 1.0),
        (r#"stepwell_http_request_seconds_count{service="states",operation="StartExecution"}"#, 4.0),
        ("stepwell_http_connections", 1.0),
        (r#"stepwell_throttled_requests_total{by="shard"}"#, 0.0),
    ] {
        assert!((server.metric(series) - value).abs() < 1e-9, "{series} is {}", server.metric(series));
    }
    assert!(server.metric("stepwell_store_commit_seconds_count") >= 4.0);
    assert!(server.metric("stepwell_store_written_bytes_total") > 100.0);
    assert!(server.metric("process_resident_memory_bytes") > 1e6);
    assert!(server.metric("process_start_time_seconds") > 1.6e9);
    let (_, page) = server.get("/metrics");
    assert!(page.ends_with("# EOF\n") && !page.contains("MadeUp") && !page.contains("arn:"), "{page}");
    let manual = std::fs::read_to_string(root().join("docs/operations.md")).expect("the manual is there");
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("name and type");
        let row = format!("| `{name}` | {kind} |");
        assert!(manual.contains(&row), "docs/operations.md has no row that begins with {row}");
    }
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_server_that_stops_lets_tasks_and_requests_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let stub = Stub::start();
    let endpoint = format!("sqs={}", stub.url);
    let arguments = ["--endpoint", &endpoint, "--drain-timeout", "60"];
    let server = Server::start_with(directory.path(), &arguments);
    let machine = server.create("send", SEND, false);
    let activity = server.states("CreateActivity", &json!({"name": "a"}))["activityArn"].clone();
    let first = server.start_execution(&machine, &json!({}));
    let call = stub.next();
    // A worker's long poll, under way when the signal comes.
    let host = server.host.clone();
    let poll = std::thread::spawn(move || {
        let headers = [("X-Amz-Target", "AWSStepFunctions.GetActivityTask".to_owned())];
        let body = json!({"activityArn": activity}).to_string();
        http(&host, "POST", "/", &headers, body.as_bytes()).expect("is answered")
    });
    let poll_is_there = || server.metric("stepwell_activity_pollers") > 0.5;
    wait_until("the poll waits", poll_is_there);
    server.signal();
    assert_eq!(poll.join().expect("ends"), (200, b"{}".to_vec()));
    assert_eq!(server.get("/readyz"), (503, "the server is stopping\n".to_owned()));
    assert_eq!(server.get("/healthz").0, 200);
    // Functions under way call the server, so it still answers; what is started now is called by the next one.
    let second = server.start_execution(&machine, &json!({}));
    assert!((server.metric("stepwell_tasks_under_way") - 1.0).abs() < 1e-9);
    call.answer(200, &json!({"MessageId": "1", "MD5OfMessageBody": "x"}));
    assert_eq!(server.exit_code(), Some(0));
    assert!(stub.is_quiet(), "a server that stops calls nothing new");

    let server = Server::start_with(directory.path(), &arguments);
    stub.next().answer(200, &json!({"MessageId": "2", "MD5OfMessageBody": "x"}));
    for (arn, id) in [(&first, "1"), (&second, "2")] {
        assert_eq!(server.ended(arn)["status"], "SUCCEEDED");
        let history = server.history(arn);
        let results: Vec<&str> = history
            .iter()
            .filter_map(|event| event["taskSucceededEventDetails"]["output"].as_str())
            .collect();
        assert!(results.len() == 1 && results[0].contains(&format!("\"{id}\"")), "{results:?}");
    }
    assert!(stub.is_quiet(), "no task is called twice");
}

#[test]
fn a_task_that_does_not_end_is_called_again_by_the_next_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let stub = Stub::start();
    let endpoint = format!("sqs={}", stub.url);
    let server = Server::start_with(directory.path(), &["--endpoint", &endpoint, "--drain-timeout", "1"]);
    let arn = server.start_execution(&server.create("send", SEND, false), &json!({}));
    let _never_answered = stub.next();
    let began = Instant::now();
    assert_eq!(server.terminate(), Some(0));
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());

    let server = Server::start_with(directory.path(), &["--endpoint", &endpoint, "--drain-timeout", "600"]);
    let _never_answered = stub.next();
    server.signal();
    wait_until("it stops", || server.get("/readyz").0 == 503);
    // The second signal.
    assert_eq!(server.terminate(), Some(130));

    let server = Server::start_with(directory.path(), &["--endpoint", &endpoint]);
    stub.next().answer(200, &json!({"MessageId": "1", "MD5OfMessageBody": "x"}));
    assert_eq!(server.ended(&arn)["status"], "SUCCEEDED");
}

#[test]
fn a_stop_waits_for_synchronous_executions_and_answers_those_that_take_longer() {
    let (directory, stub) = (tempfile::tempdir().expect("a directory"), Stub::start());
    let endpoint = format!("sqs={}", stub.url);
    for (patience, expected, exception) in [("60", 200, None), ("1", 503, Some("ServiceUnavailable"))] {
        let arguments = ["--endpoint", &endpoint, "--drain-timeout", patience];
        let server = Server::start_with(directory.path(), &arguments);
        let request = json!({
            "name": format!("send{patience}"), "definition": SEND, "type": "EXPRESS",
            "roleArn": "arn:aws:iam::000000000000:role/r",
        });
        let machine = server.states("CreateStateMachine", &request)["stateMachineArn"].clone();
        let host = server.host.clone();
        let sync = std::thread::spawn(move || {
            let headers = [("X-Amz-Target", "AWSStepFunctions.StartSyncExecution".to_owned())];
            let body = json!({"stateMachineArn": machine}).to_string();
            http(&host, "POST", "/", &headers, body.as_bytes()).expect("is answered")
        });
        let call = stub.next();
        server.signal();
        wait_until("it stops", || server.get("/readyz").0 == 503);
        if expected == 200 {
            call.answer(200, &json!({"MessageId": "1", "MD5OfMessageBody": "x"}));
        }
        let (status, body) = sync.join().expect("ends");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status, body["__type"].as_str()), (expected, exception), "{body}");
        assert_eq!(server.exit_code(), Some(0));
    }
}

#[test]
fn executions_are_traced() {
    let directory = tempfile::tempdir().expect("a directory");
    let (sqs, collector) = (Stub::start(), Stub::start());
    let endpoint = format!("sqs={}", sqs.url);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-token=secret"),
    ];
    let server = Server::start_in(directory.path(), &["--endpoint", &endpoint], &variables);
    let machine = server.create("send", SEND, false);
    let request = json!({
        "stateMachineArn": machine,
        "name": "e",
        "input": r#"{"password":"never"}"#,
        "traceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    });
    let arn = server.states("StartExecution", &request)["executionArn"].as_str().expect("an ARN").to_owned();
    sqs.next().answer(500, &json!({"__type": "InternalFailure", "message": "private"}));
    sqs.next().answer(200, &json!({"MessageId": "1", "MD5OfMessageBody": "x"}));
    let call = collector.next();
    assert!(
        call.head.starts_with("POST /v1/traces ") && call.head.contains("x-token: secret"),
        "{}",
        call.head
    );
    let text = String::from_utf8(call.body.clone()).expect("text");
    assert!(!text.contains("never") && !text.contains("private"), "payloads and causes stay here: {text}");
    let request: Value = serde_json::from_str(&text).expect("JSON");
    call.answer(200, &json!({}));
    let resource = &request["resourceSpans"][0]["resource"]["attributes"];
    assert!(
        resource.to_string().contains(r#""service.name","value":{"stringValue":"stepwell"}"#),
        "{resource}"
    );
    let spans = spans(&request);
    let named = |name: &str| -> Vec<&Value> { spans.iter().filter(|span| span["name"] == name).collect() };
    assert!(spans.iter().all(|span| span["traceId"] == "5759e988bd862e3fe1be46a994272793"), "{text}");
    let [root] = named("send")[..] else { panic!("{text}") };
    assert_eq!(root["parentSpanId"], "53995c3f42cd8ad8");
    assert_eq!(attribute(root, "stepwell.execution.status"), "SUCCEEDED");
    assert_eq!(attribute(root, "stepwell.execution.arn"), arn.as_str());
    let [send] = named("Send")[..] else { panic!("{text}") };
    assert_eq!(send["parentSpanId"], root["spanId"]);
    assert_eq!(send["events"][0]["name"], "retry");
    let attempts = named("sqs:sendMessage");
    assert_eq!(attempts.len(), 2, "{text}");
    assert!(attempts.iter().all(|attempt| attempt["parentSpanId"] == send["spanId"]));
    assert_eq!(attempts[0]["status"]["code"], 2);
    assert_eq!(attribute(attempts[1], "stepwell.task.attempt"), "2");
    let ([both], [left]) = (&named("Both")[..], &named("L")[..]) else { panic!("{text}") };
    assert_eq!(left["parentSpanId"], both["spanId"]);
    assert_eq!(spans.len(), 1 + 1 + 2 + 1 + 2);
    wait_until("the spans are counted", || {
        server.metric(r#"stepwell_trace_spans_total{outcome="exported"}"#) > 6.5
    });

    let arn = server.start_execution(&server.create("once", SEND_ONCE, false), &json!({}));
    let refused = json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "private"});
    sqs.next().answer(400, &refused);
    let failed = collected(&collector);
    server.states("RedriveExecution", &json!({"executionArn": arn}));
    sqs.next().answer(200, &json!({"MessageId": "1", "MD5OfMessageBody": "x"}));
    let redriven = collected(&collector);
    for (spans, status) in [(&failed, "FAILED"), (&redriven, "SUCCEEDED")] {
        let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().expect("a name")).collect();
        assert_eq!(names, ["sqs:sendMessage", "Once", "once"]);
        assert_eq!(attribute(&spans[2], "stepwell.execution.status"), status);
        assert_eq!(spans[0]["parentSpanId"], spans[1]["spanId"]);
        assert_eq!(spans[1]["parentSpanId"], spans[2]["spanId"]);
        assert_eq!(spans[2]["traceId"], failed[2]["traceId"]);
        assert_eq!(spans[2]["status"]["code"] == 2, status == "FAILED", "{spans:?}");
    }
    assert!((0..3).all(|index| failed[index]["spanId"] != redriven[index]["spanId"]), "{redriven:?}");

    // One that ends right before the server does, whose trace follows from its ARN; by HTTP header, and not sampled.
    let pass = server.create("pass", PASS, false);
    let header = |name: &str, text: &str| {
        let headers =
            [("X-Amz-Target", "AWSStepFunctions.StartExecution".to_owned()), (name, text.to_owned())];
        let body = json!({"stateMachineArn": pass, "name": format!("by-{name}")}).to_string();
        http(&server.host, "POST", "/", &headers, body.as_bytes()).expect("is answered");
    };
    header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    header("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272794;Sampled=0");
    server.ended(&server.start_execution(&pass, &json!({})));
    server.signal();
    let mut traces = Vec::new();
    while traces.len() < 4 {
        let call = collector.next();
        traces.extend(self::spans(&serde_json::from_slice(&call.body).expect("JSON")));
        call.answer(200, &json!({}));
    }
    assert_eq!(server.exit_code(), Some(0));
    assert!(collector.is_quiet());
    assert_eq!(traces.len(), 4, "what is not sampled is not traced");
    let of_caller = |span: &&Value| span["traceId"] == "0af7651916cd43dd8448eb211c80319c";
    assert_eq!(traces.iter().filter(of_caller).count(), 2);
    assert!(!Value::from(traces).to_string().contains("bd862e3fe1be46a994272794"));
}

#[test]
fn only_traced_machines_are_traced_where_that_is_wanted() {
    let directory = tempfile::tempdir().expect("a directory");
    let collector = Stub::start();
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
    ];
    let server = Server::start_in(directory.path(), &["--traces", "enabled"], &variables);
    for (name, enabled) in [("off", false), ("on", true)] {
        server.ended(&server.start_execution(&server.create(name, PASS, enabled), &json!({})));
    }
    server.signal();
    let call = collector.next();
    let spans = spans(&serde_json::from_slice(&call.body).expect("JSON"));
    call.answer(200, &json!({}));
    let names: Vec<&str> = spans.iter().filter_map(|span| span["name"].as_str()).collect();
    assert_eq!(names, ["A", "on"]);
    assert_eq!(server.exit_code(), Some(0));
}

/// The spans of the collector's next request.
fn collected(collector: &Stub) -> Vec<Value> {
    let call = collector.next();
    let spans = spans(&serde_json::from_slice(&call.body).expect("JSON"));
    call.answer(200, &json!({}));
    spans
}

fn spans(request: &Value) -> Vec<Value> {
    let scopes = request["resourceSpans"].as_array().into_iter().flatten();
    let scopes = scopes.flat_map(|resource| resource["scopeSpans"].as_array().into_iter().flatten());
    scopes.flat_map(|scope| scope["spans"].as_array().into_iter().flatten()).cloned().collect()
}

/// The text of an attribute; of whole numbers, their digits.
fn attribute<'a>(span: &'a Value, key: &str) -> &'a str {
    let all = span["attributes"].as_array().expect("attributes");
    let found =
        all.iter().find(|attribute| attribute["key"] == key).unwrap_or_else(|| panic!("{key}: {span}"));
    let value = &found["value"];
    value["stringValue"].as_str().or_else(|| value["intValue"].as_str()).unwrap_or_else(|| panic!("{value}"))
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
