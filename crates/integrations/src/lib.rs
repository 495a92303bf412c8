//! What a `Task` calls: a request in, an answer or an error name with a cause out.
//!
//! Owns the resources of the Amazon States Language (`arn:aws:states:::lambda:invoke` …): how their parameters become
//! an API call, which result shape comes back, what an exception is called in `ErrorEquals`; and the client for
//! services that live outside of this process ([`endpoint`]); and what it needs of EventBridge's [`connections`]. Plain async calls over [`stepwell_aws::Service`]; it
//! keeps no state and knows neither the engine nor the store.
//!
//! Read [`Integrations`] first, then one file of `services/`.

#![allow(
    clippy::result_large_err,
    reason = "the shared contract's Fault is large, and a refused call is rare"
)]

mod catalog;
pub mod connections;
mod convert;
pub mod endpoint;
mod failure;
mod http_trace;
mod metadata;
mod parameters;
mod runner;
mod services;
mod support;
mod task;

pub use endpoint::{Credentials, Endpoint, EndpointError, Endpoints, HttpService};
pub use http_trace::{HttpExchange, HttpRequestSeen, HttpResponseSeen, HttpTrace};
pub use runner::Integrations;
pub use support::{Unsupported, supports};
pub use task::{Host, Progress, TaskHost, TaskOutcome, TaskRequest, TaskRunner};
