//! One file per service: from checked parameters to the call, from the answer to the result.
//!
//! The table of APIs is in [`crate::parameters`], the names of errors in [`crate::failure`]. Results have their
//! members in alphabetical order, as AWS writes them.

pub(crate) mod apigateway;
pub(crate) mod aws_sdk;
mod dynamodb;
mod events;
pub(crate) mod http;
pub(crate) mod lambda;
pub(crate) mod nested;
mod sns;
mod sqs;
pub(crate) mod states;

use serde_json::{Map, Value as Json};
use stepwell_asl::payload::Payload;
use stepwell_asl::value::{Object, Value};
use stepwell_aws::{Call, Reply, Service};

use crate::catalog::ServiceNames;
use crate::convert::from_api;
use crate::failure::Failure;
use crate::metadata::{self, HeaderSet};
use crate::parameters::Api;
use crate::task::TaskRequest;

/// Runs one optimized integration.
pub(crate) async fn call(
    service: &dyn Service,
    api: &Api,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    match api.resource_type() {
        "lambda" => lambda::invoke(service, api, request).await,
        "dynamodb" => dynamodb::call(service, api, request).await,
        "sqs" => sqs::send_message(service, api, request).await,
        "sns" => sns::publish(service, api, request).await,
        "events" => events::put_events(service, api, request).await,
        "states" => states::start_execution(service, api, request).await,
        other => Err(Failure::runtime(format!("The integration '{other}' has no implementation"))),
    }
}

/// Calls `operation` with these members.
async fn call_operation(
    service: &dyn Service,
    names: &ServiceNames,
    operation: &str,
    members: Map<String, Json>,
) -> Result<Reply, Failure> {
    let call = Call::new(operation, Json::Object(members));
    service.call(call).await.map_err(|fault| Failure::optimized(names, &fault))
}

/// The answer's members with the metadata about the HTTP answer.
fn result_with_metadata(reply: &Reply, headers: HeaderSet) -> Payload {
    let mut result = output_members(reply);
    metadata::append(&mut result, headers, reply, reply.output.to_string().as_bytes());
    sorted(result)
}

fn output_members(reply: &Reply) -> Vec<(String, Value)> {
    let members = reply.output.as_object();
    members
        .map(|m| m.iter().map(|(name, value)| (name.clone(), from_api(value))).collect())
        .unwrap_or_default()
}

fn sorted(mut result: Vec<(String, Value)>) -> Payload {
    result.sort_by(|a, b| a.0.cmp(&b.0));
    Payload::from_value(Value::from(result.into_iter().collect::<Object>()))
}
