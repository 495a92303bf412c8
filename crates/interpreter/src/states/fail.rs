//! `Fail`: fails its chain with the error that the definition names; it has no `…Exited` event.

use stepwell_asl::program::{Fail, FailText, State};

use crate::decide::{Deciding, Stop, cut_cause, cut_error};
use crate::event::ThreadId;
use crate::retry::Failure;

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    fail: &Fail,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let resolve = |text: &Option<FailText>, field| {
        text.as_ref().map(|text| text.resolve(field, raw.payload.value(), &surroundings)).transpose()
    };
    let error = resolve(&fail.error, "ErrorPath")?;
    let cause = resolve(&fail.cause, "CausePath")?;
    drop(surroundings);
    deciding
        .fail_chain(thread, Failure { error: cut_error(error), cause: cut_cause(cause), is_heartbeat: false })
}
