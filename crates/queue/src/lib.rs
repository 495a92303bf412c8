//! An embedded Amazon SQS whose messages survive: standard and FIFO queues on Stepwell's own store.
//!
//! [`Queues`] answers the operations of the SQS API (2012-11-05, JSON protocol) that applications use. What it
//! acknowledged is on disk: a sent message, a deletion, the receive count and the visibility deadline of a message in
//! flight. Clients that call at the same moment share an fsync.
//!
//! From the outside in: `service` routes an operation to one of `actions`; an action reads its `input`, takes a turn at
//! the `ledger`, changes a `queue` and its `index`, hands the `record`s to the store, and answers when they are durable.
//!
//! This crate owns the keyspaces `queue.*`. It never reads a clock of its own (the caller gives one; only the length
//! of a long poll is measured in real time), never speaks a wire protocol, and does not check permissions.

// A fault is the rare outcome of a call and moved once or twice; boxing it would only make it harder to read.
#![allow(clippy::result_large_err)]

mod actions;
mod address;
mod batch;
mod checksum;
mod dedup;
mod draft;
mod fault;
mod index;
mod input;
mod ledger;
mod limits;
mod open;
mod queue;
mod receipt;
mod record;
mod redrive;
mod service;
mod settings;

pub use open::OpenError;
pub use service::{Clock, Queues};
