//! `http:invoke`: one request to any HTTP server, let in by an EventBridge connection.
//!
//! What is sent is in [`request`], how it is let in in [`authorize`]. Redirects are not followed and nothing is
//! repeated: a state's `Retry` decides about that. Unlike AWS, `http://` is taken as well: servers beside this one
//! may have no certificate.

mod authorize;
pub(super) mod form;
mod request;

use std::time::Duration;

use http::StatusCode;
use stepwell_asl::payload::Payload;
use stepwell_asl::value::{Object, Value};
use stepwell_aws::Fault;

use crate::connections::{ConnectionError, Connections};
use crate::endpoint::http_client::{Answer, HttpClient};
use crate::failure::Failure;
use crate::http_trace::HttpResponseSeen;
use crate::task::TaskRequest;

/// Source: "Call HTTPS APIs", the quota of an HTTP task's duration.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the task.
pub(crate) async fn invoke(
    client: &HttpClient,
    connections: Option<&dyn Connections>,
    task: &TaskRequest,
) -> Result<Payload, Failure> {
    let parameters = task.parameters.value();
    let wanted = request::Wanted::read(parameters, region(task))?;
    let connection = match connections {
        Some(connections) => {
            connections.connection(&wanted.connection_arn).await.map_err(unusable_connection)?
        }
        None => {
            return Err(Failure::runtime(format!(
                "The resource '{}' needs connections, which this server does not keep",
                task.resource.arn
            )));
        }
    };
    let extra = authorize::headers(client, &wanted.connection_arn, &connection).await?;
    let trace = task.host.http_trace();
    let request = wanted.with(parameters, &connection, extra, trace)?;
    let protocol = request.uri().scheme_str().unwrap_or_default().to_owned();
    let answer = client.send(request, ANSWER_TIMEOUT).await.map_err(no_answer)?;
    if let Some(trace) = trace {
        trace.answered(seen(protocol, &answer));
    }
    if !answer.status.is_success() {
        return Err(refused(&answer));
    }
    result(&answer).ok_or_else(|| {
        Failure::runtime(
            "The content type of the HTTP response is a binary one, which HTTP tasks do not support",
        )
    })
}

fn seen(protocol: String, answer: &Answer) -> HttpResponseSeen {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    HttpResponseSeen {
        protocol,
        status_code: answer.status.as_u16(),
        status_message: status_text(answer.status),
        headers: answer
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        body: text(&answer.body),
    }
}

/// The region that the execution's ARN names.
fn region(task: &TaskRequest) -> &str {
    task.execution_arn.split(':').nth(3).unwrap_or_default()
}

fn unusable_connection(error: ConnectionError) -> Failure {
    Failure::new(error.name(), error.to_string())
}

fn no_answer(fault: Fault) -> Failure {
    Failure::new("States.Http.Socket", fault.message)
}

/// The server's own words are the cause, or its status where it has none.
fn refused(answer: &Answer) -> Failure {
    let body = String::from_utf8_lossy(&answer.body);
    let cause =
        if body.trim().is_empty() { status_text(answer.status).to_owned() } else { body.into_owned() };
    Failure::new(format!("States.Http.StatusCode.{}", answer.status.as_u16()), cause)
}

/// `None` for an answer that is no text.
fn result(answer: &Answer) -> Option<Payload> {
    let content_type = answer.headers.get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|t| t.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let binary = ["audio/", "video/", "image/", "application/octet-stream"];
    if binary.iter().any(|kind| content_type.starts_with(kind)) {
        return None;
    }
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let body = match Payload::parse(text.as_str()) {
        Ok(document) if content_type.contains("json") => document.value().clone(),
        _ => Value::from(text),
    };
    let mut headers = Object::new();
    for name in answer.headers.keys() {
        let values = answer.headers.get_all(name).iter();
        let values: Vec<Value> =
            values.map(|value| Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
        headers.insert(name.as_str(), Value::from(values));
    }
    let mut result = Object::new();
    result.insert("Headers", Value::from(headers));
    result.insert("ResponseBody", body);
    result.insert("StatusCode", i64::from(answer.status.as_u16()));
    result.insert("StatusText", status_text(answer.status));
    Some(Payload::from_value(Value::from(result)))
}

pub(super) fn status_text(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or_default()
}
