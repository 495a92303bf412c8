//! What the APIs of AWS's services look like: their operations, shapes and wire protocols.
//!
//! Owns the facts (from botocore's models, `cargo run -p xtask -- aws-models`) and what follows from them alone: a
//! [`stepwell_aws::Call`] to an HTTP request ([`Service::encode`]), an HTTP answer to a reply or a fault
//! ([`Service::decode`]), the names that AWS's SDK for Java, through which Step Functions calls, gives to services and
//! exceptions. It opens no socket and signs nothing.

mod decode;
mod encode;
mod names;
mod service;
mod time;

pub use encode::{EncodeError, Outgoing, percent_encoded};
pub use names::{class_name, exception_name};
pub use service::{
    Global, Location, Operation, Protocol, Reference, Service, Shape, ShapeType, service, services,
};
pub use time::{TimestampFormat, epoch_seconds};
