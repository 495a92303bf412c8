//! Removes what closed too long ago, in the background: small steps with rests between them, so that nobody waits for it.
//!
//! Decides what is looked at and when. Whether an execution may go is decided by its shard ([`crate::shard`]), which
//! knows whether it runs again; what a removal takes away is the store's. Every step is one small batch that takes its
//! turn with all others, and a crash between any two is made good by the next sweep.

use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use stepwell_store::{ClosedEntry, ExecutionKey, ReadError, WriteBatch};

use crate::shard::{Message, Surroundings, send_to_shard};

/// Executions that one step looks at.
const WINDOW: usize = 64;

/// Journal batches that one step removes.
const PURGED_BATCHES_MAX: u32 = 512;

/// Rows that one step looks at while executions of an older version are entered.
const ENTERED_ROWS: usize = 256;

/// The rest after a step is so many times what the step took: the busier the others are, the longer.
const REST_FACTOR: u32 = 2;

/// The longest rest between two sweeps.
const SWEEP_REST_MAX: Duration = Duration::from_secs(60);

/// How long one step waits for the shards at the most; it comes back to what they have not done.
const SHARDS_WAIT: Duration = Duration::from_secs(10);

/// A request to remove an execution, for its shard.
pub(crate) struct Removal {
    /// What led to it.
    pub(crate) entry: ClosedEntry,
    /// Executions that closed at this time or before are removed.
    pub(crate) until_ms: i64,
    /// How long closed executions are kept.
    pub(crate) retention_ms: i64,
    /// Dropped once it is durable, or where there is nothing to be done.
    pub(crate) under_way: mpsc::Sender<()>,
}

/// What is done in one step.
pub(crate) struct Step {
    /// What is to be made durable.
    pub(crate) batch: WriteBatch,
    /// Ends, without a word, when the shards have done their part.
    pub(crate) shards_done: mpsc::Receiver<()>,
    /// Nothing is left to do before the next sweep.
    pub(crate) is_last: bool,
}

/// A sweep over what has closed, from the oldest on.
pub(crate) struct Retention {
    surroundings: Arc<Surroundings>,
    retention_ms: i64,
    older_are_entered: bool,
    /// Everything up to here has been looked at in this sweep.
    after: Option<ClosedEntry>,
    /// Of the entries that follow: those whose shards have been asked.
    asked: HashSet<ExecutionKey>,
}

impl Retention {
    pub(crate) fn new(surroundings: Arc<Surroundings>, retention: Duration) -> Self {
        Retention {
            surroundings,
            retention_ms: i64::try_from(retention.as_millis()).unwrap_or(i64::MAX),
            older_are_entered: false,
            after: None,
            asked: HashSet::new(),
        }
    }

    /// Works until `stop` is dropped.
    pub(crate) fn run(mut self, stop: &mpsc::Receiver<()>) {
        let sweep_rest = Duration::from_millis(u64::try_from(self.retention_ms / 20).unwrap_or_default());
        let sweep_rest = sweep_rest.clamp(Duration::from_millis(100), SWEEP_REST_MAX);
        loop {
            let begun = Instant::now();
            let rest = match self.durable_step() {
                Ok(true) => sweep_rest,
                Ok(false) => begun.elapsed() * REST_FACTOR,
                Err(error) => {
                    tracing::error!(%error, "cannot remove what closed before the retention time");
                    self.begin_again();
                    SWEEP_REST_MAX
                }
            };
            if !matches!(stop.recv_timeout(rest), Err(mpsc::RecvTimeoutError::Timeout)) {
                return;
            }
        }
    }

    /// A step whose changes are durable when it returns; says whether it is the last of its sweep.
    fn durable_step(&mut self) -> Result<bool, String> {
        let Step { batch, shards_done, is_last } = self.step().map_err(|error| error.to_string())?;
        if !batch.is_empty() {
            self.surroundings.store.commit(batch).map_err(|error| error.to_string())?;
        }
        // Nobody sends anything; it ends when the last sender is gone.
        let _ = shards_done.recv_timeout(SHARDS_WAIT);
        Ok(is_last)
    }

    fn begin_again(&mut self) {
        self.after = None;
        self.asked.clear();
    }

    /// One bounded piece of work: what the shards are asked for is sent, the rest is in the batch.
    pub(crate) fn step(&mut self) -> Result<Step, ReadError> {
        let executions = &self.surroundings.executions;
        let mut batch = WriteBatch::new();
        let (under_way, shards_done) = mpsc::channel();
        if !self.older_are_entered {
            self.older_are_entered = executions.enter_older(&mut batch, ENTERED_ROWS)?;
            return Ok(Step { batch, shards_done, is_last: false });
        }
        let until_ms = self.surroundings.clock.now_ms().saturating_sub(self.retention_ms);
        let window = executions.closed_until(self.after, until_ms, WINDOW)?;
        let (mut purged, mut is_idle) = (0, true);
        for entry in &window {
            match executions.row(entry.key) {
                // Its shard has removed it, and this is what is left.
                Ok(None) if purged < PURGED_BATCHES_MAX => {
                    purged += executions.purge(&mut batch, *entry, PURGED_BATCHES_MAX - purged)?;
                    is_idle = false;
                }
                Ok(None) => is_idle = false,
                Ok(Some(row)) => {
                    if self.asked.insert(entry.key) {
                        let under_way = under_way.clone();
                        let retention_ms = self.retention_ms;
                        let removal = Removal { entry: *entry, until_ms, retention_ms, under_way };
                        let message = Message::Remove(Box::new(removal));
                        send_to_shard(&self.surroundings, &row.info.execution_arn, message);
                        is_idle = false;
                    }
                }
                // It stays where it is, for whoever wants to find out what it was.
                Err(error @ ReadError::Corrupt { .. }) => {
                    if self.asked.insert(entry.key) {
                        tracing::warn!(execution = entry.key.0, %error, "an execution that cannot be read is not removed");
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let is_last = is_idle && window.len() < WINDOW;
        if is_last {
            self.begin_again();
        } else if is_idle {
            self.after = window.last().copied();
            self.asked.clear();
        }
        Ok(Step { batch, shards_done, is_last })
    }
}
