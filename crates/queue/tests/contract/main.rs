//! The service against its contract, on a clock that only the tests move.

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod crowd;
mod dead_letters;
mod fifo;
mod hostile;
mod messages;
mod queues;
mod waiting;
