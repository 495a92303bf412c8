//! The wire protocols: how a request becomes a call and an outcome a response.
//!
//! [`json`] is awsJson 1.0 and 1.1, [`query`] the old form-encoded protocol with XML answers. REST services bring
//! their own; here are only the shapes they share.

pub(crate) mod json;
pub(crate) mod query;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use stepwell_aws::Fault;

use crate::app::Answer;

pub(crate) const X_AMZ_TARGET: &str = "x-amz-target";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The response of a REST service, with a request id where it gave none.
pub(crate) fn rest_answer((status, headers, body): (StatusCode, HeaderMap, Bytes)) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    if !answer.headers().contains_key(REQUEST_ID) {
        set_request_id(&mut answer, None);
    }
    answer
}

/// A fault in the REST-JSON form: its name in a header.
pub(crate) fn rest_fault(fault: Fault) -> Answer {
    let mut answer = fault_response(&fault, "application/json");
    if let Ok(code) = HeaderValue::from_str(&fault.code) {
        answer.headers_mut().insert(ERROR_TYPE, code);
    }
    set_request_id(&mut answer, fault.request_id);
    answer
}

/// The same with the status that REST services give where the JSON protocols have 400 for all of a client's faults.
pub(crate) fn with_rest_status(fault: Fault) -> Fault {
    match fault.code.as_str() {
        "MissingAuthenticationTokenException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "UnrecognizedClientException"
        | "AccessDeniedException" => fault.with_status(403),
        "ThrottlingException" => fault.with_status(429),
        _ => fault,
    }
}

/// Status and JSON body of a fault: `{"__type", "message", …members}`.
fn fault_response(fault: &Fault, content_type: &'static str) -> Answer {
    let code = match fault.namespace {
        Some(namespace) => format!("{namespace}#{}", fault.code),
        None => fault.code.clone(),
    };
    let mut members = serde_json::Map::with_capacity(2 + fault.members.len());
    members.insert("__type".into(), code.into());
    members.insert("message".into(), fault.message.as_str().into());
    members.extend(fault.members.clone());
    let mut answer = response(fault.status, content_type, json_bytes(&members.into()));
    add_headers(&mut answer, &fault.headers);
    if fault.status >= 500 {
        tracing::warn!(code = %fault.code, message = %fault.message, "a request failed on our side");
    }
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn response(status: u16, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

fn add_headers(answer: &mut Answer, headers: &[(String, String)]) {
    for (name, value) in headers {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                answer.headers_mut().insert(name, value);
            }
            _ => tracing::warn!(%name, "a service gave a header that HTTP cannot carry; it is left out"),
        }
    }
}

fn set_request_id(answer: &mut Answer, given: Option<String>) {
    let id = given.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    if let Ok(id) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
}

fn json_bytes(value: &serde_json::Value) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("a JSON value has string keys and always serializes"))
}
