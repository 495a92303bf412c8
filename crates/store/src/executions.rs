//! Executions on disk: their journals, one row each, and the indexes that find them.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `executions.journal` | execution key, batch number | the batch, see [`crate::journal`] |
//! | `executions.rows` | execution key | [`ExecutionRow`] |
//! | `executions.arns` | execution ARN | execution key |
//! | `executions.open` | execution key | only while it runs: empty, or when it is due if it is parked |
//! | `executions.orphans` | execution ARN | empty; a child execution that is to be stopped, until it has ended |
//! | `executions.list` | ARN of machine, version or alias, 0, status or 0, time (newest first), execution key | empty |

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{ChildOf, ExecutionInfo, ExecutionStatus, HistoryEvent, Record, ThreadId};

use crate::bytes::{Malformed, Reader, Writer};
use crate::journal;
use crate::kv::{Keyspace, ReadError, Store, WriteBatch};

/// 2 added the ARNs of version and alias at the end.
const ROW_VERSION: u8 = 3;

/// An execution's number within the data directory: in the order of their starts, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionKey(pub u64);

/// What is known of an execution without reading its journal.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionRow {
    /// What was fixed at its start.
    pub info: Arc<ExecutionInfo>,
    /// Which revision of its machine it runs.
    pub revision: u64,
    /// `traceHeader` of StartExecution.
    pub trace_header: Option<Arc<str>>,
    /// The version that was started, where it was one.
    pub state_machine_version_arn: Option<Arc<str>>,
    /// The alias that was started, where it was one.
    pub state_machine_alias_arn: Option<Arc<str>>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Not `RUNNING`.
    pub status: ExecutionStatus,
    /// Milliseconds since 1970.
    pub stop_ms: i64,
    /// Batch and number of the output payload, with `SUCCEEDED`.
    pub output: Option<(u32, u32)>,
    /// Where there is one.
    pub error: Option<Arc<str>>,
    /// Where there is one.
    pub cause: Option<Arc<str>>,
}

impl ExecutionRow {
    /// `RUNNING`, or how it ended.
    #[must_use]
    pub fn status(&self) -> ExecutionStatus {
        self.outcome.as_ref().map_or(ExecutionStatus::Running, |o| o.status)
    }

    /// What a list is ordered by: the stop in the list of a closed status, which nothing leaves; the start in the
    /// others, so that no page misses an execution because it ends between two of them.
    fn listed_ms(&self, status: Option<ExecutionStatus>) -> i64 {
        let stop_ms = self.outcome.as_ref().map(|o| o.stop_ms);
        match status {
            None | Some(ExecutionStatus::Running) => self.info.start_ms,
            Some(_) => stop_ms.unwrap_or(self.info.start_ms),
        }
    }
}

/// A running execution that is out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parked {
    /// When it is due, in milliseconds since 1970; `None` where it waits for somebody alone.
    pub due_ms: Option<i64>,
    /// A hash of its ARN that never changes: which shard it belongs to, without reading its row.
    pub arn_hash: u64,
}

/// Where a listing goes on; opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListCursor(pub [u8; 16]);

/// One page of a listing.
#[derive(Debug)]
pub struct Listed {
    /// Newest first.
    pub rows: Vec<ExecutionRow>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<ListCursor>,
}

/// Which events of a history to read.
#[derive(Debug, Clone, Copy)]
pub struct HistoryPage {
    /// The first event wanted: the lowest id, or with `reverse` the highest. 0 with `reverse` means the newest.
    pub from_id: u64,
    /// Newest first.
    pub reverse: bool,
    /// How many at the most.
    pub limit: usize,
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
        Ok(Executions {
            journal: store.keyspace("executions.journal")?,
            rows,
            arns: store.keyspace("executions.arns")?,
            open: store.keyspace("executions.open")?,
            orphans: store.keyspace("executions.orphans")?,
            list: store.keyspace("executions.list")?,
            next_key: Arc::new(AtomicU64::new(next_key)),
        })
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
        self.put_listed(batch, key, row);
    }

    /// Adds what one decision made happen to `batch`.
    pub fn put_records(&self, batch: &mut WriteBatch, key: ExecutionKey, number: u32, records: &[Record]) {
        batch.put(&self.journal, journal_key(key, number), journal::encode(number, records));
    }

    /// Adds the end of an execution to `batch`; `row` has its outcome.
    pub fn put_closed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        for arn in listed_under(row) {
            batch.delete(&self.list, list_key(arn, row, key, Some(ExecutionStatus::Running)));
            batch.put(&self.list, list_key(arn, row, key, Some(row.status())), []);
        }
        batch.delete(&self.open, key.0.to_be_bytes());
        if row.info.child_of.is_some() {
            self.delete_orphan(batch, &row.info.execution_arn);
        }
        batch.put(&self.rows, key.0.to_be_bytes(), encode_row(row));
    }

    fn put_listed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        for status in [None, Some(row.status())] {
            for arn in listed_under(row) {
                batch.put(&self.list, list_key(arn, row, key, status), []);
            }
        }
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

    /// A payload of an execution's journal.
    pub fn payload(&self, key: ExecutionKey, batch: u32, index: u32) -> Result<Payload, ReadError> {
        let bytes = self.journal.get(journal_key(key, batch))?;
        bytes
            .ok_or(Malformed("a payload's batch is missing"))
            .and_then(|bytes| journal::decode_payloads(&bytes))
            .and_then(|p| {
                p.get(index as usize).cloned().ok_or(Malformed("a payload is missing from its batch"))
            })
            .map_err(|e| corrupt("executions.journal", &e))
    }

    /// Folds a whole journal: `visit` gets the records of each batch in order.
    pub fn replay(
        &self,
        key: ExecutionKey,
        mut visit: impl FnMut(u32, Vec<Record>) -> Result<(), String>,
    ) -> Result<(), ReadError> {
        let mut payloads: HashMap<(u32, u32), Payload> = HashMap::new();
        for pair in self.journal.prefix(&key.0.to_be_bytes()) {
            let (journal_key, bytes) = pair?;
            let number = batch_number(&journal_key).map_err(|e| corrupt("executions.journal", &e))?;
            // A later batch can only name payloads that the execution still holds.
            payloads.retain(|_, payload| payload.holders() > 1);
            let mut fetch = |batch: u32, index: u32| -> Result<Payload, ReadError> {
                if let Some(payload) = payloads.get(&(batch, index)) {
                    return Ok(payload.clone());
                }
                self.payload(key, batch, index)
            };
            let records = self.decode(number, &bytes, &mut fetch)?;
            for record in &records {
                record.for_each_stored(|stored| {
                    payloads.insert((stored.batch, stored.index), stored.payload.clone());
                });
            }
            visit(number, records)
                .map_err(|reason| ReadError::Corrupt { keyspace: "executions.journal", reason })?;
        }
        Ok(())
    }

    /// A page of an execution's history.
    pub fn history(&self, key: ExecutionKey, page: HistoryPage) -> Result<Vec<HistoryEvent>, ReadError> {
        let mut events = Vec::new();
        let mut batches = self.journal.prefix(&key.0.to_be_bytes());
        let mut fetched: HashMap<u32, Vec<Payload>> = HashMap::new();
        while let Some(pair) = if page.reverse { batches.next_back() } else { batches.next() } {
            if events.len() >= page.limit {
                break;
            }
            let (journal_key, bytes) = pair?;
            let number = batch_number(&journal_key).map_err(|e| corrupt("executions.journal", &e))?;
            let mut fetch = |batch: u32, index: u32| -> Result<Payload, ReadError> {
                if let std::collections::hash_map::Entry::Vacant(entry) = fetched.entry(batch) {
                    let bytes = self.journal.get(self::journal_key(key, batch))?;
                    let payloads = bytes
                        .ok_or(Malformed("a payload's batch is missing"))
                        .and_then(|bytes| journal::decode_payloads(&bytes))
                        .map_err(|e| corrupt("executions.journal", &e))?;
                    entry.insert(payloads);
                }
                let payload = fetched.get(&batch).and_then(|p| p.get(index as usize)).cloned();
                payload.ok_or_else(|| {
                    corrupt("executions.journal", &Malformed("a payload is missing from its batch"))
                })
            };
            let records = self.decode(number, &bytes, &mut fetch)?;
            let of_batch = records.into_iter().filter_map(|record| match record {
                Record::Event(event) => Some(event),
                Record::Private(_) => None,
            });
            if page.reverse {
                let wanted = |e: &HistoryEvent| page.from_id == 0 || e.id <= page.from_id;
                events.extend(of_batch.collect::<Vec<_>>().into_iter().rev().filter(wanted));
            } else {
                events.extend(of_batch.filter(|e| e.id >= page.from_id));
            }
        }
        events.truncate(page.limit);
        Ok(events)
    }

    fn decode(
        &self,
        number: u32,
        bytes: &[u8],
        fetch: &mut dyn FnMut(u32, u32) -> Result<Payload, ReadError>,
    ) -> Result<Vec<Record>, ReadError> {
        journal::decode(number, bytes, &mut |batch, index| fetch(batch, index).map_err(DecodeError::Read))
            .map_err(|error| match error {
                DecodeError::Read(error) => error,
                DecodeError::Malformed(error) => corrupt("executions.journal", &error),
            })
    }

    /// A page of the executions of a machine, or of those started by one of its versions or aliases, newest first; of
    /// one status, or of all.
    pub fn list(
        &self,
        state_machine_arn: &str,
        status: Option<ExecutionStatus>,
        after: Option<&ListCursor>,
        limit: usize,
    ) -> Result<Listed, ReadError> {
        let mut from = list_prefix(state_machine_arn, status);
        let mut to = from.clone();
        to.extend_from_slice(&[0xff; 17]);
        if let Some(cursor) = after {
            from.extend_from_slice(&cursor.0);
            // The one named by the cursor was on the page before.
            from.push(0);
        }
        let mut page = Listed { rows: Vec::new(), next: None };
        let mut last: Option<[u8; 16]> = None;
        for pair in self.list.range(&from, &to) {
            let (list_key, _) = pair?;
            if page.rows.len() == limit {
                page.next = last.map(ListCursor);
                break;
            }
            let suffix: [u8; 16] = list_key
                .last_chunk()
                .copied()
                .ok_or_else(|| corrupt("executions.list", &Malformed("a key is too short")))?;
            let mut key = [0; 8];
            key.copy_from_slice(&suffix[8..]);
            // Between the index and the row the execution may have closed; its row is the truth, and it stays listed.
            if let Some(row) = self.row(ExecutionKey(!u64::from_be_bytes(key)))? {
                page.rows.push(row);
            }
            last = Some(suffix);
        }
        Ok(page)
    }
}

enum DecodeError {
    Read(ReadError),
    Malformed(Malformed),
}

impl From<Malformed> for DecodeError {
    fn from(error: Malformed) -> Self {
        DecodeError::Malformed(error)
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

fn batch_number(journal_key: &[u8]) -> Result<u32, Malformed> {
    let number = journal_key.last_chunk().copied().ok_or(Malformed("a key is too short"))?;
    Ok(u32::from_be_bytes(number))
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

fn list_prefix(state_machine_arn: &str, status: Option<ExecutionStatus>) -> Vec<u8> {
    let mut bytes = state_machine_arn.as_bytes().to_vec();
    bytes.push(0);
    bytes.push(status.map_or(0, |s| status_number(s) + 1));
    bytes
}

/// The ARNs by which an execution is listed.
fn listed_under(row: &ExecutionRow) -> impl Iterator<Item = &str> {
    let others = [&row.state_machine_version_arn, &row.state_machine_alias_arn];
    let map_run = row.info.child_of.as_ref().map(|child_of| &*child_of.map_run_arn);
    std::iter::once(&*row.info.state_machine_arn)
        .chain(others.into_iter().flatten().map(|arn| &**arn))
        .chain(map_run)
}

fn list_key(arn: &str, row: &ExecutionRow, key: ExecutionKey, status: Option<ExecutionStatus>) -> Vec<u8> {
    let mut bytes = list_prefix(arn, status);
    // Complements, so that the newest comes first.
    bytes.extend_from_slice(&(!row.listed_ms(status).cast_unsigned()).to_be_bytes());
    bytes.extend_from_slice(&(!key.0).to_be_bytes());
    bytes
}

/// Statuses by their numbers on disk.
fn status_number(status: ExecutionStatus) -> u8 {
    match status {
        ExecutionStatus::Running => 0,
        ExecutionStatus::Succeeded => 1,
        ExecutionStatus::Failed => 2,
        ExecutionStatus::TimedOut => 3,
        ExecutionStatus::Aborted => 4,
    }
}

fn encode_row(row: &ExecutionRow) -> Vec<u8> {
    let info = &row.info;
    let mut w = Writer::default();
    w.byte(ROW_VERSION);
    w.text(&info.execution_arn);
    w.text(&info.name);
    w.text(&info.state_machine_arn);
    w.text(&info.state_machine_name);
    w.text(&info.role_arn);
    w.text(&info.region);
    w.signed(info.start_ms);
    w.option(info.timeout_s, |w, s| w.unsigned(u64::from(s)));
    w.unsigned(row.revision);
    w.optional_text(row.trace_header.as_deref());
    w.option(row.outcome.as_ref(), |w, outcome| {
        w.byte(status_number(outcome.status));
        w.signed(outcome.stop_ms);
        w.option(outcome.output, |w, (batch, index)| {
            w.unsigned(u64::from(batch));
            w.unsigned(u64::from(index));
        });
        w.optional_text(outcome.error.as_deref());
        w.optional_text(outcome.cause.as_deref());
    });
    w.optional_text(row.state_machine_version_arn.as_deref());
    w.optional_text(row.state_machine_alias_arn.as_deref());
    w.option(info.child_of.as_ref(), |w, child_of| {
        w.text(&child_of.map_run_arn);
        w.text(&child_of.map_state);
        w.text(&child_of.execution_arn);
        w.unsigned(u64::from(child_of.thread.0));
        w.unsigned(u64::from(child_of.index));
    });
    w.0
}

fn decode_row(bytes: &[u8]) -> Result<ExecutionRow, Malformed> {
    let mut r = Reader(bytes);
    let version = r.byte()?;
    if !(1..=ROW_VERSION).contains(&version) {
        return Err(Malformed("it was written by another version"));
    }
    let info = ExecutionInfo {
        execution_arn: r.text()?,
        name: r.text()?,
        state_machine_arn: r.text()?,
        state_machine_name: r.text()?,
        role_arn: r.text()?,
        region: r.text()?,
        start_ms: r.signed()?,
        timeout_s: r.option(Reader::unsigned_32)?,
        child_of: None,
    };
    let mut row = ExecutionRow {
        info: Arc::new(info),
        revision: r.unsigned()?,
        trace_header: r.optional_text()?,
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        outcome: r.option(|r| {
            let number = r.byte()?;
            let status = ExecutionStatus::ALL.into_iter().find(|s| status_number(*s) == number);
            Ok(Outcome {
                status: status.ok_or(Malformed("it names an unknown status"))?,
                stop_ms: r.signed()?,
                output: r.option(|r| Ok((r.unsigned_32()?, r.unsigned_32()?)))?,
                error: r.optional_text()?,
                cause: r.optional_text()?,
            })
        })?,
    };
    if version >= 2 {
        row.state_machine_version_arn = r.optional_text()?;
        row.state_machine_alias_arn = r.optional_text()?;
    }
    if version >= 3 {
        let child_of = r.option(|r| {
            Ok(ChildOf {
                map_run_arn: r.text()?,
                map_state: r.text()?,
                execution_arn: r.text()?,
                thread: ThreadId(r.unsigned_32()?),
                index: r.unsigned_32()?,
            })
        })?;
        row.info = Arc::new(ExecutionInfo { child_of, ..ExecutionInfo::clone(&row.info) });
    }
    r.finish()?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ExecutionRow {
        ExecutionRow {
            info: Arc::new(ExecutionInfo {
                execution_arn: "arn:e".into(),
                name: "e".into(),
                state_machine_arn: "arn:m".into(),
                state_machine_name: "m".into(),
                role_arn: "arn:r".into(),
                region: "us-east-1".into(),
                start_ms: 5,
                timeout_s: None,
                child_of: None,
            }),
            revision: 7,
            trace_header: None,
            state_machine_version_arn: Some("arn:m:1".into()),
            state_machine_alias_arn: Some("arn:m:a".into()),
            outcome: None,
        }
    }

    #[test]
    fn rows_come_back() {
        assert_eq!(decode_row(&encode_row(&row())).expect("reads"), row());
    }

    #[test]
    fn rows_of_version_1_are_read() {
        let started =
            ExecutionRow { state_machine_version_arn: None, state_machine_alias_arn: None, ..row() };
        let mut bytes = encode_row(&started);
        bytes[0] = 1;
        // Version 1 ended with the outcome.
        bytes.truncate(bytes.len() - 3);
        assert_eq!(decode_row(&bytes).expect("reads"), started);
        bytes[0] = ROW_VERSION + 1;
        assert!(decode_row(&bytes).is_err());
    }
}
