//! What the simulation has found, each as its shortest story.

#[path = "regression/fairness.rs"]
mod fairness;

use std::sync::Arc;

use stepwell_engine::{ExecutionStatus, StartExecutionError};
use stepwell_integrations::TaskOutcome;
use stepwell_sim::clients::{self, Answer, Answers, Say};
use stepwell_sim::disk::SimulatedDisk;
use stepwell_sim::house::{House, SimulatedClock, furnish, furnish_express};
use stepwell_sim::log::Log;
use stepwell_sim::random::Random;
use stepwell_sim::script::{Script, payload};

struct Stage {
    disk: SimulatedDisk,
    script: Arc<Script>,
    answers: Answers,
    machine: Arc<str>,
    house: House,
}

fn open(disk: &SimulatedDisk, script: &Arc<Script>) -> House {
    let clock = SimulatedClock::at(1_000_000_000_000);
    House::open(disk, script.clone(), &clock, 1, &mut Random::new(1)).expect("the engine starts")
}

impl Stage {
    fn of(definition: &str) -> Stage {
        let disk = SimulatedDisk::new();
        let machine = furnish(&disk, &[definition.to_owned()]).remove(0);
        let script = Arc::new(Script::new(Log::new(false)));
        let house = open(&disk, &script);
        Stage { disk, script, answers: Answers::default(), machine, house }
    }

    fn start(&self, input: &'static str) {
        let House { runtime, engine, machines, .. } = &self.house;
        let revision = machines.current(&self.machine).expect("the machine is there");
        clients::start(runtime, engine, &self.answers, revision, "e".into(), input);
        self.house.settle();
    }

    /// The shard takes its turn; what it hands to the store stays there.
    fn round(&mut self) {
        self.house.shards[0].round(256);
        self.house.settle();
    }

    fn write(&mut self) {
        if self.house.writer.queued() > 0 {
            self.house.writer.write(512);
            self.house.writer.sync();
        }
        self.house.settle();
    }

    fn crash(&mut self) {
        self.disk.crash(0);
        self.house = open(&self.disk, &self.script);
    }

    fn status(&self) -> ExecutionStatus {
        let arn = self.machine.replace(":stateMachine:", ":execution:") + ":e";
        let described = self.house.engine.describe_execution(&arn).expect("reads").expect("is there");
        described.row.status()
    }

    fn calls_made(&self) -> u64 {
        self.script.lock().calls_made
    }
}

/// A client that hears "exists already" counts on the execution; it was told so before the execution was on the disk.
#[test]
fn exists_already_is_said_only_of_what_is_durable() {
    let mut stage = Stage::of(r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#);
    stage.start("1");
    stage.start("2");
    stage.round();
    assert!(stage.answers.take().is_empty(), "nothing is durable yet");
    stage.write();
    let answers = stage.answers.take();
    assert!(
        matches!(
            &answers[..],
            [
                Answer::Started { result: Ok(_), .. },
                Answer::Started { result: Err(StartExecutionError::AlreadyExists { .. }), .. }
            ]
        ),
        "{answers:?}"
    );
}

const CALLBACK: &str = r#"{"StartAt":"C","States":{"C":{"Type":"Task","End":true,
    "Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters":{"QueueUrl":"q","MessageBody":{"token.$":"$$.Task.Token"}}}}}"#;

impl Stage {
    /// The token that the oldest call passed on.
    fn token(&self) -> String {
        let script = self.script.lock();
        let body = script.calls[0].request.parameters.value().get("MessageBody").expect("it has a body");
        body.get("token").and_then(|t| t.as_str()).expect("it has a token").to_owned()
    }

    fn say(&self, token: &str) {
        let House { runtime, engine, .. } = &self.house;
        clients::say(runtime, engine, &self.answers, token.to_owned(), Say::Success, "1");
        self.house.settle();
    }
}

/// That a task is over was said before what ended it was on the disk: after a crash it was not over at all.
#[test]
fn a_task_is_said_to_be_over_only_when_that_is_durable() {
    let mut stage = Stage::of(CALLBACK);
    stage.start("{}");
    stage.round();
    stage.write();
    let token = stage.token();
    let _ = stage.answers.take();
    stage.say(&token);
    stage.say(&token);
    stage.round();
    assert!(stage.answers.take().is_empty(), "nothing is durable yet");
    stage.write();
    assert_eq!(stage.answers.take().len(), 2);
}

/// After a crash the call of a task was made again in the same breath in which its result became durable.
#[test]
fn a_task_that_has_ended_is_not_called_again_after_a_crash() {
    let mut stage = Stage::of(CALLBACK);
    stage.start("{}");
    stage.round();
    stage.write();
    let token = stage.token();
    stage.crash();
    stage.house.settle();
    assert_eq!(stage.calls_made(), 2, "it is called again before anything else can happen");
    stage.say(&token);
    stage.round();
    stage.write();
    assert_eq!((stage.calls_made(), stage.status()), (2, ExecutionStatus::Succeeded));
}

/// An execution that had ended, but not durably yet, was read back from the disk by the next message for it, and lived
/// twice.
#[test]
fn a_late_answer_does_not_bring_back_what_has_ended() {
    let mut stage = Stage::of(
        r#"{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
            {"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:a","End":true}}},
            {"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:b","End":true}}}]}}}"#,
    );
    stage.start("{}");
    stage.round();
    stage.write();
    let calls = std::mem::take(&mut stage.script.lock().calls);
    let [first, second] = <[_; 2]>::try_from(calls).expect("both branches ask");
    let _ = first.answer.send(TaskOutcome::Failed { error: Some("E".into()), cause: None });
    let _ = second.answer.send(TaskOutcome::Succeeded(payload("1")));
    stage.house.settle();
    stage.round();
    stage.write();
    stage.round();
    stage.write();
    assert_eq!(stage.status(), ExecutionStatus::Failed);
    assert!(stage.house.shards[0].executions().is_empty());
}

const MAP_RUN: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{
    "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
    "StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}}}}"#;

/// A child execution that waited out of memory was taken for one that had failed, when its Map Run went on after a
/// crash.
#[test]
fn a_parked_child_is_still_waited_for_after_a_crash() {
    let mut stage = Stage::of(MAP_RUN);
    stage.start("[1]");
    for _ in 0..6 {
        stage.round();
        stage.write();
    }
    stage.crash();
    for _ in 0..6 {
        stage.round();
        stage.write();
    }
    assert_eq!(stage.status(), ExecutionStatus::Running);
}

/// A crash right after the end of a Map Run lost the request to stop its children: they went on for ever.
#[test]
fn children_are_stopped_with_their_map_run_also_across_a_crash() {
    stop_across_a_crash(MAP_RUN);
}

/// An Express child that was to be stopped ran again from its start instead.
#[test]
fn express_children_are_stopped_with_their_map_run_also_across_a_crash() {
    let stage = stop_across_a_crash(&MAP_RUN.replace("STANDARD", "EXPRESS"));
    assert!(stage.script.lock().calls.is_empty(), "it does not begin once more");
    let run = stage.machine.replace(":stateMachine:", ":execution:") + ":e";
    let runs = stage.house.engine.describe_execution(&run).expect("reads").expect("is there");
    assert_eq!(runs.row.status(), ExecutionStatus::Aborted);
}

fn stop_across_a_crash(definition: &str) -> Stage {
    let mut stage = Stage::of(definition);
    stage.start("[1]");
    for _ in 0..6 {
        stage.round();
        stage.write();
    }
    let arn = stage.machine.replace(":stateMachine:", ":execution:") + ":e";
    clients::stop(&stage.house.runtime, &stage.house.engine, &stage.answers, arn.into(), true);
    stage.house.settle();
    stage.round();
    stage.write();
    assert_eq!(stage.house.executions.running().count(), 1, "the child has not heard of it yet");
    stage.crash();
    for _ in 0..6 {
        stage.round();
        stage.write();
    }
    assert_eq!(stage.house.executions.running().count(), 0);
    stage
}

#[test]
fn a_synchronous_execution_never_touches_the_disk() {
    let disk = SimulatedDisk::new();
    furnish(&disk, &[]);
    let machine = furnish_express(&disk).remove(1);
    let script = Arc::new(Script::new(Log::new(false)));
    let clock = SimulatedClock::at(1_000_000_000_000);
    let mut house =
        House::open(&disk, script.clone(), &clock, 1, &mut Random::new(1)).expect("the engine starts");
    let (answers, groups) = (Answers::default(), disk.groups());
    let revision = house.machines.current(&machine).expect("the machine is there");
    clients::start_sync(&house.runtime, &house.engine, &answers, revision, r#"{"n":1}"#);
    // A call, a wait of 20 seconds, and one more call.
    for _ in 0..6 {
        house.settle();
        house.shards[0].round(256);
        house.settle();
        clock.advance(10_000);
        for call in std::mem::take(&mut script.lock().calls) {
            call.answer.send(TaskOutcome::Succeeded(payload("17"))).expect("the call is waited for");
        }
    }
    let ended = answers.take().pop();
    let Some(Answer::SyncEnded(Ok(ended))) = ended else { panic!("it has ended: {ended:?}") };
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
    assert_eq!(ended.stop_ms - ended.info.start_ms, 40_000);
    assert_eq!((house.writer.queued(), disk.groups()), (0, groups));
}

/// The items that had succeeded when the Map Run failed, but were not heard any more, ran again when it was redriven.
#[test]
fn a_redriven_map_run_does_nothing_again_that_has_succeeded() {
    let definition = r#"{"StartAt":"M","States":{"M":{"Type":"Map","ToleratedFailureCount":0,"End":true,"ItemProcessor":{
        "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
        "StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Variable":"$","BooleanEquals":true,"Next":"F"}],
        "Default":"S"},"S":{"Type":"Succeed"},"F":{"Type":"Fail","Error":"E"}}}}}}"#;
    for kind in ["STANDARD", "EXPRESS"] {
        let mut stage = Stage::of(&definition.replace("STANDARD", kind));
        stage.start("[true,0,0,true,0,0,true,0,0,true]");
        let arn = stage.machine.replace(":stateMachine:", ":execution:") + ":e";
        for redrive in 0..4 {
            for _ in 0..12 {
                stage.round();
                stage.write();
            }
            let House { runtime, engine, .. } = &stage.house;
            assert_eq!(stage.status(), ExecutionStatus::Failed, "{kind} {redrive}");
            let runs = engine.list_map_runs(&arn, 0, 1).expect("reads").expect("is there");
            let described = engine.describe_map_run(&runs[0].map_run_arn, 1_000_000_000_000);
            let counts = described.expect("reads").expect("is there").counts;
            let (succeeded, failed) = (counts.succeeded.executions, counts.failed.executions);
            assert_eq!((succeeded, failed, counts.pending.executions), (6, 4, 0), "{kind} {redrive}");
            clients::redrive(runtime, engine, &stage.answers, arn.clone().into(), None, true);
            stage.house.settle();
        }
    }
}
