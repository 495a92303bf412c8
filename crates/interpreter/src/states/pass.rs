//! `Pass`: hands its input on, changed by `Parameters`, or puts a fixed `Result` in.

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Pass, State};

use super::{Exit, assignments, place_result, target};
use crate::decide::{Deciding, Stop};
use crate::event::ThreadId;

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    pass: &Pass,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let effective = pass.input_path.apply(&raw.payload, &surroundings)?;
    let result = match (&pass.result, &pass.parameters) {
        (Some(result), _) => Payload::from_value(result.clone()),
        (None, Some(parameters)) => {
            Payload::from_value(parameters.evaluate(effective.value(), &surroundings)?)
        }
        (None, None) => effective,
    };
    let assigned = assignments(deciding, thread, state, pass.assign.as_ref(), &result)?;
    let placed = place_result(&pass.result_path, &raw.payload, result)?;
    let output = pass.output_path.apply(&placed, &surroundings)?;
    drop(surroundings);
    Exit { output, known: &[&raw], assigned, next: target(pass.transition) }.take(deciding, thread, state)
}
