//! The message groups of a FIFO queue: strict order within a group, and no hand-out from a group of which a message
//! is in flight.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// All groups that have messages.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<Arc<str>, Group>,
    /// The groups whose head may be handed out, by that head.
    free: BTreeMap<u64, Arc<str>>,
}

#[derive(Debug, Default)]
struct Group {
    /// Its messages in order, and whether each is visible.
    members: BTreeMap<u64, bool>,
    in_flight: usize,
    /// The head under which it is listed as free.
    listed: Option<u64>,
}

impl Groups {
    pub(super) fn add(&mut self, seq: u64, group: &Arc<str>) {
        self.groups.entry(group.clone()).or_default().members.insert(seq, false);
        self.relist(group);
    }

    pub(super) fn remove(&mut self, seq: u64, group: &Arc<str>) {
        let Some(entry) = self.groups.get_mut(group) else { return };
        entry.members.remove(&seq);
        self.relist(group);
        if self.groups.get(group).is_some_and(|entry| entry.members.is_empty()) {
            self.groups.remove(group);
        }
    }

    pub(super) fn set_visible(&mut self, seq: u64, group: &Arc<str>, visible: bool) {
        if let Some(member) = self.groups.get_mut(group).and_then(|entry| entry.members.get_mut(&seq)) {
            *member = visible;
            self.relist(group);
        }
    }

    pub(super) fn lock(&mut self, group: &Arc<str>) {
        if let Some(entry) = self.groups.get_mut(group) {
            entry.in_flight += 1;
            self.relist(group);
        }
    }

    pub(super) fn unlock(&mut self, group: &Arc<str>) {
        if let Some(entry) = self.groups.get_mut(group) {
            entry.in_flight -= 1;
            self.relist(group);
        }
    }

    /// The member that follows `seq` in its group, if it is visible.
    pub(super) fn visible_after(&self, seq: u64, group: &Arc<str>) -> Option<u64> {
        let members = &self.groups.get(group)?.members;
        let (next, visible) = members.range((Bound::Excluded(seq), Bound::Unbounded)).next()?;
        visible.then_some(*next)
    }

    /// The oldest head of all groups that may be handed out.
    pub(super) fn first_free(&self) -> Option<u64> {
        self.free.first_key_value().map(|(head, _)| *head)
    }

    /// Brings the list of free groups up to date for one group. A delayed or hidden head holds back all that follows
    /// it: the order within a group is never broken.
    fn relist(&mut self, group: &Arc<str>) {
        let Some(entry) = self.groups.get_mut(group) else { return };
        let head = entry.members.first_key_value().filter(|(_, visible)| **visible).map(|(seq, _)| *seq);
        let free = head.filter(|_| entry.in_flight == 0);
        if free == entry.listed {
            return;
        }
        if let Some(old) = entry.listed.take() {
            self.free.remove(&old);
        }
        if let Some(new) = free {
            self.free.insert(new, group.clone());
        }
        entry.listed = free;
    }
}
