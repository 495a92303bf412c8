//! The records of an execution as spans.
//!
//! The execution is the root; each visit of a state is a span below it, or below the Parallel or Map state whose branch
//! or iteration it belongs to; each attempt at a task is a span below its state. Retries are events of the state's span.
//! Names of errors are told, their causes and all payloads are not: they are the user's data.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use stepwell_interpreter::{EventDetails, ExecutionStatus, HistoryEvent, PrivateRecord, Record, ThreadId};
use stepwell_store::ExecutionRow;

use super::context::{TraceContext, root_id, span_id};

/// The records up to the event of this number.
pub(super) fn until(records: &[Record], last_event_id: u64) -> &[Record] {
    let is_later = |record: &Record| matches!(record, Record::Event(event) if event.id > last_event_id);
    &records[..records.iter().position(is_later).unwrap_or(records.len())]
}

/// When the execution began, or was redriven last as far as `records` know.
pub(super) fn begin_ms(row: &ExecutionRow, records: &[Record]) -> i64 {
    let redriven = records.iter().rev().find_map(|record| match record {
        Record::Event(event) if matches!(event.details, EventDetails::ExecutionRedriven { .. }) => {
            Some(event.timestamp_ms)
        }
        _ => None,
    });
    redriven.unwrap_or(row.info.start_ms)
}

/// The spans of an execution whose records end with its end, its own last: those of its last run, if it was redriven.
/// The row may tell of a later time.
pub(super) fn of(row: &ExecutionRow, records: &[Record], context: TraceContext) -> Vec<SpanData> {
    let mut making = Making {
        execution_arn: &row.info.execution_arn,
        context,
        root: root_id(&row.info.execution_arn, 0),
        begin: time(row.info.start_ms),
        parents: HashMap::new(),
        states: HashMap::new(),
        now: time(row.info.start_ms),
        done: Vec::new(),
    };
    for record in records {
        match record {
            Record::Event(event) => making.event(event),
            Record::Private(record) => making.private(record),
        }
    }
    making.finish(row, records)
}

struct Making<'a> {
    execution_arn: &'a str,
    context: TraceContext,
    root: SpanId,
    /// When the execution began, or was redriven.
    begin: SystemTime,
    /// Whose branch or iteration a chain is, and which.
    parents: HashMap<ThreadId, (ThreadId, u32)>,
    /// The state that each chain visits.
    states: HashMap<ThreadId, Visit>,
    /// When the last event happened.
    now: SystemTime,
    done: Vec<SpanData>,
}

/// A state that is visited.
struct Visit {
    span: SpanData,
    task: Option<SpanData>,
    attempts: i64,
}

impl Making<'_> {
    fn event(&mut self, event: &HistoryEvent) {
        use EventDetails as E;
        self.now = time(event.timestamp_ms);
        let thread = event.thread;
        match &event.details {
            E::ExecutionRedriven { redrive_count } => self.redriven(event.id, *redrive_count),
            E::StateEntered { state_type, name, .. } => self.enter(event, state_type.name(), name),
            E::StateExited { .. } => self.leave(thread, None),
            E::StateAborted { .. } => self.leave(thread, Some("aborted")),
            E::LambdaFunctionScheduled { resource, .. } => {
                self.attempt(event, "lambda".into(), vec![attribute("stepwell.task.resource", resource)]);
            }
            E::ActivityScheduled { resource, .. } => {
                let activity = attribute("aws.step_functions.activity.arn", resource);
                self.attempt(event, "activity".into(), vec![activity]);
            }
            E::TaskScheduled { resource, .. } => {
                let name = format!("{}:{}", resource.resource_type, resource.resource);
                let resource_type = attribute("stepwell.task.resource_type", &resource.resource_type);
                let api = attribute("stepwell.task.resource", &resource.resource);
                self.attempt(event, name.into(), vec![resource_type, api]);
            }
            E::TaskSubmitted { .. } => self.note_task(thread, "submitted"),
            E::ActivityStarted { .. } => self.note_task(thread, "started"),
            E::LambdaFunctionSucceeded { .. } | E::ActivitySucceeded { .. } | E::TaskSucceeded { .. } => {
                self.end_task(thread, None);
            }
            E::LambdaFunctionFailed { error, .. }
            | E::LambdaFunctionTimedOut { error, .. }
            | E::ActivityFailed { error, .. }
            | E::ActivityTimedOut { error, .. }
            | E::TaskSubmitFailed { error, .. }
            | E::TaskFailed { error, .. }
            | E::TaskTimedOut { error, .. } => {
                self.end_task(thread, Some(error.as_deref().unwrap_or("failed")));
            }
            E::EvaluationFailed { error, .. } => {
                let now = self.now;
                if let Some(visit) = self.states.get_mut(&thread) {
                    note(&mut visit.span, "evaluation failed", now, vec![attribute("error.type", error)]);
                }
            }
            _ => {}
        }
    }

    fn private(&mut self, record: &PrivateRecord) {
        match record {
            PrivateRecord::ThreadStarted { thread, parent, index, .. } => {
                self.parents.insert(*thread, (*parent, *index));
            }
            PrivateRecord::RetryScheduled { thread, due_ms, .. } => {
                let now = self.now;
                if let Some(visit) = self.states.get_mut(thread) {
                    let wait = time(*due_ms).duration_since(now).unwrap_or_default();
                    let wait = KeyValue::new("stepwell.retry.delay_s", wait.as_secs_f64());
                    note(&mut visit.span, "retry", now, vec![wait]);
                }
            }
            PrivateRecord::ChildrenFailed { parent, .. } => {
                let mut gone: Vec<ThreadId> =
                    self.states.keys().copied().filter(|thread| self.is_below(*thread, *parent)).collect();
                gone.sort_unstable();
                for thread in gone {
                    self.leave(thread, Some("aborted"));
                }
            }
            _ => {}
        }
    }

    fn is_below(&self, thread: ThreadId, ancestor: ThreadId) -> bool {
        let mut at = thread;
        // A chain is younger than the one that began it, so this ends.
        while let Some((parent, _)) = self.parents.get(&at).filter(|(parent, _)| *parent < at) {
            if *parent == ancestor {
                return true;
            }
            at = *parent;
        }
        false
    }

    /// What was before has been exported when the execution ended; from here on it is a second root in the same trace.
    /// States that go on are visited anew.
    fn redriven(&mut self, event_id: u64, redrive: u32) {
        self.done.clear();
        self.begin = self.now;
        self.root = root_id(self.execution_arn, redrive);
        let mut threads: Vec<ThreadId> = self.states.keys().copied().collect();
        threads.sort_unstable();
        for thread in threads {
            let parent = self.parent(thread);
            let id = span_id(self.execution_arn, (event_id << 32) | (u64::from(thread.0) + 1));
            let context = self.span_context(id);
            if let Some(visit) = self.states.get_mut(&thread) {
                visit.task = None;
                visit.span.span_context = context;
                visit.span.parent_span_id = parent;
                visit.span.start_time = self.now;
                visit.span.events = SpanEvents::default();
            }
        }
    }

    /// The span that those of a chain's states are below.
    fn parent(&self, thread: ThreadId) -> SpanId {
        let parent = self.parents.get(&thread).and_then(|(parent, _)| self.states.get(parent));
        parent.map_or(self.root, |visit| visit.span.span_context.span_id())
    }

    fn span_context(&self, id: SpanId) -> SpanContext {
        SpanContext::new(self.context.trace_id, id, TraceFlags::SAMPLED, false, TraceState::default())
    }

    fn enter(&mut self, event: &HistoryEvent, state_type: &'static str, name: &str) {
        let place = self.parents.get(&event.thread).copied();
        let parent = self.parent(event.thread);
        let mut attributes =
            vec![attribute("stepwell.state.name", name), attribute("stepwell.state.type", state_type)];
        if let Some((_, index)) = place {
            attributes.push(KeyValue::new("stepwell.branch.index", i64::from(index)));
        }
        let name = name.to_owned().into();
        let span = self.span(event.id, parent, SpanKind::Internal, name, attributes);
        self.states.insert(event.thread, Visit { span, task: None, attempts: 0 });
    }

    /// Ends the visit of a state, and the attempt that it may have under way.
    fn leave(&mut self, thread: ThreadId, error: Option<&str>) {
        let Some(mut visit) = self.states.remove(&thread) else { return };
        if let Some(task) = visit.task.take() {
            self.end(task, error);
        }
        self.end(visit.span, error);
    }

    fn attempt(&mut self, event: &HistoryEvent, name: Cow<'static, str>, mut attributes: Vec<KeyValue>) {
        let Some(visit) = self.states.get_mut(&event.thread) else { return };
        visit.attempts += 1;
        attributes.push(KeyValue::new("stepwell.task.attempt", visit.attempts));
        let parent = visit.span.span_context.span_id();
        let span = self.span(event.id, parent, SpanKind::Client, name, attributes);
        if let Some(visit) = self.states.get_mut(&event.thread) {
            visit.task = Some(span);
        }
    }

    fn note_task(&mut self, thread: ThreadId, name: &'static str) {
        let now = self.now;
        if let Some(task) = self.states.get_mut(&thread).and_then(|visit| visit.task.as_mut()) {
            note(task, name, now, Vec::new());
        }
    }

    fn end_task(&mut self, thread: ThreadId, error: Option<&str>) {
        if let Some(task) = self.states.get_mut(&thread).and_then(|visit| visit.task.take()) {
            self.end(task, error);
        }
    }

    fn span(
        &self,
        event_id: u64,
        parent_span_id: SpanId,
        span_kind: SpanKind,
        name: Cow<'static, str>,
        attributes: Vec<KeyValue>,
    ) -> SpanData {
        SpanData {
            span_context: self.span_context(span_id(self.execution_arn, event_id)),
            parent_span_id,
            parent_span_is_remote: false,
            span_kind,
            name,
            start_time: self.now,
            end_time: self.now,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("stepwell")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }

    fn end(&mut self, mut span: SpanData, error: Option<&str>) {
        span.end_time = self.now;
        if let Some(error) = error {
            span.attributes.push(attribute("error.type", error));
            span.status = Status::error(error.to_owned());
        }
        self.done.push(span);
    }

    fn finish(mut self, row: &ExecutionRow, records: &[Record]) -> Vec<SpanData> {
        let info = &row.info;
        let Some((status, error)) = end(records) else { return Vec::new() };
        let failed = (status != ExecutionStatus::Succeeded)
            .then(|| error.as_deref().unwrap_or(status.name()).to_owned());
        let mut open: Vec<ThreadId> = self.states.keys().copied().collect();
        // Inner ones first.
        open.sort_unstable_by(|a, b| b.cmp(a));
        for thread in open {
            self.leave(thread, failed.as_deref());
        }
        let attributes = vec![
            attribute("aws.step_functions.state_machine.arn", &info.state_machine_arn),
            attribute("stepwell.execution.arn", &info.execution_arn),
            attribute("stepwell.execution.name", &info.name),
            attribute("stepwell.execution.status", status.name()),
        ];
        let parent = self.context.parent;
        let name = info.state_machine_name.to_string().into();
        let mut root = self.span(0, parent.unwrap_or(SpanId::INVALID), SpanKind::Server, name, attributes);
        root.parent_span_is_remote = parent.is_some();
        root.start_time = self.begin;
        root.span_context = self.span_context(self.root);
        self.end(root, failed.as_deref());
        self.done
    }
}

/// How the execution has ended; `None` where the records do not end with it.
fn end(records: &[Record]) -> Option<(ExecutionStatus, Option<Arc<str>>)> {
    use EventDetails as E;
    let last = records.iter().rev().find_map(|record| match record {
        Record::Event(event) => Some(&event.details),
        Record::Private(_) => None,
    });
    Some(match last? {
        E::ExecutionSucceeded { .. } => (ExecutionStatus::Succeeded, None),
        E::ExecutionFailed { error, .. } => (ExecutionStatus::Failed, error.clone()),
        E::ExecutionTimedOut { error, .. } => (ExecutionStatus::TimedOut, error.clone()),
        E::ExecutionAborted { error, .. } => (ExecutionStatus::Aborted, error.clone()),
        _ => return None,
    })
}

fn note(span: &mut SpanData, name: &'static str, at: SystemTime, attributes: Vec<KeyValue>) {
    span.events.events.push(Event::new(name, at, attributes, 0));
}

fn attribute(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value.to_owned())
}

fn time(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashSet;

    use stepwell_interpreter::{ExecutionInfo, ExecutionKind};
    use stepwell_store::Redrives;

    use super::*;

    pub(in super::super) fn row(redrives: Redrives) -> ExecutionRow {
        let info = ExecutionInfo {
            execution_arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".into(),
            name: "e".into(),
            state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m".into(),
            state_machine_name: "m".into(),
            role_arn: "arn:aws:iam::000000000000:role/r".into(),
            region: "us-east-1".into(),
            start_ms: 1_000,
            timeout_s: None,
            child_of: None,
            kind: ExecutionKind::Standard,
        };
        ExecutionRow {
            info: Arc::new(info),
            revision: 0,
            trace_header: None,
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            outcome: None,
            redrives,
        }
    }

    #[test]
    fn an_end_is_traced_as_it_was_whatever_followed_it() {
        use EventDetails as E;
        let failed = |error: &str| E::ExecutionFailed { error: Some(error.into()), cause: None };
        let details = [
            failed("First"),
            E::ExecutionRedriven { redrive_count: 1 },
            failed("Second"),
            E::ExecutionRedriven { redrive_count: 2 },
        ];
        let records: Vec<Record> = (1..)
            .zip(details)
            .map(|(id, details)| {
                let timestamp_ms = 1_000 + i64::try_from(id).expect("small") * 10;
                Record::Event(HistoryEvent {
                    id,
                    previous_event_id: id - 1,
                    timestamp_ms,
                    thread: ThreadId(0),
                    details,
                })
            })
            .collect();
        // It runs again when its ends are traced.
        let row = row(Redrives { count: 2, last_ms: Some(1_040), ..Redrives::default() });
        let mut ids = HashSet::new();
        for (last, begin, error) in [(1, 1_000, "First"), (3, 1_020, "Second")] {
            let records = until(&records, last);
            let spans = of(&row, records, TraceContext::of(&row));
            let [root] = &spans[..] else { panic!("{spans:?}") };
            assert_eq!(root.status, Status::error(error));
            assert_eq!(begin_ms(&row, records), begin);
            assert_eq!(
                (root.start_time, root.end_time),
                (time(begin), time(1_000 + i64::try_from(last).expect("small") * 10))
            );
            ids.insert(root.span_context.span_id());
        }
        assert_eq!(ids.len(), 2);
        assert!(of(&row, &records, TraceContext::of(&row)).is_empty(), "what runs has no spans");
    }
}
