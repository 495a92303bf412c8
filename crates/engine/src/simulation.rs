//! The engine without threads of its own, for simulations: the same shards, stepped by hand.
//!
//! What the shards hand to the store becomes durable when the simulation steps its [`stepwell_store::Writer`]; tasks
//! run on whatever runtime it gives. Nothing here is for production use.

use std::sync::{Arc, mpsc};

use stepwell_integrations::TaskRunner;
use stepwell_interpreter::Execution;
use stepwell_store::{ExecutionKey, ReadError, Store};
use tokio::runtime::Handle;

use crate::engine::{Engine, EngineOptions, EngineStartError, Prepared};
use crate::machines::Machines;
use crate::retention::{Retention, Step};
use crate::shard::{Message, Shard};

/// A shard that stands still until it is told to take a turn.
pub struct SteppedShard {
    shard: Shard,
    inbox: mpsc::Receiver<Message>,
}

impl std::fmt::Debug for SteppedShard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SteppedShard").finish_non_exhaustive()
    }
}

/// [`Engine::start`], but for the threads. `entropy` gives each shard its random bits.
pub fn start(
    store: Store,
    machines: Arc<Machines>,
    runner: Arc<dyn TaskRunner>,
    runtime: Handle,
    options: EngineOptions,
    entropy: impl FnMut() -> u64,
) -> Result<(Engine, Vec<SteppedShard>, Option<SteppedRetention>), EngineStartError> {
    let prepared = Engine::prepare(store.clone(), machines, runner, runtime, options, entropy)?;
    let Prepared { engine, shards, retention } = prepared;
    let retention = retention.map(|retention| SteppedRetention { retention, store });
    let stepped = shards.into_iter().map(|(mut shard, inbox)| {
        shard.release_recovered();
        SteppedShard { shard, inbox }
    });
    Ok((engine, stepped.collect(), retention))
}

/// The removal of what closed before the retention time, standing still until it is told to take a step.
pub struct SteppedRetention {
    retention: Retention,
    store: Store,
}

impl std::fmt::Debug for SteppedRetention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SteppedRetention").finish_non_exhaustive()
    }
}

impl SteppedRetention {
    /// One step: its batch is handed to the store, its requests to the shards. Says whether it ends a sweep.
    pub fn step(&mut self) -> Result<bool, ReadError> {
        let Step { batch, is_last, .. } = self.retention.step()?;
        if !batch.is_empty() {
            self.store.commit_then(batch, drop);
        }
        Ok(is_last)
    }
}

impl SteppedShard {
    /// One round: at most `messages_max` messages, then what is due, then one batch for the store. Says how many
    /// messages and timers there were.
    pub fn round(&mut self, messages_max: usize) -> usize {
        self.shard.round(None, &self.inbox, messages_max).unwrap_or(0)
    }

    /// When the next timer is due, in milliseconds since 1970.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        self.shard.next_due_ms()
    }

    /// Starts no execution any more while those in memory take so many bytes.
    pub fn limit_memory(&mut self, bytes_max: usize) {
        self.shard.limit_memory(bytes_max);
    }

    /// The executions in memory, in the order of their starts.
    #[must_use]
    pub fn executions(&self) -> Vec<(ExecutionKey, &Execution)> {
        self.shard.executions()
    }
}

/// What memory holds of executions, and how much of each: nothing, once all of them have ended and what they caused is
/// over. Workers that poll are not counted.
#[must_use]
pub fn held(engine: &Engine, shards: &[SteppedShard]) -> Vec<(&'static str, usize)> {
    let of_shards = shards.iter().flat_map(|shard| shard.shard.held());
    of_shards.chain(engine.held()).filter(|(_, count)| *count > 0).collect()
}

/// Which of so many shards an execution lives on.
#[must_use]
pub fn shard_index(execution_arn: &str, shards: usize) -> usize {
    crate::engine::shard_index(execution_arn, shards)
}
