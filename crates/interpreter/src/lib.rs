//! The semantics of one execution, as two pure functions.
//!
//! * [`decide`] takes a command (started, a task's result, time has come, stop) and says what happens: a list of
//!   [`Record`]s for the journal, and the [`Effect`]s to perform once those are durable.
//! * [`Execution::apply`] is the only thing that changes an execution. Folding the stored records gives back exactly
//!   the execution that was lost in a crash.
//!
//! No clock, no randomness, no I/O in here: time and entropy come in with the command ([`Moment`]).
//! One file per state type under `states`.

mod apply;
mod batches;
mod command;
mod context;
mod decide;
mod event;
mod execution;
mod held;
mod items;
pub mod limits;
mod map_run;
mod parameters;
mod redrive;
mod retry;
mod states;
mod token;

pub use apply::ApplyError;
pub use batches::Batching;
pub use command::{ChildStart, Command, Decision, Effect, Moment, TaskDispatch, TaskReply};
pub use decide::{decide, resume};
pub use event::{
    EventDetails, HistoryEvent, PrivateRecord, Record, ScheduledResource, StateType, Stored, TaskResource,
    ThreadId,
};
pub use execution::{ChildOf, Execution, ExecutionInfo, ExecutionKind, ExecutionStatus};
pub use map_run::{MapRunSettings, MapRunState, MapRunStatus};
pub use token::TaskToken;
