//! What the store counts about itself.

use stepwell_figures::{BYTES, COUNTS, Counter, Gauge, Histogram};

/// The figures of a [`crate::Store`], of this process's life.
#[derive(Debug)]
pub struct StoreFigures {
    /// From a batch's being handed in to its being durable; in nanoseconds.
    pub commits: Histogram,
    /// The last step of a group's write, which makes it durable (fdatasync); in nanoseconds.
    pub syncs: Histogram,
    /// Batches that one durable write joined.
    pub group_batches: Histogram,
    /// Bytes of keys and values of a batch.
    pub batch_bytes: Histogram,
    /// Keys written or removed.
    pub changes: Counter,
    /// Batches that wait for the writer.
    pub queued: Gauge,
}

impl Default for StoreFigures {
    fn default() -> Self {
        StoreFigures {
            commits: Histogram::of_durations(),
            syncs: Histogram::of_durations(),
            group_batches: Histogram::new(COUNTS),
            batch_bytes: Histogram::new(BYTES),
            changes: Counter::default(),
            queued: Gauge::default(),
        }
    }
}
