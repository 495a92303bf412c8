//! Lambda's REST protocol: which operation a method and path mean, how a request becomes a [`Call`], and how a
//! [`Reply`] or [`Fault`] becomes status, headers and body. Pure functions over plain data; sockets and HTTP server
//! types belong to the caller.

mod table;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use stepwell_aws::{Call, Fault, Reply};

/// How an input member is written in a query or header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it is.
    Text,
    /// A decimal number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// The parameter occurs once per element.
    List,
}

/// An input member that travels in the query or in a header.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its name in the API model.
    pub name: &'static str,
    /// The query parameter's or (lower case) header's name.
    pub wire: &'static str,
    /// How it is written.
    pub kind: Kind,
}

/// One operation's binding to HTTP.
#[derive(Debug)]
pub struct Binding {
    /// The operation's name in the API model.
    pub operation: &'static str,
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// The path, with `{Member}` where an input member stands.
    pub path: &'static str,
    /// A query string that the SDKs always send and that names no member; empty for nearly all.
    pub fixed_query: &'static str,
    /// The status of a success.
    pub status: u16,
    /// Whether the body is a blob (`Invoke`) and not JSON.
    pub raw_body: bool,
    /// The members in the query.
    pub query: &'static [Member],
    /// The members in headers.
    pub headers: &'static [Member],
}

/// The bindings of all operations.
#[must_use]
pub fn bindings() -> &'static [Binding] {
    table::BINDINGS
}

/// What a method and path mean: the binding and the members found in the path.
#[derive(Debug, Clone)]
pub struct Route {
    /// The operation's binding.
    pub binding: &'static Binding,
    /// Members in the path, decoded, by their names in the API model.
    pub members: Vec<(&'static str, String)>,
}

/// The route of `method` and `path` (as in the request line, still percent-encoded, without the query); `None` where
/// Lambda has no such operation. A trailing slash is allowed.
#[must_use]
pub fn route(method: &str, path: &str) -> Option<Route> {
    table::BINDINGS.iter().filter(|b| b.method == method).find_map(|binding| {
        let members = match_path(binding.path, path)?;
        Some(Route { binding, members })
    })
}

fn match_path(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut members = Vec::new();
    let mut segments = path.split('/');
    for part in template.split('/') {
        let segment = segments.next()?;
        match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => members.push((name, percent_decode(segment)?)),
            None if part == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(members)
}

/// Makes the call out of a request. `query` is the raw text after `?` (may be empty). A body that is not JSON, or not
/// an object, is a `SerializationException`.
pub fn call(route: &Route, query: &str, headers: &HeaderMap, body: Bytes) -> Result<Call, Fault> {
    let binding = route.binding;
    let mut input = Map::new();
    if !binding.raw_body && !body.is_empty() {
        match serde_json::from_slice(&body) {
            Ok(Value::Object(members)) => input = members,
            Ok(_) => return Err(serialization("the body is not a JSON object")),
            Err(e) => return Err(serialization(&format!("the body is not JSON: {e}"))),
        }
    }
    let pairs = query_pairs(query)?;
    for member in binding.query {
        let values = pairs.iter().filter(|(name, _)| name == member.wire).map(|(_, v)| v.as_str());
        insert(&mut input, *member, values)?;
    }
    for member in binding.headers {
        let values = headers.get_all(member.wire).iter().filter_map(|v| v.to_str().ok());
        insert(&mut input, *member, values)?;
    }
    for (name, value) in &route.members {
        input.insert((*name).to_owned(), Value::String(value.clone()));
    }
    Ok(Call {
        operation: binding.operation.to_owned(),
        input: Value::Object(input),
        body: if binding.raw_body { body } else { Bytes::new() },
        secure: false,
        host: headers.get(http::header::HOST).and_then(|h| h.to_str().ok()).map(str::to_owned),
        ..Call::default()
    })
}

fn insert<'a>(
    input: &mut Map<String, Value>,
    member: Member,
    mut values: impl Iterator<Item = &'a str>,
) -> Result<(), Fault> {
    let value = match member.kind {
        Kind::List => {
            let all: Vec<Value> = values.map(|v| Value::String(v.to_owned())).collect();
            if all.is_empty() {
                return Ok(());
            }
            Value::Array(all)
        }
        kind => {
            let Some(text) = values.next() else { return Ok(()) };
            scalar(kind, text)
                .ok_or_else(|| serialization(&format!("'{text}' is no value for {}", member.name)))?
        }
    };
    input.insert(member.name.to_owned(), value);
    Ok(())
}

fn scalar(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        Kind::Boolean => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Text | Kind::List => Some(Value::String(text.to_owned())),
    }
}

/// Status, headers and body of a success. `operation` is the called operation's name.
#[must_use]
pub fn reply(operation: &str, reply: &Reply) -> (StatusCode, HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    put(&mut headers, "x-amzn-requestid", reply.request_id.as_deref().unwrap_or_default());
    for (name, value) in &reply.headers {
        put(&mut headers, name, value);
    }
    let bound = table::BINDINGS.iter().find(|b| b.operation == operation).map_or(200, |b| b.status);
    let status = if reply.status == 200 { bound } else { reply.status };
    let body = match (&reply.body, status) {
        (Some(body), _) => body.clone(),
        (None, 204) => Bytes::new(),
        (None, _) => Bytes::from(reply.output.to_string()),
    };
    if !headers.contains_key(http::header::CONTENT_TYPE) && !body.is_empty() {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), headers, body)
}

/// Exceptions whose text is in a member `Message` with a capital; all others have `message`.
const CAPITAL_MESSAGE: &[&str] = &[
    "CallbackTimeoutException",
    "CodeSigningConfigNotFoundException",
    "CodeVerificationFailedException",
    "InvalidCodeSignatureException",
    "InvalidRuntimeException",
    "InvalidZipFileException",
    "NoPublishedVersionException",
    "RecursiveInvocationException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "ServiceException",
];

/// Status, headers and body of a refusal.
#[must_use]
pub fn fault(fault: &Fault) -> (StatusCode, HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(&mut headers, "x-amzn-requestid", fault.request_id.as_deref().unwrap_or_default());
    put(&mut headers, "x-amzn-errortype", &fault.code);
    for (name, value) in &fault.headers {
        put(&mut headers, name, value);
    }
    let message = if CAPITAL_MESSAGE.contains(&fault.code.as_str()) { "Message" } else { "message" };
    let kind = if fault.status >= 500 { "Service" } else { "User" };
    let mut body = json!({ "Type": kind, message: fault.message });
    if let Value::Object(members) = &mut body {
        members.extend(fault.members.clone());
    }
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, headers, Bytes::from(body.to_string()))
}

/// Adds a header; a value that HTTP cannot carry, or an empty one, is left out.
fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

fn serialization(message: &str) -> Fault {
    Fault::new("SerializationException", message)
}

fn query_pairs(query: &str) -> Result<Vec<(String, String)>, Fault> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| percent_decode(&text.replace('+', " "));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => Ok((name, value)),
                _ => Err(serialization("the query string is not valid percent-encoded UTF-8")),
            }
        })
        .collect()
}

/// Undoes percent-encoding; `None` where an escape is cut short or the bytes are not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_operations() {
        let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af";
        let cases = [
            ("POST", "/2015-03-31/functions", Some("CreateFunction")),
            ("GET", "/2015-03-31/functions/", Some("ListFunctions")),
            ("GET", "/2015-03-31/functions/f", Some("GetFunction")),
            ("DELETE", "/2015-03-31/functions/f", Some("DeleteFunction")),
            ("POST", "/2015-03-31/functions/f/invocations", Some("Invoke")),
            ("PUT", "/2015-03-31/functions/f/code", Some("UpdateFunctionCode")),
            ("DELETE", "/2015-03-31/functions/f/policy/s", Some("RemovePermission")),
            ("PATCH", "/2015-03-31/functions/f", None),
            ("GET", "/2015-03-31/functions//code", None),
            ("GET", "/", None),
        ];
        for (method, path, expected) in cases {
            assert_eq!(route(method, path).map(|r| r.binding.operation), expected, "{method} {path}");
        }
        let found = route("GET", &format!("/2017-03-31/tags/{arn}")).expect("a route");
        assert_eq!(found.members[0].1, "arn:aws:lambda:us-east-1:000000000000:function:f");
    }

    #[test]
    fn no_two_operations_share_a_method_and_path_but_for_a_fixed_query() {
        for (i, a) in bindings().iter().enumerate() {
            for b in &bindings()[i + 1..] {
                let same = a.method == b.method && a.path == b.path;
                assert!(!same || a.fixed_query != b.fixed_query, "{} and {}", a.operation, b.operation);
            }
        }
    }

    #[test]
    fn members_come_from_path_query_headers_and_body() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-invocation-type", HeaderValue::from_static("Event"));
        headers.insert("host", HeaderValue::from_static("127.0.0.1:8083"));
        let found = route("POST", "/2015-03-31/functions/f/invocations").expect("a route");
        let made =
            call(&found, "Qualifier=%24LATEST", &headers, Bytes::from_static(b"not json")).expect("a call");
        assert_eq!(made.operation, "Invoke");
        assert_eq!(
            made.input,
            json!({"Qualifier": "$LATEST", "InvocationType": "Event", "FunctionName": "f"})
        );
        assert_eq!(&made.body[..], b"not json");
        assert_eq!(made.host.as_deref(), Some("127.0.0.1:8083"));

        let found = route("GET", "/2015-03-31/functions").expect("a route");
        let made = call(&found, "MaxItems=5", &HeaderMap::new(), Bytes::new()).expect("a call");
        assert_eq!(made.input, json!({"MaxItems": 5}));
        let error = call(&found, "MaxItems=x", &HeaderMap::new(), Bytes::new()).expect_err("is refused");
        assert_eq!(error.code, "SerializationException");
        let found = route("DELETE", "/2017-03-31/tags/a").expect("a route");
        let made = call(&found, "tagKeys=a&tagKeys=b+c", &HeaderMap::new(), Bytes::new()).expect("a call");
        assert_eq!(made.input, json!({"TagKeys": ["a", "b c"], "Resource": "a"}));
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let found = route("POST", "/2015-03-31/functions").expect("a route");
        for body in ["{", "[]", "1"] {
            let error = call(&found, "", &HeaderMap::new(), Bytes::from(body)).expect_err("is refused");
            assert_eq!(error.code, "SerializationException", "{body}");
        }
    }

    #[test]
    fn answers_have_lambdas_statuses_and_bodies() {
        let (status, _, body) = reply("CreateFunction", &Reply::ok(json!({"a": 1})));
        assert_eq!((status.as_u16(), &body[..]), (201, &br#"{"a":1}"#[..]));
        let (status, _, body) = reply("DeleteFunction", &Reply::empty());
        assert_eq!((status.as_u16(), body.len()), (204, 0));
        let refused = Fault::new("ResourceNotFoundException", "gone").with_status(404);
        let (status, headers, body) = fault(&refused);
        assert_eq!(status.as_u16(), 404);
        assert_eq!(headers["x-amzn-errortype"], "ResourceNotFoundException");
        assert_eq!(&body[..], br#"{"Type":"User","Message":"gone"}"#);
    }
}
