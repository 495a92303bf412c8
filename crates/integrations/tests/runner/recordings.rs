//! The task replies that were recorded from AWS: a service that answers as AWS's service did must give the recorded
//! output, error name and cause.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::support::{request, resource};
use serde_json::{Map, Value as Json, json};
use stepwell_asl::payload::Payload;
use stepwell_aws::{BoxFuture, Call, Fault, Reply, Service};
use stepwell_integrations::{Integrations, TaskOutcome, TaskRunner};

/// Request ids of answers and in expected causes.
const REQUEST_ID: &str = "6f1c0d0e-0000-4000-8000-000000000001";

struct Scripted {
    name: &'static str,
    answer: Result<Reply, Fault>,
    call: Mutex<Option<Call>>,
}

impl Service for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        *self.call.lock().expect("no panic before") = Some(call);
        Box::pin(async { self.answer.clone() })
    }
}

/// One recorded reply.
struct Recorded {
    case: String,
    resource: String,
    parameters: String,
    reply: Json,
}

fn recordings() -> Option<Vec<Recorded>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if !root.is_dir() {
        eprintln!("skipped: no recordings at {}", root.display());
        return None;
    }
    let mut recorded = Vec::new();
    for family in std::fs::read_dir(root).expect("families").map(|f| f.expect("family").path()) {
        if !family.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(family).expect("cases").map(|f| f.expect("case").path()) {
            let text = std::fs::read_to_string(&file).expect("a case");
            let case: Json = serde_json::from_str(&text).expect("JSON");
            for reply in case["recorded_task_replies"].as_array().into_iter().flatten() {
                recorded.extend(read(&case, reply));
            }
        }
    }
    Some(recorded)
}

/// `None` for what this version does not run, and for recordings without a reply.
fn read(case: &Json, recorded: &Json) -> Option<Recorded> {
    let reply = recorded.get("reply")?;
    if reply["type"] == "timeout" || reply["error"] == "States.DataLimitExceeded" {
        return None;
    }
    // Calls no service; `http_task.rs` shows what is sent and answered.
    if recorded["resource_type"] == "apigateway" {
        return None;
    }
    let resource = match recorded.get("resource_type").and_then(Json::as_str) {
        Some(resource_type) => format!("arn:aws:states:::{resource_type}:{}", recorded["resource"].as_str()?),
        None => recorded["resource"].as_str()?.replace("<partition>", "aws").replace("<region>", "us-east-1"),
    };
    let served =
        crate::support::parse(&resource).is_some_and(|r| stepwell_integrations::supports(&r).is_ok());
    // What a token brings is not the call's; what was submitted is.
    let reply = match recorded.get("submitted_output") {
        Some(output) if resource.ends_with(".waitForTaskToken") => {
            json!({"type": "success", "output": output})
        }
        _ => reply.clone(),
    };
    served.then(|| Recorded {
        case: case["id"].to_string(),
        parameters: recorded["parameters"].to_string(),
        reply,
        resource,
    })
}

#[tokio::test]
async fn outcomes_are_those_recorded() {
    let Some(recorded) = recordings() else { return };
    let (mut succeeded, mut failed) = (0, 0);
    for recorded in recorded {
        let service = Arc::new(Scripted {
            name: service_of(&recorded.resource),
            answer: answer(&recorded),
            call: Mutex::new(None),
        });
        let integrations = Integrations::new();
        integrations.register(service.clone());
        let outcome = integrations.run(request(resource(&recorded.resource), &recorded.parameters)).await;
        match (&outcome, recorded.reply["type"].as_str()) {
            (TaskOutcome::Succeeded(payload), Some("success")) => {
                succeeded += 1;
                compare_output(&recorded, payload);
            }
            (TaskOutcome::Failed { error, cause }, Some("failure")) => {
                failed += 1;
                assert_eq!(error.as_deref(), recorded.reply["error"].as_str(), "{}", recorded.case);
                compare_cause(&recorded, cause.as_deref().expect("a cause"));
            }
            _ => panic!("{} {}: {outcome:?} for {}", recorded.case, recorded.resource, recorded.reply),
        }
        assert!(service.call.lock().expect("no panic before").is_some(), "{}: not called", recorded.case);
    }
    eprintln!("{succeeded} recorded successes and {failed} recorded failures");
    assert!(succeeded >= 50 && failed >= 40, "{succeeded} successes, {failed} failures");
}

fn service_of(resource: &str) -> &'static str {
    let names = ["lambda", "dynamodb", "s3", "sqs", "sns", "events", "states"];
    if resource.contains(":sfn:") || resource.contains(":states:::states:") {
        return "states";
    }
    names.into_iter().find(|n| resource.contains(&format!(":{n}:"))).expect("a served service")
}

/// What the service must have answered for the recorded reply.
fn answer(recorded: &Recorded) -> Result<Reply, Fault> {
    if recorded.reply["type"] == "failure" { failure(recorded) } else { Ok(success(recorded)) }
}

fn success(recorded: &Recorded) -> Reply {
    let output = &recorded.reply["output"];
    let mut reply = Reply::empty();
    reply.request_id = Some(REQUEST_ID.to_owned());
    if service_of(&recorded.resource) == "lambda" {
        // The recorder shows text that holds an object parsed, and other results as their text.
        let direct = !recorded.resource.contains(":::");
        let body = match output {
            Json::String(text) if direct => text.clone(),
            output if direct => output.to_string(),
            output => output["Payload"].to_string(),
        };
        reply.body = Some(body.into());
        reply.headers = vec![("X-Amz-Executed-Version".into(), "$LATEST".into())];
        return reply;
    }
    let mut members = output.as_object().cloned().unwrap_or_default();
    if service_of(&recorded.resource) == "states" {
        return states_reply(reply, members);
    }
    members.retain(|name, _| !name.starts_with("Sdk"));
    if service_of(&recorded.resource) == "s3"
        && let Some(Json::String(body)) = members.shift_remove("Body")
    {
        reply.body = Some(body.into());
    }
    reply.output = Json::Object(members);
    reply
}

/// Step Functions answers the start of a nested execution and its description alike here: with all that is known.
fn states_reply(mut reply: Reply, shown: Map<String, Json>) -> Reply {
    let shown = shown.into_iter().filter(|(name, _)| !name.starts_with("Sdk"));
    let mut members: Map<_, _> =
        shown.map(|(name, value)| (name[..1].to_lowercase() + &name[1..], value)).collect();
    members["startDate"] = json!(1_700_000_000.123);
    reply.output = Json::Object(members);
    reply
}

/// The fault that the recorded cause describes, in either SDK's form; a function's error is its answer.
fn failure(recorded: &Recorded) -> Result<Reply, Fault> {
    let cause = &recorded.reply["cause"];
    let Some(text) = cause.as_str() else {
        if service_of(&recorded.resource) == "states" {
            return Ok(states_reply(Reply::empty(), cause.as_object().expect("an execution").clone()));
        }
        let mut reply = Reply::ok(cause.clone());
        if service_of(&recorded.resource) == "lambda" {
            reply.body = Some(cause.to_string().into());
            reply.headers = vec![("X-Amz-Function-Error".into(), "Unhandled".into())];
        }
        return Ok(reply);
    };
    let (message, details) = text.rsplit_once(" (Service: ").expect("a service in the cause");
    let member = |name: &str| {
        let (_, rest) = details.split_once(&format!("{name}: "))?;
        rest.split([';', ',', ')']).next().map(str::to_owned)
    };
    let code = member("Error Code").unwrap_or_else(|| {
        // The second SDK's causes show no code; these are the ones behind the recorded names.
        let error = recorded.reply["error"].as_str().expect("an error");
        let exception = error.split_once('.').expect("a prefix").1;
        let short =
            ["InvalidTokenException", "NoSuchKeyException", "NoSuchBucketException"].contains(&exception);
        exception.strip_suffix("Exception").filter(|_| short).unwrap_or(exception).to_owned()
    });
    let status = member("Status Code").expect("a status").parse().expect("a number");
    let extended = member("Extended Request ID").map(|id| ("x-amz-id-2".to_owned(), id));
    let headers = extended.into_iter().collect();
    Err(Fault {
        request_id: Some(REQUEST_ID.into()),
        headers,
        ..Fault::new(code, message).with_status(status)
    })
}

fn compare_output(recorded: &Recorded, payload: &Payload) {
    let actual: Json = serde_json::from_str(payload.text()).expect("JSON");
    let expected = &recorded.reply["output"];
    if let Json::String(text) = expected {
        assert_eq!(payload.text().as_ref(), text, "{}", recorded.case);
        return;
    }
    let (actual, expected) = (without_variables(&actual), without_variables(expected));
    assert_eq!(actual, expected, "{} {}", recorded.case, recorded.resource);
}

/// Keeps everything that does not differ from call to call; of headers their names.
fn without_variables(output: &Json) -> Json {
    let Json::Object(members) = output else { return output.clone() };
    let mut kept = Map::new();
    for (name, value) in members {
        let value = match name.as_str() {
            "SdkHttpMetadata" => {
                let names = |set: &str| {
                    let mut names: Vec<_> =
                        value[set].as_object().expect("headers").keys().cloned().collect();
                    // Some recordings of the same call have it, others do not.
                    names.retain(|name| name != "connection");
                    names.sort();
                    names
                };
                json!({ "status": value["HttpStatusCode"], "all": names("AllHttpHeaders"), "one": names("HttpHeaders") })
            }
            "SdkResponseMetadata" => json!(value.as_object().expect("members").keys().collect::<Vec<_>>()),
            "StartDate" | "StopDate" => json!("varies"),
            _ => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    Json::Object(kept)
}

fn compare_cause(recorded: &Recorded, cause: &str) {
    match &recorded.reply["cause"] {
        Json::String(expected) => {
            let expected = expected.replace("<request_id>", REQUEST_ID);
            assert_eq!(cause, expected, "{}", recorded.case);
        }
        expected => {
            let cause: Json = serde_json::from_str(cause).expect("a JSON cause");
            assert_eq!(without_variables(&cause), without_variables(expected), "{}", recorded.case);
        }
    }
}
