//! The journal read back as it is written: every batch folded into a shadow of its execution, every record checked.
//!
//! Holds that stored records, and nothing else, give the live execution; that ids have no gaps and every event names
//! the right one before it; that no timer fires early, nor before one of its shard that was due earlier.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepwell_asl::program::Program;
use stepwell_engine::machines::{MachineRevision, Machines};
use stepwell_engine::simulation::shard_index;
use stepwell_interpreter::{
    EventDetails, Execution, ExecutionStatus, HistoryEvent, PrivateRecord, Record, ScheduledResource,
    StateType, TaskToken, ThreadId,
};
use stepwell_store::{ExecutionKey, Executions, Parked};

use crate::facts::Fact;

/// All executions as the journal tells them.
#[derive(Default)]
pub struct Shadows {
    by_key: BTreeMap<ExecutionKey, Shadow>,
    shards: usize,
    /// What the batches told that are written and not synced.
    unsynced: Vec<Fact>,
}

/// One execution.
pub struct Shadow {
    /// Folded so far.
    pub execution: Execution,
    /// What it runs.
    pub revision: Arc<MachineRevision>,
    shard: usize,
    open: BTreeMap<ThreadId, Open>,
    parents: BTreeMap<ThreadId, ThreadId>,
    /// When a chain's Wait or retry is due.
    due: BTreeMap<ThreadId, i64>,
    last_ms: i64,
    /// The batch up to which it was compared with the live one.
    compared: Option<u32>,
}

/// An attempt that is waited for.
struct Open {
    scheduled_event: u64,
    nonce: u64,
    is_activity: bool,
    /// A worker has it, or its call was answered.
    is_out: bool,
    timeout_due_ms: Option<i64>,
    heartbeat_s: Option<u64>,
    heard_ms: i64,
}

impl Shadows {
    /// The shadows of what the store holds now; `facts` learns what it tells.
    pub fn read(
        executions: &Executions,
        machines: &Machines,
        keys: &[ExecutionKey],
        shards: usize,
    ) -> Result<Shadows, String> {
        let mut shadows = Shadows { shards, ..Shadows::default() };
        for key in keys {
            if is_express(executions, *key)? {
                continue;
            }
            let mut batches = Vec::new();
            let replayed = executions.replay(*key, |number, records| {
                batches.push((number, records));
                Ok(())
            });
            replayed.map_err(|e| format!("{key:?} cannot be replayed: {e}"))?;
            let shadow = shadows.shadow(executions, machines, *key)?;
            let mut facts = Vec::new();
            for (number, records) in batches {
                shadow.batch(number, &records, i64::MAX, &mut facts)?;
            }
            shadow.compared = None;
            shadows.unsynced.append(&mut facts);
        }
        Ok(shadows)
    }

    /// Batch `number` of `key` has been written, at the latest at `now_ms`.
    pub fn written(
        &mut self,
        executions: &Executions,
        machines: &Machines,
        key: ExecutionKey,
        number: u32,
        now_ms: i64,
    ) -> Result<(), String> {
        if is_express(executions, key)? {
            return Ok(());
        }
        let mut found = None;
        let replayed = executions.replay(key, |at, records| {
            if at == number {
                found = Some(records);
            }
            Ok(())
        });
        replayed.map_err(|e| format!("{key:?} cannot be replayed: {e}"))?;
        let records =
            found.ok_or_else(|| format!("batch {number} of {key:?} was written and is not there"))?;
        let shadow = self.shadow(executions, machines, key)?;
        if fires_timer(&records) {
            let due_ms = shadow.execution.next_due_ms();
            let shard = shadow.shard;
            let due_ms = due_ms.ok_or_else(|| format!("{key:?} fires a timer that it does not have"))?;
            let overtaken = self.by_key.iter().find(|(other, shadow)| {
                **other != key
                    && shadow.shard == shard
                    && shadow.execution.next_due_ms().is_some_and(|other_ms| other_ms < due_ms)
            });
            if let Some((other, _)) = overtaken {
                return Err(format!("{key:?} fires what was due at {due_ms}; {other:?} was due before"));
            }
        }
        let mut facts = Vec::new();
        let shadow = self.shadow(executions, machines, key)?;
        shadow.batch(number, &records, now_ms, &mut facts).map_err(|reason| {
            let mut text = reason + "\nits journal:";
            let told = executions.replay(key, |number, records| {
                records.iter().for_each(|record| text += &format!("\n  {number}: {record:?}"));
                Ok(())
            });
            told.map_or_else(|error| error.to_string(), |()| text)
        })?;
        self.unsynced.append(&mut facts);
        Ok(())
    }

    /// What was written is durable: the facts that it tells.
    pub fn synced(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.unsynced)
    }

    /// All of them, in the order of their starts.
    pub fn iter(&self) -> impl Iterator<Item = (ExecutionKey, &Shadow)> {
        self.by_key.iter().map(|(key, shadow)| (*key, shadow))
    }

    /// Compares those in memory with their shadows; the others that run must be parked with the right timer.
    pub fn compare(
        &mut self,
        live: &[(ExecutionKey, &Execution)],
        open: &BTreeMap<ExecutionKey, Option<Parked>>,
    ) -> Result<(), String> {
        for (key, execution) in live {
            let shadow =
                self.by_key.get_mut(key).ok_or_else(|| format!("{key:?} lives and is not stored"))?;
            if shadow.compared == Some(execution.next_batch()) {
                continue;
            }
            shadow.compared = Some(execution.next_batch());
            let (live, stored) = (format!("{execution:?}"), format!("{:?}", shadow.execution));
            if live != stored {
                return Err(format!("{key:?} differs from what is stored\nlive:   {live}\nstored: {stored}"));
            }
        }
        for (key, shadow) in &self.by_key {
            let runs = shadow.execution.status() == ExecutionStatus::Running;
            let lives = live.iter().any(|(live, _)| live == key);
            let due_ms = shadow.execution.next_due_ms();
            let fits = match open.get(key) {
                None => !runs && !lives,
                Some(None) => runs && lives,
                Some(Some(parked)) => runs && parked.due_ms == due_ms,
            };
            if !fits {
                let listed = open.get(key);
                return Err(format!(
                    "{key:?} is listed as open with {listed:?}; runs: {runs}, in memory: {lives}, due at {due_ms:?}"
                ));
            }
        }
        Ok(())
    }

    fn shadow(
        &mut self,
        executions: &Executions,
        machines: &Machines,
        key: ExecutionKey,
    ) -> Result<&mut Shadow, String> {
        if !self.by_key.contains_key(&key) {
            let row = executions.row(key).map_err(|e| format!("{key:?} has a broken row: {e}"))?;
            let row = row.ok_or_else(|| format!("{key:?} has a journal and no row"))?;
            let revision = machines.revision(row.revision);
            let revision = revision.ok_or_else(|| format!("{key:?} has no revision"))?;
            let shard = shard_index(&row.info.execution_arn, self.shards);
            self.by_key.insert(key, Shadow::new(Execution::new(row.info), revision, shard));
        }
        Ok(self.by_key.get_mut(&key).expect("it was there or has been inserted"))
    }
}

/// Whether it is the Express child of a Map Run, whose journal holds its ends alone.
fn is_express(executions: &Executions, key: ExecutionKey) -> Result<bool, String> {
    let row = executions.row(key).map_err(|e| format!("{key:?} has a broken row: {e}"))?;
    Ok(row.is_some_and(|row| row.info.kind.is_express()))
}

/// Whether the batch comes from a timer: what begins it happens for no other reason.
fn fires_timer(records: &[Record]) -> bool {
    matches!(
        records.first(),
        Some(Record::Event(HistoryEvent {
            details: EventDetails::LambdaFunctionTimedOut { .. }
                | EventDetails::ActivityTimedOut { .. }
                | EventDetails::TaskTimedOut { .. }
                | EventDetails::ExecutionTimedOut { .. }
                | EventDetails::StateExited { state_type: StateType::Wait, .. },
            ..
        }))
    )
}

impl Shadow {
    fn new(execution: Execution, revision: Arc<MachineRevision>, shard: usize) -> Self {
        Shadow {
            execution,
            revision,
            shard,
            open: BTreeMap::new(),
            parents: BTreeMap::new(),
            due: BTreeMap::new(),
            last_ms: 0,
            compared: None,
        }
    }

    /// The program it runs.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.revision.program
    }

    /// The tokens that somebody outside holds and that are waited for.
    pub fn tokens(&self) -> impl Iterator<Item = TaskToken> {
        let arn = &self.execution.info().execution_arn;
        self.open.values().filter(|open| open.nonce != 0 && open.is_out).map(|open| TaskToken {
            execution_arn: arn.clone(),
            scheduled_event: open.scheduled_event,
            nonce: open.nonce,
        })
    }

    fn batch(
        &mut self,
        number: u32,
        records: &[Record],
        now_ms: i64,
        facts: &mut Vec<Fact>,
    ) -> Result<(), String> {
        let arn = self.execution.info().execution_arn.clone();
        if self.execution.next_batch() != number {
            return Err(format!("{arn}: batch {number} follows batch {}", self.execution.next_batch()));
        }
        for record in records {
            let checked = match record {
                Record::Event(event) => self.event(event, now_ms, facts),
                Record::Private(record) => {
                    self.private(record, facts);
                    Ok(())
                }
            };
            let applied = checked.and_then(|()| {
                self.execution.apply(&self.revision.program, record).map_err(|e| e.to_string())
            });
            applied.map_err(|reason| format!("{arn}: {reason}: {record:?}"))?;
        }
        self.execution.end_batch();
        Ok(())
    }

    fn event(&mut self, event: &HistoryEvent, now_ms: i64, facts: &mut Vec<Fact>) -> Result<(), String> {
        self.previous(event)?;
        let at_ms = event.timestamp_ms;
        if at_ms > now_ms {
            return Err(format!("it happens at {at_ms}, and it is {now_ms}"));
        }
        self.last_ms = at_ms;
        let thread = event.thread;
        match &event.details {
            // Its chain is given up, or the whole execution ends: nothing of it is due any more.
            EventDetails::StateAborted { .. }
            | EventDetails::MapIterationAborted { .. }
            | EventDetails::MapIterationFailed { .. } => drop(self.due.remove(&thread)),
            details if details.is_terminal() => {}
            // A chain that rests does nothing else before it is due.
            _ => self.due(thread, at_ms)?,
        }
        match &event.details {
            EventDetails::LambdaFunctionScheduled { scheduled, .. }
            | EventDetails::TaskScheduled { scheduled, .. } => {
                self.schedule(event, scheduled, false, facts)?;
            }
            EventDetails::ActivityScheduled { scheduled, .. } => {
                self.schedule(event, scheduled, true, facts)?
            }
            EventDetails::ActivityStarted { .. } => {
                let attempt = self.heard(event)?;
                facts.push(Fact::Started((self.arn(), attempt)));
            }
            EventDetails::TaskSubmitted { .. } => {
                let attempt = self.heard(event)?;
                facts.push(Fact::Submitted((self.arn(), attempt)));
            }
            EventDetails::TaskStarted { .. } => {
                if let Some(open) = self.open.get_mut(&thread) {
                    open.heard_ms = at_ms;
                }
            }
            EventDetails::LambdaFunctionSucceeded { .. }
            | EventDetails::LambdaFunctionFailed { .. }
            | EventDetails::ActivitySucceeded { .. }
            | EventDetails::ActivityFailed { .. }
            | EventDetails::TaskSucceeded { .. }
            | EventDetails::TaskSubmitFailed { .. }
            | EventDetails::TaskFailed { .. } => {
                let open = self.open.remove(&thread).ok_or("nothing was scheduled that could end")?;
                facts.push(Fact::Answered((self.arn(), open.scheduled_event)));
                facts.push(Fact::Over((self.arn(), open.scheduled_event)));
            }
            EventDetails::LambdaFunctionTimedOut { .. }
            | EventDetails::ActivityTimedOut { .. }
            | EventDetails::TaskTimedOut { .. } => {
                let open = self.open.remove(&thread).ok_or("nothing was scheduled that could time out")?;
                open.may_time_out(at_ms)?;
                facts.push(Fact::Over((self.arn(), open.scheduled_event)));
            }
            EventDetails::ExecutionTimedOut { .. } => {
                let info = self.execution.info();
                let seconds = info.timeout_s.ok_or("it has no TimeoutSeconds")?;
                let begin_ms = self.execution.redriven_ms().unwrap_or(info.start_ms);
                if at_ms < begin_ms + i64::from(seconds) * 1000 {
                    return Err("the execution times out early".into());
                }
            }
            _ => {}
        }
        if event.details.is_terminal() {
            self.over(|_| true, facts);
        }
        Ok(())
    }

    /// Every event of a single chain names the one before it; the exceptions are AWS's.
    fn previous(&self, event: &HistoryEvent) -> Result<(), String> {
        let none = matches!(
            event.details,
            EventDetails::ExecutionStarted { .. }
                | EventDetails::ExecutionAborted { .. }
                | EventDetails::ExecutionTimedOut { .. }
        ) || event.id == 2;
        // Branches and iterations go back and forth; but never ahead.
        // A redriven state goes on after its entry.
        let is_single = self.parents.is_empty() && self.execution.redrive_count() == 0;
        let fits = match (none, is_single && self.is_plain(event)) {
            (true, _) => event.previous_event_id == 0,
            (false, true) => event.previous_event_id + 1 == event.id,
            (false, false) => (1..event.id).contains(&event.previous_event_id),
        };
        if fits { Ok(()) } else { Err(format!("the previous event is not {}", event.previous_event_id)) }
    }

    fn is_plain(&self, event: &HistoryEvent) -> bool {
        !matches!(
            event.details,
            EventDetails::StateExited { state_type: StateType::Parallel | StateType::Map, .. }
                | EventDetails::ParallelStateSucceeded
                | EventDetails::MapStateSucceeded
        )
    }

    fn schedule(
        &mut self,
        event: &HistoryEvent,
        scheduled: &ScheduledResource,
        is_activity: bool,
        facts: &mut Vec<Fact>,
    ) -> Result<(), String> {
        let seconds = |s: u64| event.timestamp_ms.saturating_add_unsigned(s * 1000);
        let open = Open {
            scheduled_event: event.id,
            nonce: scheduled.token_nonce,
            is_activity,
            is_out: false,
            timeout_due_ms: scheduled.timeout_s.map(seconds),
            heartbeat_s: scheduled.heartbeat_s,
            heard_ms: event.timestamp_ms,
        };
        if self.open.insert(event.thread, open).is_some() {
            return Err("an attempt is scheduled while another one is waited for".into());
        }
        facts.push(Fact::Scheduled((self.arn(), event.id)));
        Ok(())
    }

    fn heard(&mut self, event: &HistoryEvent) -> Result<u64, String> {
        let open = self.open.get_mut(&event.thread).ok_or("no attempt is waited for")?;
        if open.is_activity && open.is_out {
            return Err("two workers have taken one task".into());
        }
        open.is_out = true;
        open.heard_ms = event.timestamp_ms;
        Ok(open.scheduled_event)
    }

    /// The chain's Wait or retry is over.
    fn due(&mut self, thread: ThreadId, at_ms: i64) -> Result<(), String> {
        match self.due.remove(&thread) {
            Some(due_ms) if at_ms < due_ms => Err(format!("it is due at {due_ms}, not at {at_ms}")),
            _ => Ok(()),
        }
    }

    fn private(&mut self, record: &PrivateRecord, facts: &mut Vec<Fact>) {
        match record {
            PrivateRecord::WaitScheduled { thread, due_ms }
            | PrivateRecord::RetryScheduled { thread, due_ms, .. } => {
                self.due.insert(*thread, *due_ms);
            }
            PrivateRecord::HeartbeatReceived { thread, at_ms } => {
                let arn = self.arn();
                if let Some(open) = self.open.get_mut(thread) {
                    open.heard_ms = *at_ms;
                    facts.push(Fact::Heard((arn, open.scheduled_event)));
                }
            }
            PrivateRecord::ThreadStarted { thread, parent, .. } => {
                self.parents.insert(*thread, *parent);
            }
            PrivateRecord::ChildrenFailed { parent, .. } => {
                let (parents, parent) = (self.parents.clone(), *parent);
                let is_below = |thread: ThreadId| {
                    let above = std::iter::successors(parents.get(&thread), |t| parents.get(t));
                    above.into_iter().any(|t| *t == parent)
                };
                self.over(is_below, facts);
            }
            _ => {}
        }
    }

    /// Nobody waits any more for the attempts of these chains.
    fn over(&mut self, whose: impl Fn(ThreadId) -> bool, facts: &mut Vec<Fact>) {
        let arn = self.arn();
        self.due.retain(|thread, _| !whose(*thread));
        self.open.retain(|thread, open| {
            let is_over = whose(*thread);
            if is_over {
                facts.push(Fact::Over((arn.clone(), open.scheduled_event)));
            }
            !is_over
        });
    }

    fn arn(&self) -> Arc<str> {
        self.execution.info().execution_arn.clone()
    }
}

impl Open {
    fn may_time_out(&self, at_ms: i64) -> Result<(), String> {
        let heartbeat = self.heartbeat_s.map(|s| self.heard_ms.saturating_add_unsigned(s * 1000));
        let due_ms = [self.timeout_due_ms, heartbeat].into_iter().flatten().min();
        match due_ms {
            Some(due_ms) if due_ms <= at_ms => Ok(()),
            _ => Err(format!("the attempt times out at {at_ms}; it is due at {due_ms:?}")),
        }
    }
}
