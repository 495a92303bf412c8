//! The store's own backend: a `fjall` database in a directory.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::backend::{Backend, BackendError, Change, KeyspaceId, KeyspaceReads, Pairs};

pub(crate) struct FjallBackend {
    database: Database,
    /// Opened keyspaces by their numbers. Only ever grows, and only while services open theirs.
    keyspaces: RwLock<Vec<(&'static str, fjall::Keyspace)>>,
}

impl FjallBackend {
    pub(crate) fn open(directory: &Path) -> Result<Self, fjall::Error> {
        let database = Database::builder(directory).manual_journal_persist(true).worker_threads(2).open()?;
        Ok(FjallBackend { database, keyspaces: RwLock::default() })
    }
}

impl Backend for FjallBackend {
    fn keyspace(&self, name: &'static str) -> Result<(KeyspaceId, Arc<dyn KeyspaceReads>), BackendError> {
        let mut keyspaces = self.keyspaces.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keyspaces.iter().position(|(n, _)| *n == name) {
            return Ok((KeyspaceId(known), Arc::new(Reads(keyspaces[known].1.clone()))));
        }
        let opened =
            self.database.keyspace(name, KeyspaceCreateOptions::default).map_err(BackendError::new)?;
        keyspaces.push((name, opened.clone()));
        Ok((KeyspaceId(keyspaces.len() - 1), Arc::new(Reads(opened))))
    }

    fn write(&self, changes: &mut dyn Iterator<Item = Change>) -> Result<(), BackendError> {
        let keyspaces = self.keyspaces.read().unwrap_or_else(PoisonError::into_inner);
        let mut group = self.database.batch();
        for Change { keyspace, key, value } in changes {
            let (_, keyspace) = &keyspaces[keyspace.0];
            match value {
                Some(value) => group.insert(keyspace, key, value),
                None => group.remove(keyspace, key),
            }
        }
        group.commit().map_err(BackendError::new)
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.database.persist(PersistMode::SyncData).map_err(BackendError::new)
    }
}

struct Reads(fjall::Keyspace);

impl KeyspaceReads for Reads {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.0.get(key).map(|v| v.map(|v| v.to_vec())).map_err(BackendError::new)
    }

    fn contains(&self, key: &[u8]) -> Result<bool, BackendError> {
        self.0.contains_key(key).map_err(BackendError::new)
    }

    fn prefix(&self, prefix: &[u8]) -> Pairs {
        Box::new(self.0.prefix(prefix).map(pair))
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Pairs {
        Box::new(self.0.range(from.to_vec()..to.to_vec()).map(pair))
    }
}

fn pair(guard: fjall::Guard) -> Result<(Vec<u8>, Vec<u8>), BackendError> {
    let (key, value) = guard.into_inner().map_err(BackendError::new)?;
    Ok((key.to_vec(), value.to_vec()))
}
