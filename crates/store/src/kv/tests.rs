use super::*;

#[test]
fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().expect("a directory");
    {
        let store = Store::open(dir.path()).expect("opens");
        let keyspace = store.keyspace("test.a").expect("a keyspace");
        let mut batch = WriteBatch::new();
        batch.put(&keyspace, "k1", "v1");
        batch.put(&keyspace, "k2", "v2");
        batch.delete(&keyspace, "k1");
        store.commit(batch).expect("commits");
    }
    let store = Store::open(dir.path()).expect("opens again");
    let keyspace = store.keyspace("test.a").expect("a keyspace");
    assert_eq!(keyspace.get("k1").expect("reads"), None);
    assert_eq!(keyspace.get("k2").expect("reads"), Some(b"v2".to_vec()));
    assert_eq!(keyspace.range(b"k3", b"k1").count(), 0);
}

#[test]
fn a_second_opener_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let _held = Store::open(dir.path()).expect("opens");
    assert!(matches!(Store::open(dir.path()), Err(OpenError::Locked { .. })));
}

#[test]
fn another_format_is_refused_and_named() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("FORMAT"), "stepwell data directory, format 99\n").expect("writes");
    let error = Store::open(dir.path()).expect_err("is refused");
    assert!(error.to_string().contains("format 99"), "{error}");
}

#[test]
fn callbacks_come_in_the_order_of_the_batches() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("opens");
    let keyspace = store.keyspace("test.a").expect("a keyspace");
    let (send, receive) = mpsc::channel();
    for i in 0..100u32 {
        let mut batch = WriteBatch::new();
        batch.put(&keyspace, i.to_be_bytes(), "v");
        let send = send.clone();
        store.commit_then(batch, move |r| send.send((i, r.is_ok())).expect("is received"));
    }
    drop(send);
    let seen: Vec<_> = (0..100).map(|_| receive.recv().expect("called back")).collect();
    assert_eq!(seen, (0..100).map(|i| (i, true)).collect::<Vec<_>>());
}

/// A backend that goes wrong on its next write or sync.
struct Faulty {
    backend: FjallBackend,
    fault: Arc<Mutex<Option<Fault>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    WriteFails,
    WritePanics,
    SyncFails,
    SyncPanics,
}

impl Faulty {
    fn take(&self, faults: [Fault; 2]) -> Option<Fault> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.take_if(|fault| faults.contains(fault))
    }
}

impl Backend for Faulty {
    fn keyspace(&self, name: &'static str) -> Result<(KeyspaceId, Arc<dyn KeyspaceReads>), BackendError> {
        self.backend.keyspace(name)
    }

    fn write(&self, changes: &mut dyn Iterator<Item = Change>) -> Result<(), BackendError> {
        match self.take([Fault::WriteFails, Fault::WritePanics]) {
            Some(Fault::WriteFails) => Err(BackendError::new("it fails")),
            Some(_) => panic!("a tree is broken"),
            None => self.backend.write(changes),
        }
    }

    fn sync(&self) -> Result<(), BackendError> {
        match self.take([Fault::SyncFails, Fault::SyncPanics]) {
            Some(Fault::SyncFails) => Err(BackendError::new("it fails")),
            Some(_) => panic!("a disk is broken"),
            None => self.backend.sync(),
        }
    }
}

fn faulty(directory: &Path) -> (Faulty, Arc<Mutex<Option<Fault>>>) {
    let lock = locked(directory).expect("nobody has it");
    let fault = Arc::default();
    let backend = FjallBackend::open(&directory.join("db"), lock).expect("opens");
    (Faulty { backend, fault: Arc::clone(&fault) }, fault)
}

/// How a read that has just seen what there is to see would be answered; `None` while it has to wait.
fn settled(store: &Store) -> mpsc::Receiver<bool> {
    let (send, receive) = mpsc::channel();
    store.settle_then(move |result| send.send(result.is_ok()).expect("is received"));
    receive
}

#[test]
fn what_was_read_is_answered_once_it_is_durable() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, mut writer) = Store::stepped(Box::new(faulty(directory.path()).0));
    let keyspace = store.keyspace("test.a").expect("a keyspace");
    assert_eq!(settled(&store).try_recv(), Ok(true), "nothing was written");
    let mut batch = WriteBatch::new();
    batch.put(&keyspace, "k", "v");
    store.commit_then(batch, |result| result.expect("commits"));
    assert_eq!(settled(&store).try_recv(), Ok(true), "nobody sees it yet");
    assert_eq!(writer.queued(), 1);
    writer.write(1);
    assert_eq!(keyspace.get("k").expect("reads"), Some(b"v".to_vec()));
    let waits = settled(&store);
    assert!(waits.try_recv().is_err());
    writer.sync();
    assert_eq!(waits.try_recv(), Ok(true));
    assert_eq!(settled(&store).try_recv(), Ok(true));
}

#[test]
fn a_failure_or_a_panic_fails_the_store_and_nobody_waits_for_ever() {
    for fault in [Fault::WriteFails, Fault::WritePanics, Fault::SyncFails, Fault::SyncPanics] {
        let directory = tempfile::tempdir().expect("a directory");
        let (backend, next) = faulty(directory.path());
        let store = Store::on(Box::new(backend)).expect("a thread is made");
        let keyspace = store.keyspace("test.a").expect("a keyspace");
        let commit = || {
            let mut batch = WriteBatch::new();
            batch.put(&keyspace, "k", "v");
            store.commit(batch)
        };
        commit().expect("commits");
        *next.lock().expect("no panic") = Some(fault);
        let error = commit().expect_err("fails").to_string();
        assert!(error.contains("broken") || error.contains("it fails"), "{fault:?}: {error}");
        assert!(store.has_failed(), "{fault:?}");
        assert!(commit().is_err(), "{fault:?}");
        // Nothing of what was refused is seen, and what was there before is durable.
        assert_eq!(settled(&store).recv(), Ok(fault == Fault::WriteFails), "{fault:?}");
    }
}
