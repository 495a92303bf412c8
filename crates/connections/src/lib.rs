//! EventBridge connections: the part of EventBridge that HTTP tasks need, on our own store.
//!
//! Owns `CreateConnection`, `UpdateConnection`, `DescribeConnection`, `ListConnections`, `DeauthorizeConnection` and
//! `DeleteConnection`, and gives HTTP tasks what they let requests in with
//! ([`stepwell_integrations::connections::Connections`]). Every other operation of EventBridge goes to an endpoint
//! elsewhere, where one is configured. Never sends a request itself.
//!
//! Secrets are kept in the data directory as they were given, shown by no operation, and written to no log.

#![allow(
    clippy::result_large_err,
    reason = "the shared contract's Fault is large, and a refused call is rare"
)]

mod check;
mod record;
mod service;

pub use service::{Clock, EventConnections, OpenError};
