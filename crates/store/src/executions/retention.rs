//! Which executions have closed, by time, and how one is removed.
//!
//! Removal takes two batches or more, and a crash between any two of them leaves nothing that anybody sees: the first
//! one takes everything by which the execution is found; the journal, which may be long, goes after it in pieces; the
//! entry in `executions.closed` goes last, so that it leads to what is left.

use std::sync::atomic::Ordering;

use super::{ExecutionKey, ExecutionRow, Executions, corrupt, decode_row, journal_key, key_from};
use crate::bytes::Malformed;
use crate::kv::{ReadError, WriteBatch};

/// The lowest key for executions to come; where it is absent, the rows tell.
const NEXT_KEY: &[u8] = b"next-key";

/// How far the executions that an older version closed have been entered in `executions.closed`: the first key that
/// was not looked at, or [`ALL_KEYS`].
const ENTERED_BELOW: &[u8] = b"closed-entered-below";
const ALL_KEYS: u64 = u64::MAX;

/// An entry of `executions.closed`: an execution that is to be looked at once its time is past the retention time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClosedEntry {
    /// Milliseconds since 1970: when it closed, or later where something else keeps it.
    pub at_ms: i64,
    /// The execution.
    pub key: ExecutionKey,
}

/// What [`Executions::purge`] has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Batches of the journal.
    pub batches: u32,
    /// Nothing of the execution is left, its entry neither.
    pub is_all: bool,
}

impl ClosedEntry {
    fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&ordered(self.at_ms));
        bytes[8..].copy_from_slice(&self.key.0.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let malformed = Malformed("a key is not sixteen bytes long");
        let (at, key) = bytes.split_first_chunk().ok_or(malformed)?;
        let at_ms = (u64::from_be_bytes(*at) ^ (1 << 63)).cast_signed();
        Ok(ClosedEntry { at_ms, key: key_from(key)? })
    }
}

/// Bytes that are in the order of the times.
fn ordered(ms: i64) -> [u8; 8] {
    (ms.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

impl Executions {
    /// The lowest key that the keyspace of notes allows.
    pub(super) fn noted_next_key(&self) -> Result<u64, ReadError> {
        self.noted(NEXT_KEY).map(Option::unwrap_or_default)
    }

    fn noted(&self, name: &[u8]) -> Result<Option<u64>, ReadError> {
        let Some(value) = self.notes.get(name)? else { return Ok(None) };
        let number = value.try_into().map_err(|_| Malformed("a note is not eight bytes long"));
        Ok(Some(u64::from_be_bytes(number.map_err(|e| corrupt("executions.notes", &e))?)))
    }

    /// Enters an execution that has closed; nothing where it runs.
    pub(super) fn put_closed_entry(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        if let Some(outcome) = &row.outcome {
            self.put_entry(batch, ClosedEntry { at_ms: outcome.stop_ms, key });
        }
    }

    /// Takes the entry of a closed execution back, because it runs again; `row` still has its outcome.
    pub fn delete_closed_entry(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        if let Some(outcome) = &row.outcome {
            self.delete_entry(batch, ClosedEntry { at_ms: outcome.stop_ms, key });
        }
    }

    fn put_entry(&self, batch: &mut WriteBatch, entry: ClosedEntry) {
        batch.put(&self.closed, entry.to_bytes(), []);
    }

    /// Removes an entry and nothing else.
    pub fn delete_entry(&self, batch: &mut WriteBatch, entry: ClosedEntry) {
        batch.delete(&self.closed, entry.to_bytes());
    }

    /// Lets an execution be looked at again at another time.
    pub fn postpone(&self, batch: &mut WriteBatch, entry: ClosedEntry, at_ms: i64) {
        self.delete_entry(batch, entry);
        self.put_entry(batch, ClosedEntry { at_ms, ..entry });
    }

    /// So many entries after `after` whose time is at most `until_ms`, the oldest first.
    pub fn closed_until(
        &self,
        after: Option<ClosedEntry>,
        until_ms: i64,
        limit: usize,
    ) -> Result<Vec<ClosedEntry>, ReadError> {
        let mut from = after.map_or_else(Vec::new, |entry| entry.to_bytes().to_vec());
        if after.is_some() {
            from.push(0);
        }
        let to = ordered(until_ms.saturating_add(1));
        let entries = self.closed.range(&from, &to).take(limit);
        entries
            .map(|pair| ClosedEntry::read(&pair?.0).map_err(|e| corrupt("executions.closed", &e)))
            .collect()
    }

    /// Removes everything by which a closed execution is found. Its name is free once `batch` is written; its journal
    /// and its entry stay for [`Executions::purge`].
    pub fn put_removed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        self.delete_listed(batch, key, row);
        batch.delete(&self.rows, key.0.to_be_bytes());
        batch.delete(&self.arns, row.info.execution_arn.as_bytes());
        // The newest row may be gone now, and no key is used twice.
        let next_key = self.next_key.load(Ordering::Relaxed);
        batch.put(&self.notes, NEXT_KEY, next_key.to_be_bytes());
    }

    /// Removes up to so many journal batches of an execution that has no row any more, the last first, and with the
    /// first batch the entry that led to it.
    pub fn purge(
        &self,
        batch: &mut WriteBatch,
        entry: ClosedEntry,
        batches_max: u32,
    ) -> Result<Purged, ReadError> {
        let last = self.journal.prefix(&entry.key.0.to_be_bytes()).next_back().transpose()?;
        let Some((last, _)) = last else {
            self.delete_entry(batch, entry);
            return Ok(Purged { batches: 0, is_all: true });
        };
        let last = super::read::batch_number(&last).map_err(|e| corrupt("executions.journal", &e))?;
        // Batches are numbered without gaps.
        let first = last.saturating_sub(batches_max.saturating_sub(1));
        for number in first..=last {
            batch.delete(&self.journal, journal_key(entry.key, number));
        }
        if first == 0 {
            self.delete_map_runs(batch, entry.key)?;
            self.delete_entry(batch, entry);
        }
        Ok(Purged { batches: last - first + 1, is_all: first == 0 })
    }

    /// Enters executions that an older version has closed, which kept no entries; looks at so many at the most. Says
    /// whether all are entered.
    pub fn enter_older(&self, batch: &mut WriteBatch, limit: usize) -> Result<bool, ReadError> {
        let below = self.noted(ENTERED_BELOW)?.unwrap_or_default();
        if below == ALL_KEYS {
            return Ok(true);
        }
        let (mut seen, mut below) = (0, below);
        for pair in self.rows.range(&below.to_be_bytes(), &ALL_KEYS.to_be_bytes()).take(limit) {
            let (key, row) = pair?;
            let key = key_from(&key).map_err(|e| corrupt("executions.rows", &e))?;
            match decode_row(&row) {
                Ok(row) => self.put_closed_entry(batch, key, &row),
                // It stays where it is, for whoever wants to find out what it was.
                Err(error) => {
                    tracing::warn!(execution = key.0, %error, "an execution that cannot be read is never removed");
                }
            }
            below = key.0 + 1;
            seen += 1;
        }
        let is_all = seen < limit;
        let noted = if is_all { ALL_KEYS } else { below };
        batch.put(&self.notes, ENTERED_BELOW, noted.to_be_bytes());
        Ok(is_all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepwell_interpreter::{ExecutionInfo, ExecutionKind, ExecutionStatus};

    use super::super::{Outcome, Redrives};
    use super::*;
    use crate::kv::Store;

    fn closed(number: u64, stop_ms: i64) -> ExecutionRow {
        ExecutionRow {
            info: Arc::new(ExecutionInfo {
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
            }),
            revision: 7,
            trace_header: None,
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            outcome: Some(Outcome {
                status: ExecutionStatus::Succeeded,
                stop_ms,
                output: None,
                error: None,
                cause: None,
                last_event_id: 4,
            }),
            redrives: Redrives::default(),
        }
    }

    fn commit(store: &Store, fill: impl FnOnce(&mut WriteBatch)) {
        let mut batch = WriteBatch::new();
        fill(&mut batch);
        store.commit(batch).expect("commits");
    }

    #[test]
    fn entries_are_in_the_order_of_their_times() {
        let entries = [i64::MIN, -5, -1, 0, 1, 1 << 40, i64::MAX]
            .map(|at_ms| ClosedEntry { at_ms, key: ExecutionKey(9) });
        assert!(entries.map(ClosedEntry::to_bytes).is_sorted());
        assert_eq!(entries.map(|e| ClosedEntry::read(&e.to_bytes()).expect("reads")), entries);
    }

    #[test]
    fn no_key_is_used_twice_although_the_newest_row_is_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        {
            let store = Store::open(directory.path()).expect("opens");
            let executions = Executions::open(&store).expect("opens");
            let key = executions.new_key();
            commit(&store, |batch| executions.put_started(batch, key, &closed(key.0, 10)));
            commit(&store, |batch| executions.put_removed(batch, key, &closed(key.0, 10)));
            assert_eq!(executions.find("arn:e0").expect("reads"), None);
        }
        let store = Store::open(directory.path()).expect("opens");
        assert_eq!(Executions::open(&store).expect("opens").new_key(), ExecutionKey(1));
    }

    /// A directory of a version that kept no entries: they are made up for, in steps.
    #[test]
    fn executions_that_an_older_version_closed_are_found() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("opens");
        let executions = Executions::open(&store).expect("opens");
        for number in 0..10 {
            let mut row = closed(number, 100 - i64::try_from(number).expect("small"));
            if number == 3 {
                row.outcome = None;
            }
            let key = executions.new_key();
            commit(&store, |batch| {
                executions.put_started(batch, key, &row);
                // As it was before.
                if let Some(outcome) = &row.outcome {
                    executions.delete_entry(batch, ClosedEntry { at_ms: outcome.stop_ms, key });
                }
            });
        }
        let found = || executions.closed_until(None, i64::MAX, 100).expect("reads");
        assert_eq!(found(), []);
        let mut steps = 0;
        loop {
            let mut batch = WriteBatch::new();
            let is_all = executions.enter_older(&mut batch, 4).expect("reads");
            store.commit(batch).expect("commits");
            steps += 1;
            if is_all {
                break;
            }
        }
        assert_eq!(steps, 3);
        let keys: Vec<u64> = found().iter().map(|entry| entry.key.0).collect();
        assert_eq!(keys, [9, 8, 7, 6, 5, 4, 2, 1, 0]);
        assert_eq!(executions.closed_until(None, 92, 100).expect("reads").len(), 2);
    }

    #[test]
    fn a_long_journal_goes_in_pieces_and_the_entry_last() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("opens");
        let executions = Executions::open(&store).expect("opens");
        let (key, other) = (executions.new_key(), executions.new_key());
        commit(&store, |batch| {
            for number in 0..10 {
                executions.put_records(batch, key, number, &[]);
            }
            executions.put_records(batch, other, 0, &[]);
            executions.put_closed_entry(batch, key, &closed(0, 3));
        });
        let entry = ClosedEntry { at_ms: 3, key };
        for left in [6, 2, 0] {
            assert_eq!(executions.closed_until(None, 3, 9).expect("reads"), [entry]);
            commit(&store, |batch| {
                executions.purge(batch, entry, 4).expect("reads");
            });
            assert_eq!(executions.journal.prefix(&key.0.to_be_bytes()).count(), left);
        }
        assert_eq!(executions.closed_until(None, 3, 9).expect("reads"), []);
        assert_eq!(executions.journal.prefix(&other.0.to_be_bytes()).count(), 1);
    }
}
