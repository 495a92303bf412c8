//! `Task`: schedules an attempt, takes its result or its failure. What follows a failure is `recover`'s.
//!
//! Request-response integrations and Lambda functions by ARN. An attempt is `…Scheduled` and `…Started` in one batch;
//! it is dispatched once that is durable.

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Resource, ResourceKind, State, StateKind, Task};
use stepwell_asl::value::Value;

use super::{Exit, assignments, check_size, place_result, target};
use crate::command::TaskReply;
use crate::decide::{Deciding, Stop, cut_cause, cut_error};
use crate::event::{EventDetails, ScheduledResource, Stored, TaskResource, ThreadId};

/// Schedules an attempt: the first, or the next one of a retry.
pub(super) fn schedule(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    task: &Task,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let effective = task.input_path.apply(&raw.payload, &surroundings)?;
    let parameters = match &task.parameters {
        Some(template) => Payload::from_value(template.evaluate(effective.value(), &surroundings)?),
        None => effective.clone(),
    };
    let seconds = |field: &Option<stepwell_asl::program::SecondsField>, name| {
        field.as_ref().map(|f| f.resolve(name, effective.value(), &surroundings).map(u64::from)).transpose()
    };
    let timeout_s = seconds(&task.timeout, "TimeoutSecondsPath")?;
    let heartbeat_s = seconds(&task.heartbeat, "HeartbeatSecondsPath")?;
    let credentials_role = match &task.credentials {
        Some(template) => {
            let credentials = template.evaluate(effective.value(), &surroundings)?;
            credentials.get("RoleArn").and_then(Value::as_str).map(Arc::from)
        }
        None => None,
    };
    drop(surroundings);
    check_size(&state.name, &parameters)?;
    let parameters = deciding.store_unless(parameters, &[&raw]);
    let scheduled = ScheduledResource { parameters, timeout_s, heartbeat_s, credentials_role };
    let details = match task_resource(&task.resource) {
        None => EventDetails::LambdaFunctionScheduled { resource: task.resource.arn.clone(), scheduled },
        Some(resource) => EventDetails::TaskScheduled {
            resource,
            region: deciding.execution.info.region.clone(),
            scheduled,
        },
    };
    deciding.emit(thread, details)
}

/// The attempt that was scheduled in this decision starts.
pub(crate) fn started(deciding: &mut Deciding<'_>, thread: ThreadId) -> Result<(), Stop> {
    let resource = task_of(deciding, thread).1.resource.clone();
    let details = match task_resource(&resource) {
        None => EventDetails::LambdaFunctionStarted,
        Some(resource) => EventDetails::TaskStarted { resource },
    };
    deciding.emit(thread, details)
}

/// The attempt that `thread` waits for has ended. Only notes how; what follows is the chain's next step.
pub(crate) fn ended(deciding: &mut Deciding<'_>, thread: ThreadId, reply: TaskReply) -> Result<(), Stop> {
    let (_, task) = task_of(deciding, thread);
    match reply {
        TaskReply::Succeeded(result) => match check_size(size_owner(&task.resource), &result) {
            Ok(()) => {
                let output = deciding.store(result);
                let details = match task_resource(&task.resource) {
                    None => EventDetails::LambdaFunctionSucceeded { output },
                    Some(resource) => EventDetails::TaskSucceeded { resource, output },
                };
                deciding.emit(thread, details)
            }
            Err(error) => failed(deciding, thread, task, Some(error.error.into()), Some(error.cause.into())),
        },
        TaskReply::Failed { error, cause } => {
            failed(deciding, thread, task, cut_error(error), cut_cause(cause))
        }
    }
}

fn failed(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    task: &Task,
    error: Option<Arc<str>>,
    cause: Option<Arc<str>>,
) -> Result<(), Stop> {
    let details = match task_resource(&task.resource) {
        None => EventDetails::LambdaFunctionFailed { error, cause },
        Some(resource) => EventDetails::TaskFailed { resource, error, cause },
    };
    deciding.emit(thread, details)
}

/// `TimeoutSeconds` of the attempt has run out.
pub(super) fn timed_out(deciding: &mut Deciding<'_>, thread: ThreadId, task: &Task) -> Result<(), Stop> {
    if let Some(attempt) = deciding.execution.threads[&thread].attempt() {
        let scheduled_event = attempt.scheduled_event;
        deciding.cancel(scheduled_event);
    }
    let error: Option<Arc<str>> = Some("States.Timeout".into());
    let details = match task_resource(&task.resource) {
        None => EventDetails::LambdaFunctionTimedOut { error, cause: None },
        Some(resource) => EventDetails::TaskTimedOut { resource, error, cause: None },
    };
    deciding.emit(thread, details)
}

/// The attempt has given `result`: out of the state with it.
pub(super) fn leave(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    task: &Task,
    result: &Stored,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let selected = match &task.result_selector {
        Some(template) => Payload::from_value(template.evaluate(result.payload.value(), &surroundings)?),
        None => result.payload.clone(),
    };
    let assigned = assignments(deciding, thread, state, task.assign.as_ref(), &selected)?;
    let placed = place_result(&task.result_path, &raw.payload, selected)?;
    let output = task.output_path.apply(&placed, &surroundings)?;
    drop(surroundings);
    Exit { output, known: &[&raw, result], assigned, next: target(task.transition) }
        .take(deciding, thread, state)
}

/// The Task state that `thread` visits.
fn task_of<'p>(deciding: &Deciding<'p>, thread: ThreadId) -> (&'p State, &'p Task) {
    let state = deciding.program.state(super::visit(deciding, thread).state);
    match &state.kind {
        StateKind::Task(task) => (state, task),
        _ => unreachable!("only Task states have attempts"),
    }
}

/// `resourceType` and `resource` of the Task events; `None` for a Lambda function by ARN, which has events of its own.
fn task_resource(resource: &Resource) -> Option<TaskResource> {
    match &resource.kind {
        ResourceKind::LambdaFunction | ResourceKind::Activity => None,
        ResourceKind::Service { resource_type, resource, .. } => {
            Some(TaskResource { resource_type: resource_type.clone(), resource: resource.clone() })
        }
    }
}

/// What AWS blames for a result that is too large: the function's ARN, or the service.
fn size_owner(resource: &Resource) -> &str {
    match &resource.kind {
        ResourceKind::LambdaFunction | ResourceKind::Activity => &resource.arn,
        ResourceKind::Service { resource_type, .. } => resource_type,
    }
}
