//! What an operator sees of a running server besides its log: [`metrics`] for Prometheus, [`traces`] for OpenTelemetry.
//!
//! Owns names, units and formats. What is counted is counted where it happens, in plain figures; spans are made of the
//! durable history of executions that have ended. Nothing here is on an execution's way: who does not ask for metrics
//! and configures no collector pays for neither.

pub mod metrics;
mod process;
pub mod traces;
