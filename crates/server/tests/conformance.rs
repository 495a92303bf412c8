//! The API exchanges recorded from AWS, replayed: every step is sent, every recorded answer compared.
//!
//! A case that needs an operation that Stepwell does not serve yet, or another service, is counted as open; every
//! other one must pass.

#[path = "conformance/function.rs"]
mod function;
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regex::Regex;
use serde_json::{Value, json};
use stepwell_aws::Account;
use support::engine::{Home, ROLE};

const FAMILIES: &[&str] = &[
    "api",
    "api_activities",
    "api_aliasing",
    "api_express",
    "api_logs",
    "api_map_run",
    "api_tagging",
    "api_validation",
    "api_variable_references",
    "api_versioning",
    "express",
    "logs",
    "test_state",
];

/// Members that AWS has added to its answers since the recordings were made.
const ADDED_SINCE: &[&str] =
    &["encryptionConfiguration", "failuresNotRedrivable", "pendingRedrive", "redriveCount"];

/// What cases may require because it is served here, or because what is recorded does not depend on its answers. A
/// step that calls a service that is not here leaves its case open all the same.
const SERVED: &[&str] = &["activity", "logs", "states", "s3", "sqs", "aws-sdk:sqs", "aws-sdk:sfn"];

/// How a case ended.
enum Outcome {
    Passed,
    Open(String),
    Failed(String),
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_api_exchanges() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if !root.exists() {
        report("SKIPPED: the recordings are not here\n");
        return;
    }
    let mut failures = String::new();
    let probe = Arc::new(Home::of_account("111111111111"));
    for family in FAMILIES {
        let (mut passed, mut open) = (0, BTreeMap::<String, usize>::new());
        let cases = cases(&root.join(family));
        // Side by side: most of a case's time is its data directory's.
        let replays: Vec<_> = cases
            .iter()
            .map(|path| {
                let case: Value =
                    serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("is JSON");
                let probe = probe.clone();
                tokio::spawn(async move { (text(&case["id"]), replay(&probe, &case).await) })
            })
            .collect();
        for replay in replays {
            match replay.await.expect("does not panic") {
                (_, Outcome::Passed) => passed += 1,
                (_, Outcome::Open(reason)) => *open.entry(reason).or_default() += 1,
                (id, Outcome::Failed(reason)) => {
                    let _ = writeln!(failures, "{id}: {reason}");
                }
            }
        }
        report(&format!("{family}: {passed}/{} passed; open: {open:?}\n", cases.len()));
    }
    assert!(failures.is_empty(), "\n{failures}");
}

fn report(line: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

fn cases(family: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(family).map(|e| e.flatten().map(|e| e.path()).collect::<Vec<_>>());
    let mut paths = entries.unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    paths
}

/// A home in which the function of a case is called.
fn with_function(case: &Value) -> Home {
    let account = Account { id: "111111111111".to_owned(), ..Account::default() };
    Home::with_runner(tempfile::tempdir().expect("a directory"), account, function::runner(case))
}

/// An Express execution: what StartSyncExecution answers, or the last event of its log.
async fn express_execution(case: &Value) -> Outcome {
    let home = with_function(case);
    let mut replay = Replay::new(case);
    replay.given.push(("<ArnPart_0idx>".into(), "m".into()));
    let is_sync = case["expected"]["sync_response"].is_object();
    let role = replay.fill_text("sfn_role_arn");
    let mut new = json!({
        "name": "m", "roleArn": if role.starts_with("arn:") { &role } else { ROLE }, "type": "EXPRESS",
        "definition": replay.fill_text(&case["definition"].to_string()),
    });
    let group = json!({"logGroupName": "log_group_name"});
    if !is_sync {
        home.logs("CreateLogGroup", group.clone()).await.expect("creates");
        new["loggingConfiguration"] = replay.fill(&case["logging_configuration"], &[]);
    }
    let created = home.ok("CreateStateMachine", new).await;
    let input = replay.fill_text(case["input_text"].as_str().unwrap_or("{}"));
    let start = json!({"stateMachineArn": created["stateMachineArn"], "input": input});
    let (expected, mut found) = if is_sync {
        (&case["expected"]["sync_response"], home.ok("StartSyncExecution", start).await)
    } else {
        home.ok("StartExecution", start).await;
        (&case["expected"]["log_end_event"], last_logged(&home, group).await)
    };
    // It varies with the load.
    let billed_ms = found["billingDetails"]["billedDurationInMilliseconds"].as_u64();
    if billed_ms.is_some_and(|ms| ms > 0 && ms.is_multiple_of(100)) {
        found["billingDetails"] = expected["billingDetails"].clone();
    }
    match replay.matches(expected, &found, "") {
        Ok(()) => Outcome::Passed,
        Err(reason) => Outcome::Failed(format!("{reason}: {found}")),
    }
}

/// Waits for the end of the only execution that logs to `group`; gives its last log event.
async fn last_logged(home: &Home, group: Value) -> Value {
    let deadline = std::time::Instant::now() + support::DEADLINE;
    loop {
        let logged = home.logs("FilterLogEvents", group.clone()).await.unwrap_or_default();
        let last = list(&logged["events"]).last().map(|event| text(&event["message"])).unwrap_or_default();
        let last: Value = serde_json::from_str(&last).unwrap_or_default();
        let event_type = text(&last["type"]);
        if event_type.starts_with("Execution") && event_type != "ExecutionStarted" {
            return last;
        }
        assert!(std::time::Instant::now() < deadline, "the execution does not end: {logged}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// An execution with a logging configuration: what is in its log group at the end.
async fn logged_execution(case: &Value) -> Outcome {
    let home = Home::of_account("111111111111");
    let mut replay = Replay::new(case);
    let group = json!({"logGroupName": "log_group_name"});
    home.logs("CreateLogGroup", group.clone()).await.expect("creates");
    let new = json!({
        "name": "m", "roleArn": replay.fill_text("snf_role_arn"), "definition": case["definition"].to_string(),
        "loggingConfiguration": replay.fill(&case["logging_configuration"], &[]),
    });
    let created = match home.call("CreateStateMachine", new).await {
        Ok(created) => created,
        Err(refusal) => return Outcome::Failed(refusal),
    };
    if text(&case["id"]).contains("deleted_log_group") {
        home.logs("DeleteLogGroup", group.clone()).await.expect("deletes");
    }
    let start = json!({"stateMachineArn": created["stateMachineArn"], "input": case["input_text"]});
    let started = home.ok("StartExecution", start).await;
    home.closed(started["executionArn"].as_str().unwrap_or_default()).await;
    let logged = home.logs("FilterLogEvents", group).await.unwrap_or_default();
    let messages: Value = list(&logged["events"]).map(|event| event["message"].clone()).collect();
    let expected = case["expected"].get("logged_execution_events").cloned().unwrap_or(json!([]));
    match replay.matches(&expected, &messages, "") {
        Ok(()) => Outcome::Passed,
        Err(reason) => Outcome::Failed(format!("{reason}: {messages}")),
    }
}

/// A state tested by itself. A mock stands for whatever service the case may need otherwise.
async fn test_state(home: &Home, case: &Value) -> Outcome {
    let is_alone = case["params"]["mock"].is_object() || case["expected"]["exception"].is_object();
    let own = (!is_alone && list(&case["requires"]).any(|service| service == "lambda"))
        .then(|| with_function(case));
    let home = own.as_ref().unwrap_or(home);
    let mut replay = Replay::new(case);
    let definition = match &case["definition"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut input = replay.fill(&case["params"], &[]);
    input["definition"] = replay.fill_text(&definition).into();
    if let Some(text) = case["input_text"].as_str() {
        input["input"] = replay.fill_text(text).into();
    }
    match replay.compare(&case["expected"], &home.call("TestState", input).await) {
        Ok(()) => Outcome::Passed,
        Err(reason) => Outcome::Failed(reason),
    }
}

/// `probe` only tells which operations are there, so that no data directory is made for a case that cannot run.
async fn replay(probe: &Home, case: &Value) -> Outcome {
    if case["type"] == "EXPRESS" && case["kind"] == "execution" {
        return express_execution(case).await;
    }
    if case["kind"] == "execution" {
        return logged_execution(case).await;
    }
    if case["kind"] == "test_state" {
        return test_state(probe, case).await;
    }
    let in_state_data = items_from_state_data(case);
    let case = in_state_data.as_ref().unwrap_or(case);
    let elsewhere = |service: &&str| !SERVED.contains(service);
    let requires: Vec<&str> = list(&case["requires"]).filter_map(Value::as_str).filter(elsewhere).collect();
    if !requires.is_empty() {
        return Outcome::Open(format!("needs {}", requires.join(", ")));
    }
    for step in list(&case["steps"]).filter(|step| step["wait_for"].is_null()) {
        let operation = step["operation"].as_str().unwrap_or_default();
        if step["service"] == "logs" {
            continue;
        }
        if step["operation"] == "CreateQueue" {
            continue;
        }
        if step["service"] != "stepfunctions" {
            return Outcome::Open(format!("needs {}", step["service"].as_str().unwrap_or_default()));
        }
        if probe.call(operation, json!({})).await.is_err_and(|e| e.contains("not yet supported by Stepwell"))
        {
            return Outcome::Open(format!("needs {operation}"));
        }
    }
    let home = Home::of_account("111111111111");
    let mut replay = Replay::new(case);
    if case["kind"] == "validation" {
        return replay.validation(&home, case).await;
    }
    let mut answers: Vec<Value> = Vec::new();
    for (number, step) in list(&case["steps"]).enumerate() {
        let mut params = replay.fill(&step["params"], &answers);
        if number == 2 && case["id"] == "api/sfn_api.test_create_duplicate_definition_format_sm" {
            // The same definition with other blanks; the recording kept only its meaning.
            params["definition"] = format!(" {}", params["definition"].as_str().unwrap_or_default()).into();
        }
        if let Some(condition) = step["wait_for"].as_str() {
            if condition.starts_with("execution_") && !condition.contains("started") {
                await_closed(&home, &params).await;
            }
            answers.push(Value::Null);
            continue;
        }
        let operation = step["operation"].as_str().unwrap_or_default();
        if operation == "CreateQueue" {
            // Tasks answer what they are given, whatever they call.
            answers.push(json!({"QueueUrl": "http://127.0.0.1/queue"}));
            continue;
        }
        if step["service"] == "logs" {
            // One name stands for several groups of the recording, so it may be there already.
            answers.push(home.logs(operation, params).await.unwrap_or_default());
            continue;
        }
        let outcome = home.call(operation, params).await;
        if let Err(refusal) = &outcome
            && refusal.contains("not yet supported by Stepwell")
        {
            return Outcome::Open(format!("needs {}", refusal.split('\'').nth(1).unwrap_or(operation)));
        }
        match replay.compare(&step["expect"], &outcome) {
            Ok(()) => {}
            Err(reason) if reason.ends_with("/variableReferences is missing") => {
                return Outcome::Open("needs variableReferences".into());
            }
            Err(reason) if reason.contains("refused with InvalidDefinition") => {
                return Outcome::Open("needs more of the language".into());
            }
            Err(reason) => return Outcome::Failed(format!("step {number} {operation}: {reason}")),
        }
        answers.push(outcome.unwrap_or_default());
    }
    Outcome::Passed
}

/// The same case, where its items come from an object in S3 and from nowhere else: they are in the input instead. What
/// it compares of a Map Run does not tell where its items came from.
fn items_from_state_data(case: &Value) -> Option<Value> {
    let mut case = case.clone();
    if case["requires"] != json!(["s3"]) {
        return None;
    }
    let mut items = Vec::new();
    for step in case["steps"].as_array_mut()? {
        match step["operation"].as_str() {
            Some("PutObject") => {
                let lines: Vec<&str> = step["params"]["Body"].as_str()?.lines().collect();
                let (names, rows) = lines.split_first()?;
                let item = |row: &&str| -> Value {
                    names.split(',').zip(row.split(',')).map(|(n, v)| (n.to_owned(), json!(v))).collect()
                };
                items.extend(rows.iter().map(item));
            }
            Some("CreateStateMachine") => {
                let states = step["params"]["definition"]["$json"]["States"].as_object_mut()?;
                for state in states.values_mut() {
                    state.as_object_mut()?.remove("ItemReader")?;
                }
            }
            Some("StartExecution") => step["params"]["input"] = json!(items).to_string().into(),
            _ => {}
        }
        if step["service"] == "s3" {
            // A step of which nothing is to be seen.
            *step = json!({"wait_for": "s3"});
        }
    }
    case["requires"] = json!([]);
    Some(case)
}

/// Waits for the execution, or for all executions of the machine, that a step names.
async fn await_closed(home: &Home, params: &Value) {
    let arns = match params["executionArn"].as_str() {
        Some(arn) => vec![arn.to_owned()],
        None => {
            let listed =
                home.ok("ListExecutions", json!({"stateMachineArn": params["stateMachineArn"]})).await;
            list(&listed["executions"]).map(|execution| text(&execution["executionArn"])).collect()
        }
    };
    for arn in arns {
        home.closed(&arn).await;
    }
}

struct Replay {
    /// Tokens the runner gives values to, longest first.
    given: Vec<(String, String)>,
    /// Tokens that the first answer in which they occur gives a value.
    bound: BTreeMap<String, String>,
    wildcards: Vec<String>,
    /// ARNs of the engine's choice, whose tokens have no angle brackets.
    engine_chosen: Vec<String>,
    /// Members whose values are known to be unstable.
    unstable: Vec<String>,
    token: Regex,
}

impl Replay {
    fn new(case: &Value) -> Replay {
        let mut sent = case["params"].to_string();
        for step in list(&case["steps"]) {
            sent.push_str(&step["params"].to_string());
        }
        let mut engine_chosen = Vec::new();
        let mut given: Vec<(String, String)> =
            vec![("<partition>".into(), "aws".into()), ("<region>".into(), "us-east-1".into())];
        for (token, about) in case["placeholders"].as_object().into_iter().flatten() {
            let example = about["example"].as_str().unwrap_or_default();
            if about["bound_by"] == "runner" && (!token.starts_with('<') || sent.contains(token.as_str())) {
                let long = token.strip_prefix("<invalid_token_").and_then(|t| t.strip_suffix("_chars>"));
                let value = match long.and_then(|n| n.parse().ok()) {
                    Some(length) => "x".repeat(length),
                    None => example.to_owned(),
                };
                given.push((token.clone(), value));
            } else if about["bound_by"] == "engine" && !token.starts_with('<') {
                engine_chosen.push(token.clone());
            }
        }
        given.sort_by_key(|(token, _)| std::cmp::Reverse(token.len()));
        let unstable = list(&case["unverified_paths"]).filter_map(Value::as_str);
        Replay {
            given,
            bound: BTreeMap::new(),
            engine_chosen,
            wildcards: list(&case["wildcards"]).filter_map(Value::as_str).map(str::to_owned).collect(),
            unstable: unstable.filter_map(|p| p.strip_prefix("$..")).map(str::to_owned).collect(),
            token: Regex::new(r"<[A-Za-z_-]+(?:[:_0-9A-Za-z-]*)>").expect("is a pattern"),
        }
    }

    async fn validation(&mut self, home: &Home, case: &Value) -> Outcome {
        let operation = case["operation"].as_str().unwrap_or("ValidateStateMachineDefinition");
        let mut input = json!({ "definition": case["definition_text"] });
        if let Some(machine_type) = case["type"].as_str() {
            input["type"] = machine_type.into();
        }
        let found = home.call(operation, input).await;
        match self.compare(&case["expected"], &found) {
            Ok(()) => Outcome::Passed,
            Err(reason) => Outcome::Failed(reason),
        }
    }

    fn compare(&mut self, expect: &Value, outcome: &Result<Value, String>) -> Result<(), String> {
        let expected_refusal = match expect {
            _ if expect["exception"].is_object() => {
                let exception = &expect["exception"];
                Some((text(&exception["code"]), text(&exception["message"])))
            }
            _ => expect["result"].as_str().and_then(|message| {
                let rest = message.strip_prefix("An error occurred (")?;
                let (code, rest) = rest.split_once(") when calling the ")?;
                Some((code.to_owned(), rest.split_once(" operation: ")?.1.to_owned()))
            }),
        };
        match (expected_refusal, outcome) {
            (Some((code, message)), Err(refusal)) => {
                let loose = ["message", "Message"].iter().any(|m| self.unstable.iter().any(|u| u == m));
                let message =
                    if loose { refusal.split_once(": ").map_or("", |(_, m)| m).to_owned() } else { message };
                self.matches(
                    &Value::from(format!("{code}: {message}")),
                    &Value::from(refusal.as_str()),
                    "exception",
                )
            }
            (Some((code, _)), Ok(answer)) => Err(format!("{code} expected, answered {answer}")),
            (None, Ok(answer)) if expect["result"].is_object() => self.matches(&expect["result"], answer, ""),
            (None, Ok(_)) => Ok(()),
            (None, Err(_)) if !expect["exception_not_recorded"].is_null() => Ok(()),
            (None, Err(refusal)) => Err(format!("an answer expected, refused with {refusal}")),
        }
    }

    fn matches(&mut self, expected: &Value, actual: &Value, path: &str) -> Result<(), String> {
        match (expected, actual) {
            (Value::String(wildcard), _) if self.wildcards.contains(wildcard) => Ok(()),
            (Value::String(expected), Value::String(actual)) => self.matches_text(expected, actual, path),
            // JSON texts are recorded parsed.
            (Value::Object(_) | Value::Array(_), Value::String(text)) => {
                let parsed = serde_json::from_str(text).map_err(|e| format!("{path}: {e}: {text}"))?;
                self.matches(expected, &parsed, path)
            }
            (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
                let mut pairs = expected.iter().zip(actual).enumerate();
                pairs.try_for_each(|(i, (e, a))| self.matches(e, a, &format!("{path}/{i}")))
            }
            (Value::Object(expected), Value::Object(actual)) => {
                for (name, expected) in expected {
                    if name == "ResponseMetadata" || self.unstable.contains(name) {
                        continue;
                    }
                    let actual = actual.get(name).ok_or_else(|| format!("{path}/{name} is missing"))?;
                    self.matches(expected, actual, &format!("{path}/{name}"))?;
                }
                let surplus = actual.keys().find(|name| {
                    !expected.contains_key(*name)
                        && !ADDED_SINCE.contains(&name.as_str())
                        && !self.unstable.contains(name)
                });
                surplus.map_or(Ok(()), |name| Err(format!("{path}/{name} is surplus")))
            }
            _ if expected == actual => Ok(()),
            _ => Err(format!("{path}: {expected} expected, {actual} found")),
        }
    }

    fn matches_text(&mut self, expected: &str, actual: &str, path: &str) -> Result<(), String> {
        let mut expected = self.fill_text(expected);
        for name in &self.engine_chosen {
            expected = expected.replace(name.as_str(), &format!("<{name}>"));
        }
        let (mut pattern, mut rest, mut names) = (String::from("^"), 0, Vec::new());
        for token in self.token.find_iter(&expected) {
            pattern.push_str(&regex::escape(&expected[rest..token.start()]));
            rest = token.end();
            match self.bound.get(token.as_str()) {
                Some(value) => pattern.push_str(&regex::escape(value)),
                None => {
                    let arn = self.engine_chosen.iter().any(|n| token.as_str() == format!("<{n}>"));
                    pattern.push_str(if arn { "(.+)" } else { "([^:]+)" });
                    names.push(token.as_str().to_owned());
                }
            }
        }
        let _ = write!(pattern, "{}$", regex::escape(&expected[rest..]));
        let pattern = Regex::new(&pattern).expect("is a pattern");
        let Some(found) = pattern.captures(actual) else {
            // The services write JSON with other blanks than we do.
            let both = [expected.as_str(), actual].map(serde_json::from_str::<Value>);
            if let [Ok(expected @ (Value::Array(_) | Value::Object(_))), Ok(actual)] = both {
                return self.matches(&expected, &actual, path);
            }
            return Err(format!("{path}: {expected:.300} expected, {actual:.300} found"));
        };
        for (name, value) in names.into_iter().zip(found.iter().skip(1).flatten()) {
            self.bound.insert(name, value.as_str().to_owned());
        }
        Ok(())
    }

    /// The parameters of a step with all tokens and references replaced.
    fn fill(&self, params: &Value, answers: &[Value]) -> Value {
        match params {
            Value::String(text) => {
                let mut text = self.fill_text(text);
                while let Some(start) = text.find("{{")
                    && let Some(length) = text[start..].find("}}")
                {
                    let reference = &text[start + 2..start + length];
                    let (step, pointer) = reference.split_once(':').unwrap_or((reference, ""));
                    let value = step.parse().ok().and_then(|s: usize| answers.get(s)?.pointer(pointer));
                    match value {
                        Some(Value::String(value)) => text.replace_range(start..start + length + 2, value),
                        Some(other) => return other.clone(),
                        None => break,
                    }
                }
                text.into()
            }
            Value::Array(items) => items.iter().map(|item| self.fill(item, answers)).collect(),
            Value::Object(members) => match members.get("$json") {
                Some(json) => self.fill(json, answers).to_string().into(),
                None => {
                    members.iter().map(|(name, value)| (name.clone(), self.fill(value, answers))).collect()
                }
            },
            other => other.clone(),
        }
    }

    fn fill_text(&self, text: &str) -> String {
        self.given.iter().fold(text.to_owned(), |text, (token, value)| text.replace(token.as_str(), value))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
