//! A fixed scenario without chance: every hand-picked machine once, tasks that answer at once, workers that work,
//! clients that ask until they are answered. For tests that disturb it at one place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepwell_engine::{Clock, ExecutionStatus, StartExecutionError};
use stepwell_integrations::TaskOutcome;

use crate::clients::{self, Answer, Answers, Say};
use crate::disk::{Fault, SimulatedDisk};
use crate::house::{House, SimulatedClock, furnish};
use crate::log::Log;
use crate::machines::{ACTIVITIES, all_picked};
use crate::random::Random;
use crate::script::{Script, payload};

const INPUT: &str = r#"{"n":5,"list":[1,2,3]}"#;
const RESULT: &str = r#"{"n":4,"even":true,"list":[1,2]}"#;

/// Turns after which the scenario counts as stuck.
const TURNS_MAX: usize = 10_000;

/// What goes wrong at one group of batches.
#[derive(Debug, Clone, Copy)]
pub enum Disturbance {
    /// The process dies when the group is written and not synced.
    CrashBeforeSync {
        /// Whether the group is on the disk all the same.
        is_kept: bool,
    },
    /// The process dies when the group is synced, and nothing that it releases has happened.
    CrashAfterSync,
    /// The disk fails.
    Fails(Fault),
}

/// How an execution ended: its status, and its output where it has one.
pub type End = (ExecutionStatus, Option<String>);

struct Scenario {
    disk: SimulatedDisk,
    clock: SimulatedClock,
    script: Arc<Script>,
    answers: Answers,
    house: House,
    machines: Vec<Arc<str>>,
    /// Starts that nobody has acknowledged.
    unanswered: BTreeSet<usize>,
    asked: BTreeSet<usize>,
    polling: [bool; ACTIVITIES.len()],
    random: Random,
    disturbance: Option<(u64, Disturbance)>,
    groups: u64,
}

/// Runs the scenario, disturbed at one group or not at all. Gives how many groups it wrote, and how every execution
/// ended, by name.
pub fn run(disturbance: Option<(u64, Disturbance)>) -> Result<(u64, BTreeMap<String, End>), String> {
    let definitions: Vec<String> = all_picked().iter().map(|text| (*text).to_owned()).collect();
    let disk = SimulatedDisk::new();
    let machines = furnish(&disk, &definitions);
    let clock = SimulatedClock::at(1_000_000_000_000);
    let script = Arc::new(Script::new(Log::new(false)));
    let mut random = Random::new(7);
    let house = House::open(&disk, script.clone(), &clock, 2, &mut random)?;
    let mut scenario = Scenario {
        unanswered: (0..machines.len()).collect(),
        asked: BTreeSet::new(),
        disk,
        clock,
        script,
        answers: Answers::default(),
        house,
        machines,
        polling: [false; ACTIVITIES.len()],
        random,
        disturbance,
        groups: 0,
    };
    for _ in 0..TURNS_MAX {
        if scenario.turn()? {
            return Ok((scenario.groups, scenario.ends()?));
        }
    }
    Err("the scenario does not end".into())
}

impl Scenario {
    /// Does what can be done now; says whether all has come to its end.
    fn turn(&mut self) -> Result<bool, String> {
        let mut busy = self.ask();
        self.house.settle();
        busy |= self.hear();
        for shard in &mut self.house.shards {
            busy |= shard.round(256) > 0;
        }
        if self.house.writer.queued() > 0 {
            busy = true;
            self.write()?;
        }
        self.house.settle();
        busy |= self.hear() | self.work();
        if busy {
            return Ok(false);
        }
        match self.house.shards.iter().filter_map(|shard| shard.next_due_ms()).min() {
            Some(due_ms) => self.clock.advance((due_ms - self.clock.now_ms()).max(0)),
            None => return Ok(true),
        }
        Ok(false)
    }

    /// Asks for the starts that nobody has acknowledged.
    fn ask(&mut self) -> bool {
        let missing: Vec<usize> = self.unanswered.difference(&self.asked).copied().collect();
        for index in &missing {
            let revision = self.house.machines.current(&self.machines[*index]).expect("the machine is there");
            let House { runtime, engine, .. } = &self.house;
            clients::start(runtime, engine, &self.answers, revision, format!("e{index}"), INPUT);
            self.asked.insert(*index);
        }
        for (activity, name) in ACTIVITIES.iter().enumerate() {
            if !std::mem::replace(&mut self.polling[activity], true) {
                let House { runtime, engine, .. } = &self.house;
                let arn = engine.account().arn("states", &format!("activity:{name}"));
                clients::poll(runtime, engine, &self.answers, activity, arn);
            }
        }
        !missing.is_empty()
    }

    fn hear(&mut self) -> bool {
        let answers = self.answers.take();
        let heard = !answers.is_empty();
        for answer in answers {
            match answer {
                // A client that hears "exists already" after it has asked before knows that it was heard then.
                Answer::Started {
                    arn,
                    result: Ok(_) | Err(StartExecutionError::AlreadyExists { .. }),
                    ..
                } => {
                    let index = arn.rsplit_once(":e").and_then(|(_, index)| index.parse().ok());
                    self.unanswered.remove(&index.expect("names end in a number"));
                }
                Answer::Polled { activity, result } => {
                    self.polling[activity] = false;
                    if let Ok(Some(task)) = result {
                        self.say(task.token);
                    }
                }
                _ => {}
            }
        }
        heard
    }

    /// Every task that waits is answered.
    fn work(&mut self) -> bool {
        let calls = std::mem::take(&mut self.script.lock().calls);
        let busy = !calls.is_empty();
        for call in calls {
            let body = call.request.parameters.value().get("MessageBody");
            let token = body.and_then(|b| b.get("token")).and_then(|t| t.as_str()).map(str::to_owned);
            let _ = call.answer.send(TaskOutcome::Succeeded(payload(RESULT)));
            if let Some(token) = token {
                self.say(token);
            }
        }
        busy
    }

    fn say(&self, token: String) {
        let House { runtime, engine, .. } = &self.house;
        clients::say(runtime, engine, &self.answers, token, Say::Success, RESULT);
    }

    fn write(&mut self) -> Result<(), String> {
        self.groups += 1;
        let disturbance = self.disturbance.filter(|(nth, _)| *nth == self.groups).map(|(_, what)| what);
        if let Some(Disturbance::Fails(fault)) = disturbance {
            self.disk.break_next(fault);
        }
        self.house.writer.write(512);
        if let Some(Disturbance::CrashBeforeSync { is_kept }) = disturbance {
            return self.crash(usize::from(is_kept));
        }
        self.house.writer.sync();
        match disturbance {
            Some(Disturbance::CrashAfterSync) => self.crash(0),
            Some(Disturbance::Fails(_)) => {
                self.house.settle();
                self.crash(0)
            }
            _ => Ok(()),
        }
    }

    /// The process dies and is started again; clients ask once more.
    fn crash(&mut self, kept: usize) -> Result<(), String> {
        self.disk.crash(kept);
        let house = House::open(&self.disk, self.script.clone(), &self.clock, 2, &mut self.random)?;
        self.house = house;
        self.script.lock().calls.clear();
        self.script.lock().violations.clear();
        let _ = self.answers.take();
        self.asked.clear();
        self.polling = [false; ACTIVITIES.len()];
        Ok(())
    }

    fn ends(&self) -> Result<BTreeMap<String, End>, String> {
        let mut ends = BTreeMap::new();
        for (index, machine) in self.machines.iter().enumerate() {
            let arn = format!("{}:e{index}", machine.replace(":stateMachine:", ":execution:"));
            let described = self.house.engine.describe_execution(&arn).map_err(|e| e.to_string())?;
            let described = described.ok_or_else(|| format!("{arn} is not there"))?;
            let output = described.output.map(|output| output.text().to_string());
            ends.insert(arn, (described.row.status(), output));
        }
        Ok(ends)
    }
}
