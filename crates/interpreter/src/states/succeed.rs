//! `Succeed`: the end of its chain.

use stepwell_asl::program::{State, Succeed};

use super::Exit;
use crate::decide::{Deciding, Stop};
use crate::event::ThreadId;

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    succeed: &Succeed,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let effective = succeed.input_path.apply(&raw.payload, &surroundings)?;
    let output = succeed.output_path.apply(&effective, &surroundings)?;
    drop(surroundings);
    Exit { output, known: &[&raw], assigned: Vec::new(), next: None }.take(deciding, thread, state)
}
