//! `Choice`: the first rule that holds says where to go, else `Default`.

use stepwell_asl::environment::StatesError;
use stepwell_asl::program::{Choice, State};

use super::{Exit, assignments};
use crate::decide::{Deciding, Stop};
use crate::event::ThreadId;

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    choice: &Choice,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let effective = choice.input_path.apply(&raw.payload, &surroundings)?;
    let mut taken = choice.default.map(|next| (next, choice.assign.as_ref()));
    for rule in &choice.rules {
        if rule.condition.evaluate(effective.value(), &surroundings)? {
            taken = Some((rule.next, rule.assign.as_ref()));
            break;
        }
    }
    let Some((next, assign)) = taken else {
        // The specification's States.NoChoiceMatched; AWS reports this.
        return Err(Stop::Failed(StatesError::runtime(
            "Failed to transition out of the state. The state does not point to a next state.",
        )));
    };
    let assigned = assignments(deciding, thread, state, assign, &effective)?;
    let output = choice.output_path.apply(&effective, &surroundings)?;
    drop(surroundings);
    Exit { output, known: &[&raw], assigned, next: Some(next) }.take(deciding, thread, state)
}
