//! Whatever one execution does, the others on its shard have their turn.

use std::fmt::Write as _;
use std::sync::Arc;

use stepwell_engine::{ExecutionStatus, StartExecutionError, simulation};
use stepwell_integrations::TaskOutcome;
use stepwell_sim::clients::{self, Answer, Answers};
use stepwell_sim::disk::SimulatedDisk;
use stepwell_sim::house::{House, furnish};
use stepwell_sim::log::Log;
use stepwell_sim::machines::CIRCLES;
use stepwell_sim::script::{Script, payload};

const PASS: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;

/// Rounds that an execution which needs nobody may take beside another one.
const ROUNDS_MAX: usize = 100;

/// Events that the shard may decide in one round: how long everyone else waits for its end.
const EVENTS_MAX: u64 = 12_000;

/// A shard with one execution that keeps it busy.
struct Busy {
    house: House,
    answers: Answers,
    pass: Arc<str>,
}

impl Busy {
    fn with(definition: &str) -> Busy {
        let disk = SimulatedDisk::new();
        let machines = furnish(&disk, &[definition.to_owned(), PASS.to_owned()]);
        let script = Arc::new(Script::new(Log::new(false)));
        let house = super::open(&disk, &script);
        let mut busy = Busy { house, answers: Answers::default(), pass: machines[1].clone() };
        busy.start(&machines[0]);
        for _ in 0..3 {
            busy.round();
        }
        busy
    }

    fn start(&self, machine: &str) {
        let House { runtime, engine, machines, .. } = &self.house;
        let revision = machines.current(machine).expect("the machine is there");
        clients::start(runtime, engine, &self.answers, revision, "e".into(), "{}");
        self.house.settle();
    }

    fn round(&mut self) {
        let before = self.house.engine.figures().events;
        self.house.shards[0].round(256);
        let events = self.house.engine.figures().events - before;
        assert!(events <= EVENTS_MAX, "{events} events in one round");
        while self.house.writer.queued() > 0 {
            self.house.writer.write(512);
            self.house.writer.sync();
        }
        self.house.settle();
    }

    /// Starts an execution that needs nobody, and gives after how many rounds it has ended.
    fn rounds_of_another(&mut self) -> usize {
        drop(self.answers.take());
        self.start(&self.pass.clone());
        let arn = self.pass.replace(":stateMachine:", ":execution:") + ":e";
        for round in 1..=ROUNDS_MAX {
            self.round();
            let Some(described) = self.house.engine.describe_execution(&arn).expect("reads") else {
                continue;
            };
            assert_eq!(described.row.status(), ExecutionStatus::Succeeded);
            let answers = self.answers.take();
            assert!(matches!(&answers[..], [Answer::Started { result: Ok(_), .. }]), "{answers:?}");
            return round;
        }
        panic!("it has not had its turn in {ROUNDS_MAX} rounds");
    }
}

/// A Map over so many items.
fn map(mode: &str, count: usize, states: &str) -> String {
    let mut items = String::from("0");
    (1..count).for_each(|item| write!(items, ",{item}").expect("a string takes everything"));
    format!(
        r#"{{"StartAt":"I","States":{{"I":{{"Type":"Pass","Result":[{items}],"Next":"M"}},"M":{{"Type":"Map",
            "ItemProcessor":{{"ProcessorConfig":{mode},"StartAt":"S","States":{states}}},"End":true}}}}}}"#
    )
}

const INLINE: &str = r#"{"Mode":"INLINE"}"#;
const DISTRIBUTED: &str = r#"{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"}"#;
const DISTRIBUTED_EXPRESS: &str = r#"{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"}"#;
const REST: &str = r#"{"S":{"Type":"Wait","Seconds":1,"End":true}}"#;
const ASK: &str =
    r#"{"S":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}"#;

#[test]
fn nobody_waits_for_a_machine_that_never_ends() {
    assert!(Busy::with(CIRCLES).rounds_of_another() <= 2);
}

/// Nothing of them is in a batch: their turns, which follow one another at once, made a round last for half a second,
/// and everything beside them went on in such steps.
#[test]
fn nobody_waits_for_express_executions_that_never_end() {
    let circles = r#"{"S":{"Type":"Pass","Next":"C"},"C":{"Type":"Choice","Default":"S",
        "Choices":[{"Variable":"$","IsNull":true,"Next":"E"}]},"E":{"Type":"Succeed"}}"#;
    assert!(Busy::with(&map(DISTRIBUTED_EXPRESS, 3, circles)).rounds_of_another() <= 2);
}

/// The others of a Map Run have a slot each as soon as it is free, also while one of them is slow.
#[test]
fn a_free_slot_of_a_map_run_is_filled_at_once() {
    const STATES: &str = r#"{"S":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":0,"Next":"W"}],
        "Default":"P"},"W":{"Type":"Wait","Seconds":7,"End":true},"P":{"Type":"Pass","End":true}}"#;
    for mode in [DISTRIBUTED, DISTRIBUTED_EXPRESS] {
        let definition = map(mode, 21, STATES).replace(r#""M":{"#, r#""M":{"MaxConcurrency":5,"#);
        let mut busy = Busy::with(&definition);
        // A wave of four is asked for in one round, and has ended in the next.
        for _ in 0..10 {
            busy.round();
        }
        let engine = &busy.house.engine;
        let arn = busy.pass.replace(":stateMachine:m1", ":execution:m0:e");
        let runs = engine.list_map_runs(&arn, 0, 1).expect("reads").expect("is there");
        let described = engine.describe_map_run(&runs[0].map_run_arn, 0);
        let counts = described.expect("reads").expect("is there").counts;
        let (running, succeeded) = (counts.running.executions, counts.succeeded.executions);
        assert_eq!((running, succeeded), (1, 20), "{mode}");
    }
}

#[test]
fn nobody_waits_for_a_huge_map() {
    for states in [REST, ASK] {
        assert!(Busy::with(&map(INLINE, 20_000, states)).rounds_of_another() <= 2, "{states}");
    }
}

#[test]
fn nobody_waits_for_the_children_of_a_map_run() {
    for (mode, states) in [(DISTRIBUTED, REST), (DISTRIBUTED, ASK), (DISTRIBUTED_EXPRESS, ASK)] {
        let rounds = Busy::with(&map(mode, 20_000, states)).rounds_of_another();
        // As many children as may run at once have been asked for before.
        assert!(rounds <= 60, "{mode} {states}: {rounds}");
    }
}

#[test]
fn nobody_waits_for_a_task() {
    let ask = format!(r#"{{"StartAt":"S","States":{ASK}}}"#);
    let mut busy = Busy::with(&ask);
    assert_eq!(busy.rounds_of_another(), 1);
    assert_eq!(busy.house.engine.figures().tasks_under_way, 1);
}

#[test]
fn memory_that_is_full_refuses_new_executions_until_others_have_ended() {
    let disk = SimulatedDisk::new();
    let ask = format!(r#"{{"StartAt":"S","States":{ASK}}}"#);
    let machines = furnish(&disk, &[ask]);
    let script = Arc::new(Script::new(Log::new(false)));
    let mut busy =
        Busy { house: super::open(&disk, &script), answers: Answers::default(), pass: machines[0].clone() };
    busy.house.shards[0].limit_memory(64 * 1024);
    let start = |busy: &mut Busy, count: usize, name: &str| {
        let revision = busy.house.machines.current(&machines[0]).expect("the machine is there");
        for index in 0..count {
            let House { runtime, engine, .. } = &busy.house;
            clients::start(runtime, engine, &busy.answers, revision.clone(), format!("{name}{index}"), "{}");
        }
        busy.house.settle();
        busy.round();
        let mut refused = 0;
        for answer in busy.answers.take() {
            match answer {
                Answer::Started { result: Ok(_), .. } => {}
                Answer::Started { result: Err(StartExecutionError::Throttled), .. } => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        refused
    };
    assert_eq!(start(&mut busy, 100, "a"), 100 - 16);
    // What runs already is told so, and not refused.
    assert_eq!(start(&mut busy, 16, "a"), 0);
    let calls = std::mem::take(&mut script.lock().calls);
    assert_eq!(calls.len(), 16);
    calls.into_iter().for_each(|call| drop(call.answer.send(TaskOutcome::Succeeded(payload("1")))));
    busy.house.settle();
    busy.round();
    busy.round();
    assert_eq!(simulation::held(&busy.house.engine, &busy.house.shards), []);
    assert_eq!(start(&mut busy, 16, "b"), 0);
}
