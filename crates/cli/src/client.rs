//! The client of a Stepwell server: AWS's JSON protocol and the endpoints under `/_stepwell/`, as any other client
//! would speak them.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::args::{DEFAULT_ADDRESS, EndpointArgs};
use crate::outcome::CommandError;

/// Bytes of an answer; a page of history has a few million at the most.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest time for one answer. Nothing that the command line asks takes long: what does is polled.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Why there is no answer, or not the one hoped for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens there.
    #[error("no Stepwell server answers at {url}: {reason}")]
    NoServer {
        /// Where.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// The server refused: what AWS calls an exception.
    #[error("{message} ({code})")]
    Refused {
        /// The exception's name.
        code: String,
        /// The server's text.
        message: String,
    },
    /// Something else answers there.
    #[error("{url} does not answer as a Stepwell server does: {reason}")]
    Strange {
        /// Where.
        url: String,
        /// What came.
        reason: String,
    },
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::NoServer { .. } => {
                CommandError::unusable(error.to_string()).hint("start one with 'stepwell serve'")
            }
            ClientError::Refused { .. } => CommandError::failed(error.to_string()),
            ClientError::Strange { .. } => CommandError::unusable(error.to_string()),
        }
    }
}

impl ClientError {
    /// Whether the server refused with this exception.
    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(self, ClientError::Refused { code, .. } if code == name)
    }
}

/// Speaks to one server.
#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// The URL that the arguments or the environment name; `None` where neither does.
pub(crate) fn explicit_endpoint(argument: Option<&str>) -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    argument
        .map(str::to_owned)
        .or_else(|| variable("AWS_ENDPOINT_URL_SFN"))
        .or_else(|| variable("AWS_ENDPOINT_URL"))
}

impl Client {
    /// A client of the server that the arguments, the environment or the default names. Connects to nothing yet.
    ///
    /// Errors: the URL is none.
    pub(crate) fn from_args(args: &EndpointArgs) -> Result<Client, CommandError> {
        let url = explicit_endpoint(args.endpoint_url.as_deref());
        Client::new(&url.unwrap_or_else(|| format!("http://{DEFAULT_ADDRESS}")))
    }

    /// A client of the server at `url`.
    ///
    /// Errors: the URL is none.
    pub(crate) fn new(url: &str) -> Result<Client, CommandError> {
        let uri: Option<Uri> = url.parse().ok();
        let usable = uri
            .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")))
            .is_some_and(|uri| uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none());
        if !usable {
            return Err(CommandError::unusable(format!("'{url}' is no URL of a server"))
                .hint(format!("it looks like http://{DEFAULT_ADDRESS}")));
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_secs(10)));
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Client {
            base: url.trim_end_matches('/').to_owned(),
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// The server's URL, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    /// An operation of Step Functions.
    pub(crate) async fn states(&self, operation: &str, input: Value) -> Result<Value, ClientError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/", self.base))
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
            .body(Full::new(Bytes::from(input.to_string())));
        self.answer(request).await
    }

    /// A request to one of Stepwell's own endpoints; `path` begins after `/_stepwell/`.
    pub(crate) async fn own(&self, method: Method, path: &str, body: Bytes) -> Result<Value, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_stepwell/{path}", self.base))
            // Web pages cannot send this header to us without asking first, and we do not allow it.
            .header(crate::system::OWN_HEADER, "1")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        self.answer(request).await
    }

    async fn answer(&self, request: http::Result<Request<Full<Bytes>>>) -> Result<Value, ClientError> {
        let request = request.map_err(|error| self.strange(error.to_string()))?;
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(request)).await;
        let (status, body) = answered.unwrap_or_else(|_| Err(self.strange("it takes too long")))?;
        let parsed: Result<Value, _> =
            if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
        let Ok(value) = parsed else {
            return Err(self.strange(format!("status {status}, and the body is no JSON")));
        };
        if status.is_success() {
            return Ok(value);
        }
        Err(match refusal(&value) {
            Some((code, message)) => ClientError::Refused { code, message },
            None => self.strange(format!("status {status}")),
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ClientError> {
        let response = self.http.request(request).await.map_err(|error| {
            let reason = innermost(&error);
            if error.is_connect() {
                ClientError::NoServer { url: self.base.clone(), reason }
            } else {
                self.strange(format!("the connection broke: {reason}"))
            }
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| self.strange(format!("the answer broke off: {error}")))?;
        Ok((status, body.to_bytes()))
    }

    fn strange(&self, reason: impl Into<String>) -> ClientError {
        ClientError::Strange { url: self.base.clone(), reason: reason.into() }
    }
}

/// Name and text of the exception in an error's body.
fn refusal(body: &Value) -> Option<(String, String)> {
    let code = body.get("__type").or_else(|| body.get("code"))?.as_str()?;
    let code = code.rsplit('#').next().unwrap_or(code).to_owned();
    let message = body.get("message").or_else(|| body.get("Message")).and_then(Value::as_str);
    Some((code, message.unwrap_or("no reason was given").to_owned()))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_urls_of_servers_are_taken() {
        for (url, taken) in [
            ("http://127.0.0.1:8083", true),
            ("http://127.0.0.1:8083/", true),
            ("https://sfn.example.org/base", true),
            ("127.0.0.1:8083", false),
            ("ftp://x", false),
            ("http://", false),
            ("", false),
        ] {
            assert_eq!(Client::new(url).is_ok(), taken, "{url}");
        }
    }

    #[test]
    fn an_exception_is_found_in_either_spelling() {
        let body =
            json!({"__type": "com.amazonaws.swf.service.v2.model#InvalidArn", "message": "Invalid Arn"});
        assert_eq!(refusal(&body), Some(("InvalidArn".into(), "Invalid Arn".into())));
        let body = json!({"__type": "X", "Message": "m"});
        assert_eq!(refusal(&body), Some(("X".into(), "m".into())));
        assert_eq!(refusal(&json!([])), None);
    }
}
