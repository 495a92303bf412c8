//! The lists of executions: by machine, version, alias or Map Run, of one status or of all, newest first.

use stepwell_interpreter::ExecutionStatus;

use super::row::status_number;
use super::{ExecutionKey, ExecutionRow, Executions, corrupt};
use crate::bytes::{Malformed, Reader, Writer};
use crate::kv::{ReadError, WriteBatch};

/// Rows that are read for one page at the most.
const PAGE_ROWS_READ_MAX: usize = 10_000;

/// Where a listing goes on; opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListCursor(pub [u8; 16]);

/// Child executions, and the items that they process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChildrenCount {
    /// How many there are.
    pub executions: u64,
    /// How many items they have together.
    pub items: u64,
}

/// One page of a listing.
#[derive(Debug)]
pub struct Listed {
    /// Newest first.
    pub rows: Vec<ExecutionRow>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<ListCursor>,
}

impl Executions {
    /// Adds a started execution to its lists; it may have ended already.
    pub(super) fn put_listed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        for status in [None, Some(row.status())] {
            for arn in listed_under(row) {
                batch.put(&self.list, list_key(arn, row, key, status), list_value(row));
            }
        }
    }

    /// Takes an execution that is redriven from the lists of how it had ended; `closed` is its row from before.
    pub(super) fn delete_closed_listed(
        &self,
        batch: &mut WriteBatch,
        key: ExecutionKey,
        closed: &ExecutionRow,
    ) {
        for arn in listed_under(closed) {
            batch.delete(&self.list, list_key(arn, closed, key, Some(closed.status())));
        }
    }

    /// Puts an execution into the lists of its status.
    pub(super) fn put_status_listed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        for arn in listed_under(row) {
            batch.put(&self.list, list_key(arn, row, key, Some(row.status())), list_value(row));
        }
    }

    /// Moves an execution that has ended to the lists of its status.
    pub(super) fn put_closed_listed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        for arn in listed_under(row) {
            let running = list_key(arn, row, key, Some(ExecutionStatus::Running));
            // Nearly all executions run once. What removes those that ran before as well is kept for longer, and every
            // list of what runs now would have to pass it.
            if row.redrives.count == 0 && row.redrives.of_map_run == 0 {
                batch.delete_put_once(&self.list, running);
            } else {
                batch.delete(&self.list, running);
            }
            batch.put(&self.list, list_key(arn, row, key, Some(row.status())), list_value(row));
        }
    }

    /// Takes an execution out of its lists.
    pub(super) fn delete_listed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        for status in [None, Some(row.status())] {
            for arn in listed_under(row) {
                batch.delete(&self.list, list_key(arn, row, key, status));
            }
        }
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
        self.list_matching(state_machine_arn, status, after, limit, |_| true)
    }

    /// The same of those that `matches`. A page for which many others were to be read may have fewer than `limit`.
    pub fn list_matching(
        &self,
        state_machine_arn: &str,
        status: Option<ExecutionStatus>,
        after: Option<&ListCursor>,
        limit: usize,
        matches: impl Fn(&ExecutionRow) -> bool,
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
        for (read, pair) in self.list.range(&from, &to).enumerate() {
            let (list_key, _) = pair?;
            if page.rows.len() == limit || read == PAGE_ROWS_READ_MAX {
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
            let row = self.row(ExecutionKey(!u64::from_be_bytes(key)))?;
            page.rows.extend(row.filter(|row| matches(row)));
            last = Some(suffix);
        }
        Ok(page)
    }

    /// How many child executions of a Map Run are listed with this status, and how many items they process.
    pub fn count_children(
        &self,
        map_run_arn: &str,
        status: ExecutionStatus,
    ) -> Result<ChildrenCount, ReadError> {
        let mut count = ChildrenCount::default();
        for pair in self.list.prefix(&list_prefix(map_run_arn, Some(status))) {
            let (_, value) = pair?;
            count.executions += 1;
            count.items += items_from(&value).map_err(|e| corrupt("executions.list", &e))?;
        }
        Ok(count)
    }
}

/// What an execution has in the lists: the number of its items where it is a child of a Map Run.
fn list_value(row: &ExecutionRow) -> Vec<u8> {
    let mut w = Writer::default();
    if let Some(child_of) = &row.info.child_of {
        w.unsigned(u64::from(child_of.items));
    }
    w.0
}

fn items_from(value: &[u8]) -> Result<u64, Malformed> {
    // Before items were counted, every child was told to have one.
    if value.is_empty() { Ok(1) } else { Reader(value).unsigned() }
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
