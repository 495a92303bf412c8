//! What each type of state does when it is entered, and when its time has come. One file per type.

pub(crate) mod children;
mod choice;
mod fail;
mod flow;
pub(crate) mod map;
pub(crate) mod map_run;
mod parallel;
mod pass;
pub(crate) mod recover;
mod succeed;
pub(crate) mod task;
mod wait;

use stepwell_asl::program::{State, StateKind};

use crate::decide::{Deciding, Stop};
use crate::event::ThreadId;
use crate::execution::{Activity, Visit};
use crate::retry::Failure;

/// Takes the next step of `state`, which `thread` visits.
pub(crate) fn work(deciding: &mut Deciding<'_>, thread: ThreadId, state: &State) -> Result<(), Stop> {
    match &visit(deciding, thread).activity {
        Activity::Failed(failure) => {
            let failure = failure.clone();
            recover::recover(deciding, thread, state, failure)
        }
        Activity::Succeeded { result } => {
            let result = result.clone();
            match &state.kind {
                StateKind::Task(task) => task::leave(deciding, thread, state, task, &result),
                _ => unreachable!("only Task states have results"),
            }
        }
        Activity::Children(_) => match &state.kind {
            StateKind::Parallel(parallel) => parallel::leave(deciding, thread, state, parallel),
            StateKind::Map(map) => map::go_on(deciding, thread, state, map),
            _ => unreachable!("only Parallel and Map states have children"),
        },
        Activity::MapRun(_) => match &state.kind {
            StateKind::Map(map) => map_run::go_on(deciding, thread, state, map),
            _ => unreachable!("only Map states have Map Runs"),
        },
        Activity::Redriving(_) => map_run::redrive(deciding, thread),
        _ => begin(deciding, thread, state),
    }
}

/// Does the work of `state` from the start: on entry, and again for each retry.
pub(crate) fn begin(deciding: &mut Deciding<'_>, thread: ThreadId, state: &State) -> Result<(), Stop> {
    match &state.kind {
        StateKind::Pass(pass) => pass::work(deciding, thread, state, pass),
        StateKind::Task(task) => task::schedule(deciding, thread, state, task),
        StateKind::Choice(choice) => choice::work(deciding, thread, state, choice),
        StateKind::Wait(wait) => wait::work(deciding, thread, state, wait),
        StateKind::Succeed(succeed) => succeed::work(deciding, thread, state, succeed),
        StateKind::Fail(fail) => fail::work(deciding, thread, state, fail),
        StateKind::Parallel(parallel) => parallel::begin(deciding, thread, state, parallel),
        StateKind::Map(map) => map::begin(deciding, thread, state, map),
    }
}

/// `state` fails by itself: what it has running is given up, then its Retry and Catch are asked.
pub(crate) fn fail(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    failure: Failure,
) -> Result<(), Stop> {
    match &visit(deciding, thread).activity {
        Activity::Children(_) if deciding.execution.has_children(thread) => {
            children::give_up(deciding, thread, failure)
        }
        Activity::MapRun(run) if !run.children.all_have_ended() => {
            map_run::fail(deciding, thread, failure.error, failure.cause)
        }
        _ => recover::recover(deciding, thread, state, failure),
    }
}

/// What `thread` waits for is due now.
pub(crate) fn due(deciding: &mut Deciding<'_>, thread: ThreadId) -> Result<(), Stop> {
    let visit = visit(deciding, thread);
    let state = deciding.program.state(visit.state);
    match (&state.kind, &visit.activity) {
        (StateKind::Wait(wait), Activity::Waiting { .. }) => wait::leave(deciding, thread, state, wait),
        (_, Activity::BackingOff { .. }) => begin(deciding, thread, state),
        (StateKind::Task(task), Activity::Task(_)) => task::timed_out(deciding, thread, task),
        _ => unreachable!("only Wait states, retries and tasks wait for time"),
    }
}

/// The visit that `thread` makes.
pub(crate) fn visit<'b>(deciding: &'b Deciding<'_>, thread: ThreadId) -> &'b Visit {
    deciding.execution.threads[&thread].visit().expect("a state that works is being visited")
}
