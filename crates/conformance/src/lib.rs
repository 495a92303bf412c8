//! Runs the recorded executions of `../shared/conformance` against the interpreter, in one thread, on simulated time,
//! with tasks that answer as the recording says.
//!
//! Tests only. Owns how a recorded case is read ([`case`]), run ([`run`]) and compared ([`compare`]); the recordings
//! themselves stay where they are. Our own specifications under `tests/spec` are run the same way ([`drive`]).

pub mod case;
pub mod compare;
pub mod drive;
pub mod run;
