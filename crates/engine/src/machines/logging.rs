//! Where the executions of machines with a logging configuration are logged.

use std::sync::Arc;

use stepwell_interpreter::{ExecutionInfo, Record};
use stepwell_store::WriteBatch;

use super::{MachineRevision, Machines};

/// A destination of execution logs.
pub trait ExecutionLog: Send + Sync + std::fmt::Debug {
    /// Whether the log group with this ARN is there to be written to.
    fn has_log_group(&self, arn: &str) -> bool;

    /// Adds the log events of `records` to `batch`, which makes the records durable: they are logged once, whatever
    /// happens. `revision` says what is to be logged, and where; `redrive_count` how often the execution was
    /// redriven, with these records. Called on a shard's thread: must not block.
    fn log(
        &self,
        batch: &mut WriteBatch,
        revision: &MachineRevision,
        info: &ExecutionInfo,
        redrive_count: u32,
        records: &[Record],
    );
}

impl Machines {
    /// Executions are logged to `log` from now on. To be called before the engine starts; a second call changes
    /// nothing.
    pub fn log_to(&self, log: Arc<dyn ExecutionLog>) {
        let _ = self.log.set(log);
    }

    /// Where executions are logged, if anywhere.
    #[must_use]
    pub fn execution_log(&self) -> Option<&Arc<dyn ExecutionLog>> {
        self.log.get()
    }
}
