//! What comes of a Task's parameters: the requests that reach a service, and what its answers become.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]
#![allow(clippy::result_large_err, reason = "the shared contract's Fault is large")]

mod http_endpoint;
mod http_task;
mod nested;
mod recordings;
mod services;
mod support;
