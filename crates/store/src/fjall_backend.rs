//! The store's own backend: a `fjall` database in a directory.
//!
//! A tree of its own costs a keyspace a dozen files and syncs when it is made, a memtable, and its share of every
//! start; only what is large or much written has one ([`OWN_TREES`]). All other keyspaces share a tree, their keys
//! behind their names. A keyspace that an older version gave a tree keeps it.

use std::fs::File;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::backend::{Backend, BackendError, Change, KeyspaceId, KeyspaceReads, Pairs};
use crate::kv::{OpenError, panic_text};
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

/// The own trees whose keys only ever grow, and are removed again.
///
/// A file whose keys lie apart from those of all other files is moved to the last level as it is, with all its notes of
/// removed keys, where nothing takes them out: a scan would wade through every key there ever was. With [`ENDS`] in it,
/// the last level overlaps with every other file, so that each is merged into it, and the notes end there.
const GROWING_TREES: [&str; 1] = ["executions.open"];

/// Two keys below and above all others of a growing tree; no keyspace's owner sees them.
const ENDS: [&[u8]; 2] = [&[0], &[0xff]];

/// The tree of all other keyspaces.
const SHARED_TREE: (&str, u64) = ("shared", 4 * MIB);

/// Bytes of log files beyond the one being written; over it, what keeps the oldest of them is flushed.
const LOG_BYTES_MAX: u64 = 64 * MIB;

/// Bytes of blocks of the trees' files in memory.
const CACHE_BYTES: u64 = 32 * MIB;

/// Bytes that are written to find out why a write has failed: more than what was to be written when a disk is full.
const PROBE_BYTES: usize = 4 * 1024 * 1024;

/// A keyspace's tree, and what its keys begin with there.
#[derive(Clone)]
struct Place {
    tree: fjall::Keyspace,
    prefix: Arc<[u8]>,
    /// Whether [`ENDS`] are in it.
    ends: bool,
}

impl Place {
    fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }
}

pub(crate) struct FjallBackend {
    database: Database,
    directory: PathBuf,
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
        // One worker: with several, the first hands every compaction back to the queue until another takes it, a loop
        // that costs as much as a sixth of all processor time while executions are started.
        let builder = Database::builder(directory)
            .manual_journal_persist(true)
            .max_journaling_size(LOG_BYTES_MAX)
            .cache_size(CACHE_BYTES)
            .worker_threads(1);
        // Some of what it does not expect to find in its files it answers with a panic.
        match catch_unwind(AssertUnwindSafe(|| builder.open())) {
            Ok(Ok(database)) => {
                Ok(FjallBackend { database, directory: path, keyspaces: RwLock::default(), _lock: lock })
            }
            Ok(Err(fjall::Error::Locked)) => Err(OpenError::Locked { path }),
            Ok(Err(source)) => Err(OpenError::Database { path, source }),
            Err(panic) => Err(OpenError::Damaged { path, reason: panic_text(panic) }),
        }
    }

    fn place(&self, name: &str) -> Result<Place, fjall::Error> {
        let options = |bytes| move || KeyspaceCreateOptions::default().max_memtable_size(bytes);
        let own = OWN_TREES.iter().find(|(own, _)| *own == name);
        if own.is_some() || self.database.keyspace_exists(name) {
            let bytes = own.map_or(SHARED_TREE.1, |(_, bytes)| *bytes);
            let tree = self.database.keyspace(name, options(bytes))?;
            let ends = GROWING_TREES.contains(&name);
            if ends && !tree.contains_key(ENDS[0])? {
                let mut group = self.database.batch();
                for key in ENDS {
                    group.insert(&tree, key, []);
                }
                group.commit()?;
            }
            return Ok(Place { tree, prefix: Arc::default(), ends });
        }
        let (shared, bytes) = SHARED_TREE;
        // No name holds a zero, so that no keyspace's keys begin with another's prefix.
        let prefix = [name.as_bytes(), &[0]].concat().into();
        Ok(Place { tree: self.database.keyspace(shared, options(bytes))?, prefix, ends: false })
    }
}

impl FjallBackend {
    /// Why a write has failed. What failed first may have been a write in the background, whose reason the database keeps
    /// to itself; mostly it still holds.
    fn failed(&self, error: &fjall::Error) -> BackendError {
        let mut reason = match error {
            fjall::Error::Poisoned => "a write in the background has failed".to_owned(),
            error => error.to_string(),
        };
        if let Err(probed) = probe(&self.directory.with_file_name("PROBE")) {
            reason = format!("{reason}; writing to {}: {probed}", self.directory.display());
        }
        BackendError::new(reason)
    }
}

/// Whether a file of some length can be written.
fn probe(path: &Path) -> io::Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(&vec![0; PROBE_BYTES])?;
        file.sync_data()
    });
    let removed = std::fs::remove_file(path);
    written.and(removed)
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
        for Change { keyspace, key, value, put_once } in changes {
            let (_, place) = &keyspaces[keyspace.0];
            let key = if place.prefix.is_empty() { key } else { place.key(&key) };
            match value {
                Some(value) => group.insert(&place.tree, key, value),
                None if put_once => group.remove_weak(&place.tree, key),
                None => group.remove(&place.tree, key),
            }
        }
        group.commit().map_err(|error| self.failed(&error))
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.database.persist(PersistMode::SyncData).map_err(|error| self.failed(&error))
    }
}

/// Reads, and makes an error of a panic: a damaged block is no reason to take the thread down.
fn guarded<T>(read: impl FnOnce() -> Result<T, fjall::Error>) -> Result<T, BackendError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(BackendError::new),
        Err(panic) => Err(BackendError::new(panic_text(panic))),
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
        let pairs = Guarded { pairs: Some(pairs), prefix: self.0.prefix.len() };
        if self.0.ends {
            return Box::new(
                pairs.filter(|pair| !matches!(pair, Ok((key, _)) if ENDS.contains(&key.as_slice()))),
            );
        }
        Box::new(pairs)
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const ROUND: u64 = 50;
    const ROUNDS: u64 = 12;

    fn backend(directory: &Path) -> FjallBackend {
        let lock = File::create(directory.join("LOCK")).expect("is made");
        FjallBackend::open(directory, lock).expect("opens")
    }

    fn change(keyspace: KeyspaceId, key: &[u8], value: Option<&[u8]>, put_once: bool) -> Change {
        Change { keyspace, key: key.to_vec(), value: value.map(<[u8]>::to_vec), put_once }
    }

    /// What a scan of a tree passes: what is there, and notes of what was there.
    fn passed(backend: &FjallBackend, name: &'static str) -> usize {
        backend.place(name).expect("is there").tree.approximate_len()
    }

    #[test]
    fn a_growing_tree_forgets_what_was_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let backend = backend(directory.path());
        let (open, reads) = backend.keyspace("executions.open").expect("a keyspace");
        for round in 0..ROUNDS {
            for value in [Some(&b""[..]), None] {
                let keys = round * ROUND + 1..(round + 1) * ROUND;
                let mut changes = keys.map(|key| change(open, &key.to_be_bytes(), value, false));
                backend.write(&mut changes).expect("writes");
            }
            // One of each round stays.
            let stays = (round * ROUND).to_be_bytes();
            backend.write(&mut std::iter::once(change(open, &stays, Some(b""), false))).expect("writes");
            let tree = backend.place("executions.open").expect("is there").tree;
            tree.rotate_memtable_and_wait().expect("is flushed");
        }
        let keys = |pairs: Pairs| pairs.map(|pair| pair.expect("reads").0).collect::<Vec<_>>();
        let all: Vec<_> = (0..ROUNDS).map(|round| (round * ROUND).to_be_bytes().to_vec()).collect();
        assert_eq!(keys(reads.prefix(&[])), all);
        assert_eq!(keys(reads.range(&[], &[0xff; 9])), all);
        // Few files are left to be merged, after a moment.
        let deadline = Instant::now() + Duration::from_secs(20);
        while passed(&backend, "executions.open") > 5 * usize::try_from(ROUND).expect("small") {
            assert!(Instant::now() < deadline, "{} are left", passed(&backend, "executions.open"));
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_was_put_once_and_removed_never_reaches_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let backend = backend(directory.path());
        let (list, reads) = backend.keyspace("executions.list").expect("a keyspace");
        for key in 0..ROUND {
            for value in [Some(&b"v"[..]), None] {
                let mut changes = std::iter::once(change(list, &key.to_be_bytes(), value, true));
                backend.write(&mut changes).expect("writes");
            }
        }
        backend.write(&mut std::iter::once(change(list, b"stays", Some(b""), false))).expect("writes");
        let tree = backend.place("executions.list").expect("is there").tree;
        tree.rotate_memtable_and_wait().expect("is flushed");
        assert_eq!(reads.prefix(&[]).count(), 1);
        assert_eq!(passed(&backend, "executions.list"), 1);
    }

    #[test]
    fn what_ran_twice_is_removed_for_good() {
        let directory = tempfile::tempdir().expect("a directory");
        let backend = backend(directory.path());
        let (list, reads) = backend.keyspace("executions.list").expect("a keyspace");
        let tree = backend.place("executions.list").expect("is there").tree;
        let steps = [(Some(&b""[..]), false), (None, true), (Some(&b""[..]), false), (None, false)];
        // Flushed after any of the steps, or after none.
        for flushed in 0..1u8 << steps.len() {
            for (index, (value, put_once)) in steps.into_iter().enumerate() {
                let mut changes = std::iter::once(change(list, &[1, flushed], value, put_once));
                backend.write(&mut changes).expect("writes");
                if flushed & 1 << index != 0 {
                    tree.rotate_memtable_and_wait().expect("is flushed");
                }
                assert_eq!(
                    reads.contains(&[1, flushed]).expect("reads"),
                    value.is_some(),
                    "{flushed} {index}"
                );
            }
        }
        tree.rotate_memtable_and_wait().expect("is flushed");
        tree.major_compact().expect("is merged");
        assert_eq!(reads.prefix(&[]).count(), 0);
    }
}
