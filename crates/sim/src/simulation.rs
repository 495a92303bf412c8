//! The run of one seed: what happens is drawn, done, noted and checked, one step after the other; at the end nothing
//! is broken any more, every task answers, and every execution must end.

mod answers;
mod express;
mod removal;

use std::collections::BTreeMap;
use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_engine::{Clock, ExecutionStatus};
use stepwell_integrations::TaskOutcome;
use stepwell_store::ExecutionKey;

use crate::checks;
use crate::clients::{self, Answers, Promises, Say};
use crate::disk::{Fault, SimulatedDisk};
use crate::house::{House, SimulatedClock, furnish, furnish_express, redefine};
use crate::log::Log;
use crate::machines::{ACTIVITIES, CIRCLES, generated, picked};
use crate::random::Random;
use crate::script::{Script, payload};
use crate::shadow::Shadows;
use crate::{Options, Ran};

/// When every run begins: 2001-09-09T01:46:40Z.
const BEGIN_MS: i64 = 1_000_000_000_000;

const INPUTS: &[&str] = &[
    r#"{"n":5,"list":[1,2,3]}"#,
    r#"{"n":0}"#,
    r#"{"n":9,"list":[{"n":1},{"n":2}],"text":"é\u0000"}"#,
    r#"[]"#,
];

const RESULTS: &[&str] =
    &[r#"{"n":4,"even":true,"list":[1,2]}"#, r#"{"n":3,"even":false}"#, "17", r#""done""#, "null"];

/// Rounds after which the end counts as never reached.
const END_ROUNDS_MAX: usize = 20_000;

/// How likely each action is in this run; every run has its own temper.
struct Temper {
    weights: [usize; 15],
    executions_max: usize,
}

impl Temper {
    fn of(random: &mut Random) -> Self {
        let mut often = |usual: usize| usual * random.pick(&[0, 1, 1, 1, 3]);
        let mut weights = [
            often(12),
            often(2),
            20,
            12,
            12,
            10 + often(10),
            6 + often(4),
            often(4),
            10,
            often(1),
            often(2),
            often(1),
            often(1),
            often(3),
            often(3),
        ];
        // Without any start there is nothing to see.
        weights[0] += 4;
        Temper { weights, executions_max: random.between(1, 12) }
    }
}

/// One run under way.
pub(crate) struct Simulation {
    random: Random,
    temper: Temper,
    log: Log,
    disk: SimulatedDisk,
    clock: SimulatedClock,
    script: Arc<Script>,
    /// `None` only between two lives.
    house: Option<House>,
    shadows: Shadows,
    answers: Answers,
    promises: Promises,
    machines: Vec<Arc<str>>,
    express_machines: Vec<Arc<str>>,
    /// Every ARN that was ever asked for, with its machine and name.
    asked: BTreeMap<Arc<str>, (usize, String)>,
    /// Tokens that somebody holds.
    tokens: Vec<String>,
    polling: [bool; ACTIVITIES.len()],
    /// The latest time the clock ever showed.
    latest_ms: i64,
    ran: Ran,
}

/// Runs `seed`; an error is a broken invariant.
pub(crate) fn run(seed: u64, options: &Options, log: &Log) -> Result<Ran, String> {
    let mut simulation = Simulation::new(seed, log)?;
    for step in 0..options.steps {
        simulation.ran.steps = step + 1;
        simulation.step().map_err(|reason| format!("step {step}: {reason}"))?;
    }
    simulation.end().map_err(|reason| format!("at the end: {reason}"))?;
    simulation.ran.hash = log.hash();
    Ok(simulation.ran)
}

impl Simulation {
    fn new(seed: u64, log: &Log) -> Result<Self, String> {
        let mut random = Random::new(seed);
        let temper = Temper::of(&mut random.fork());
        let disk = SimulatedDisk::new();
        let mut definitions = Vec::new();
        for _ in 0..random.between(1, 3) {
            let definition = match random.below(1000) {
                0 => CIRCLES.to_owned(),
                1..=250 => picked(&mut random).to_owned(),
                _ => generated(&mut random),
            };
            log.line(format_args!("machine {definition}"));
            definitions.push(definition);
        }
        let machines = furnish(&disk, &definitions);
        let express_machines = furnish_express(&disk);
        let mut simulation = Simulation {
            random,
            temper,
            log: log.clone(),
            disk,
            clock: SimulatedClock::at(BEGIN_MS),
            script: Arc::new(Script::new(log.clone())),
            house: None,
            shadows: Shadows::default(),
            answers: Answers::default(),
            promises: Promises::default(),
            machines,
            express_machines,
            asked: BTreeMap::new(),
            tokens: Vec::new(),
            polling: [false; ACTIVITIES.len()],
            latest_ms: BEGIN_MS,
            ran: Ran::default(),
        };
        simulation.begin_life()?;
        Ok(simulation)
    }

    fn house(&mut self) -> &mut House {
        self.house.as_mut().expect("a life is under way")
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.weighted(&self.temper.weights) {
            0 => self.ask_start(),
            1 => self.ask_stop(),
            2 => {
                let shards = self.house().shards.len();
                let shard = self.random.below(shards);
                let messages_max = self.random.pick(&[1, 2, 256]);
                self.round(shard, messages_max);
            }
            3 => {
                let batches_max = self.random.pick(&[1, 3, 512]);
                self.write(batches_max)?;
            }
            4 => self.sync(),
            5 => self.answer_call(),
            6 => self.use_token(),
            7 => self.poll(),
            8 => self.advance(),
            9 => self.jump(),
            10 => self.crash()?,
            11 => self.shut_down()?,
            12 => self.break_disk(),
            13 => self.ask_express(),
            _ => self.ask_redrive(),
        }
        // The queue in front of the writer is bounded: whoever hands in more waits for it.
        while self.house().writer.queued() > 900 {
            self.write(512)?;
            self.sync();
        }
        if self.random.one_in(8) {
            self.ask_description();
        }
        self.settle()?;
        // A store that has failed answers nothing: somebody restarts it.
        if self.house().store.has_failed() && self.random.one_in(4) {
            self.crash()?;
        }
        if self.random.one_in(12) {
            self.look_closely()?;
        }
        // Nothing that is asked for here closed long enough ago.
        if self.random.one_in(12) {
            self.house().retention.step().map_err(|e| format!("the retention fails: {e}"))?;
        }
        Ok(())
    }

    fn ask_start(&mut self) {
        let known = self.asked.len();
        let (machine, name) = if known > 0 && (known >= self.temper.executions_max || self.random.one_in(4)) {
            let index = self.random.below(known);
            self.asked.values().nth(index).cloned().expect("it is one of them")
        } else {
            (self.random.below(self.machines.len()), format!("e{known}"))
        };
        // A name nearly always comes with the same input.
        let usual = name.bytes().map(usize::from).sum::<usize>() % INPUTS.len();
        let input = if self.random.one_in(6) { self.random.pick(INPUTS) } else { INPUTS[usual] };
        let arn = self.machines[machine].clone();
        let house = self.house.as_ref().expect("a life is under way");
        let revision = house.machines.current(&arn).expect("no machine is ever deleted");
        self.log.line(format_args!("ask for start {name} of {arn} with {input}"));
        let execution_arn =
            house.engine.account().arn("states", &format!("execution:{}:{name}", revision.name));
        clients::start(&house.runtime, &house.engine, &self.answers, revision, name.clone(), input);
        self.asked.insert(execution_arn.into(), (machine, name));
    }

    fn ask_description(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let index = self.random.below(self.asked.len());
        let arn = self.asked.keys().nth(index).cloned().expect("it is one of them");
        let house = self.house.as_ref().expect("a life is under way");
        clients::describe(&house.runtime, &house.engine, &self.answers, arn);
    }

    fn ask_stop(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let index = self.random.below(self.asked.len());
        let arn = self.asked.keys().nth(index).cloned().expect("it is one of them");
        self.log.line(format_args!("ask for stop of {arn}"));
        let was_known = self.promises.starts.contains_key(&arn);
        let house = self.house.as_ref().expect("a life is under way");
        clients::stop(&house.runtime, &house.engine, &self.answers, arn, was_known);
    }

    fn ask_redrive(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let index = self.random.below(self.asked.len());
        let arn = self.asked.keys().nth(index).cloned().expect("it is one of them");
        // Few tokens, so that some come twice.
        let token = self.random.pick(&[None, Some("first"), Some("second")]).map(str::to_owned);
        self.log.line(format_args!("ask for redrive of {arn} with {token:?}"));
        let was_known = self.promises.starts.contains_key(&arn);
        let house = self.house.as_ref().expect("a life is under way");
        clients::redrive(&house.runtime, &house.engine, &self.answers, arn, token, was_known);
    }

    fn round(&mut self, shard: usize, messages_max: usize) -> usize {
        let handled = self.house().shards[shard].round(messages_max);
        self.log.line(format_args!("shard {shard} handles {handled}"));
        handled
    }

    /// The writer writes a group; its batches are read back.
    fn write(&mut self, batches_max: usize) -> Result<(), String> {
        if self.house().writer.waits_for_sync() || self.house().writer.queued() == 0 {
            return Ok(());
        }
        self.house().writer.write(batches_max);
        let written = self.disk.take_written();
        self.log.line(format_args!("write {} changes", written.len()));
        self.ran.groups += 1;
        let house = self.house.as_ref().expect("a life is under way");
        for (keyspace, key) in written {
            if keyspace != "executions.journal" {
                continue;
            }
            let (execution, number) = key.split_at(8);
            let execution = u64::from_be_bytes(execution.try_into().map_err(|_| "a journal key is short")?);
            let number = u32::from_be_bytes(number.try_into().map_err(|_| "a journal key is short")?);
            let (executions, machines) = (&house.executions, &house.machines);
            self.shadows.written(executions, machines, ExecutionKey(execution), number, self.latest_ms)?;
        }
        Ok(())
    }

    /// The writer syncs; what it told is durable from now on.
    fn sync(&mut self) {
        if !self.house().writer.waits_for_sync() {
            return;
        }
        self.house().writer.sync();
        let is_durable = self.disk.unsynced() == 0 && !self.house().store.has_failed();
        self.log.line(format_args!("sync {is_durable}"));
        if is_durable {
            let facts = self.shadows.synced();
            let mut script = self.script.lock();
            facts.into_iter().for_each(|fact| script.facts.learn(fact));
        }
    }

    fn answer_call(&mut self) {
        let mut script = self.script.lock();
        script.calls.retain(|call| !call.answer.is_closed());
        if script.calls.is_empty() {
            return;
        }
        let index = self.random.below(script.calls.len());
        let call = &mut script.calls[index];
        if call.is_job() && !call.submitted && !self.random.one_in(4) {
            call.submitted = true;
            let host = call.request.host.clone();
            self.log.line(format_args!("submit {}", call.request.attempt_id));
            drop(script);
            host.submitted(payload(r#"{"JobRunId":"r"}"#));
            return;
        }
        let call = script.calls.remove(index);
        drop(script);
        let outcome = match self.random.below(20) {
            0..=11 => TaskOutcome::Succeeded(payload(self.random.pick(RESULTS))),
            12..=14 => failed("Script.Error"),
            15 => failed("States.TaskFailed"),
            16 => failed("States.Timeout"),
            17 => TaskOutcome::Failed { error: None, cause: None },
            18 if self.random.one_in(8) => {
                TaskOutcome::Succeeded(payload(&format!("\"{}\"", "x".repeat(270_000))))
            }
            // It gets lost on its way.
            _ => {
                self.log.line(format_args!("lose the answer of {}", call.request.attempt_id));
                return;
            }
        };
        self.keep_token(&call.request.parameters);
        self.log.line(format_args!("answer {}", call.request.attempt_id));
        let _ = call.answer.send(outcome);
    }

    /// A call that passes a task token on: somebody has it now.
    fn keep_token(&mut self, parameters: &Payload) {
        let places = ["Payload", "MessageBody"];
        let token = places.iter().find_map(|name| parameters.value().get(name)?.get("token")?.as_str());
        self.tokens.extend(token.map(str::to_owned));
    }

    fn use_token(&mut self) {
        if self.tokens.is_empty() {
            return;
        }
        let index = self.random.below(self.tokens.len());
        // Nobody forgets a token: what has ended is ended again. Some say several things in one breath.
        let token = self.tokens[index].clone();
        let times = self.random.pick(&[1, 1, 1, 2, 3]);
        for _ in 0..times {
            let say = self.random.pick(&[
                Say::Success,
                Say::Failure,
                Say::Heartbeat,
                Say::Heartbeat,
                Say::Heartbeat,
            ]);
            let result = self.random.pick(RESULTS);
            self.say(token.clone(), say, result);
        }
    }

    fn say(&mut self, token: String, say: Say, result: &'static str) {
        self.log.line(format_args!("{say:?} for {token}"));
        let house = self.house.as_ref().expect("a life is under way");
        clients::say(&house.runtime, &house.engine, &self.answers, token, say, result);
    }

    fn poll(&mut self) {
        let activity = self.random.below(ACTIVITIES.len());
        self.poll_one(activity);
    }

    /// Sends a worker, unless one is there; says whether it did.
    fn poll_one(&mut self, activity: usize) -> bool {
        if std::mem::replace(&mut self.polling[activity], true) {
            return false;
        }
        self.log.line(format_args!("poll {}", ACTIVITIES[activity]));
        let house = self.house.as_ref().expect("a life is under way");
        let arn = house.engine.account().arn("states", &format!("activity:{}", ACTIVITIES[activity]));
        clients::poll(&house.runtime, &house.engine, &self.answers, activity, arn);
        true
    }

    fn next_due_ms(&mut self) -> Option<i64> {
        self.house().shards.iter().filter_map(stepwell_engine::simulation::SteppedShard::next_due_ms).min()
    }

    fn advance(&mut self) {
        let ms = match self.next_due_ms() {
            Some(due_ms) if self.random.one_in(2) => {
                let late = i64::try_from(self.random.below(50)).expect("it is small");
                (due_ms - self.clock.now_ms()).max(0) + late - self.random.below(2) as i64
            }
            _ => i64::try_from(self.random.below(5_000)).expect("it is small"),
        };
        self.move_clock(ms);
    }

    fn jump(&mut self) {
        let minutes = i64::try_from(self.random.below(100)).expect("it is small") - 20;
        self.move_clock(minutes * 60_000);
    }

    fn move_clock(&mut self, ms: i64) {
        self.clock.advance(ms);
        self.latest_ms = self.latest_ms.max(self.clock.now_ms());
        self.log.line(format_args!("it is {}", self.clock.now_ms()));
    }

    fn break_disk(&mut self) {
        let fault = self.random.pick(&[Fault::WriteRefused, Fault::WriteUnknown, Fault::SyncFailed]);
        self.log.line(format_args!("break the disk: {fault:?}"));
        self.disk.break_next(fault);
    }

    /// Whatever has been going on comes to nothing, but for what is on the disk.
    fn crash(&mut self) -> Result<(), String> {
        let kept = self.random.below(self.disk.unsynced() + 1);
        self.ran.crashes += 1;
        self.end_life(kept)
    }

    /// The engine stops in order: everything that was asked for is done first.
    fn shut_down(&mut self) -> Result<(), String> {
        self.log.line(format_args!("shut down"));
        self.house().engine.shutdown();
        for shard in 0..self.house().shards.len() {
            self.round(shard, usize::MAX);
        }
        while self.house().writer.queued() > 0 || self.house().writer.waits_for_sync() {
            self.write(512)?;
            self.sync();
        }
        self.settle()?;
        self.end_life(0)
    }

    fn end_life(&mut self, kept: usize) -> Result<(), String> {
        self.log.line(format_args!("crash; {kept} groups are kept"));
        self.house = None;
        self.disk.crash(kept);
        // Answers that nobody has seen any more.
        let _ = self.answers.take();
        if self.random.one_in(8) {
            let machine = self.random.pick(&self.machines);
            let definition = generated(&mut self.random);
            self.log.line(format_args!("redefine {machine}: {definition}"));
            redefine(&self.disk, &machine, definition, self.random.bits());
        }
        if self.random.one_in(2) {
            self.jump();
        }
        self.begin_life()
    }

    fn begin_life(&mut self) -> Result<(), String> {
        let shards = self.random.pick(&[1, 1, 2, 3]);
        self.log.line(format_args!("start with {shards} shards"));
        // Before the engine starts: what it hands out at once is checked against this.
        let mut keys = Vec::new();
        self.disk.for_each_durable(|keyspace, key, _| {
            if keyspace == "executions.rows"
                && let Ok(key) = key.try_into()
            {
                keys.push(ExecutionKey(u64::from_be_bytes(key)));
            }
        });
        let script: Arc<Script> = self.script.clone();
        let mut entropy = self.random.fork();
        let house = House::open(&self.disk, script, &self.clock, shards, &mut entropy)?;
        self.shadows = Shadows::read(&house.executions, &house.machines, &keys, shards)?;
        self.house = Some(house);
        self.polling = [false; ACTIVITIES.len()];
        let facts = self.shadows.synced();
        let mut script = self.script.lock();
        script.facts = crate::facts::Facts::default();
        facts.into_iter().for_each(|fact| script.facts.learn(fact));
        script.inherited = script.facts.scheduled.clone();
        script.inherited_submitted = script.facts.submitted.clone();
        script.called.clear();
        script.calls.clear();
        drop(script);
        self.check_promises()?;
        self.settle()
    }

    /// Tasks and clients run; what they were answered is looked at.
    fn settle(&mut self) -> Result<(), String> {
        self.house().settle();
        for answer in self.answers.take() {
            self.answered(answer)?;
        }
        if let Some(violation) = self.script.lock().violations.pop() {
            return Err(violation);
        }
        self.check_express_calls()
    }

    fn check_promises(&self) -> Result<(), String> {
        let house = self.house.as_ref().expect("a life is under way");
        self.promises.check(&house.engine)?;
        self.check_express()
    }

    fn is_durable(&self, arn: &str) -> bool {
        self.disk.durable("executions.arns", arn.as_bytes()).is_some()
    }

    /// Everything that can happen now happens; then memory and disk must tell the same.
    fn look_closely(&mut self) -> Result<(), String> {
        loop {
            self.settle()?;
            let mut handled = 0;
            for shard in 0..self.house().shards.len() {
                handled += self.round(shard, 256);
            }
            while self.house().writer.queued() > 0 || self.house().writer.waits_for_sync() {
                handled += 1;
                self.write(512)?;
                self.sync();
            }
            if handled == 0 {
                break;
            }
        }
        if self.house().store.has_failed() {
            return Ok(());
        }
        let house = self.house.as_ref().expect("a life is under way");
        checks::memory_and_disk(house, &mut self.shadows, &self.script)
    }

    /// Nothing breaks any more and everybody answers: every execution ends.
    fn end(&mut self) -> Result<(), String> {
        self.disk.crash(self.disk.unsynced());
        self.log.line(format_args!("the end begins"));
        self.end_life(0)?;
        for _ in 0..END_ROUNDS_MAX {
            self.look_closely()?;
            if self.answer_everything() {
                continue;
            }
            match self.next_due_ms() {
                Some(due_ms) => self.move_clock((due_ms - self.clock.now_ms()).max(0)),
                None => break,
            }
        }
        let running = self.shadows.iter().find(|(_, s)| s.execution.status() == ExecutionStatus::Running);
        if let Some((_, shadow)) = running {
            return Err(format!("this execution does not end: {:?}", shadow.execution));
        }
        self.check_promises()?;
        self.check_express_ends()?;
        let house = self.house.as_ref().expect("a life is under way");
        checks::memory_is_empty(house)?;
        self.ran.executions = checks::lists(house, &self.shadows, &self.machines)?;
        self.ran.events = checks::histories(house, &self.shadows)?;
        let log = self.log.clone();
        self.disk.for_each_durable(|keyspace, key, value| {
            log.bytes(keyspace.as_bytes());
            log.bytes(key);
            log.bytes(value);
        });
        self.remove_everything()
    }

    /// Answers every call and every holder of a token, and sends workers. Whether there was anything to do.
    fn answer_everything(&mut self) -> bool {
        let calls = std::mem::take(&mut self.script.lock().calls);
        let mut busy = false;
        for call in calls {
            if call.answer.is_closed() {
                continue;
            }
            self.log.line(format_args!("answer {}", call.request.attempt_id));
            busy |= call.answer.send(TaskOutcome::Succeeded(payload(RESULTS[0]))).is_ok();
        }
        let tokens: Vec<String> =
            self.shadows.iter().flat_map(|(_, shadow)| shadow.tokens()).map(|token| token.encode()).collect();
        for token in tokens {
            busy = true;
            self.say(token, Say::Success, RESULTS[0]);
        }
        for activity in 0..ACTIVITIES.len() {
            busy |= self.poll_one(activity);
        }
        busy
    }
}

fn failed(error: &str) -> TaskOutcome {
    TaskOutcome::Failed { error: Some(error.to_owned()), cause: Some("as scripted".to_owned()) }
}
