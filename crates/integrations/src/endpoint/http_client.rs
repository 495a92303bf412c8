//! One request over HTTP/1.1, bounded in time and in size, never repeated: a state's `Retry` decides about that.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use stepwell_aws::Fault;

use super::EndpointError;
use crate::failure::CLIENT_FAILURE;

/// Time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are dropped before servers commonly drop them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest answer in bytes; DynamoDB's largest, of `BatchGetItem`, is 16 MB.
const ANSWER_BYTES_MAX: usize = 20 * 1024 * 1024;

/// A pool of connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl HttpClient {
    pub(crate) fn new() -> Result<HttpClient, EndpointError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(Arc::new(rustls::crypto::ring::default_provider()))
            .map_err(|error| EndpointError::Client(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Ok(HttpClient { client })
    }

    /// Sends `request` and reads the whole answer within `timeout`. Dropping the future closes the connection.
    ///
    /// Errors: a client failure in the words of AWS's SDK.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<Answer, Fault> {
        let authority = request.uri().authority().map_or_else(String::new, ToString::to_string);
        let exchange = async {
            let response =
                self.client.request(request).await.map_err(|error| unreachable(&authority, &error))?;
            let (head, body) = response.into_parts();
            let body =
                Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| broken(&*error))?;
            Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(client_failure("Unable to execute HTTP request: Read timed out")))
    }
}

/// The request did not reach a service, or no answer came back that one could have sent.
pub(crate) fn client_failure(message: impl Into<String>) -> Fault {
    Fault::new(CLIENT_FAILURE, message).with_status(502)
}

fn unreachable(authority: &str, error: &hyper_util::client::legacy::Error) -> Fault {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let root = root_cause(error);
    let text = root.to_string();
    let refused =
        root.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
    client_failure(if refused {
        format!("Unable to execute HTTP request: Connect to {authority} failed: Connection refused")
    } else if text.contains("lookup address") || text.contains("not known") {
        format!("Unable to execute HTTP request: {host}: Name or service not known")
    } else if error.is_connect() {
        format!("Unable to execute HTTP request: Connect to {authority} failed: {text}")
    } else {
        format!("Unable to execute HTTP request: {authority} failed to respond: {text}")
    })
}

fn broken(error: &(dyn Error + 'static)) -> Fault {
    if error.is::<LengthLimitError>() {
        return client_failure(format!(
            "Unable to read the HTTP response: it is larger than {ANSWER_BYTES_MAX} bytes"
        ));
    }
    client_failure(format!("Unable to read the HTTP response: {}", root_cause(error)))
}

fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    // Chains of errors are short; the bound keeps a circular one from hanging us.
    for _ in 0..16 {
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    cause
}
