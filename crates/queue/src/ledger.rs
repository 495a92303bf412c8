//! The one order of all changes, and how they reach the disk.
//!
//! Whoever changes anything takes a [`Turn`]: it gives out sequence numbers, collects the records to write and hands
//! them to the store while it still holds the turn. So batches reach the store, become durable, and are called back,
//! in the order in which the changes were made in memory; and a number is larger than all that were durable before.
//!
//! Lock order: the turn, then a queue's index. The store calls back on its own thread, which takes index locks only:
//! nobody may hold one while handing a batch in, because that can block until the store's thread has caught up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stepwell_aws::Fault;
use stepwell_store::{CommitError, Keyspace, ReadError, Store, WriteBatch};
use tokio::sync::oneshot;

use crate::OpenError;
use crate::index::Slot;
use crate::record::{self, Message, QueueRecord, Seen};

/// Numbers that one durable record reserves; those not given out before a crash are skipped.
const RESERVED: u64 = 1 << 20;
const NEXT_KEY: &[u8] = b"next";

/// The keyspaces of this crate; [`record`] says what is in them.
#[derive(Debug)]
pub(crate) struct Spaces {
    pub(crate) queues: Keyspace,
    pub(crate) bodies: Keyspace,
    pub(crate) state: Keyspace,
    pub(crate) dedup: Keyspace,
    meta: Keyspace,
}

/// The store, and the order of changes to it.
#[derive(Debug)]
pub(crate) struct Ledger {
    store: Store,
    pub(crate) spaces: Spaces,
    numbers: Mutex<Numbers>,
}

#[derive(Debug)]
struct Numbers {
    next: u64,
    /// Numbers below are durably reserved.
    reserved: u64,
}

impl Ledger {
    pub(crate) fn open(store: Store) -> Result<Ledger, OpenError> {
        let spaces = Spaces {
            queues: store.keyspace("queue.queues")?,
            bodies: store.keyspace("queue.bodies")?,
            state: store.keyspace("queue.state")?,
            dedup: store.keyspace("queue.dedup")?,
            meta: store.keyspace("queue.meta")?,
        };
        let next = match spaces.meta.get(NEXT_KEY)? {
            None => 1,
            Some(bytes) => match bytes.try_into() {
                Ok(bytes) => u64::from_be_bytes(bytes),
                Err(_) => return Err(OpenError::Corrupt { what: "the sequence number".into() }),
            },
        };
        Ok(Ledger { store, spaces, numbers: Mutex::new(Numbers { next, reserved: next }) })
    }

    /// Waits for the turn to change something. Held for microseconds, or while the store has more to write than it
    /// takes on; never across an await.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn { ledger: self, numbers: lock(&self.numbers), batch: WriteBatch::new() }
    }

    /// Reads bodies from disk: blocks.
    pub(crate) fn read_body(&self, body: u64) -> Result<Option<Message>, ReadError> {
        let bytes = self.spaces.bodies.get(body.to_be_bytes())?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Makes a batch durable outside of any turn, for records that nobody refers to any more: blocks.
    pub(crate) fn commit(&self, batch: WriteBatch) -> Result<(), CommitError> {
        self.store.commit(batch)
    }
}

/// The exclusive right to change queues, with the records of the change so far. Dropped without
/// [`Turn::commit`], it writes nothing.
pub(crate) struct Turn<'a> {
    ledger: &'a Ledger,
    numbers: MutexGuard<'a, Numbers>,
    batch: WriteBatch,
}

impl Turn<'_> {
    /// A number that was never given out before.
    pub(crate) fn number(&mut self) -> u64 {
        let number = self.numbers.next;
        self.numbers.next = number + 1;
        number
    }

    pub(crate) fn put_queue(&mut self, name: &str, record: &QueueRecord) {
        self.batch.put(&self.ledger.spaces.queues, name, json(record));
    }

    pub(crate) fn delete_queue(&mut self, name: &str) {
        self.batch.delete(&self.ledger.spaces.queues, name);
    }

    /// Writes a body, encoded beforehand by [`json`].
    pub(crate) fn put_body(&mut self, body: u64, bytes: Vec<u8>) {
        self.batch.put(&self.ledger.spaces.bodies, body.to_be_bytes(), bytes);
    }

    pub(crate) fn put_slot(&mut self, generation: u64, seq: u64, slot: &Slot) {
        let key = record::key(generation, seq);
        self.batch.put(&self.ledger.spaces.state, key, record::encode_slot(slot));
    }

    /// Removes a message's state, and not its body: the message moves.
    pub(crate) fn delete_slot(&mut self, generation: u64, seq: u64) {
        self.batch.delete(&self.ledger.spaces.state, record::key(generation, seq));
    }

    /// Removes a message.
    pub(crate) fn delete_message(&mut self, generation: u64, seq: u64, slot: &Slot) {
        self.delete_slot(generation, seq);
        self.batch.delete(&self.ledger.spaces.bodies, slot.body.to_be_bytes());
    }

    pub(crate) fn put_seen(&mut self, key: Vec<u8>, seen: &Seen) {
        self.batch.put(&self.ledger.spaces.dedup, key, json(seen));
    }

    pub(crate) fn delete_seen(&mut self, key: Vec<u8>) {
        self.batch.delete(&self.ledger.spaces.dedup, key);
    }

    pub(crate) fn changes_nothing(&self) -> bool {
        self.batch.is_empty()
    }

    /// Hands the records in and ends the turn. `then` runs on the store's thread once they are durable: it must be
    /// quick and may take index locks only. A change without records waits for those before it all the same.
    pub(crate) fn commit(mut self, then: impl FnOnce() + Send + 'static) -> Commitment {
        if self.numbers.next > self.numbers.reserved {
            self.numbers.reserved = self.numbers.next + RESERVED;
            let reserved = self.numbers.reserved.to_be_bytes();
            self.batch.put(&self.ledger.spaces.meta, NEXT_KEY, reserved);
        }
        let (send, receive) = oneshot::channel();
        self.ledger.store.commit_then(self.batch, move |result| {
            if result.is_ok() {
                then();
            }
            let _ = send.send(result);
        });
        Commitment(receive)
    }
}

/// A change that was handed in.
#[must_use = "nothing may be answered before it is durable"]
pub(crate) struct Commitment(oneshot::Receiver<Result<(), CommitError>>);

impl Commitment {
    /// Waits until it is durable.
    pub(crate) async fn durable(self) -> Result<(), Fault> {
        match self.0.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Fault::internal(error.to_string())),
            Err(_) => Err(Fault::internal("the store has stopped")),
        }
    }
}

/// A record as bytes.
pub(crate) fn json(record: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have text keys and no failing serializers")
}

/// Locks `mutex`. A panic of an earlier holder is no reason to stop: the index is rebuilt from disk at the next
/// start, and each method leaves it whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is shared by all queues and the service.
pub(crate) type SharedLedger = Arc<Ledger>;
