//! The Amazon States Language: from the text of a definition to a compiled [`Program`], and everything an expression
//! in it may compute.
//!
//! This crate owns JSON text and values, source positions and diagnostics, the compiled program, JSONPath, payload
//! templates, intrinsic functions and Choice rules. It never reads a clock, a random source, a file, a socket or the
//! process environment: what an evaluation may see comes in as its input and its [`Environment`]. It knows nothing of
//! executions, events or storage; the interpreter runs what is compiled here.

pub mod choice;
pub mod compile;
pub mod diagnostic;
pub mod environment;
pub mod fields;
pub mod integration;
pub mod intrinsic;
pub mod json;
pub mod jsonata;
pub mod path;
pub mod payload;
pub mod program;
pub mod template;
pub mod timestamp;
pub mod value;

pub use compile::{MachineType, compile, compile_as, validate};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use environment::{Environment, StatesError};
pub use payload::Payload;
pub use program::Program;
pub use timestamp::Timestamp;
pub use value::Value;
