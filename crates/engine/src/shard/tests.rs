//! One shard with a real store, told by hand what the shards of others would tell it.

use std::num::NonZeroUsize;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use stepwell_asl::MachineType;
use stepwell_asl::payload::Payload;
use stepwell_aws::{Account, BoxFuture};
use stepwell_integrations::{TaskOutcome, TaskRequest, TaskRunner};
use stepwell_interpreter::{ChildOf, ChildStart, ExecutionInfo, ExecutionKind, ExecutionStatus, ThreadId};
use stepwell_store::{ClosedEntry, ExecutionKey, ExecutionRow, Store};

use super::{Message, Shard};
use crate::clock::SystemClock;
use crate::engine::{Engine, EngineOptions, Prepared};
use crate::machines::{Configurations, MachineRevision, Machines, NewMachine};
use crate::retention::Removal;

/// A Map Run whose children wait.
const WAITING: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{
    "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
    "StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}}}}"#;

struct Nobody;

impl TaskRunner for Nobody {
    fn run(&self, _: TaskRequest) -> BoxFuture<'_, TaskOutcome> {
        Box::pin(std::future::pending())
    }
}

struct House {
    _engine: Engine,
    shard: Shard,
    inbox: mpsc::Receiver<Message>,
    revision: Arc<MachineRevision>,
    _runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

impl House {
    fn open() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let store = Store::open(directory.path()).expect("the store opens");
        let machines = Arc::new(Machines::open(&store, Account::default()).expect("the machines open"));
        let configurations =
            Configurations { logging: "{}".into(), tracing: "{}".into(), encryption: "{}".into() };
        let machine = NewMachine {
            name: "m".into(),
            definition: WAITING.into(),
            role_arn: "arn:aws:iam::000000000000:role/r".into(),
            machine_type: MachineType::Standard,
            configurations,
            tags: Vec::new(),
            publish: None,
        };
        let arn = machines.create(machine, 1).expect("the machine is created").arn;
        let revision = machines.current(&arn).expect("is there");
        let options = EngineOptions {
            account: Account::default(),
            shards: NonZeroUsize::MIN,
            clock: Arc::new(SystemClock),
            retention: None,
        };
        let handle = runtime.handle().clone();
        let prepared = Engine::prepare(store, machines, Arc::new(Nobody), handle, options, || 1);
        let Prepared { engine, mut shards, .. } = prepared.expect("the engine starts");
        let (shard, inbox) = shards.pop().expect("one shard");
        House { _engine: engine, shard, inbox, revision, _runtime: runtime, _directory: directory }
    }

    /// `name`, as a child of `parent`.
    fn start_child(&self, name: &str, parent: &str, redrive: u32) -> Message {
        let info = ExecutionInfo {
            execution_arn: arn(name).into(),
            name: name.into(),
            state_machine_arn: self.revision.machine_arn.clone(),
            state_machine_name: "m".into(),
            role_arn: "arn:aws:iam::000000000000:role/r".into(),
            region: "us-east-1".into(),
            start_ms: 0,
            timeout_s: None,
            child_of: Some(ChildOf {
                map_run_arn: "arn:aws:states:us-east-1:000000000000:mapRun:m/M:1".into(),
                map_state: "M".into(),
                execution_arn: arn(parent).into(),
                thread: ThreadId(0),
                index: 0,
                items: 1,
            }),
            kind: ExecutionKind::Standard,
        };
        let child = Box::new(ChildStart { info, input: Payload::empty_object(), redrive });
        Message::StartChild { child, revision: self.revision.clone() }
    }

    /// Tells all of it in one round, and goes on until nothing is left to be done.
    fn tell(&mut self, messages: Vec<Message>) {
        for message in messages {
            self.shard.itself.send(message).expect("the inbox is there");
        }
        self.shard.round(None, &self.inbox, 256);
        let deadline = Instant::now() + Duration::from_secs(30);
        // A child that runs waits: it has left memory.
        while self.shard.live.len() + self.shard.closing.len() + self.shard.removing.len() > 0 {
            assert!(Instant::now() < deadline, "{:?}", self.shard.held());
            self.shard.round(None, &self.inbox, 256);
            std::thread::yield_now();
        }
    }

    fn find(&self, name: &str) -> Option<(ExecutionKey, ExecutionRow)> {
        self.shard.surroundings.executions.find(&arn(name)).expect("reads")
    }

    fn row(&self, name: &str) -> ExecutionRow {
        self.find(name).expect("is there").1
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:000000000000:execution:m:{name}")
}

fn stop_child(name: &str) -> Message {
    Message::StopChild { execution_arn: arn(name).into() }
}

#[test]
fn a_child_that_is_asked_for_while_it_closes_begins_again_unless_it_is_stopped_meanwhile() {
    for is_stopped in [false, true] {
        let mut house = House::open();
        house.tell(vec![house.start_child("c", "p", 0)]);
        let mut messages = vec![stop_child("c"), house.start_child("c", "p", 1)];
        messages.extend(is_stopped.then(|| stop_child("c")));
        house.tell(messages);
        let row = house.row("c");
        let (status, count) =
            if is_stopped { (ExecutionStatus::Aborted, 0) } else { (ExecutionStatus::Running, 1) };
        assert_eq!((row.status(), row.redrives.count), (status, count));
        assert!(house.shard.deferred_children.is_empty());
    }
}

#[test]
fn a_parked_child_that_a_redrive_takes_over_is_of_that_redrive_at_once() {
    for ends_at_once in [false, true] {
        let mut house = House::open();
        house.tell(vec![house.start_child("c", "p", 0)]);
        let mut messages = vec![house.start_child("c", "p", 1)];
        messages.extend(ends_at_once.then(|| stop_child("c")));
        house.tell(messages);
        let row = house.row("c");
        let status = if ends_at_once { ExecutionStatus::Aborted } else { ExecutionStatus::Running };
        assert_eq!((row.status(), row.redrives.of_map_run), (status, 1));
    }
}

#[test]
fn a_child_goes_when_its_parent_is_gone_whoever_has_the_name_now() {
    for is_parent_older in [false, true] {
        let mut house = House::open();
        if is_parent_older {
            house.tell(vec![house.start_child("p", "q", 0)]);
        }
        house.tell(vec![house.start_child("c", "p", 0)]);
        house.tell(vec![stop_child("c")]);
        if !is_parent_older {
            house.tell(vec![house.start_child("p", "q", 0)]);
        }
        let (key, row) = house.find("c").expect("is there");
        let at_ms = row.outcome.expect("has ended").stop_ms;
        let (under_way, _done) = mpsc::channel();
        let removal =
            Removal { entry: ClosedEntry { at_ms, key }, until_ms: at_ms, retention_ms: 1_000, under_way };
        house.tell(vec![Message::Remove(Box::new(removal))]);
        assert_eq!(house.find("c").is_some(), is_parent_older);
    }
}
