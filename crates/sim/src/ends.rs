//! Ends of Express executions, which leave no trace of their own: noted by the log of executions, in the batch that
//! takes their start away.

use stepwell_engine::machines::{ExecutionLog, MachineRevision};
use stepwell_interpreter::{ExecutionInfo, ExecutionKind, Record};
use stepwell_store::{Keyspace, ReadError, Store, WriteBatch};

/// The keyspace: ARN to nothing.
pub const KEYSPACE: &str = "sim.ends";

/// The log.
#[derive(Debug)]
pub struct Ends(Keyspace);

impl Ends {
    /// The ends that `store` holds.
    pub fn open(store: &Store) -> Result<Ends, ReadError> {
        store.keyspace(KEYSPACE).map(Ends)
    }
}

impl ExecutionLog for Ends {
    fn has_log_group(&self, _: &str) -> bool {
        false
    }

    fn log(
        &self,
        batch: &mut WriteBatch,
        _: &MachineRevision,
        info: &ExecutionInfo,
        _: u32,
        records: &[Record],
    ) {
        let is_end = |record: &Record| matches!(record, Record::Event(event) if event.details.is_terminal());
        if info.kind == ExecutionKind::Express && info.child_of.is_none() && records.iter().any(is_end) {
            batch.put(&self.0, info.execution_arn.as_bytes(), []);
        }
    }
}
