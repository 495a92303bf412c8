//! `Parallel`: its branches run side by side; their outputs, in order, are its result.

use stepwell_asl::program::{Parallel, State};

use super::children;
use super::flow::{self, Leaving, Outcome, target};
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
    let (parameters, arguments) = (parallel.parameters.as_ref(), parallel.arguments.as_ref());
    let input = flow::input(&surroundings, state, &parallel.input_path, parameters, arguments)?;
    drop(surroundings);
    flow::check_size(&state.name, &input)?;
    deciding.emit(thread, EventDetails::ParallelStateStarted)?;
    let first = deciding.store_unless(input, &[&raw]);
    for _ in &parallel.branches {
        children::begin_next(deciding, thread, first.payload.clone(), &[&raw, &first])?;
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
    let result = children::results_of(children::of(deciding, thread))?;
    deciding.emit(thread, EventDetails::ParallelStateSucceeded)?;
    let leaving = Leaving {
        result_selector: parallel.result_selector.as_ref(),
        result_path: &parallel.result_path,
        output_path: &parallel.output_path,
        output: parallel.output.as_ref(),
        assign: parallel.assign.as_ref(),
        next: target(parallel.transition),
        location: "",
    };
    flow::leave(deciding, thread, state, &leaving, &Outcome::Result(result), &[&raw])
}
