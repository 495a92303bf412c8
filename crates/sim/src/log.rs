//! What happened, line by line: hashed as a whole, and the last lines kept for the report of a failure.

use std::collections::VecDeque;
use std::fmt::{Arguments, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lines that a report shows.
const LINES_KEPT: usize = 60;

/// The log of one run. Clones are the same one.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Inner>>);

struct Inner {
    hash: u64,
    lines: u64,
    last: VecDeque<String>,
    kept: usize,
}

impl Log {
    /// An empty log that keeps its last lines, or all of them.
    #[must_use]
    pub fn new(keeps_all: bool) -> Self {
        let kept = if keeps_all { usize::MAX } else { LINES_KEPT };
        Log(Arc::new(Mutex::new(Inner {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: 0,
            last: VecDeque::new(),
            kept,
        })))
    }

    /// Notes a line.
    pub fn line(&self, text: Arguments<'_>) {
        let mut inner = self.lock();
        let mut line = String::new();
        write!(line, "{text}").expect("a string takes everything");
        inner.mix(line.as_bytes());
        inner.lines += 1;
        if inner.last.len() == inner.kept {
            inner.last.pop_front();
        }
        inner.last.push_back(line);
    }

    /// Mixes bytes into the hash that no line shows.
    pub fn bytes(&self, bytes: &[u8]) {
        self.lock().mix(bytes);
    }

    /// The hash of all lines and bytes, in order.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.lock().hash
    }

    /// The lines kept, oldest first.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let inner = self.lock();
        inner.last.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// FNV-1a.
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xff]) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
