//! About how many bytes of documents an execution holds: for limits on memory, not for anything that is recorded.

use std::collections::BTreeSet;

use crate::event::Stored;
use crate::execution::{Activity, Children, Execution, Position};

impl Execution {
    /// Bytes of the documents that it holds, each counted once. Takes time with its chains and their variables.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let mut known = BTreeSet::new();
        let mut bytes = 0;
        self.for_each_held(|stored| {
            if known.insert((stored.batch, stored.index)) {
                bytes += stored.payload.byte_len();
            }
        });
        bytes
    }

    fn for_each_held(&self, mut visit: impl FnMut(&Stored)) {
        self.input.iter().for_each(&mut visit);
        for thread in self.threads.values() {
            thread.variables.values().for_each(&mut visit);
            let activity = match &thread.position {
                Position::Between { input, .. } => {
                    visit(input);
                    continue;
                }
                Position::In(state) => {
                    visit(&state.input);
                    &state.activity
                }
            };
            match activity {
                Activity::Task(attempt) => {
                    visit(&attempt.parameters);
                    attempt.submitted.iter().for_each(&mut visit);
                }
                Activity::Succeeded { result } => visit(result),
                Activity::Children(Children { results, .. }) => {
                    results.iter().flatten().for_each(&mut visit);
                }
                // What is left of a failed state is for redrives, and no Express machine has a Distributed Map.
                _ => {}
            }
        }
    }
}
