use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// A boxed future, as [`Service::call`] returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One request: an operation of a service with its input members, named and cased as in the service's API model.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// `SendMessage`, `GetItem`, `Invoke` …
    pub operation: String,
    /// The input structure. Blob members are base64 text, except the one that travels as the body.
    pub input: Value,
    /// The raw HTTP body of an operation whose payload member is a blob (`Invoke`); empty for all others.
    pub body: Bytes,
    /// `host:port` by which the client reached us, where there was one; for URLs in answers (queue URLs).
    pub host: Option<String>,
    /// `X-Amzn-Trace-Id`, where the request had one; else `traceparent`, where the input names no `traceHeader`.
    pub trace_id: Option<String>,
    /// Whether the client reached us by TLS; for the same URLs.
    pub secure: bool,
}

impl Call {
    /// A call with only an operation and its input.
    #[must_use]
    pub fn new(operation: impl Into<String>, input: Value) -> Self {
        Call { operation: operation.into(), input, ..Call::default() }
    }

    /// `http://host:port` or `https://host:port` by which the client reached us, where there was one.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        let scheme = if self.secure { "https" } else { "http" };
        self.host.as_ref().map(|host| format!("{scheme}://{host}"))
    }
}

/// A successful answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status, 200 for nearly all operations.
    pub status: u16,
    /// Extra response headers that carry output members (`X-Amz-Function-Error` …).
    pub headers: Vec<(String, String)>,
    /// The output structure; `{}` for none. Not sent where `body` is given.
    pub output: Value,
    /// The raw body of an operation whose payload member is a blob (`Invoke`).
    pub body: Option<Bytes>,
    /// The request id, a UUID, as in the `x-amzn-RequestId` header.
    pub request_id: Option<String>,
}

impl Reply {
    /// Status 200 with this output structure.
    #[must_use]
    pub fn ok(output: Value) -> Self {
        Reply { status: 200, headers: Vec::new(), output, body: None, request_id: None }
    }

    /// Status 200 and an empty structure.
    #[must_use]
    pub fn empty() -> Self {
        Reply::ok(json!({}))
    }

    /// The value of the header `name` (case-insensitive), where the answer has it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// A refused call: what AWS calls an exception.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// The exception's short name as SDKs see it: `ResourceNotFoundException`, `ValidationException` …
    pub code: String,
    /// AWS's text.
    pub message: String,
    /// HTTP status: 400 for most, 404 and 409 for some of Lambda's, 500 for our own failures.
    pub status: u16,
    /// The namespace before `#` in `__type` on the JSON protocols; `None` sends the bare code.
    pub namespace: Option<&'static str>,
    /// Further members of the error body (`reason`, `resourceName`, `CancellationReasons` …).
    pub members: Map<String, Value>,
    /// Extra response headers that belong to the error (`x-amzn-query-error` of SQS …).
    pub headers: Vec<(String, String)>,
    /// The request id, where the service gave one.
    pub request_id: Option<String>,
}

impl Fault {
    /// A client error with status 400.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Fault {
            code: code.into(),
            message: message.into(),
            status: 400,
            namespace: None,
            members: Map::new(),
            headers: Vec::new(),
            request_id: None,
        }
    }

    /// The same with another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with the namespace that stands before `#` in `__type`.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &'static str) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// The code of a service that once spoke the query protocol, where it differs from the exception's name
    /// (`AWS.SimpleQueueService.NonExistentQueue` for `QueueDoesNotExist`): the part before `;` of the header
    /// `x-amzn-query-error`, else [`Fault::code`]. SDKs and Step Functions causes show this one.
    #[must_use]
    pub fn query_code(&self) -> &str {
        let header = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-amzn-query-error"));
        header.and_then(|(_, value)| value.split(';').next()).unwrap_or(&self.code)
    }

    /// A failure of ours, status 500; `message` must hold nothing secret.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Fault::new("InternalFailure", message).with_status(500)
    }

    /// An operation that this service does not serve, as AWS's JSON protocols answer it, naming it.
    #[must_use]
    pub fn unknown_operation(service: &str, operation: &str) -> Self {
        Fault::new(
            "UnknownOperationException",
            format!("The operation {operation} of {service} is not supported by Stepwell"),
        )
    }
}

/// A service that answers API calls: embedded in this process, or a client of one elsewhere.
pub trait Service: Send + Sync {
    /// Short name, as in endpoint variables and ARNs: `states`, `lambda`, `dynamodb`, `sqs`.
    fn name(&self) -> &'static str;

    /// Answers one call. Never panics on input; the future may be dropped at any await point.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>>;
}
