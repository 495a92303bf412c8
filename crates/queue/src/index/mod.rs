//! Which messages a queue holds and which of them may be handed out: all in memory, without the bodies.
//!
//! The index is rebuilt from the store's small state records at open. It reads no clock and does no I/O; every
//! method is told the time. Which visible message comes next is for `ready` to decide.

mod groups;
mod ready;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ready::Ready;

/// What is known of one message. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The key of its body, which stays when the message moves to another queue.
    pub(crate) body: u64,
    /// From when its retention counts.
    pub(crate) enqueued_ms: i64,
    pub(crate) phase: Phase,
    /// When the phase `Delayed` or `InFlight` ends.
    pub(crate) until_ms: i64,
    /// Deliveries so far.
    pub(crate) receives: u32,
    /// The first and the latest delivery; 0 before any.
    pub(crate) first_receive_ms: i64,
    pub(crate) last_receive_ms: i64,
    /// Its message group, if it has one.
    pub(crate) group: Option<Arc<str>>,
    /// ARN of the queue it was a dead letter of.
    pub(crate) source: Option<Arc<str>>,
}

/// Where a message is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// May be received.
    Visible,
    /// Sent with a delay that has not passed.
    Delayed,
    /// Received; invisible until its timeout.
    InFlight,
}

/// The numbers of `GetQueueAttributes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) visible: usize,
    pub(crate) delayed: usize,
    pub(crate) in_flight: usize,
}

/// The messages of one queue.
#[derive(Debug)]
pub(crate) struct Index {
    /// The prefix of this queue's state records; a purge begins a new one.
    pub(crate) generation: u64,
    slots: HashMap<u64, Slot>,
    /// Ends of delays and visibility timeouts.
    timers: BTreeSet<(i64, u64)>,
    /// In order of expiry.
    ages: BTreeSet<(i64, u64)>,
    ready: Ready,
    delayed: usize,
    in_flight: usize,
}

impl Index {
    pub(crate) fn new(generation: u64, fifo: bool) -> Index {
        Index {
            generation,
            slots: HashMap::new(),
            timers: BTreeSet::new(),
            ages: BTreeSet::new(),
            ready: Ready::new(fifo),
            delayed: 0,
            in_flight: 0,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let visible = self.slots.len() - self.delayed - self.in_flight;
        Counts { visible, delayed: self.delayed, in_flight: self.in_flight }
    }

    pub(crate) fn get(&self, seq: u64) -> Option<&Slot> {
        self.slots.get(&seq)
    }

    /// Adds a message.
    pub(crate) fn insert(&mut self, seq: u64, slot: Slot) {
        debug_assert!(!self.slots.contains_key(&seq), "places are given out once");
        self.ages.insert((slot.enqueued_ms, seq));
        self.ready.add(seq, slot.group.as_ref());
        self.enter(seq, &slot);
        self.slots.insert(seq, slot);
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, seq: u64) -> Option<Slot> {
        let slot = self.slots.remove(&seq)?;
        self.leave(seq, &slot);
        self.ready.remove(seq, slot.group.as_ref());
        self.ages.remove(&(slot.enqueued_ms, seq));
        Some(slot)
    }

    /// Replaces what is known of a message by what `change` makes of it.
    pub(crate) fn update(&mut self, seq: u64, change: impl FnOnce(&mut Slot)) -> Option<&Slot> {
        let mut slot = self.slots.remove(&seq)?;
        self.leave(seq, &slot);
        change(&mut slot);
        self.enter(seq, &slot);
        Some(self.slots.entry(seq).insert_entry(slot).into_mut())
    }

    /// Ends the delays and timeouts that are over at `now_ms`.
    pub(crate) fn settle(&mut self, now_ms: i64) {
        while let Some(&(until_ms, seq)) = self.timers.first()
            && until_ms <= now_ms
        {
            self.update(seq, |slot| slot.phase = Phase::Visible);
        }
    }

    /// The oldest message, if it was enqueued at or before `limit_ms`.
    pub(crate) fn oldest_until(&self, limit_ms: i64) -> Option<u64> {
        self.ages.first().filter(|(enqueued_ms, _)| *enqueued_ms <= limit_ms).map(|(_, seq)| *seq)
    }

    /// The message to hand out next; `after` is the one this receive took last, whose group goes first.
    pub(crate) fn candidate(&self, after: Option<u64>) -> Option<u64> {
        let after = after.and_then(|seq| Some((seq, self.slots.get(&seq)?.group.as_ref()?)));
        self.ready.candidate(after)
    }

    /// When the next delay or timeout ends.
    pub(crate) fn next_timer_ms(&self) -> Option<i64> {
        self.timers.first().map(|(until_ms, _)| *until_ms)
    }

    /// Counts a message into its phase.
    fn enter(&mut self, seq: u64, slot: &Slot) {
        match slot.phase {
            Phase::Visible => {
                self.ready.show(seq, slot.group.as_ref());
                return;
            }
            Phase::Delayed => self.delayed += 1,
            Phase::InFlight => {
                self.in_flight += 1;
                self.ready.lock(slot.group.as_ref());
            }
        }
        self.timers.insert((slot.until_ms, seq));
    }

    /// Takes a message out of its phase; the reverse of [`Index::enter`].
    fn leave(&mut self, seq: u64, slot: &Slot) {
        match slot.phase {
            Phase::Visible => {
                self.ready.hide(seq, slot.group.as_ref());
                return;
            }
            Phase::Delayed => self.delayed -= 1,
            Phase::InFlight => {
                self.in_flight -= 1;
                self.ready.unlock(slot.group.as_ref());
            }
        }
        self.timers.remove(&(slot.until_ms, seq));
    }
}

#[cfg(test)]
mod tests;
