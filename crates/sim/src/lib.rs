//! Deterministic simulation: engine, store and scripted tasks in one thread on simulated time.
//!
//! A seed chooses everything: machines, starts, stops, how tasks answer, when the disk is slow or fails, what a crash
//! loses. While it runs, the journal is read back batch by batch and compared with what lives in memory, and every
//! answer and every call with what is durable; in the end all tasks answer, and every execution must end. The same
//! seed gives the same bytes.
//!
//! The code under test is the engine's own: its shards are stepped by hand, the store's backend is a disk in memory,
//! tasks and clients run on a runtime of one thread. Tests only.

mod checks;
pub mod clients;
pub mod disk;
pub mod ends;
pub mod facts;
pub mod house;
pub mod log;
pub mod machines;
pub mod random;
pub mod scenario;
pub mod script;
pub mod shadow;
mod simulation;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::log::Log;

/// How a seed is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Steps before the end begins.
    pub steps: usize,
    /// Whether a failure's report shows all lines and not only the last.
    pub keeps_all_lines: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { steps: 150, keeps_all_lines: false }
    }
}

/// A run that broke nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ran {
    /// Of everything that happened and of the disk at the end.
    pub hash: u64,
    /// Steps taken.
    pub steps: usize,
    /// Executions there were.
    pub executions: usize,
    /// Events they had.
    pub events: u64,
    /// Starts that were acknowledged, the same one twice included.
    pub started: usize,
    /// Starts of Express executions that were acknowledged.
    pub started_express: usize,
    /// Express executions whose end somebody waited for.
    pub ended_sync: usize,
    /// Stops that were acknowledged.
    pub stopped: usize,
    /// Redrives that were acknowledged, the same one twice included.
    pub redriven: usize,
    /// Ends by task token that were acknowledged.
    pub tokens: usize,
    /// Crashes.
    pub crashes: usize,
    /// Groups of batches written.
    pub groups: usize,
}

/// A broken invariant.
#[derive(Debug)]
pub struct Failure {
    /// Which seed shows it.
    pub seed: u64,
    /// With how many steps.
    pub steps: usize,
    /// What is broken.
    pub reason: String,
    /// The last lines of the log.
    pub lines: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { seed, steps, reason, lines } = self;
        write!(f, "{lines}\nbroken: {reason}\nreproduce: just sim {seed} {steps}")
    }
}

/// Runs `seed`. A failure is made smaller as far as fewer steps show one too.
pub fn run(seed: u64, options: &Options) -> Result<Ran, Failure> {
    let failure = match run_once(seed, options) {
        Ok(ran) => return Ok(ran),
        Err(failure) => failure,
    };
    let mut smallest = failure;
    // Few steps may fail where more do not, so this is a walk and not a search.
    for steps in [1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 70, 100] {
        if steps >= smallest.steps {
            break;
        }
        if let Err(smaller) = run_once(seed, &Options { steps, ..*options }) {
            smallest = smaller;
            break;
        }
    }
    Err(smallest)
}

fn run_once(seed: u64, options: &Options) -> Result<Ran, Failure> {
    let log = Log::new(options.keeps_all_lines);
    let outcome = catch_unwind(AssertUnwindSafe(|| simulation::run(seed, options, &log)));
    let reason = match outcome {
        Ok(Ok(ran)) => return Ok(ran),
        Ok(Err(reason)) => reason,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("a panic: {}", text.unwrap_or("with something that is no text"))
        }
    };
    Err(Failure { seed, steps: options.steps, reason, lines: log.last_lines() })
}
