//! All functions and their versions: in the store, and in memory with what is needed to run them.
//!
//! The store is the truth; a change is committed first and seen in memory only then. Archives lie in the store too,
//! in pieces, and are removed with the last function that uses them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use stepwell_aws::Fault;
use stepwell_store::{CommitError, Keyspace, ReadError, Store, WriteBatch};
use tokio::sync::oneshot;

use crate::faults;
use crate::launch::Launch;
use crate::record::{Code, FunctionRecord};

/// Bytes of an archive under one key.
const PIECE_BYTES: usize = 1 << 20;

/// A version of a function that exists. It goes on existing for invocations that hold it, also after its deletion.
pub(crate) struct Entry {
    /// Tells apart two functions that had the same name one after the other.
    pub(crate) uid: u64,
    /// What new invocations run.
    launch: Mutex<Arc<Launch>>,
    /// Invocations of all versions in progress, for reserved concurrency; counted at `$LATEST`.
    pub(crate) in_progress: AtomicU32,
}

impl Entry {
    pub(crate) fn launch(&self) -> Arc<Launch> {
        self.launch.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets new invocations run `next`; returns what they would run now, where somebody else was quicker to replace
    /// `old`.
    pub(crate) fn replace(&self, old: &Arc<Launch>, next: Launch) -> Arc<Launch> {
        let mut launch = self.launch.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&launch, old) {
            *launch = Arc::new(next);
        }
        launch.clone()
    }

    fn update(&self, record: FunctionRecord) {
        let mut launch = self.launch.lock().unwrap_or_else(PoisonError::into_inner);
        *launch = Arc::new(launch.next(record));
    }

    pub(crate) fn record(&self) -> Arc<FunctionRecord> {
        self.launch().record.clone()
    }
}

/// Why the functions in a data directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record cannot be understood.
    #[error("the stored function {name} cannot be read: {reason}")]
    Record {
        /// The function's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

pub(crate) struct Catalog {
    store: Store,
    functions: Keyspace,
    code: Keyspace,
    entries: RwLock<BTreeMap<String, Arc<Entry>>>,
    /// Held while a change is decided, committed and made visible.
    pub(crate) changing: tokio::sync::Mutex<()>,
    uids: AtomicU64,
}

impl Catalog {
    pub(crate) fn load(store: Store) -> Result<Catalog, LoadError> {
        let catalog = Catalog {
            functions: store.keyspace("lambda.functions")?,
            code: store.keyspace("lambda.code")?,
            store,
            entries: RwLock::default(),
            changing: tokio::sync::Mutex::default(),
            uids: AtomicU64::new(0),
        };
        for pair in catalog.functions.prefix(b"") {
            let (key, bytes) = pair?;
            let name = String::from_utf8_lossy(&key).into_owned();
            let record = FunctionRecord::from_bytes(&bytes)
                .map_err(|reason| LoadError::Record { name: name.clone(), reason })?;
            catalog.show(record);
        }
        Ok(catalog)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Up to `count` records after the key `after`, in the order of their keys, and whether there are more; published
    /// versions only where asked for.
    pub(crate) fn page(&self, after: &str, count: usize, with_versions: bool) -> (Vec<Arc<Entry>>, bool) {
        use std::ops::Bound::{Excluded, Unbounded};
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut rest = entries
            .range::<str, _>((Excluded(after), Unbounded))
            .filter(|(key, _)| with_versions || !key.contains(':'))
            .map(|(_, entry)| entry.clone());
        let page = rest.by_ref().take(count).collect();
        (page, rest.next().is_some())
    }

    /// The hashes of all archives in use.
    pub(crate) fn archives(&self) -> Vec<String> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let hashes = entries.values().filter_map(|entry| match &entry.record().code {
            Code::Archive(hash) => Some(hash.clone()),
            Code::Directory(_) => None,
        });
        hashes.collect()
    }

    /// Total size of all code, and how many functions there are.
    pub(crate) fn usage(&self) -> (u64, usize) {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let functions = entries.keys().filter(|key| !key.contains(':')).count();
        (entries.values().map(|e| e.record().code_bytes).sum(), functions)
    }

    /// The published versions of the function `name`, in order.
    pub(crate) fn versions(&self, name: &str) -> Vec<Arc<Entry>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        // `;` follows `:`.
        let range = entries.range(format!("{name}:")..format!("{name};"));
        let mut versions: Vec<_> = range.map(|(_, entry)| entry.clone()).collect();
        versions.sort_by_key(|entry| entry.record().version);
        versions
    }

    /// Stores `records` (with `archive`, where their code is new) and shows them. The caller holds `changing`.
    pub(crate) async fn put(
        &self,
        records: Vec<FunctionRecord>,
        archive: Option<&[u8]>,
    ) -> Result<(), Fault> {
        let mut batch = WriteBatch::new();
        if let (Some(Code::Archive(hash)), Some(bytes)) = (records.first().map(|r| &r.code), archive) {
            for (i, piece) in (0u32..).zip(bytes.chunks(PIECE_BYTES)) {
                batch.put(&self.code, piece_key(hash, i), piece);
            }
        }
        for record in &records {
            let before = self.get(&record.key()).map(|e| e.record().code.clone());
            if let Some(Code::Archive(old)) = before.filter(|c| *c != record.code) {
                self.forget_code(&old, &[record.key()], &mut batch)?;
            }
            batch.put(&self.functions, record.key(), record.to_bytes());
        }
        self.commit(batch).await?;
        for record in records {
            self.show(record);
        }
        Ok(())
    }

    /// Removes `gone` (a version, or a function with all its versions). The caller holds `changing`.
    pub(crate) async fn remove(&self, gone: &[Arc<Entry>]) -> Result<(), Fault> {
        let mut batch = WriteBatch::new();
        let keys: Vec<String> = gone.iter().map(|entry| entry.record().key()).collect();
        for entry in gone {
            if let Code::Archive(hash) = &entry.record().code {
                self.forget_code(hash, &keys, &mut batch)?;
            }
        }
        for key in &keys {
            batch.delete(&self.functions, key.as_bytes());
        }
        self.commit(batch).await?;
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for key in &keys {
            entries.remove(key);
        }
        Ok(())
    }

    /// The archive with this hash. Blocks; call it where that is allowed.
    pub(crate) fn archive(&self, hash: &str) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        for pair in self.code.prefix(format!("{hash}/").as_bytes()) {
            bytes.extend_from_slice(&pair?.1);
        }
        Ok(bytes)
    }

    /// Adds the removal of an archive that only `users` use.
    fn forget_code(&self, hash: &str, users: &[String], batch: &mut WriteBatch) -> Result<(), Fault> {
        let shared = self.entries.read().unwrap_or_else(PoisonError::into_inner).values().any(|entry| {
            let record = entry.record();
            record.code == Code::Archive(hash.to_owned()) && !users.contains(&record.key())
        });
        if !shared {
            for pair in self.code.prefix(format!("{hash}/").as_bytes()) {
                let (key, _) = pair.map_err(|e| faults::service(e.to_string()))?;
                batch.delete(&self.code, key);
            }
        }
        Ok(())
    }

    async fn commit(&self, batch: WriteBatch) -> Result<(), Fault> {
        commit(&self.store, batch).await.map_err(|e| faults::service(e.to_string()))
    }

    fn show(&self, record: FunctionRecord) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let key = record.key();
        match entries.get(&key) {
            Some(entry) => entry.update(record),
            None => {
                let entry = Entry {
                    uid: self.uids.fetch_add(1, Ordering::Relaxed),
                    launch: Mutex::new(Arc::new(Launch::first(record))),
                    in_progress: AtomicU32::new(0),
                };
                entries.insert(key, Arc::new(entry));
            }
        }
    }
}

fn piece_key(hash: &str, piece: u32) -> Vec<u8> {
    let mut key = format!("{hash}/").into_bytes();
    key.extend_from_slice(&piece.to_be_bytes());
    key
}

/// Makes `batch` durable without holding a thread up.
pub(crate) async fn commit(store: &Store, batch: WriteBatch) -> Result<(), CommitError> {
    let (done, wait) = oneshot::channel();
    store.commit_then(batch, move |result| {
        let _ = done.send(result);
    });
    wait.await.unwrap_or_else(|_| Err(CommitError { reason: "the writer has stopped".into() }))
}
