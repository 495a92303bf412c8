//! Runs executions: shards, group commit, timers, task dispatch, recovery.
//!
//! An execution lives on one shard, the one its ARN hashes to; a shard is one thread, so nothing locks around an
//! execution. A shard drains its inbox, lets the interpreter decide, and hands everything that happened to the store as
//! one batch; answers and effects are released only once that batch is durable, while the shard decides the next one.
//!
//! Owns the registry of state machines ([`machines`]) and the life of executions. Knows no wire protocol, and calls
//! the world only through [`stepwell_integrations::TaskRunner`].

pub mod activities;
mod clock;
mod closings;
mod dispatch;
mod engine;
mod figures;
pub mod machines;
mod map_runs;
mod recovery;
mod redrive;
mod requests;
mod retention;
mod shard;
#[doc(hidden)]
pub mod simulation;

pub use clock::{Clock, SystemClock};
pub use engine::{EndWatch, Engine, EngineOptions, EngineStartError, RETENTION};
pub use figures::{EngineFigures, ShardSnapshot, TASK_KINDS, TASK_OUTCOMES, TaskSnapshot};
pub use map_runs::{ChildStatus, ChildrenCounts, MapRunDescription};
pub use redrive::not_redrivable_reason;
pub use requests::{
    ExecutionDescription, RedriveExecutionError, StartExecution, StartExecutionError, StartedExecution,
    StopExecutionError, SyncExecution, TaskCall, TaskCallFailed, TaskTokenError, UpdateMapRunError,
};
pub use stepwell_integrations::{HttpExchange, HttpTrace};
pub use stepwell_interpreter::{
    EventDetails, ExecutionStatus, HistoryEvent, MapRunSettings, MapRunState, MapRunStatus,
};
pub use stepwell_store::{ChildrenCount, ExecutionRow, HistoryPage, ListCursor, Listed};
