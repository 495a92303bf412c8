//! How one state of a function is run: its code on disk, its program, its environment. A change of code or
//! configuration makes a new [`Launch`]; workers of the old one finish what they do and are not used again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use stepwell_aws::{Account, Fault};

use crate::catalog::Catalog;
use crate::code;
use crate::faults;
use crate::options::LambdaOptions;
use crate::record::{Code, FunctionRecord};
use crate::runtimes::{Prepared, Runtime, Runtimes};
use crate::worker::Blueprint;
use crate::worker::process::CommandLine;

/// How long a directory counts as unchanged after it was looked at.
const SURVEY_PAUSE: Duration = Duration::from_millis(500);

/// What all launches share.
pub(crate) struct Ground {
    pub(crate) account: Account,
    pub(crate) options: LambdaOptions,
    pub(crate) runtimes: Runtimes,
}

/// One state of a function.
pub(crate) struct Launch {
    pub(crate) record: Arc<FunctionRecord>,
    /// Never the same for two launches.
    pub(crate) generation: u64,
    blueprint: tokio::sync::Mutex<Option<Arc<Blueprint>>>,
    /// When the code's directory was looked at, and what it looked like.
    survey: Mutex<Option<(Instant, [u8; 32])>>,
}

impl Launch {
    /// The launch of a function that was created or loaded.
    pub(crate) fn first(record: FunctionRecord) -> Launch {
        Launch::of(Arc::new(record))
    }

    /// The launch after a change.
    pub(crate) fn next(&self, record: FunctionRecord) -> Launch {
        Launch::of(Arc::new(record))
    }

    fn of(record: Arc<FunctionRecord>) -> Launch {
        static GENERATIONS: AtomicU64 = AtomicU64::new(0);
        Launch {
            record,
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            blueprint: tokio::sync::Mutex::default(),
            survey: Mutex::default(),
        }
    }

    /// A new launch of the same function where its code is a directory that has changed since it was last looked at.
    pub(crate) async fn if_changed(&self) -> Option<Launch> {
        let Code::Directory(path) = &self.record.code else { return None };
        let last = *self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|(at, _)| at.elapsed() < SURVEY_PAUSE) {
            return None;
        }
        let path = PathBuf::from(path);
        let now = tokio::task::spawn_blocking(move || code::survey(&path)).await.ok()?.ok()?.1;
        *self.survey.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), now));
        if last.is_none_or(|(_, hash)| hash == now) {
            return None;
        }
        let next = Launch::of(self.record.clone());
        *next.survey.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), now));
        Some(next)
    }

    /// What a worker needs. Unpacks code and installs packages the first time; later it is quick.
    pub(crate) async fn blueprint(
        &self,
        ground: &Ground,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<Blueprint>, Fault> {
        let mut known = self.blueprint.lock().await;
        if let Some(blueprint) = known.as_ref()
            && blueprint.missing_packages.is_none()
            && blueprint.command.directory.is_dir()
        {
            return Ok(blueprint.clone());
        }
        let record = &self.record;
        let task_root = self.task_root(ground, catalog).await?;
        let runtime = Runtime::parse(&record.runtime)?;
        let prepared =
            ground.runtimes.prepare(runtime, &record.handler, &task_root, record.memory_mb).await?;
        let environment = environment(record, ground, runtime, &prepared, &task_root);
        let blueprint = Arc::new(Blueprint {
            command: CommandLine {
                program: prepared.program,
                arguments: prepared.arguments,
                directory: task_root,
                environment,
            },
            version: record.version_text(),
            timeout: Duration::from_secs(u64::from(record.timeout_s)),
            memory_mb: record.memory_mb,
            init_time: ground.options.limits.init_time,
            runtime: prepared.label,
            notes: prepared.notes,
            missing_packages: prepared.missing_packages,
            work_dir: ground.options.work_dir.clone(),
        });
        *known = Some(blueprint.clone());
        Ok(blueprint)
    }

    /// The directory with the function's files.
    async fn task_root(&self, ground: &Ground, catalog: &Arc<Catalog>) -> Result<PathBuf, Fault> {
        let hash = match &self.record.code {
            Code::Directory(path) => {
                let path = PathBuf::from(path);
                if path.is_dir() {
                    return Ok(path);
                }
                return Err(faults::invalid_code(format!(
                    "The function's directory {} is not there",
                    path.display()
                )));
            }
            Code::Archive(hash) => hash.clone(),
        };
        let target = code_directory(&ground.options.work_dir, &hash);
        if target.is_dir() {
            return Ok(target);
        }
        let catalog = catalog.clone();
        let unpack = tokio::task::spawn_blocking(move || {
            let archive = catalog.archive(&hash).map_err(|e| e.to_string())?;
            if archive.is_empty() {
                return Err("its code was removed with the function".to_owned());
            }
            code::unpack(&archive, &target).map_err(|e| e.to_string())?;
            Ok(target)
        });
        let unpacked = unpack.await.map_err(|e| e.to_string()).flatten();
        unpacked.map_err(|e| faults::invalid_code(format!("The function's code could not be unpacked: {e}")))
    }
}

/// Where the archive with this hash is unpacked.
pub(crate) fn code_directory(work_dir: &Path, hash: &str) -> PathBuf {
    work_dir.join("code").join(hash)
}

/// The whole environment of a function's process, but for what each worker adds. The function's own variables win
/// over defaults; what Lambda itself sets wins over them.
fn environment(
    record: &FunctionRecord,
    ground: &Ground,
    runtime: Runtime,
    prepared: &Prepared,
    task_root: &Path,
) -> BTreeMap<String, String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let root = text(task_root);
    let programs = prepared.program.parent().map(text).unwrap_or_default();
    let mut all = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        all.insert(name.to_owned(), value);
    };
    set("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin:/opt/bin"));
    set("LANG", "en_US.UTF-8".into());
    set("TZ", ":UTC".into());
    set("LD_LIBRARY_PATH", format!("{root}:{root}/lib"));
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into());
    set("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000".into());
    // Without this SDKs would put `sync-` and the like before our host's name.
    set("AWS_DISABLE_HOST_PREFIX_INJECTION", "true".into());
    if let Some(url) = ground.options.endpoint_url.get() {
        set("AWS_ENDPOINT_URL", url.clone());
    }
    if let Some(Value::Object(logging)) = record.recorded.get("LoggingConfig") {
        let names = [("AWS_LAMBDA_LOG_FORMAT", "LogFormat"), ("AWS_LAMBDA_LOG_LEVEL", "ApplicationLogLevel")];
        for (variable, member) in names {
            if let Some(value) = logging.get(member).and_then(Value::as_str) {
                set(variable, value.to_owned());
            }
        }
    }
    for (name, value) in record.environment.iter().flatten() {
        set(name, value.as_str().unwrap_or_default().to_owned());
    }
    let credentials = &ground.options.credentials;
    set("AWS_REGION", ground.account.region.clone());
    set("AWS_DEFAULT_REGION", ground.account.region.clone());
    set("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone());
    set("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone());
    set("AWS_SESSION_TOKEN", credentials.session_token.clone());
    set("AWS_LAMBDA_FUNCTION_NAME", record.name.clone());
    set("AWS_LAMBDA_FUNCTION_VERSION", record.version_text());
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", record.memory_mb.to_string());
    set("AWS_LAMBDA_LOG_GROUP_NAME", record.log_group());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into());
    set("LAMBDA_TASK_ROOT", root.clone());
    set("LAMBDA_RUNTIME_DIR", text(&ground.options.work_dir.join("boot")));
    set("_HANDLER", record.handler.clone());
    if runtime != Runtime::Provided {
        set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", record.runtime));
    }
    all
}
