//! The executions that a shard has in memory, by key and by ARN, and about how much memory they take.

use std::collections::HashMap;
use std::sync::Arc;

use stepwell_store::ExecutionKey;

use super::Live;

/// Bytes that the executions in a shard's memory may take together, as far as they are counted; no other is started
/// beyond that. Those that wait with nothing under way are not in memory.
const BYTES_MAX: usize = 512 * 1024 * 1024;

/// Bytes that every execution counts for beside its input: a small one with one task under way takes about so many.
const OVERHEAD_BYTES: usize = 4 * 1024;

/// Executions in memory.
pub(super) struct Lives {
    by_key: HashMap<ExecutionKey, Live>,
    by_arn: HashMap<Arc<str>, ExecutionKey>,
    bytes: usize,
    bytes_max: usize,
}

impl Default for Lives {
    fn default() -> Self {
        Lives { by_key: HashMap::new(), by_arn: HashMap::new(), bytes: 0, bytes_max: BYTES_MAX }
    }
}

impl Lives {
    pub(super) fn insert(&mut self, key: ExecutionKey, live: Live) {
        self.bytes += bytes(&live);
        self.by_arn.insert(live.row.info.execution_arn.clone(), key);
        self.by_key.insert(key, live);
    }

    pub(super) fn remove(&mut self, key: ExecutionKey) -> Option<Live> {
        let live = self.by_key.remove(&key)?;
        self.by_arn.remove(&live.row.info.execution_arn);
        self.bytes -= bytes(&live);
        Some(live)
    }

    pub(super) fn get(&self, key: ExecutionKey) -> Option<&Live> {
        self.by_key.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: ExecutionKey) -> Option<&mut Live> {
        self.by_key.get_mut(&key)
    }

    /// The execution with this ARN.
    pub(super) fn key_of(&self, execution_arn: &str) -> Option<ExecutionKey> {
        self.by_arn.get(execution_arn).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ExecutionKey, &Live)> {
        self.by_key.iter().map(|(key, live)| (*key, live))
    }

    /// Whether there is no room for another one.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    /// Sets another limit than [`BYTES_MAX`].
    pub(super) fn limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// What memory holds of them.
    pub(super) fn held(&self) -> [(&'static str, usize); 3] {
        [
            ("executions", self.by_key.len()),
            ("ARNs of executions", self.by_arn.len()),
            ("bytes of executions", self.bytes),
        ]
    }
}

/// What an execution counts for. Its input is the same for as long as it lives.
fn bytes(live: &Live) -> usize {
    OVERHEAD_BYTES + live.execution.input().map_or(0, |input| input.payload.byte_len())
}
