//! `lambda:invoke`, and functions named by their own ARN.
//!
//! Payloads pass as text in both directions: a function sees and returns the very digits and blanks that the other
//! side wrote. An exception of the function is the function's own error (`KeyError`), not Lambda's.

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use stepwell_asl::payload::Payload;
use stepwell_asl::value::Value;
use stepwell_aws::arn::Arn;
use stepwell_aws::{Call, Fault, Reply, Service};

use super::sorted;
use crate::catalog::LAMBDA;
use crate::failure::Failure;
use crate::metadata::{self, HeaderSet};
use crate::parameters::{Api, members};
use crate::task::TaskRequest;

/// Marks an answer that is the function's exception, with `Handled` or `Unhandled`.
const FUNCTION_ERROR: &str = "X-Amz-Function-Error";

/// The function that is itself the resource: its input is the parameters, its result the bare payload.
pub(crate) async fn call_function(service: &dyn Service, request: &TaskRequest) -> Result<Payload, Failure> {
    let input = json!({ "FunctionName": &*request.resource.arn, "InvocationType": "RequestResponse" });
    let text = request.parameters.text();
    let reply = call(service, input, Bytes::copy_from_slice(text.as_bytes()))
        .await
        .map_err(|refusal| refusal.failure(|fault| fault))?;
    Ok(document(body(&reply)).unwrap_or_else(|text| Payload::from_value(Value::from(text))))
}

/// `lambda:invoke`.
pub(crate) async fn invoke(
    service: &dyn Service,
    api: &Api,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    let parameters = request.parameters.value();
    let members = members(api, parameters)?;
    let payload = payload_to_send(parameters.get("Payload"));
    let reply = call(service, Json::Object(with_default_type(members)), payload)
        .await
        .map_err(|refusal| refusal.failure(with_version))?;
    let mut result = vec![
        ("Payload".to_owned(), payload_received(&reply)),
        ("StatusCode".to_owned(), Value::from(i64::from(reply.status))),
    ];
    if let Some(log) = reply.header("X-Amz-Log-Result") {
        result.push(("LogResult".to_owned(), Value::from(log)));
    }
    if let Some(version) = executed_version(&reply) {
        result.push(("ExecutedVersion".to_owned(), Value::from(version)));
    }
    metadata::append(&mut result, HeaderSet::Lambda, &reply, body(&reply));
    Ok(sorted(result))
}

/// What the function gets: the value's text. Text that is itself JSON is the payload, and nothing is `{}`.
pub(crate) fn payload_to_send(payload: Option<&Value>) -> Bytes {
    match payload {
        None | Some(Value::Null) => Bytes::from_static(b"{}"),
        Some(Value::String(text)) if Payload::parse(text.clone()).is_ok() => {
            Bytes::copy_from_slice(text.as_bytes())
        }
        Some(value) => Bytes::from(value.to_json()),
    }
}

/// The function's answer as a value; the text itself where it is no JSON, as after an asynchronous invocation.
fn payload_received(reply: &Reply) -> Value {
    match document(body(reply)) {
        Ok(payload) => payload.value().clone(),
        Err(text) => Value::from(text),
    }
}

pub(crate) fn executed_version(reply: &Reply) -> Option<&str> {
    reply.header("X-Amz-Executed-Version").or((reply.status == 200).then_some("$LATEST"))
}

pub(crate) fn body(reply: &Reply) -> &[u8] {
    reply.body.as_deref().unwrap_or_default()
}

fn with_default_type(mut members: Map<String, Json>) -> Map<String, Json> {
    members.entry("InvocationType").or_insert_with(|| Json::from("RequestResponse"));
    members
}

/// Why an invocation gave no result.
enum Refusal {
    /// Lambda did not run the function.
    Service(Fault),
    /// The function failed.
    Function(Failure),
}

impl Refusal {
    /// `told` is how the integration tells a refusal of Lambda's.
    fn failure(self, told: impl FnOnce(Fault) -> Fault) -> Failure {
        match self {
            Refusal::Service(fault) => Failure::optimized(&LAMBDA, &told(fault)),
            Refusal::Function(failure) => failure,
        }
    }
}

async fn call(service: &dyn Service, input: Json, body: Bytes) -> Result<Reply, Refusal> {
    let call = Call { body, ..Call::new("Invoke", input) };
    let reply = service.call(call).await.map_err(Refusal::Service)?;
    match reply.header(FUNCTION_ERROR) {
        None => Ok(reply),
        Some(_) => Err(Refusal::Function(function_failure(self::body(&reply)))),
    }
}

/// The integration names the version in a text about a function that is not there; Lambda itself does only where the
/// request did.
fn with_version(mut fault: Fault) -> Fault {
    let arn = fault.message.strip_prefix("Function not found: ").and_then(Arn::parse);
    let unversioned = arn
        .and_then(|arn| arn.resource.strip_prefix("function:"))
        .is_some_and(|name| !name.contains(|c: char| c == ':' || c.is_whitespace()));
    if unversioned {
        fault.message.push_str(":$LATEST");
    }
    fault
}

/// The document of an answer, or its text where it is no JSON.
fn document(body: &[u8]) -> Result<Payload, String> {
    let text = String::from_utf8_lossy(body).into_owned();
    Payload::parse(text.as_str()).map_err(|_| text)
}

/// The error that the function reports: its type, with the whole report as the cause.
fn function_failure(body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body).into_owned();
    let error_type = Payload::parse(text.as_str())
        .ok()
        .and_then(|report| report.value().get("errorType").and_then(Value::as_str).map(str::to_owned))
        .filter(|error_type| !error_type.is_empty());
    match error_type {
        Some(error) => Failure::new(error, text),
        None => Failure::new(
            "Lambda.Unknown",
            format!(
                "The cause could not be determined because Lambda did not return an error type. \
                 Returned payload: {text}"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_goes_out_with_its_own_text() {
        let cases = [
            (r#"{}"#, "{}"),
            (r#"{"Payload":null}"#, "{}"),
            (
                r#"{"Payload":{"n":1.10,"big":12345678901234567890}}"#,
                r#"{"n":1.10,"big":12345678901234567890}"#,
            ),
            (r#"{"Payload":"0.0"}"#, "0.0"),
            (r#"{"Payload":"\"text\""}"#, "\"text\""),
            (r#"{"Payload":"plain text"}"#, "\"plain text\""),
            (r#"{"Payload":[]}"#, "[]"),
        ];
        for (parameters, expected) in cases {
            let parameters = Payload::parse(parameters).expect("JSON");
            let sent = payload_to_send(parameters.value().get("Payload"));
            assert_eq!(sent, expected.as_bytes(), "{parameters:?}");
        }
    }

    #[test]
    fn a_missing_function_is_named_with_its_version() {
        let cases = [
            (
                "Function not found: arn:aws:lambda:r:1:function:f",
                "Function not found: arn:aws:lambda:r:1:function:f:$LATEST",
            ),
            (
                "Function not found: arn:aws:lambda:r:1:function:f:7",
                "Function not found: arn:aws:lambda:r:1:function:f:7",
            ),
            ("Something else", "Something else"),
        ];
        for (message, expected) in cases {
            assert_eq!(with_version(Fault::new("ResourceNotFoundException", message)).message, expected);
        }
    }

    #[test]
    fn a_function_error_is_called_after_its_type() {
        let report = r#"{"errorMessage": "'id'", "errorType": "KeyError", "stackTrace": []}"#;
        assert_eq!(function_failure(report.as_bytes()), Failure::new("KeyError", report));
        let timeout = r#"{"errorMessage":"2026-01-01T00:00:00.000Z r-1 Task timed out after 3.00 seconds"}"#;
        for body in [timeout, "null", "no JSON", "", r#"{"errorType":""}"#] {
            let failure = function_failure(body.as_bytes());
            assert_eq!(failure.error, "Lambda.Unknown");
            assert!(failure.cause.ends_with(&format!("Returned payload: {body}")), "{}", failure.cause);
        }
    }
}
