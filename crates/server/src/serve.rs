//! The listening port: connections, their limits and timeouts, and a stop that lets requests finish.
//!
//! Owns sockets and nothing else: what a request means is [`App`]'s.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use stepwell_aws::Fault;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::app::{Answer, App};
use crate::fault;
use crate::limits::{DISCARD_TIMEOUT, DISCARDED_BYTES_MAX, Limits};
use crate::stall::Stalling;
use crate::tls::Tls;

/// Pause after a failed accept; the usual cause, too many open files, does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers to requests that were given up may take to be written.
const GIVE_UP_PATIENCE: Duration = Duration::from_secs(1);

/// Serves `app` on `listener` until `shutdown` resolves and the requests under way are answered or out of time.
pub async fn serve(listener: TcpListener, app: App, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    serve_with(listener, app, Limits::default(), None, shutdown).await
}

/// In the extensions of a request's head: it came by TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secure;

/// [`serve`] with limits of the caller's choice, and by TLS where it is given.
pub async fn serve_with(
    listener: TcpListener,
    app: App,
    limits: Limits,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let drain_timeout = limits.drain_timeout;
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    let port = Arc::new(Port {
        app,
        tls,
        requests: Semaphore::new(limits.requests_max),
        buffered: Arc::new(Semaphore::new(budget(&limits))),
        limits,
    });
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                tasks.spawn(connection(port.clone(), stream, stopped.clone(), permit));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    port.app.end_waits();
    let _ = stop.send(true);
    let mut drained = tokio::time::timeout(drain_timeout, all_of(&mut tasks)).await;
    if drained.is_err() {
        port.app.give_up();
        drained = tokio::time::timeout(GIVE_UP_PATIENCE, all_of(&mut tasks)).await;
    }
    if drained.is_err() {
        tracing::warn!(connections = tasks.len(), "stopping with requests still under way");
    }
    Ok(())
}

async fn all_of(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

struct Port {
    app: App,
    tls: Option<Tls>,
    limits: Limits,
    /// One permit per request that is worked on.
    requests: Semaphore,
    /// One permit per [`PERMIT_BYTES`] of request bodies in memory.
    buffered: Arc<Semaphore>,
}

/// Bytes of a request body that one permit stands for.
const PERMIT_BYTES: usize = 1024;

fn budget(limits: &Limits) -> usize {
    (limits.buffered_bytes_max / PERMIT_BYTES).min(Semaphore::MAX_PERMITS)
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn connection(
    port: Arc<Port>,
    stream: TcpStream,
    mut stopped: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    let _open = port.app.figures().connections.enter();
    // Answers are one write; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let stream = Stalling::new(stream, port.limits.stall_timeout);
    let Some(tls) = &port.tls else { return exchange(port.clone(), stream, stopped).await };
    let handshake = tokio::time::timeout(port.limits.headers_timeout, tls.acceptor().accept(stream));
    let outcome = tokio::select! {
        outcome = handshake => outcome,
        () = async { let _ = stopped.wait_for(|stopped| *stopped).await; } => return,
    };
    match outcome {
        Ok(Ok(stream)) => exchange(port.clone(), stream, stopped).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// Requests and answers until either side has enough.
async fn exchange(
    port: Arc<Port>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut stopped: watch::Receiver<bool>,
) {
    let service = hyper::service::service_fn({
        let port = port.clone();
        move |request| {
            let port = port.clone();
            async move { Ok::<_, Infallible>(port.answer(request).await) }
        }
    });
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(port.limits.headers_timeout)
            .max_header_size(port.limits.headers_bytes_max)
            .serve_connection(TokioIo::new(stream), service)
    );
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = async { let _ = stopped.wait_for(|stopped| *stopped).await; } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        // Clients that vanish, speak no HTTP or are too slow: their affair, not worth a warning.
        tracing::debug!(%error, "a connection ended");
    }
}

impl Port {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (mut head, mut body) = request.into_parts();
        if self.tls.is_some() {
            head.extensions.insert(Secure);
        }
        let admission = match self.app.admit(&head) {
            Ok(admission) => admission,
            Err(refusal) => return refused(&head, body, refusal).await,
        };
        let turn = self.requests.try_acquire();
        // Whoever asks how the server is must not be told that it is busy.
        if turn.is_err() && !self.app.is_open(&head) {
            let refusal = self.app.refuse(&head, fault::throttled());
            return refused(&head, body, refusal).await;
        }
        let bytes_max = self.app.body_bytes_max(&head);
        let read = tokio::time::timeout(self.limits.body_timeout, self.read(&mut body, bytes_max)).await;
        match read {
            Ok(Ok((bytes, _held))) => self.app.answer(head, bytes, admission).await,
            Ok(Err(refusal)) => {
                self.app.figures().refused_for_memory.add(u64::from(matches!(refusal, Refusal::Busy)));
                let answer = self.app.refuse(&head, refusal.fault());
                refused(&head, body, answer).await
            }
            Err(_) => self.app.refuse(&head, Refusal::Slow.fault()),
        }
    }

    /// The whole body, with the share of the memory budget it takes.
    async fn read(
        &self,
        body: &mut Incoming,
        bytes_max: usize,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
        use hyper::body::Body as _;
        let announced = body.size_hint().lower();
        if announced > bytes_max as u64 {
            return Err(Refusal::TooLarge);
        }
        let mut held: Option<OwnedSemaphorePermit> = None;
        let (mut first, mut all) = (Bytes::new(), BytesMut::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Refusal::Broken)?.into_data() else { continue };
            let length = first.len() + all.len() + data.len();
            if length > bytes_max {
                return Err(Refusal::TooLarge);
            }
            self.hold(&mut held, length)?;
            // Most bodies are one frame, which is then passed on without a copy.
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                all.extend_from_slice(&first);
                first = Bytes::new();
                all.extend_from_slice(&data);
            }
        }
        let whole = if all.is_empty() { first } else { all.freeze() };
        Ok((whole, held))
    }

    /// Takes the permits that a body of `length` bytes needs beyond those it holds. It never waits: bodies that wait
    /// for each other's memory would wait for ever.
    fn hold(&self, held: &mut Option<OwnedSemaphorePermit>, length: usize) -> Result<(), Refusal> {
        let needed = length.div_ceil(PERMIT_BYTES);
        let missing = needed.saturating_sub(held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        let missing = u32::try_from(missing).map_err(|_| Refusal::TooLarge)?;
        if missing == 0 {
            return Ok(());
        }
        let more = self.buffered.clone().try_acquire_many_owned(missing).map_err(|_| Refusal::Busy)?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// Why a body was not read to its end.
enum Refusal {
    TooLarge,
    Slow,
    Broken,
    Busy,
}

impl Refusal {
    fn fault(&self) -> Fault {
        let (code, status, message) = match self {
            Refusal::TooLarge => (
                "RequestEntityTooLargeException",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request body is too large",
            ),
            Refusal::Slow => (
                "RequestTimeoutException",
                StatusCode::REQUEST_TIMEOUT,
                "The request body did not arrive in time",
            ),
            Refusal::Broken => (
                "SerializationException",
                StatusCode::BAD_REQUEST,
                "The request body ended before its announced length",
            ),
            Refusal::Busy => (
                "ServiceUnavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The server holds as many request bodies as its memory limit allows; try again",
            ),
        };
        Fault::new(code, message).with_status(status.as_u16())
    }
}

/// The answer that refuses a request, once its body, which nobody wants, is out of the way.
async fn refused(head: &Parts, body: Incoming, answer: Answer) -> Answer {
    // Who waits to be told to go on, sends nothing when it is told something else.
    if !head.headers.contains_key(header::EXPECT) {
        let _ = tokio::time::timeout(DISCARD_TIMEOUT, discard(body)).await;
    }
    answer
}

async fn discard(mut body: Incoming) {
    let mut discarded = 0usize;
    while let Some(Ok(frame)) = body.frame().await {
        discarded = discarded.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if discarded > DISCARDED_BYTES_MAX {
            return;
        }
    }
}
