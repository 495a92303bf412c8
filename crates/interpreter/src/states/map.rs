//! `Map` with inline iterations: one chain per item, so many at a time; their outputs, in the order of the items, are
//! its result.

use stepwell_asl::environment::StatesError;
use stepwell_asl::jsonata::QueryFailure;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Items, Map, ProcessorMode, State};
use stepwell_asl::value::Value;

use super::children;
use super::flow::{self, Leaving, Outcome, target};
use crate::context::{Item, Surroundings};
use crate::decide::{Deciding, Stop};
use crate::event::{EventDetails, ThreadId};
use crate::limits::{INLINE_MAP_CONCURRENCY_MAX, MAP_ITEMS_MAX};

/// Looks the items up; the iterations begin with the state's next steps.
pub(super) fn begin(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    map: &Map,
) -> Result<(), Stop> {
    if map.processor.mode != ProcessorMode::Inline {
        return Err(Stop::Failed(StatesError::runtime(
            "Map states in DISTRIBUTED mode are not supported by this version of Stepwell.",
        )));
    }
    let surroundings = deciding.surroundings(thread, state);
    let (_, items) = items(&surroundings, state, map)?;
    let concurrency = match &map.max_concurrency {
        None => 0,
        Some(field) if flow::is_jsonata(state) => {
            field.resolve_query("MaxConcurrency", &flow::scope(&surroundings))?
        }
        Some(field) => {
            let effective = flow::input(&surroundings, state, &map.input_path, None, None)?;
            field.resolve("MaxConcurrency", effective.value(), &surroundings)?
        }
    };
    drop(surroundings);
    let length = u32::try_from(items.len())
        .ok()
        .filter(|length| *length <= MAP_ITEMS_MAX)
        .ok_or_else(|| StatesError::runtime(format!("The Map state has more than {MAP_ITEMS_MAX} items.")))?;
    let concurrency = if concurrency == 0 {
        INLINE_MAP_CONCURRENCY_MAX
    } else {
        concurrency.min(INLINE_MAP_CONCURRENCY_MAX)
    };
    deciding.emit(thread, EventDetails::MapStateStarted { length, concurrency })
}

/// Begins as many iterations as may run, or leaves the state when all have ended.
pub(super) fn go_on(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    map: &Map,
) -> Result<(), Stop> {
    if children::of(deciding, thread).all_have_ended() {
        return leave(deciding, thread, state, map);
    }
    let raw = super::visit(deciding, thread).input.clone();
    let (effective, items) = items(&deciding.surroundings(thread, state), state, map)?;
    while children::of(deciding, thread).may_begin_another() {
        let index = children::of(deciding, thread).next_index;
        let value = items.get(index as usize).cloned().unwrap_or_default();
        let input = match &map.item_selector {
            Some(template) => {
                let mut surroundings = deciding.surroundings(thread, state);
                surroundings.item = Some(Item { index, value });
                Payload::from_value(if flow::is_jsonata(state) {
                    template.evaluate_query(&flow::scope(&surroundings), "ItemSelector")?
                } else {
                    template.evaluate(effective.value(), &surroundings)?
                })
            }
            None => Payload::from_value(value),
        };
        flow::check_size(&state.name, &input)?;
        let child = children::begin_next(deciding, thread, input, &[&raw]);
        deciding.emit(child, EventDetails::MapIterationStarted { name: state.name.clone(), index })?;
        if deciding.over_budget() {
            break;
        }
    }
    Ok(())
}

/// The effective input of a Map and what it iterates over: the elements of an array.
pub(crate) fn items(
    surroundings: &Surroundings<'_>,
    state: &State,
    map: &Map,
) -> Result<(Payload, Vec<Value>), Stop> {
    let effective = flow::input(surroundings, state, &map.input_path, None, None)?;
    let items = match &map.items {
        Items::Input => effective.value().clone(),
        Items::Path(path) => path.evaluate(effective.value(), surroundings).map_err(|miss| {
            StatesError::runtime(format!("Invalid path '{}' : {}", path.text(), miss.reason()))
        })?,
        Items::Template(template) => template.evaluate_query(&flow::scope(surroundings), "Items")?,
    };
    let place = match &map.items {
        Items::Path(path) => path.text(),
        _ => "$",
    };
    match (&items, &map.items) {
        (Value::Array(elements), _) => Ok((effective, elements.to_vec())),
        (_, Items::Template(template)) => Err(template.unexpected_type("Items", "array", &items).into()),
        (_, Items::Input) if flow::is_jsonata(state) => {
            let cause = format!("Map state input must be an array but was: {items}");
            let error = StatesError { error: "States.QueryEvaluationError", cause, names_state: true };
            Err(QueryFailure { error, location: None }.into())
        }
        _ => Err(StatesError::runtime(format!("Reference path \"{place}\" must point to array.")).into()),
    }
}

fn leave(deciding: &mut Deciding<'_>, thread: ThreadId, state: &State, map: &Map) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    deciding.emit(thread, EventDetails::MapStateSucceeded)?;
    let result = children::results(deciding, thread);
    let leaving = Leaving {
        result_selector: map.result_selector.as_ref(),
        result_path: &map.result_path,
        output_path: &map.output_path,
        output: map.output.as_ref(),
        assign: map.assign.as_ref(),
        next: target(map.transition),
        location: "",
    };
    flow::leave(deciding, thread, state, &leaving, &Outcome::Result(result), &[&raw])
}
