//! Executions that wait leave memory: what is left of one is its timer.
//!
//! One is parked when nothing works for it and it is not due soon. The store notes it with the batch in which that
//! came about; once the batch is durable, and if nothing has happened since, the execution is dropped. A timer, a task
//! token or a caller that names it brings it back: its journal is folded anew.

use std::sync::Arc;

use stepwell_interpreter::Execution;
use stepwell_store::{ExecutionKey, ExecutionRow, Parked, ReadError};

use super::{Live, Message, Release, Shard};
use crate::engine::arn_hash;

/// An execution that is due sooner than this stays in memory.
const PARK_FROM_MS: i64 = 1_000;

impl Shard {
    /// Notes in the round's batch whether an execution, to which something has just happened, can leave memory.
    pub(super) fn consider_parking(&mut self, key: ExecutionKey) {
        let Some(live) = self.live.get_mut(key) else { return };
        let due_ms = live.execution.next_due_ms();
        let is_due_soon = due_ms.is_some_and(|due_ms| due_ms.saturating_sub(self.now_ms) < PARK_FROM_MS);
        if is_due_soon || !live.execution.is_idle(&live.revision.program) {
            if std::mem::take(&mut live.is_parked) {
                self.surroundings.executions.put_unparked(&mut self.batch, key);
            }
            return;
        }
        live.is_parked = true;
        let parked = Parked { due_ms, arn_hash: arn_hash(&live.row.info.execution_arn) };
        self.surroundings.executions.put_parked(&mut self.batch, key, parked);
        let batch = live.execution.next_batch();
        self.releases.push(Release::Message(Message::Park { key, batch }));
    }

    /// Drops an execution that was parked with its batch before `batch`, if that is still its newest.
    pub(super) fn park(&mut self, key: ExecutionKey, batch: u32) {
        let Some(live) = self.live.get(key) else { return };
        if live.is_parked && live.execution.next_batch() == batch {
            self.live.remove(key);
            self.figures.parked.add(1);
        }
    }

    /// Takes over the timer of an execution that was parked before the engine started.
    pub(crate) fn recover_parked(&mut self, key: ExecutionKey, due_ms: Option<i64>) {
        self.recovered_timers.extend(due_ms.map(|due_ms| (due_ms, key)));
        self.figures.parked.add(1);
    }

    /// The running execution with this ARN, in memory, from the store if need be.
    pub(super) fn running(&mut self, execution_arn: &str) -> Option<ExecutionKey> {
        if let Some(key) = self.live.key_of(execution_arn) {
            return Some(key);
        }
        if self.closing.contains_key(execution_arn) {
            return None;
        }
        let (key, row) = self.surroundings.executions.find(execution_arn).ok()??;
        (row.outcome.is_none() && self.load(key)).then_some(key)
    }

    /// Brings a parked execution back; says whether it runs.
    pub(super) fn load(&mut self, key: ExecutionKey) -> bool {
        match self.fold(key) {
            // Its end is on its way to the disk; what the store still has is the past.
            Ok(Some(live)) if self.closing.contains_key(&live.row.info.execution_arn) => false,
            Ok(Some(mut live)) => {
                live.is_parked = true;
                let due_ms = live.execution.next_due_ms();
                live.timer_ms = due_ms.filter(|due_ms| self.timers.contains(&(*due_ms, key)));
                self.live.insert(key, live);
                self.figures.parked.add(-1);
                self.set_timer(key);
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::error!(execution = key.0, %error, "cannot go on with an execution");
                false
            }
        }
    }

    /// Reads a running execution; `None` where it has ended.
    pub(super) fn fold(&self, key: ExecutionKey) -> Result<Option<Live>, ReadError> {
        let executions = &self.surroundings.executions;
        let corrupt = |reason: String| ReadError::Corrupt { keyspace: "executions.rows", reason };
        let row = executions.row(key)?.ok_or_else(|| corrupt("a running execution has no row".into()))?;
        // An Express child has no journal to fold: it is in memory, or runs again from its start.
        if row.outcome.is_some() || row.info.kind.is_express() {
            return Ok(None);
        }
        self.fold_row(key, row).map(Some)
    }

    /// Folds the journal of an execution, also of one that has ended.
    pub(super) fn fold_row(&self, key: ExecutionKey, row: ExecutionRow) -> Result<Live, ReadError> {
        let executions = &self.surroundings.executions;
        let corrupt = |reason: String| ReadError::Corrupt { keyspace: "executions.rows", reason };
        let revision = self
            .surroundings
            .machines
            .revision(row.revision)
            .ok_or_else(|| corrupt(format!("the definition of {} is missing", row.info.execution_arn)))?;
        let mut execution = Execution::new(Arc::clone(&row.info));
        executions.replay(key, |_, records| {
            for record in &records {
                execution.apply(&revision.program, record).map_err(|e| e.to_string())?;
            }
            execution.end_batch();
            Ok(())
        })?;
        Ok(Live { execution, revision, row, timer_ms: None, is_parked: false })
    }
}
