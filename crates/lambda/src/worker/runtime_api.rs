//! The Lambda Runtime API (version 2018-06-01) of one worker: a loopback listener whose requests become
//! [`ApiEvent`]s for the worker that owns the process. It knows the protocol's shapes; what an event means is the
//! worker's matter.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// An answer's size, AWS's limit.
pub(crate) const RESPONSE_BYTES_MAX: usize = 6_291_556;

/// What is read (and thrown away) of a larger answer, so that its sender can read our refusal.
const DISCARDED_BYTES_MAX: usize = 64 << 20;

/// Connections of one worker's process.
const CONNECTIONS_MAX: usize = 64;

/// AWS's own Python client reports errors in a header of up to 1 MiB.
const HEAD_BYTES_MAX: usize = 2 << 20;

/// An invocation as the runtime gets it.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) request_id: String,
    /// Milliseconds since 1970.
    pub(crate) deadline_ms: i64,
    pub(crate) function_arn: String,
    pub(crate) trace_id: String,
    /// JSON text.
    pub(crate) client_context: Option<String>,
    pub(crate) payload: Bytes,
}

/// What a runtime said about an invocation.
#[derive(Debug)]
pub(crate) enum Said {
    Response(Bytes),
    /// Larger than [`RESPONSE_BYTES_MAX`].
    TooLarge,
    Error(Bytes),
}

/// Whether the worker took what the runtime said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    /// No such invocation is in progress.
    WrongId,
    TooLarge,
}

/// A request to the Runtime API.
#[derive(Debug)]
pub(crate) enum ApiEvent {
    /// The runtime is ready for an invocation.
    Next(oneshot::Sender<Next>),
    /// It has ended the invocation `id`.
    Said { id: String, said: Said, reply: oneshot::Sender<Taken> },
    /// It could not start.
    InitError(Bytes),
}

/// A running listener; it stops when dropped.
pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl RuntimeApi {
    /// Listens on a free loopback port.
    pub(crate) async fn start(events: mpsc::Sender<ApiEvent>) -> std::io::Result<RuntimeApi> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(serve(listener, events));
        Ok(RuntimeApi { address, server })
    }
}

async fn serve(listener: TcpListener, events: mpsc::Sender<ApiEvent>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                    connections.spawn(connection(stream, events.clone()));
                }
                Ok(_) => {}
                // Out of descriptors, most likely: others have to end first.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, events: mpsc::Sender<ApiEvent>) {
    // Without this a small answer waits 40 ms for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let events = events.clone();
        async move { Ok::<_, Infallible>(answer(request, &events).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX);
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, events: &mpsc::Sender<ApiEvent>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let Some(rest) = path.strip_prefix("/2018-06-01/runtime/") else { return unknown() };
    let method = request.method().clone();
    if rest == "invocation/next" && method == Method::GET {
        return next(events).await;
    }
    if method != Method::POST {
        return unknown();
    }
    if rest == "init/error" {
        let Ok(body) = limited(request.into_body()).await else { return broken() };
        let _ = events.send(ApiEvent::InitError(body.unwrap_or_default())).await;
        return accepted();
    }
    let Some((id, verb)) = rest.strip_prefix("invocation/").and_then(|r| r.split_once('/')) else {
        return unknown();
    };
    let said = match (verb, limited(request.into_body()).await) {
        ("response", Ok(Some(body))) => Said::Response(body),
        ("error", Ok(Some(body))) => Said::Error(body),
        ("response" | "error", Ok(None)) => Said::TooLarge,
        (_, Err(_)) => return broken(),
        _ => return unknown(),
    };
    let (reply, taken) = oneshot::channel();
    let _ = events.send(ApiEvent::Said { id: id.to_owned(), said, reply }).await;
    match taken.await {
        Ok(Taken::Yes) => accepted(),
        Ok(Taken::TooLarge) => error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."),
        ),
        Ok(Taken::WrongId) | Err(_) => {
            error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
    }
}

async fn next(events: &mpsc::Sender<ApiEvent>) -> Response<Full<Bytes>> {
    let (sender, receiver) = oneshot::channel();
    let _ = events.send(ApiEvent::Next(sender)).await;
    let Ok(next) = receiver.await else {
        return error(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "An invocation is in progress, or the environment is shutting down",
        );
    };
    let mut response = Response::new(Full::new(next.payload));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(headers, "lambda-runtime-aws-request-id", &next.request_id);
    put(headers, "lambda-runtime-deadline-ms", &next.deadline_ms.to_string());
    put(headers, "lambda-runtime-invoked-function-arn", &next.function_arn);
    put(headers, "lambda-runtime-trace-id", &next.trace_id);
    if let Some(context) = &next.client_context {
        put(headers, "lambda-runtime-client-context", context);
    }
    response
}

/// The body, or `None` where it is larger than allowed; such a body is read to its end, within reason. A body that
/// breaks off is an error.
async fn limited(mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let mut kept = Vec::new();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let Some(data) = frame.data_ref() else { continue };
        total += data.len();
        if total <= RESPONSE_BYTES_MAX {
            kept.extend_from_slice(data);
        } else {
            kept = Vec::new();
        }
        if total > DISCARDED_BYTES_MAX {
            break;
        }
    }
    Ok((total <= RESPONSE_BYTES_MAX).then(|| Bytes::from(kept)))
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
}

fn broken() -> Response<Full<Bytes>> {
    error(StatusCode::BAD_REQUEST, "IncompleteBody", "The request's body broke off")
}

fn unknown() -> Response<Full<Bytes>> {
    error(StatusCode::NOT_FOUND, "NotFound", "The Runtime API has no such path")
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(status, serde_json::json!({ "errorMessage": message, "errorType": kind }).to_string())
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
