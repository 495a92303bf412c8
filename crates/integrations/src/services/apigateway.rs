//! `apigateway:invoke`: one request to an API of API Gateway, by its host name.
//!
//! Served without authorization (`NO_AUTH`); requests that AWS would sign with the role are refused by name. Unlike on
//! AWS the endpoint may begin with `http://`: an API beside this server may have no certificate.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use stepwell_asl::payload::Payload;
use stepwell_asl::value::{Object, Value};

use super::http::{form, status_text};
use crate::endpoint::http_client::{Answer, HttpClient};
use crate::failure::Failure;
use crate::parameters::{Api, members, unusable};
use crate::task::TaskRequest;

/// Longest integration time of API Gateway is 29 seconds unless raised.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Headers that the integration does not let through, in lower case, besides `x-forwarded-*`, `x-amz-*`, `x-amzn-*`.
/// Source: "Call API Gateway", disallowed headers.
const REFUSED_HEADERS: [&str; 8] =
    ["connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"];

/// Runs the task.
pub(crate) async fn invoke(client: &HttpClient, api: &Api, task: &TaskRequest) -> Result<Payload, Failure> {
    let parameters = task.parameters.value();
    members(api, parameters)?;
    let request = request(parameters)?;
    let answer = client.send(request, ANSWER_TIMEOUT).await;
    let answer = answer.map_err(|fault| Failure::new(format!("ApiGateway.{}", fault.code), fault.message))?;
    if answer.status.is_success() {
        return Ok(result(&answer));
    }
    let error = format!("ApiGateway.{}", answer.status.as_u16());
    Err(Failure::new(error, String::from_utf8_lossy(&answer.body)))
}

fn request(parameters: &Value) -> Result<Request<Full<Bytes>>, Failure> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    match text("AuthType") {
        None | Some("NO_AUTH") => {}
        Some(other) => {
            return Err(Failure::runtime(format!(
                "apigateway:invoke with AuthType '{other}' is not supported by this version of Stepwell, only NO_AUTH is"
            )));
        }
    }
    let mut invalid = Vec::new();
    let uri = uri(parameters);
    let method = text("Method").and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let headers = headers(parameters);
    for (name, is_missing) in
        [("ApiEndpoint", uri.is_none()), ("Method", method.is_none()), ("Headers", headers.is_none())]
    {
        if is_missing {
            invalid.push(format!("The value of the field '{name}' has an invalid format"));
        }
    }
    let (Some(uri), Some(method), Some(headers)) = (uri, method, headers) else {
        return Err(unusable(parameters, &invalid));
    };
    let mut request = Request::builder().method(method).uri(uri);
    if !headers.iter().any(|(name, _)| name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let body = Full::new(Bytes::from(body(parameters)));
    request.body(body).map_err(|error| unusable(parameters, &[error.to_string()]))
}

/// `https://<ApiEndpoint>/<Stage>/<Path>?<QueryParameters>`
fn uri(parameters: &Value) -> Option<Uri> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    let endpoint = text("ApiEndpoint");
    let mut uri = if endpoint.starts_with("http://") || endpoint.starts_with("https://") {
        endpoint.trim_end_matches('/').to_owned()
    } else {
        format!("https://{}", endpoint.trim_end_matches('/'))
    };
    for part in [text("Stage"), text("Path")] {
        if !part.is_empty() {
            uri.push('/');
            uri.push_str(part.trim_start_matches('/'));
        }
    }
    let query = lists(parameters, "QueryParameters")?;
    if !query.is_empty() {
        uri.push('?');
        uri.push_str(&form::encoded(&query));
    }
    let uri: Uri = uri.parse().ok()?;
    uri.host().is_some_and(|host| !host.is_empty()).then_some(uri)
}

/// `None` where one of them cannot be sent.
fn headers(parameters: &Value) -> Option<Vec<(String, String)>> {
    let mut headers = lists(parameters, "Headers")?;
    for (name, value) in &mut headers {
        name.make_ascii_lowercase();
        HeaderName::try_from(name.as_str()).ok()?;
        HeaderValue::try_from(value.as_str()).ok()?;
        let is_refused = REFUSED_HEADERS.contains(&name.as_str())
            || ["x-forwarded-", "x-amz-", "x-amzn-"].iter().any(|prefix| name.starts_with(prefix));
        if is_refused {
            return None;
        }
    }
    Some(headers)
}

/// An object of lists, as pairs.
fn lists(parameters: &Value, field: &str) -> Option<Vec<(String, String)>> {
    let given = match parameters.get(field) {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(given) => given.as_object()?,
    };
    let mut pairs = Vec::new();
    for (name, values) in given.iter() {
        for value in values.as_array()? {
            pairs.push((name.to_string(), form::scalar(value)));
        }
    }
    Some(pairs)
}

/// JSON, also for a text; without its `null` members unless these are asked for.
fn body(parameters: &Value) -> String {
    let allows_null = parameters.get("AllowNullValues").and_then(Value::as_bool).unwrap_or(false);
    match parameters.get("RequestBody") {
        None | Some(Value::Null) => String::new(),
        Some(body) if allows_null => body.to_json(),
        Some(body) => without_null(body).to_json(),
    }
}

fn without_null(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !matches!(value, Value::Null));
            Value::from(members.map(|(name, value)| (name.clone(), without_null(value))).collect::<Object>())
        }
        Value::Array(elements) => Value::from(elements.iter().map(without_null).collect::<Vec<_>>()),
        other => other.clone(),
    }
}

fn result(answer: &Answer) -> Payload {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let body = match Payload::parse(text.as_str()) {
        Ok(document) => document.value().clone(),
        Err(_) => Value::from(text),
    };
    let mut headers = Object::new();
    for name in answer.headers.keys() {
        let values = answer.headers.get_all(name).iter();
        let values: Vec<Value> =
            values.map(|value| Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
        headers.insert(title_case(name.as_str()), Value::from(values));
    }
    let mut result = Object::new();
    result.insert("Headers", Value::from(headers));
    result.insert("ResponseBody", body);
    result.insert("StatusCode", i64::from(answer.status.as_u16()));
    result.insert("StatusText", status_text(answer.status));
    Payload::from_value(Value::from(result))
}

/// `Content-Type`, as AWS shows most headers; how they were written is lost on the way.
fn title_case(name: &str) -> String {
    let parts: Vec<_> = name
        .split('-')
        .map(|part| {
            let mut characters = part.chars();
            let first = characters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(characters).collect::<String>()
        })
        .collect();
    parts.join("-")
}
