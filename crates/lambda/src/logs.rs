//! What functions print: one bounded file per function, and the last 4 KB of an invocation for `LogResult`.
//!
//! Lines go through a bounded channel to one writer thread, so that a slow disk holds up the function that prints
//! and nobody else.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::io::Interest;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, oneshot};

/// What `LogType: Tail` returns, AWS's limit.
pub(crate) const TAIL_BYTES_MAX: usize = 4096;

/// A line longer than this is cut into several.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Read from a process at a time.
const CHUNK_BYTES: usize = 32 << 10;

/// Chunks that may wait for the writer thread.
const CHUNKS_MAX: usize = 128;

/// How much of a process's pending output is taken up before its invocation is answered.
const DRAIN_BYTES_MAX: usize = 1 << 20;

/// Log files kept open at once.
const FILES_MAX: usize = 64;

enum Chunk {
    Text {
        function: Arc<str>,
        text: Vec<u8>,
    },
    /// Answered once all before it is written.
    Flush(oneshot::Sender<()>),
}

/// The way to the writer thread. The thread ends, with all written, when the last clone is gone.
#[derive(Clone)]
pub(crate) struct LogSink {
    chunks: mpsc::Sender<Chunk>,
}

impl LogSink {
    /// Starts the writer thread for files in `directory`.
    pub(crate) fn start(directory: PathBuf, file_bytes_max: u64) -> std::io::Result<LogSink> {
        fs::create_dir_all(&directory)?;
        let (chunks, mut inbox) = mpsc::channel::<Chunk>(CHUNKS_MAX);
        std::thread::Builder::new().name("lambda-logs".into()).spawn(move || {
            let mut files = Files { directory, file_bytes_max, open: HashMap::new() };
            while let Some(chunk) = inbox.blocking_recv() {
                match chunk {
                    Chunk::Text { function, text } => {
                        if let Err(error) = files.append(&function, &text) {
                            tracing::warn!(%function, %error, "a function's log cannot be written");
                        }
                    }
                    Chunk::Flush(done) => {
                        let _ = done.send(());
                    }
                }
            }
        })?;
        Ok(LogSink { chunks })
    }

    /// Returns once all that was handed in is written.
    pub(crate) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.chunks.send(Chunk::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

struct Files {
    directory: PathBuf,
    file_bytes_max: u64,
    open: HashMap<Arc<str>, (File, u64)>,
}

impl Files {
    fn append(&mut self, function: &Arc<str>, text: &[u8]) -> std::io::Result<()> {
        let path = log_path(&self.directory, function);
        let full = self.open.get(function).is_some_and(|(_, size)| *size >= self.file_bytes_max);
        if full {
            self.open.remove(function);
            fs::rename(&path, path.with_extension("log.1"))?;
        }
        if !self.open.contains_key(function) {
            if self.open.len() >= FILES_MAX {
                self.open.clear();
            }
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            let size = file.metadata()?.len();
            self.open.insert(function.clone(), (file, size));
        }
        if let Some((file, size)) = self.open.get_mut(function) {
            file.write_all(text)?;
            *size += text.len() as u64;
        }
        Ok(())
    }
}

/// The log file of a function.
pub(crate) fn log_path(directory: &Path, function: &str) -> PathBuf {
    directory.join(format!("{function}.log"))
}

/// The last bytes of what was logged since it was cleared.
#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
}

impl Tail {
    fn push(&mut self, text: &[u8]) {
        let text = &text[text.len().saturating_sub(TAIL_BYTES_MAX)..];
        let over = (self.bytes.len() + text.len()).saturating_sub(TAIL_BYTES_MAX);
        self.bytes.drain(..over);
        self.bytes.extend(text);
    }
}

/// One worker's log: a function's file and the tail of the current invocation.
#[derive(Clone)]
pub(crate) struct WorkerLog {
    function: Arc<str>,
    sink: LogSink,
    tail: Arc<Mutex<Tail>>,
}

impl WorkerLog {
    pub(crate) fn new(function: Arc<str>, sink: LogSink) -> Self {
        WorkerLog { function, sink, tail: Arc::default() }
    }

    /// Writes whole lines, given without their ends.
    pub(crate) async fn lines<'a>(&self, lines: impl IntoIterator<Item = &'a [u8]>) {
        let stamp = stamp();
        let mut text = Vec::new();
        {
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            for line in lines {
                text.extend_from_slice(stamp.as_bytes());
                text.push(b' ');
                text.extend_from_slice(line);
                text.push(b'\n');
                tail.push(line);
                tail.push(b"\n");
            }
        }
        if !text.is_empty() {
            // The writer ends only with the process; then nobody reads logs.
            let _ = self.sink.chunks.send(Chunk::Text { function: self.function.clone(), text }).await;
        }
    }

    /// Writes one line of ours.
    pub(crate) async fn line(&self, line: &str) {
        self.lines([line.as_bytes()]).await;
    }

    /// Forgets the tail: an invocation begins.
    pub(crate) fn clear_tail(&self) {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).bytes.clear();
    }

    /// The last 4 KB since the invocation began.
    pub(crate) fn tail(&self) -> Vec<u8> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).bytes.iter().copied().collect()
    }
}

/// The time as log lines carry it: UTC with milliseconds.
pub(crate) fn stamp() -> String {
    format!("{:.3}", Timestamp::now())
}

/// Reads a process's output until its end.
pub(crate) struct Pump {
    flushes: mpsc::Sender<oneshot::Sender<()>>,
}

impl Pump {
    /// Starts reading `pipe`.
    pub(crate) fn start(pipe: Receiver, log: WorkerLog) -> Pump {
        let (flushes, requests) = mpsc::channel(1);
        tokio::spawn(pump(pipe, requests, log));
        Pump { flushes }
    }

    /// Returns once all that the process had printed is in the log, up to a bound.
    pub(crate) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.flushes.send(done).await.is_ok() {
            let _ = wait.await;
        }
    }
}

async fn pump(pipe: Receiver, mut flushes: mpsc::Receiver<oneshot::Sender<()>>, log: WorkerLog) {
    let mut splitter = Splitter::default();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut flushable = true;
    loop {
        tokio::select! {
            ready = pipe.ready(Interest::READABLE) => {
                if ready.is_err() {
                    break;
                }
                match pipe.try_read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => splitter.take(&buffer[..n], &log).await,
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
            request = flushes.recv(), if flushable => match request {
                None => flushable = false,
                Some(done) => {
                    let mut drained = 0;
                    while drained < DRAIN_BYTES_MAX && let Ok(n @ 1..) = pipe.try_read(&mut buffer) {
                        splitter.take(&buffer[..n], &log).await;
                        drained += n;
                    }
                    splitter.finish(&log).await;
                    let _ = done.send(());
                }
            }
        }
    }
    splitter.finish(&log).await;
}

/// Cuts a stream into lines.
#[derive(Default)]
struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    async fn take(&mut self, bytes: &[u8], log: &WorkerLog) {
        self.partial.extend_from_slice(bytes);
        let end = match self.partial.iter().rposition(|b| *b == b'\n') {
            Some(last) => last + 1,
            None if self.partial.len() >= LINE_BYTES_MAX => self.partial.len(),
            None => return,
        };
        let rest = self.partial.split_off(end);
        let whole = std::mem::replace(&mut self.partial, rest);
        let text = whole.strip_suffix(b"\n").unwrap_or(&whole);
        // Carriage returns stand for line ends inside one event (AWS's Python runtime writes tracebacks so).
        log.lines(text.split(|b| *b == b'\n' || *b == b'\r')).await;
    }

    async fn finish(&mut self, log: &WorkerLog) {
        if !self.partial.is_empty() {
            let rest = std::mem::take(&mut self.partial);
            log.lines([rest.as_slice()]).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_last_bytes() {
        let mut tail = Tail::default();
        tail.push(&[b'a'; 5000]);
        tail.push(b"end");
        assert_eq!(tail.bytes.len(), TAIL_BYTES_MAX);
        assert!(tail.bytes.iter().copied().collect::<Vec<_>>().ends_with(b"aend"));
    }

    #[test]
    fn files_are_put_aside_when_full() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut files = Files { directory: dir.path().into(), file_bytes_max: 10, open: HashMap::new() };
        let function: Arc<str> = "f".into();
        for i in 0..5 {
            files.append(&function, format!("line {i}\n").as_bytes()).expect("writes");
        }
        let now = fs::read_to_string(dir.path().join("f.log")).expect("is there");
        let before = fs::read_to_string(dir.path().join("f.log.1")).expect("is there");
        assert_eq!((now.as_str(), before.as_str()), ("line 4\n", "line 2\nline 3\n"));
    }
}
