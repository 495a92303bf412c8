//! [`HttpService`]: a [`Service`] that forwards each call, signed, to an endpoint elsewhere.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Uri};
use http_body_util::Full;
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_models::{EncodeError, Outgoing, Service as Model};

use super::http_client::{HttpClient, client_failure};
use super::signing::{Scope, Style, signature};
use super::{Credentials, Endpoint, EndpointError, unknown_service};
use crate::catalog;

/// How long an answer may take; a function may run for 15 minutes before `Invoke` answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const INVOKE_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 30);

/// A client of one service. Requests are signed with Signature Version 4 and never repeated.
pub struct HttpService {
    name: &'static str,
    model: Arc<Model>,
    base: Uri,
    /// Whether the base is AWS's own.
    is_aws: bool,
    region: String,
    credentials: Option<Credentials>,
    client: HttpClient,
    answer_timeout: Duration,
}

impl HttpService {
    /// A client of `service` (`dynamodb`, `sqs`, `secretsmanager` …) at `endpoint`. An endpoint of one's own is also
    /// called without credentials, with made-up ones: DynamoDB Local and its like want a signature and do not check it.
    /// Connects to nothing yet. [`Endpoint::Embedded`] is taken as AWS's own.
    ///
    /// Errors: an unknown service, or [`EndpointError::Client`].
    pub fn new(
        service: &str,
        endpoint: &Endpoint,
        account: &Account,
        credentials: Option<Credentials>,
    ) -> Result<HttpService, EndpointError> {
        HttpService::with_client(service, endpoint, account, credentials, HttpClient::new()?)
    }

    pub(super) fn with_client(
        service: &str,
        endpoint: &Endpoint,
        account: &Account,
        credentials: Option<Credentials>,
        client: HttpClient,
    ) -> Result<HttpService, EndpointError> {
        let name = catalog::setting(service).ok_or_else(|| unknown_service(service))?;
        let model = catalog::model(name).ok_or_else(|| unknown_service(service))?;
        let mut region = account.region.clone();
        let (base, credentials, is_aws) = match endpoint {
            Endpoint::Url(url) => (url.clone(), credentials.or_else(|| Some(made_up())), false),
            Endpoint::Aws | Endpoint::Embedded => {
                let host = aws_host(&model, account, &mut region);
                let url = format!("https://{host}");
                let base = url.parse().map_err(|_| EndpointError::BadUrl { service: name, url })?;
                (base, credentials, true)
            }
        };
        Ok(HttpService {
            name,
            model,
            base,
            is_aws,
            region,
            credentials,
            client,
            answer_timeout: if name == "lambda" { INVOKE_TIMEOUT } else { ANSWER_TIMEOUT },
        })
    }

    /// The same with another limit for a whole answer; by default 60 seconds, and for Lambda 15 minutes and a half.
    #[must_use]
    pub fn with_answer_timeout(mut self, timeout: Duration) -> HttpService {
        self.answer_timeout = timeout;
        self
    }

    async fn forward(&self, call: Call) -> Result<Reply, Fault> {
        let outgoing = self.model.encode(&call).map_err(|error| match error {
            EncodeError::UnknownOperation { .. } => Fault::unknown_operation(self.name, &call.operation),
            EncodeError::Label(_) | EncodeError::EventStream(_) => self.cannot(&error),
        })?;
        let unsigned = self.model.operations.get(&call.operation).is_some_and(|o| o.unsigned);
        let request = self.request(outgoing, unsigned)?;
        let answer = self.client.send(request, self.answer_timeout).await?;
        let reply = self.model.decode(&call.operation, answer.status, &answer.headers, &answer.body);
        reply.map_err(|fault| Fault { namespace: namespace(self.name), ..fault })
    }

    fn cannot(&self, what: &dyn std::fmt::Display) -> Fault {
        client_failure(format!("Unable to build the HTTP request to {}: {what}", self.name))
    }

    fn request(&self, outgoing: Outgoing, unsigned: bool) -> Result<Request<Full<bytes::Bytes>>, Fault> {
        let host = self.base.authority().map_or_else(String::new, ToString::to_string);
        // An endpoint of one's own has one name.
        let prefix = outgoing.host_prefix.as_deref().filter(|_| self.is_aws).unwrap_or_default();
        let host = format!("{prefix}{host}");
        let base = format!("{}://{host}{}", self.base.scheme_str().unwrap_or("https"), self.base.path());
        let url = format!("{}{}", base.trim_end_matches('/'), outgoing.path_and_query);
        let mut headers = outgoing.headers;
        headers.push(("host".into(), host));
        if !unsigned {
            let signed = self.signature(&outgoing.method, &url, &headers, &outgoing.body)?;
            headers.extend(signed);
        }
        let mut request = Request::builder().method(outgoing.method.as_str()).uri(&url);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        request.body(Full::new(outgoing.body)).map_err(|e| self.cannot(&e))
    }

    /// The headers that carry the signature.
    fn signature(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<(String, String)>, Fault> {
        let credentials = self.credentials.as_ref().ok_or_else(|| {
            client_failure("Unable to load AWS credentials from the environment or a profile")
        })?;
        let style = if self.name == "s3" { Style::Object } else { Style::Plain };
        let scope = Scope { region: &self.region, service: self.model.signing_name(), style };
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        signature(credentials, scope, method, url, headers, body).map_err(|error| self.cannot(&error))
    }
}

impl Service for HttpService {
    fn name(&self) -> &'static str {
        self.name
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        Box::pin(self.forward(call))
    }
}

fn made_up() -> Credentials {
    Credentials {
        access_key_id: "stepwell".into(),
        secret_access_key: "stepwell".into(),
        session_token: None,
    }
}

/// The service's host on AWS; `region` becomes the one that requests are signed for.
fn aws_host(model: &Model, account: &Account, region: &mut String) -> String {
    if let (Some(global), "aws") = (&model.global, &*account.partition) {
        region.clone_from(&global.1);
        return global.0.clone();
    }
    let suffix = if account.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{}.{region}.{suffix}", model.endpoint)
}

/// Namespace of error types, for clients that an answer is passed on to.
fn namespace(service: &str) -> Option<&'static str> {
    match service {
        "dynamodb" => Some("com.amazonaws.dynamodb.v20120810"),
        "sqs" => Some("com.amazonaws.sqs"),
        _ => None,
    }
}
