//! The store's own backend: a `fjall` database in a directory.
//!
//! A tree of its own costs a keyspace a dozen files and syncs when it is made, a memtable, and its share of every
//! start; only what is large or much written has one ([`OWN_TREES`]). All other keyspaces share a tree, their keys
//! behind their names. A keyspace that an older version gave a tree keeps it.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::backend::{Backend, BackendError, Change, KeyspaceId, KeyspaceReads, Pairs};

const MIB: u64 = 1024 * 1024;

/// Keyspaces with a tree of their own, and the bytes that its memtable may hold.
///
/// What is in memtables only is read again from the log at the next start, and memory holds it with as much again for
/// its nodes: small ones keep both low. A log file is removed once all that it holds has left the memtables, so that
/// the tree that grows slowest, `executions.open`, gets the smallest. Each flush is merged into what is there: the
/// journal, by far the most bytes where executions loop, gets a larger one, which halves what is written in the end.
const OWN_TREES: [(&str, u64); 5] = [
    ("executions.journal", 32 * MIB),
    ("executions.rows", 8 * MIB),
    ("executions.arns", 8 * MIB),
    ("executions.list", 4 * MIB),
    ("executions.open", MIB),
];

/// The tree of all other keyspaces.
const SHARED_TREE: (&str, u64) = ("shared", 4 * MIB);

/// Bytes of log files beyond the one being written; over it, what keeps the oldest of them is flushed.
const LOG_BYTES_MAX: u64 = 64 * MIB;

/// Bytes of blocks of the trees' files in memory.
const CACHE_BYTES: u64 = 32 * MIB;

/// A keyspace's tree, and what its keys begin with there.
#[derive(Clone)]
struct Place {
    tree: fjall::Keyspace,
    prefix: Arc<[u8]>,
}

impl Place {
    fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }
}

pub(crate) struct FjallBackend {
    database: Database,
    /// Opened keyspaces by their numbers. Only ever grows, and only while services open theirs.
    keyspaces: RwLock<Vec<(&'static str, Place)>>,
}

impl FjallBackend {
    pub(crate) fn open(directory: &Path) -> Result<Self, fjall::Error> {
        let database = Database::builder(directory)
            .manual_journal_persist(true)
            .max_journaling_size(LOG_BYTES_MAX)
            .cache_size(CACHE_BYTES)
            .worker_threads(2)
            .open()?;
        Ok(FjallBackend { database, keyspaces: RwLock::default() })
    }

    fn place(&self, name: &str) -> Result<Place, fjall::Error> {
        let options = |bytes| move || KeyspaceCreateOptions::default().max_memtable_size(bytes);
        let own = OWN_TREES.iter().find(|(own, _)| *own == name);
        if own.is_some() || self.database.keyspace_exists(name) {
            let bytes = own.map_or(SHARED_TREE.1, |(_, bytes)| *bytes);
            return Ok(Place { tree: self.database.keyspace(name, options(bytes))?, prefix: Arc::default() });
        }
        let (shared, bytes) = SHARED_TREE;
        // No name holds a zero, so that no keyspace's keys begin with another's prefix.
        let prefix = [name.as_bytes(), &[0]].concat().into();
        Ok(Place { tree: self.database.keyspace(shared, options(bytes))?, prefix })
    }
}

impl Backend for FjallBackend {
    fn keyspace(&self, name: &'static str) -> Result<(KeyspaceId, Arc<dyn KeyspaceReads>), BackendError> {
        let mut keyspaces = self.keyspaces.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keyspaces.iter().position(|(n, _)| *n == name) {
            return Ok((KeyspaceId(known), Arc::new(Reads(keyspaces[known].1.clone()))));
        }
        let place = self.place(name).map_err(BackendError::new)?;
        keyspaces.push((name, place.clone()));
        Ok((KeyspaceId(keyspaces.len() - 1), Arc::new(Reads(place))))
    }

    fn write(&self, changes: &mut dyn Iterator<Item = Change>) -> Result<(), BackendError> {
        let keyspaces = self.keyspaces.read().unwrap_or_else(PoisonError::into_inner);
        let mut group = self.database.batch();
        for Change { keyspace, key, value } in changes {
            let (_, place) = &keyspaces[keyspace.0];
            let key = if place.prefix.is_empty() { key } else { place.key(&key) };
            match value {
                Some(value) => group.insert(&place.tree, key, value),
                None => group.remove(&place.tree, key),
            }
        }
        group.commit().map_err(BackendError::new)
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.database.persist(PersistMode::SyncData).map_err(BackendError::new)
    }
}

struct Reads(Place);

impl KeyspaceReads for Reads {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.0.tree.get(self.0.key(key)).map(|v| v.map(|v| v.to_vec())).map_err(BackendError::new)
    }

    fn contains(&self, key: &[u8]) -> Result<bool, BackendError> {
        self.0.tree.contains_key(self.0.key(key)).map_err(BackendError::new)
    }

    fn prefix(&self, prefix: &[u8]) -> Pairs {
        let ours = self.0.prefix.len();
        Box::new(self.0.tree.prefix(self.0.key(prefix)).map(move |guard| pair(guard, ours)))
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Pairs {
        let ours = self.0.prefix.len();
        let range = self.0.key(from)..self.0.key(to);
        Box::new(self.0.tree.range(range).map(move |guard| pair(guard, ours)))
    }
}

/// A pair as its keyspace's owner knows it: without the first bytes of the key, which are `ours`.
fn pair(guard: fjall::Guard, ours: usize) -> Result<(Vec<u8>, Vec<u8>), BackendError> {
    let (key, value) = guard.into_inner().map_err(BackendError::new)?;
    Ok((key[ours..].to_vec(), value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(reads: &dyn KeyspaceReads) -> Vec<(Vec<u8>, Vec<u8>)> {
        reads.prefix(&[]).map(|pair| pair.expect("reads")).collect()
    }

    fn put(backend: &FjallBackend, keyspace: KeyspaceId, key: &str, value: &str) {
        let change = Change { keyspace, key: key.into(), value: Some(value.into()) };
        backend.write(&mut std::iter::once(change)).expect("writes");
    }

    #[test]
    fn keyspaces_that_share_a_tree_do_not_see_each_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let backend = FjallBackend::open(dir.path()).expect("opens");
        let (a, reads_a) = backend.keyspace("x.a").expect("opens");
        let (b, reads_b) = backend.keyspace("x.ab").expect("opens");
        put(&backend, a, "b", "1");
        put(&backend, b, "b", "2");
        put(&backend, b, "c", "3");
        let pair = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        assert_eq!(all(&*reads_a), [pair("b", "1")]);
        assert_eq!(all(&*reads_b), [pair("b", "2"), pair("c", "3")]);
        assert_eq!(reads_b.get(b"b").expect("reads"), Some(b"2".to_vec()));
        assert!(!reads_a.contains(b"c").expect("reads"));
        let range: Vec<_> = reads_b.range(b"a", b"c").map(|pair| pair.expect("reads")).collect();
        assert_eq!(range, [pair("b", "2")]);
    }

    #[test]
    fn a_keyspace_that_has_a_tree_keeps_it() {
        let dir = tempfile::tempdir().expect("a directory");
        {
            let database = Database::builder(dir.path()).open().expect("opens");
            let tree = database.keyspace("x.old", KeyspaceCreateOptions::default).expect("opens");
            tree.insert("k", "v").expect("writes");
            database.persist(PersistMode::SyncAll).expect("syncs");
        }
        let backend = FjallBackend::open(dir.path()).expect("opens");
        let (old, reads) = backend.keyspace("x.old").expect("opens");
        put(&backend, old, "l", "w");
        assert_eq!(all(&*reads).len(), 2);
    }
}
