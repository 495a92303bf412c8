//! Which worker serves an invocation: the one of its launch that was used last, else a new one. Keeps the bounds on
//! invocations in progress, on waiting ones and on warm processes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use stepwell_aws::Fault;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::faults;
use crate::options::Limits;
use crate::worker::Worker;

/// How often warm workers are looked at.
const REAP_PAUSE: Duration = Duration::from_secs(5);

struct Idle {
    uid: u64,
    generation: u64,
    worker: Worker,
    since: Instant,
}

/// Counts the workers that have not ended yet.
#[derive(Default)]
struct Living {
    count: AtomicUsize,
    changed: Notify,
}

/// Held by a worker while it lives.
pub(crate) struct Alive(Arc<Living>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

pub(crate) struct Pool {
    limits: Limits,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    idle: Mutex<Vec<Idle>>,
    closed: AtomicBool,
    shutdown: watch::Sender<bool>,
    living: Arc<Living>,
}

impl Pool {
    /// An empty pool, with a task that ends workers that were idle for long. Needs a tokio runtime.
    pub(crate) fn new(limits: Limits) -> Arc<Pool> {
        let pool = Arc::new(Pool {
            places: Arc::new(Semaphore::new(limits.concurrent_invocations.clamp(1, Semaphore::MAX_PERMITS))),
            limits,
            waiting: AtomicUsize::new(0),
            idle: Mutex::default(),
            closed: AtomicBool::new(false),
            shutdown: watch::Sender::new(false),
            living: Arc::default(),
        });
        tokio::spawn(reap(Arc::downgrade(&pool)));
        pool
    }

    /// Waits for a place among the invocations in progress.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        if let Ok(permit) = self.places.clone().try_acquire_owned() {
            return Ok(permit);
        }
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::AcqRel);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(&self.waiting);
        if before >= self.limits.waiting_invocations {
            return Err(faults::throttled("ConcurrentInvocationLimitExceeded"));
        }
        self.places.clone().acquire_owned().await.map_err(|_| stopping())
    }

    /// How many workers live, how many of them are idle, and how many invocations wait for a place.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let living = self.living.count.load(Ordering::Relaxed);
        (living, self.idle().len(), self.waiting.load(Ordering::Relaxed))
    }

    /// The warm worker of this launch that was used last.
    pub(crate) fn take(&self, uid: u64, generation: u64) -> Option<Worker> {
        let mut idle = self.idle();
        idle.retain(|i| !i.worker.is_gone());
        let at = idle.iter().rposition(|i| i.uid == uid && i.generation == generation)?;
        Some(idle.remove(at).worker)
    }

    /// Keeps a worker warm; the longest idle one makes room where there are too many.
    pub(crate) fn give_back(&self, uid: u64, generation: u64, worker: Worker) {
        if self.is_closed() {
            return;
        }
        let mut idle = self.idle();
        idle.push(Idle { uid, generation, worker, since: Instant::now() });
        let over = idle.len().saturating_sub(self.limits.idle_workers);
        idle.drain(..over);
    }

    /// Ends the warm workers of the function `uid`, except those of the launch `current`.
    pub(crate) fn retire(&self, uid: u64, current: Option<u64>) {
        self.idle().retain(|i| i.uid != uid || Some(i.generation) == current);
    }

    /// What a new worker gets: the sign of the end, and the token by which it is counted.
    pub(crate) fn admit(&self) -> Result<(watch::Receiver<bool>, Alive), Fault> {
        self.living.count.fetch_add(1, Ordering::AcqRel);
        let alive = Alive(self.living.clone());
        if self.is_closed() { Err(stopping()) } else { Ok((self.shutdown.subscribe(), alive)) }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Returns once the pool is closed.
    pub(crate) async fn closed(&self) {
        let _ = self.shutdown.subscribe().wait_for(|closed| *closed).await;
    }

    /// Ends all workers, also busy ones, and waits until their processes are gone, at most for `patience`.
    pub(crate) async fn close(&self, patience: Duration) {
        self.closed.store(true, Ordering::Release);
        self.places.close();
        self.shutdown.send_replace(true);
        self.idle().clear();
        let all_gone = async {
            loop {
                let changed = self.living.changed.notified();
                if self.living.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(patience, all_gone).await.is_err() {
            tracing::warn!("some function processes did not end in time");
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopping() -> Fault {
    faults::service("The server is shutting down")
}

async fn reap(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(REAP_PAUSE).await;
        let Some(pool) = pool.upgrade() else { return };
        let time = pool.limits.idle_time;
        pool.idle().retain(|i| !i.worker.is_gone() && i.since.elapsed() < time);
    }
}
