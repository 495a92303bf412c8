//! The whole of Stepwell in one process: from a data directory and an address to a running server.
//!
//! [`System::start`] opens and connects the parts in the order in which they need each other; [`System::shutdown`]
//! stops them in the reverse order. What the parts do is theirs.

mod assets;
mod deployments;
mod lambda_api;
mod own_api;
mod stacks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use stepwell_aws::{Account, Service};
use stepwell_connections::EventConnections;
use stepwell_engine::machines::Machines;
use stepwell_engine::{Clock, Engine, EngineOptions, RETENTION, SystemClock};
use stepwell_integrations::{EndpointError, Endpoints, Integrations};
use stepwell_lambda::{Lambda, LambdaOptions};
use stepwell_logs::{Logs, LogsService};
use stepwell_queue::Queues;
use stepwell_server::{App, AppBuilder, ExecutionLogs, Limits, StepFunctions, check_listen_address};
use stepwell_store::{Store, StoreOptions};
use stepwell_tables::Tables;
use stepwell_telemetry::metrics::{self, Sources};
use stepwell_telemetry::traces::{Exporter, TraceError, TraceOptions};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use assets::Assets;
pub use assets::AssetsError;
use deployments::Deployments;
pub(crate) use deployments::Report;
pub(crate) use own_api::OWN_HEADER;
use own_api::OwnApi;
use stacks::Stacks;

/// What requests under way are given to end, even where tasks have used up the drain timeout.
const REQUESTS_PATIENCE: Duration = Duration::from_secs(1);

/// What traces of executions that have ended are given to reach the collector.
const TRACES_PATIENCE: Duration = Duration::from_secs(5);

/// How a system is set up.
#[derive(Debug, Clone)]
pub struct SystemOptions {
    /// Where everything durable is kept; made if absent.
    pub data_dir: PathBuf,
    /// Where language packages for functions are kept; may be shared between systems.
    pub cache_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether to listen where other machines reach it although requests are not authenticated.
    pub allow_unauthenticated: bool,
    /// Whose account it plays.
    pub account: Account,
    /// Services outside instead of the embedded ones: `dynamodb=http://127.0.0.1:8000`, `sqs=aws` …
    pub endpoints: Vec<String>,
    /// Shards that executions are spread over; `None` for one per processor.
    pub shards: Option<NonZeroUsize>,
    /// How long executions are kept after they have closed; `None` for ever.
    pub retention: Option<Duration>,
    /// How much longer every sync takes than the disk needs; for measurements.
    pub sync_delay: Duration,
    /// How long [`System::shutdown`] waits for tasks and requests under way.
    pub drain_timeout: Duration,
    /// How executions are traced; `None` for not at all. Where to, say OpenTelemetry's variables in the environment.
    pub traces: Option<TraceOptions>,
}

impl SystemOptions {
    /// A system on a free loopback port, with defaults for all else.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        SystemOptions {
            cache_dir: default_cache_dir(&data_dir),
            data_dir,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            allow_unauthenticated: false,
            account: Account::default(),
            endpoints: Vec::new(),
            shards: None,
            retention: Some(RETENTION),
            sync_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
            traces: None,
        }
    }
}

/// The user's cache directory, as the XDG convention has it; below the data directory where there is no home.
#[must_use]
pub fn default_cache_dir(data_dir: &Path) -> PathBuf {
    let directory = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")));
    caches.map_or_else(|| data_dir.join("cache"), |caches| caches.join("stepwell"))
}

/// Why a system did not start.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// It must not listen there.
    #[error(transparent)]
    ListenRefused(#[from] stepwell_server::ListenRefused),
    /// It cannot listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory.
    #[error(transparent)]
    Store(#[from] stepwell_store::OpenError),
    /// What the data directory holds.
    #[error(transparent)]
    Read(#[from] stepwell_store::ReadError),
    /// The state machines.
    #[error(transparent)]
    Machines(#[from] stepwell_engine::machines::MachinesError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] stepwell_engine::EngineStartError),
    /// The functions.
    #[error(transparent)]
    Lambda(#[from] stepwell_lambda::OpenError),
    /// The queues.
    #[error(transparent)]
    Queues(#[from] stepwell_queue::OpenError),
    /// The connections of HTTP tasks cannot be opened.
    #[error(transparent)]
    Connections(#[from] stepwell_connections::OpenError),
    /// The tables.
    #[error(transparent)]
    Tables(#[from] stepwell_tables::OpenError),
    /// The assets.
    #[error(transparent)]
    Assets(#[from] AssetsError),
    /// The stacks.
    #[error("the stacks cannot be read: {0}")]
    Stacks(#[from] stepwell_deploy::StoreError),
    /// The traces.
    #[error(transparent)]
    Traces(#[from] TraceError),
    /// An endpoint setting.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The runtime is going down.
    #[error("the system is stopping")]
    Stopping,
}

/// A running system. [`System::shutdown`] ends it in order; one that is only dropped stops like one that was killed,
/// which it survives.
pub struct System {
    address: SocketAddr,
    app: App,
    engine: Engine,
    lambda: Option<Arc<Lambda>>,
    queues: Option<Arc<Queues>>,
    traces: Option<Arc<Exporter>>,
    deployments: Deployments,
    is_draining: Arc<AtomicBool>,
    drain_timeout: Duration,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").field("address", &self.address).finish_non_exhaustive()
    }
}

impl System {
    /// Starts a system; it answers requests when this returns. Must be called within a tokio runtime with several
    /// threads.
    pub async fn start(options: SystemOptions) -> Result<System, SystemError> {
        check_listen_address(options.listen, false, options.allow_unauthenticated)?;
        let address = options.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|source| SystemError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| SystemError::Listen { address, source })?;
        // Reading what the directory holds takes a while where it holds much.
        let runtime = tokio::runtime::Handle::current();
        let drain_timeout = options.drain_timeout;
        let parts = tokio::task::spawn_blocking(move || {
            let _in_runtime = runtime.enter();
            Parts::open(&options, address)
        });
        let parts = parts.await.map_err(|_| SystemError::Stopping)??;
        parts.deployments.resume_all().await?;
        parts.step_functions.resume_deletions();
        let (stop, stopped) = oneshot::channel();
        let app = parts.app.clone();
        let limits = Limits { drain_timeout, ..Limits::default() };
        let server = tokio::spawn(stepwell_server::serve_with(listener, parts.app, limits, async {
            // A system that was dropped stops as well.
            let _ = stopped.await;
        }));
        Ok(System {
            address,
            app,
            engine: parts.engine,
            lambda: parts.lambda,
            queues: parts.queues,
            traces: parts.traces,
            deployments: parts.deployments,
            is_draining: parts.is_draining,
            drain_timeout,
            stop: Some(stop),
            server,
        })
    }

    /// Where it listens, with the port that was taken for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        local_url(self.address)
    }

    /// Whether it can still take requests; once it cannot, only a restart helps.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.engine.is_healthy()
    }

    /// Lets tasks under way end, then takes no more requests and answers those under way, both within the drain
    /// timeout; then ends function processes and closes the data directory. Executions that run go on at the next
    /// start.
    ///
    /// The port stays open while tasks are under way, because functions call it; it is not ready any more, and long
    /// polls are answered empty.
    pub async fn shutdown(mut self) {
        let deadline = tokio::time::Instant::now() + self.drain_timeout;
        self.is_draining.store(true, Ordering::Release);
        self.app.end_waits();
        if let Some(queues) = &self.queues {
            queues.end_waits();
        }
        // Results would be lost on a store that has failed.
        let patience = if self.engine.has_failed() { Duration::ZERO } else { self.drain_timeout };
        let left = self.engine.drain(patience).await;
        if left > 0 {
            tracing::warn!(tasks = left, "stopping with tasks under way; the next start calls them again");
        }
        self.close_port(deadline).await;
        self.deployments.stop();
        let engine = self.engine.clone();
        let _ = tokio::task::spawn_blocking(move || engine.shutdown()).await;
        if let Some(lambda) = &self.lambda {
            lambda.shutdown().await;
        }
        if let Some(traces) = &self.traces {
            traces.shutdown(TRACES_PATIENCE).await;
        }
        tracing::info!("stopped");
    }

    async fn close_port(&mut self, deadline: tokio::time::Instant) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let deadline = deadline.max(tokio::time::Instant::now() + REQUESTS_PATIENCE);
        match tokio::time::timeout_at(deadline, &mut self.server).await {
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the port was not closed in order"),
            Ok(_) => {}
            Err(_) => {
                self.server.abort();
                tracing::warn!("stopping with requests under way");
            }
        }
    }
}

/// Everything that is opened, connected and not yet served.
struct Parts {
    app: App,
    engine: Engine,
    lambda: Option<Arc<Lambda>>,
    queues: Option<Arc<Queues>>,
    traces: Option<Arc<Exporter>>,
    is_draining: Arc<AtomicBool>,
    step_functions: StepFunctions,
    deployments: Deployments,
}

impl Parts {
    /// Opens everything. Blocks; must be called within a tokio runtime.
    fn open(options: &SystemOptions, address: SocketAddr) -> Result<Parts, SystemError> {
        let account = options.account.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Store::open_with(&options.data_dir, StoreOptions { sync_delay: options.sync_delay })?;
        let assets = Assets::open(&store, options.data_dir.join("assets"))?;
        let outside = Endpoints::from_env(&options.endpoints, Some(address), variable)?;
        let integrations = Arc::new(Integrations::new());
        for client in outside.clients(&account, variable)? {
            integrations.register(client);
        }
        let mut lambda = None;
        if outside.is_embedded("lambda") {
            let opened = open_lambda(options, &store, &assets, address)?;
            integrations.register(opened.clone());
            lambda = Some(opened);
        }
        let mut queues = None;
        if outside.is_embedded("sqs") {
            let clock = clock.clone();
            let now = Arc::new(move || clock.now_ms());
            let opened = Queues::open(store.clone(), account.clone(), now)?;
            opened.reached_at(local_host(address));
            integrations.register(opened.clone());
            queues = Some(opened);
        }
        let connections = {
            let clock = clock.clone();
            let now = Arc::new(move || clock.now_ms());
            EventConnections::open(&store, account.clone(), now, integrations.service("events"))?
        };
        integrations.connect(connections.clone());
        if outside.is_embedded("dynamodb") {
            let file = options.data_dir.join("tables").join("tables.sqlite");
            integrations.register(Tables::open(&file, account.clone())?);
        }
        let machines = Arc::new(Machines::open(&store, account.clone())?);
        {
            let clock = clock.clone();
            let logs = Logs::open(&store, account.clone(), Arc::new(move || clock.now_ms()))?;
            integrations.register(Arc::new(LogsService::new(logs.clone())));
            machines.log_to(Arc::new(ExecutionLogs::new(logs)));
        }
        let engine_options = EngineOptions {
            account: account.clone(),
            shards: options.shards.unwrap_or_else(processors),
            clock: clock.clone(),
            retention: options.retention,
        };
        let runtime = tokio::runtime::Handle::current();
        let engine = Engine::start(store.clone(), machines, integrations.clone(), runtime, engine_options)?;
        let traces = options.traces.map(|traces| Exporter::start(&engine, traces)).transpose()?;
        let sources = Sources {
            engine: Some(engine.clone()),
            store: Some(store.clone()),
            lambda: lambda.clone(),
            server: None,
            traces: traces.as_ref().map(|traces| traces.figures().clone()),
            version: env!("CARGO_PKG_VERSION"),
        };
        let step_functions = StepFunctions::new(engine.clone(), clock);
        let states: Arc<dyn Service> = Arc::new(step_functions.clone());
        integrations.register_weak(&states);
        let deployments = Deployments::new(
            account.clone(),
            services(&integrations, &states),
            Stacks::open(&store)?,
            assets,
            local_host(address),
        );
        let is_draining: Arc<AtomicBool> = Arc::default();
        let app = services_app(account.clone(), &integrations, connections, states)
            .rest(Arc::new(OwnApi::new(account, deployments.clone())));
        let app = observed(app, engine.clone(), sources, is_draining.clone()).build();
        Ok(Parts { app, engine, lambda, queues, traces, is_draining, step_functions, deployments })
    }
}

/// The environment, as the endpoint settings ask for it.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn open_lambda(
    options: &SystemOptions,
    store: &Store,
    assets: &Assets,
    address: SocketAddr,
) -> Result<Arc<Lambda>, SystemError> {
    let directory = options.data_dir.join("lambda");
    let mut lambda = LambdaOptions::new(&options.cache_dir, directory.join("work"), directory.join("logs"));
    lambda.endpoint_url = Arc::new(OnceLock::from(local_url(address)));
    lambda.code_store = Some(Arc::new(assets.clone()));
    Ok(Lambda::open(store.clone(), options.account.clone(), lambda)?)
}

/// The services by name, for deployments.
fn services(integrations: &Integrations, states: &Arc<dyn Service>) -> BTreeMap<String, Arc<dyn Service>> {
    let others = ["lambda", "dynamodb", "sqs", "sns", "events", "logs"];
    let others = others.iter().filter_map(|name| Some(((*name).to_owned(), integrations.service(name)?)));
    others.chain([("states".to_owned(), states.clone())]).collect()
}

/// One port for everything. A service that lies elsewhere is served as well, so that functions and clients need to know
/// only this server.
fn services_app(
    account: Account,
    integrations: &Integrations,
    connections: Arc<EventConnections>,
    states: Arc<dyn Service>,
) -> AppBuilder {
    let mut app = App::builder(account).target("AWSStepFunctions", states).target("AWSEvents", connections);
    for (prefix, name) in [
        ("DynamoDB_20120810", "dynamodb"),
        ("DynamoDBStreams_20120810", "dynamodb"),
        ("AmazonSQS", "sqs"),
        ("Logs_20140328", "logs"),
    ] {
        if let Some(service) = integrations.service(name) {
            app = app.target(prefix, service);
        }
    }
    if let Some(lambda) = integrations.service("lambda") {
        app = app.rest(Arc::new(lambda_api::LambdaApi::new(lambda)));
    }
    app
}

/// With what an operator asks for. A server that drains is not ready, but healthy: nobody should restart it.
fn observed(
    app: AppBuilder,
    engine: Engine,
    mut sources: Sources,
    is_draining: Arc<AtomicBool>,
) -> AppBuilder {
    sources.server = Some(app.figures());
    let alive = engine.clone();
    let healthy = move || match alive.has_failed() {
        false => Ok(()),
        true => Err("the store has failed; only a restart helps".to_owned()),
    };
    let ready = move || {
        if is_draining.load(Ordering::Acquire) {
            return Err("the server is stopping".to_owned());
        }
        if engine.is_healthy() { Ok(()) } else { Err("the store has failed".to_owned()) }
    };
    app.ready(Arc::new(ready))
        .healthy(Arc::new(healthy))
        .metrics(metrics::CONTENT_TYPE, Arc::new(move || metrics::page(&sources)))
}

/// `host:port` by which clients on this machine reach it; an address that stands for all becomes loopback.
fn local_host(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address.to_string()
}

fn local_url(address: SocketAddr) -> String {
    format!("http://{}", local_host(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_an_address_that_they_can_reach() {
        for (listens, reached) in
            [("127.0.0.1:8083", "127.0.0.1:8083"), ("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1")]
        {
            assert_eq!(local_host(listens.parse().expect(listens)), reached);
        }
    }
}
