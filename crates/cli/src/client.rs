//! The client of a Stepwell server: AWS's JSON protocol and the endpoints under `/_stepwell/`, as any other client
//! would speak them. It signs where the environment has credentials, as AWS's own tools do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use stepwell_integrations::Credentials;
use stepwell_integrations::endpoint::{Scope, Style, signature};

use crate::args::{DEFAULT_ADDRESS, EndpointArgs};
use crate::outcome::CommandError;
use crate::system::{OWN_HEADER, OWN_SIGNING_NAME};

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
            ClientError::NoServer { reason, .. } => {
                let unusable = CommandError::unusable(error.to_string());
                if reason.contains("CaUsedAsEndEntity") {
                    unusable.hint("a certificate that signs itself is trusted if it is made with CA:FALSE")
                } else if reason.contains("certificate") {
                    unusable.hint("--ca-bundle or AWS_CA_BUNDLE names the certificates to trust")
                } else {
                    unusable.hint("start one with 'stepwell serve'")
                }
            }
            ClientError::Refused { code, .. } => {
                let failed = CommandError::failed(error.to_string());
                match code.as_str() {
                    "MissingAuthenticationTokenException" => failed.hint(
                        "the server takes signed requests only: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                         AWS_PROFILE",
                    ),
                    "UnrecognizedClientException" => {
                        failed.hint("the server has other credentials than this environment or profile")
                    }
                    "InvalidSignatureException" => failed.hint(
                        "the secret access key, AWS_REGION and the clock of this machine must be as the server has them",
                    ),
                    _ => failed,
                }
            }
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
    /// `host:port` of the URL.
    authority: String,
    signer: Option<Arc<Signer>>,
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What requests are signed with.
struct Signer {
    credentials: Credentials,
    region: String,
}

impl Signer {
    /// As the environment and the shared credentials file say; `None` where they have no credentials.
    fn from_environment() -> Option<Signer> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let credentials = Credentials::from_env(variable)?;
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        Some(Signer { credentials, region: region.unwrap_or_else(|| "us-east-1".to_owned()) })
    }
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
    /// Errors: the URL is none, or the certificates cannot be read.
    pub(crate) fn from_args(args: &EndpointArgs) -> Result<Client, CommandError> {
        let url = explicit_endpoint(args.endpoint_url.as_deref());
        let url = url.unwrap_or_else(|| format!("http://{DEFAULT_ADDRESS}"));
        Client::new(&url, args.ca_bundle.as_deref())
    }

    /// A client of the server at `url`, which trusts the certificates of a PEM file, or of the one that `AWS_CA_BUNDLE`
    /// names, instead of the well-known ones.
    ///
    /// Errors: the URL is none, or the certificates cannot be read.
    pub(crate) fn new(url: &str, ca_bundle: Option<&Path>) -> Result<Client, CommandError> {
        let uri: Option<Uri> = url.parse().ok();
        let authority = uri
            .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none())
            .filter(|uri| uri.host().is_some_and(|host| !host.is_empty()))
            .and_then(|uri| Some(uri.authority()?.to_string()));
        let Some(authority) = authority else {
            return Err(CommandError::unusable(format!("'{url}' is no URL of a server"))
                .hint(format!("it looks like http://{DEFAULT_ADDRESS}")));
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_secs(10)));
        let builder = HttpsConnectorBuilder::new();
        let of_environment =
            std::env::var_os("AWS_CA_BUNDLE").filter(|file| !file.is_empty()).map(PathBuf::from);
        let ca_bundle = ca_bundle.or(of_environment.as_deref()).filter(|_| url.starts_with("https:"));
        let builder = match ca_bundle {
            None => builder.with_webpki_roots(),
            Some(file) => builder.with_tls_config(trusting(file)?),
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Client {
            base: url.trim_end_matches('/').to_owned(),
            authority,
            signer: Signer::from_environment().map(Arc::new),
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
            .body(Bytes::from(input.to_string()));
        self.answer("states", request).await
    }

    /// A request to one of Stepwell's own endpoints; `path` begins after `/_stepwell/`.
    pub(crate) async fn own(&self, method: Method, path: &str, body: Bytes) -> Result<Value, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_stepwell/{path}", self.base))
            // Web pages cannot send this header to us without asking first, and we do not allow it.
            .header(OWN_HEADER, "1")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        self.answer(OWN_SIGNING_NAME, request).await
    }

    async fn answer(
        &self,
        service: &str,
        request: http::Result<Request<Bytes>>,
    ) -> Result<Value, ClientError> {
        let mut request = request.map_err(|error| self.strange(error.to_string()))?;
        self.sign(service, &mut request).map_err(|error| self.strange(error))?;
        let request = request.map(Full::new);
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

    /// Signs a request for `service`, where there are credentials to sign with.
    fn sign(&self, service: &str, request: &mut Request<Bytes>) -> Result<(), String> {
        let Some(signer) = &self.signer else { return Ok(()) };
        let host = HeaderValue::from_str(&self.authority).map_err(|error| error.to_string())?;
        request.headers_mut().insert(header::HOST, host);
        let (method, url) = (request.method().to_string(), request.uri().to_string());
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let scope = Scope { region: &signer.region, service, style: Style::Announced };
        let signed = signature(&signer.credentials, scope, &method, &url, headers, request.body())?;
        for (name, value) in signed {
            let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
            let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
            request.headers_mut().insert(name, value);
        }
        Ok(())
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

/// TLS that trusts the certificates of a PEM file, and no others.
fn trusting(file: &Path) -> Result<ClientConfig, CommandError> {
    let failed = |reason: &dyn std::fmt::Display| {
        CommandError::unusable(format!("cannot read certificates from {}: {reason}", file.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))? {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() {
        return Err(failed(&"there is none in it"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(|error| failed(&error))?.with_root_certificates(roots).with_no_client_auth())
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
            assert_eq!(Client::new(url, None).is_ok(), taken, "{url}");
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
