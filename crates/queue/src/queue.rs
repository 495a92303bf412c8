//! One queue while the service runs: its record, its index, and those who wait for a message.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::dedup::Deduplication;
use crate::index::{Index, Slot};
use crate::ledger::{Turn, lock};
use crate::limits::{ATTEMPTS_MAX, CLEARED_PER_CALL_MAX, DEDUPLICATION_MS};
use crate::record::QueueRecord;
use crate::settings::Settings;

/// A queue. Everything but [`Queue::admit`] and reading happens within a turn at the ledger.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) id: u64,
    record: Mutex<Arc<QueueRecord>>,
    index: Mutex<Index>,
    pub(crate) deduplication: Mutex<Deduplication>,
    pub(crate) attempts: Mutex<Attempts>,
    /// One permit, or one waiting receive woken, for each change that may have made a message available.
    pub(crate) arrivals: Notify,
    /// Whether its creation is on disk; until then only its creators know it.
    durable: AtomicBool,
    /// Whether it was deleted.
    gone: AtomicBool,
}

impl Queue {
    pub(crate) fn new(name: String, arn: String, record: QueueRecord, durable: bool) -> Queue {
        let index = Index::new(record.generation, record.settings.fifo.is_some());
        Queue {
            name,
            arn,
            id: record.id,
            record: Mutex::new(Arc::new(record)),
            index: Mutex::new(index),
            deduplication: Mutex::default(),
            attempts: Mutex::default(),
            arrivals: Notify::new(),
            durable: AtomicBool::new(durable),
            gone: AtomicBool::new(false),
        }
    }

    pub(crate) fn record(&self) -> Arc<QueueRecord> {
        lock(&self.record).clone()
    }

    /// Replaces the record, and writes it.
    pub(crate) fn set_record(&self, record: QueueRecord, turn: &mut Turn<'_>) {
        turn.put_queue(&self.name, &record);
        *lock(&self.record) = Arc::new(record);
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn set_durable(&self) {
        self.durable.store(true, Ordering::Release);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Marks the queue deleted and sends all who wait home.
    pub(crate) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
        self.arrivals.notify_waiters();
    }

    /// The index as it is; for open and for callbacks of the store.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }

    /// The index brought up to `now_ms`: what is due is visible, what is too old is gone. Let go of it before the turn
    /// commits.
    pub(crate) fn tend(
        &self,
        settings: &Settings,
        turn: &mut Turn<'_>,
        now_ms: i64,
    ) -> MutexGuard<'_, Index> {
        let mut index = lock(&self.index);
        index.settle(now_ms);
        let limit_ms = now_ms - retention_ms(settings);
        for _ in 0..CLEARED_PER_CALL_MAX {
            let Some(seq) = index.oldest_until(limit_ms) else { break };
            if let Some(slot) = index.remove(seq) {
                turn.delete_message(index.generation, seq, &slot);
            }
        }
        index
    }

    /// Takes messages in that have become durable; those of a generation that was purged meanwhile are left out.
    pub(crate) fn admit(&self, generation: u64, messages: Vec<(u64, Slot)>) {
        let mut index = lock(&self.index);
        if index.generation == generation {
            for (seq, slot) in messages {
                index.insert(seq, slot);
            }
        }
        drop(index);
        self.arrivals.notify_one();
    }
}

/// How long messages are kept.
pub(crate) fn retention_ms(settings: &Settings) -> i64 {
    i64::from(settings.retention_s) * 1_000
}

/// The last answers to receives with a `ReceiveRequestAttemptId` (FIFO queues). They live in memory only: after a
/// restart the messages of such a receive come back when their visibility timeout ends.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    attempts: HashMap<String, Attempt>,
}

#[derive(Debug, Clone)]
struct Attempt {
    at_ms: i64,
    /// The messages and the receive count with which each was handed out.
    messages: Vec<(u64, u32)>,
}

impl Attempts {
    /// The messages handed out for this attempt less than five minutes before `now_ms`.
    pub(crate) fn recall(&self, id: &str, now_ms: i64) -> Option<Vec<(u64, u32)>> {
        let attempt = self.attempts.get(id)?;
        (now_ms - attempt.at_ms < DEDUPLICATION_MS).then(|| attempt.messages.clone())
    }

    /// Remembers what was handed out. When there are too many, the old ones go, and at worst all.
    pub(crate) fn remember(&mut self, id: &str, at_ms: i64, messages: Vec<(u64, u32)>) {
        if self.attempts.len() >= ATTEMPTS_MAX {
            self.attempts.retain(|_, attempt| at_ms - attempt.at_ms < DEDUPLICATION_MS);
            if self.attempts.len() >= ATTEMPTS_MAX {
                self.attempts.clear();
            }
        }
        self.attempts.insert(id.to_owned(), Attempt { at_ms, messages });
    }
}
