//! Branches of a Parallel state and iterations of a Map: their beginning, their good end, and what a failure of one
//! does to all.

use stepwell_asl::environment::StatesError;
use stepwell_asl::json::MAX_DEPTH;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{State, StateKind};
use stepwell_asl::value::Value;

use crate::decide::{Deciding, Stop, state_type};
use crate::event::{EventDetails, PrivateRecord, Stored, ThreadId};
use crate::execution::{Activity, Children, Parent};
use crate::retry::Failure;

/// The children of the state that `thread` visits.
pub(super) fn of<'b>(deciding: &'b Deciding<'_>, thread: ThreadId) -> &'b Children {
    match &super::visit(deciding, thread).activity {
        Activity::Children(children) => children,
        _ => unreachable!("only a container that runs is asked for its children"),
    }
}

/// Begins the next branch or iteration of `parent` and gives its chain.
pub(super) fn begin_next(
    deciding: &mut Deciding<'_>,
    parent: ThreadId,
    input: Payload,
    known: &[&Stored],
) -> Result<ThreadId, Stop> {
    let children = of(deciding, parent);
    let index = children.next_index;
    // One that begins because another has ended follows the states of that one.
    let previous_event_id = children.made_room.unwrap_or(deciding.execution.threads[&parent].last_event);
    let thread = ThreadId(deciding.execution.next_thread);
    let input = deciding.store_unless(input, known);
    deciding.note(PrivateRecord::ThreadStarted { thread, parent, index, input, previous_event_id })?;
    Ok(thread)
}

/// What all children that succeeded gave, in their order.
pub(super) fn results_of(children: &Children) -> Result<Payload, StatesError> {
    let values = children.results.iter().flatten().map(|stored| stored.payload.value().clone());
    let all = Value::from(values.collect::<Vec<_>>());
    // Each was within the bound, but the array around them is one level more.
    if all.is_nested_deeper_than(MAX_DEPTH) {
        return Err(StatesError::runtime(format!("The result is nested more than {MAX_DEPTH} levels deep.")));
    }
    Ok(Payload::from_value(all))
}

/// The chain `thread`, a branch or an iteration, has come to its end.
pub(crate) fn succeeded(deciding: &mut Deciding<'_>, thread: ThreadId) -> Result<(), Stop> {
    match iteration(deciding, thread) {
        Some((name, index)) => deciding.emit(thread, EventDetails::MapIterationSucceeded { name, index }),
        None => deciding.note(PrivateRecord::BranchSucceeded { thread }),
    }
}

/// The chain `thread`, a branch or an iteration, has failed: the others are aborted, and the container fails.
pub(crate) fn failed(deciding: &mut Deciding<'_>, thread: ThreadId, failure: Failure) -> Result<(), Stop> {
    let failing = &deciding.execution.threads[&thread];
    let failing_event = failing.last_event;
    let Some(Parent { thread: parent, .. }) = failing.parent else { return Ok(()) };
    if let Some((name, index)) = iteration(deciding, thread) {
        deciding.emit_after(failing_event, thread, EventDetails::MapIterationFailed { name, index })?;
    }
    let all = deciding.execution.descendants(parent);
    // Those inside of others first, so that no event comes after its container's.
    for child in all.iter().rev().filter(|child| **child != thread) {
        abort(deciding, *child, failing_event)?;
    }
    // A failed task is left open by its failure, and is aborted with its own branch.
    if let Some(state) = visited(deciding, thread)
        && matches!(state.kind, StateKind::Task(_))
    {
        deciding.emit_after(
            failing_event,
            thread,
            EventDetails::StateAborted { state_type: state_type(state) },
        )?;
    }
    let Failure { error, cause, is_heartbeat } = failure;
    deciding.note(PrivateRecord::ChildrenFailed { parent, failing_event, error, cause, is_heartbeat })
}

/// The state that `parent` visits fails by itself (its ItemSelector does) while branches or iterations run: they are
/// aborted, and it fails as it does when one of them has failed.
pub(super) fn give_up(deciding: &mut Deciding<'_>, parent: ThreadId, failure: Failure) -> Result<(), Stop> {
    let failing_event = deciding.execution.threads[&parent].last_event;
    for child in deciding.execution.descendants(parent).into_iter().rev() {
        abort(deciding, child, failing_event)?;
    }
    let Failure { error, cause, is_heartbeat } = failure;
    deciding.note(PrivateRecord::ChildrenFailed { parent, failing_event, error, cause, is_heartbeat })
}

fn abort(deciding: &mut Deciding<'_>, thread: ThreadId, failing_event: u64) -> Result<(), Stop> {
    if let Some(attempt) = deciding.execution.threads[&thread].attempt() {
        let scheduled_event = attempt.scheduled_event;
        deciding.cancel(scheduled_event);
    }
    // A Map Run inside of it ends with it, and so do its child executions.
    for stop in super::map_run::stops_in(deciding.execution, thread) {
        deciding.effect(stop);
    }
    if let Some(state) = visited(deciding, thread) {
        let details = EventDetails::StateAborted { state_type: state_type(state) };
        deciding.emit_after(failing_event, thread, details)?;
    }
    if let Some((name, index)) = iteration(deciding, thread) {
        deciding.emit_after(failing_event, thread, EventDetails::MapIterationAborted { name, index })?;
    }
    Ok(())
}

/// The state in which `thread` is.
fn visited<'p>(deciding: &Deciding<'p>, thread: ThreadId) -> Option<&'p State> {
    let visit = deciding.execution.threads.get(&thread)?.visit()?;
    Some(deciding.program.state(visit.state))
}

/// Name and index where `thread` is the iteration of a Map state.
fn iteration(deciding: &Deciding<'_>, thread: ThreadId) -> Option<(std::sync::Arc<str>, u32)> {
    let parent = deciding.execution.threads.get(&thread)?.parent?;
    let container = visited(deciding, parent.thread)?;
    match &container.kind {
        StateKind::Map(_) => Some((container.name.clone(), parent.index)),
        _ => None,
    }
}
