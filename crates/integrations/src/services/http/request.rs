//! From the parameters of an HTTP task and its connection to the request.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use stepwell_asl::value::{Object, Value};

use super::form::{self, ArrayFormat};
use crate::connections::{Connection, HttpParameters};
use crate::failure::Failure;
use crate::http_trace::{HttpRequestSeen, HttpTrace};
use crate::parameters::unusable;

/// Headers that a task must not set, in lower case. Source: "Call HTTPS APIs", unsupported headers; and the length,
/// which is the body's.
const REFUSED_HEADERS: [&str; 33] = [
    "a-im",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-md5",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "referer",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
    "content-length",
];

/// The same for beginnings of names.
const REFUSED_PREFIXES: [&str; 3] = ["x-forwarded-", "x-amz-", "x-amzn-"];

const METHODS: [Method; 7] =
    [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::HEAD];

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Names and values, in an order that is kept.
type Pairs = Vec<(String, String)>;

/// What the parameters say.
pub(super) struct Wanted {
    pub(super) connection_arn: String,
    endpoint: Uri,
    method: Method,
    /// As the task writes them; each at most once.
    headers: Pairs,
    /// Those that every request has, unless the task or its connection sets them.
    general: Pairs,
    query: Pairs,
    body: Option<Value>,
    encoding: BodyEncoding,
}

/// `RequestBodyEncoding`.
#[derive(Clone, Copy)]
enum BodyEncoding {
    /// `NONE`: text as it is, everything else as JSON.
    Plain,
    /// `URL_ENCODED`
    Form(ArrayFormat),
}

impl Wanted {
    /// Errors: `States.Runtime`, naming every field from which no request can be made.
    pub(super) fn read(parameters: &Value, region: &str) -> Result<Wanted, Failure> {
        let mut problems = Problems { parameters, found: Vec::new() };
        let endpoint = problems.field("ApiEndpoint", text(parameters, "ApiEndpoint").and_then(http_uri));
        let method = problems.field("Method", text(parameters, "Method").and_then(known_method));
        let connection_arn = problems.field("Authentication", connection_arn(parameters));
        let headers = problems.field("Headers", headers(parameters));
        let query = problems.field("QueryParameters", query(parameters));
        let encoding = problems.field("Transform", body_encoding(parameters));
        let mut names = headers.iter().flatten().map(|(name, _)| name.to_ascii_lowercase());
        let refused = names.find(|name| is_refused(name));
        problems.found.extend(refused.map(|name| format!("The header '{name}' is not supported")));
        let mut general = vec![
            ("User-Agent".to_owned(), format!("Amazon|StepFunctions|HttpInvoke|{region}")),
            ("Range".to_owned(), "bytes=0-262144".to_owned()),
        ];
        general.retain(|(name, _)| !headers.iter().any(|headers| has_header(headers, name)));
        let wanted = || {
            Some(Wanted {
                connection_arn: connection_arn?,
                endpoint: endpoint?,
                method: method?,
                headers: headers?,
                general,
                query: query?,
                body: parameters.get("RequestBody").filter(|body| !matches!(body, Value::Null)).cloned(),
                encoding: encoding?,
            })
        };
        if !problems.found.is_empty() {
            return Err(unusable(parameters, &problems.found));
        }
        wanted().ok_or_else(|| unusable(parameters, &[]))
    }

    /// The request with what the connection adds and `extra`, the headers that let it in. Both win over the task's own,
    /// and both are secret to a `trace` that does not reveal them.
    pub(super) fn with(
        mut self,
        parameters: &Value,
        connection: &Connection,
        extra: Pairs,
        trace: Option<&HttpTrace>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let added = &connection.parameters;
        let mut headers = Pairs::new();
        for (name, value) in added.headers.iter().filter(|(name, _)| !has_header(&extra, name)) {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        headers.splice(0..0, extra);
        self.give_way(&headers, added).ok_or_else(|| {
            let problem = "The value of the field 'RequestBody' has an invalid format: the connection adds body \
                           parameters, so it must be an object";
            unusable(parameters, &[problem.to_owned()])
        })?;
        let hidden =
            trace.filter(|trace| !trace.reveals_secrets()).map(|trace| (trace, self.parts().seen(&self)));
        self.headers.append(&mut headers);
        self.query.extend(added.query.iter().cloned());
        if !added.body.is_empty() {
            let mut members = self.body.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
            for (name, value) in &added.body {
                members.insert(name.as_str(), value.as_str());
            }
            self.body = Some(Value::from(members));
        }
        let parts = self.parts();
        let seen = hidden.or_else(|| trace.map(|trace| (trace, parts.seen(&self))));
        let request = parts.request(&self.method).ok_or_else(|| {
            unusable(parameters, &["The connection's parameters make no valid HTTP request".to_owned()])
        })?;
        if let Some((trace, seen)) = seen {
            trace.sent(seen);
        }
        Ok(request)
    }

    /// Drops everything in whose place a connection puts something. `None` where there is no place for what it adds.
    fn give_way(&mut self, headers: &[(String, String)], added: &HttpParameters) -> Option<()> {
        self.headers.retain(|(name, _)| !has_header(headers, name));
        self.general.retain(|(name, _)| !has_header(headers, name));
        self.query.retain(|(name, _)| !added.query.iter().any(|(new, _)| new == name));
        if added.body.is_empty() {
            return Some(());
        }
        self.body = match self.body.take() {
            None => None,
            Some(Value::Object(members)) => {
                let mut members = Object::clone(&members);
                for (name, _) in &added.body {
                    members.remove(name);
                }
                Some(Value::from(members))
            }
            Some(_) => return None,
        };
        Some(())
    }

    fn parts(&self) -> Parts {
        let mut url = self.endpoint.to_string();
        if !self.query.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&form::encoded(&self.query));
        }
        let (body, content_type) = match (&self.body, self.encoding) {
            (None, _) => (None, JSON),
            (Some(Value::String(text)), BodyEncoding::Plain) => (Some(text.to_string()), JSON),
            (Some(body), BodyEncoding::Plain) => (Some(body.to_json()), JSON),
            (Some(body @ (Value::Object(_) | Value::Array(_))), BodyEncoding::Form(format)) => {
                let mut pairs = Vec::new();
                form::pairs("", body, format, &mut pairs);
                (Some(form::encoded(&pairs)), FORM)
            }
            (Some(body), BodyEncoding::Form(_)) => (Some(form::scalar(body)), FORM),
        };
        let headers = self.headers.iter().chain(&self.general).cloned().collect();
        Parts { url, headers, body, content_type }
    }
}

/// A request, written down.
struct Parts {
    url: String,
    headers: Pairs,
    body: Option<String>,
    /// The header's value where `headers` has none.
    content_type: &'static str,
}

impl Parts {
    fn request(self, method: &Method) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(method).uri(&self.url);
        if !has_header(&self.headers, "content-type") {
            request = request.header("content-type", self.content_type);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(self.body.unwrap_or_default()))).ok()
    }

    /// AWS shows no `Content-Type` that the task does not set.
    fn seen(&self, wanted: &Wanted) -> HttpRequestSeen {
        HttpRequestSeen {
            protocol: wanted.endpoint.scheme_str().unwrap_or_default().to_owned(),
            method: wanted.method.to_string(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }
}

fn has_header(headers: &[(String, String)], name: &str) -> bool {
    headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// What is wrong, field by field.
struct Problems<'a> {
    parameters: &'a Value,
    found: Vec<String>,
}

impl Problems<'_> {
    /// Notes a field that holds no usable value.
    fn field<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.found.push(match self.parameters.get(name) {
                None => format!("The field '{name}' is required but was missing"),
                Some(_) => format!("The value of the field '{name}' has an invalid format"),
            });
        }
        value
    }
}

fn text<'a>(parameters: &'a Value, name: &str) -> Option<&'a str> {
    parameters.get(name).and_then(Value::as_str)
}

fn known_method(name: &str) -> Option<Method> {
    METHODS.into_iter().find(|method| method.as_str() == name)
}

fn connection_arn(parameters: &Value) -> Option<String> {
    let mut fields = ["Authentication", "InvocationConfig"].into_iter();
    fields.find_map(|field| text(parameters.get(field)?, "ConnectionArn")).map(str::to_owned)
}

fn http_uri(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    (is_http && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

/// The task's headers.
fn headers(parameters: &Value) -> Option<Pairs> {
    let mut headers = Pairs::new();
    let given = match parameters.get("Headers") {
        None | Some(Value::Null) => return Some(headers),
        Some(given) => given.as_object()?,
    };
    for (name, value) in given.iter() {
        let value = match value {
            Value::Array(_) | Value::Object(_) | Value::Null => return None,
            scalar => form::scalar(scalar),
        };
        HeaderName::try_from(&**name).ok()?;
        HeaderValue::try_from(value.as_str()).ok()?;
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name.to_string(), value));
    }
    Some(headers)
}

fn is_refused(name: &str) -> bool {
    REFUSED_HEADERS.contains(&name) || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn query(parameters: &Value) -> Option<Pairs> {
    let given = match parameters.get("QueryParameters") {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(given) => given.as_object()?,
    };
    let mut query = Vec::new();
    for (name, value) in given.iter() {
        match value {
            Value::Object(_) => return None,
            Value::Array(elements) => {
                query.extend(elements.iter().map(|element| (name.to_string(), form::scalar(element))));
            }
            scalar => query.push((name.to_string(), form::scalar(scalar))),
        }
    }
    Some(query)
}

fn body_encoding(parameters: &Value) -> Option<BodyEncoding> {
    let transform = match parameters.get("Transform") {
        None | Some(Value::Null) => return Some(BodyEncoding::Plain),
        Some(transform) => transform.as_object()?,
    };
    let name = transform.get("RequestBodyEncoding").map_or(Some("NONE"), Value::as_str)?;
    let format = transform.get("RequestEncodingOptions").and_then(|options| options.get("ArrayFormat"));
    match name {
        "NONE" => Some(BodyEncoding::Plain),
        "URL_ENCODED" => {
            let format = format.map_or(Some("INDICES"), Value::as_str)?;
            ArrayFormat::from_name(format).map(BodyEncoding::Form)
        }
        _ => None,
    }
}
