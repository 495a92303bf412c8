//! After a state has failed: the next attempt, a catcher, or the end of the chain.

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Catcher, PathField, Retrier, State, StateKind};
use stepwell_asl::value::{Object, Value};

use super::flow::{self, Leaving, Outcome};
use crate::decide::{Deciding, Stop};
use crate::event::{EventDetails, PrivateRecord, ThreadId};
use crate::retry::{Failure, delay_ms};

/// Asks `Retry`, then `Catch` of `state`, which has failed; where neither names the error, the chain fails.
pub(crate) fn recover(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    failure: Failure,
) -> Result<(), Stop> {
    let (retry, catch) = handlers(state);
    // The first retrier that names the error decides alone, even when its attempts are used up.
    let retrier = retry.iter().enumerate().find(|(_, retrier)| failure.matches(&retrier.error_equals));
    if let Some((index, retrier)) = retrier {
        let made = super::visit(deciding, thread).retries.get(index).copied().unwrap_or(0);
        if made < retrier.max_attempts {
            return retry_later(deciding, thread, state, index, retrier, made);
        }
    }
    match &state.kind {
        StateKind::Parallel(_) => deciding.emit(thread, EventDetails::ParallelStateFailed)?,
        StateKind::Map(_) => deciding.emit(thread, EventDetails::MapStateFailed)?,
        _ => {}
    }
    match catch.iter().enumerate().find(|(_, catcher)| failure.matches(&catcher.error_equals)) {
        Some((index, catcher)) => caught(deciding, thread, state, index, catcher, failure),
        None => deciding.fail_chain(thread, failure),
    }
}

fn handlers(state: &State) -> (&[Retrier], &[Catcher]) {
    match &state.kind {
        StateKind::Task(task) => (&task.retry, &task.catch),
        StateKind::Parallel(parallel) => (&parallel.retry, &parallel.catch),
        StateKind::Map(map) => (&map.retry, &map.catch),
        _ => (&[], &[]),
    }
}

fn retry_later(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    index: usize,
    retrier: &Retrier,
    made: u32,
) -> Result<(), Stop> {
    let delay = delay_ms(retrier, made, deciding.random_u64(thread, state));
    let due_ms = deciding.now_ms.saturating_add_unsigned(delay);
    let retrier = u32::try_from(index).unwrap_or(u32::MAX);
    deciding.note(PrivateRecord::RetryScheduled { thread, retrier, due_ms })?;
    if due_ms <= deciding.now_ms {
        return super::begin(deciding, thread, state);
    }
    Ok(())
}

fn caught(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    index: usize,
    catcher: &Catcher,
    failure: Failure,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let text = |text: Option<Arc<str>>| text.map_or(Value::Null, Value::String);
    let mut members = Object::new();
    members.insert("Error", text(failure.error));
    members.insert("Cause", text(failure.cause));
    let error_output = Payload::from_value(members.into());
    let location = format!("Catch[{index}]/");
    let leaving = Leaving {
        result_selector: None,
        result_path: &catcher.result_path,
        output_path: &PathField::Whole,
        output: catcher.output.as_ref(),
        assign: catcher.assign.as_ref(),
        next: Some(catcher.next),
        location: &location,
    };
    flow::leave(deciding, thread, state, &leaving, &Outcome::Caught(error_output), &[&raw])
}
