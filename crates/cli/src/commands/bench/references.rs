//! What a machine can do at best: an HTTP echo over the server's own HTTP stack, and syncs of as many bytes.

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::connection::{Connection, Request};
use super::error::BenchError;
use super::load::{self, Limit, Load, Operation, Stopwatch, histogram, record};
use super::machine;
use super::process::Process;

/// Bytes after which the file of the syncs is begun anew.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// An exchange with the echo.
struct Echo {
    request: Request,
    length: usize,
}

impl Operation for Echo {
    async fn perform(&mut self, connection: &mut Connection) -> Result<(), BenchError> {
        let answer = connection.exchange(&self.request).await?;
        if answer.status != 200 || answer.body.len() != self.length {
            return Err(BenchError::Wrong(format!("the echo answered {}", answer.status)));
        }
        Ok(())
    }
}

/// So many clients send a request of the same size to the echo, which sends its body back.
pub(super) async fn echo(
    echo: &Process,
    clients: usize,
    operation: &str,
    body: &str,
    time: Duration,
) -> Result<Load, BenchError> {
    let request = Request::echo(&echo.host, operation, body);
    let operations = || (0..clients).map(|_| Echo { request: request.clone(), length: body.len() }).collect();
    load::drive(&echo.host, operations(), Limit::Time(time / 5)).await?;
    let watch = Stopwatch::start(echo.gauge());
    let done = load::drive(&echo.host, operations(), Limit::Time(time)).await?;
    Ok(watch.stop(&done))
}

/// What to write and sync over and over.
#[derive(Debug, Clone)]
pub(super) struct Syncs {
    /// On which disk.
    pub(super) directory: PathBuf,
    /// Bytes of one operation.
    pub(super) bytes: u64,
    /// Operations that share a sync: as many as there are clients.
    pub(super) together: u64,
    /// How much longer a sync takes than the disk needs.
    pub(super) delay: Duration,
    /// On which processor.
    pub(super) cpu: Option<usize>,
}

/// Stops the thread when nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Appends to a file and syncs it, again and again. The latencies are those of syncs, the operations those that would
/// have shared them.
pub(super) async fn syncs(syncs: Syncs, time: Duration) -> Result<Load, BenchError> {
    let stop = Arc::new(AtomicBool::new(false));
    let _guard = StopOnDrop(stop.clone());
    let (send, receive) = oneshot::channel();
    std::thread::spawn(move || {
        machine::pin(syncs.cpu);
        let _ = send.send(sync_loop(&syncs, time, &stop));
    });
    let outcome = receive.await.map_err(|_| BenchError::Wrong("the syncs broke off".to_owned()))?;
    outcome.map_err(|error| BenchError::Wrong(format!("the disk cannot be measured: {error}")))
}

fn sync_loop(syncs: &Syncs, time: Duration, stop: &AtomicBool) -> std::io::Result<Load> {
    let path = syncs.directory.join("syncs");
    let outcome = append_and_sync(&path, syncs, time, stop);
    let _ = std::fs::remove_file(&path);
    outcome
}

fn append_and_sync(path: &Path, syncs: &Syncs, time: Duration, stop: &AtomicBool) -> std::io::Result<Load> {
    let length = syncs.bytes.saturating_mul(syncs.together).clamp(1, FILE_BYTES_MAX);
    let block = vec![b'x'; usize::try_from(length).unwrap_or(1)];
    let mut file = std::fs::File::create(path)?;
    let mut latency = histogram();
    let (begun, cpu) = (Instant::now(), thread_cpu());
    while latency.is_empty() || begun.elapsed() < time && !stop.load(Ordering::Relaxed) {
        let sync_begun = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        if !syncs.delay.is_zero() {
            std::thread::sleep(syncs.delay);
        }
        record(&mut latency, sync_begun.elapsed());
        if file.stream_position()? >= FILE_BYTES_MAX {
            file.set_len(0)?;
            file.rewind()?;
        }
    }
    Ok(Load {
        operations: latency.len().saturating_mul(syncs.together),
        elapsed: begun.elapsed(),
        cpu: Some(thread_cpu().saturating_sub(cpu)),
        latency,
        throttled: 0,
    })
}

/// Processor time of the calling thread.
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_share_syncs() {
        let directory = tempfile::tempdir().expect("a directory");
        let syncs = Syncs {
            directory: directory.path().to_path_buf(),
            bytes: 10,
            together: 64,
            delay: Duration::from_millis(1),
            cpu: None,
        };
        let load = sync_loop(&syncs, Duration::ZERO, &AtomicBool::new(false)).expect("syncs");
        assert_eq!((load.operations, load.latency.len()), (64, 1));
        assert!(load.latency.min() >= 999_000, "the delay counts");
        assert_eq!(std::fs::read_dir(directory.path()).expect("is read").count(), 0, "nothing is left");
    }
}
