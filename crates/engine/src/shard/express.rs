//! Express executions: decided as all others are, and kept in memory alone.
//!
//! What the disk has of one follows from who started it. StartSyncExecution: nothing, unless its machine logs; its
//! answer and its calls leave at once. StartExecution: that it has started, until it has ended. A Map Run: its row, its
//! start and its end, without what happened between. Those that ran when the process died run again, from their start.
//!
//! They have keys of their own, so that [`Shard::command`] tells them from the executions with a journal.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stepwell_asl::payload::Payload;
use stepwell_integrations::Progress;
use stepwell_interpreter::{
    ChildStart, Command, Decision, Effect, EventDetails, Execution, ExecutionInfo, ExecutionKind,
    ExecutionStatus, Record, Stored, decide,
};
use stepwell_store::{ExecutionKey, ExecutionRow, ExpressStart, Outcome, ReadError, Redrives, WriteBatch};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Message, Release, Shard, StartRequest, outcome, perform};
use crate::machines::MachineRevision;
use crate::requests::{StartExecutionError, StartedExecution, SyncExecution};

/// The bit that the keys of Express executions have and no execution in the store does.
const EXPRESS_KEY: u64 = 1 << 63;

/// Express executions that may run on a shard; StartExecution and StartSyncExecution are refused beyond that.
const EXECUTIONS_MAX: usize = 65_536;

/// Bytes of documents that they may hold together, their inputs among them; none is started beyond that.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// An execution is measured again when it has been given as much as it held, and no less than this.
const MEASURE_FROM_BYTES: usize = 256 * 1024;

/// Numbers for [`ExecutionKey`]s that are never stored.
#[derive(Debug)]
pub(crate) struct ExpressKeys(AtomicU64);

impl Default for ExpressKeys {
    fn default() -> Self {
        ExpressKeys(AtomicU64::new(EXPRESS_KEY))
    }
}

impl ExpressKeys {
    fn next(&self) -> ExecutionKey {
        ExecutionKey(self.0.fetch_add(1, Ordering::Relaxed) | EXPRESS_KEY)
    }
}

/// The last parts of the ARNs of Express executions: UUIDs of one engine's own chance, as a simulation has to have it.
#[derive(Debug)]
pub(crate) struct ExpressIds(AtomicU64);

impl ExpressIds {
    /// `entropy` has to be another one at each start of the engine.
    pub(crate) fn new(entropy: u64) -> Self {
        ExpressIds(AtomicU64::new(entropy))
    }

    pub(crate) fn next(&self) -> Uuid {
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        let bits = u128::from(mixed(nth)) << 64 | u128::from(mixed(!nth));
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

/// The finalizer of SplitMix64: neighbours become strangers, and no two the same.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A StartSyncExecution request for a shard.
pub(crate) struct SyncRequest {
    pub info: ExecutionInfo,
    pub revision: Arc<MachineRevision>,
    pub input: Payload,
    pub answer: oneshot::Sender<Result<SyncExecution, StartExecutionError>>,
}

/// The Express executions of a shard.
#[derive(Default)]
pub(super) struct Expresses {
    live: HashMap<ExecutionKey, Express>,
    /// The children of Map Runs among them, by ARN.
    children: HashMap<Arc<str>, ExecutionKey>,
    /// The sum of their [`Express::bytes`].
    bytes: usize,
    /// Children, by ARN, of which it is still open what became of them before their Map Run was redriven.
    undecided: HashMap<Arc<str>, (ChildStart, Arc<MachineRevision>)>,
}

impl Expresses {
    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// What memory holds of them.
    pub(super) fn held(&self) -> [(&'static str, usize); 4] {
        [
            ("Express executions", self.live.len()),
            ("Express child executions", self.children.len()),
            ("bytes of Express executions", self.bytes),
            ("Express child executions to be redriven", self.undecided.len()),
        ]
    }

    fn is_full(&self) -> bool {
        self.live.len() >= EXECUTIONS_MAX || self.bytes >= BYTES_MAX
    }

    /// Counts what a decision gave to an execution. What it has let go is found out now and then: so the count is at
    /// most about twice what is there, and costs as much as the documents that are written.
    fn count(&mut self, key: ExecutionKey, records: &[Record]) {
        let Some(express) = self.live.get_mut(&key) else { return };
        let mut given = 0;
        for record in records {
            record.for_each_stored(|stored| given += stored.payload.byte_len());
        }
        self.bytes -= express.bytes;
        express.bytes += given;
        if express.bytes >= express.measure_at {
            express.bytes = express.execution.held_bytes();
            express.measure_at = express.bytes.saturating_mul(2).max(MEASURE_FROM_BYTES);
        }
        self.bytes += express.bytes;
    }
}

/// An Express execution that runs.
struct Express {
    execution: Execution,
    revision: Arc<MachineRevision>,
    origin: Origin,
    /// About what the documents that it holds take.
    bytes: usize,
    /// How many these may become before they are measured.
    measure_at: usize,
    /// Its entry in [`Shard::timers`].
    timer_ms: Option<i64>,
    /// How many [`Message::ExpressDurable`] are to come before its effects may leave at once: one for its start, where
    /// the disk is to have it, and one for all that waits behind that. Nothing overtakes what was released before.
    held: u32,
}

/// Who started it.
enum Origin {
    /// StartSyncExecution.
    Sync(oneshot::Sender<Result<SyncExecution, StartExecutionError>>),
    /// StartExecution.
    Async {
        /// Whether the store has its start.
        is_stored: bool,
    },
    /// A Map Run.
    Child(Box<Child>),
}

/// What became of an item before its Map Run was redriven.
enum Before {
    /// It is to run.
    Nothing,
    /// This execution did it.
    Success(ExecutionKey, Box<ExecutionRow>),
    /// Its execution is still to be stopped, or may just have ended.
    Undecided,
}

struct Child {
    /// In the store.
    key: ExecutionKey,
    row: ExecutionRow,
    /// Whether the store has it, as running.
    is_stored: bool,
}

/// Whether a key is an Express execution's.
pub(crate) fn is_express(key: ExecutionKey) -> bool {
    key.0 & EXPRESS_KEY != 0
}

impl Shard {
    /// StartExecution of an Express machine. A name may be used as often as one likes.
    pub(super) fn start_express(&mut self, request: StartRequest) {
        let StartRequest { info, revision, input, answer, .. } = request;
        if self.express.is_full() {
            self.figures.throttled.add_alone(1);
            let _ = answer.send(Err(StartExecutionError::Throttled));
            return;
        }
        let info = Arc::new(ExecutionInfo { start_ms: self.now_ms, ..info });
        let started = StartedExecution { execution_arn: info.execution_arn.clone(), start_ms: info.start_ms };
        let start = ExpressStart { info: info.clone(), revision: revision.key, input };
        let input = start.input.clone();
        let (key, decision) = self.begin(info, revision, input, Origin::Async { is_stored: false });
        let has_ended = is_end(&decision);
        let logged = self.log_express(key, &decision);
        if has_ended && !logged {
            // There is nothing left to be lost.
            let _ = answer.send(Ok(started));
            self.end(key, decision);
            return;
        }
        if !has_ended {
            self.store_start(key, &start);
        }
        self.releases.push(Release::Start(answer, Ok(started)));
        self.follow(key, decision, !has_ended);
    }

    /// StartSyncExecution.
    pub(super) fn start_sync(&mut self, request: SyncRequest) {
        let SyncRequest { info, revision, input, answer } = request;
        if self.express.is_full() {
            self.figures.throttled.add_alone(1);
            let _ = answer.send(Err(StartExecutionError::Throttled));
            return;
        }
        let info = Arc::new(ExecutionInfo { start_ms: self.now_ms, ..info });
        let (key, decision) = self.begin(info, revision, input, Origin::Sync(answer));
        self.log_express(key, &decision);
        self.follow(key, decision, false);
    }

    /// Starts an Express child of a Map Run, unless it runs; one that has ended, or had succeeded before the Map Run
    /// was redriven, tells its parent once more.
    pub(super) fn start_express_child(&mut self, child: ChildStart, revision: Arc<MachineRevision>) {
        let arn = child.info.execution_arn.clone();
        if self.express.children.contains_key(&arn) || self.closing.contains_key(&arn) {
            return;
        }
        let found = self.surroundings.executions.find(&arn);
        let before =
            if matches!(found, Ok(None)) { self.before_redrive(&child) } else { Ok(Before::Nothing) };
        match before {
            Ok(Before::Nothing) => {}
            Ok(Before::Success(key, row)) => return self.tell_parent_again(key, &row),
            Ok(Before::Undecided) => {
                self.express.undecided.insert(arn.clone(), (child, revision));
                self.releases.push(Release::Message(Message::StartUndecided { execution_arn: arn }));
                return;
            }
            Err(error) => {
                tracing::error!(execution = %arn, %error, "cannot find out how a child execution ended");
                return;
            }
        }
        let ChildStart { info, input, redrive } = child;
        let (key, row, is_stored) = match found {
            Ok(None) => {
                let row = ExecutionRow {
                    info: Arc::new(ExecutionInfo { start_ms: self.now_ms, ..info }),
                    revision: revision.key,
                    trace_header: None,
                    state_machine_version_arn: None,
                    state_machine_alias_arn: None,
                    outcome: None,
                    redrives: Redrives { of_map_run: redrive, ..Redrives::default() },
                };
                (self.surroundings.executions.new_key(), row, false)
            }
            Ok(Some((key, row))) if row.outcome.is_none() => (key, row, true),
            Ok(Some((key, row))) => return self.tell_parent_again(key, &row),
            Err(error) => {
                tracing::error!(execution = %arn, %error, "cannot find out whether a child execution exists");
                return;
            }
        };
        self.run_child(Child { key, row, is_stored }, revision, input);
    }

    /// What became of an item of a Map Run that was redriven: its execution may have succeeded when the Map Run had
    /// failed already, and was then not heard.
    fn before_redrive(&self, child: &ChildStart) -> Result<Before, ReadError> {
        let executions = &self.surroundings.executions;
        for arn in child.earlier() {
            // In this order: the end is on the disk before the note goes.
            if executions.is_orphan(&arn)? {
                return Ok(Before::Undecided);
            }
            if let Some((key, row)) = executions.find(&arn)? {
                let has_succeeded = row.status() == ExecutionStatus::Succeeded;
                return Ok(if has_succeeded { Before::Success(key, row.into()) } else { Before::Nothing });
            }
        }
        Ok(Before::Nothing)
    }

    pub(super) fn start_undecided(&mut self, execution_arn: &str) {
        if let Some((child, revision)) = self.express.undecided.remove(execution_arn) {
            self.start_express_child(child, revision);
        }
    }

    /// The Map Run of this child is over once more.
    pub(super) fn forget_undecided(&mut self, execution_arn: &str) {
        self.express.undecided.remove(execution_arn);
    }

    fn run_child(&mut self, child: Child, revision: Arc<MachineRevision>, input: Payload) {
        let (arn, is_stored) = (child.row.info.execution_arn.clone(), child.is_stored);
        // A second run has five minutes of its own.
        let info = Arc::new(ExecutionInfo { start_ms: self.now_ms, ..(*child.row.info).clone() });
        let (key, decision) = self.begin(info, revision, input, Origin::Child(Box::new(child)));
        self.express.children.insert(arn, key);
        self.log_express(key, &decision);
        let is_new = !is_stored && !is_end(&decision);
        if is_new {
            self.store_child(key, &decision.records);
        }
        self.follow(key, decision, is_new);
    }

    /// Adds the start of an asynchronous execution to the round's batch.
    fn store_start(&mut self, key: ExecutionKey, start: &ExpressStart) {
        self.surroundings.express_starts.put(&mut self.batch, start);
        if let Some(Express { origin: Origin::Async { is_stored }, .. }) = self.express.live.get_mut(&key) {
            *is_stored = true;
        }
    }

    /// Adds the start of a child to the round's batch.
    fn store_child(&mut self, key: ExecutionKey, records: &[Record]) {
        let Some(Express { origin: Origin::Child(child), .. }) = self.express.live.get_mut(&key) else {
            return;
        };
        let executions = &self.surroundings.executions;
        executions.put_started(&mut self.batch, child.key, &child.row);
        executions.put_records(&mut self.batch, child.key, 0, first(records));
        child.is_stored = true;
    }

    /// Takes note, when the engine starts, of an execution that ran when it stopped.
    pub(crate) fn recover_express(&mut self, start: ExpressStart) {
        self.releases.push(Release::Message(Message::RunExpressAgain(Box::new(start))));
    }

    /// The same for a child of a Map Run.
    pub(crate) fn recover_express_child(&mut self, key: ExecutionKey) {
        self.releases.push(Release::Message(Message::RunExpressChildAgain { key }));
    }

    /// Runs an execution from its start once more.
    pub(super) fn run_express_again(&mut self, start: ExpressStart) {
        let ExpressStart { info, revision, input } = start;
        let Some(revision) = self.surroundings.machines.revision(revision) else {
            tracing::error!(execution = %info.execution_arn, "its definition is missing; it cannot run again");
            return;
        };
        // It has five minutes of its own.
        let info = Arc::new(ExecutionInfo { start_ms: self.now_ms, ..(*info).clone() });
        let (key, decision) = self.begin(info, revision, input, Origin::Async { is_stored: true });
        self.log_express(key, &decision);
        self.follow(key, decision, false);
    }

    /// Runs a child from its start once more, unless its Map Run has asked for it meanwhile.
    pub(super) fn run_express_child_again(&mut self, key: ExecutionKey) {
        match self.stored_child(key) {
            Ok(Some((row, revision, input))) => {
                let arn = &row.info.execution_arn;
                if !self.express.children.contains_key(arn) && !self.closing.contains_key(arn) {
                    self.run_child(Child { key, row, is_stored: true }, revision, input);
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(execution = key.0, %error, "cannot run a child execution again"),
        }
    }

    fn stored_child(
        &self,
        key: ExecutionKey,
    ) -> Result<Option<(ExecutionRow, Arc<MachineRevision>, Payload)>, ReadError> {
        let executions = &self.surroundings.executions;
        let Some(row) = executions.row(key)?.filter(|row| row.outcome.is_none()) else { return Ok(None) };
        let Some(revision) = self.surroundings.machines.revision(row.revision) else { return Ok(None) };
        let input = executions.payload(key, 0, 0)?;
        Ok(Some((row, revision, input)))
    }

    /// The child with this ARN, where it is one of ours and runs.
    pub(super) fn express_child(&self, execution_arn: &str) -> Option<ExecutionKey> {
        self.express.children.get(execution_arn).copied()
    }

    /// Stops the child with this ARN, where it is one that ran when the engine stopped and has not begun again; says
    /// whether it is.
    pub(super) fn stop_express_child(&mut self, execution_arn: &str) -> bool {
        if ExecutionKind::of_arn(execution_arn) == ExecutionKind::Standard
            || self.closing.contains_key(execution_arn)
        {
            return false;
        }
        let executions = &self.surroundings.executions;
        let Ok(Some((key, _))) = executions.find(execution_arn) else { return false };
        let Ok(Some((row, revision, _))) = self.stored_child(key) else { return false };
        let mut execution = Execution::new(row.info.clone());
        // Its start, and nothing after it.
        let folded = executions.replay(key, |_, records| {
            for record in &records {
                execution.apply(&revision.program, record).map_err(|e| e.to_string())?;
            }
            execution.end_batch();
            Ok(())
        });
        if let Err(error) = folded {
            tracing::error!(execution = execution_arn, %error, "cannot stop a child execution");
            return false;
        }
        let (stop, moment) = (Command::Stop { error: None, cause: None }, self.moment());
        let decision = decide(&revision.program, &mut execution, stop, moment);
        let Some(outcome) = outcome(&decision, &execution, self.now_ms) else { return false };
        self.figures.decided(&decision.records);
        self.figures.ended(outcome.status);
        if let Some(log) = self.surroundings.machines.execution_log() {
            log.log(&mut self.batch, &revision, &row.info, 0, &decision.records);
        }
        self.end_child(Child { key, row, is_stored: true }, outcome, &decision);
        true
    }

    /// Lets the interpreter decide, as [`Shard::command`] does for the others.
    pub(super) fn command_express(&mut self, key: ExecutionKey, command: Command) {
        let moment = self.moment();
        let Some(express) = self.express.live.get_mut(&key) else { return };
        if matches!(command, Command::Tick) {
            express.timer_ms = None;
        }
        let decision = decide(&express.revision.program, &mut express.execution, command, moment);
        self.figures.decided(&decision.records);
        self.express.count(key, &decision.records);
        self.log_express(key, &decision);
        self.follow(key, decision, false);
    }

    /// What was released before this has left.
    pub(super) fn express_durable(&mut self, key: ExecutionKey) {
        if let Some(express) = self.express.live.get_mut(&key) {
            express.held = express.held.saturating_sub(1);
        }
    }

    fn begin(
        &mut self,
        info: Arc<ExecutionInfo>,
        revision: Arc<MachineRevision>,
        input: Payload,
        origin: Origin,
    ) -> (ExecutionKey, Decision) {
        let key = self.surroundings.express_keys.next();
        let mut execution = Execution::new(info);
        let moment = self.moment();
        let decision = decide(&revision.program, &mut execution, Command::Start { input }, moment);
        self.figures.started.add_alone(1);
        self.figures.decided(&decision.records);
        let express = Express {
            execution,
            revision,
            origin,
            bytes: 0,
            measure_at: MEASURE_FROM_BYTES,
            timer_ms: None,
            held: 0,
        };
        self.express.live.insert(key, express);
        self.express.count(key, &decision.records);
        (key, decision)
    }

    /// Logs what happened, where the machine wants it; whether it did.
    fn log_express(&mut self, key: ExecutionKey, decision: &Decision) -> bool {
        let Some(log) = self.surroundings.machines.execution_log() else { return false };
        let Some(Express { execution, revision, .. }) = self.express.live.get(&key) else { return false };
        let mut logged = WriteBatch::new();
        log.log(&mut logged, revision, execution.info(), 0, &decision.records);
        let is_any = !logged.is_empty();
        self.batch.append(logged);
        is_any
    }

    /// Sends out what follows from a decision; of a start that the round's batch has, once that is durable.
    fn follow(&mut self, key: ExecutionKey, decision: Decision, is_stored_now: bool) {
        if is_end(&decision) {
            self.end(key, decision);
            return;
        }
        let Some(express) = self.express.live.get_mut(&key) else { return };
        let is_held = is_stored_now || express.held > 0;
        express.held += u32::from(is_held);
        let due_ms = express.execution.next_due_ms();
        let old_ms = std::mem::replace(&mut express.timer_ms, due_ms);
        if old_ms != due_ms {
            old_ms.map(|old_ms| self.timers.remove(&(old_ms, key)));
            self.timers.extend(due_ms.map(|due_ms| (due_ms, key)));
        }
        let info = express.execution.info().clone();
        let mut goes_on = false;
        for effect in decision.effects {
            let release = match effect {
                Effect::Dispatch(dispatch) => self.hand_out(key, &info, &dispatch, Progress::New),
                Effect::Cancel { scheduled_event } => Release::Cancel((key, scheduled_event)),
                Effect::Continue => {
                    goes_on = true;
                    continue;
                }
                // No Express machine has a Distributed Map.
                Effect::StartChild(_) | Effect::StopChild { .. } | Effect::Finished { .. } => continue,
            };
            self.release_express(is_held, release);
        }
        // After its calls, lest a later Cancel come before them; before it goes on, which then is held no more.
        if is_held {
            self.releases.push(Release::Message(Message::ExpressDurable { key }));
        }
        if goes_on {
            self.release_express(is_held, Release::Message(Message::Continue { key }));
        }
    }

    fn release_express(&mut self, is_held: bool, release: Release) {
        if is_held {
            self.releases.push(release);
        } else {
            perform(release, &Ok(()), &self.surroundings, &self.itself);
        }
    }

    /// Lets an execution go that `decision` has ended.
    fn end(&mut self, key: ExecutionKey, decision: Decision) {
        let Some(express) = self.express.live.remove(&key) else { return };
        let Express { execution, origin, bytes, timer_ms, held, .. } = express;
        self.express.bytes -= bytes;
        timer_ms.map(|due_ms| self.timers.remove(&(due_ms, key)));
        for effect in &decision.effects {
            if let Effect::Cancel { scheduled_event } = effect {
                self.release_express(held > 0, Release::Cancel((key, *scheduled_event)));
            }
        }
        let Some(outcome) = outcome(&decision, &execution, self.now_ms) else { return };
        let info = execution.info();
        self.figures.ended(outcome.status);
        tracing::debug!(execution = %info.execution_arn, status = outcome.status.name(), "execution ended");
        match origin {
            Origin::Sync(answer) => {
                let ended = SyncExecution {
                    info: info.clone(),
                    status: outcome.status,
                    stop_ms: outcome.stop_ms,
                    input: execution
                        .input()
                        .map_or_else(Payload::empty_object, |input| input.payload.clone()),
                    output: output(&decision),
                    error: outcome.error,
                    cause: outcome.cause,
                };
                // A caller who has gone has not stopped it.
                let _ = answer.send(Ok(ended));
            }
            Origin::Async { is_stored: false } => {}
            Origin::Async { is_stored: true } => {
                self.surroundings.express_starts.delete(&mut self.batch, &info.execution_arn);
            }
            Origin::Child(child) => self.end_child(*child, outcome, &decision),
        }
    }

    fn end_child(&mut self, child: Child, mut outcome: Outcome, decision: &Decision) {
        let Child { key, mut row, is_stored } = child;
        self.express.children.remove(&row.info.execution_arn);
        let executions = &self.surroundings.executions;
        let (number, records) = ends(decision, is_stored);
        outcome.output = records.iter().find_map(|record| stored_output(record)).map(|s| (s.batch, s.index));
        row.outcome = Some(outcome.clone());
        if is_stored {
            executions.put_closed(&mut self.batch, key, &row);
        } else {
            executions.put_started(&mut self.batch, key, &row);
        }
        executions.put_records(&mut self.batch, key, number, &records);
        self.tell_parent(&row.info, row.redrives.of_map_run, output(decision));
        self.closed(&row.info.execution_arn, &outcome);
    }
}

/// How the journal of a child ends: its batch, with its last event alone, or its first and its last where it has none
/// yet.
fn ends(decision: &Decision, is_begun: bool) -> (u32, Vec<Record>) {
    let mut records = if is_begun { Vec::new() } else { first(&decision.records).to_vec() };
    // The input is the first payload of the first batch; the output, also where it is the same, the next.
    let (batch, index) = if is_begun { (1, 0) } else { (0, 1) };
    let last = decision.records.iter().rev().find(|record| matches!(record, Record::Event(_)));
    records.extend(last.cloned().map(|mut record| {
        if let Record::Event(event) = &mut record
            && let EventDetails::ExecutionSucceeded { output } = &mut event.details
        {
            *output = Stored { batch, index, payload: output.payload.clone() };
        }
        record
    }));
    (batch, records)
}

/// The start alone of an execution's first decision.
fn first(records: &[Record]) -> &[Record] {
    records.get(..1).unwrap_or_default()
}

fn stored_output(record: &Record) -> Option<&Stored> {
    match record {
        Record::Event(event) => match &event.details {
            EventDetails::ExecutionSucceeded { output } => Some(output),
            _ => None,
        },
        Record::Private(_) => None,
    }
}

fn is_end(decision: &Decision) -> bool {
    decision.effects.iter().any(|effect| matches!(effect, Effect::Finished { .. }))
}

fn output(decision: &Decision) -> Option<Payload> {
    decision.effects.iter().find_map(|effect| match effect {
        Effect::Finished { output, .. } => output.as_ref().map(|stored| stored.payload.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_and_ids_are_nobody_elses() {
        let (keys, ids) = (ExpressKeys::default(), ExpressIds::new(u64::MAX - 10));
        let (first, second) = (keys.next(), keys.next());
        assert!(is_express(first) && is_express(second) && first != second);
        assert!(!is_express(ExecutionKey(u64::MAX >> 1)));
        let ids: BTreeSet<Uuid> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
    }

    #[test]
    fn a_shard_takes_no_more_than_its_share() {
        let mut all = Expresses::default();
        assert!(!all.is_full());
        all.bytes = BYTES_MAX;
        assert!(all.is_full());
    }
}
