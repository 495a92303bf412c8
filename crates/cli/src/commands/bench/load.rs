//! Clients that do one thing after another, each on a connection of its own, and how long that took.
//!
//! A closed loop: a client begins its next operation when the last one has ended. All clients are tasks of one thread.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::error::BenchError;
use super::machine::Gauge;

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// Pause of a client that the server has turned away.
const THROTTLED_PAUSE: Duration = Duration::from_millis(1);

/// What a client does over and over.
pub(super) trait Operation: 'static {
    /// Does it once. An error ends the measurement, unless the server only had too much to do.
    async fn perform(&mut self, connection: &mut Connection) -> Result<(), BenchError>;
}

/// When clients stop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    /// Nothing is begun after this time, but everybody does something once.
    Time(Duration),
    /// After so many operations by all clients together.
    Count(u64),
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) operations: u64,
    pub(super) elapsed: Duration,
    /// In nanoseconds.
    pub(super) latency: Histogram<u64>,
    /// Processor time of the server.
    pub(super) cpu: Option<Duration>,
    /// How often the server had too much to do; those attempts are not operations.
    pub(super) throttled: u64,
}

impl Load {
    /// Operations a second.
    pub(super) fn per_second(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a rate needs no more")]
        let operations = self.operations as f64;
        operations / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Processor time of the server for one operation.
    pub(super) fn cpu_each(&self) -> Option<Duration> {
        #[allow(clippy::cast_precision_loss, reason = "a mean needs no more")]
        let operations = self.operations.max(1) as f64;
        Some(Duration::from_secs_f64(self.cpu?.as_secs_f64() / operations))
    }
}

/// An empty histogram of nanoseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("three digits are a precision that histograms have")
}

/// Adds one latency.
pub(super) fn record(latency: &mut Histogram<u64>, took: Duration) {
    let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    // Not `saturating_record`, which never makes a histogram larger. This one does, so it cannot fail.
    let _ = latency.record(nanoseconds);
}

/// A measurement under way: from its beginning to [`Stopwatch::stop`].
#[derive(Debug)]
pub(super) struct Stopwatch {
    gauge: Gauge,
    begun: Instant,
    cpu: Option<Duration>,
}

impl Stopwatch {
    /// Begins now; `gauge` is the server's.
    pub(super) fn start(gauge: Gauge) -> Self {
        let cpu = gauge.cpu();
        Stopwatch { gauge, begun: Instant::now(), cpu }
    }

    /// Ends now.
    pub(super) fn stop<O>(&self, done: &Done<O>) -> Load {
        let elapsed = self.begun.elapsed();
        let cpu = self.gauge.cpu().zip(self.cpu).map(|(after, before)| after.saturating_sub(before));
        Load {
            operations: done.latency.len(),
            elapsed,
            latency: done.latency.clone(),
            cpu,
            throttled: done.throttled,
        }
    }
}

/// What clients have done.
pub(super) struct Done<O> {
    /// The clients, with what they remember.
    pub(super) clients: Vec<O>,
    latency: Histogram<u64>,
    throttled: u64,
}

/// Lets every one of `clients` work until the limit.
///
/// Errors: the first error of any client.
pub(super) async fn drive<O: Operation>(
    host: &str,
    clients: Vec<O>,
    limit: Limit,
) -> Result<Done<O>, BenchError> {
    let plan = Rc::new(Plan::new(limit));
    let mut tasks = JoinSet::new();
    for operation in clients {
        tasks.spawn_local(client(host.to_owned(), operation, plan.clone()));
    }
    let mut done = Done { clients: Vec::new(), latency: histogram(), throttled: 0 };
    while let Some(joined) = tasks.join_next().await {
        let ended = joined.map_err(|error| BenchError::Wrong(format!("a client broke off: {error}")))?;
        let (operation, latency, throttled) = ended?;
        done.clients.push(operation);
        done.latency += latency;
        done.throttled += throttled;
    }
    Ok(done)
}

async fn client<O: Operation>(
    host: String,
    mut operation: O,
    plan: Rc<Plan>,
) -> Result<(O, Histogram<u64>, u64), BenchError> {
    let mut connection = Connection::open(&host).await?;
    let mut latency = histogram();
    let mut throttled = 0;
    while plan.take(latency.is_empty()) {
        let begun = Instant::now();
        match operation.perform(&mut connection).await {
            Ok(()) => record(&mut latency, begun.elapsed()),
            Err(error) if error.is_throttling() => {
                throttled += 1;
                plan.give_back();
                tokio::time::sleep(THROTTLED_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((operation, latency, throttled))
}

/// What is left to do.
struct Plan {
    until: Option<Instant>,
    left: Cell<u64>,
}

impl Plan {
    fn new(limit: Limit) -> Self {
        match limit {
            Limit::Time(time) => Plan { until: Some(Instant::now() + time), left: Cell::new(u64::MAX) },
            Limit::Count(count) => Plan { until: None, left: Cell::new(count) },
        }
    }

    /// Whether a client may begin another operation.
    fn take(&self, is_first: bool) -> bool {
        let in_time = self.until.is_none_or(|until| is_first || Instant::now() < until);
        let left = self.left.get();
        if !in_time || left == 0 {
            return false;
        }
        self.left.set(left - 1);
        true
    }

    /// What was taken was not done.
    fn give_back(&self) {
        self.left.set(self.left.get().saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_kept_to() {
        let plan = Plan::new(Limit::Count(2));
        assert!(plan.take(true) && plan.take(false) && !plan.take(true));
        plan.give_back();
        assert!(plan.take(false) && !plan.take(false));
    }

    #[test]
    fn latencies_of_any_length_are_kept() {
        let mut latency = histogram();
        for took in [1, 1000, 60_000].map(Duration::from_millis) {
            record(&mut latency, took);
        }
        assert_eq!(latency.len(), 3);
        let longest = Duration::from_nanos(latency.max()).as_secs_f64();
        assert!((59.9..60.1).contains(&longest), "{longest}");
        assert!(Duration::from_nanos(latency.value_at_quantile(0.3)) < Duration::from_millis(2));
    }

    #[test]
    fn everybody_does_something() {
        let plan = Plan::new(Limit::Time(Duration::ZERO));
        assert!(plan.take(true));
        assert!(!plan.take(false));
    }
}
