//! What the embedded Lambda is told at start: where its files go, its limits, how it reaches other services.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use stepwell_aws::BoxFuture;

/// Where the bytes behind `Code.S3Bucket` and `Code.S3Key` come from.
pub trait CodeStore: Send + Sync {
    /// The object's bytes; `Ok(None)` where there is no such bucket or key. The error is a text for the caller.
    fn fetch<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, String>>;
}

/// The credentials in a function's environment. The default is for servers that do not check signatures. `Debug`
/// shows no secret.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Credentials {
            access_key_id: "ASIASTEPWELLLOCALKEY".into(),
            secret_access_key: "stepwell-local-secret".into(),
            session_token: "stepwell-local-session".into(),
        }
    }
}

/// Bounds on processes, queues and files.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Invocations that run at once, over all functions; each has a process of its own. The default is one for each
    /// 128 MB of the machine's memory and for each 16 files that this process may open, at least 32, at most 512.
    pub concurrent_invocations: usize,
    /// Invocations that may wait for a free place; one more is a `TooManyRequestsException`.
    pub waiting_invocations: usize,
    /// Processes kept warm, over all functions; beyond that the longest idle one ends.
    pub idle_workers: usize,
    /// How long a process is kept warm.
    pub idle_time: Duration,
    /// How long the init phase may last before it is started again within the invocation (10 s on AWS).
    pub init_time: Duration,
    /// Pauses before the second and third attempt of an `Event` invocation that failed (1 and 2 minutes on AWS).
    pub async_retry_pauses: [Duration; 2],
    /// `Event` invocations that are accepted and not yet done.
    pub async_pending: usize,
    /// Size at which a function's log file is put aside as `<function>.log.1`, whose predecessor is dropped.
    pub log_file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let by_memory = total_memory_mb().unwrap_or(4096) / 128;
        let concurrent_invocations = by_memory.min(open_files_max() / FILES_OF_A_WORKER).clamp(32, 512);
        Limits {
            concurrent_invocations,
            waiting_invocations: 1000,
            idle_workers: concurrent_invocations.min(64),
            idle_time: Duration::from_secs(300),
            init_time: Duration::from_secs(10),
            async_retry_pauses: [Duration::from_secs(60), Duration::from_secs(120)],
            async_pending: 10_000,
            log_file_bytes: 8 << 20,
        }
    }
}

/// Open files that a worker needs of ours: listener, connections, pipes; rounded up.
const FILES_OF_A_WORKER: usize = 16;

/// How many files this process may have open.
fn open_files_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// The machine's memory, where the system tells it.
fn total_memory_mb() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<usize>().ok().map(|kb| kb / 1024)
}

/// How to open [`Lambda`](crate::Lambda).
#[derive(Clone)]
pub struct LambdaOptions {
    /// Installed language packages, shared between data directories and processes.
    pub cache_dir: PathBuf,
    /// Unpacked code, start scripts, records of running processes. Belongs to this data directory alone; all of it
    /// can be made again from the store.
    pub work_dir: PathBuf,
    /// One log file per function: `<function>.log`.
    pub log_dir: PathBuf,
    /// The server's own URL, for `AWS_ENDPOINT_URL` of the functions; set once the port is known.
    pub endpoint_url: Arc<OnceLock<String>>,
    /// Resolves code in S3; `None` refuses such code.
    pub code_store: Option<Arc<dyn CodeStore>>,
    /// The credentials of the functions.
    pub credentials: Credentials,
    /// Bounds.
    pub limits: Limits,
}

impl LambdaOptions {
    /// Options with defaults for all but the directories.
    #[must_use]
    pub fn new(
        cache_dir: impl Into<PathBuf>,
        work_dir: impl Into<PathBuf>,
        log_dir: impl Into<PathBuf>,
    ) -> Self {
        LambdaOptions {
            cache_dir: cache_dir.into(),
            work_dir: work_dir.into(),
            log_dir: log_dir.into(),
            endpoint_url: Arc::new(OnceLock::new()),
            code_store: None,
            credentials: Credentials::default(),
            limits: Limits::default(),
        }
    }
}

impl std::fmt::Debug for LambdaOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LambdaOptions")
            .field("cache_dir", &self.cache_dir)
            .field("work_dir", &self.work_dir)
            .field("log_dir", &self.log_dir)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
