//! The embedded AWS Lambda: functions as local processes over the real Lambda Runtime API.
//!
//! Owns functions and their code (durable in the store), the processes that run them, their logs, the language
//! packages they need, and the REST bindings of Lambda's API ([`rest`]). It is a [`Service`]; sockets of the public
//! API belong to the server. It never isolates: a function runs with the rights of this server's user.
//!
//! ```text
//! Call ─► operations ─► catalog (store)          Invoke ─► pool ─► worker ─► process
//!                          └► launch: code on disk, program, environment ─┘   └► Runtime API, logs
//! ```

mod catalog;
mod code;
mod events;
mod faults;
mod figures;
mod invoke;
mod launch;
mod logs;
mod names;
mod operations;
mod options;
mod pool;
mod record;
pub mod rest;
mod runtimes;
mod settings;
mod validate;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_store::{ReadError, Store};

use crate::catalog::Catalog;
pub use crate::catalog::LoadError;
use crate::events::Events;
use crate::figures::Figures;
pub use crate::figures::{INVOCATION_OUTCOMES, LambdaFigures};
use crate::launch::Ground;
use crate::logs::LogSink;
pub use crate::options::{CodeStore, Credentials, LambdaOptions, Limits};
use crate::pool::Pool;
use crate::runtimes::Runtimes;

/// How long [`Lambda::shutdown`] waits for killed processes to be gone.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Why the service could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory could not be prepared.
    #[error("cannot use {path} for Lambda functions: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The stored functions could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What all parts share.
pub(crate) struct Inner {
    ground: Ground,
    catalog: Arc<Catalog>,
    pool: Arc<Pool>,
    events: Events,
    logs: LogSink,
    figures: Figures,
}

/// The Lambda service.
pub struct Lambda {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Lambda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lambda").finish_non_exhaustive()
    }
}

impl Lambda {
    /// Opens the service on `store`: loads all functions, ends processes that a killed predecessor left, and takes up
    /// `Event` invocations that it had accepted. Must be called within a tokio runtime. Blocks while it reads.
    pub fn open(store: Store, account: Account, options: LambdaOptions) -> Result<Arc<Lambda>, OpenError> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| OpenError::Io { path, source }
        };
        let mut options = options;
        // Functions run elsewhere: what they are told must not depend on our working directory.
        options.work_dir = std::path::absolute(&options.work_dir).map_err(io(&options.work_dir))?;
        let work_dir = options.work_dir.clone();
        std::fs::create_dir_all(&work_dir).map_err(io(&work_dir))?;
        worker::process::clean_up(&work_dir).map_err(io(&work_dir))?;
        let runtimes = Runtimes::open(&work_dir, &options.cache_dir).map_err(io(&work_dir))?;
        let logs = LogSink::start(options.log_dir.clone(), options.limits.log_file_bytes)
            .map_err(io(&options.log_dir))?;
        let catalog = Arc::new(Catalog::load(store.clone())?);
        remove_leftovers(&work_dir, &catalog);
        let inner = Arc::new(Inner {
            pool: Pool::new(options.limits.clone()),
            events: Events::open(&store)?,
            ground: Ground { account, options, runtimes },
            catalog,
            logs,
            figures: Figures::default(),
        });
        inner.events.resume(&inner)?;
        Ok(Arc::new(Lambda { inner }))
    }

    /// Ends all processes, also of invocations in progress, accepts no further ones, and completes the logs.
    ///
    /// The calls of invocations that this interrupts are never answered, because their outcome is not known: drop
    /// them. An engine that is still running then records nothing false and dispatches them again at its next start.
    pub async fn shutdown(&self) {
        self.inner.pool.close(SHUTDOWN_PATIENCE).await;
        self.inner.logs.flush().await;
    }

    /// What it has counted so far, and what it has now.
    #[must_use]
    pub fn figures(&self) -> LambdaFigures {
        let (processes, idle_processes, waiting) = self.inner.pool.counts();
        LambdaFigures { processes, idle_processes, waiting, ..self.inner.figures.get() }
    }

    /// The file with the output of the function `name`.
    #[must_use]
    pub fn log_path(&self, name: &str) -> PathBuf {
        logs::log_path(&self.inner.ground.options.log_dir, name)
    }
}

/// Removes scratch directories of an earlier process and unpacked code that no function uses.
fn remove_leftovers(work_dir: &Path, catalog: &Catalog) {
    let _ = std::fs::remove_dir_all(work_dir.join("tmp"));
    let used = catalog.archives();
    for entry in std::fs::read_dir(work_dir.join("code")).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_none_or(|name| !used.iter().any(|hash| hash == name)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Service for Lambda {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        let inner = self.inner.clone();
        Box::pin(async move {
            // A task of its own: a caller that goes away must not leave a change half made, or a process without an
            // owner.
            let task = tokio::spawn(async move {
                let mut result = operations::dispatch(&inner, call).await;
                let id = match &mut result {
                    Ok(reply) => &mut reply.request_id,
                    Err(fault) => &mut fault.request_id,
                };
                id.get_or_insert_with(|| uuid::Uuid::new_v4().to_string());
                result
            });
            match task.await {
                // A made-up answer would be recorded as the invocation's end by a caller that outlives us.
                Ok(Err(fault)) if fault.code == faults::UNANSWERED => std::future::pending().await,
                Ok(result) => result,
                Err(error) => Err(faults::service(error.to_string())),
            }
        })
    }
}
