//! A disk in memory that behaves as badly as a real one may: what was not synced may be lost in a crash, from some
//! write on; a write or a sync may fail, having happened or not.
//!
//! A group of changes is atomic, as the real backend's is (its journal has a checksum per group); nothing here tears
//! one apart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stepwell_store::backend::{Backend, BackendError, Change, KeyspaceId, KeyspaceReads, Pairs};

/// How the next write or sync goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The write fails and leaves nothing.
    WriteRefused,
    /// The write fails, but a crash may bring it to light.
    WriteUnknown,
    /// The sync fails; what it was for may be there after a crash, or not.
    SyncFailed,
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct State {
    names: Vec<&'static str>,
    /// What readers see.
    visible: Vec<Map>,
    /// What survives whatever happens.
    durable: Vec<Map>,
    /// Groups that a crash may lose, from some one on.
    unsynced: Vec<Vec<Change>>,
    /// Keys of the groups written since the last look, in order.
    written: Vec<(&'static str, Vec<u8>)>,
    fault: Option<Fault>,
    /// Groups written so far.
    groups: u64,
}

/// The disk. Clones are the same one; it outlives the engines that use it.
#[derive(Clone, Default)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

impl SimulatedDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        SimulatedDisk::default()
    }

    /// The next write or sync goes wrong in this way.
    pub fn break_next(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// How many groups are not synced.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.lock().unsynced.len()
    }

    /// How many groups were written so far.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.lock().groups
    }

    /// The power fails: of what is not synced, the first `kept` groups are there afterwards.
    pub fn crash(&self, kept: usize) {
        let mut state = self.lock();
        let unsynced = std::mem::take(&mut state.unsynced);
        for group in unsynced.into_iter().take(kept) {
            change(&mut state.durable, group);
        }
        state.visible = state.durable.clone();
        state.written.clear();
        state.fault = None;
    }

    /// The keys of all changes written since the last call, in order, with their keyspaces.
    #[must_use]
    pub fn take_written(&self) -> Vec<(&'static str, Vec<u8>)> {
        std::mem::take(&mut self.lock().written)
    }

    /// The value that survives whatever happens.
    #[must_use]
    pub fn durable(&self, keyspace: &str, key: &[u8]) -> Option<Vec<u8>> {
        let state = self.lock();
        let index = state.names.iter().position(|name| *name == keyspace)?;
        state.durable[index].get(key).cloned()
    }

    /// The first key of a keyspace that begins with `prefix`.
    #[must_use]
    pub fn first_key(&self, keyspace: &str, prefix: &[u8]) -> Option<Vec<u8>> {
        let state = self.lock();
        let index = state.names.iter().position(|name| *name == keyspace)?;
        let (key, _) = state.durable[index].range(prefix.to_vec()..).next()?;
        key.starts_with(prefix).then(|| key.clone())
    }

    /// Changes a durable value behind everybody's back, and crashes.
    pub fn corrupt(&self, keyspace: &str, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let index = state.names.iter().position(|name| *name == keyspace);
        if let Some(value) = index.and_then(|index| state.durable[index].get_mut(key)) {
            change(value);
        }
        drop(state);
        self.crash(0);
    }

    /// Visits every durable pair in a fixed order.
    pub fn for_each_durable(&self, mut visit: impl FnMut(&str, &[u8], &[u8])) {
        let state = self.lock();
        for (name, map) in state.names.iter().zip(&state.durable) {
            map.iter().for_each(|(key, value)| visit(name, key, value));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn change(maps: &mut [Map], changes: impl IntoIterator<Item = Change>) {
    for Change { keyspace, key, value, .. } in changes {
        match value {
            Some(value) => maps[keyspace.0].insert(key, value),
            None => maps[keyspace.0].remove(&key),
        };
    }
}

impl Backend for SimulatedDisk {
    fn keyspace(&self, name: &'static str) -> Result<(KeyspaceId, Arc<dyn KeyspaceReads>), BackendError> {
        let mut state = self.lock();
        let index = state.names.iter().position(|n| *n == name).unwrap_or_else(|| {
            state.names.push(name);
            state.visible.push(Map::new());
            state.durable.push(Map::new());
            state.names.len() - 1
        });
        Ok((KeyspaceId(index), Arc::new(Reads { disk: self.clone(), index })))
    }

    fn write(&self, changes: &mut dyn Iterator<Item = Change>) -> Result<(), BackendError> {
        let mut state = self.lock();
        let changes: Vec<Change> = changes.collect();
        state.groups += 1;
        match state.fault.take() {
            Some(Fault::WriteRefused) => {
                return Err(BackendError::new("no space left on the simulated disk"));
            }
            Some(Fault::WriteUnknown) => {
                state.unsynced.push(changes);
                return Err(BackendError::new("a simulated write failed half-way"));
            }
            sync_fault => state.fault = sync_fault,
        }
        for change in &changes {
            let name = state.names[change.keyspace.0];
            state.written.push((name, change.key.clone()));
        }
        change(&mut state.visible, changes.iter().cloned());
        state.unsynced.push(changes);
        Ok(())
    }

    fn sync(&self) -> Result<(), BackendError> {
        let mut state = self.lock();
        if let Some(Fault::SyncFailed) = state.fault {
            state.fault = None;
            return Err(BackendError::new("a simulated sync failed"));
        }
        let unsynced = std::mem::take(&mut state.unsynced);
        change(&mut state.durable, unsynced.into_iter().flatten());
        Ok(())
    }
}

struct Reads {
    disk: SimulatedDisk,
    index: usize,
}

impl KeyspaceReads for Reads {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(self.disk.lock().visible[self.index].get(key).cloned())
    }

    fn contains(&self, key: &[u8]) -> Result<bool, BackendError> {
        Ok(self.disk.lock().visible[self.index].contains_key(key))
    }

    fn prefix(&self, prefix: &[u8]) -> Pairs {
        let state = self.disk.lock();
        let from = state.visible[self.index].range(prefix.to_vec()..);
        let found: Vec<_> = from
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| Ok((key.clone(), value.clone())))
            .collect();
        Box::new(found.into_iter())
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Pairs {
        let state = self.disk.lock();
        let range = state.visible[self.index].range(from.to_vec()..to.to_vec());
        let found: Vec<_> = range.map(|(key, value)| Ok((key.clone(), value.clone()))).collect();
        Box::new(found.into_iter())
    }
}
