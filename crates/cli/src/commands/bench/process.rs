//! The processes that are measured: servers, and the echo they are compared with. Each is this same binary.
//!
//! A process is gone when its value is dropped, whatever ended the benchmark.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::BenchError;
use super::machine::{self, Gauge};

/// How long a process may take until it is ready. A server with very much to recover takes a while.
const READY_TIMEOUT: Duration = Duration::from_secs(600);

/// Bytes of a server's log that are told where it fails.
const LOG_TAIL_BYTES: usize = 2000;

/// A running process that has said where it listens.
#[derive(Debug)]
pub(super) struct Process {
    child: Guard,
    /// `address:port`.
    pub(super) host: String,
    /// When it was started.
    pub(super) started: Instant,
    /// An echo ends when this closes, also if this process is killed.
    _stdin: Option<ChildStdin>,
}

/// Kills on drop.
#[derive(Debug)]
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command line of this binary, without what the environment says about servers.
///
/// Errors: the binary cannot be found.
pub(super) fn command(arguments: &[&str]) -> Result<Command, BenchError> {
    let executable = std::env::current_exe()
        .map_err(|error| BenchError::Process(format!("this program cannot be found: {error}")))?;
    let mut command = Command::new(executable);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("STEPWELL_") || name.starts_with("AWS_") {
            command.env_remove(&*name);
        }
    }
    Ok(command)
}

/// Starts a process on a processor and waits until it says that it is ready; `log` gets its stderr.
pub(super) async fn start(
    mut command: Command,
    cpu: Option<usize>,
    log: &Path,
) -> Result<Process, BenchError> {
    let failed =
        |error: std::io::Error| BenchError::Process(format!("the server cannot be started: {error}"));
    let stderr = std::fs::File::create(log).map_err(failed)?;
    command.stdout(Stdio::piped()).stderr(stderr);
    // A process runs where the thread that starts it runs.
    let spawner = std::thread::spawn(move || {
        machine::pin(cpu);
        (Instant::now(), command.spawn())
    });
    let (started, child) =
        spawner.join().map_err(|_| BenchError::Process("the server cannot be started".to_owned()))?;
    let mut child = Guard(child.map_err(failed)?);
    let stdin = child.0.stdin.take();
    let ready = first_line(&mut child.0);
    let line = tokio::time::timeout(READY_TIMEOUT, ready).await;
    let host = line.ok().and_then(Result::ok).and_then(|line| {
        let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://"))?;
        Some(url.trim_end_matches('/').to_owned())
    });
    match host {
        Some(host) => Ok(Process { child, host, started, _stdin: stdin }),
        None => Err(BenchError::Process(format!("the server does not start: {}", tail(log)))),
    }
}

/// The first line that the process prints; the others are read and thrown away, so that it never waits for us.
fn first_line(child: &mut Child) -> oneshot::Receiver<String> {
    let (send, receive) = oneshot::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            if let Some(line) = lines.next() {
                let _ = send.send(line);
            }
            lines.for_each(drop);
        });
    }
    receive
}

/// The end of a log.
pub(super) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let from = text.len().saturating_sub(LOG_TAIL_BYTES);
    let text = String::from_utf8_lossy(&text[from..]).trim().to_owned();
    if text.is_empty() { "it has logged nothing".to_owned() } else { text }
}

impl Process {
    /// What it uses.
    pub(super) fn gauge(&self) -> Gauge {
        Gauge::of(Some(self.child.0.id()))
    }

    /// `kill -9`; it is gone when this returns.
    pub(super) fn kill(self) {
        drop(self);
    }
}
