//! The services of one account: opened and connected in the order in which they need each other, and the app that
//! answers for them. The metrics are those of the server's own account.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use stepwell_aws::{Account, Service};
use stepwell_connections::EventConnections;
use stepwell_engine::machines::Machines;
use stepwell_engine::{Clock, Engine, EngineOptions, SystemClock};
use stepwell_integrations::{Endpoints, Integrations};
use stepwell_lambda::{Lambda, LambdaOptions};
use stepwell_logs::{Logs, LogsService};
use stepwell_queue::Queues;
use stepwell_server::{App, AppBuilder, ExecutionLogs, StepFunctions};
use stepwell_store::{Store, StoreOptions};
use stepwell_tables::Tables;
use stepwell_telemetry::metrics::{self, Sources};
use stepwell_telemetry::traces::Exporter;

use super::access::Access;
use super::assets::Assets;
use super::deployments::Deployments;
use super::own_api::OwnApi;
use super::stacks::Stacks;
use super::{SystemError, SystemOptions, lambda_api, local_host};

/// What traces of executions that have ended are given to reach the collector.
const TRACES_PATIENCE: Duration = Duration::from_secs(5);

/// How the server is reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// By clients.
    pub(super) public: SocketAddr,
    /// By functions, always in plain HTTP: another port on loopback where clients use TLS.
    pub(super) own: SocketAddr,
}

/// The services of one account.
pub(super) struct Tenant {
    pub(super) engine: Engine,
    lambda: Option<Arc<Lambda>>,
    queues: Option<Arc<Queues>>,
    traces: Option<Arc<Exporter>>,
    pub(super) step_functions: StepFunctions,
    pub(super) deployments: Deployments,
}

impl Tenant {
    /// Answers long polls, empty, instead of letting them wait.
    pub(super) fn end_waits(&self) {
        if let Some(queues) = &self.queues {
            queues.end_waits();
        }
    }

    /// Lets tasks under way end until the deadline; how many are left then.
    pub(super) async fn drain(&self, deadline: tokio::time::Instant) -> usize {
        // Results would be lost on a store that has failed.
        let patience = match self.engine.has_failed() {
            true => Duration::ZERO,
            false => deadline.saturating_duration_since(tokio::time::Instant::now()),
        };
        self.engine.drain(patience).await
    }

    /// Ends function processes and closes the data directory.
    pub(super) async fn shutdown(&self) {
        self.deployments.stop();
        let engine = self.engine.clone();
        let _ = tokio::task::spawn_blocking(move || engine.shutdown()).await;
        if let Some(lambda) = &self.lambda {
            lambda.shutdown().await;
        }
        if let Some(traces) = &self.traces {
            traces.shutdown(TRACES_PATIENCE).await;
        }
    }

    /// Opens all accounts, and makes the app that answers for them. Blocks; must be called within a tokio runtime.
    pub(super) fn open_all(
        options: &SystemOptions,
        access: Option<&Access>,
        reach: Reach,
        is_draining: Arc<AtomicBool>,
    ) -> Result<(Vec<Tenant>, App), SystemError> {
        let (first, mut app, sources) = Tenant::open(options, access, reach)?;
        let mut tenants = vec![first];
        if let Some(access) = access {
            for id in access.other_accounts() {
                let mut others = options.clone();
                others.data_dir = options.data_dir.join("accounts").join(id);
                others.account.id.clone_from(id);
                let (tenant, other, _) = Tenant::open(&others, Some(access), reach)?;
                app = app.account(id, other.build());
                tenants.push(tenant);
            }
            app = app.auth(access.authenticator());
        }
        let engines = tenants.iter().map(|tenant| tenant.engine.clone()).collect();
        Ok((tenants, observed(app, engines, sources, is_draining).build()))
    }

    /// Opens everything. Blocks; must be called within a tokio runtime.
    fn open(
        options: &SystemOptions,
        access: Option<&Access>,
        reach: Reach,
    ) -> Result<(Tenant, AppBuilder, Sources), SystemError> {
        let account = options.account.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Store::open_with(&options.data_dir, StoreOptions { sync_delay: options.sync_delay })?;
        let assets = Assets::open(&store, options.data_dir.join("assets"))?;
        let outside = Endpoints::from_env(&options.endpoints, Some(reach.public), variable)?;
        let integrations = Arc::new(Integrations::new());
        for client in outside.clients(&account, variable)? {
            integrations.register(client);
        }
        let mut lambda = None;
        if outside.is_embedded("lambda") {
            let opened = open_lambda(options, &store, &assets, access, reach.own)?;
            integrations.register(opened.clone());
            lambda = Some(opened);
        }
        let mut queues = None;
        if outside.is_embedded("sqs") {
            let clock = clock.clone();
            let now = Arc::new(move || clock.now_ms());
            let opened = Queues::open(store.clone(), account.clone(), now)?;
            opened.reached_at(local_host(reach.public));
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
            local_host(reach.public),
        );
        let app = services_app(account.clone(), &integrations, connections, states)
            .rest(Arc::new(OwnApi::new(account, deployments.clone())));
        let tenant = Tenant { engine, lambda, queues, traces, step_functions, deployments };
        Ok((tenant, app, sources))
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
    access: Option<&Access>,
    address: SocketAddr,
) -> Result<Arc<Lambda>, SystemError> {
    let directory = options.data_dir.join("lambda");
    let mut lambda = LambdaOptions::new(&options.cache_dir, directory.join("work"), directory.join("logs"));
    lambda.endpoint_url = Arc::new(OnceLock::from(format!("http://{}", local_host(address))));
    if let Some(credentials) = access.and_then(|access| access.of_functions(&options.account.id)) {
        lambda.credentials = credentials;
    }
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
    engines: Vec<Engine>,
    mut sources: Sources,
    is_draining: Arc<AtomicBool>,
) -> AppBuilder {
    sources.server = Some(app.figures());
    let alive = engines.clone();
    let healthy = move || match alive.iter().any(Engine::has_failed) {
        false => Ok(()),
        true => Err("the store has failed; only a restart helps".to_owned()),
    };
    let ready = move || {
        if is_draining.load(Ordering::Acquire) {
            return Err("the server is stopping".to_owned());
        }
        if engines.iter().all(Engine::is_healthy) { Ok(()) } else { Err("the store has failed".to_owned()) }
    };
    app.ready(Arc::new(ready))
        .healthy(Arc::new(healthy))
        .metrics(metrics::CONTENT_TYPE, Arc::new(move || metrics::page(&sources)))
}
