//! Which visible message is handed out next: in a standard queue the oldest, in a FIFO queue the head of a group of
//! which nothing is in flight.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::groups::Groups;

/// A message's group, where it has one.
type Group<'a> = Option<&'a Arc<str>>;

/// The order of hand-out.
#[derive(Debug)]
pub(super) enum Ready {
    /// The visible messages. Groups (of fair queues) do not matter.
    Standard(BTreeSet<u64>),
    /// All messages, by group.
    Fifo(Groups),
}

impl Ready {
    pub(super) fn new(fifo: bool) -> Ready {
        if fifo { Ready::Fifo(Groups::default()) } else { Ready::Standard(BTreeSet::new()) }
    }

    /// A message came, not visible yet.
    pub(super) fn add(&mut self, seq: u64, group: Group<'_>) {
        if let (Ready::Fifo(groups), Some(group)) = (self, group) {
            groups.add(seq, group);
        }
    }

    /// A message that is not visible left for good.
    pub(super) fn remove(&mut self, seq: u64, group: Group<'_>) {
        if let (Ready::Fifo(groups), Some(group)) = (self, group) {
            groups.remove(seq, group);
        }
    }

    pub(super) fn show(&mut self, seq: u64, group: Group<'_>) {
        match (self, group) {
            (Ready::Standard(visible), _) => {
                visible.insert(seq);
            }
            (Ready::Fifo(groups), Some(group)) => groups.set_visible(seq, group, true),
            (Ready::Fifo(_), None) => {}
        }
    }

    pub(super) fn hide(&mut self, seq: u64, group: Group<'_>) {
        match (self, group) {
            (Ready::Standard(visible), _) => {
                visible.remove(&seq);
            }
            (Ready::Fifo(groups), Some(group)) => groups.set_visible(seq, group, false),
            (Ready::Fifo(_), None) => {}
        }
    }

    /// One more message of the group is in flight.
    pub(super) fn lock(&mut self, group: Group<'_>) {
        if let (Ready::Fifo(groups), Some(group)) = (self, group) {
            groups.lock(group);
        }
    }

    /// One message fewer of the group is in flight.
    pub(super) fn unlock(&mut self, group: Group<'_>) {
        if let (Ready::Fifo(groups), Some(group)) = (self, group) {
            groups.unlock(group);
        }
    }

    /// The message to hand out next. `after` is the one that the same receive took last: in a FIFO queue its group,
    /// although locked by that very receive, goes on first, as long as the next of it is visible.
    pub(super) fn candidate(&self, after: Option<(u64, &Arc<str>)>) -> Option<u64> {
        match self {
            Ready::Standard(visible) => visible.first().copied(),
            Ready::Fifo(groups) => {
                let same_group = after.and_then(|(seq, group)| groups.visible_after(seq, group));
                same_group.or_else(|| groups.first_free())
            }
        }
    }
}
