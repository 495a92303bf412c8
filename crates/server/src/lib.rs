//! The wire side of Stepwell: one port on which AWS's protocols are spoken, and the actions of Step Functions.
//!
//! Owns routing, the wire protocols, request validation against AWS's model, error texts, pagination, and the mapping
//! between API shapes and the engine's types. Decides nothing about how an execution goes on: every action ends in a
//! call of the engine. Never reads the store.
//!
//! [`App`] is the table of services; [`serve`] puts it on a port; [`StepFunctions`] is Step Functions itself, a
//! service like the others, so that callers inside this process take the very same path as those outside.

#![allow(
    clippy::result_large_err,
    reason = "a fault ends a request; boxing it everywhere would cost more to read than it saves to move"
)]

pub mod model;

mod actions;
mod app;
mod arns;
mod auth;
mod browser;
mod crc32;
mod execution_log;
mod fault;
mod figures;
pub mod history;
mod limits;
mod listen;
mod names;
mod page;
mod serve;
mod stall;
mod states;
mod stopping;
mod test_state;
mod tls;
mod wire;

pub use app::{Answer, App, AppBuilder, HealthCheck, MetricsPage, RestService};
pub use auth::{Authenticator, Credential, Keyring, KeyringError};
pub use execution_log::ExecutionLogs;
pub use figures::{OperationSnapshot, ServerFigures};
pub use limits::{BODY_BYTES_MAX, Limits};
pub use listen::{ListenRefused, check_listen_address};
pub use serve::{serve, serve_with};
pub use states::StepFunctions;
pub use tls::{Tls, TlsError};
