//! What Lambda counts about itself.

use stepwell_figures::{Counter, Distribution, Histogram};

/// How an invocation can end, in the order in which they are counted.
pub const INVOCATION_OUTCOMES: [&str; 4] = ["succeeded", "function_error", "throttled", "failed"];

/// The counters.
#[derive(Debug)]
pub(crate) struct Figures {
    ended: [Counter; INVOCATION_OUTCOMES.len()],
    took: Histogram,
    pub cold_starts: Counter,
}

impl Default for Figures {
    fn default() -> Self {
        let (ended, cold_starts) = Default::default();
        Figures { ended, took: Histogram::of_durations(), cold_starts }
    }
}

impl Figures {
    /// Counts an invocation; `outcome` is one of [`INVOCATION_OUTCOMES`].
    pub(crate) fn ended(&self, outcome: &str, took: std::time::Duration) {
        if let Some(place) = INVOCATION_OUTCOMES.iter().position(|known| *known == outcome) {
            self.ended[place].add(1);
        }
        self.took.record_duration(took);
    }

    pub(crate) fn get(&self) -> LambdaFigures {
        LambdaFigures {
            ended: INVOCATION_OUTCOMES.into_iter().zip(self.ended.iter().map(Counter::get)).collect(),
            took: self.took.get(),
            cold_starts: self.cold_starts.get(),
            processes: 0,
            idle_processes: 0,
            waiting: 0,
        }
    }
}

/// What Lambda has counted, and what it has now.
#[derive(Debug, Clone)]
pub struct LambdaFigures {
    /// Invocations that have ended, by one of [`INVOCATION_OUTCOMES`]. Each attempt at an `Event` invocation counts.
    pub ended: Vec<(&'static str, u64)>,
    /// How long they took, their waits for a place and for a process among it; in nanoseconds.
    pub took: Distribution,
    /// Workers started because no warm one was there.
    pub cold_starts: u64,
    /// Workers that live, busy or warm.
    pub processes: usize,
    /// Workers that wait for an invocation.
    pub idle_processes: usize,
    /// Invocations that wait for a place.
    pub waiting: usize,
}
