//! Executions that closed before the retention time go: what they are found by, in the round's batch.

use std::sync::Arc;

use stepwell_store::{ClosedEntry, ExecutionRow, ReadError};

use super::{Message, Release, Shard};
use crate::retention::Removal;

/// A child execution whose Map Run still runs is looked at again after this part of the retention time.
const POSTPONED_PARTS: i64 = 10;

/// What is to be done about an execution that is in the index of the closed ones.
enum Verdict {
    /// It goes.
    Remove(Box<ExecutionRow>),
    /// The entry is a leftover: the execution runs again, or closed again later.
    Stale,
    /// It is looked at again at this time.
    Postpone(i64),
    /// Nothing changes.
    Keep,
}

impl Shard {
    /// Removes an execution, unless something keeps it.
    pub(super) fn remove(&mut self, removal: Removal) {
        let entry = removal.entry;
        match self.verdict(&removal) {
            Ok(Verdict::Remove(row)) => {
                let arn = row.info.execution_arn.clone();
                self.surroundings.executions.put_removed(&mut self.batch, entry.key, &row);
                tracing::debug!(execution = %arn, "removed after the retention time");
                // Until it is durable the store still shows it.
                self.removing.insert(arn.clone());
                self.releases.push(Release::Message(Message::Removed { execution_arn: arn }));
            }
            Ok(Verdict::Stale) => self.surroundings.executions.delete_entry(&mut self.batch, entry),
            Ok(Verdict::Postpone(at_ms)) => {
                self.surroundings.executions.postpone(&mut self.batch, entry, at_ms);
            }
            Ok(Verdict::Keep) => return,
            Err(error) => {
                tracing::error!(execution = entry.key.0, %error, "cannot remove an execution");
                return;
            }
        }
        self.releases.push(Release::Removal(removal.under_way));
    }

    fn verdict(&self, removal: &Removal) -> Result<Verdict, ReadError> {
        let Removal { entry: ClosedEntry { at_ms, key }, until_ms, retention_ms, .. } = *removal;
        let Some(row) = self.surroundings.executions.row(key)? else { return Ok(Verdict::Keep) };
        let arn = &row.info.execution_arn;
        // What happens to it is on its way to the disk; the row tells the past.
        if self.live.get(key).is_some() || self.closing.contains_key(arn) || self.removing.contains(arn) {
            return Ok(Verdict::Keep);
        }
        match &row.outcome {
            None => return Ok(Verdict::Stale),
            Some(outcome) if outcome.stop_ms > until_ms => return Ok(Verdict::Stale),
            Some(_) => {}
        }
        // A Map Run's children go after the execution that they belong to: what has ended is not begun again.
        let parent = row.info.child_of.as_ref().map(|child_of| Arc::clone(&child_of.execution_arn));
        let parent = parent.map(|arn| self.surroundings.executions.find(&arn)).transpose()?.flatten();
        // No child is older than its parent: a younger execution has the name of one that is gone.
        let parent = parent.filter(|(parent_key, _)| *parent_key < key);
        let parent_stop_ms = parent.map(|(_, row)| row.outcome.map(|outcome| outcome.stop_ms));
        Ok(match parent_stop_ms {
            None => Verdict::Remove(Box::new(row)),
            Some(None) => Verdict::Postpone(until_ms.saturating_add((retention_ms / POSTPONED_PARTS).max(1))),
            Some(Some(stop_ms)) if stop_ms > at_ms => Verdict::Postpone(stop_ms),
            Some(Some(_)) => Verdict::Keep,
        })
    }
}
