//! A call to an HTTP request, before it is signed.
//!
//! One file per way of writing a body: [`json`], [`form`] (query and EC2), [`xml`]; what the REST protocols put elsewhere
//! is in [`rest`].

mod form;
mod json;
mod rest;
mod xml;

use bytes::Bytes;
use serde_json::{Map, Value as Json};
use stepwell_aws::Call;

use crate::service::{Operation, Protocol, Reference, Service, Shape, ShapeType};
use crate::time::{self, TimestampFormat};

/// A request before it is signed.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// `GET`, `POST` …
    pub method: String,
    /// Percent-encoded, begins with `/`.
    pub path_and_query: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// What AWS wants before the host's name.
    pub host_prefix: Option<String>,
}

/// A call that makes no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The service has no such operation.
    #[error("{service} has no operation {operation}")]
    UnknownOperation {
        /// AWS's `serviceId`.
        service: String,
        /// As given.
        operation: String,
    },
    /// A member that is a part of the path is missing or empty.
    #[error("the member {0} is a part of the path and must not be empty")]
    Label(String),
    /// A stream of events cannot be sent as JSON.
    #[error("{0} takes a stream of events, which no task can send")]
    EventStream(String),
}

impl Service {
    /// The request of a call, whose members are named and cased as in the model, instants numbers of seconds or text in
    /// any of AWS's forms, blobs Base64. A blob that is the whole body is [`Call::body`].
    ///
    /// Members that the model does not know are left out.
    ///
    /// Errors: [`EncodeError`].
    pub fn encode(&self, call: &Call) -> Result<Outgoing, EncodeError> {
        let operation = self.operations.get(&call.operation).ok_or_else(|| {
            EncodeError::UnknownOperation { service: self.id.clone(), operation: call.operation.clone() }
        })?;
        let writer = Writer { service: self, operation };
        let mut members = call.input.as_object().cloned().unwrap_or_default();
        members.retain(|_, value| !value.is_null());
        let shape = operation.input.as_ref().map(|input| self.shape(input));
        if let Some(shape) = shape {
            fill_idempotency_tokens(shape, &mut members);
        }
        let mut outgoing = match self.protocol {
            Protocol::Json => writer.json(&call.operation, shape, &members),
            Protocol::Query | Protocol::Ec2 => writer.form(&call.operation, shape, &members),
            Protocol::RestJson | Protocol::RestXml => writer.rest(shape, &members, &call.body)?,
        };
        outgoing.host_prefix = operation.host_prefix.as_ref().map(|prefix| filled_in(prefix, &members));
        Ok(outgoing)
    }
}

/// What one request is written from.
struct Writer<'a> {
    service: &'a Service,
    operation: &'a Operation,
}

impl Writer<'_> {
    fn json(&self, name: &str, shape: Option<&Shape>, members: &Map<String, Json>) -> Outgoing {
        let version = self.service.json_version.as_deref().unwrap_or("1.0");
        let target = self.service.target.as_deref().unwrap_or_default();
        let body = shape.map(|shape| json::structure(self.service, shape, members)).unwrap_or_default();
        let mut headers = vec![
            ("content-type".into(), format!("application/x-amz-json-{version}")),
            ("x-amz-target".into(), format!("{target}.{name}")),
        ];
        if self.service.query_compatible {
            headers.push(("x-amzn-query-mode".into(), "true".into()));
        }
        Outgoing {
            method: "POST".into(),
            path_and_query: "/".into(),
            headers,
            body: Json::Object(body).to_string().into(),
            host_prefix: None,
        }
    }

    fn form(&self, name: &str, shape: Option<&Shape>, members: &Map<String, Json>) -> Outgoing {
        let version = self.service.api_version.as_deref().unwrap_or_default();
        let fields = form::fields(self.service, shape, members);
        let mut body = format!("Action={name}&Version={version}");
        for (name, value) in &fields {
            body.push_str(&format!("&{}={}", percent_encoded(name), percent_encoded(value)));
        }
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        Outgoing {
            method: "POST".into(),
            path_and_query: "/".into(),
            headers: vec![("content-type".into(), content_type.into())],
            body: body.into(),
            host_prefix: None,
        }
    }
}

/// SDKs make up what the caller leaves out.
fn fill_idempotency_tokens(shape: &Shape, members: &mut Map<String, Json>) {
    for (name, of) in shape.members.iter() {
        if of.idempotency_token && !members.contains_key(name) {
            members.insert(name.to_owned(), uuid::Uuid::new_v4().to_string().into());
        }
    }
}

/// `{member}` in a host prefix.
fn filled_in(prefix: &str, members: &Map<String, Json>) -> String {
    let mut filled = String::new();
    let mut rest = prefix;
    while let Some((before, label)) = rest.split_once('{') {
        let (label, after) = label.split_once('}').unwrap_or((label, ""));
        filled.push_str(before);
        filled.push_str(members.get(label).and_then(Json::as_str).unwrap_or_default());
        rest = after;
    }
    filled + rest
}

/// A scalar as text, instants in their own format or else in `default`.
fn text(service: &Service, of: &Reference, value: &Json, default: TimestampFormat) -> String {
    let shape = service.shape(of);
    let plain = |value: &Json| match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    if shape.kind != ShapeType::Timestamp {
        return plain(value);
    }
    let format = of.timestamp.or(shape.timestamp).unwrap_or(default);
    // What is no instant is the service's to refuse.
    time::written(value, format).as_ref().map_or_else(|| plain(value), plain)
}

/// Everything but the unreserved characters of RFC 3986 as `%XX`.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    percent_encoded_but(text, b"-._~")
}

fn percent_encoded_but(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
