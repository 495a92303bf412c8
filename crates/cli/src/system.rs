//! The whole of Stepwell in one process: from a data directory and an address to a running server.
//!
//! [`System::start`] opens and connects the parts in the order in which they need each other; [`System::shutdown`]
//! stops them in the reverse order. What the parts do is theirs.
//!
//! An account is a data directory with services of its own: the server's in the directory that was named, every other
//! account that has credentials in `accounts/<id>` below it. They share the port, and nothing else.

mod access;
mod assets;
mod deployments;
mod lambda_api;
mod own_api;
mod stacks;
mod tenant;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stepwell_aws::Account;
use stepwell_engine::RETENTION;
use stepwell_integrations::EndpointError;
use stepwell_server::{App, Keyring, Limits, Tls, check_listen_address};
use stepwell_telemetry::traces::{TraceError, TraceOptions};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use access::Access;
pub use access::UnknownAccount;
pub use assets::AssetsError;
pub(crate) use deployments::Report;
pub(crate) use own_api::{OWN_HEADER, SIGNING_NAME as OWN_SIGNING_NAME};
use tenant::{Reach, Tenant};

/// Connections that wait to be accepted. With fewer, clients that come all at once wait a second and more, which is how
/// long TCP takes to ask again.
const BACKLOG: u32 = 4096;

/// What requests under way are given to end, even where tasks have used up the drain timeout.
const REQUESTS_PATIENCE: Duration = Duration::from_secs(1);

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
    /// The credentials of its clients; without any, requests need no signature.
    pub keyring: Keyring,
    /// The port's certificate and key; without one it speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Limits of the port.
    pub limits: Limits,
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
            keyring: Keyring::default(),
            tls: None,
            limits: Limits::default(),
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
    tls: Option<Tls>,
    access: Option<Access>,
    app: App,
    tenants: Vec<Tenant>,
    is_draining: Arc<AtomicBool>,
    drain_timeout: Duration,
    stop: Option<watch::Sender<bool>>,
    servers: Vec<JoinHandle<std::io::Result<()>>>,
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
        check_listen_address(options.listen, !options.keyring.is_empty(), options.allow_unauthenticated)?;
        if !options.listen.ip().to_canonical().is_loopback() && options.tls.is_none() {
            tracing::warn!(
                "without TLS everybody on the way can read requests, payloads and secrets among them"
            );
        }
        let (listener, address) = bind(options.listen)?;
        let mut listeners = vec![(listener, options.tls.clone())];
        let mut reach = Reach { public: address, own: address };
        if options.tls.is_some() {
            // Functions run on this machine and cannot know whom to trust.
            let (listener, own) = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            listeners.push((listener, None));
            reach.own = own;
        }
        let access = Access::new(&options.account, &options.keyring);
        let (tls, drain_timeout) = (options.tls.clone(), options.drain_timeout);
        // The port is closed when the drain is over, and then has until its end or `REQUESTS_PATIENCE`.
        let limits = Limits { drain_timeout: drain_timeout.max(REQUESTS_PATIENCE), ..options.limits.clone() };
        let is_draining: Arc<AtomicBool> = Arc::default();
        // Reading what the directories hold takes a while where they hold much.
        let runtime = tokio::runtime::Handle::current();
        let opened = tokio::task::spawn_blocking({
            let (access, is_draining) = (access.clone(), is_draining.clone());
            move || {
                let _in_runtime = runtime.enter();
                Tenant::open_all(&options, access.as_ref(), reach, is_draining)
            }
        });
        let (tenants, app) = opened.await.map_err(|_| SystemError::Stopping)??;
        for tenant in &tenants {
            tenant.deployments.resume_all().await?;
            tenant.step_functions.resume_deletions();
        }
        let (stop, stopped) = watch::channel(false);
        let serve = |(listener, tls)| {
            let (app, limits, mut stopped) = (app.clone(), limits.clone(), stopped.clone());
            tokio::spawn(stepwell_server::serve_with(listener, app, limits, tls, async move {
                // A system that was dropped stops as well.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            }))
        };
        let servers = listeners.into_iter().map(serve).collect();
        let stop = Some(stop);
        Ok(System { address, tls, access, app, tenants, is_draining, drain_timeout, stop, servers })
    }

    /// From now on clients sign with these credentials.
    ///
    /// Errors: one is of an account that this system was not started with; the credentials stay as they were.
    pub fn replace_credentials(&self, keyring: &Keyring) -> Result<(), UnknownAccount> {
        match &self.access {
            Some(access) => access.replace(keyring),
            None => Ok(()),
        }
    }

    /// Where it listens, with the port that was taken for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", local_host(self.address))
    }

    /// Whether it can still take requests; once it cannot, only a restart helps.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.tenants.iter().all(|tenant| tenant.engine.is_healthy())
    }

    /// Lets tasks under way end, then takes no more requests and answers those under way, both within the drain
    /// timeout; then ends function processes and closes the data directories. Executions that run go on at the next
    /// start.
    ///
    /// The port stays open while tasks are under way, because functions call it; it is not ready any more, and long
    /// polls are answered empty.
    pub async fn shutdown(mut self) {
        let deadline = tokio::time::Instant::now() + self.drain_timeout;
        self.is_draining.store(true, Ordering::Release);
        self.app.end_waits();
        for tenant in &self.tenants {
            tenant.end_waits();
        }
        let mut left = 0;
        for tenant in &self.tenants {
            left += tenant.drain(deadline).await;
        }
        if left > 0 {
            tracing::warn!(
                tasks = left,
                "stopping with tasks or synchronous executions under way; the next start calls the tasks again"
            );
        }
        for tenant in &self.tenants {
            tenant.engine.end_drain();
        }
        self.close_port(deadline).await;
        for tenant in &self.tenants {
            tenant.shutdown().await;
        }
        tracing::info!("stopped");
    }

    async fn close_port(&mut self, deadline: tokio::time::Instant) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(true);
        }
        let deadline = deadline.max(tokio::time::Instant::now() + REQUESTS_PATIENCE);
        for server in &mut self.servers {
            let mut ended = tokio::time::timeout_at(deadline, &mut *server).await;
            if ended.is_err() {
                self.app.give_up();
                ended = tokio::time::timeout(REQUESTS_PATIENCE, &mut *server).await;
            }
            match ended {
                Ok(Ok(Err(error))) => tracing::warn!(%error, "the port was not closed in order"),
                Ok(_) => {}
                Err(_) => {
                    server.abort();
                    tracing::warn!("stopping with requests under way");
                }
            }
        }
    }
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SystemError> {
    let failed = |source| SystemError::Listen { address, source };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let listener = socket.listen(BACKLOG).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
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
