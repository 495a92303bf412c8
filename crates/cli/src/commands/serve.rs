//! `stepwell serve`: the system until a signal ends it.

use stepwell_server::{Keyring, Limits, Tls};
use stepwell_telemetry::traces::{TraceOptions, Traced};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{LimitArgs, LogFormat, ServeArgs, SystemArgs, Traces};
use crate::keys::{KeySource, KeysError};
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::system::{System, SystemError, SystemOptions, default_cache_dir};
use crate::terminal::{LogWriter, Terminal};

/// How often the system is asked whether it still works.
const HEALTH_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

pub(super) async fn run(args: ServeArgs, terminal: &Terminal) -> CommandResult {
    start_log(&args.log, args.log_format, terminal.stderr_colours())?;
    let mut signals = Signals::new()?;
    let mut options = options(&args.system, args.data_dir.clone());
    options.listen = args.listen;
    options.allow_unauthenticated = args.allow_unauthenticated;
    options.shards = args.shards;
    options.retention = args.retention.0;
    options.sync_delay = args.sync_delay.unwrap_or_default();
    options.drain_timeout = std::time::Duration::from_secs(args.drain_timeout.into());
    options.traces = traces(args.traces)?;
    options.limits = limits(&args.limits);
    let keys = KeySource { file: args.credentials.clone(), account: args.system.account.clone() };
    options.keyring = read_keys(&keys)?;
    options.tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(Tls::load(certificate, key).map_err(|error| CommandError::unusable(error.to_string()))?)
        }
        _ => None,
    };
    let reload = Reload { keys: args.credentials.is_some().then_some(keys), tls: options.tls.clone() };
    allow_many_files();
    let system = System::start(options).await?;
    // It serves whether or not somebody reads this.
    let _ = terminal.data(&format!(
        "Stepwell is ready on {} (data in {})",
        system.url(),
        args.data_dir.display()
    ));
    let _ = terminal.data(&format!("export AWS_ENDPOINT_URL={}", system.url()));
    let healthy = tokio::select! {
        () = signals.next() => true,
        () = broken(&system) => false,
        error = reload.whenever_asked(&system) => return Err(error),
    };
    tracing::info!("stopping; a second signal ends it at once");
    let stopping = system.shutdown();
    tokio::select! {
        () = stopping => {}
        // Asked twice: whoever waits has no patience left. What was acknowledged is on disk.
        () = signals.next() => return Ok(Outcome::Interrupted),
    }
    if healthy {
        Ok(Outcome::Success)
    } else {
        Err(CommandError::unusable(
            "the store can no longer write, so the server has stopped; its log says why",
        ))
    }
}

/// How executions are traced, where the environment names a collector.
fn traces(which: Traces) -> Result<Option<TraceOptions>, CommandError> {
    let traced = match which {
        Traces::All => Traced::All,
        Traces::Enabled => Traced::Enabled,
        Traces::Off => return Ok(None),
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_configured =
        TraceOptions::is_configured(variable).map_err(|error| CommandError::unusable(error.to_string()))?;
    Ok(is_configured.then_some(TraceOptions { traced }))
}

/// Returns once the store has failed: only a restart, which reads the disk, helps then.
async fn broken(system: &System) {
    while system.is_healthy() {
        tokio::time::sleep(HEALTH_PAUSE).await;
    }
}

/// All credentials of clients.
fn read_keys(keys: &KeySource) -> Result<Keyring, CommandError> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    keys.read(variable).map_err(|error: KeysError| CommandError::unusable(error.to_string()))
}

fn limits(args: &LimitArgs) -> Limits {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let seconds = |number: u32| std::time::Duration::from_secs(u64::from(number));
    Limits {
        connections_max: count(args.max_connections),
        requests_max: count(args.max_requests),
        headers_timeout: seconds(args.idle_timeout),
        body_timeout: seconds(args.body_timeout),
        stall_timeout: seconds(args.body_timeout),
        ..Limits::default()
    }
}

/// Every connection is an open file, and systems begin with a low limit that a process may raise itself.
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// What SIGHUP reads again.
struct Reload {
    keys: Option<KeySource>,
    tls: Option<Tls>,
}

impl Reload {
    /// Reads again at every SIGHUP. What cannot be used is told and changes nothing. Where there is nothing to read,
    /// the signal ends the process, as it does by default: then a terminal that is closed takes its server with it.
    async fn whenever_asked(&self, system: &System) -> CommandError {
        if self.keys.is_none() && self.tls.is_none() {
            return std::future::pending().await;
        }
        let mut asked = match signal(SignalKind::hangup()) {
            Ok(asked) => asked,
            Err(error) => return CommandError::unusable(format!("signals cannot be received: {error}")),
        };
        while asked.recv().await.is_some() {
            match self.now(system) {
                Ok(()) => tracing::info!("credentials and certificate were read again"),
                Err(error) => tracing::error!("nothing was changed: {error}"),
            }
        }
        std::future::pending().await
    }

    fn now(&self, system: &System) -> Result<(), CommandError> {
        if let Some(keys) = &self.keys {
            let keyring = read_keys(keys)?;
            system
                .replace_credentials(&keyring)
                .map_err(|error| CommandError::unusable(error.to_string()))?;
        }
        match &self.tls {
            Some(tls) => tls.reload().map_err(|error| CommandError::unusable(error.to_string())),
            None => Ok(()),
        }
    }
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Signals, CommandError> {
        let open = |kind| {
            signal(kind)
                .map_err(|error| CommandError::unusable(format!("signals cannot be received: {error}")))
        };
        Ok(Signals { terminate: open(SignalKind::terminate())?, interrupt: open(SignalKind::interrupt())? })
    }

    /// Returns when one of them arrives.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl From<SystemError> for CommandError {
    fn from(error: SystemError) -> Self {
        let hint = match &error {
            SystemError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
                Some("is Stepwell running there already? --listen takes another port, 0 a free one")
            }
            SystemError::ListenRefused(_) => {
                Some("--credentials names a file with access keys; --allow-unauthenticated takes the risk")
            }
            SystemError::Store(stepwell_store::OpenError::Locked { .. }) => {
                Some("--data-dir takes another directory")
            }
            _ => None,
        };
        let error = CommandError::unusable(error.to_string());
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// The options that the arguments of both `serve` and `run` give.
pub(super) fn options(args: &SystemArgs, data_dir: std::path::PathBuf) -> SystemOptions {
    let cache_dir = args.cache_dir.clone().unwrap_or_else(|| default_cache_dir(&data_dir));
    let mut options = SystemOptions::new(data_dir);
    options.cache_dir = cache_dir;
    options.account.region.clone_from(&args.region);
    options.account.id.clone_from(&args.account);
    options.account.partition = partition(&args.region).to_owned();
    options.endpoints.clone_from(&args.endpoint);
    options
}

/// The partition that a region belongs to, by AWS's naming.
fn partition(region: &str) -> &'static str {
    match region.split('-').collect::<Vec<_>>().as_slice() {
        ["cn", ..] => "aws-cn",
        ["us", "gov", ..] => "aws-us-gov",
        _ => "aws",
    }
}

/// Logs go to stderr as the filter says.
///
/// Errors: the filter is none.
pub(super) fn start_log(filter: &str, format: LogFormat, colours: bool) -> Result<(), CommandError> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| {
        CommandError::unusable(format!("'{filter}' is no log filter: {error}"))
            .hint("a level such as debug, or a filter such as info,stepwell_lambda=debug")
    })?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LogWriter).with_ansi(colours);
    let started = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| CommandError::unusable(format!("the log cannot be started: {error}")))
}
