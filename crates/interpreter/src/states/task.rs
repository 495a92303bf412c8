//! `Task`: schedules an attempt, takes its result or its failure. What follows a failure is `recover`'s.
//!
//! An attempt is `…Scheduled` and `…Started` in one batch; it is dispatched once that is durable. One that waits for a
//! task token goes on to `TaskSubmitted`; an activity's starts when a worker takes it.

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{
    IntegrationPattern, Resource, ResourceKind, SecondsField, State, StateKind, Task,
};
use stepwell_asl::value::Value;

use super::flow::{self, Leaving, Outcome, check_size, target};
use crate::command::TaskReply;
use crate::context::Surroundings;
use crate::decide::{Deciding, Stop, cut_cause, cut_error};
use crate::event::{EventDetails, ScheduledResource, Stored, TaskResource, ThreadId};
use crate::parameters;
use crate::token::TaskToken;

/// Schedules an attempt: the first, or the next one of a retry.
pub(super) fn schedule(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    task: &Task,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let token_nonce = token_nonce(deciding, thread, state, task);
    let mut surroundings = deciding.surroundings(thread, state);
    if token_nonce != 0 && !matches!(task.resource.kind, ResourceKind::Activity) {
        // The event that schedules the attempt is the next one.
        let execution_arn = deciding.execution.info.execution_arn.clone();
        let scheduled_event = deciding.execution.last_event_id + 1;
        surroundings.token = Some(TaskToken { execution_arn, scheduled_event, nonce: token_nonce }.encode());
    }
    let (parameters, arguments) = (task.parameters.as_ref(), task.arguments.as_ref());
    let parameters = flow::input(&surroundings, state, &task.input_path, parameters, arguments)?;
    let parameters = parameters::prepare(&task.resource, parameters)?;
    let Limits { timeout_s, heartbeat_s, credentials_role } = limits(&surroundings, state, task)?;
    drop(surroundings);
    check_size(&state.name, &parameters)?;
    let parameters = deciding.store_unless(parameters, &[&raw]);
    let scheduled = ScheduledResource { parameters, timeout_s, heartbeat_s, credentials_role, token_nonce };
    let arn = || task.resource.arn.clone();
    let region = deciding.execution.info.region.clone();
    let details = match Family::of(&task.resource) {
        Family::Lambda => EventDetails::LambdaFunctionScheduled { resource: arn(), scheduled },
        Family::Activity => EventDetails::ActivityScheduled { resource: arn(), scheduled },
        Family::Service(resource) => EventDetails::TaskScheduled { resource, region, scheduled },
    };
    deciding.emit(thread, details)?;
    deciding.scheduled.push(thread);
    Ok(())
}

/// What a state says of its attempts besides the parameters.
struct Limits {
    timeout_s: Option<u64>,
    heartbeat_s: Option<u64>,
    credentials_role: Option<Arc<str>>,
}

fn limits(surroundings: &Surroundings<'_>, state: &State, task: &Task) -> Result<Limits, Stop> {
    let scope = flow::scope(surroundings);
    let is_jsonata = flow::is_jsonata(state);
    let effective = flow::input(surroundings, state, &task.input_path, None, None)?;
    let seconds = |field: &Option<SecondsField>, name, path_name| -> Result<Option<u64>, Stop> {
        let Some(field) = field else { return Ok(None) };
        let seconds = if is_jsonata {
            field.resolve_query(name, &scope)?
        } else {
            field.resolve(path_name, effective.value(), surroundings)?
        };
        Ok(Some(seconds.into()))
    };
    let credentials = match &task.credentials {
        Some(template) if is_jsonata => Some(template.evaluate_query(&scope, "Credentials")?),
        Some(template) => Some(template.evaluate(effective.value(), surroundings)?),
        None => None,
    };
    let role = credentials.as_ref().and_then(|c| c.get("RoleArn")).and_then(Value::as_str);
    Ok(Limits {
        timeout_s: seconds(&task.timeout, "TimeoutSeconds", "TimeoutSecondsPath")?,
        heartbeat_s: seconds(&task.heartbeat, "HeartbeatSeconds", "HeartbeatSecondsPath")?,
        credentials_role: role.map(Arc::from),
    })
}

/// Half of the attempt's task token, where it is to have one.
fn token_nonce(deciding: &Deciding<'_>, thread: ThreadId, state: &State, task: &Task) -> u64 {
    match &task.resource.kind {
        ResourceKind::Activity => {}
        ResourceKind::Service { pattern: IntegrationPattern::WaitForTaskToken, .. } => {}
        _ => return 0,
    }
    deciding.random_u64(thread, state).max(1)
}

/// The attempt that was scheduled in this decision starts; an activity's waits for a worker.
pub(crate) fn started(deciding: &mut Deciding<'_>, thread: ThreadId) -> Result<(), Stop> {
    let details = match Family::of(&task_of(deciding, thread).1.resource) {
        Family::Lambda => EventDetails::LambdaFunctionStarted,
        Family::Activity => return Ok(()),
        Family::Service(resource) => EventDetails::TaskStarted { resource },
    };
    deciding.emit(thread, details)
}

/// The call of the attempt was answered: its end, or the beginning of the wait for a token.
pub(crate) fn call_ended(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    reply: TaskReply,
) -> Result<(), Stop> {
    let kind = &task_of(deciding, thread).1.resource.kind;
    let ResourceKind::Service { pattern, .. } = kind else { return ended(deciding, thread, reply) };
    let was_submitted =
        deciding.execution.threads[&thread].attempt().is_some_and(|attempt| attempt.submitted.is_some());
    match (reply, pattern) {
        (TaskReply::Succeeded(output), IntegrationPattern::WaitForTaskToken) => {
            submitted(deciding, thread, output)
        }
        (reply, IntegrationPattern::RequestResponse) => ended(deciding, thread, reply),
        (TaskReply::Failed { error, cause }, _) if !was_submitted => {
            let Family::Service(resource) = Family::of(&task_of(deciding, thread).1.resource) else {
                return Ok(());
            };
            let (error, cause) = (cut_error(error), cut_cause(cause));
            deciding.emit(thread, EventDetails::TaskSubmitFailed { resource, error, cause })
        }
        (reply, _) => ended(deciding, thread, reply),
    }
}

/// What the attempt waits for has been set going.
pub(crate) fn submitted(deciding: &mut Deciding<'_>, thread: ThreadId, output: Payload) -> Result<(), Stop> {
    let Family::Service(resource) = Family::of(&task_of(deciding, thread).1.resource) else { return Ok(()) };
    let output = deciding.store(output);
    deciding.emit(thread, EventDetails::TaskSubmitted { resource, output })
}

/// The attempt has ended. Only notes how; what follows is the chain's next step.
pub(crate) fn ended(deciding: &mut Deciding<'_>, thread: ThreadId, reply: TaskReply) -> Result<(), Stop> {
    let (_, task) = task_of(deciding, thread);
    match reply {
        TaskReply::Succeeded(result) => match check_size(size_owner(&task.resource), &result) {
            Ok(()) => {
                let output = deciding.store(result);
                let details = match Family::of(&task.resource) {
                    Family::Lambda => EventDetails::LambdaFunctionSucceeded { output },
                    Family::Activity => EventDetails::ActivitySucceeded { output },
                    Family::Service(resource) => EventDetails::TaskSucceeded { resource, output },
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
    let details = match Family::of(&task.resource) {
        Family::Lambda => EventDetails::LambdaFunctionFailed { error, cause },
        Family::Activity => EventDetails::ActivityFailed { error, cause },
        Family::Service(resource) => EventDetails::TaskFailed { resource, error, cause },
    };
    deciding.emit(thread, details)
}

/// `TimeoutSeconds` or `HeartbeatSeconds` of the attempt has run out.
pub(super) fn timed_out(deciding: &mut Deciding<'_>, thread: ThreadId, task: &Task) -> Result<(), Stop> {
    if let Some(attempt) = deciding.execution.threads[&thread].attempt() {
        let scheduled_event = attempt.scheduled_event;
        deciding.cancel(scheduled_event);
    }
    let error: Option<Arc<str>> = Some("States.Timeout".into());
    let details = match Family::of(&task.resource) {
        Family::Lambda => EventDetails::LambdaFunctionTimedOut { error, cause: None },
        Family::Activity => EventDetails::ActivityTimedOut { error, cause: None },
        Family::Service(resource) => EventDetails::TaskTimedOut { resource, error, cause: None },
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
    let leaving = Leaving {
        result_selector: task.result_selector.as_ref(),
        result_path: &task.result_path,
        output_path: &task.output_path,
        output: task.output.as_ref(),
        assign: task.assign.as_ref(),
        next: target(task.transition),
        location: "",
    };
    let outcome = Outcome::Result(result.payload.clone());
    flow::leave(deciding, thread, state, &leaving, &outcome, &[&raw, result])
}

/// The Task state that `thread` visits.
fn task_of<'p>(deciding: &Deciding<'p>, thread: ThreadId) -> (&'p State, &'p Task) {
    let state = deciding.program.state(super::visit(deciding, thread).state);
    match &state.kind {
        StateKind::Task(task) => (state, task),
        _ => unreachable!("only Task states have attempts"),
    }
}

/// Which family of events a resource has.
enum Family {
    /// `LambdaFunction…`: a function by its ARN.
    Lambda,
    /// `Activity…`
    Activity,
    /// `Task…`, with `resourceType` and `resource`.
    Service(TaskResource),
}

impl Family {
    fn of(resource: &Resource) -> Family {
        match &resource.kind {
            ResourceKind::LambdaFunction => Family::Lambda,
            ResourceKind::Activity => Family::Activity,
            ResourceKind::Service { resource_type, resource, .. } => Family::Service(TaskResource {
                resource_type: resource_type.clone(),
                resource: resource.clone(),
            }),
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
