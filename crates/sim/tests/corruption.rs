//! Bytes that are not what was written: reported, never a panic, and they cost only the execution they belong to.

use std::sync::Arc;

use stepwell_engine::ExecutionStatus;
use stepwell_sim::clients::{self, Answer, Answers};
use stepwell_sim::disk::SimulatedDisk;
use stepwell_sim::house::{House, SimulatedClock, furnish};
use stepwell_sim::log::Log;
use stepwell_sim::random::Random;
use stepwell_sim::script::Script;

const MACHINE: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","Result":{"a":[1,2]},"ResultPath":"$.r","Next":"T"},
    "T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","TimeoutSeconds":60,"End":true}}}"#;

fn open(disk: &SimulatedDisk) -> Result<House, String> {
    let script = Arc::new(Script::new(Log::new(false)));
    House::open(disk, script, &SimulatedClock::at(1_000_000_000_000), 1, &mut Random::new(1))
}

fn run(house: &mut House) {
    for _ in 0..4 {
        house.settle();
        house.shards[0].round(256);
        if house.writer.queued() > 0 {
            house.writer.write(512);
            house.writer.sync();
        }
    }
}

/// A disk with two executions that wait for their tasks.
fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let machine = furnish(&disk, &[MACHINE.to_owned()]).remove(0);
    let mut house = open(&disk).expect("the engine starts");
    let answers = Answers::default();
    for name in ["first", "second"] {
        let revision = house.machines.current(&machine).expect("the machine is there");
        clients::start(&house.runtime, &house.engine, &answers, revision, name.into(), "{}");
    }
    run(&mut house);
    assert!(answers.take().iter().all(|answer| matches!(answer, Answer::Started { result: Ok(_), .. })));
    disk
}

#[test]
fn a_broken_execution_costs_no_other() {
    const SECOND: &str = "arn:aws:states:us-east-1:000000000000:execution:m0:second";
    let first = 0u64.to_be_bytes();
    for keyspace in ["executions.journal", "executions.rows"] {
        let mut random = Random::new(3);
        for _ in 0..300 {
            let disk = disk();
            let key = disk.first_key(keyspace, &first).expect("the first execution is there");
            disk.corrupt(keyspace, &key, |value| match random.below(3) {
                0 => value.truncate(random.below(value.len())),
                1 => value.push(u8::try_from(random.below(256)).expect("it is a byte")),
                _ => {
                    let at = random.below(value.len());
                    value[at] ^= 1 << random.below(8);
                }
            });
            let mut house =
                open(&disk).unwrap_or_else(|e| panic!("{keyspace}: the engine does not start: {e}"));
            run(&mut house);
            let answers = Answers::default();
            clients::stop(&house.runtime, &house.engine, &answers, SECOND.into(), true);
            run(&mut house);
            let described = house.engine.describe_execution(SECOND).expect("reads").expect("is there");
            assert_eq!(described.row.status(), ExecutionStatus::Aborted);
        }
    }
}
