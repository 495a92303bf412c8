//! What the engine costs with a real store: starts, loops, waiting executions, start-up.
//!
//! Not criterion's: each scenario is one run of some seconds that prints its throughput, its CPU time per item, what it
//! wrote, and beside it the physical reference of the same run (append and fdatasync of the same bytes). Run one by its
//! name: `cargo bench -p stepwell-engine --bench engine -- loop`. `--sync-delay-ms 5` plays an ordinary disk, `--clients`,
//! `--items` and `--shards` change the load, `--data DIR` keeps the directory.

#![allow(clippy::print_stdout, clippy::cast_precision_loss, missing_docs)]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stepwell_asl::payload::Payload;
use stepwell_aws::{Account, BoxFuture};
use stepwell_engine::machines::{Configurations, MachineRevision, Machines, NewMachine};
use stepwell_engine::{Engine, EngineOptions, ExecutionStatus, StartExecution, SystemClock};
use stepwell_integrations::{TaskOutcome, TaskRequest, TaskRunner};
use stepwell_store::{Store, StoreOptions};

const PASS: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#;

const LOOP: &str = r#"{"StartAt":"More?","States":{
    "More?":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThanPath":"$.end","Next":"Add"}],"Default":"Done"},
    "Add":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)","end.$":"$.end"},"Next":"More?"},
    "Done":{"Type":"Succeed"}}}"#;

/// A loop that never touches its payload: a Pass chain of 1,000.
fn chain() -> String {
    let states: Vec<String> = (0..1_000)
        .map(|i| format!(r#""State number {i}":{{"Type":"Pass","Next":"State number {}"}}"#, i + 1))
        .collect();
    format!(
        r#"{{"StartAt":"State number 0","States":{{{},"State number 1000":{{"Type":"Succeed"}}}}}}"#,
        states.join(",")
    )
}

const WAIT: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":864000,"End":true}}}"#;

const TOKEN: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task",
    "Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters":{"QueueUrl":"http://q","MessageBody":{"token.$":"$$.Task.Token"}},"End":true}}}"#;

/// Tasks answer at once.
struct Answers;

impl TaskRunner for Answers {
    fn run(&self, request: TaskRequest) -> BoxFuture<'_, TaskOutcome> {
        Box::pin(async move { TaskOutcome::Succeeded(request.parameters) })
    }
}

struct Arguments {
    scenario: Option<String>,
    clients: usize,
    items: Option<u64>,
    shards: usize,
    sync_delay: Duration,
    data: Option<PathBuf>,
}

impl Arguments {
    fn read() -> Self {
        let mut arguments = Arguments {
            scenario: None,
            clients: 64,
            items: None,
            shards: 1,
            sync_delay: Duration::ZERO,
            data: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|n| n.parse::<u64>().ok()).expect("a number follows");
            match word.as_str() {
                "--clients" => arguments.clients = usize::try_from(number()).expect("fits"),
                "--items" => arguments.items = Some(number()),
                "--shards" => arguments.shards = usize::try_from(number()).expect("fits"),
                "--sync-delay-ms" => arguments.sync_delay = Duration::from_millis(number()),
                "--data" => arguments.data = words.next().map(PathBuf::from),
                "--bench" => {}
                name => arguments.scenario = Some(name.to_owned()),
            }
        }
        arguments
    }
}

/// What a process has used so far.
struct Usage {
    wall: Instant,
    cpu_s: f64,
    written: u64,
}

impl Usage {
    fn now() -> Self {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        let stat = text("/proc/self/stat");
        let after = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = |n| after.split(' ').nth(n).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
        let io = text("/proc/self/io");
        let written = io.lines().find_map(|l| l.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0);
        Usage { wall: Instant::now(), cpu_s: (ticks(11) + ticks(12)) / 100.0, written }
    }
}

fn resident_kib(kind: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(kind)?.strip_prefix(':').map(str::to_owned));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn report(name: &str, what: &str, count: u64, before: &Usage) {
    let after = Usage::now();
    let wall_s = (after.wall - before.wall).as_secs_f64();
    let (cpu_s, written) = (after.cpu_s - before.cpu_s, after.written - before.written);
    let each = |n: f64| n / count.max(1) as f64;
    println!(
        "{name}: {:.0} {what}/s ({count} in {wall_s:.2} s), CPU {:.2} us each ({:.0} per CPU second), {:.0} bytes each",
        count as f64 / wall_s,
        each(cpu_s * 1e6),
        count as f64 / cpu_s.max(0.01),
        each(written as f64),
    );
}

struct House {
    engine: Engine,
    store: Store,
}

impl House {
    fn open(dir: &Path, arguments: &Arguments) -> House {
        let options = StoreOptions { sync_delay: arguments.sync_delay };
        let store = Store::open_with(dir, options).expect("the store opens");
        let machines = Arc::new(Machines::open(&store, Account::default()).expect("the machines open"));
        let options = EngineOptions {
            account: Account::default(),
            shards: NonZeroUsize::new(arguments.shards).expect("not zero"),
            clock: Arc::new(SystemClock),
            retention: None,
        };
        let runtime = tokio::runtime::Handle::current();
        let engine = Engine::start(store.clone(), machines, Arc::new(Answers), runtime, options);
        House { engine: engine.expect("the engine starts"), store }
    }

    fn machine(&self, name: &str, definition: &str) -> Arc<MachineRevision> {
        let configurations =
            Configurations { logging: "{}".into(), tracing: "{}".into(), encryption: "{}".into() };
        let created = self.engine.machines().create(
            NewMachine {
                name: name.into(),
                definition: definition.into(),
                role_arn: "arn:aws:iam::000000000000:role/r".into(),
                machine_type: stepwell_asl::MachineType::Standard,
                configurations,
                tags: Vec::new(),
                publish: None,
            },
            1,
        );
        let arn = created.expect("the machine is created").arn;
        self.engine.machines().current(&arn).expect("is there")
    }

    /// So many clients start so many executions; each waits for its answer.
    async fn start_all(
        &self,
        revision: &Arc<MachineRevision>,
        input: &Payload,
        clients: usize,
        count: u64,
    ) -> Vec<Arc<str>> {
        let left = Arc::new(AtomicU64::new(count));
        let tasks: Vec<_> = (0..clients)
            .map(|_| {
                let (engine, left) = (self.engine.clone(), left.clone());
                let (revision, input) = (revision.clone(), input.clone());
                tokio::spawn(async move {
                    let mut arns = Vec::new();
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                        .is_ok()
                    {
                        let request = StartExecution {
                            revision: revision.clone(),
                            name: None,
                            input: input.clone(),
                            trace_header: None,
                            state_machine_version_arn: None,
                            state_machine_alias_arn: None,
                        };
                        let started = engine.start_execution(request).await.expect("starts");
                        arns.push(started.execution_arn);
                    }
                    arns
                })
            })
            .collect();
        let mut arns = Vec::new();
        for task in tasks {
            arns.extend(task.await.expect("does not panic"));
        }
        arns
    }

    async fn ended(&self, arns: &[Arc<str>]) {
        for arn in arns {
            loop {
                let described = self.engine.describe_execution(arn).expect("reads").expect("is there");
                match described.row.status() {
                    ExecutionStatus::Running => tokio::time::sleep(Duration::from_millis(2)).await,
                    ExecutionStatus::Succeeded => break,
                    status => panic!("{arn} ended as {status:?}: {:?}", described.row.outcome),
                }
            }
        }
    }

    fn close(self) {
        self.engine.shutdown();
        drop(self.engine);
        drop(self.store);
    }
}

fn payload(text: impl Into<Arc<str>>) -> Payload {
    Payload::parse(text).expect("is JSON")
}

/// Append and fdatasync of `bytes` at a time, for half a second.
fn reference(dir: &Path, bytes: usize) {
    let path = dir.join("reference");
    let mut file = std::fs::File::create(&path).expect("can be made");
    let (block, began) = (vec![7u8; bytes], Instant::now());
    let mut count = 0u32;
    while began.elapsed() < Duration::from_millis(500) {
        std::io::Write::write_all(&mut file, &block).expect("writes");
        file.sync_data().expect("syncs");
        count += 1;
    }
    let us = began.elapsed().as_micros() as f64 / f64::from(count);
    println!("  reference: append and fdatasync of {bytes} bytes takes {us:.0} us");
    std::fs::remove_file(path).expect("goes");
}

async fn starts(dir: &Path, arguments: &Arguments) {
    let house = House::open(dir, arguments);
    let revision = house.machine("pass", PASS);
    let input = payload(r#"{"order":17,"customer":"somebody"}"#);
    house.start_all(&revision, &input, arguments.clients, 2_000).await;
    let count = arguments.items.unwrap_or(100_000);
    let before = Usage::now();
    house.start_all(&revision, &input, arguments.clients, count).await;
    report("start", "executions", count, &before);
    house.close();
}

async fn loops(dir: &Path, arguments: &Arguments, iterations: u64) {
    let house = House::open(dir, arguments);
    let revision = house.machine("loop", LOOP);
    let input = payload(format!(r#"{{"n":0,"end":{iterations}}}"#));
    let per_execution = 2 * iterations + 2;
    let transitions = arguments.items.unwrap_or(3_000_000);
    let count = (transitions / per_execution).max(1);
    let before = Usage::now();
    let arns = house.start_all(&revision, &input, arguments.clients, count).await;
    house.ended(&arns).await;
    report(&format!("loop of {iterations}"), "transitions", count * per_execution, &before);
    house.close();
}

async fn chains(dir: &Path, arguments: &Arguments, bytes: usize) {
    let house = House::open(dir, arguments);
    let revision = house.machine("chain", &chain());
    let input = payload(format!("{{\"x\":\"{}\"}}", "y".repeat(bytes)));
    let count = arguments.items.unwrap_or(500_000) / 1_001;
    let before = Usage::now();
    let arns = house.start_all(&revision, &input, arguments.clients, count).await;
    house.ended(&arns).await;
    report(&format!("chain with {bytes} bytes"), "transitions", count * 1_001, &before);
    house.close();
}

async fn parked(dir: &Path, arguments: &Arguments, definition: &str) {
    let began = resident_kib("VmRSS");
    let house = House::open(dir, arguments);
    let revision = house.machine("parked", definition);
    let count = arguments.items.unwrap_or(1_000_000);
    let input = payload(r#"{"order":17,"customer":"somebody"}"#);
    let before = Usage::now();
    let mut one = Vec::new();
    for part in 0..10 {
        let arns = house.start_all(&revision, &input, arguments.clients.max(256), count / 10).await;
        one.extend(arns.into_iter().step_by(1_000));
        println!("  {} waiting, resident {} MiB", (part + 1) * (count / 10), resident_kib("VmRSS") / 1024);
    }
    report("park", "executions", count, &before);
    tokio::time::sleep(Duration::from_secs(2)).await;
    memory("waiting", count, began);
    describe(&house, &one);
    std::fs::write(dir.join("sample"), one.join("\n")).expect("writes");
    // As a kill would have it: nothing is closed in order.
    std::process::exit(0);
}

fn memory(what: &str, count: u64, began_kib: u64) {
    let now = resident_kib("VmRSS");
    println!(
        "  {what}: resident {} MiB (anonymous {} MiB, peak {} MiB), {} bytes each",
        now / 1024,
        resident_kib("RssAnon") / 1024,
        resident_kib("VmHWM") / 1024,
        now.saturating_sub(began_kib) * 1024 / count.max(1)
    );
}

fn describe(house: &House, arns: &[Arc<str>]) {
    let mut times: Vec<Duration> = arns
        .iter()
        .map(|arn| {
            let began = Instant::now();
            house.engine.describe_execution(arn).expect("reads").expect("is there");
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    if let (Some(half), Some(most)) = (times.get(times.len() / 2), times.get(times.len() * 99 / 100)) {
        println!("  describe: p50 {} us, p99 {} us", half.as_micros(), most.as_micros());
    }
}

fn open(dir: &Path, arguments: &Arguments) {
    let began = resident_kib("VmRSS");
    let before = Usage::now();
    let store = Store::open(dir).expect("the store opens");
    println!("  the store is open after {} ms", before.wall.elapsed().as_millis());
    drop(store);
    let before = Usage::now();
    let house = House::open(dir, arguments);
    println!("  the engine is open after {} ms", before.wall.elapsed().as_millis());
    let count = arguments.items.unwrap_or(1_000_000);
    report("open", "executions", count, &before);
    memory("open", count, began);
    let sample = std::fs::read_to_string(dir.join("sample")).unwrap_or_default();
    describe(&house, &sample.lines().map(Arc::from).collect::<Vec<_>>());
    house.close();
}

fn main() {
    let arguments = Arguments::read();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let own = tempfile::tempdir().expect("a directory");
    let dir = arguments.data.clone().unwrap_or_else(|| own.path().to_path_buf());
    std::fs::create_dir_all(&dir).expect("can be made");
    let chosen = |name: &str| arguments.scenario.as_deref().is_none_or(|only| only == name);
    let only = |name: &str| arguments.scenario.as_deref() == Some(name);
    runtime.block_on(async {
        if chosen("start") {
            reference(&dir, 16 * 1024);
            starts(&dir.join("start"), &arguments).await;
        }
        if chosen("loop") {
            loops(&dir.join("loop"), &arguments, 100).await;
        }
        if chosen("long") {
            loops(&dir.join("long"), &arguments, 6_000).await;
        }
        if chosen("chain") {
            chains(&dir.join("chain"), &arguments, 20).await;
            chains(&dir.join("chain-large"), &arguments, 100 * 1024).await;
        }
        if only("open") {
            open(&dir, &arguments);
        }
        if only("wait") {
            parked(&dir, &arguments, WAIT).await;
        }
        if only("token") {
            parked(&dir, &arguments, TOKEN).await;
        }
    });
}
