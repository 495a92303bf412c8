//! Python: finding an interpreter, and installing AWS's runtime client and `boto3` for it once.
//!
//! Packages lie in `<cache_dir>/python3.X-<hash>`, shared by all functions and data directories; a lock file keeps
//! two processes from installing at once, and a directory with that name is always whole. Where AWS's client cannot
//! be installed, our own is used; where `boto3` cannot either, functions that do not import it still run, and the
//! error of one that does says why.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use stepwell_aws::Fault;
use tokio::sync::Mutex;

use super::{Prepared, on_path, output};
use crate::code::hex;
use crate::faults;

const BOOT: &str = include_str!("python_boot.py");
const CLIENT: &str = include_str!("python_client.py");

/// What is installed, in order of preference. Newer interpreters get fixed versions; older ones what pip finds for
/// them; where the client has no wheel, `boto3` alone.
const INSTALLS: &[&[&str]] =
    &[&["awslambdaric==4.2.2", "boto3==1.44.5"], &["awslambdaric", "boto3"], &["boto3==1.44.5"], &["boto3"]];

/// How long one run of pip may take.
const PIP_TIME: Duration = Duration::from_secs(300);

/// How long another process may take to install the same.
const LOCK_TIME: Duration = Duration::from_secs(900);

/// After a failed installation, how long functions run without before it is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Minor versions that are looked for.
const MINORS: std::ops::RangeInclusive<u32> = 6..=20;

/// An interpreter of this machine.
#[derive(Debug)]
struct Interpreter {
    program: PathBuf,
    minor: u32,
    /// Tells apart what must not share compiled packages.
    platform: String,
}

/// Where packages come from.
#[derive(Debug, Clone)]
enum Packages {
    /// The interpreter itself has them.
    Own,
    Directory(PathBuf),
    /// Not there, and why, and when that was found out.
    Missing(String, Instant),
}

pub(super) struct Pythons {
    boot: PathBuf,
    cache_dir: PathBuf,
    /// By the minor version asked for.
    found: Mutex<HashMap<u32, Arc<Interpreter>>>,
    /// By interpreter.
    packages: Mutex<HashMap<PathBuf, Packages>>,
}

impl Pythons {
    pub(super) fn open(boot: &Path, cache_dir: &Path) -> io::Result<Pythons> {
        let boot = std::path::absolute(boot)?;
        std::fs::write(boot.join("python_boot.py"), BOOT)?;
        std::fs::write(boot.join("python_client.py"), CLIENT)?;
        Ok(Pythons {
            boot,
            cache_dir: std::path::absolute(cache_dir)?,
            found: Mutex::default(),
            packages: Mutex::default(),
        })
    }

    pub(super) async fn prepare(
        &self,
        wanted: u32,
        handler: &str,
        task_root: &Path,
    ) -> Result<Prepared, Fault> {
        let interpreter = self.interpreter(wanted).await.ok_or_else(|| {
            faults::invalid_runtime(
                "The function needs Python 3, and there is no working `python3` in the PATH of the Stepwell server",
            )
        })?;
        let mut notes = Vec::new();
        if interpreter.minor != wanted {
            notes.push(format!(
                "WARNING: python3.{wanted} is not installed on this machine; running on Python 3.{} ({})",
                interpreter.minor,
                interpreter.program.display()
            ));
        }
        let (directory, missing) = match self.packages(&interpreter).await {
            Packages::Own => (PathBuf::new(), None),
            Packages::Directory(directory) => (directory, None),
            Packages::Missing(reason, _) => (PathBuf::new(), Some(reason)),
        };
        if let Some(reason) = &missing {
            notes.push(format!("WARNING: {reason}"));
        }
        Ok(Prepared {
            program: interpreter.program.clone(),
            arguments: vec![
                "-s".into(),
                self.boot.join("python_boot.py").into(),
                task_root.into(),
                directory.into(),
                handler.into(),
            ],
            label: format!("python3.{} ({})", interpreter.minor, interpreter.program.display()),
            notes,
            missing_packages: missing,
        })
    }

    /// The interpreter of the wanted version, else the nearest, else none.
    async fn interpreter(&self, wanted: u32) -> Option<Arc<Interpreter>> {
        let mut found = self.found.lock().await;
        if let Some(known) = found.get(&wanted) {
            return Some(known.clone());
        }
        let mut best: Option<Interpreter> = None;
        let mut minors: Vec<u32> = MINORS.collect();
        minors.sort_by_key(|minor| (minor.abs_diff(wanted), u32::MAX - minor));
        let exact = on_path(&format!("python3.{wanted}")).into_iter().chain(on_path("python3"));
        let others = minors.iter().filter(|m| **m != wanted).flat_map(|m| on_path(&format!("python3.{m}")));
        for program in exact.chain(others) {
            // Candidates come in order of distance; once one is found, only a nearer one is worth a look.
            if let Some(candidate) = probe(&program).await {
                let distance = |i: &Interpreter| (i.minor.abs_diff(wanted), u32::MAX - i.minor);
                let exact = candidate.minor == wanted;
                if best.as_ref().is_none_or(|b| distance(&candidate) < distance(b)) {
                    best = Some(candidate);
                }
                if exact {
                    break;
                }
            }
        }
        let best = Arc::new(best?);
        if best.minor != wanted {
            tracing::warn!(
                "python3.{wanted} is not installed; functions that ask for it run on Python 3.{} ({})",
                best.minor,
                best.program.display()
            );
        }
        found.insert(wanted, best.clone());
        Some(best)
    }

    async fn packages(&self, interpreter: &Interpreter) -> Packages {
        let mut known = self.packages.lock().await;
        match known.get(&interpreter.program) {
            Some(Packages::Missing(_, since)) if since.elapsed() >= RETRY_PAUSE => {}
            // An installation that somebody removed is made again.
            Some(Packages::Directory(directory)) if !directory.is_dir() => {}
            Some(packages) => return packages.clone(),
            None => {}
        }
        let packages = if has_both(interpreter).await {
            Packages::Own
        } else {
            match install(interpreter, &self.cache_dir).await {
                Ok(directory) => Packages::Directory(directory),
                Err(reason) => {
                    tracing::warn!(reason, "Python packages for functions could not be installed");
                    Packages::Missing(reason, Instant::now())
                }
            }
        };
        known.insert(interpreter.program.clone(), packages.clone());
        packages
    }
}

async fn probe(program: &Path) -> Option<Interpreter> {
    let script = "import sys, sysconfig; v = sys.version_info; print(sys.executable); print(v[0], v[1]); \
                  print(sys.implementation.cache_tag, sysconfig.get_platform())";
    let (ok, text) =
        output(program, &["-c".as_ref(), script.as_ref()], Duration::from_secs(20)).await.ok()?;
    let mut lines = text.lines();
    let (real, version, platform) = (lines.next()?, lines.next()?, lines.next()?);
    let (major, minor) = version.split_once(' ')?;
    (ok && major == "3").then_some(())?;
    Some(Interpreter { program: real.into(), minor: minor.parse().ok()?, platform: platform.to_owned() })
}

async fn has_both(interpreter: &Interpreter) -> bool {
    let arguments = ["-s".as_ref(), "-c".as_ref(), "import awslambdaric.__main__, boto3".as_ref()];
    matches!(output(&interpreter.program, &arguments, Duration::from_secs(60)).await, Ok((true, _)))
}

/// Installs the packages, or finds them installed. The error is a sentence for the user.
async fn install(interpreter: &Interpreter, cache_dir: &Path) -> Result<PathBuf, String> {
    let mut hash = Sha256::new();
    hash.update(&interpreter.platform);
    for package in INSTALLS.iter().copied().flatten() {
        hash.update(package);
    }
    let name = format!("python3.{}-{}", interpreter.minor, &hex(&hash.finalize())[..12]);
    let target = cache_dir.join(&name);
    if target.is_dir() {
        return Ok(target);
    }
    let failed = |e: io::Error| format!("Stepwell cannot write to its cache {}: {e}", cache_dir.display());
    std::fs::create_dir_all(cache_dir).map_err(failed)?;
    let _lock = lock(&cache_dir.join(format!("{name}.lock"))).await.map_err(failed)?;
    if target.is_dir() {
        return Ok(target);
    }
    remove_leftovers(cache_dir, &format!("{name}.new-"));
    tracing::info!(target = %target.display(), "installing boto3 and AWS's runtime client for Python functions, once");
    let aside = cache_dir.join(format!("{name}.new-{}", uuid::Uuid::new_v4().simple()));
    let result = pip(interpreter, &aside).await;
    let result = match result {
        Ok(()) => std::fs::rename(&aside, &target).map(|()| target).map_err(failed),
        Err(reason) => Err(reason),
    };
    let _ = tokio::fs::remove_dir_all(&aside).await;
    result
}

/// Removes what an installation that was killed left behind. The caller holds the lock.
fn remove_leftovers(cache_dir: &Path, prefix: &str) {
    for entry in std::fs::read_dir(cache_dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn pip(interpreter: &Interpreter, aside: &Path) -> Result<(), String> {
    let mut last = String::new();
    for packages in INSTALLS {
        let mut arguments: Vec<&OsStr> = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--no-warn-script-location",
            "--only-binary=:all:",
            "--retries=1",
            "--timeout=15",
            "--target",
        ]
        .iter()
        .map(OsStr::new)
        .collect();
        arguments.push(aside.as_os_str());
        arguments.extend(packages.iter().map(OsStr::new));
        match output(&interpreter.program, &arguments, PIP_TIME).await {
            Ok((true, _)) => return Ok(()),
            Ok((false, text)) => last = text,
            Err(reason) => last = reason,
        }
        let _ = tokio::fs::remove_dir_all(aside).await;
        // Without pip or network the other attempts would only take their time.
        if last.contains("No module named pip") || last.contains("after connection broken") {
            break;
        }
    }
    let said = |wanted: &str| last.lines().filter(|l| l.contains(wanted) && !l.trim().is_empty()).collect();
    let errors: Vec<&str> = said("ERROR:");
    let lines = if errors.is_empty() { said("") } else { errors };
    Err(format!(
        "Stepwell could not install boto3 for Python 3.{}: {}",
        interpreter.minor,
        lines[lines.len().saturating_sub(3)..].join(" | ")
    ))
}

/// Takes the lock on `path`, waiting for other processes; it is released with the file.
async fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    let end = Instant::now() + LOCK_TIME;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() >= end => {
                return Err(io::Error::other("another process holds the lock"));
            }
            Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
