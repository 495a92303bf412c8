//! `events:putEvents`.
//!
//! Each entry gets the state machine and the execution as further `Resources`; a `Detail` that is not text is sent as
//! its JSON text. The API accepts events one by one; one refused entry fails the task.

use serde_json::{Map, Value as Json};
use stepwell_asl::payload::Payload;
use stepwell_asl::timestamp::Timestamp;
use stepwell_asl::value::{Object, Value};
use stepwell_aws::Service;

use super::{call_operation, output_members, sorted};
use crate::catalog::EVENTS;
use crate::convert::to_api;
use crate::failure::Failure;
use crate::parameters::{Api, members, unusable};
use crate::task::TaskRequest;

pub(crate) async fn put_events(
    service: &dyn Service,
    api: &Api,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    let parameters = request.parameters.value();
    let mut members = members(api, parameters)?;
    if let Some(entries) = parameters.get("Entries").and_then(Value::as_array) {
        let entries: Option<Vec<Json>> = entries.iter().map(|entry| entry_to_send(entry, request)).collect();
        let malformed =
            || unusable(parameters, &["The value of the field 'Entries' has an invalid format".to_owned()]);
        members.insert("Entries".to_owned(), Json::Array(entries.ok_or_else(malformed)?));
    }
    let reply = call_operation(service, &EVENTS, api.operation, members).await?;
    let result = sorted(output_members(&reply));
    let failed = reply.output.get("FailedEntryCount").and_then(Json::as_u64).unwrap_or(0);
    if failed == 0 { Ok(result) } else { Err(Failure::new("EventBridge.FailedEntry", &**result.text())) }
}

fn entry_to_send(entry: &Value, request: &TaskRequest) -> Option<Json> {
    let mut members = Map::new();
    for (name, value) in given(entry.as_object()?) {
        let member = match (name, value) {
            ("Detail", Value::String(_)) => to_api(value)?,
            ("Detail", _) => Json::String(value.to_json()),
            ("Time", Value::String(text)) => instant(text),
            _ => to_api(value)?,
        };
        members.insert(name.to_owned(), member);
    }
    let resources = members.entry("Resources").or_insert_with(|| Json::Array(Vec::new()));
    let resources = resources.as_array_mut()?;
    resources.push(Json::from(&*request.state_machine_arn));
    resources.push(Json::from(&*request.execution_arn));
    Some(Json::Object(members))
}

fn given(entry: &Object) -> impl Iterator<Item = (&str, &Value)> {
    entry.iter().filter(|(_, value)| !matches!(value, Value::Null)).map(|(name, value)| (&**name, value))
}

/// The protocol's form of an instant, epoch seconds; what is none goes as it is, for the service to refuse.
fn instant(text: &str) -> Json {
    #[allow(clippy::cast_precision_loss)] // Milliseconds of any year that can be written fit.
    Timestamp::parse_rfc3339(text)
        .map_or_else(|| Json::from(text), |t| Json::from(t.epoch_ms() as f64 / 1000.0))
}
