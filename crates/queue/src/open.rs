//! Opening: from the records on disk to the queues in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use stepwell_aws::Account;
use stepwell_store::{CommitError, ReadError, Store, WriteBatch};

use crate::dedup;
use crate::index::Slot;
use crate::ledger::{Ledger, lock};
use crate::limits::SWEEP_BATCH;
use crate::queue::Queue;
use crate::record::{self, QueueRecord, Seen, VERSION};

/// Why the queues could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store could not be read.
    #[error("the queues cannot be read: {0}")]
    Read(#[from] ReadError),
    /// Left-over records could not be removed.
    #[error("the queues cannot be tidied: {0}")]
    Write(#[from] CommitError),
    /// A record is damaged, or was written by a version that this one does not know.
    #[error("the queues cannot be read: {what} is damaged or of another version")]
    Corrupt {
        /// Which record.
        what: String,
    },
}

/// The queues by name.
pub(crate) type Directory = BTreeMap<String, Arc<Queue>>;

/// Opens the ledger and reads all but the bodies.
pub(crate) fn open(store: Store, account: &Account, now_ms: i64) -> Result<(Ledger, Directory), OpenError> {
    let ledger = Ledger::open(store)?;
    let mut directory = Directory::new();
    for pair in ledger.spaces.queues.prefix(&[]) {
        let (key, value) = pair?;
        let name = String::from_utf8_lossy(&key).into_owned();
        let record =
            serde_json::from_slice(&value).ok().filter(|record: &QueueRecord| record.version == VERSION);
        let Some(record) = record else {
            return Err(OpenError::Corrupt { what: format!("the record of queue {name}") });
        };
        let arn = account.arn("sqs", &name);
        directory.insert(name.clone(), Arc::new(Queue::new(name, arn, record, true)));
    }
    load_messages(&ledger, &directory)?;
    load_deduplication(&ledger, &directory, now_ms)?;
    Ok((ledger, directory))
}

/// Fills the indexes. Messages of a queue that was purged or deleted just before the end of the last run are removed.
fn load_messages(ledger: &Ledger, directory: &Directory) -> Result<(), OpenError> {
    let by_generation: HashMap<u64, &Arc<Queue>> =
        directory.values().map(|queue| (queue.record().generation, queue)).collect();
    let mut sweep = Sweep::new(ledger);
    for pair in ledger.spaces.state.prefix(&[]) {
        let (key, value) = pair?;
        let place = record::parse_key(&key);
        let (Some((generation, seq)), Some(slot)) = (place, record::decode_slot(&value)) else {
            return Err(OpenError::Corrupt { what: "the state of a message".into() });
        };
        match by_generation.get(&generation) {
            Some(queue) => queue.index().insert(seq, slot),
            None => sweep.message(key, &slot)?,
        }
    }
    sweep.finish()
}

fn load_deduplication(ledger: &Ledger, directory: &Directory, now_ms: i64) -> Result<(), OpenError> {
    let by_id: HashMap<u64, &Arc<Queue>> = directory.values().map(|queue| (queue.id, queue)).collect();
    let mut fresh = Vec::new();
    let mut sweep = Sweep::new(ledger);
    for pair in ledger.spaces.dedup.prefix(&[]) {
        let (key, value) = pair?;
        let place = dedup::parse_key(&key);
        let (Some((queue, digest)), Ok(seen)) = (place, serde_json::from_slice::<Seen>(&value)) else {
            return Err(OpenError::Corrupt { what: "a deduplication id".into() });
        };
        match by_id.get(&queue) {
            Some(queue) if dedup::is_fresh(&seen, now_ms) => fresh.push((seen.sent_ms, queue, digest, seen)),
            _ => sweep.seen(key)?,
        }
    }
    fresh.sort_by_key(|(sent_ms, ..)| *sent_ms);
    for (_, queue, digest, seen) in fresh {
        lock(&queue.deduplication).remember(digest, seen);
    }
    sweep.finish()
}

/// Removes all messages of a generation, and the deduplication ids of a queue where `queue` is given. Blocks. A crash
/// in the middle is made good at the next open.
pub(crate) fn sweep(ledger: &Ledger, generation: u64, queue: Option<u64>) -> Result<(), OpenError> {
    let mut sweep = Sweep::new(ledger);
    for pair in ledger.spaces.state.prefix(&generation.to_be_bytes()) {
        let (key, value) = pair?;
        match record::decode_slot(&value) {
            Some(slot) => sweep.message(key, &slot)?,
            None => return Err(OpenError::Corrupt { what: "the state of a message".into() }),
        }
    }
    if let Some(queue) = queue {
        for pair in ledger.spaces.dedup.prefix(&queue.to_be_bytes()) {
            sweep.seen(pair?.0)?;
        }
    }
    sweep.finish()
}

/// Removals, a batch at a time.
struct Sweep<'a> {
    ledger: &'a Ledger,
    batch: WriteBatch,
    removals: usize,
}

impl<'a> Sweep<'a> {
    fn new(ledger: &'a Ledger) -> Sweep<'a> {
        Sweep { ledger, batch: WriteBatch::new(), removals: 0 }
    }

    fn message(&mut self, key: Vec<u8>, slot: &Slot) -> Result<(), OpenError> {
        self.batch.delete(&self.ledger.spaces.state, key);
        self.batch.delete(&self.ledger.spaces.bodies, slot.body.to_be_bytes());
        self.count()
    }

    fn seen(&mut self, key: Vec<u8>) -> Result<(), OpenError> {
        self.batch.delete(&self.ledger.spaces.dedup, key);
        self.count()
    }

    fn count(&mut self) -> Result<(), OpenError> {
        self.removals += 1;
        if self.removals.is_multiple_of(SWEEP_BATCH) {
            self.ledger.commit(std::mem::take(&mut self.batch))?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), OpenError> {
        if !self.batch.is_empty() {
            self.ledger.commit(self.batch)?;
        }
        Ok(())
    }
}
