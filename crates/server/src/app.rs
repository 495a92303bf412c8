//! What answers a request: the table of services behind one port, apart from sockets.
//!
//! [`App`] takes a request's head and body and gives the response. It routes: the JSON protocols by `X-Amz-Target`,
//! REST services by method and path, the query protocol by `Action`. It never reads a socket; [`crate::serve`] does.
//!
//! A request is admitted by its head before its body is read, and then answered: [`App::admit`], [`App::answer`].

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::Full;
use stepwell_aws::{Account, BoxFuture, Fault, Service};

use crate::auth::{Authenticator, Claim};
use crate::figures::ServerFigures;
use crate::limits::BODY_BYTES_MAX;
use crate::serve::Secure;
use crate::stopping::{self, Stop};
use crate::wire::{self, json, query};
use crate::{browser, fault};
use tokio::sync::watch;

/// A response, ready to send.
pub type Answer = Response<Full<Bytes>>;

/// Says what is wrong, if something is; for `/readyz` and `/healthz`.
pub type HealthCheck = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Makes the page of `/metrics`.
pub type MetricsPage = Arc<dyn Fn() -> String + Send + Sync>;

/// A service that is addressed by method and path: Lambda's REST API, Stepwell's own endpoints under `/_stepwell/`.
pub trait RestService: Send + Sync {
    /// The name that its requests must be signed for, where requests must be signed.
    fn signing_name(&self) -> &'static str;

    /// Whether requests of this method and path are its own.
    fn handles(&self, method: &Method, path: &str) -> bool;

    /// Bytes of body that it takes for such a request.
    fn body_bytes_max(&self, method: &Method, path: &str) -> usize {
        let _ = (method, path);
        BODY_BYTES_MAX
    }

    /// The service and the operation that such a request means, for figures. There must be few of them.
    fn operation(&self, method: &Method, path: &str) -> (&'static str, &'static str) {
        let _ = (method, path);
        ("other", "other")
    }

    /// Answers one request. Never panics on input; the future may be dropped at any await point.
    fn handle(&self, head: Parts, body: Bytes) -> BoxFuture<'_, (StatusCode, HeaderMap, Bytes)>;
}

/// All that is served on one port. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    account: Account,
    /// By the prefix of `X-Amz-Target`; a handful, so a list.
    targets: Vec<(&'static str, Arc<dyn Service>)>,
    rest: Vec<Arc<dyn RestService>>,
    auth: Option<Arc<Authenticator>>,
    /// The apps of other accounts, by account.
    accounts: Vec<(String, App)>,
    ready: Option<HealthCheck>,
    healthy: Option<HealthCheck>,
    metrics: Option<(&'static str, MetricsPage)>,
    figures: Arc<ServerFigures>,
    stopping: watch::Sender<Stop>,
}

/// Puts an [`App`] together.
#[must_use]
pub struct AppBuilder {
    inner: Inner,
}

impl AppBuilder {
    /// Serves the JSON operations whose `X-Amz-Target` is `<prefix>.<Operation>`: `AWSStepFunctions`, `AmazonSQS`,
    /// `DynamoDB_20120810` …
    pub fn target(mut self, prefix: &'static str, service: Arc<dyn Service>) -> Self {
        self.inner.targets.push((prefix, service));
        self
    }

    /// Serves a REST service; the first that handles a path gets it.
    pub fn rest(mut self, service: Arc<dyn RestService>) -> Self {
        self.inner.rest.push(service);
        self
    }

    /// Requests must be signed, all but the health checks.
    pub fn auth(mut self, authenticator: Arc<Authenticator>) -> Self {
        self.inner.auth = Some(authenticator);
        self
    }

    /// Requests that are signed for another account are answered by the app of that account, which must have the same
    /// services.
    pub fn account(mut self, account: impl Into<String>, app: App) -> Self {
        self.inner.accounts.push((account.into(), app));
        self
    }

    /// What `/readyz` reports; without it the server is ready as soon as it listens.
    pub fn ready(mut self, check: HealthCheck) -> Self {
        self.inner.ready = Some(check);
        self
    }

    /// What `/healthz` reports; an answer of 503 means that only a restart helps.
    pub fn healthy(mut self, check: HealthCheck) -> Self {
        self.inner.healthy = Some(check);
        self
    }

    /// What `/metrics` answers, like health checks without authentication: a content type, and a page made for each
    /// request.
    pub fn metrics(mut self, content_type: &'static str, page: MetricsPage) -> Self {
        self.inner.metrics = Some((content_type, page));
        self
    }

    /// What the app will count about itself.
    #[must_use]
    pub fn figures(&self) -> Arc<ServerFigures> {
        self.inner.figures.clone()
    }

    /// The finished app.
    #[must_use]
    pub fn build(self) -> App {
        App { inner: Arc::new(self.inner) }
    }
}

impl App {
    /// An app of this account, with no service yet.
    pub fn builder(account: Account) -> AppBuilder {
        AppBuilder {
            inner: Inner {
                account,
                targets: Vec::new(),
                rest: Vec::new(),
                auth: None,
                accounts: Vec::new(),
                ready: None,
                healthy: None,
                metrics: None,
                figures: Arc::default(),
                stopping: watch::Sender::new(Stop::NotYet),
            },
        }
    }

    /// What it counts about itself.
    #[must_use]
    pub fn figures(&self) -> &Arc<ServerFigures> {
        &self.inner.figures
    }

    /// Answers long polls, empty, instead of letting them wait; all else is answered as before.
    pub fn end_waits(&self) {
        self.come_to(Stop::Begun);
    }

    /// Answers all that is under way with `ServiceUnavailable` (HTTP 503): for a stop that is out of time.
    pub fn give_up(&self) {
        self.come_to(Stop::OutOfTime);
    }

    fn come_to(&self, stop: Stop) {
        self.inner.stopping.send_if_modified(|come_to| {
            let is_further = *come_to < stop;
            *come_to = stop.max(*come_to);
            is_further
        });
    }

    /// Bytes of body that a request may have.
    #[must_use]
    pub fn body_bytes_max(&self, head: &Parts) -> usize {
        if is_json_call(head) {
            return BODY_BYTES_MAX;
        }
        self.rest_service(head)
            .map_or(BODY_BYTES_MAX, |rest| rest.body_bytes_max(&head.method, head.uri.path()))
    }

    /// Decides by the head of a request whether it may go on: whether it comes from a web page of others, and whether
    /// its signature can be right.
    ///
    /// Errors: the answer that refuses it.
    pub fn admit(&self, head: &Parts) -> Result<Admission, Answer> {
        if self.is_open(head) {
            return Ok(Admission { claim: None });
        }
        let claim = browser::check(&head.headers).and_then(|()| {
            let Some(auth) = &self.inner.auth else { return Ok(None) };
            let secure = head.extensions.get::<Secure>().is_some();
            auth.claim(head, self.signing_name(head), secure).map(Some)
        });
        claim.map(|claim| Admission { claim }).map_err(|fault| self.refuse(head, fault))
    }

    /// The answer to a request that goes no further, in the form that its clients read.
    #[must_use]
    pub fn refuse(&self, head: &Parts, fault: Fault) -> Answer {
        if is_json_call(head) {
            json::refuse(head, fault)
        } else if query::is_query(head) {
            query::refuse(&fault)
        } else {
            wire::rest_fault(wire::with_rest_status(fault))
        }
    }

    /// The response to one request: [`App::admit`] and [`App::answer`].
    pub async fn respond(&self, head: Parts, body: Bytes) -> Answer {
        match self.admit(&head) {
            Ok(admission) => self.answer(head, body, admission).await,
            Err(refusal) => refusal,
        }
    }

    /// The response to a request that was admitted. A panic in a service becomes a 500; the others go on.
    pub async fn answer(&self, head: Parts, body: Bytes, admission: Admission) -> Answer {
        let began = Instant::now();
        let figures = &self.inner.figures;
        let _under_way = figures.requests_under_way.enter();
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        let target = head.headers.get(wire::X_AMZ_TARGET).cloned();
        let answer = catch_panic(self.authenticated(head, body, admission));
        let answer = stopping::tell(self.inner.stopping.subscribe(), answer);
        let answer = answer.await.unwrap_or_else(|| {
            tracing::error!(%method, %path, "a request panicked");
            wire::rest_fault(Fault::internal("an invariant of the server does not hold; its log says more"))
        });
        let took = began.elapsed();
        let target = target.as_ref().and_then(|target| target.to_str().ok());
        let (service, operation) = self.meant(target, &method, &path);
        figures.answered(service, operation, answer.status(), took);
        tracing::debug!(%method, %path, operation, status = answer.status().as_u16(), "answered");
        answer
    }

    /// Checks what only the body can tell and finds the account's app.
    async fn authenticated(&self, head: Parts, body: Bytes, admission: Admission) -> Answer {
        if let Some(answer) = self.health_answer(&head).or_else(|| self.metrics_answer(&head)) {
            return answer;
        }
        let (Some(claim), Some(auth)) = (admission.claim, &self.inner.auth) else {
            return self.route(head, body).await;
        };
        match auth.accept(claim, &body).await {
            Ok(identity) => match self.of_account(&identity.account) {
                Some(app) => app.route(head, body).await,
                None => {
                    let message = format!("There is no account {} here", identity.account);
                    self.refuse(&head, Fault::new("AccessDeniedException", message))
                }
            },
            Err(fault) => self.refuse(&head, fault),
        }
    }

    fn of_account(&self, account: &str) -> Option<&App> {
        if self.inner.account.id == account {
            return Some(self);
        }
        self.inner.accounts.iter().find(|(id, _)| id == account).map(|(_, app)| app)
    }

    async fn route(&self, head: Parts, body: Bytes) -> Answer {
        if is_json_call(&head) {
            return json::answer(&self.inner.targets, &head, body).await;
        }
        if let Some(rest) = self.rest_service(&head) {
            return match stopping::unless_out_of_time(rest.handle(head, body)).await {
                Some(answer) => wire::rest_answer(answer),
                None => wire::rest_fault(fault::stopping()),
            };
        }
        if let Some(parameters) = query::parameters(&head, &body) {
            return query::answer(&self.inner.account, &parameters);
        }
        if head.method == Method::POST && head.uri.path() == "/" {
            return json::unknown_target(&head, "none");
        }
        wire::rest_fault(
            Fault::new("UnknownOperationException", "Stepwell serves nothing at this method and path")
                .with_status(404),
        )
    }

    /// The service and the operation that a request means; for figures.
    fn meant<'a>(
        &self,
        target: Option<&'a str>,
        method: &Method,
        path: &str,
    ) -> (Option<&'static str>, &'a str) {
        if let Some(target) = target {
            let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
            let service = self.inner.targets.iter().find(|(known, _)| *known == prefix);
            return (service.map(|(_, service)| service.name()), operation);
        }
        let rest = self.inner.rest.iter().find(|rest| rest.handles(method, path));
        let (service, operation) = rest.map_or(("other", "other"), |rest| rest.operation(method, path));
        (Some(service), operation)
    }

    /// What a request must be signed for; `None` where nothing here answers it.
    fn signing_name(&self, head: &Parts) -> Option<&'static str> {
        if is_json_call(head) {
            return json::service(&self.inner.targets, head).map(|(_, service)| service.name());
        }
        match self.rest_service(head) {
            Some(rest) => Some(rest.signing_name()),
            None => query::is_query(head).then_some(query::SIGNING_NAME),
        }
    }

    fn rest_service(&self, head: &Parts) -> Option<&Arc<dyn RestService>> {
        self.inner.rest.iter().find(|rest| rest.handles(&head.method, head.uri.path()))
    }

    fn metrics_answer(&self, head: &Parts) -> Option<Answer> {
        let (content_type, page) = self.inner.metrics.as_ref()?;
        let is_asked = head.method == Method::GET && head.uri.path() == "/metrics";
        is_asked.then(|| {
            let mut answer = Response::new(Full::new(Bytes::from(page())));
            let content_type = http::HeaderValue::from_static(content_type);
            answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
            answer
        })
    }

    /// Whether a request is answered to everybody: how the server is, and its figures. None of it tells what it runs.
    pub(crate) fn is_open(&self, head: &Parts) -> bool {
        match (&head.method, head.uri.path()) {
            (&Method::GET | &Method::HEAD, "/readyz" | "/healthz") => true,
            (&Method::GET, "/metrics") => self.inner.metrics.is_some(),
            _ => false,
        }
    }

    fn health_answer(&self, head: &Parts) -> Option<Answer> {
        let check = match head.uri.path() {
            "/readyz" => &self.inner.ready,
            "/healthz" => &self.inner.healthy,
            _ => return None,
        };
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return None;
        }
        let outcome = check.as_ref().map_or(Ok(()), |check| check());
        let (status, text) = match outcome {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        };
        let mut answer = Response::new(Full::new(Bytes::from(text)));
        *answer.status_mut() = status;
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
        Some(answer)
    }
}

/// Whether a request is one of a JSON protocol. Its path may be anything: clients of SQS use a queue's.
fn is_json_call(head: &Parts) -> bool {
    head.method == Method::POST && head.headers.contains_key(wire::X_AMZ_TARGET)
}

/// A request that may go on, given that its body is right.
pub struct Admission {
    claim: Option<Claim>,
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").field("signed", &self.claim.is_some()).finish()
    }
}

/// The future's result, or `None` where it panics.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        // The future is never polled again after a panic, so no half-changed state of it can be seen.
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Some(value)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
