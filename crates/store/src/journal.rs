//! The bytes of a journal batch: what one decision made happen, with the payloads that occur in it for the first time.
//!
//! Layout (version 1): version byte; base time; payloads (count, then length and text each); records (count, then one
//! after the other). Each record begins with its tag; times are differences to the base. A payload is referred to by
//! the number of its batch and its number within it, so reading one batch never needs the ones before, except for the
//! payloads that it names.

mod skim;

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{
    EventDetails, HistoryEvent, MapRunSettings, PrivateRecord, Record, ScheduledResource, StateType, Stored,
    TaskResource, ThreadId,
};

use crate::bytes::{Malformed, Reader, Writer};

pub(crate) use skim::{Skimmed, first_event_id, payload_at};

/// The first byte of every batch. A change of the layout gets a new number, and this one stays readable.
const VERSION: u8 = 1;

/// Tags of records. Their numbers are on disk: never renumber, only add.
mod tag {
    pub(super) const WAIT_SCHEDULED: u8 = 1;
    pub(super) const RETRY_SCHEDULED: u8 = 2;
    pub(super) const HEARTBEAT_RECEIVED: u8 = 3;
    pub(super) const THREAD_STARTED: u8 = 4;
    pub(super) const BRANCH_SUCCEEDED: u8 = 5;
    pub(super) const CHILDREN_FAILED: u8 = 6;
    pub(super) const CHILD_STARTED: u8 = 7;
    pub(super) const CHILD_ENDED: u8 = 8;
    pub(super) const MAP_RUN_UPDATED: u8 = 9;
    /// The first tag of an event.
    pub(super) const EVENTS: u8 = 10;
    pub(super) const EXECUTION_STARTED: u8 = 10;
    pub(super) const EXECUTION_SUCCEEDED: u8 = 11;
    pub(super) const EXECUTION_FAILED: u8 = 12;
    pub(super) const EXECUTION_ABORTED: u8 = 13;
    pub(super) const EXECUTION_TIMED_OUT: u8 = 14;
    pub(super) const EXECUTION_REDRIVEN: u8 = 15;
    pub(super) const STATE_ENTERED: u8 = 20;
    pub(super) const STATE_EXITED: u8 = 21;
    pub(super) const LAMBDA_SCHEDULED: u8 = 30;
    pub(super) const LAMBDA_STARTED: u8 = 31;
    pub(super) const LAMBDA_SUCCEEDED: u8 = 32;
    pub(super) const LAMBDA_FAILED: u8 = 33;
    pub(super) const LAMBDA_TIMED_OUT: u8 = 34;
    pub(super) const TASK_SCHEDULED: u8 = 40;
    pub(super) const TASK_STARTED: u8 = 41;
    pub(super) const TASK_SUCCEEDED: u8 = 42;
    pub(super) const TASK_FAILED: u8 = 43;
    pub(super) const TASK_TIMED_OUT: u8 = 44;
    pub(super) const TASK_SUBMITTED: u8 = 45;
    pub(super) const TASK_SUBMIT_FAILED: u8 = 46;
    pub(super) const ACTIVITY_SCHEDULED: u8 = 50;
    pub(super) const ACTIVITY_STARTED: u8 = 51;
    pub(super) const ACTIVITY_SUCCEEDED: u8 = 52;
    pub(super) const ACTIVITY_FAILED: u8 = 53;
    pub(super) const ACTIVITY_TIMED_OUT: u8 = 54;
    pub(super) const PARALLEL_STARTED: u8 = 60;
    pub(super) const PARALLEL_SUCCEEDED: u8 = 61;
    pub(super) const PARALLEL_FAILED: u8 = 62;
    pub(super) const MAP_STARTED: u8 = 70;
    pub(super) const MAP_SUCCEEDED: u8 = 71;
    pub(super) const MAP_FAILED: u8 = 72;
    pub(super) const ITERATION_STARTED: u8 = 73;
    pub(super) const ITERATION_SUCCEEDED: u8 = 74;
    pub(super) const ITERATION_FAILED: u8 = 75;
    pub(super) const ITERATION_ABORTED: u8 = 76;
    pub(super) const MAP_RUN_STARTED: u8 = 77;
    pub(super) const MAP_RUN_SUCCEEDED: u8 = 78;
    pub(super) const MAP_RUN_FAILED: u8 = 79;
    pub(super) const STATE_ABORTED: u8 = 80;
    pub(super) const EVALUATION_FAILED: u8 = 81;
    pub(super) const MAP_RUN_REDRIVEN: u8 = 82;
    /// The first tag of a private record for which there was no room below the events.
    pub(super) const MORE_PRIVATE: u8 = 200;
    pub(super) const MAP_ITEMS_KEPT: u8 = 200;
    pub(super) const MAP_ITEMS_BATCHED: u8 = 201;

    pub(super) fn is_event(tag: u8) -> bool {
        (EVENTS..MORE_PRIVATE).contains(&tag)
    }
}

/// The state types in the order of their numbers on disk.
const STATE_TYPES: [StateType; 8] = [
    StateType::Pass,
    StateType::Task,
    StateType::Choice,
    StateType::Wait,
    StateType::Succeed,
    StateType::Fail,
    StateType::Parallel,
    StateType::Map,
];

/// The bytes of batch number `batch`.
pub(crate) fn encode(batch: u32, records: &[Record]) -> Vec<u8> {
    let mut payloads: Vec<Option<Payload>> = Vec::new();
    for record in records {
        record.for_each_stored(|stored| {
            if stored.batch == batch {
                let index = stored.index as usize;
                payloads.resize(payloads.len().max(index + 1), None);
                payloads[index] = Some(stored.payload.clone());
            }
        });
    }
    let base_ms = records
        .iter()
        .find_map(|r| match r {
            Record::Event(event) => Some(event.timestamp_ms),
            Record::Private(_) => None,
        })
        .unwrap_or_default();
    let mut w = Writer::default();
    w.byte(VERSION);
    w.signed(base_ms);
    w.unsigned(payloads.len() as u64);
    for payload in &payloads {
        // A number that no record names belongs to a value that was computed and refused (too large).
        w.text(payload.as_ref().map_or("null", |p| p.text()));
    }
    w.unsigned(records.len() as u64);
    for record in records {
        match record {
            Record::Event(event) => write_event(&mut w, base_ms, event),
            Record::Private(record) => write_private(&mut w, base_ms, record),
        }
    }
    w.0
}

/// The records of batch number `batch`. `fetch` gives the payloads of an earlier batch.
pub(crate) fn decode<E: From<Malformed>>(
    batch: u32,
    bytes: &[u8],
    fetch: &mut dyn FnMut(u32, u32) -> Result<Payload, E>,
) -> Result<Vec<Record>, E> {
    let mut r = Reader(bytes);
    let (base_ms, payloads) = read_header(&mut r)?;
    let mut refer = |refers_to: u32, index: u32| -> Result<Payload, E> {
        if refers_to == batch {
            let payload = payloads.get(index as usize).cloned();
            payload.ok_or_else(|| Malformed("it refers to a payload that it does not hold").into())
        } else {
            fetch(refers_to, index)
        }
    };
    let count = r.unsigned()?;
    let mut records = Vec::new();
    for _ in 0..count {
        records.push(read_record(&mut r, base_ms, &mut refer)?);
    }
    r.finish()?;
    Ok(records)
}

fn read_header(r: &mut Reader<'_>) -> Result<(i64, Vec<Payload>), Malformed> {
    let (base_ms, count) = skim::read_frame(r)?;
    let mut payloads = Vec::new();
    for _ in 0..count {
        payloads.push(Payload::from_known_json(r.text()?));
    }
    Ok((base_ms, payloads))
}

fn write_private(w: &mut Writer, base_ms: i64, record: &PrivateRecord) {
    match record {
        PrivateRecord::WaitScheduled { thread, due_ms } => {
            w.byte(tag::WAIT_SCHEDULED);
            w.unsigned(u64::from(thread.0));
            w.signed(due_ms.wrapping_sub(base_ms));
        }
        PrivateRecord::RetryScheduled { thread, retrier, due_ms } => {
            w.byte(tag::RETRY_SCHEDULED);
            w.unsigned(u64::from(thread.0));
            w.signed(due_ms.wrapping_sub(base_ms));
            w.unsigned(u64::from(*retrier));
        }
        PrivateRecord::HeartbeatReceived { thread, at_ms } => {
            w.byte(tag::HEARTBEAT_RECEIVED);
            w.unsigned(u64::from(thread.0));
            w.signed(at_ms.wrapping_sub(base_ms));
        }
        PrivateRecord::ThreadStarted { thread, parent, index, input, previous_event_id } => {
            w.byte(tag::THREAD_STARTED);
            w.unsigned(u64::from(thread.0));
            w.unsigned(u64::from(parent.0));
            w.unsigned(u64::from(*index));
            stored(w, input);
            w.unsigned(*previous_event_id);
        }
        PrivateRecord::MapItemsKept { thread, items } => {
            w.byte(tag::MAP_ITEMS_KEPT);
            w.unsigned(u64::from(thread.0));
            stored(w, items);
        }
        PrivateRecord::MapItemsBatched { thread, ends } => {
            w.byte(tag::MAP_ITEMS_BATCHED);
            w.unsigned(u64::from(thread.0));
            w.unsigned(ends.len() as u64);
            ends.iter().for_each(|end| w.unsigned(u64::from(*end)));
        }
        PrivateRecord::ChildExecutionStarted { thread, index } => {
            w.byte(tag::CHILD_STARTED);
            w.unsigned(u64::from(thread.0));
            w.unsigned(u64::from(*index));
        }
        PrivateRecord::ChildExecutionEnded { thread, index, output } => {
            w.byte(tag::CHILD_ENDED);
            w.unsigned(u64::from(thread.0));
            w.unsigned(u64::from(*index));
            w.option(output.as_ref(), stored);
        }
        PrivateRecord::BranchSucceeded { thread } => {
            w.byte(tag::BRANCH_SUCCEEDED);
            w.unsigned(u64::from(thread.0));
        }
        PrivateRecord::MapRunUpdated { thread, settings } => {
            w.byte(tag::MAP_RUN_UPDATED);
            w.unsigned(u64::from(thread.0));
            w.option(settings.max_concurrency, |w, n| w.unsigned(u64::from(n)));
            w.option(settings.tolerated_failure_count, |w, n| w.unsigned(u64::from(n)));
            w.option(settings.tolerated_failure_percentage, |w, n| w.unsigned(n.to_bits()));
        }
        PrivateRecord::ChildrenFailed { parent, failing_event, error, cause, is_heartbeat } => {
            w.byte(tag::CHILDREN_FAILED);
            w.unsigned(u64::from(parent.0));
            w.unsigned(*failing_event);
            failure(w, error, cause);
            w.byte(u8::from(*is_heartbeat));
        }
    }
}

fn write_event(w: &mut Writer, base_ms: i64, event: &HistoryEvent) {
    let envelope = |w: &mut Writer, tag: u8| {
        w.byte(tag);
        w.unsigned(event.id);
        w.unsigned(event.previous_event_id);
        w.signed(event.timestamp_ms.wrapping_sub(base_ms));
        w.unsigned(u64::from(event.thread.0));
    };
    match &event.details {
        EventDetails::ExecutionStarted { input, role_arn } => {
            envelope(w, tag::EXECUTION_STARTED);
            stored(w, input);
            w.text(role_arn);
        }
        EventDetails::ExecutionSucceeded { output } => {
            envelope(w, tag::EXECUTION_SUCCEEDED);
            stored(w, output);
        }
        EventDetails::ExecutionFailed { error, cause } => {
            envelope(w, tag::EXECUTION_FAILED);
            failure(w, error, cause);
        }
        EventDetails::ExecutionAborted { error, cause } => {
            envelope(w, tag::EXECUTION_ABORTED);
            failure(w, error, cause);
        }
        EventDetails::ExecutionTimedOut { error, cause } => {
            envelope(w, tag::EXECUTION_TIMED_OUT);
            failure(w, error, cause);
        }
        EventDetails::ExecutionRedriven { redrive_count } => {
            envelope(w, tag::EXECUTION_REDRIVEN);
            w.unsigned(u64::from(*redrive_count));
        }
        EventDetails::StateEntered { state_type, name, input } => {
            envelope(w, tag::STATE_ENTERED);
            w.byte(state_type_number(*state_type));
            w.text(name);
            stored(w, input);
        }
        EventDetails::StateExited { state_type, name, output, assigned, next } => {
            envelope(w, tag::STATE_EXITED);
            w.byte(state_type_number(*state_type));
            w.text(name);
            stored(w, output);
            w.unsigned(assigned.len() as u64);
            for (name, value) in assigned {
                w.text(name);
                stored(w, value);
            }
            w.optional_text(next.as_deref());
        }
        EventDetails::LambdaFunctionScheduled { resource, scheduled } => {
            envelope(w, tag::LAMBDA_SCHEDULED);
            w.text(resource);
            write_scheduled(w, scheduled);
        }
        EventDetails::LambdaFunctionStarted => envelope(w, tag::LAMBDA_STARTED),
        EventDetails::LambdaFunctionSucceeded { output } => {
            envelope(w, tag::LAMBDA_SUCCEEDED);
            stored(w, output);
        }
        EventDetails::LambdaFunctionFailed { error, cause } => {
            envelope(w, tag::LAMBDA_FAILED);
            failure(w, error, cause);
        }
        EventDetails::LambdaFunctionTimedOut { error, cause } => {
            envelope(w, tag::LAMBDA_TIMED_OUT);
            failure(w, error, cause);
        }
        EventDetails::TaskScheduled { resource, region, scheduled } => {
            envelope(w, tag::TASK_SCHEDULED);
            write_task_resource(w, resource);
            w.text(region);
            write_scheduled(w, scheduled);
        }
        EventDetails::TaskStarted { resource } => {
            envelope(w, tag::TASK_STARTED);
            write_task_resource(w, resource);
        }
        EventDetails::TaskSucceeded { resource, output } => {
            envelope(w, tag::TASK_SUCCEEDED);
            write_task_resource(w, resource);
            stored(w, output);
        }
        EventDetails::TaskFailed { resource, error, cause } => {
            envelope(w, tag::TASK_FAILED);
            write_task_resource(w, resource);
            failure(w, error, cause);
        }
        EventDetails::TaskTimedOut { resource, error, cause } => {
            envelope(w, tag::TASK_TIMED_OUT);
            write_task_resource(w, resource);
            failure(w, error, cause);
        }
        EventDetails::TaskSubmitFailed { resource, error, cause } => {
            envelope(w, tag::TASK_SUBMIT_FAILED);
            write_task_resource(w, resource);
            failure(w, error, cause);
        }
        EventDetails::TaskSubmitted { resource, output } => {
            envelope(w, tag::TASK_SUBMITTED);
            write_task_resource(w, resource);
            stored(w, output);
        }
        EventDetails::ActivityScheduled { resource, scheduled } => {
            envelope(w, tag::ACTIVITY_SCHEDULED);
            w.text(resource);
            write_scheduled(w, scheduled);
        }
        EventDetails::ActivityStarted { worker_name } => {
            envelope(w, tag::ACTIVITY_STARTED);
            w.optional_text(worker_name.as_deref());
        }
        EventDetails::ActivitySucceeded { output } => {
            envelope(w, tag::ACTIVITY_SUCCEEDED);
            stored(w, output);
        }
        EventDetails::ActivityFailed { error, cause } => {
            envelope(w, tag::ACTIVITY_FAILED);
            failure(w, error, cause);
        }
        EventDetails::ActivityTimedOut { error, cause } => {
            envelope(w, tag::ACTIVITY_TIMED_OUT);
            failure(w, error, cause);
        }
        EventDetails::ParallelStateStarted => envelope(w, tag::PARALLEL_STARTED),
        EventDetails::ParallelStateSucceeded => envelope(w, tag::PARALLEL_SUCCEEDED),
        EventDetails::ParallelStateFailed => envelope(w, tag::PARALLEL_FAILED),
        EventDetails::MapStateStarted { length, concurrency } => {
            envelope(w, tag::MAP_STARTED);
            w.unsigned(u64::from(*length));
            w.unsigned(u64::from(*concurrency));
        }
        EventDetails::MapRunStarted {
            map_run_arn,
            children,
            concurrency,
            tolerated_failure_count,
            tolerated_failure_percentage,
        } => {
            envelope(w, tag::MAP_RUN_STARTED);
            w.text(map_run_arn);
            w.unsigned(u64::from(*children));
            w.unsigned(u64::from(*concurrency));
            w.option(*tolerated_failure_count, |w, count| w.unsigned(u64::from(count)));
            w.option(*tolerated_failure_percentage, |w, percentage| w.unsigned(percentage.to_bits()));
        }
        EventDetails::MapRunRedriven { map_run_arn, redrive_count } => {
            envelope(w, tag::MAP_RUN_REDRIVEN);
            w.text(map_run_arn);
            w.unsigned(u64::from(*redrive_count));
        }
        EventDetails::MapRunSucceeded => envelope(w, tag::MAP_RUN_SUCCEEDED),
        EventDetails::MapRunFailed { error, cause } => {
            envelope(w, tag::MAP_RUN_FAILED);
            failure(w, error, cause);
        }
        EventDetails::MapStateSucceeded => envelope(w, tag::MAP_SUCCEEDED),
        EventDetails::MapStateFailed => envelope(w, tag::MAP_FAILED),
        EventDetails::MapIterationStarted { name, index } => {
            envelope(w, tag::ITERATION_STARTED);
            write_iteration(w, name, *index);
        }
        EventDetails::MapIterationSucceeded { name, index } => {
            envelope(w, tag::ITERATION_SUCCEEDED);
            write_iteration(w, name, *index);
        }
        EventDetails::MapIterationFailed { name, index } => {
            envelope(w, tag::ITERATION_FAILED);
            write_iteration(w, name, *index);
        }
        EventDetails::MapIterationAborted { name, index } => {
            envelope(w, tag::ITERATION_ABORTED);
            write_iteration(w, name, *index);
        }
        EventDetails::StateAborted { state_type } => {
            envelope(w, tag::STATE_ABORTED);
            w.byte(state_type_number(*state_type));
        }
        EventDetails::EvaluationFailed { state, location, error, cause } => {
            envelope(w, tag::EVALUATION_FAILED);
            w.text(state);
            w.optional_text(location.as_deref());
            w.text(error);
            w.text(cause);
        }
    }
}

fn stored(w: &mut Writer, stored: &Stored) {
    w.unsigned(u64::from(stored.batch));
    w.unsigned(u64::from(stored.index));
}

fn failure(w: &mut Writer, error: &Option<Arc<str>>, cause: &Option<Arc<str>>) {
    w.optional_text(error.as_deref());
    w.optional_text(cause.as_deref());
}

fn write_scheduled(w: &mut Writer, scheduled: &ScheduledResource) {
    stored(w, &scheduled.parameters);
    w.option(scheduled.timeout_s, Writer::unsigned);
    w.option(scheduled.heartbeat_s, Writer::unsigned);
    w.optional_text(scheduled.credentials_role.as_deref());
    w.unsigned(scheduled.token_nonce);
}

fn write_iteration(w: &mut Writer, name: &str, index: u32) {
    w.text(name);
    w.unsigned(u64::from(index));
}

fn write_task_resource(w: &mut Writer, resource: &TaskResource) {
    w.text(&resource.resource_type);
    w.text(&resource.resource);
}

fn state_type_number(state_type: StateType) -> u8 {
    let index = STATE_TYPES.iter().position(|t| *t == state_type).expect("every state type has a number");
    index as u8
}

fn read_record<E: From<Malformed>>(
    r: &mut Reader<'_>,
    base_ms: i64,
    refer: &mut dyn FnMut(u32, u32) -> Result<Payload, E>,
) -> Result<Record, E> {
    let tag = r.byte()?;
    if !tag::is_event(tag) {
        return read_private(tag, r, base_ms, refer).map(Record::Private);
    }
    let id = r.unsigned()?;
    let previous_event_id = r.unsigned()?;
    let timestamp_ms = base_ms.wrapping_add(r.signed()?);
    let thread = ThreadId(r.unsigned_32()?);
    let details = read_details(tag, r, refer)?;
    Ok(Record::Event(HistoryEvent { id, previous_event_id, timestamp_ms, thread, details }))
}

fn read_private<E: From<Malformed>>(
    tag: u8,
    r: &mut Reader<'_>,
    base_ms: i64,
    refer: &mut dyn FnMut(u32, u32) -> Result<Payload, E>,
) -> Result<PrivateRecord, E> {
    let first = ThreadId(r.unsigned_32()?);
    let time = |r: &mut Reader<'_>| r.signed().map(|ms| base_ms.wrapping_add(ms));
    Ok(match tag {
        tag::WAIT_SCHEDULED => PrivateRecord::WaitScheduled { thread: first, due_ms: time(r)? },
        tag::RETRY_SCHEDULED => {
            let due_ms = time(r)?;
            PrivateRecord::RetryScheduled { thread: first, retrier: r.unsigned_32()?, due_ms }
        }
        tag::HEARTBEAT_RECEIVED => PrivateRecord::HeartbeatReceived { thread: first, at_ms: time(r)? },
        tag::THREAD_STARTED => {
            let (parent, index) = (ThreadId(r.unsigned_32()?), r.unsigned_32()?);
            let (batch, number) = (r.unsigned_32()?, r.unsigned_32()?);
            let input = Stored { batch, index: number, payload: refer(batch, number)? };
            PrivateRecord::ThreadStarted {
                thread: first,
                parent,
                index,
                input,
                previous_event_id: r.unsigned()?,
            }
        }
        tag::MAP_ITEMS_KEPT => {
            let (batch, number) = (r.unsigned_32()?, r.unsigned_32()?);
            let items = Stored { batch, index: number, payload: refer(batch, number)? };
            PrivateRecord::MapItemsKept { thread: first, items }
        }
        tag::MAP_ITEMS_BATCHED => {
            let mut ends = Vec::new();
            for _ in 0..r.unsigned()? {
                ends.push(r.unsigned_32()?);
            }
            PrivateRecord::MapItemsBatched { thread: first, ends: ends.into() }
        }
        tag::CHILD_STARTED => PrivateRecord::ChildExecutionStarted { thread: first, index: r.unsigned_32()? },
        tag::CHILD_ENDED => {
            let index = r.unsigned_32()?;
            let place = r.option(|r| Ok((r.unsigned_32()?, r.unsigned_32()?)))?;
            let output = match place {
                Some((batch, number)) => {
                    Some(Stored { batch, index: number, payload: refer(batch, number)? })
                }
                None => None,
            };
            PrivateRecord::ChildExecutionEnded { thread: first, index, output }
        }
        tag::MAP_RUN_UPDATED => PrivateRecord::MapRunUpdated {
            thread: first,
            settings: MapRunSettings {
                max_concurrency: r.option(Reader::unsigned_32)?,
                tolerated_failure_count: r.option(Reader::unsigned_32)?,
                tolerated_failure_percentage: r.option(Reader::unsigned)?.map(f64::from_bits),
            },
        },
        tag::BRANCH_SUCCEEDED => PrivateRecord::BranchSucceeded { thread: first },
        tag::CHILDREN_FAILED => PrivateRecord::ChildrenFailed {
            parent: first,
            failing_event: r.unsigned()?,
            error: r.optional_text()?,
            cause: r.optional_text()?,
            is_heartbeat: r.byte()? != 0,
        },
        _ => return Err(Malformed("it holds a record of an unknown kind").into()),
    })
}

fn read_details<E: From<Malformed>>(
    tag: u8,
    r: &mut Reader<'_>,
    refer: &mut dyn FnMut(u32, u32) -> Result<Payload, E>,
) -> Result<EventDetails, E> {
    let mut stored = |r: &mut Reader<'_>| -> Result<Stored, E> {
        let (batch, index) = (r.unsigned_32()?, r.unsigned_32()?);
        Ok(Stored { batch, index, payload: refer(batch, index)? })
    };
    Ok(match tag {
        tag::EXECUTION_STARTED => EventDetails::ExecutionStarted { input: stored(r)?, role_arn: r.text()? },
        tag::EXECUTION_SUCCEEDED => EventDetails::ExecutionSucceeded { output: stored(r)? },
        tag::EXECUTION_FAILED => {
            EventDetails::ExecutionFailed { error: r.optional_text()?, cause: r.optional_text()? }
        }
        tag::EXECUTION_ABORTED => {
            EventDetails::ExecutionAborted { error: r.optional_text()?, cause: r.optional_text()? }
        }
        tag::EXECUTION_TIMED_OUT => {
            EventDetails::ExecutionTimedOut { error: r.optional_text()?, cause: r.optional_text()? }
        }
        tag::EXECUTION_REDRIVEN => EventDetails::ExecutionRedriven { redrive_count: r.unsigned_32()? },
        tag::STATE_ENTERED => {
            EventDetails::StateEntered { state_type: read_state_type(r)?, name: r.text()?, input: stored(r)? }
        }
        tag::STATE_EXITED => {
            let (state_type, name, output) = (read_state_type(r)?, r.text()?, stored(r)?);
            let mut assigned = Vec::new();
            for _ in 0..r.unsigned()? {
                assigned.push((r.text()?, stored(r)?));
            }
            EventDetails::StateExited { state_type, name, output, assigned, next: r.optional_text()? }
        }
        tag::LAMBDA_SCHEDULED => {
            let resource = r.text()?;
            let parameters = stored(r)?;
            EventDetails::LambdaFunctionScheduled { resource, scheduled: read_scheduled(r, parameters)? }
        }
        tag::LAMBDA_STARTED => EventDetails::LambdaFunctionStarted,
        tag::LAMBDA_SUCCEEDED => EventDetails::LambdaFunctionSucceeded { output: stored(r)? },
        tag::LAMBDA_FAILED => {
            EventDetails::LambdaFunctionFailed { error: r.optional_text()?, cause: r.optional_text()? }
        }
        tag::LAMBDA_TIMED_OUT => {
            EventDetails::LambdaFunctionTimedOut { error: r.optional_text()?, cause: r.optional_text()? }
        }
        tag::TASK_SCHEDULED => {
            let (resource, region) = (read_task_resource(r)?, r.text()?);
            let parameters = stored(r)?;
            EventDetails::TaskScheduled { resource, region, scheduled: read_scheduled(r, parameters)? }
        }
        tag::TASK_STARTED => EventDetails::TaskStarted { resource: read_task_resource(r)? },
        tag::TASK_SUCCEEDED => {
            EventDetails::TaskSucceeded { resource: read_task_resource(r)?, output: stored(r)? }
        }
        tag::TASK_FAILED => EventDetails::TaskFailed {
            resource: read_task_resource(r)?,
            error: r.optional_text()?,
            cause: r.optional_text()?,
        },
        tag::TASK_TIMED_OUT => EventDetails::TaskTimedOut {
            resource: read_task_resource(r)?,
            error: r.optional_text()?,
            cause: r.optional_text()?,
        },
        tag::TASK_SUBMITTED => {
            EventDetails::TaskSubmitted { resource: read_task_resource(r)?, output: stored(r)? }
        }
        tag::TASK_SUBMIT_FAILED => EventDetails::TaskSubmitFailed {
            resource: read_task_resource(r)?,
            error: r.optional_text()?,
            cause: r.optional_text()?,
        },
        tag::ACTIVITY_SCHEDULED => {
            let resource = r.text()?;
            let parameters = stored(r)?;
            EventDetails::ActivityScheduled { resource, scheduled: read_scheduled(r, parameters)? }
        }
        tag::ACTIVITY_STARTED => EventDetails::ActivityStarted { worker_name: r.optional_text()? },
        tag::ACTIVITY_SUCCEEDED => EventDetails::ActivitySucceeded { output: stored(r)? },
        tag::ACTIVITY_FAILED => {
            EventDetails::ActivityFailed { error: r.optional_text()?, cause: r.optional_text()? }
        }
        tag::ACTIVITY_TIMED_OUT => {
            EventDetails::ActivityTimedOut { error: r.optional_text()?, cause: r.optional_text()? }
        }
        tag::PARALLEL_STARTED => EventDetails::ParallelStateStarted,
        tag::PARALLEL_SUCCEEDED => EventDetails::ParallelStateSucceeded,
        tag::PARALLEL_FAILED => EventDetails::ParallelStateFailed,
        tag::MAP_STARTED => {
            EventDetails::MapStateStarted { length: r.unsigned_32()?, concurrency: r.unsigned_32()? }
        }
        tag::MAP_RUN_STARTED => EventDetails::MapRunStarted {
            map_run_arn: r.text()?,
            children: r.unsigned_32()?,
            concurrency: r.unsigned_32()?,
            tolerated_failure_count: r.option(Reader::unsigned_32)?,
            tolerated_failure_percentage: r.option(Reader::unsigned)?.map(f64::from_bits),
        },
        tag::MAP_RUN_REDRIVEN => {
            EventDetails::MapRunRedriven { map_run_arn: r.text()?, redrive_count: r.unsigned_32()? }
        }
        tag::MAP_RUN_SUCCEEDED => EventDetails::MapRunSucceeded,
        tag::MAP_RUN_FAILED => {
            EventDetails::MapRunFailed { error: r.optional_text()?, cause: r.optional_text()? }
        }
        tag::MAP_SUCCEEDED => EventDetails::MapStateSucceeded,
        tag::MAP_FAILED => EventDetails::MapStateFailed,
        tag::ITERATION_STARTED => {
            EventDetails::MapIterationStarted { name: r.text()?, index: r.unsigned_32()? }
        }
        tag::ITERATION_SUCCEEDED => {
            EventDetails::MapIterationSucceeded { name: r.text()?, index: r.unsigned_32()? }
        }
        tag::ITERATION_FAILED => {
            EventDetails::MapIterationFailed { name: r.text()?, index: r.unsigned_32()? }
        }
        tag::ITERATION_ABORTED => {
            EventDetails::MapIterationAborted { name: r.text()?, index: r.unsigned_32()? }
        }
        tag::STATE_ABORTED => EventDetails::StateAborted { state_type: read_state_type(r)? },
        tag::EVALUATION_FAILED => EventDetails::EvaluationFailed {
            state: r.text()?,
            location: r.optional_text()?,
            error: r.text()?,
            cause: r.text()?,
        },
        _ => return Err(Malformed("it holds an event of an unknown kind").into()),
    })
}

fn read_scheduled(r: &mut Reader<'_>, parameters: Stored) -> Result<ScheduledResource, Malformed> {
    Ok(ScheduledResource {
        parameters,
        timeout_s: r.option(Reader::unsigned)?,
        heartbeat_s: r.option(Reader::unsigned)?,
        credentials_role: r.optional_text()?,
        token_nonce: r.unsigned()?,
    })
}

fn read_task_resource(r: &mut Reader<'_>) -> Result<TaskResource, Malformed> {
    Ok(TaskResource { resource_type: r.text()?, resource: r.text()? })
}

fn read_state_type(r: &mut Reader<'_>) -> Result<StateType, Malformed> {
    STATE_TYPES.get(r.byte()? as usize).copied().ok_or(Malformed("it names an unknown state type"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_map_iterates_over_comes_back() {
        let thread = ThreadId(300);
        let items = Stored { batch: 7, index: 0, payload: Payload::parse("[1,2,3]").unwrap() };
        let details = EventDetails::MapStateStarted { length: 3, concurrency: 0 };
        let event = HistoryEvent { id: 77, previous_event_id: 76, timestamp_ms: 5, thread, details };
        let records = [
            Record::Private(PrivateRecord::MapItemsKept { thread, items }),
            Record::Private(PrivateRecord::MapItemsBatched { thread, ends: [2, 300].into() }),
            Record::Event(event),
        ];
        let bytes = encode(7, &records);
        let read = decode::<Malformed>(7, &bytes, &mut |_, _| Err(Malformed("no other batch is needed")));
        assert_eq!(read.unwrap(), records);
        assert_eq!(first_event_id(&bytes).unwrap(), Some(77));
    }
}
