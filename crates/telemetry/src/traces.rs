//! One trace per execution, made of its durable history once it has ended, and exported by OTLP over HTTP.
//!
//! * `context`: which trace an execution belongs to. The caller's, where it named one; else one that follows from the
//!   execution's ARN, so that it is the same after a restart.
//! * `spans`: the records of an execution as spans.
//! * `exporter`: the queue between the engine and the collector.
//!
//! Where the collector is and how it is spoken to say OpenTelemetry's own variables, which its library reads.

mod context;
mod exporter;
mod spans;

use stepwell_figures::Counter;

pub use exporter::{Exporter, TraceError, TraceOptions, Traced};

/// What became of spans.
#[derive(Debug, Default)]
pub struct TraceFigures {
    /// Spans that the collector took.
    pub exported: Counter,
    /// Spans that it did not take.
    pub dropped: Counter,
    /// Executions whose trace was never made, because too many waited.
    pub executions_dropped: Counter,
}
