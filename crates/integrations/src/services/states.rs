//! `states:startExecution`, request-response: starts a nested execution and does not wait for it.
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
use crate::task::TaskRequest;

pub(crate) async fn start_execution(
    service: &dyn Service,
    api: &Api,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    let members = members(api, request.parameters.value())?;
    let own_name = (!members.contains_key("Name")).then(|| name_of_attempt(&request.attempt_id));
    let call = Call::new(api.operation, Json::Object(input(&members, own_name.as_deref())));
    let reply = match service.call(call).await {
        Ok(reply) => reply,
        Err(fault) => match own_name {
            Some(name) if fault.code == "ExecutionAlreadyExists" => {
                started_before(service, &members, &name).await.ok_or(fault)
            }
            _ => Err(fault),
        }
        .map_err(|fault| Failure::optimized(&STATES, &fault))?,
    };
    Ok(result(&reply))
}

fn input(members: &Map<String, Json>, own_name: Option<&str>) -> Map<String, Json> {
    let mut input = Map::new();
    for (name, value) in members {
        let name = match name.as_str() {
            "StateMachineArn" => "stateMachineArn",
            "Input" => "input",
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

/// The answer that the start of this execution had, when it is over by now.
async fn started_before(service: &dyn Service, members: &Map<String, Json>, name: &str) -> Option<Reply> {
    let machine = members.get("StateMachineArn")?.as_str()?;
    let (prefix, machine) = machine.split_once(":stateMachine:")?;
    let machine = machine.split(':').next()?;
    let arn = format!("{prefix}:execution:{machine}:{name}");
    let described: Result<Reply, Fault> =
        service.call(Call::new("DescribeExecution", json!({ "executionArn": arn }))).await;
    let mut reply = described.ok()?;
    let start_date = reply.output.get("startDate")?.clone();
    reply.output = json!({ "executionArn": arn, "startDate": start_date });
    Some(reply)
}

/// `StartDate` in epoch milliseconds, as AWS's integration writes it.
fn result(reply: &Reply) -> Payload {
    let mut result = Vec::new();
    if let Some(arn) = reply.output.get("executionArn") {
        result.push(("ExecutionArn".to_owned(), from_api(arn)));
    }
    if let Some(start_date) = reply.output.get("startDate") {
        #[allow(clippy::cast_possible_truncation)] // Far below 2^53.
        let milliseconds = start_date.as_f64().map(|seconds| Value::from((seconds * 1000.0).round() as i64));
        result.push(("StartDate".to_owned(), milliseconds.unwrap_or_else(|| from_api(start_date))));
    }
    metadata::append(&mut result, HeaderSet::Json, reply, reply.output.to_string().as_bytes());
    sorted(result)
}
