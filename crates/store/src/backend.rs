//! What lies below the store: keyspaces that can be read, and writes that become durable with a sync.
//!
//! A seam. The store's own backend is `fjall` (`crate::fjall_backend`); a simulation puts a disk of its own here,
//! one that loses, refuses and delays writes, and everything above runs unchanged.

use std::sync::Arc;
use std::time::Duration;

/// A backend could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BackendError(Box<dyn std::error::Error + Send + Sync>);

impl BackendError {
    /// An error that says what `source` says.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        BackendError(source.into())
    }
}

/// A keyspace's number within its backend, for [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyspaceId(pub usize);

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub keyspace: KeyspaceId,
    /// The key.
    pub key: Vec<u8>,
    /// Its new value; `None` removes it.
    pub value: Option<Vec<u8>>,
    /// For a removal: that the key was put exactly once since it was last absent. A backend may then forget both the
    /// value and its removal as soon as they meet.
    pub put_once: bool,
}

impl Change {
    /// Bytes of key and value.
    pub(crate) fn byte_len(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Pairs in key order, readable from both ends.
pub type Pairs = Box<dyn DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), BackendError>> + Send>;

/// What is read of one keyspace. Reads see every write that has returned, durable or not.
pub trait KeyspaceReads: Send + Sync {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError>;

    /// Whether there is a value under `key`.
    fn contains(&self, key: &[u8]) -> Result<bool, BackendError>;

    /// All pairs whose key begins with `prefix`.
    fn prefix(&self, prefix: &[u8]) -> Pairs;

    /// All pairs with `from <= key < to`; `from` is not above `to`.
    fn range(&self, from: &[u8], to: &[u8]) -> Pairs;
}

/// A keyed store of bytes.
pub trait Backend: Send + Sync {
    /// The keyspace `name`, made where it is absent; asked twice for a name it gives the same one.
    fn keyspace(&self, name: &'static str) -> Result<(KeyspaceId, Arc<dyn KeyspaceReads>), BackendError>;

    /// Makes all changes at once: after a crash either all are there or none. Later changes of a key win. They are
    /// durable only after [`Backend::sync`]; what was written later never survives what was written before.
    fn write(&self, changes: &mut dyn Iterator<Item = Change>) -> Result<(), BackendError>;

    /// Makes everything written so far durable.
    fn sync(&self) -> Result<(), BackendError>;
}

/// A backend whose syncs take longer, for measurements.
pub(crate) struct DelayedSync {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) delay: Duration,
}

impl Backend for DelayedSync {
    fn keyspace(&self, name: &'static str) -> Result<(KeyspaceId, Arc<dyn KeyspaceReads>), BackendError> {
        self.backend.keyspace(name)
    }

    fn write(&self, changes: &mut dyn Iterator<Item = Change>) -> Result<(), BackendError> {
        self.backend.write(changes)
    }

    fn sync(&self) -> Result<(), BackendError> {
        std::thread::sleep(self.delay);
        self.backend.sync()
    }
}
