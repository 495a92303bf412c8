//! `Fail`: fails its chain with the error that the definition names; it has no `…Exited` event.

use std::sync::Arc;

use stepwell_asl::program::{Fail, FailText, State};

use super::flow;
use crate::decide::{Deciding, Stop, cut_cause, cut_error};
use crate::event::ThreadId;
use crate::retry::Failure;

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    fail: &Fail,
) -> Result<(), Stop> {
    let surroundings = deciding.surroundings(thread, state);
    let scope = flow::scope(&surroundings);
    let resolve = |text: &Option<FailText>, field, path_field| -> Result<Option<Arc<str>>, Stop> {
        let Some(text) = text else { return Ok(None) };
        if flow::is_jsonata(state) {
            return Ok(Some(text.resolve_query(field, &scope)?));
        }
        Ok(Some(text.resolve(path_field, scope.input(), &surroundings)?))
    };
    let error = resolve(&fail.error, "Error", "ErrorPath")?;
    let cause = resolve(&fail.cause, "Cause", "CausePath")?;
    drop(scope);
    drop(surroundings);
    deciding
        .fail_chain(thread, Failure { error: cut_error(error), cause: cut_cause(cause), is_heartbeat: false })
}
