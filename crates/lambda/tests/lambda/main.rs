//! The Lambda service with real processes: what a caller of the API sees.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "what is skipped or measured is said")]

mod api;
mod boto;
mod durability;
mod limits;
mod node;
mod provided;
mod python;
mod support;
