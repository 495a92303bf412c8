//! One life of the engine: from a start on the disk to the crash that ends it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use stepwell_asl::MachineType;
use stepwell_aws::Account;
use stepwell_engine::machines::{Configurations, MachineUpdate, Machines, NewMachine};
use stepwell_engine::simulation::{self, SteppedRetention, SteppedShard};
use stepwell_engine::{Clock, Engine, EngineOptions, RETENTION};
use stepwell_integrations::TaskRunner;
use stepwell_store::{Executions, Store, Writer};
use tokio::runtime::Runtime;

use crate::disk::SimulatedDisk;
use crate::ends::Ends;
use crate::machines::{ACTIVITIES, EXPRESS};
use crate::random::Random;

/// The simulated clock. Clones are the same one.
#[derive(Debug, Clone)]
pub struct SimulatedClock(Arc<AtomicI64>);

impl SimulatedClock {
    /// A clock that stands at `now_ms`.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        SimulatedClock(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Moves it, forward or back.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A started engine and what steps it.
pub struct House {
    /// Where tasks and clients run; dropped first, so that nothing sees the rest go.
    pub runtime: Runtime,
    /// As its callers see it.
    pub engine: Engine,
    /// Its shards.
    pub shards: Vec<SteppedShard>,
    /// What removes executions that closed more than [`RETENTION`] ago.
    pub retention: SteppedRetention,
    /// The store.
    pub store: Store,
    /// Its writer.
    pub writer: Writer,
    /// The executions, as the store has them.
    pub executions: Executions,
    /// The state machines.
    pub machines: Arc<Machines>,
}

impl House {
    /// Starts an engine on `disk`.
    pub fn open(
        disk: &SimulatedDisk,
        runner: Arc<dyn TaskRunner>,
        clock: &SimulatedClock,
        shards: usize,
        random: &mut Random,
    ) -> Result<House, String> {
        // One thread: what is woken first runs first.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
        let (store, writer) = Store::stepped(Box::new(disk.clone()));
        let machines = Machines::open(&store, Account::default());
        let machines = Arc::new(machines.map_err(|e| format!("the machines cannot be read: {e}"))?);
        machines.log_to(Arc::new(Ends::open(&store).map_err(|e| format!("the ends cannot be read: {e}"))?));
        let executions =
            Executions::open(&store).map_err(|e| format!("the executions cannot be read: {e}"))?;
        let options = EngineOptions {
            account: Account::default(),
            shards: NonZeroUsize::new(shards).expect("there is a shard"),
            clock: Arc::new(clock.clone()),
            retention: Some(RETENTION),
        };
        let handle = runtime.handle().clone();
        let entropy = || random.bits();
        let started = simulation::start(store.clone(), machines.clone(), runner, handle, options, entropy);
        let (engine, shards, retention) = started.map_err(|e| format!("the engine does not start: {e}"))?;
        let retention = retention.expect("there is a retention time");
        Ok(House { runtime, engine, shards, retention, store, writer, executions, machines })
    }

    /// Lets tasks and clients run until all of them wait.
    pub fn settle(&self) {
        self.runtime.block_on(async {
            // The queue of a runtime of one thread is empty after each of these, but for what the last task woke.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        });
    }
}

/// Creates the machines and activities of a run, before its first life. Gives the machines' ARNs.
pub fn furnish(disk: &SimulatedDisk, definitions: &[String]) -> Vec<Arc<str>> {
    // With a writer thread: registries are written by calls that block. Nothing else runs meanwhile.
    let store = Store::on(Box::new(disk.clone())).expect("a thread can be made");
    let machines = Machines::open(&store, Account::default()).expect("an empty disk opens");
    let activities = stepwell_engine::activities::Activities::open(&store, Account::default());
    let activities = activities.expect("an empty disk opens");
    for name in ACTIVITIES {
        activities.create(name, "{}", Vec::new(), 1).expect("the activity is created");
    }
    let create = |(index, definition): (usize, &String)| {
        create(&machines, MachineType::Standard, format!("m{index}"), definition)
    };
    definitions.iter().enumerate().map(create).collect()
}

/// Creates the Express machines of a run. Gives their ARNs.
pub fn furnish_express(disk: &SimulatedDisk) -> Vec<Arc<str>> {
    let store = Store::on(Box::new(disk.clone())).expect("a thread can be made");
    let machines = Machines::open(&store, Account::default()).expect("the machines open");
    let create = |(index, definition): (usize, &&str)| {
        create(&machines, MachineType::Express, format!("x{index}"), definition)
    };
    EXPRESS.iter().enumerate().map(create).collect()
}

fn create(machines: &Machines, machine_type: MachineType, name: String, definition: &str) -> Arc<str> {
    let configurations =
        Configurations { logging: "{}".into(), tracing: "{}".into(), encryption: "{}".into() };
    let new = NewMachine {
        name,
        definition: definition.to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/r".into(),
        machine_type,
        configurations,
        tags: Vec::new(),
        publish: None,
    };
    machines.create(new, 1).unwrap_or_else(|e| panic!("{definition}: {e}")).arn
}

/// Gives a machine another definition, between two lives.
pub fn redefine(disk: &SimulatedDisk, arn: &str, definition: String, revision_id: u64) {
    let store = Store::on(Box::new(disk.clone())).expect("a thread can be made");
    let machines = Machines::open(&store, Account::default()).expect("the machines open");
    let update = MachineUpdate { definition: Some(definition), ..MachineUpdate::default() };
    machines.update(arn, update, 2, || revision_id.to_string()).expect("the machine is updated");
}
