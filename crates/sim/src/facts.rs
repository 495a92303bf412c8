//! What is durable about attempts at tasks, as far as effects must agree with it.

use std::collections::BTreeSet;
use std::sync::Arc;

/// An attempt at a task: the execution's ARN and the id of the `…Scheduled` event.
pub type Attempt = (Arc<str>, u64);

/// Something that a batch tells.
#[derive(Debug, Clone)]
pub enum Fact {
    /// The attempt was scheduled.
    Scheduled(Attempt),
    /// A worker has taken it.
    Started(Attempt),
    /// Its call was answered; a token or a job is waited for.
    Submitted(Attempt),
    /// A heartbeat came.
    Heard(Attempt),
    /// It gave a result or an error.
    Answered(Attempt),
    /// Nobody waits for it any more, for whatever reason.
    Over(Attempt),
}

/// What is durable.
#[derive(Debug, Default)]
pub struct Facts {
    /// Scheduled attempts.
    pub scheduled: BTreeSet<Attempt>,
    /// Those that a worker has taken.
    pub started: BTreeSet<Attempt>,
    /// Those whose call was answered.
    pub submitted: BTreeSet<Attempt>,
    /// Those that sent a heartbeat.
    pub heard: BTreeSet<Attempt>,
    /// Those that gave a result or an error.
    pub answered: BTreeSet<Attempt>,
    /// Those that nobody waits for any more.
    pub over: BTreeSet<Attempt>,
}

impl Facts {
    /// The batch that tells `fact` is durable.
    pub fn learn(&mut self, fact: Fact) {
        match fact {
            Fact::Scheduled(attempt) => self.scheduled.insert(attempt),
            Fact::Started(attempt) => self.started.insert(attempt),
            Fact::Submitted(attempt) => self.submitted.insert(attempt),
            Fact::Heard(attempt) => self.heard.insert(attempt),
            Fact::Answered(attempt) => self.answered.insert(attempt),
            Fact::Over(attempt) => self.over.insert(attempt),
        };
    }
}
