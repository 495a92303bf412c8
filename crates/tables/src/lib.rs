//! An embedded Amazon DynamoDB: durable tables in one SQLite file, by the library `dynoxide`.
//!
//! [`Tables`] answers the operations of the DynamoDB and DynamoDB Streams APIs (2012-08-10, JSON protocol) that the
//! library offers. What it adds: the shape of [`stepwell_aws::Service`], ARNs of our own account, AWS's answers to
//! malformed requests, removal of items whose time to live has passed, and a life that goes on if the library panics.
//!
//! Durability: SQLite runs in WAL mode with `synchronous = FULL`, its built-in default, which the library leaves
//! alone: every commit syncs the log before it returns, so an acknowledged write survives a loss of power. What does
//! not survive a restart is the memory of `ClientRequestToken`s (ten minutes, as on AWS): a transaction repeated with
//! its token after a restart runs again.
//!
//! The library serves one request at a time. It is the tables of a zero-setup start, not of a large production load;
//! another endpoint can be configured in its place.

// A fault is the rare outcome of a call and moved once or twice; boxing it would only make it harder to read.
#![allow(clippy::result_large_err)]

mod arns;
mod decode;
mod dispatch;
mod fault;
mod service;
mod shape;
mod sweeper;

pub use service::{OpenError, Tables};
