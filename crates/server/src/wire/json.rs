//! awsJson 1.0 and 1.1: `POST /` with the operation in `X-Amz-Target` and JSON in the body.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, header};
use serde_json::{Map, Value};
use stepwell_aws::{Call, Fault, Reply, Service};

use super::{add_headers, fault_response, json_bytes, response, set_request_id};
use crate::app::Answer;
use crate::serve::Secure;
use crate::{crc32, fault, stopping};

const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";
/// The only service whose clients verify a checksum of the answer.
const CHECKSUMMED: &str = "DynamoDB";
const CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The service that a request's `X-Amz-Target` names, with the prefix by which it does.
pub(crate) fn service<'a>(
    targets: &'a [(&'static str, Arc<dyn Service>)],
    head: &Parts,
) -> Option<&'a (&'static str, Arc<dyn Service>)> {
    let (prefix, _) = split(target(head));
    targets.iter().find(|(p, _)| *p == prefix)
}

/// The answer to a request that goes no further.
pub(crate) fn refuse(head: &Parts, fault: Fault) -> Answer {
    let mut answer = fault_answer(fault, content_type(head));
    if target(head).starts_with(CHECKSUMMED) {
        add_checksum(&mut answer);
    }
    answer
}

fn target(head: &Parts) -> &str {
    head.headers.get(super::X_AMZ_TARGET).and_then(|t| t.to_str().ok()).unwrap_or_default()
}

fn split(target: &str) -> (&str, &str) {
    target.rsplit_once('.').unwrap_or((target, ""))
}

/// Answers a request that has an `X-Amz-Target`.
pub(crate) async fn answer(
    targets: &[(&'static str, Arc<dyn Service>)],
    head: &Parts,
    body: Bytes,
) -> Answer {
    let content_type = content_type(head);
    let target = target(head);
    let Some((prefix, service)) = service(targets, head) else {
        return unknown_target(head, target);
    };
    let outcome = match read_input(&body) {
        Ok(input) => {
            drop(body);
            let host = host(head);
            let secure = head.extensions.get::<Secure>().is_some();
            // Who names a trace in the input means it; OpenTelemetry's header is put there by libraries.
            let named = || input.get("traceHeader").is_none().then(|| header_text(head, TRACEPARENT))?;
            let trace_id = header_text(head, TRACE_ID).or_else(named);
            let call = Call { host, secure, trace_id, ..Call::new(split(target).1, input) };
            let outcome = stopping::unless_out_of_time(service.call(call)).await;
            outcome.unwrap_or_else(|| Err(fault::stopping()))
        }
        Err(fault) => Err(fault),
    };
    let mut answer = match outcome {
        Ok(reply) => reply_answer(reply, content_type),
        Err(fault) => fault_answer(fault, content_type),
    };
    if prefix.starts_with(CHECKSUMMED) {
        add_checksum(&mut answer);
    }
    answer
}

/// The answer to an operation of no service that is here.
pub(crate) fn unknown_target(head: &Parts, target: &str) -> Answer {
    let shown: String = target.chars().filter(|c| !c.is_control()).take(200).collect();
    let fault = Fault::new(
        "UnknownOperationException",
        format!("Stepwell serves no such operation (X-Amz-Target: {shown})"),
    );
    fault_answer(fault, content_type(head))
}

fn read_input(body: &[u8]) -> Result<Value, Fault> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    // The reader limits the depth, so no body can exhaust the stack. Its messages repeat nothing of the body.
    match serde_json::from_slice(body) {
        Ok(input @ Value::Object(_)) => Ok(input),
        Ok(_) => Err(fault::serialization("Expected map or null")),
        Err(error) => Err(fault::serialization(format!("The body is not valid JSON: {error}"))),
    }
}

fn reply_answer(reply: Reply, content_type: &'static str) -> Answer {
    let body = reply.body.unwrap_or_else(|| json_bytes(&reply.output));
    let mut answer = response(reply.status, content_type, body);
    add_headers(&mut answer, &reply.headers);
    set_request_id(&mut answer, reply.request_id);
    answer
}

fn fault_answer(fault: Fault, content_type: &'static str) -> Answer {
    let mut answer = fault_response(&fault, content_type);
    set_request_id(&mut answer, fault.request_id);
    answer
}

fn add_checksum(answer: &mut Answer) {
    use hyper::body::Body as _;
    // A full body is one frame, polled without waiting.
    let mut copy = answer.body().clone();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let frame = std::pin::Pin::new(&mut copy).poll_frame(&mut context);
    let bytes = match frame {
        std::task::Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    };
    answer.headers_mut().insert(CRC32, HeaderValue::from(crc32::checksum(&bytes)));
}

/// The version of the request is the version of the answer.
fn content_type(head: &Parts) -> &'static str {
    let given = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if given.starts_with(JSON_1_1.as_bytes()) { JSON_1_1 } else { JSON_1_0 }
}

fn host(head: &Parts) -> Option<String> {
    header_text(head, header::HOST).or_else(|| head.uri.authority().map(ToString::to_string))
}

fn header_text(head: &Parts, name: HeaderName) -> Option<String> {
    head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
