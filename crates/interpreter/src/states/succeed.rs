//! `Succeed`: the end of its chain.

use stepwell_asl::program::{ResultPath, State, Succeed};

use super::flow::{self, Leaving, Outcome};
use crate::decide::{Deciding, Stop};
use crate::event::ThreadId;

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    succeed: &Succeed,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let effective =
        flow::input(&deciding.surroundings(thread, state), state, &succeed.input_path, None, None)?;
    let leaving = Leaving {
        result_selector: None,
        result_path: &ResultPath::Replace,
        output_path: &succeed.output_path,
        output: succeed.output.as_ref(),
        assign: None,
        next: None,
        location: "",
    };
    flow::leave(deciding, thread, state, &leaving, &Outcome::Input(effective), &[&raw])
}
