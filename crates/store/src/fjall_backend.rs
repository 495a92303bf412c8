//! The store's own backend: a `fjall` database in a directory.
//!
//! A tree of its own costs a keyspace a dozen files and syncs when it is made, a memtable, and its share of every
//! start; only what is large or much written has one ([`OWN_TREES`]). All other keyspaces share a tree, their keys
//! behind their names. A keyspace that an older version gave a tree keeps it.

use std::any::Any;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::backend::{Backend, BackendError, Change, KeyspaceId, KeyspaceReads, Pairs};
use crate::kv::OpenError;
use crate::preflight::{self, Damage};

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
    /// Keeps other processes away; released after the database is closed.
    _lock: File,
}

impl FjallBackend {
    /// Opens the database in `directory`; `lock` says that no other process is at it.
    pub(crate) fn open(directory: &Path, lock: File) -> Result<Self, OpenError> {
        preflight::check(directory).map_err(|damage| match damage {
            Damage::Io(path, source) => OpenError::Io { path, source },
            Damage::Lost(path, reason) => OpenError::Damaged { path, reason },
        })?;
        let path = directory.to_path_buf();
        let builder = Database::builder(directory)
            .manual_journal_persist(true)
            .max_journaling_size(LOG_BYTES_MAX)
            .cache_size(CACHE_BYTES)
            .worker_threads(2);
        // Some of what it does not expect to find in its files it answers with a panic.
        match catch_unwind(AssertUnwindSafe(|| builder.open())) {
            Ok(Ok(database)) => Ok(FjallBackend { database, keyspaces: RwLock::default(), _lock: lock }),
            Ok(Err(fjall::Error::Locked)) => Err(OpenError::Locked { path }),
            Ok(Err(source)) => Err(OpenError::Database { path, source }),
            Err(panic) => Err(OpenError::Damaged { path, reason: text(panic) }),
        }
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

/// What a panic says.
fn text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast::<String>().map(|text| *text);
    let text = text.or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|_| "it cannot be understood".to_owned())
}

/// Reads, and makes an error of a panic: a damaged block is no reason to take the thread down.
fn guarded<T>(read: impl FnOnce() -> Result<T, fjall::Error>) -> Result<T, BackendError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(BackendError::new),
        Err(panic) => Err(BackendError::new(text(panic))),
    }
}

struct Reads(Place);

impl KeyspaceReads for Reads {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        guarded(|| self.0.tree.get(self.0.key(key)).map(|v| v.map(|v| v.to_vec())))
    }

    fn contains(&self, key: &[u8]) -> Result<bool, BackendError> {
        guarded(|| self.0.tree.contains_key(self.0.key(key)))
    }

    fn prefix(&self, prefix: &[u8]) -> Pairs {
        self.pairs(self.0.tree.prefix(self.0.key(prefix)))
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Pairs {
        self.pairs(self.0.tree.range(self.0.key(from)..self.0.key(to)))
    }
}

impl Reads {
    fn pairs(&self, pairs: fjall::Iter) -> Pairs {
        Box::new(Guarded { pairs: Some(pairs), prefix: self.0.prefix.len() })
    }
}

/// Pairs as their keyspace's owner knows them: without the first bytes of each key. Ends with its first error: what
/// comes after a damaged block is not the whole.
struct Guarded<I> {
    pairs: Option<I>,
    prefix: usize,
}

impl<I: Iterator<Item = fjall::Guard>> Guarded<I> {
    fn step(
        &mut self,
        step: impl FnOnce(&mut I) -> Option<fjall::Guard>,
    ) -> Option<<Self as Iterator>::Item> {
        let pairs = self.pairs.as_mut()?;
        let prefix = self.prefix;
        let read = guarded(|| {
            let pair = step(pairs).map(fjall::Guard::into_inner).transpose()?;
            Ok(pair.map(|(key, value)| (key[prefix..].to_vec(), value.to_vec())))
        });
        if read.is_err() {
            self.pairs = None;
        }
        read.transpose()
    }
}

impl<I: Iterator<Item = fjall::Guard>> Iterator for Guarded<I> {
    type Item = Result<(Vec<u8>, Vec<u8>), BackendError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Iterator::next)
    }
}

impl<I: DoubleEndedIterator<Item = fjall::Guard>> DoubleEndedIterator for Guarded<I> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(DoubleEndedIterator::next_back)
    }
}
