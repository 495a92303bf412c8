//! `states:startExecution`, up to the answer of the start. Waiting for the nested execution is in [`super::nested`].
//!
//! Without a `Name` the execution is called after the attempt. So an attempt that is made again after a crash finds
//! the execution that the first one started instead of starting a second.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use stepwell_asl::payload::Payload;
use stepwell_asl::value::Value;
use stepwell_aws::{Call, Fault, Reply, Service};
use uuid::Builder;

use super::sorted;
use crate::catalog::STATES;
use crate::convert::from_api;
use crate::failure::Failure;
use crate::metadata::{self, HeaderSet};
use crate::parameters::{Api, members};
use crate::task::{Progress, TaskRequest};

pub(crate) async fn start_execution(
    service: &dyn Service,
    api: &Api,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    let members = members(api, request.parameters.value())?;
    let chosen = members.get("Name").and_then(Json::as_str);
    let own = chosen.is_none().then(|| name_of_attempt(&request.attempt_id));
    let call = Call::new(api.operation, Json::Object(input(&members, own.as_deref())));
    let reply = match service.call(call).await {
        Ok(reply) => reply,
        Err(fault) if fault.code == "ExecutionAlreadyExists" => {
            let started = match (&own, chosen) {
                (Some(name), _) => started_before(service, &members, name).await,
                // It may be the one that this attempt started before a crash.
                (None, Some(name)) if matches!(request.progress, Progress::Again) => {
                    started_before(service, &members, name)
                        .await
                        .filter(|described| has_input(described, &members))
                }
                _ => None,
            };
            started.map(start_answer).ok_or_else(|| Failure::optimized(&STATES, &fault))?
        }
        Err(fault) => return Err(Failure::optimized(&STATES, &fault)),
    };
    Ok(result(&reply))
}

/// The ARN of the execution that the attempt starts if it does; `None` where another's may have the name.
pub(crate) fn own_execution(api: &Api, request: &TaskRequest) -> Option<String> {
    let members = members(api, request.parameters.value()).ok()?;
    if members.contains_key("Name") {
        return None;
    }
    execution_arn(&members, &name_of_attempt(&request.attempt_id))
}

fn input(members: &Map<String, Json>, own_name: Option<&str>) -> Map<String, Json> {
    let mut input = Map::new();
    for (name, value) in members {
        let name = match name.as_str() {
            "StateMachineArn" => "stateMachineArn",
            "Input" => "input",
            "TraceHeader" => "traceHeader",
            _ => "name",
        };
        input.insert(name.to_owned(), value.clone());
    }
    if let Some(name) = own_name {
        input.insert("name".to_owned(), Json::from(name));
    }
    input
}

/// A UUID that is the same for the same attempt.
fn name_of_attempt(attempt_id: &str) -> String {
    let digest = Sha256::digest(attempt_id.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The execution of that name, described.
async fn started_before(service: &dyn Service, members: &Map<String, Json>, name: &str) -> Option<Reply> {
    let arn = execution_arn(members, name)?;
    let described: Result<Reply, Fault> =
        service.call(Call::new("DescribeExecution", json!({ "executionArn": arn }))).await;
    described.ok()
}

fn execution_arn(members: &Map<String, Json>, name: &str) -> Option<String> {
    let machine = members.get("StateMachineArn")?.as_str()?;
    let (prefix, machine) = machine.split_once(":stateMachine:")?;
    let machine = machine.split(':').next()?;
    Some(format!("{prefix}:execution:{machine}:{name}"))
}

/// Whether the described execution was started with the input that these parameters give.
fn has_input(described: &Reply, members: &Map<String, Json>) -> bool {
    let given = members.get("Input").and_then(Json::as_str).unwrap_or("{}");
    let found = described.output.get("input").and_then(Json::as_str);
    found.is_some_and(|found| match (Payload::parse(found), Payload::parse(given)) {
        (Ok(found), Ok(given)) => found == given,
        _ => false,
    })
}

/// The answer that the start of this execution had.
fn start_answer(mut described: Reply) -> Reply {
    described.output = json!({
        "executionArn": described.output.get("executionArn"),
        "startDate": described.output.get("startDate"),
    });
    described
}

/// `StartDate` in epoch milliseconds, as AWS's integration writes it.
fn result(reply: &Reply) -> Payload {
    let mut result = Vec::new();
    if let Some(arn) = reply.output.get("executionArn") {
        result.push(("ExecutionArn".to_owned(), from_api(arn)));
    }
    if let Some(start_date) = reply.output.get("startDate") {
        result.push(("StartDate".to_owned(), milliseconds(start_date)));
    }
    metadata::append(&mut result, HeaderSet::Json, reply, reply.output.to_string().as_bytes());
    sorted(result)
}

/// An instant of the API, in seconds, as the integration writes it.
pub(super) fn milliseconds(instant: &Json) -> Value {
    #[allow(clippy::cast_possible_truncation)] // Far below 2^53.
    let milliseconds = instant.as_f64().map(|seconds| Value::from((seconds * 1000.0).round() as i64));
    milliseconds.unwrap_or_else(|| from_api(instant))
}
