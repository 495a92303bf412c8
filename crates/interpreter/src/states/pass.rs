//! `Pass`: hands its input on, changed by `Parameters` or `Output`, or puts a fixed `Result` in.

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Pass, State};

use super::flow::{self, Leaving, Outcome, target};
use crate::decide::{Deciding, Stop};
use crate::event::ThreadId;

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    pass: &Pass,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let outcome = match &pass.result {
        _ if flow::is_jsonata(state) => Outcome::Input(raw.payload.clone()),
        Some(result) => Outcome::Result(Payload::from_value(result.clone())),
        None => {
            let surroundings = deciding.surroundings(thread, state);
            let parameters = pass.parameters.as_ref();
            Outcome::Result(flow::input(&surroundings, state, &pass.input_path, parameters, None)?)
        }
    };
    let leaving = Leaving {
        result_selector: None,
        result_path: &pass.result_path,
        output_path: &pass.output_path,
        output: pass.output.as_ref(),
        assign: pass.assign.as_ref(),
        next: target(pass.transition),
        location: "",
    };
    flow::leave(deciding, thread, state, &leaving, &outcome, &[&raw])
}
