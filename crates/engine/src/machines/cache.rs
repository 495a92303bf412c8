//! The compiled revisions in memory: those in use anywhere, and as many others as a budget allows.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;

use super::MachineRevision;

/// Bytes of definition text that are kept although nobody uses them. A program takes a few times its text.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct RevisionCache {
    /// Every revision that somebody holds, so that there is one copy of each.
    live: FxHashMap<u64, Weak<MachineRevision>>,
    /// Revisions held by the cache itself, oldest first.
    kept: VecDeque<Arc<MachineRevision>>,
    kept_bytes: usize,
    /// Size of `live` at which dead entries are swept.
    sweep_at: usize,
}

impl RevisionCache {
    pub(super) fn get(&self, key: u64) -> Option<Arc<MachineRevision>> {
        self.live.get(&key).and_then(Weak::upgrade)
    }

    /// Adds a revision; answers the one that is there if another was faster.
    pub(super) fn insert(&mut self, revision: Arc<MachineRevision>) -> Arc<MachineRevision> {
        if let Some(present) = self.get(revision.key) {
            return present;
        }
        self.live.insert(revision.key, Arc::downgrade(&revision));
        self.kept_bytes += revision.definition.len();
        self.kept.push_back(revision.clone());
        while self.kept_bytes > KEPT_BYTES_MAX
            && let Some(oldest) = self.kept.pop_front()
        {
            self.kept_bytes -= oldest.definition.len();
        }
        if self.live.len() > self.sweep_at {
            self.live.retain(|_, revision| revision.strong_count() > 0);
            self.sweep_at = (self.live.len() * 2).max(1024);
        }
        revision
    }
}
