//! The lists of executions: by machine, version, alias or Map Run, of one status or of all, newest first.

use stepwell_interpreter::ExecutionStatus;

use super::row::status_number;
use super::{ExecutionKey, ExecutionRow, Executions, corrupt};
use crate::bytes::Malformed;
use crate::kv::{ReadError, WriteBatch};

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

impl Executions {
    /// Adds a started execution to its lists; it may have ended already.
    pub(super) fn put_listed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        for status in [None, Some(row.status())] {
            for arn in listed_under(row) {
                batch.put(&self.list, list_key(arn, row, key, status), []);
            }
        }
    }

    /// Moves an execution that has ended to the lists of its status.
    pub(super) fn put_closed_listed(&self, batch: &mut WriteBatch, key: ExecutionKey, row: &ExecutionRow) {
        for arn in listed_under(row) {
            batch.delete(&self.list, list_key(arn, row, key, Some(ExecutionStatus::Running)));
            batch.put(&self.list, list_key(arn, row, key, Some(row.status())), []);
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
