//! The way of a document through a state, in either query language.
//!
//! JSONPath: `InputPath`, `Parameters`, work, `ResultSelector`, `Assign` and `ResultPath`, `OutputPath`. JSONata:
//! `Arguments`, work, then `Assign` and `Output` side by side. What a state's own file decides lies between [`input`]
//! and [`leave`].

use std::sync::Arc;

use stepwell_asl::environment::StatesError;
use stepwell_asl::jsonata::{QueryFailure, Scope, States};
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Assign, PathField, QueryLanguage, ResultPath, State, StateId, Transition};
use stepwell_asl::template::Template;
use stepwell_asl::value::Value;

use crate::context::Surroundings;
use crate::decide::{Deciding, Stop, state_type};
use crate::event::{EventDetails, Stored, ThreadId};
use crate::limits::{PAYLOAD_BYTES_MAX, VARIABLES_BYTES_MAX};

/// The fields by which a state is left. Those of the other query language are absent.
pub(super) struct Leaving<'a> {
    pub result_selector: Option<&'a Template>,
    pub result_path: &'a ResultPath,
    pub output_path: &'a PathField,
    pub output: Option<&'a Template>,
    pub assign: Option<&'a Assign>,
    pub next: Option<StateId>,
    /// What stands before the names of JSONata fields in AWS's texts: empty, `Choices[0]/`, `Catch[1]/`.
    pub location: &'a str,
}

/// What a state has come to.
pub(super) enum Outcome {
    /// It has only its effective input (Choice, Wait, Succeed), which goes on.
    Input(Payload),
    /// A result: a task's, the branches', the iterations', or what a Pass makes.
    Result(Payload),
    /// An error that a catcher has caught.
    Caught(Payload),
}

pub(super) fn is_jsonata(state: &State) -> bool {
    state.query_language == QueryLanguage::Jsonata
}

/// The scope of a state's JSONata expressions before it has a result.
pub(super) fn scope<'a>(surroundings: &'a Surroundings<'a>) -> Scope<'a> {
    let input = surroundings.visit.input.payload.value();
    Scope::new(States { input, result: None, error_output: None }, surroundings)
}

/// What a state works on: `InputPath` and `Parameters`, or `Arguments`.
pub(super) fn input(
    surroundings: &Surroundings<'_>,
    state: &State,
    input_path: &PathField,
    parameters: Option<&Template>,
    arguments: Option<&Template>,
) -> Result<Payload, Stop> {
    let raw = &surroundings.visit.input.payload;
    if is_jsonata(state) {
        return match arguments {
            Some(template) => {
                Ok(Payload::from_value(template.evaluate_query(&scope(surroundings), "Arguments")?))
            }
            None => Ok(raw.clone()),
        };
    }
    let effective = input_path.apply(raw, surroundings)?;
    match parameters {
        Some(template) => Ok(Payload::from_value(template.evaluate(effective.value(), surroundings)?)),
        None => Ok(effective),
    }
}

/// Leaves the state: what it has come to becomes its output and sets variables. `known` are payloads that the journal
/// holds already and that the output may be.
pub(super) fn leave(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    leaving: &Leaving<'_>,
    outcome: &Outcome,
    known: &[&Stored],
) -> Result<(), Stop> {
    let surroundings = deciding.surroundings(thread, state);
    let (output, assigned) = if is_jsonata(state) {
        by_jsonata(&surroundings, leaving, outcome)?
    } else {
        by_jsonpath(&surroundings, leaving, outcome)?
    };
    drop(surroundings);
    exit(deciding, thread, state, output, assigned, leaving.next, known)
}

type Left = (Payload, Vec<(Arc<str>, Payload)>);

fn by_jsonpath(
    surroundings: &Surroundings<'_>,
    leaving: &Leaving<'_>,
    outcome: &Outcome,
) -> Result<Left, Stop> {
    let raw = &surroundings.visit.input.payload;
    let (result, is_placed) = match outcome {
        Outcome::Input(effective) => (effective.clone(), false),
        Outcome::Result(result) | Outcome::Caught(result) => (result.clone(), true),
    };
    let result = match leaving.result_selector {
        Some(template) => Payload::from_value(template.evaluate(result.value(), surroundings)?),
        None => result,
    };
    let assigned = match leaving.assign {
        Some(Assign(template)) => variables(template.evaluate(result.value(), surroundings)?),
        None => Vec::new(),
    };
    let placed = if is_placed { leaving.result_path.apply(raw, result)? } else { result };
    Ok((leaving.output_path.apply(&placed, surroundings)?, assigned))
}

fn by_jsonata(
    surroundings: &Surroundings<'_>,
    leaving: &Leaving<'_>,
    outcome: &Outcome,
) -> Result<Left, Stop> {
    let raw = &surroundings.visit.input.payload;
    let (default, result, error_output) = match outcome {
        // What a Pass makes is no result: it has none in JSONata.
        Outcome::Input(_) => (raw, None, None),
        Outcome::Result(result) => (result, Some(result.value()), None),
        Outcome::Caught(error_output) => (error_output, None, Some(error_output.value())),
    };
    let scope = Scope::new(States { input: raw.value(), result, error_output }, surroundings);
    let at = |field: &str| format!("{}{field}", leaving.location);
    let output = match leaving.output {
        Some(template) => Payload::from_value(template.evaluate_query(&scope, &at("Output"))?),
        None => default.clone(),
    };
    let assigned = match leaving.assign {
        Some(Assign(template)) => variables(template.evaluate_query(&scope, &at("Assign"))?),
        None => Vec::new(),
    };
    Ok((output, assigned))
}

fn variables(values: Value) -> Vec<(Arc<str>, Payload)> {
    let members =
        values.as_object().map(|o| o.iter().map(|(n, v)| (n.clone(), Payload::from_value(v.clone()))));
    members.map(Iterator::collect).unwrap_or_default()
}

fn exit(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    output: Payload,
    assigned: Vec<(Arc<str>, Payload)>,
    next: Option<StateId>,
    known: &[&Stored],
) -> Result<(), Stop> {
    let output = deciding.store_unless(output, known);
    // What the journal knows was measured when it came in.
    if !known.iter().any(|k| k.payload.is_same(&output.payload)) {
        check_size(&state.name, &output.payload)?;
    }
    let mut stored = Vec::with_capacity(assigned.len());
    for (name, value) in assigned {
        stored.push((name, deciding.store(value)));
    }
    check_variables(deciding, thread, &stored)?;
    let next = next.map(|id| deciding.program.state(id).name.clone());
    let (state_type, name) = (state_type(state), state.name.clone());
    deciding.emit(thread, EventDetails::StateExited { state_type, name, output, assigned: stored, next })
}

/// The state that a transition leads to, or none at the end.
pub(super) fn target(transition: Transition) -> Option<StateId> {
    match transition {
        Transition::Next(id) => Some(id),
        Transition::End => None,
    }
}

/// `States.DataLimitExceeded` where `payload` is over the limit; `whose` is the state, function or service.
pub(super) fn check_size(whose: &str, payload: &Payload) -> Result<(), StatesError> {
    if !payload.is_longer_than(PAYLOAD_BYTES_MAX) {
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

impl From<QueryFailure> for Stop {
    fn from(failure: QueryFailure) -> Self {
        Stop::Query(failure)
    }
}
