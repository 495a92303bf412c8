//! Executions on disk: their journals, one row each, and the indexes that find them.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `executions.journal` | execution key, batch number | the batch, see [`crate::journal`] |
//! | `executions.rows` | execution key | [`ExecutionRow`] |
//! | `executions.arns` | execution ARN | execution key |
//! | `executions.open` | execution key | only while it runs: empty, or when it is due if it is parked |
//! | `executions.orphans` | execution ARN | empty; a child execution that is to be stopped, until it has ended |
//! | `executions.closed` | time of the close, execution key | empty; only once it has closed, until it is removed |
//! | `executions.notes` | a name | a number: see the module `retention` |
//! | `executions.map_runs` | execution key, id of its `MapRunStarted` event | [`MapRunState`], see `executions/map_runs.rs` |
//! | `executions.map_run_arns` | ARN of a Map Run | the key of the same in `executions.map_runs` |
//! | `executions.list` | ARN of machine, version or alias, 0, status or 0, time (newest first), execution key | empty; the number of its items for a child of a Map Run |

mod list;
mod map_runs;
mod read;
mod retention;
mod row;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stepwell_interpreter::Record;

use crate::bytes::Malformed;
use crate::journal;
use crate::kv::{Keyspace, ReadError, Store, WriteBatch};

pub use list::{ChildrenCount, ListCursor, Listed};
pub use read::HistoryPage;
pub use retention::{ClosedEntry, Purged};
pub use row::{ExecutionRow, Outcome, Redrives};
use row::{decode_row, encode_row};

/// An execution's number within the data directory: in the order of their starts, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionKey(pub u64);

/// A running execution that is out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parked {
    /// When it is due, in milliseconds since 1970; `None` where it waits for somebody alone.
    pub due_ms: Option<i64>,
    /// A hash of its ARN that never changes: which shard it belongs to, without reading its row.
    pub arn_hash: u64,
}

/// The executions of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executions {
    journal: Keyspace,
    rows: Keyspace,
    arns: Keyspace,
    open: Keyspace,
    orphans: Keyspace,
    list: Keyspace,
    closed: Keyspace,
    notes: Keyspace,
    map_runs: Keyspace,
    map_run_arns: Keyspace,
    next_key: Arc<AtomicU64>,
}

impl Executions {
    /// Opens the keyspaces.
    pub fn open(store: &Store) -> Result<Self, ReadError> {
        let rows = store.keyspace("executions.rows")?;
        let newest = rows.prefix(&[]).next_back().transpose()?;
        let next_key = match newest {
            Some((key, _)) => key_from(&key).map_err(|e| corrupt("executions.rows", &e))?.0 + 1,
            None => 0,
        };
        let executions = Executions {
            journal: store.keyspace("executions.journal")?,
            rows,
            arns: store.keyspace("executions.arns")?,
            open: store.keyspace("executions.open")?,
            orphans: store.keyspace("executions.orphans")?,
            list: store.keyspace("executions.list")?,
            closed: store.keyspace("executions.closed")?,
            notes: store.keyspace("executions.notes")?,
            map_runs: store.keyspace("executions.map_runs")?,
            map_run_arns: store.keyspace("executions.map_run_arns")?,
            next_key: Arc::new(AtomicU64::new(next_key)),
        };
        executions.next_key.fetch_max(executions.noted_next_key()?, Ordering::Relaxed);
        Ok(executions)
    }

    /// A key for an execution that is about to start.
    #[must_use]
    pub fn new_key(&self) -> ExecutionKey {
        ExecutionKey(self.next_key.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a started execution to `batch`.
    pub fn put_started(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        batch.put(&self.rows, key.0.to_be_bytes(), encode_row(row));
        batch.put(&self.arns, row.info.execution_arn.as_bytes(), key.0.to_be_bytes());
        // One that needed nobody else has ended by the time its start is written.
        if row.outcome.is_none() {
            batch.put(&self.open, key.0.to_be_bytes(), []);
        }
        self.put_closed_entry(batch, key, row);
        self.put_listed(batch, key, row);
    }

    /// Adds what one decision made happen to `batch`.
    pub fn put_records(&self, batch: &mut WriteBatch, key: ExecutionKey, number: u32, records: &[Record]) {
        batch.put(&self.journal, journal_key(key, number), journal::encode(number, records));
    }

    /// Adds the end of an execution to `batch`; `row` has its outcome.
    pub fn put_closed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        self.put_closed_listed(batch, key, row);
        self.put_closed_entry(batch, key, row);
        batch.delete(&self.open, key.0.to_be_bytes());
        if row.info.child_of.is_some() {
            self.delete_orphan(batch, &row.info.execution_arn);
        }
        batch.put(&self.rows, key.0.to_be_bytes(), encode_row(row));
    }

    /// Adds the redrive of an execution to `batch`; `closed` is its row from before, `row` the one from now on. It may
    /// have ended once more in the same batch.
    pub fn put_redriven(
        &self,
        batch: &mut WriteBatch,
        key: ExecutionKey,
        closed: &ExecutionRow,
        row: &ExecutionRow,
    ) {
        self.delete_closed_listed(batch, key, closed);
        self.delete_closed_entry(batch, key, closed);
        self.put_status_listed(batch, key, row);
        self.put_closed_entry(batch, key, row);
        if row.outcome.is_none() {
            batch.put(&self.open, key.0.to_be_bytes(), []);
        }
        batch.put(&self.rows, key.0.to_be_bytes(), encode_row(row));
    }

    /// Replaces the row of an execution whose place in every list stays as it is.
    pub fn put_row(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        batch.put(&self.rows, key.0.to_be_bytes(), encode_row(row));
    }

    /// The execution with this ARN.
    pub fn find(&self, execution_arn: &str) -> Result<Option<(ExecutionKey, ExecutionRow)>, ReadError> {
        let Some(key) = self.arns.get(execution_arn)? else { return Ok(None) };
        let key = key_from(&key).map_err(|e| corrupt("executions.arns", &e))?;
        Ok(self.row(key)?.map(|row| (key, row)))
    }

    /// The row of an execution.
    pub fn row(&self, key: ExecutionKey) -> Result<Option<ExecutionRow>, ReadError> {
        let Some(bytes) = self.rows.get(key.0.to_be_bytes())? else { return Ok(None) };
        decode_row(&bytes).map(Some).map_err(|e| corrupt("executions.rows", &e))
    }

    /// Notes that a running execution needs nothing but its row, its journal and a timer until somebody asks for it.
    pub fn put_parked(&self, batch: &mut WriteBatch, key: ExecutionKey, parked: Parked) {
        let mut value = parked.due_ms.unwrap_or(i64::MAX).to_be_bytes().to_vec();
        value.extend_from_slice(&parked.arn_hash.to_be_bytes());
        batch.put(&self.open, key.0.to_be_bytes(), value);
    }

    /// Takes [`Executions::put_parked`] back.
    pub fn put_unparked(&self, batch: &mut WriteBatch, key: ExecutionKey) {
        batch.put(&self.open, key.0.to_be_bytes(), []);
    }

    /// Notes that a child execution is to be stopped; its end takes the note away.
    pub fn put_orphan(&self, batch: &mut WriteBatch, execution_arn: &str) {
        batch.put(&self.orphans, execution_arn.as_bytes(), []);
    }

    /// Takes [`Executions::put_orphan`] back.
    pub fn delete_orphan(&self, batch: &mut WriteBatch, execution_arn: &str) {
        batch.delete(&self.orphans, execution_arn.as_bytes());
    }

    /// Whether this child execution is still to be stopped.
    pub fn is_orphan(&self, execution_arn: &str) -> Result<bool, ReadError> {
        Ok(self.orphans.get(execution_arn)?.is_some())
    }

    /// The child executions that are still to be stopped.
    pub fn orphans(&self) -> impl Iterator<Item = Result<Arc<str>, ReadError>> + use<> {
        self.orphans.prefix(&[]).map(|pair| {
            let (arn, _) = pair?;
            let arn = std::str::from_utf8(&arn).map_err(|_| Malformed("an ARN is not UTF-8"));
            arn.map(Arc::from).map_err(|e| corrupt("executions.orphans", &e))
        })
    }

    /// All executions that run, in the order of their starts, and which of them are parked.
    pub fn running(&self) -> impl Iterator<Item = Result<(ExecutionKey, Option<Parked>), ReadError>> + use<> {
        self.open.prefix(&[]).map(|pair| {
            let (key, value) = pair?;
            let corrupt = |e| corrupt("executions.open", &e);
            Ok((key_from(&key).map_err(corrupt)?, parked_from(&value).map_err(corrupt)?))
        })
    }
}

fn corrupt(keyspace: &'static str, error: &Malformed) -> ReadError {
    ReadError::Corrupt { keyspace, reason: error.to_string() }
}

fn journal_key(key: ExecutionKey, batch: u32) -> Vec<u8> {
    let mut bytes = key.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&batch.to_be_bytes());
    bytes
}

fn key_from(bytes: &[u8]) -> Result<ExecutionKey, Malformed> {
    let key = bytes.try_into().map_err(|_| Malformed("a key is not eight bytes long"))?;
    Ok(ExecutionKey(u64::from_be_bytes(key)))
}

fn parked_from(value: &[u8]) -> Result<Option<Parked>, Malformed> {
    if value.is_empty() {
        return Ok(None);
    }
    let (due, hash) = value.split_first_chunk().ok_or(Malformed("a parked execution's time is broken"))?;
    let hash = hash.try_into().map_err(|_| Malformed("a parked execution's hash is broken"))?;
    let due_ms = i64::from_be_bytes(*due);
    Ok(Some(Parked { due_ms: (due_ms != i64::MAX).then_some(due_ms), arn_hash: u64::from_be_bytes(hash) }))
}
