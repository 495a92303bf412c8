//! `Parallel`: its branches run side by side; their outputs, in order, are its result.

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Parallel, State};

use super::{Exit, assignments, children, place_result, target};
use crate::decide::{Deciding, Stop};
use crate::event::{EventDetails, ThreadId};

/// Begins all branches.
pub(super) fn begin(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    parallel: &Parallel,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let effective = parallel.input_path.apply(&raw.payload, &surroundings)?;
    let input = match &parallel.parameters {
        Some(template) => Payload::from_value(template.evaluate(effective.value(), &surroundings)?),
        None => effective,
    };
    drop(surroundings);
    super::check_size(&state.name, &input)?;
    deciding.emit(thread, EventDetails::ParallelStateStarted)?;
    let first = deciding.store_unless(input, &[&raw]);
    for _ in &parallel.branches {
        children::begin_next(deciding, thread, first.payload.clone(), &[&raw, &first]);
    }
    Ok(())
}

/// All branches have ended: out of the state with what they gave.
pub(super) fn leave(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    parallel: &Parallel,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    deciding.emit(thread, EventDetails::ParallelStateSucceeded)?;
    let result = children::results(deciding, thread);
    let surroundings = deciding.surroundings(thread, state);
    let selected = match &parallel.result_selector {
        Some(template) => Payload::from_value(template.evaluate(result.value(), &surroundings)?),
        None => result,
    };
    let assigned = assignments(deciding, thread, state, parallel.assign.as_ref(), &selected)?;
    let placed = place_result(&parallel.result_path, &raw.payload, selected)?;
    let output = parallel.output_path.apply(&placed, &surroundings)?;
    drop(surroundings);
    Exit { output, known: &[&raw], assigned, next: target(parallel.transition) }.take(deciding, thread, state)
}
