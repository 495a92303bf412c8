//! The thread that removes items whose time to live has passed.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::service::Shared;

/// Between two rounds. AWS promises days; a minute keeps tables small and costs nothing while no table has a time to
/// live.
const INTERVAL: Duration = Duration::from_secs(60);

/// The running thread; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Sweeper {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<Sweeper> {
        let (stop, stopped) = mpsc::channel::<()>();
        let shared = Arc::downgrade(shared);
        let thread = std::thread::Builder::new().name("tables-ttl".to_owned()).spawn(move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) && sweep(&shared) {}
        })?;
        Ok(Sweeper { stop: Some(stop), thread: Some(thread) })
    }
}

/// One round; `false` when the tables are closed.
fn sweep(shared: &Weak<Shared>) -> bool {
    let Some(shared) = shared.upgrade() else { return false };
    match shared.guarded(|db| db.sweep_ttl()) {
        Ok(Ok(0)) => {}
        Ok(Ok(removed)) => tracing::debug!(removed, "items outlived their time to live"),
        Ok(Err(error)) => tracing::warn!(%error, "items that outlived their time to live stay for now"),
        Err(_) => {}
    }
    true
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A round in progress is waited for, so that the file is closed when the tables are dropped.
            let _ = thread.join();
        }
    }
}
