//! Drives an execution of a drawn definition with drawn commands, and asserts after each what must always hold.

#![allow(unreachable_pub)] // The fuzz targets are another crate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepwell_asl::compile::MachineType;
use stepwell_asl::payload::Payload;
use stepwell_asl::{Program, validate};
use stepwell_interpreter::limits::{DECISION_RECORDS_MAX, HISTORY_EVENTS_MAX};
use stepwell_interpreter::{
    ChildStart, Command, Effect, EventDetails, Execution, ExecutionInfo, ExecutionKind, ExecutionStatus,
    Moment, Record, StateType, TaskReply, decide, resume,
};

use super::bytes::Bytes;
use super::machine::{self, ERRORS};

/// 2024-01-01T00:00:00Z
const START_MS: i64 = 1_704_067_200_000;
/// Commands until an execution that goes on is stopped.
const COMMANDS_MAX: usize = 200;
/// Events from which on an execution is a loop that need not be followed to its end.
const EVENTS_MAX: u64 = 3000;
/// Batches after which the whole state is looked at; later it is so at every 16th.
const COMPARED_BATCHES: usize = 40;

/// What a command is made of; made twice, once for the live execution and once for the replayed one.
#[derive(Debug, Clone)]
pub enum Step {
    Start,
    Tick,
    Continue,
    CallEnded(u64, Reply),
    Submitted(u64),
    Worker(u64),
    TokenEnded(u64, Reply),
    Heartbeat(u64),
    ChildEnded(Arc<ChildStart>, bool),
    Stop,
    Redrive,
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    Succeeded(&'static str),
    Failed(&'static str),
}

impl Reply {
    fn draw(bytes: &mut Bytes<'_>) -> Reply {
        if bytes.one_in(3) {
            Reply::Failed(bytes.pick(&ERRORS))
        } else {
            Reply::Succeeded(bytes.pick(&[machine::INPUT, "{}", "null", r#"{"n":9,"list":[[]]}"#]))
        }
    }

    fn to_reply(self) -> TaskReply {
        match self {
            Reply::Succeeded(output) => TaskReply::Succeeded(payload(output)),
            Reply::Failed(error) => TaskReply::Failed { error: Some(error.into()), cause: None },
        }
    }
}

fn payload(text: &str) -> Payload {
    Payload::parse(text).expect("is JSON")
}

impl Step {
    fn to_command(&self) -> Command {
        match self {
            Step::Start => Command::Start { input: payload(machine::INPUT) },
            Step::Tick => Command::Tick,
            Step::Continue => Command::Continue,
            Step::CallEnded(id, reply) => {
                Command::CallEnded { scheduled_event: *id, reply: reply.to_reply() }
            }
            Step::Submitted(id) => Command::TaskSubmitted { scheduled_event: *id, output: payload("{}") },
            Step::Worker(id) => {
                Command::ActivityStarted { scheduled_event: *id, worker_name: Some("w".into()) }
            }
            Step::TokenEnded(id, reply) => {
                Command::TokenEnded { scheduled_event: *id, reply: reply.to_reply() }
            }
            Step::Heartbeat(id) => Command::Heartbeat { scheduled_event: *id },
            Step::ChildEnded(child, succeeds) => {
                let of = child.info.child_of.as_ref().expect("a child execution has a parent");
                Command::ChildEnded {
                    thread: of.thread,
                    map_run_arn: of.map_run_arn.clone(),
                    index: of.index,
                    redrive: child.redrive,
                    output: succeeds.then(|| payload("{}")),
                }
            }
            Step::Redrive => Command::Redrive,
            Step::Stop => Command::Stop { error: Some("Stopped".into()), cause: None },
        }
    }
}

/// An execution under test, and what was seen of it.
pub struct Run {
    pub program: Program,
    pub live: Execution,
    /// The fold of the stored records, and nothing else.
    pub replayed: Execution,
    /// The records of every decision that had some.
    pub batches: Vec<Vec<Record>>,
    pub now_ms: i64,
    pub wants_to_continue: bool,
    /// Child executions that were to be started and have not ended.
    pub children: Vec<Arc<ChildStart>>,
    /// Attempts that wait for a task token, with its other half.
    tokens: BTreeMap<u64, u64>,
    entropy: u64,
    finished: usize,
}

fn info() -> ExecutionInfo {
    ExecutionInfo {
        execution_arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".into(),
        name: "e".into(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m".into(),
        state_machine_name: "m".into(),
        role_arn: "arn:aws:iam::000000000000:role/r".into(),
        region: "us-east-1".into(),
        start_ms: START_MS,
        timeout_s: None,
        child_of: None,
        kind: ExecutionKind::Standard,
    }
}

impl Run {
    /// An execution that has not started.
    pub fn new(program: Program) -> Run {
        let info = Arc::new(ExecutionInfo { timeout_s: program.timeout_seconds, ..info() });
        Run {
            program,
            live: Execution::new(info.clone()),
            replayed: Execution::new(info),
            batches: Vec::new(),
            now_ms: START_MS,
            wants_to_continue: false,
            children: Vec::new(),
            tokens: BTreeMap::new(),
            entropy: 1,
            finished: 0,
        }
    }

    /// Hands in `step` and checks what comes out of it.
    pub fn hand_in(&mut self, step: &Step) {
        self.entropy = self.entropy.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        let moment = Moment { now_ms: self.now_ms, entropy: self.entropy };
        let was_running = self.live.status() == ExecutionStatus::Running;
        let first_event = self.live.last_event_id() + 1;
        let due_ms = self.live.next_due_ms();
        // What was lost in a crash and replayed decides as the undisturbed one does.
        let mut recovered = self.replayed.clone();
        let decision = decide(&self.program, &mut self.live, step.to_command(), moment);
        let again = decide(&self.program, &mut recovered, step.to_command(), moment);
        assert_eq!(decision.records, again.records, "after a replay {step:?} leads to something else");

        let count = decision.records.len();
        assert!(count <= DECISION_RECORDS_MAX + 200, "{count} records in one decision");
        if matches!(step, Step::Redrive) && count > 0 {
            assert!(!was_running, "what runs cannot be redriven");
            self.finished = 0;
        } else {
            assert!(was_running || (count == 0 && decision.effects.is_empty()), "{step:?} after the end");
        }
        if matches!(step, Step::Tick) && due_ms.is_none_or(|due| due > self.now_ms) {
            assert!(count == 0 || self.wants_to_continue, "{step:?} before anything is due");
        }
        self.check_events(&decision.records, first_event);
        for record in &decision.records {
            self.replayed.apply(&self.program, record).unwrap_or_else(|e| panic!("{e}: {record:?}"));
        }
        if count > 0 {
            self.replayed.end_batch();
            self.batches.push(decision.records);
        }
        let batches = self.batches.len();
        if batches < COMPARED_BATCHES || batches.is_multiple_of(16) {
            self.check_replayed();
        }
        self.see(decision.effects, step);
    }

    fn check_events(&self, records: &[Record], first: u64) {
        let events = records.iter().filter_map(|record| match record {
            Record::Event(event) => Some(event),
            Record::Private(_) => None,
        });
        let mut id = first;
        for event in events {
            assert_eq!(event.id, id, "ids run without gaps");
            if let EventDetails::ExecutionFailed { cause: Some(cause), .. } = &event.details {
                assert!(!cause.starts_with("The execution cannot go on"), "{cause}");
            }
            assert!(event.previous_event_id < id, "{event:?}");
            assert_eq!(event.timestamp_ms, self.now_ms);
            id += 1;
        }
        assert_eq!(self.live.last_event_id() + 1, id);
        assert!(id <= HISTORY_EVENTS_MAX + 1, "a history of {id} events");
    }

    /// Their whole state is the same, seen through its `Debug` form.
    fn check_replayed(&self) {
        let (live, replayed) = (format!("{:?}", self.live), format!("{:?}", self.replayed));
        assert!(live == replayed, "the fold of the events is another state:\n{live}\n{replayed}");
    }

    fn see(&mut self, effects: Vec<Effect>, step: &Step) {
        let in_flight = self.in_flight();
        self.wants_to_continue = false;
        if let Step::ChildEnded(child, _) = step {
            self.children.retain(|c| c.info.execution_arn != child.info.execution_arn);
        }
        for effect in effects {
            match effect {
                Effect::Dispatch(task) => {
                    if task.token_nonce != 0 {
                        self.tokens.insert(task.scheduled_event, task.token_nonce);
                    }
                    let is_open = in_flight.contains(&task.scheduled_event);
                    // A sibling that failed in the same decision may have ended it again.
                    assert!(
                        is_open || self.live.status() != ExecutionStatus::Running || task.scheduled_event > 0
                    );
                }
                Effect::Cancel { scheduled_event } => assert!(!in_flight.contains(&scheduled_event)),
                Effect::StartChild(child) => self.children.push(Arc::new(*child)),
                Effect::StopChild { execution_arn } => {
                    self.children.retain(|c| c.info.execution_arn != execution_arn);
                }
                Effect::Continue => self.wants_to_continue = true,
                Effect::Finished { status, .. } => {
                    assert_eq!(status, self.live.status());
                    self.finished += 1;
                }
            }
        }
        let is_over = self.live.status() != ExecutionStatus::Running;
        assert_eq!(self.finished, usize::from(is_over), "an execution finishes once");
        if is_over {
            assert!(
                self.live.next_due_ms().is_none() && in_flight.is_empty(),
                "something is left at the end"
            );
            self.children.clear();
        } else {
            self.check_resume();
        }
    }

    /// What a restart would begin again is what is under way.
    fn check_resume(&self) {
        let mut recovered = self.replayed.clone();
        let effects = resume(&self.program, &mut recovered);
        let mut dispatched = BTreeSet::new();
        let mut children = BTreeMap::new();
        for effect in &effects {
            match effect {
                Effect::Dispatch(task) => {
                    assert!(dispatched.insert(task.scheduled_event), "one attempt twice");
                }
                Effect::StartChild(child) => {
                    children.insert(child.info.execution_arn.clone(), child.info.child_of.clone());
                }
                Effect::Continue => assert!(self.wants_to_continue, "a restart goes on with nothing"),
                other => panic!("a restart does {other:?}"),
            }
        }
        assert_eq!(dispatched, self.in_flight());
        let known = self.children.iter().map(|c| (c.info.execution_arn.clone(), c.info.child_of.clone()));
        assert_eq!(children, known.collect());
    }

    /// No state gets by a path that is said never to lead anywhere.
    fn check_warnings(&self, text: &str) {
        let findings = validate(text, MachineType::Standard);
        let lost: Vec<String> = findings
            .into_iter()
            .filter(|f| f.code == "PATH_NEVER_EXISTS")
            .filter_map(|f| f.location)
            .collect();
        for record in self.batches.iter().flatten() {
            if let Record::Event(event) = record
                && let EventDetails::StateExited { name, state_type, .. } = &event.details
                && matches!(state_type, StateType::Pass | StateType::Wait | StateType::Choice)
            {
                let end = format!("/States/{name}");
                assert!(
                    !lost.iter().any(|location| location.ends_with(&end)),
                    "{name} has been left: {text}"
                );
            }
        }
    }

    /// The attempts that somebody can still end: those under way, and those that wait for their token.
    pub fn open(&self) -> Vec<u64> {
        let mut open = self.in_flight();
        let waiting = self.tokens.iter().filter(|(id, nonce)| self.live.waits_for_token(**id, **nonce));
        open.extend(waiting.map(|(id, _)| *id));
        open.into_iter().collect()
    }

    /// The attempts that are under way and would be dispatched once more after a crash.
    pub fn in_flight(&self) -> BTreeSet<u64> {
        self.live.in_flight(&self.program).into_iter().map(|task| task.scheduled_event).collect()
    }

    /// Whether somebody will let the execution go on: it must never wait for nothing.
    fn is_waiting(&self) -> bool {
        self.wants_to_continue
            || self.live.next_due_ms().is_some()
            || !self.open().is_empty()
            || !self.children.is_empty()
    }

    /// Answers everything with success until the execution ends or has taken too many commands, and then stops it.
    pub fn drain(&mut self) {
        for _ in 0..COMMANDS_MAX {
            if self.live.status() != ExecutionStatus::Running {
                return;
            }
            if self.live.last_event_id() > EVENTS_MAX {
                break;
            }
            assert!(self.is_waiting(), "the execution waits for nothing: {:?}", self.live);
            let step = self.next_helpful_step();
            self.hand_in(&step);
        }
        self.hand_in(&Step::Stop);
        assert_eq!(self.live.status(), ExecutionStatus::Aborted);
    }

    fn next_helpful_step(&mut self) -> Step {
        if self.wants_to_continue {
            return Step::Continue;
        }
        if let Some(id) = self.open().first() {
            return Step::TokenEnded(*id, Reply::Succeeded(machine::INPUT));
        }
        if let Some(child) = self.children.first() {
            return Step::ChildEnded(child.clone(), true);
        }
        if let Some(due_ms) = self.live.next_due_ms() {
            self.now_ms = self.now_ms.max(due_ms);
        }
        Step::Tick
    }

    /// A command that means something, or one that is late, or early, or wrong.
    fn draw(&mut self, bytes: &mut Bytes<'_>) -> Step {
        let open = self.open();
        let id = match open.len() {
            0 => bytes.below(40) as u64,
            count if bytes.one_in(8) => open[bytes.below(count)] + bytes.below(3) as u64,
            count => open[bytes.below(count)],
        };
        match bytes.below(12) {
            0 | 1 => {
                if let Some(due_ms) = self.live.next_due_ms() {
                    self.now_ms = self.now_ms.max(due_ms - i64::from(bytes.one_in(3)));
                }
                Step::Tick
            }
            2 => Step::Continue,
            3..=5 => Step::CallEnded(id, Reply::draw(bytes)),
            6 => Step::Submitted(id),
            7 => Step::Worker(id),
            8 => Step::TokenEnded(id, Reply::draw(bytes)),
            9 => {
                self.now_ms += 1000 * bytes.below(5) as i64;
                Step::Heartbeat(id)
            }
            10 if !self.children.is_empty() => {
                let child = self.children[bytes.below(self.children.len())].clone();
                Step::ChildEnded(child, !bytes.one_in(3))
            }
            11 if bytes.one_in(4) => Step::Stop,
            _ if self.live.status().is_unsuccessful() => Step::Redrive,
            _ => Step::Start,
        }
    }
}

/// The definition and the commands that `bytes` stand for, where the definition is a valid one.
pub fn run(bytes: &[u8]) -> Option<Run> {
    let mut bytes = Bytes::new(bytes);
    let text = machine::definition(&mut bytes);
    let program = stepwell_asl::compile(&text).ok()?;
    let mut run = Run::new(program);
    run.hand_in(&Step::Start);
    let mut commands = 0;
    while !bytes.is_empty() && commands < COMMANDS_MAX {
        let step = run.draw(&mut bytes);
        run.hand_in(&step);
        commands += 1;
    }
    run.drain();
    run.check_warnings(&text);
    Some(run)
}

/// A definition and a sequence of commands.
pub fn decide_bytes(bytes: &[u8]) {
    if let Some(run) = run(bytes) {
        let last = run.batches.last().and_then(|records| records.last());
        assert!(
            matches!(last, Some(Record::Event(event)) if matches!(event.details,
                EventDetails::ExecutionSucceeded { .. } | EventDetails::ExecutionFailed { .. }
                | EventDetails::ExecutionAborted { .. } | EventDetails::ExecutionTimedOut { .. })),
            "the last record is {last:?}"
        );
    }
}
