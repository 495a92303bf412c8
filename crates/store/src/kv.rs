//! The keyed store: named keyspaces of byte keys and values, atomic batches, and one writer thread that turns all
//! batches waiting at a moment into one durable write. What lies on disk, and how, is the [`Backend`]'s.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::backend::{Backend, BackendError, Change, DelayedSync, KeyspaceId, KeyspaceReads};
use crate::figures::StoreFigures;
use crate::fjall_backend::FjallBackend;

/// The version of what lies in a data directory. A directory of another version is refused, never converted silently.
const FORMAT_VERSION: &str = "stepwell data directory, format 1\n";

/// How long a directory may be in use before that counts: whoever had it may be closing it at this moment.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// How often the lock is tried meanwhile.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// Batches that may wait for the writer; a committer beyond that blocks (back-pressure).
const QUEUE_BATCHES_MAX: usize = 1024;

/// Bytes of batches that may wait for the writer or be with it; a committer beyond that blocks as well.
const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Batches that one durable write joins at the most, so that the first of them does not wait for ever.
const GROUP_BATCHES_MAX: usize = 512;

/// On a disk whose syncs take longer than this, a group waits a little for those whom the last sync has just set free:
/// their next batches would otherwise miss it by a hair, and wait for two syncs.
const SLOW_SYNC: Duration = Duration::from_millis(1);

/// How a data directory is opened.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {
    /// How much longer every sync takes than the disk needs: what an ordinary disk (1 to 10 ms) does to throughput, on
    /// a machine whose disk is faster. For measurements.
    pub sync_delay: Duration,
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory could not be made or read.
    #[error("cannot use the data directory {path}: {source}")]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the data directory {path} is in use by another Stepwell process")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// It was written by a version with another format.
    #[error("the data directory {path} has the format {found:?}; this version reads only {expected:?}")]
    Format {
        /// The directory.
        path: PathBuf,
        /// The first line of its `FORMAT` file.
        found: String,
        /// What this version writes.
        expected: String,
    },
    /// A file of the database is damaged, so that something acknowledged is lost. Nothing was changed.
    #[error("the data directory is damaged: {path}: {reason}; restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The database inside could not be opened.
    #[error("the database in {path} cannot be opened: {source}")]
    Database {
        /// The directory.
        path: PathBuf,
        /// What the database said.
        source: fjall::Error,
    },
}

/// A batch did not become durable. The store refuses all later batches: what it holds in memory can no longer be
/// trusted to match the disk, and only a restart, which reads the disk, makes it so again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store can no longer write: {reason}")]
pub struct CommitError {
    /// The first failure's text.
    pub reason: Arc<str>,
}

/// A read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk, or a checksum.
    #[error("reading {keyspace} failed: {source}")]
    Storage {
        /// Which keyspace.
        keyspace: &'static str,
        /// What the database said.
        source: BackendError,
    },
    /// What was read is not what was written.
    #[error("a value in {keyspace} cannot be understood: {reason}")]
    Corrupt {
        /// Which keyspace.
        keyspace: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// A named map from byte keys to byte values, ordered by key. Cheap to clone.
#[derive(Clone)]
pub struct Keyspace {
    name: &'static str,
    id: KeyspaceId,
    reads: Arc<dyn KeyspaceReads>,
}

impl std::fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keyspace").field(&self.name).finish()
    }
}

impl Keyspace {
    /// The value under `key`.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, ReadError> {
        self.reads.get(key.as_ref()).map_err(|source| self.error(source))
    }

    /// Whether there is a value under `key`.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool, ReadError> {
        self.reads.contains(key.as_ref()).map_err(|source| self.error(source))
    }

    /// All pairs whose key begins with `prefix`, in key order; from either end.
    pub fn prefix(
        &self,
        prefix: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), ReadError>> + use<> {
        let keyspace = self.name;
        self.reads
            .prefix(prefix)
            .map(move |pair| pair.map_err(|source| ReadError::Storage { keyspace, source }))
    }

    /// All pairs with `from <= key < to`, in key order; from either end.
    pub fn range(
        &self,
        from: &[u8],
        to: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), ReadError>> + use<> {
        let keyspace = self.name;
        // The engine below panics on an inverted range; an empty one is what the caller means.
        self.reads
            .range(from, to.max(from))
            .map(move |pair| pair.map_err(|source| ReadError::Storage { keyspace, source }))
    }

    fn error(&self, source: BackendError) -> ReadError {
        ReadError::Storage { keyspace: self.name, source }
    }
}

/// Changes that become durable together or not at all. Later changes of a key win.
#[derive(Default)]
pub struct WriteBatch {
    changes: Vec<Change>,
    byte_len: usize,
}

impl WriteBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        WriteBatch::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, keyspace: &Keyspace, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        let value = Some(value.into());
        self.push(Change { keyspace: keyspace.id, key: key.into(), value, put_once: false });
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, keyspace: &Keyspace, key: impl Into<Vec<u8>>) {
        self.push(Change { keyspace: keyspace.id, key: key.into(), value: None, put_once: false });
    }

    /// Removes `key`, which is there, was never put before it was put last, and is not put again before the next
    /// durable write. Costs later scans less than [`WriteBatch::delete`].
    pub(crate) fn delete_put_once(&mut self, keyspace: &Keyspace, key: impl Into<Vec<u8>>) {
        self.push(Change { keyspace: keyspace.id, key: key.into(), value: None, put_once: true });
    }

    fn push(&mut self, change: Change) {
        self.byte_len += change.byte_len();
        self.changes.push(change);
    }

    /// Bytes of its keys and values.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.byte_len
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Adds the changes of `other` after its own.
    pub fn append(&mut self, other: WriteBatch) {
        self.byte_len += other.byte_len;
        self.changes.extend(other.changes);
    }
}

/// Called by the writer thread once the batch is durable, or has failed. Must be quick and must not block.
type Done = Box<dyn FnOnce(Result<(), CommitError>) + Send>;

struct Job {
    batch: WriteBatch,
    done: Done,
    handed_in: Instant,
}

/// A committer whose batch is written, and not yet synced.
struct Waiting {
    done: Done,
    /// `None` for an answer that only waits for its turn.
    handed_in: Option<Instant>,
}

struct Shared {
    backend: Box<dyn Backend>,
    queue: QueueBytes,
    /// Set by the first failed commit.
    failed: AtomicBool,
    /// Groups written, which readers may see, and groups synced.
    written: AtomicU64,
    synced: AtomicU64,
    /// Readers that wait for the next sync.
    readers: Mutex<Vec<Done>>,
    figures: StoreFigures,
}

/// How many bytes are queued; lets a committer wait until there is room.
#[derive(Default)]
struct QueueBytes {
    bytes: Mutex<usize>,
    freed: Condvar,
}

impl QueueBytes {
    /// Counts `added` in, once what is there is within the limit.
    fn add(&self, added: usize) {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(bytes, |bytes| *bytes > QUEUE_BYTES_MAX);
        *waited.unwrap_or_else(PoisonError::into_inner) += added;
    }

    fn remove(&self, removed: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= removed;
        self.freed.notify_all();
    }
}

/// An open data directory. Cheap to clone; the directory is released when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    writer: Arc<WriterHandle>,
}

struct WriterHandle {
    jobs: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        // Closing the channel lets the thread write what still waits, then end.
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Whether all that readers see is durable.
    fn is_settled(&self) -> bool {
        self.synced.load(Ordering::Acquire) == self.written.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the data directory `path`, making it where it is absent, and locks it against other processes.
    pub fn open(path: &Path) -> Result<Store, OpenError> {
        Store::open_with(path, StoreOptions::default())
    }

    /// [`Store::open`] with options of the caller's choice.
    pub fn open_with(path: &Path, options: StoreOptions) -> Result<Store, OpenError> {
        let io = |p: &Path| {
            let path = p.to_path_buf();
            move |source| OpenError::Io { path, source }
        };
        std::fs::create_dir_all(path).map_err(io(path))?;
        let format_file = path.join("FORMAT");
        let database_dir = path.join("db");
        let lock = locked(path)?;
        match std::fs::read_to_string(&format_file) {
            Ok(found) if found == FORMAT_VERSION => {}
            Ok(found) => {
                return Err(OpenError::Format {
                    path: path.to_path_buf(),
                    found: found.lines().next().unwrap_or_default().to_owned(),
                    expected: FORMAT_VERSION.trim_end().to_owned(),
                });
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && database_dir.join("version").exists() => {
                let reason = "it is missing, and there is a database that it belongs to".to_owned();
                return Err(OpenError::Damaged { path: format_file, reason });
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                // Written aside and renamed, so that a crash leaves either no file or the whole one.
                let aside = path.join("FORMAT.new");
                let mut file = std::fs::File::create(&aside).map_err(io(&aside))?;
                std::io::Write::write_all(&mut file, FORMAT_VERSION.as_bytes()).map_err(io(&aside))?;
                file.sync_all().map_err(io(&aside))?;
                std::fs::rename(&aside, &format_file).map_err(io(&format_file))?;
                // A database without it would count as damaged.
                sync_directory(path).map_err(io(path))?;
            }
            Err(e) => return Err(io(&format_file)(e)),
        }
        let mut backend: Box<dyn Backend> = Box::new(FjallBackend::open(&database_dir, lock)?);
        // Where the last start was cut short, the name of the database may not be durable: at every start.
        sync_directory(path).map_err(io(path))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Err(error) = sync_directory(parent) {
            // It may be somebody else's.
            tracing::debug!(directory = %parent.display(), %error, "the data directory's own name may not be durable");
        }
        if !options.sync_delay.is_zero() {
            backend = Box::new(DelayedSync { backend, delay: options.sync_delay });
        }
        Store::on(backend).map_err(io(path))
    }

    /// A store on `backend`, with a writer thread. Fails where no thread can be made.
    pub fn on(backend: Box<dyn Backend>) -> std::io::Result<Store> {
        let (mut store, mut writer) = Store::stepped(backend);
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || writer.run())?;
        let handle = Arc::get_mut(&mut store.writer).expect("the store was not cloned yet");
        handle.thread = Some(thread);
        Ok(store)
    }

    /// A store on `backend` without a thread of its own: nothing is written until the caller steps the writer. For
    /// simulations, which call only [`Store::commit_then`]; [`Store::commit`] would wait for ever.
    #[must_use]
    pub fn stepped(backend: Box<dyn Backend>) -> (Store, Writer) {
        let shared = Arc::new(Shared {
            backend,
            queue: QueueBytes::default(),
            failed: AtomicBool::new(false),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            readers: Mutex::default(),
            figures: StoreFigures::default(),
        });
        let (jobs, inbox) = mpsc::sync_channel(QUEUE_BATCHES_MAX);
        let writer = Writer {
            shared: shared.clone(),
            inbox,
            queue: VecDeque::new(),
            waiting: Vec::new(),
            written: Ok(false),
            failure: None,
        };
        (Store { shared, writer: Arc::new(WriterHandle { jobs: Some(jobs), thread: None }) }, writer)
    }

    /// The keyspace `name`, made where it is absent. One owner per keyspace: names are `<crate>.<what>`.
    pub fn keyspace(&self, name: &'static str) -> Result<Keyspace, ReadError> {
        let opened = self.shared.backend.keyspace(name);
        let (id, reads) = opened.map_err(|source| ReadError::Storage { keyspace: name, source })?;
        Ok(Keyspace { name, id, reads })
    }

    /// Makes `batch` durable and returns; blocks the thread meanwhile. Batches of several threads share an fsync.
    pub fn commit(&self, batch: WriteBatch) -> Result<(), CommitError> {
        let (send, receive) = mpsc::sync_channel(1);
        self.commit_then(batch, move |result| {
            let _ = send.send(result);
        });
        receive.recv().unwrap_or_else(|_| Err(CommitError { reason: "the writer has stopped".into() }))
    }

    /// Makes `batch` durable, then calls `done` on the writer's thread. Batches become durable, and are called back,
    /// in the order in which they were handed in. Blocks only while the writer's queue is full.
    pub fn commit_then(
        &self,
        batch: WriteBatch,
        done: impl FnOnce(Result<(), CommitError>) + Send + 'static,
    ) {
        let jobs = self.writer.jobs.as_ref().expect("the sender lives as long as the store");
        self.shared.queue.add(batch.byte_len);
        self.shared.figures.queued.add(1);
        let job = Job { batch, done: Box::new(done), handed_in: Instant::now() };
        if let Err(mpsc::SendError(job)) = jobs.send(job) {
            self.shared.queue.remove(job.batch.byte_len);
            self.shared.figures.queued.add(-1);
            (job.done)(Err(CommitError { reason: "the writer has stopped".into() }));
        }
    }

    /// Makes durable what was handed in before; blocks the thread meanwhile.
    pub fn flush(&self) -> Result<(), CommitError> {
        // Batches become durable in their order, also one that changes nothing.
        self.commit(WriteBatch::new())
    }

    /// Calls `done` once all that a read may have seen before this call is durable: at once where it is, else after the
    /// sync that is under way, on the writer's thread.
    pub fn settle_then(&self, done: impl FnOnce(Result<(), CommitError>) + Send + 'static) {
        let shared = &self.shared;
        if !shared.is_settled() {
            let mut readers = shared.readers.lock().unwrap_or_else(PoisonError::into_inner);
            // The writer counts a sync before it takes those who wait.
            if !shared.is_settled() {
                if !self.has_failed() {
                    readers.push(Box::new(done));
                    return;
                }
                drop(readers);
                return done(Err(CommitError { reason: "what was read may not be durable".into() }));
            }
        }
        done(Ok(()));
    }

    /// What it counts about itself.
    #[must_use]
    pub fn figures(&self) -> &StoreFigures {
        &self.shared.figures
    }

    /// Whether batches wait for the writer at this moment.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.shared.figures.queued.get() > 0
    }

    /// Whether a commit has failed; the store then refuses all others.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }
}

/// Makes the names in a directory durable.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    // Elsewhere a directory cannot be opened.
    if cfg!(unix) { std::fs::File::open(path)?.sync_all() } else { Ok(()) }
}

/// The lock of the data directory `path`.
fn locked(path: &Path) -> Result<std::fs::File, OpenError> {
    let lock_file = path.join("LOCK");
    let failed = |source| OpenError::Io { path: lock_file.clone(), source };
    let lock = std::fs::File::create(&lock_file).map_err(failed)?;
    let until = Instant::now() + LOCK_WAIT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(LOCK_RETRY);
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: path.to_path_buf() });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

/// Turns batches into durable writes: a group of them is written, then synced, then called back.
pub struct Writer {
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Job>,
    /// Taken out of the inbox, not yet written.
    queue: VecDeque<Job>,
    /// Written, not yet synced.
    waiting: Vec<Waiting>,
    /// How the write of those that wait went, and whether there is anything to sync.
    written: Result<bool, CommitError>,
    failure: Option<CommitError>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Writer {
    /// Works until the store is dropped.
    fn run(&mut self) {
        let mut last_sync = Duration::ZERO;
        while let Ok(first) = self.inbox.recv() {
            self.queue.push_back(first);
            self.gather(last_sync);
            self.write(GROUP_BATCHES_MAX);
            let began = Instant::now();
            self.sync();
            last_sync = began.elapsed();
        }
    }

    /// Takes what else waits; on a slow disk also what comes within a moment.
    fn gather(&mut self, last_sync: Duration) {
        let ends = (last_sync > SLOW_SYNC).then(|| (Instant::now() + last_sync / 4, last_sync / 20));
        while self.queue.len() < GROUP_BATCHES_MAX {
            let next = match ends {
                Some((end, pause)) if Instant::now() < end => self.inbox.recv_timeout(pause).ok(),
                _ => self.inbox.try_recv().ok(),
            };
            let Some(job) = next else { return };
            self.queue.push_back(job);
        }
    }

    /// How many batches wait to be written.
    pub fn queued(&mut self) -> usize {
        self.queue.extend(self.inbox.try_iter());
        self.queue.len()
    }

    /// Whether a written group waits for its sync.
    #[must_use]
    pub fn waits_for_sync(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Writes the next batches, so many at the most, as one group. Readers see them now.
    pub fn write(&mut self, batches_max: usize) {
        let count = self.queue.len().min(batches_max);
        let mut batches = Vec::with_capacity(count);
        let mut bytes = 0;
        let figures = &self.shared.figures;
        for Job { batch, done, handed_in } in self.queue.drain(..count) {
            let WriteBatch { changes, byte_len } = batch;
            let handed_in = (!changes.is_empty()).then_some(handed_in);
            if handed_in.is_some() {
                bytes += byte_len;
                figures.batch_bytes.record_count(byte_len);
                figures.changes.add_alone(changes.len() as u64);
            }
            batches.push(changes);
            self.waiting.push(Waiting { done, handed_in });
        }
        figures.queued.add(-i64::try_from(count).unwrap_or(0));
        self.written = match &self.failure {
            Some(failure) => Err(failure.clone()),
            // Answers that only wait for their turn.
            None if batches.iter().all(Vec::is_empty) => Ok(false),
            None => self.write_group(batches).map(|()| true),
        };
        self.shared.queue.remove(bytes);
    }

    fn write_group(&self, batches: Vec<Vec<Change>>) -> Result<(), CommitError> {
        let shared = &self.shared;
        // Before anybody sees any of it.
        shared.written.fetch_add(1, Ordering::AcqRel);
        let write = || shared.backend.write(&mut batches.into_iter().flatten());
        // A panic may have left it half visible, and reads are answered no more.
        let result = guarded(write)?;
        if result.is_err() {
            shared.written.fetch_sub(1, Ordering::AcqRel);
        }
        result.map_err(commit_error)
    }

    /// Makes the written group durable and calls its committers back.
    pub fn sync(&mut self) {
        let result = match std::mem::replace(&mut self.written, Ok(false)) {
            Ok(true) => self.synced(),
            other => other.map(drop),
        };
        if let Err(error) = &result
            && self.failure.is_none()
        {
            tracing::error!(reason = %error.reason, "the store failed to write; it accepts nothing more until a restart");
            self.shared.failed.store(true, Ordering::Release);
            self.failure = Some(error.clone());
        }
        let readers =
            std::mem::take(&mut *self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner));
        let settled = if self.shared.is_settled() { Ok(()) } else { result.clone() };
        readers.into_iter().for_each(|done| done(settled.clone()));
        for Waiting { done, .. } in self.waiting.drain(..) {
            done(result.clone());
        }
    }

    fn synced(&self) -> Result<(), CommitError> {
        let figures = &self.shared.figures;
        let began = Instant::now();
        let written = self.shared.written.load(Ordering::Acquire);
        guarded(|| self.shared.backend.sync())?.map_err(commit_error)?;
        self.shared.synced.store(written, Ordering::Release);
        let ended = Instant::now();
        figures.syncs.record_duration(ended - began);
        let changed = self.waiting.iter().filter_map(|waiting| waiting.handed_in);
        let batches = changed.map(|handed_in| figures.commits.record_duration(ended - handed_in)).count();
        figures.group_batches.record_count(batches);
        Ok(())
    }
}

/// Does `work`, and makes a failure of a panic: the writer has to tell those who wait.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, CommitError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| CommitError { reason: panic_text(panic).into() })
}

/// What a panic says.
pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast::<String>().map(|text| *text);
    let text = text.or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|_| "it cannot be understood".to_owned())
}

fn commit_error(error: BackendError) -> CommitError {
    CommitError { reason: error.to_string().into() }
}

#[cfg(test)]
mod tests;
