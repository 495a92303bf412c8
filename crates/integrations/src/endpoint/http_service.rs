//! [`HttpService`]: a [`Service`] that forwards each call, signed, to an endpoint elsewhere.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{Request, Uri};
use http_body_util::Full;
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};

use super::http_client::{HttpClient, client_failure};
use super::protocol::{self, Outgoing, Protocol};
use super::{Credentials, Endpoint, EndpointError, unknown_service};
use crate::catalog;

/// How long an answer may take; a function may run for 15 minutes before `Invoke` answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const INVOKE_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 30);

/// A client of one service. Requests are signed with Signature Version 4 and never repeated.
pub struct HttpService {
    name: &'static str,
    protocol: Protocol,
    base: Uri,
    region: String,
    credentials: Option<Credentials>,
    client: HttpClient,
    answer_timeout: Duration,
}

impl HttpService {
    /// A client of `service` (`dynamodb`, `sqs` …) at `endpoint`. An endpoint of one's own is also called without
    /// credentials, with made-up ones: DynamoDB Local and its like want a signature and do not check it.
    /// Connects to nothing yet. [`Endpoint::Embedded`] is taken as AWS's own.
    ///
    /// Errors: an unknown service, or [`EndpointError::Client`].
    pub fn new(
        service: &str,
        endpoint: &Endpoint,
        account: &Account,
        credentials: Option<Credentials>,
    ) -> Result<HttpService, EndpointError> {
        let names = catalog::registered(service).ok_or_else(|| unknown_service(service))?;
        let (base, credentials) = match endpoint {
            Endpoint::Url(url) => (url.clone(), credentials.or_else(|| Some(made_up()))),
            Endpoint::Aws | Endpoint::Embedded => (aws_url(names.registry, account)?, credentials),
        };
        Ok(HttpService {
            name: names.registry,
            protocol: Protocol::of(names.registry),
            base,
            region: account.region.clone(),
            credentials,
            client: HttpClient::new()?,
            answer_timeout: if names.registry == "lambda" { INVOKE_TIMEOUT } else { ANSWER_TIMEOUT },
        })
    }

    /// The same with another limit for a whole answer; by default 60 seconds, and for Lambda 15 minutes and a half.
    #[must_use]
    pub fn with_answer_timeout(mut self, timeout: Duration) -> HttpService {
        self.answer_timeout = timeout;
        self
    }

    async fn forward(&self, call: Call) -> Result<Reply, Fault> {
        let outgoing = protocol::encode(&self.protocol, self.name, &call)?;
        let request = self.signed(outgoing)?;
        let answer = self.client.send(request, self.answer_timeout).await?;
        protocol::decode(&self.protocol, &call.operation, answer)
    }

    fn signed(&self, outgoing: Outgoing) -> Result<Request<Full<bytes::Bytes>>, Fault> {
        let cannot = |what: &dyn std::fmt::Display| {
            client_failure(format!("Unable to build the HTTP request to {}: {what}", self.name))
        };
        let credentials = self.credentials.as_ref().ok_or_else(|| {
            client_failure("Unable to load AWS credentials from the environment or a profile")
        })?;
        let url = self.url(&outgoing.path_and_query);
        let mut headers = outgoing.headers;
        headers.push(("host", self.base.authority().map_or_else(String::new, ToString::to_string)));

        let identity = aws_credential_types::Credentials::new(
            &credentials.access_key_id,
            &credentials.secret_access_key,
            credentials.session_token.clone(),
            None,
            "stepwell",
        )
        .into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|e| cannot(&e))?
            .into();
        let signable = SignableRequest::new(
            "POST",
            &url,
            headers.iter().map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(&outgoing.body),
        )
        .map_err(|e| cannot(&e))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|e| cannot(&e))?.into_parts();

        let mut request = Request::post(&url);
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        request.body(Full::new(outgoing.body)).map_err(|e| cannot(&e))
    }

    fn url(&self, path_and_query: &str) -> String {
        let base = self.base.to_string();
        format!("{}{path_and_query}", base.trim_end_matches('/'))
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

fn aws_url(service: &'static str, account: &Account) -> Result<Uri, EndpointError> {
    let suffix = if account.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = format!("https://{service}.{}.{suffix}", account.region);
    url.parse().map_err(|_| EndpointError::BadUrl { service, url })
}
