//! Removes what closed too long ago, in the background: small steps with rests between them, so that nobody waits for it.
//!
//! Decides what is looked at and when. Whether an execution may go is decided by its shard ([`crate::shard`]), which
//! knows whether it runs again; what a removal takes away is the store's. Every step is one small batch that takes its
//! turn with all others, and a crash between any two is made good by the next sweep.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use stepwell_store::{ClosedEntry, ExecutionRow, Executions, ReadError, WriteBatch};

use crate::shard::{Message, Surroundings, send_to_shard};

/// Executions that one step asks their shards about.
const WINDOW: usize = 512;

/// Journal batches that one step removes.
const PURGED_BATCHES_MAX: u32 = 4096;

/// Rows that one step looks at while executions of an older version are entered.
const ENTERED_ROWS: usize = 256;

/// The rest after a step, where others write and removal keeps up with what closes, is so many times what the step
/// took: the busier the others are, the longer.
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
    /// How long ago the last of the executions that it looked at was to go, in milliseconds.
    pub(crate) late_ms: i64,
}

/// Removes what is to go, sweep after sweep.
pub(crate) struct Retention {
    surroundings: Arc<Surroundings>,
    retention_ms: i64,
    older_are_entered: bool,
    sweep: Sweep,
}

impl Retention {
    pub(crate) fn new(surroundings: Arc<Surroundings>, retention: Duration) -> Self {
        Retention {
            surroundings,
            retention_ms: i64::try_from(retention.as_millis()).unwrap_or(i64::MAX),
            older_are_entered: false,
            sweep: Sweep::default(),
        }
    }

    /// Works until `stop` is dropped.
    pub(crate) fn run(mut self, stop: &mpsc::Receiver<()>) {
        let sweep_rest = Duration::from_millis(u64::try_from(self.retention_ms / 20).unwrap_or_default());
        let sweep_rest = sweep_rest.clamp(Duration::from_millis(100), SWEEP_REST_MAX);
        let is_late = |ms: i64| u128::try_from(ms).is_ok_and(|ms| ms > 2 * sweep_rest.as_millis());
        loop {
            let begun = Instant::now();
            let rest = match self.durable_step() {
                Ok(Step { is_last: true, .. }) => sweep_rest,
                // What others do not need, or what is needed lest the disk fill up.
                Ok(step) if is_late(step.late_ms) || !self.surroundings.store.is_busy() => Duration::ZERO,
                Ok(_) => begun.elapsed() * REST_FACTOR,
                Err(error) => {
                    tracing::error!(%error, "cannot remove what closed before the retention time");
                    self.sweep = Sweep::default();
                    SWEEP_REST_MAX
                }
            };
            if !matches!(stop.recv_timeout(rest), Err(mpsc::RecvTimeoutError::Timeout)) {
                return;
            }
        }
    }

    /// A step whose changes are durable when it returns.
    fn durable_step(&mut self) -> Result<Step, String> {
        let mut step = self.step().map_err(|error| error.to_string())?;
        let batch = std::mem::take(&mut step.batch);
        if !batch.is_empty() {
            self.surroundings.store.commit(batch).map_err(|error| error.to_string())?;
        }
        // Nobody sends anything; it ends when the last sender is gone.
        let _ = step.shards_done.recv_timeout(SHARDS_WAIT);
        Ok(step)
    }

    /// One bounded piece of work: what the shards are asked for is sent, the rest is in the batch.
    pub(crate) fn step(&mut self) -> Result<Step, ReadError> {
        let executions = &self.surroundings.executions;
        let mut batch = WriteBatch::new();
        let (under_way, shards_done) = mpsc::channel();
        if !self.older_are_entered {
            self.older_are_entered = executions.enter_older(&mut batch, ENTERED_ROWS)?;
            return Ok(Step { batch, shards_done, is_last: false, late_ms: 0 });
        }
        let retention_ms = self.retention_ms;
        let until_ms = self.surroundings.clock.now_ms().saturating_sub(retention_ms);
        let is_last = self.sweep.step(executions, &mut batch, until_ms, |entry, row| {
            let removal = Removal { entry, until_ms, retention_ms, under_way: under_way.clone() };
            let message = Message::Remove(Box::new(removal));
            send_to_shard(&self.surroundings, &row.info.execution_arn, message);
        })?;
        let late_ms = self.sweep.after.map_or(0, |after| until_ms.saturating_sub(after.at_ms));
        Ok(Step { batch, shards_done, is_last, late_ms })
    }
}

/// A sweep over what has closed, from the oldest on. Passes every entry once: behind it lie the traces of all that it
/// has removed, and whoever begins before them wades through them.
#[derive(Default)]
struct Sweep {
    /// Everything up to here has been looked at in this sweep.
    after: Option<ClosedEntry>,
    /// Of that: those whose shards have been asked, and which may have to be purged.
    asked: Vec<ClosedEntry>,
}

impl Sweep {
    /// Purges what the shards have removed since the last step, and has them asked for the next; says whether that was
    /// the last.
    fn step(
        &mut self,
        executions: &Executions,
        batch: &mut WriteBatch,
        until_ms: i64,
        mut ask: impl FnMut(ClosedEntry, &ExecutionRow),
    ) -> Result<bool, ReadError> {
        let mut room = PURGED_BATCHES_MAX;
        let mut left = Vec::new();
        for entry in self.asked.drain(..) {
            if room == 0 {
                left.push(entry);
            } else if matches!(executions.row(entry.key), Ok(None)) {
                let purged = executions.purge(batch, entry, room)?;
                room = room.saturating_sub(purged.batches);
                left.extend((!purged.is_all).then_some(entry));
            }
            // Else its shard keeps it, or has not got to it: the next sweep comes by again.
        }
        self.asked = left;
        if self.asked.len() >= WINDOW {
            return Ok(false);
        }
        let window = executions.closed_until(self.after, until_ms, WINDOW)?;
        for entry in &window {
            match executions.row(entry.key) {
                // Removed before a crash, and this is what is left.
                Ok(None) => self.asked.push(*entry),
                Ok(Some(row)) => {
                    ask(*entry, &row);
                    self.asked.push(*entry);
                }
                // It stays where it is, for whoever wants to find out what it was.
                Err(error @ ReadError::Corrupt { .. }) => {
                    tracing::warn!(execution = entry.key.0, %error, "an execution that cannot be read is not removed");
                }
                Err(error) => return Err(error),
            }
        }
        self.after = window.last().copied().or(self.after);
        let is_last = window.is_empty() && self.asked.is_empty();
        if is_last {
            self.after = None;
        }
        Ok(is_last)
    }
}

#[cfg(test)]
mod tests {
    use stepwell_interpreter::{ExecutionInfo, ExecutionKind, ExecutionStatus, Record};
    use stepwell_store::{ExecutionKey, Outcome, Redrives, Store};

    use super::*;

    fn closed(number: u64, stop_ms: i64) -> ExecutionRow {
        let info = ExecutionInfo {
            execution_arn: format!("arn:e{number}").into(),
            name: format!("e{number}").into(),
            state_machine_arn: "arn:m".into(),
            state_machine_name: "m".into(),
            role_arn: "arn:r".into(),
            region: "us-east-1".into(),
            start_ms: 5,
            timeout_s: None,
            kind: ExecutionKind::Standard,
            child_of: None,
        };
        let outcome = Outcome {
            status: ExecutionStatus::Succeeded,
            stop_ms,
            output: None,
            error: None,
            cause: None,
            last_event_id: 4,
        };
        ExecutionRow {
            info: Arc::new(info),
            revision: 7,
            trace_header: None,
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            outcome: Some(outcome),
            redrives: Redrives::default(),
        }
    }

    /// Nothing is read twice: what a sweep has passed is full of the traces of what was removed.
    #[test]
    fn a_sweep_passes_everything_once_whatever_stays_behind() {
        const COUNT: u64 = 10 * WINDOW as u64 + 7;
        // One that is kept, now and then; and one whose journal takes more than a step.
        let stays = |key: ExecutionKey| key.0.is_multiple_of(100);
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("opens");
        let executions = Executions::open(&store).expect("opens");
        let mut batch = WriteBatch::new();
        for number in 0..COUNT {
            let key = executions.new_key();
            executions.put_started(&mut batch, key, &closed(number, number.cast_signed()));
            let batches = if number == 3 { PURGED_BATCHES_MAX + 5 } else { 1 };
            (0..batches).for_each(|number| executions.put_records(&mut batch, key, number, &[] as &[Record]));
        }
        store.commit(batch).expect("commits");

        let (mut sweep, mut steps, mut asked) = (Sweep::default(), 0, 0);
        loop {
            let (mut batch, mut removed) = (WriteBatch::new(), WriteBatch::new());
            let before = sweep.after;
            let is_last = sweep.step(&executions, &mut batch, i64::MAX - 1, |entry, row| {
                asked += 1;
                assert!(before < Some(entry), "{entry:?} is before {before:?}");
                if !stays(entry.key) {
                    executions.put_removed(&mut removed, entry.key, row);
                }
            });
            steps += 1;
            batch.append(removed);
            store.commit(batch).expect("commits");
            if is_last.expect("reads") {
                break;
            }
            assert!(steps < 20, "the sweep does not end");
        }
        assert_eq!(asked, COUNT);
        let left = executions.closed_until(None, i64::MAX - 1, usize::MAX).expect("reads");
        assert_eq!(left.len() as u64, COUNT.div_ceil(100));
        assert!(left.iter().all(|entry| stays(entry.key)));
        // The next sweep comes to what has stayed.
        let mut again = 0;
        sweep.step(&executions, &mut WriteBatch::new(), i64::MAX - 1, |_, _| again += 1).expect("reads");
        assert_eq!(again, left.len());
    }
}
