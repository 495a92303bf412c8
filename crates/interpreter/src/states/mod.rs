//! What each type of state does when it is entered, and when its time has come. One file per type.

pub(crate) mod children;
mod choice;
mod fail;
#[cfg(feature = "whole-language")]
pub(crate) mod map;
#[cfg(feature = "whole-language")]
mod parallel;
mod pass;
pub(crate) mod recover;
mod succeed;
pub(crate) mod task;
mod wait;

use std::sync::Arc;

use stepwell_asl::environment::StatesError;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Assign, ResultPath, State, StateId, StateKind, Transition};

use crate::decide::{Deciding, Stop, state_type};
use crate::event::{EventDetails, Stored, ThreadId};
use crate::execution::{Activity, Visit};
use crate::limits::{PAYLOAD_BYTES_MAX, VARIABLES_BYTES_MAX};

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
            #[cfg(feature = "whole-language")]
            StateKind::Parallel(parallel) => parallel::leave(deciding, thread, state, parallel),
            #[cfg(feature = "whole-language")]
            StateKind::Map(map) => map::go_on(deciding, thread, state, map),
            _ => unreachable!("only Parallel and Map states have children"),
        },
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
        #[cfg(feature = "whole-language")]
        StateKind::Parallel(parallel) => parallel::begin(deciding, thread, state, parallel),
        #[cfg(feature = "whole-language")]
        StateKind::Map(map) => map::begin(deciding, thread, state, map),
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

/// How a state is left.
pub(crate) struct Exit<'a> {
    pub output: Payload,
    /// Payloads that the journal holds already and that `output` may be.
    pub known: &'a [&'a Stored],
    pub assigned: Vec<(Arc<str>, Payload)>,
    pub next: Option<StateId>,
}

impl Exit<'_> {
    /// Leaves the state: `…StateExited`.
    pub(crate) fn take(
        self,
        deciding: &mut Deciding<'_>,
        thread: ThreadId,
        state: &State,
    ) -> Result<(), Stop> {
        let output = deciding.store_unless(self.output, self.known);
        // What the journal knows was measured when it came in.
        if !self.known.iter().any(|k| k.payload.is_same(&output.payload)) {
            check_size(&state.name, &output.payload)?;
        }
        let mut assigned = Vec::with_capacity(self.assigned.len());
        for (name, value) in self.assigned {
            assigned.push((name, deciding.store(value)));
        }
        check_variables(deciding, thread, &assigned)?;
        let next = self.next.map(|id| deciding.program.state(id).name.clone());
        deciding.emit(
            thread,
            EventDetails::StateExited {
                state_type: state_type(state),
                name: state.name.clone(),
                output,
                assigned,
                next,
            },
        )
    }
}

/// The state that a transition leads to, or none at the end.
pub(crate) fn target(transition: Transition) -> Option<StateId> {
    match transition {
        Transition::Next(id) => Some(id),
        Transition::End => None,
    }
}

/// `States.DataLimitExceeded` where `payload` is over the limit; `whose` is the state, function or service.
pub(crate) fn check_size(whose: &str, payload: &Payload) -> Result<(), StatesError> {
    if payload.byte_len() <= PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    Err(StatesError {
        error: "States.DataLimitExceeded",
        cause: format!(
            "The state/task '{whose}' returned a result with a size exceeding the maximum number of bytes service limit."
        ),
        names_state: false,
    })
}

fn check_variables(
    deciding: &Deciding<'_>,
    thread: ThreadId,
    assigned: &[(Arc<str>, Stored)],
) -> Result<(), StatesError> {
    if assigned.is_empty() {
        return Ok(());
    }
    let mut sum = 0;
    for (name, value) in assigned {
        let bytes = value.payload.byte_len();
        sum += bytes;
        if bytes > PAYLOAD_BYTES_MAX || sum > PAYLOAD_BYTES_MAX {
            return Err(StatesError::runtime(format!(
                "The value assigned to the variable '{name}' exceeds the maximum number of bytes service limit."
            )));
        }
    }
    let kept: usize = deciding.execution.threads[&thread]
        .variables
        .iter()
        .filter(|(name, _)| !assigned.iter().any(|(new, _)| new == *name))
        .map(|(_, value)| value.payload.byte_len())
        .sum();
    if kept + sum > VARIABLES_BYTES_MAX {
        return Err(StatesError::runtime(
            "The variables of the execution exceed the maximum number of bytes service limit.",
        ));
    }
    Ok(())
}

/// `result` put into the raw input by `ResultPath`.
pub(crate) fn place_result(
    path: &ResultPath,
    raw_input: &Payload,
    result: Payload,
) -> Result<Payload, StatesError> {
    match path {
        ResultPath::Replace => Ok(result),
        ResultPath::Discard => Ok(raw_input.clone()),
        ResultPath::At(path) => {
            path.insert(raw_input.value(), result.value().clone()).map(Payload::from_value)
        }
    }
}

/// The variables that `Assign` sets, with `input` as `$`.
pub(crate) fn assignments(
    deciding: &Deciding<'_>,
    thread: ThreadId,
    state: &State,
    assign: Option<&Assign>,
    input: &Payload,
) -> Result<Vec<(Arc<str>, Payload)>, StatesError> {
    let Some(Assign(template)) = assign else { return Ok(Vec::new()) };
    let values = template.evaluate(input.value(), &deciding.surroundings(thread, state))?;
    let members = values.as_object().map(|o| o.iter().collect::<Vec<_>>()).unwrap_or_default();
    Ok(members.into_iter().map(|(name, value)| (name.clone(), Payload::from_value(value.clone()))).collect())
}
