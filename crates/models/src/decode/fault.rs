//! Answers that say what went wrong.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value as Json};
use stepwell_aws::Fault;

use super::{body, excerpt};
use crate::service::{Protocol, Service};

/// Carries the code of the older protocol beside that of the new one.
const QUERY_ERROR: &str = "x-amzn-query-error";

pub(super) fn of(
    service: &Service,
    status: StatusCode,
    headers: &HeaderMap,
    bytes: &Bytes,
    request_id: Option<String>,
) -> Fault {
    let read = match service.protocol {
        Protocol::Json | Protocol::RestJson => of_json(headers, bytes),
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml => of_xml(bytes),
    };
    let mut fault = read.unwrap_or_else(|| foreign(status, bytes));
    fault.status = status.as_u16();
    fault.request_id = request_id.or(fault.request_id);
    for name in [QUERY_ERROR, "x-amz-id-2"] {
        if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
            fault.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    fault
}

fn of_json(headers: &HeaderMap, bytes: &Bytes) -> Option<Fault> {
    let mut members: Map<String, Json> = serde_json::from_slice(bytes).unwrap_or_default();
    let mut take = |names: &[&str]| {
        names.iter().find_map(|name| match members.shift_remove(*name) {
            Some(Json::String(text)) => Some(text),
            _ => None,
        })
    };
    let header = headers.get("x-amzn-errortype").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let in_body = take(&["__type", "code"]);
    let message = take(&["message", "Message", "errorMessage"]).unwrap_or_else(|| "null".to_owned());
    let code = header.or(in_body)?;
    Some(Fault { members, ..Fault::new(short_code(&code), message) })
}

/// `namespace#Code:http://…` as some services and proxies write it.
fn short_code(code: &str) -> &str {
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    code.split(':').next().unwrap_or(code)
}

fn of_xml(bytes: &Bytes) -> Option<Fault> {
    let document = roxmltree::Document::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let root = document.root_element();
    let code = body::descendant_text(root, &["Code"])?;
    let message = body::descendant_text(root, &["Message"]).unwrap_or_else(|| "null".to_owned());
    let request_id = body::descendant_text(root, &["RequestId", "RequestID"]);
    Some(Fault { request_id, ..Fault::new(code, message) })
}

/// A status that no service explains: the answer to a HEAD request, a proxy's page, an endpoint that is something else.
fn foreign(status: StatusCode, bytes: &[u8]) -> Fault {
    let code = match status {
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        s if s.is_server_error() => "InternalFailure",
        _ => "UnknownError",
    };
    let reason = status.canonical_reason().unwrap_or("Unknown");
    Fault::new(code, format!("{} {reason}: {}", status.as_u16(), excerpt(bytes)))
}
