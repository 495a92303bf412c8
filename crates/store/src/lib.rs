//! Durable state: one embedded key-value database, group commit, and (in modules of their own) the journal and
//! indexes of executions.
//!
//! Owns the data directory: its lock, its format version, every keyspace. [`Store::commit`] returns, and
//! [`Store::commit_then`] calls back, only after the batch is on disk; batches that wait together share one fsync.
//! Never knows a service or the network, and no clock but the one that measures its own writes ([`StoreFigures`]).

pub mod backend;
mod bytes;
#[cfg(test)]
mod damage;
mod executions;
mod express;
mod figures;
mod fjall_backend;
mod journal;
mod kv;
mod preflight;

pub use executions::{
    ChildrenCount, ClosedEntry, ExecutionKey, ExecutionRow, Executions, HistoryPage, ListCursor, Listed,
    Outcome, Parked, Purged, Redrives,
};
pub use express::{ExpressStart, ExpressStarts};
pub use figures::StoreFigures;
pub use kv::{CommitError, Keyspace, OpenError, ReadError, Store, StoreOptions, WriteBatch, Writer};
