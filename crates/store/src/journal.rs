//! The bytes of a journal batch: what one decision made happen, with the payloads that occur in it for the first time.
//!
//! Layout (version 1): version byte; base time; payloads (count, then length and text each); records (count, then one
//! after the other). Each record begins with its tag; times are differences to the base. A payload is referred to by
//! the number of its batch and its number within it, so reading one batch never needs the ones before, except for the
//! payloads that it names.

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{
    EventDetails, HistoryEvent, PrivateRecord, Record, ScheduledResource, StateType, Stored, TaskResource,
    ThreadId,
};

use crate::bytes::{Malformed, Reader, Writer};

/// The first byte of every batch. A change of the layout gets a new number, and this one stays readable.
const VERSION: u8 = 1;

/// Tags of records. Their numbers are on disk: never renumber, only add.
mod tag {
    pub(super) const WAIT_SCHEDULED: u8 = 1;
    pub(super) const RETRY_SCHEDULED: u8 = 2;
    pub(super) const EXECUTION_STARTED: u8 = 10;
    pub(super) const EXECUTION_SUCCEEDED: u8 = 11;
    pub(super) const EXECUTION_FAILED: u8 = 12;
    pub(super) const EXECUTION_ABORTED: u8 = 13;
    pub(super) const EXECUTION_TIMED_OUT: u8 = 14;
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
        if let Record::Event(event) = record {
            event.details.for_each_stored(|stored| {
                if stored.batch == batch {
                    let index = stored.index as usize;
                    payloads.resize(payloads.len().max(index + 1), None);
                    payloads[index] = Some(stored.payload.clone());
                }
            });
        }
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

/// The payloads of a batch alone.
pub(crate) fn decode_payloads(bytes: &[u8]) -> Result<Vec<Payload>, Malformed> {
    let mut r = Reader(bytes);
    read_header(&mut r).map(|(_, payloads)| payloads)
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
    if r.byte()? != VERSION {
        return Err(Malformed("it was written by another version"));
    }
    let base_ms = r.signed()?;
    let count = r.unsigned()?;
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
    if tag < tag::EXECUTION_STARTED {
        let thread = ThreadId(r.unsigned_32()?);
        let due_ms = base_ms.wrapping_add(r.signed()?);
        return match tag {
            tag::WAIT_SCHEDULED => Ok(Record::Private(PrivateRecord::WaitScheduled { thread, due_ms })),
            tag::RETRY_SCHEDULED => Ok(Record::Private(PrivateRecord::RetryScheduled {
                thread,
                retrier: r.unsigned_32()?,
                due_ms,
            })),
            _ => Err(Malformed("it holds a record of an unknown kind").into()),
        };
    }
    let id = r.unsigned()?;
    let previous_event_id = r.unsigned()?;
    let timestamp_ms = base_ms.wrapping_add(r.signed()?);
    let thread = ThreadId(r.unsigned_32()?);
    let details = read_details(tag, r, refer)?;
    Ok(Record::Event(HistoryEvent { id, previous_event_id, timestamp_ms, thread, details }))
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
        _ => return Err(Malformed("it holds an event of an unknown kind").into()),
    })
}

fn read_scheduled(r: &mut Reader<'_>, parameters: Stored) -> Result<ScheduledResource, Malformed> {
    Ok(ScheduledResource {
        parameters,
        timeout_s: r.option(Reader::unsigned)?,
        heartbeat_s: r.option(Reader::unsigned)?,
        credentials_role: r.optional_text()?,
    })
}

fn read_task_resource(r: &mut Reader<'_>) -> Result<TaskResource, Malformed> {
    Ok(TaskResource { resource_type: r.text()?, resource: r.text()? })
}

fn read_state_type(r: &mut Reader<'_>) -> Result<StateType, Malformed> {
    STATE_TYPES.get(r.byte()? as usize).copied().ok_or(Malformed("it names an unknown state type"))
}
