//! Drives one execution in one thread: tasks answer at once or never, and time jumps to whatever is due next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use stepwell_asl::Program;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::ResourceKind;
use stepwell_interpreter::{
    ChildOf, ChildStart, Command, Effect, EventDetails, Execution, ExecutionInfo, ExecutionStatus,
    HistoryEvent, Moment, PrivateRecord, Record, TaskDispatch, TaskReply, ThreadId, decide,
};

/// Rounds after which an execution is given up.
const ROUNDS_MAX: usize = 100_000;

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    /// `RUNNING` where it waits for a task that never answers.
    pub status: ExecutionStatus,
    /// Of `SUCCEEDED`.
    pub output: Option<Payload>,
    /// Where there is one.
    pub error: Option<Arc<str>>,
    /// Where there is one.
    pub cause: Option<Arc<str>>,
    /// The records of each decision.
    pub batches: Vec<Vec<Record>>,
    /// How its child executions have run so far, by their ARNs.
    pub children: BTreeMap<Arc<str>, Child>,
}

/// A child execution of a Map Run.
#[derive(Debug)]
pub struct Child {
    /// What was fixed at its start.
    pub info: Arc<ExecutionInfo>,
    /// How it has run.
    pub ran: Ran,
}

impl Ran {
    /// The whole history.
    #[must_use]
    pub fn history(&self) -> Vec<HistoryEvent> {
        events(&self.batches)
    }
}

fn events(batches: &[Vec<Record>]) -> Vec<HistoryEvent> {
    let records = batches.iter().flatten();
    records
        .filter_map(|record| match record {
            Record::Event(event) => Some(event.clone()),
            Record::Private(_) => None,
        })
        .collect()
}

/// An attempt at a task, as a script sees it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The state that asks.
    pub state: String,
    /// How often this state has asked before.
    pub nth: usize,
    /// What it asks for.
    pub dispatch: &'a TaskDispatch,
}

/// How a task behaves.
#[derive(Debug, Default)]
pub struct Behaviour {
    /// A worker takes it, under this name.
    pub worker_name: Option<Arc<str>>,
    /// What the call that submits a job or passes a token on is answered.
    pub submitted: Option<Payload>,
    /// How it ends; `None` is never.
    pub end: Option<TaskReply>,
}

impl Behaviour {
    /// It just ends, or never does.
    #[must_use]
    pub fn of(end: Option<TaskReply>) -> Self {
        Behaviour { end, ..Behaviour::default() }
    }

    fn commands(self, dispatch: &TaskDispatch) -> Vec<Command> {
        let scheduled_event = dispatch.scheduled_event;
        let mut commands = Vec::new();
        let is_activity = matches!(dispatch.resource.kind, ResourceKind::Activity);
        if is_activity && (self.worker_name.is_some() || self.end.is_some()) {
            commands.push(Command::ActivityStarted { scheduled_event, worker_name: self.worker_name });
        }
        let was_submitted = self.submitted.is_some();
        if let Some(output) = self.submitted {
            commands.push(Command::TaskSubmitted { scheduled_event, output });
        }
        if let Some(reply) = self.end {
            commands.push(if is_activity || was_submitted {
                Command::TokenEnded { scheduled_event, reply }
            } else {
                Command::CallEnded { scheduled_event, reply }
            });
        }
        commands
    }
}

/// What tasks do. Must say the same for the same question, as a task that is dispatched again after a crash would.
pub type Answer<'a, E> = &'a mut dyn FnMut(&Asked<'_>) -> Result<Behaviour, E>;

/// What the clock does when nobody has anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// It jumps to what is due next.
    Jumps,
    /// It stands, and the run is over: for executions that are looked at while they wait.
    Stands,
}

/// Milliseconds between an end without success and the redrive.
const REDRIVEN_AFTER_MS: i64 = 60_000;

/// Runs an execution from its start.
pub fn run<E>(
    program: &Program,
    info: &Arc<ExecutionInfo>,
    input: Payload,
    time: Time,
    answer: Answer<'_, E>,
) -> Result<Ran, E> {
    run_redriven(program, info, input, (time, 0), answer)
}

/// The same; where it ends without success it is redriven, so many times at the most.
pub fn run_redriven<E>(
    program: &Program,
    info: &Arc<ExecutionInfo>,
    input: Payload,
    (time, redrives): (Time, u32),
    answer: Answer<'_, E>,
) -> Result<Ran, E> {
    let commands = VecDeque::from([Command::Start { input }]);
    let clock = Clock { now_ms: info.start_ms, time, redrives };
    go(program, Execution::new(info.clone()), clock, Ran::new(Vec::new()), commands, answer)
}

/// When it is, and what happens when nobody has anything to do.
struct Clock {
    now_ms: i64,
    time: Time,
    redrives: u32,
}

impl Ran {
    fn new(batches: Vec<Vec<Record>>) -> Ran {
        let (status, children) = (ExecutionStatus::Running, BTreeMap::new());
        Ran { status, output: None, error: None, cause: None, batches, children }
    }
}

/// Goes on with an execution of which `batches` were stored when everything else was lost.
///
/// # Panics
/// Where the batches do not fit together.
pub fn resume<E>(
    program: &Program,
    info: &Arc<ExecutionInfo>,
    batches: &[Vec<Record>],
    redrives: u32,
    answer: Answer<'_, E>,
) -> Result<Ran, E> {
    let (execution, now_ms) = fold(program, info, batches);
    let redrives = redrives - execution.redrive_count();
    let clock = Clock { now_ms, time: Time::Jumps, redrives };
    go_on(program, execution, clock, Ran::new(batches.to_vec()), answer)
}

/// What `batches` make of an execution, and when the last of them was.
fn fold(program: &Program, info: &Arc<ExecutionInfo>, batches: &[Vec<Record>]) -> (Execution, i64) {
    let mut execution = Execution::new(info.clone());
    let mut now_ms = info.start_ms;
    for batch in batches {
        for record in batch {
            execution.apply(program, record).expect("what was decided can be applied");
            if let Record::Event(event) = record {
                now_ms = event.timestamp_ms;
            }
        }
        execution.end_batch();
    }
    (execution, now_ms)
}

/// Goes on with an execution that is there again after everything else was lost.
fn go_on<E>(
    program: &Program,
    mut execution: Execution,
    clock: Clock,
    mut ran: Ran,
    answer: Answer<'_, E>,
) -> Result<Ran, E> {
    ran.status = execution.status();
    let mut commands = VecDeque::new();
    if ran.status == ExecutionStatus::Running {
        for effect in stepwell_interpreter::resume(program, &mut execution) {
            commands.extend(perform(program, &mut ran, clock.now_ms, effect, answer)?);
        }
    }
    go(program, execution, clock, ran, commands, answer)
}

fn go<E>(
    program: &Program,
    mut execution: Execution,
    mut clock: Clock,
    mut ran: Ran,
    mut commands: VecDeque<Command>,
    answer: Answer<'_, E>,
) -> Result<Ran, E> {
    for _ in 0..ROUNDS_MAX {
        let command = match (commands.pop_front(), execution.next_due_ms()) {
            (Some(command), _) => command,
            (None, Some(due_ms)) if clock.time == Time::Jumps => {
                clock.now_ms = clock.now_ms.max(due_ms);
                Command::Tick
            }
            (None, None) if execution.status().is_unsuccessful() && clock.redrives > 0 => {
                clock.redrives -= 1;
                clock.now_ms += REDRIVEN_AFTER_MS;
                Command::Redrive
            }
            (None, _) => break,
        };
        // The same chance for the same batch, whether before or after a crash.
        let moment = Moment { now_ms: clock.now_ms, entropy: u64::from(execution.next_batch()) };
        let decision = decide(program, &mut execution, command, moment);
        if !decision.records.is_empty() {
            ran.status = ExecutionStatus::Running;
            ran.batches.push(decision.records);
        }
        for effect in decision.effects {
            match effect {
                Effect::Finished { status, output, error, cause } => {
                    (ran.status, ran.error, ran.cause) = (status, error, cause);
                    ran.output = output.map(|stored| stored.payload);
                }
                effect => commands.extend(perform(program, &mut ran, clock.now_ms, effect, answer)?),
            }
        }
    }
    Ok(ran)
}

/// What comes back from an effect.
fn perform<E>(
    program: &Program,
    ran: &mut Ran,
    now_ms: i64,
    effect: Effect,
    answer: Answer<'_, E>,
) -> Result<Vec<Command>, E> {
    match effect {
        Effect::Dispatch(dispatch) => Ok(answer(&asked(&ran.history(), &dispatch))?.commands(&dispatch)),
        Effect::Continue => Ok(vec![Command::Continue]),
        Effect::StartChild(child) => {
            let Some(ChildOf { map_run_arn, thread, index, .. }) = child.info.child_of.clone() else {
                return Ok(Vec::new());
            };
            let redrive = child.redrive;
            let output = run_child(program, &mut ran.children, now_ms, *child, answer)?;
            Ok(vec![Command::ChildEnded { thread, map_run_arn, index, redrive, output }])
        }
        Effect::StopChild { .. } | Effect::Cancel { .. } | Effect::Finished { .. } => Ok(Vec::new()),
    }
}

/// A child execution runs to its end at once; one that is there already, and failed, is redriven.
fn run_child<E>(
    program: &Program,
    children: &mut BTreeMap<Arc<str>, Child>,
    now_ms: i64,
    start: ChildStart,
    answer: Answer<'_, E>,
) -> Result<Option<Payload>, E> {
    let arn = start.info.execution_arn.clone();
    let (info, ran) = match children.remove(&arn) {
        Some(Child { info, ran }) if ran.status.is_unsuccessful() => {
            let (execution, _) = fold(program, &info, &ran.batches);
            let clock = Clock { now_ms: now_ms - REDRIVEN_AFTER_MS, time: Time::Jumps, redrives: 1 };
            (info, go_on(program, execution, clock, ran, answer)?)
        }
        Some(Child { info, ran }) => (info, ran),
        None => {
            let info = Arc::new(ExecutionInfo { start_ms: now_ms, ..start.info });
            let ran = run(program, &info, start.input, Time::Jumps, answer)?;
            (info, ran)
        }
    };
    let output = ran.output.clone();
    children.insert(arn, Child { info, ran });
    Ok(output)
}

fn asked<'a>(history: &[HistoryEvent], dispatch: &'a TaskDispatch) -> Asked<'a> {
    let mut states: HashMap<ThreadId, &str> = HashMap::new();
    let mut schedules: Vec<&str> = Vec::new();
    for event in history.iter().filter(|event| event.id <= dispatch.scheduled_event) {
        match &event.details {
            EventDetails::StateEntered { name, .. } => drop(states.insert(event.thread, name)),
            EventDetails::TaskScheduled { .. }
            | EventDetails::ActivityScheduled { .. }
            | EventDetails::LambdaFunctionScheduled { .. } => {
                schedules.push(states.get(&event.thread).copied().unwrap_or_default());
            }
            _ => {}
        }
    }
    let state = states.get(&dispatch.thread).copied().unwrap_or_default();
    // The last one is the attempt itself.
    let nth = schedules.iter().filter(|s| **s == state).count().saturating_sub(1);
    Asked { state: state.to_owned(), nth, dispatch }
}

/// One line per record, as specifications write them: id, previous id, type, state, payload or error; `@` seconds
/// since the start where time has passed.
#[must_use]
pub fn describe(start_ms: i64, batches: &[Vec<Record>]) -> Vec<String> {
    let mut lines = Vec::new();
    for record in batches.iter().flatten() {
        match record {
            Record::Event(event) => {
                let json = stepwell_server::history::event(event, true);
                let mut line = format!(
                    "{}<{} {}",
                    event.id,
                    event.previous_event_id,
                    json["type"].as_str().unwrap_or("?")
                );
                let details =
                    json.as_object().and_then(|o| o.iter().find(|(k, _)| k.ends_with("EventDetails")));
                for member in [
                    "name",
                    "resourceType",
                    "resource",
                    "input",
                    "output",
                    "parameters",
                    "timeoutInSeconds",
                    "error",
                    "cause",
                    "assignedVariables",
                ] {
                    let value = details.and_then(|(_, d)| d.get(member));
                    if let Some(value) = value {
                        line.push(' ');
                        line.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                    }
                }
                push_time(&mut line, event.timestamp_ms - start_ms);
                lines.push(line);
            }
            Record::Private(PrivateRecord::WaitScheduled { due_ms, .. }) => {
                lines.push(format!("(wait until @{})", seconds(due_ms - start_ms)));
            }
            Record::Private(PrivateRecord::RetryScheduled { retrier, due_ms, .. }) => {
                lines.push(format!("(retrier {retrier} at @{})", seconds(due_ms - start_ms)));
            }
            Record::Private(PrivateRecord::HeartbeatReceived { at_ms, .. }) => {
                lines.push(format!("(heartbeat at @{})", seconds(at_ms - start_ms)));
            }
            Record::Private(PrivateRecord::ThreadStarted { index, .. }) => {
                lines.push(format!("(child {index} begins)"))
            }
            Record::Private(PrivateRecord::MapItemsKept { items, .. }) => {
                lines.push(format!("(items {})", items.payload.text()));
            }
            Record::Private(PrivateRecord::MapItemsBatched { ends, .. }) => {
                lines.push(format!("(batches up to items {ends:?})"));
            }
            Record::Private(PrivateRecord::ChildExecutionStarted { index, .. }) => {
                lines.push(format!("(child execution {index} begins)"));
            }
            Record::Private(PrivateRecord::ChildExecutionEnded { index, output, .. }) => {
                let how = if output.is_some() { "succeeds" } else { "fails" };
                lines.push(format!("(child execution {index} {how})"));
            }
            Record::Private(PrivateRecord::MapRunUpdated { settings, .. }) => {
                lines.push(format!("(Map Run updated: {settings:?})"));
            }
            Record::Private(PrivateRecord::BranchSucceeded { .. }) => lines.push("(branch ends)".to_owned()),
            Record::Private(PrivateRecord::ChildrenFailed { failing_event, .. }) => {
                lines.push(format!("(children fail by {failing_event})"));
            }
        }
    }
    lines
}

fn push_time(line: &mut String, ms: i64) {
    if ms != 0 {
        line.push_str(" @");
        line.push_str(&seconds(ms));
    }
}

#[allow(clippy::cast_precision_loss)]
fn seconds(ms: i64) -> String {
    format!("{}", ms as f64 / 1000.0)
}
