//! `Map` with inline iterations: one chain per item, so many at a time; their outputs, in the order of the items, are
//! its result.

use stepwell_asl::environment::StatesError;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Map, ProcessorMode, State};
use stepwell_asl::value::Value;

use super::flow::{self, Leaving, Outcome, target};
use super::{children, map_run};
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
        return map_run::begin(deciding, thread, state, map);
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
        let result = children::results_of(children::of(deciding, thread))?;
        deciding.emit(thread, EventDetails::MapStateSucceeded)?;
        return leave(deciding, thread, state, map, result);
    }
    let raw = super::visit(deciding, thread).input.clone();
    let (effective, items) = items(&deciding.surroundings(thread, state), state, map)?;
    while children::of(deciding, thread).may_begin_another() {
        let index = children::of(deciding, thread).next_index;
        let value = items.get(index as usize).cloned().ok_or_else(lost_item)?;
        let surroundings = deciding.surroundings(thread, state);
        let input = item_input(&surroundings, state, map, &effective, index, value)?;
        drop(surroundings);
        let child = children::begin_next(deciding, thread, input, &[&raw])?;
        deciding.emit(child, EventDetails::MapIterationStarted { name: state.name.clone(), index })?;
        if deciding.over_budget() {
            break;
        }
    }
    Ok(())
}

/// There are fewer items than there were when the state began.
pub(super) fn lost_item() -> StatesError {
    StatesError::runtime("The Map state has fewer items than it had when it was started.")
}

/// The input of the iteration or child execution for an item: the item, or what `ItemSelector` makes of it.
pub(super) fn item_input(
    surroundings: &Surroundings<'_>,
    state: &State,
    map: &Map,
    effective: &Payload,
    index: u32,
    value: Value,
) -> Result<Payload, Stop> {
    let Some(template) = &map.item_selector else { return Ok(Payload::from_value(value)) };
    let surroundings = surroundings.for_item(Item { index, value });
    let input = Payload::from_value(if flow::is_jsonata(state) {
        template.evaluate_query(&flow::scope(&surroundings), "ItemSelector")?
    } else {
        template.evaluate(effective.value(), &surroundings)?
    });
    flow::check_size(&state.name, &input)?;
    Ok(input)
}

/// The effective input of a Map and what it iterates over: the elements of an array.
pub(crate) fn items(
    surroundings: &Surroundings<'_>,
    state: &State,
    map: &Map,
) -> Result<(Payload, Vec<Value>), Stop> {
    let effective = flow::input(surroundings, state, &map.input_path, None, None)?;
    let items = if flow::is_jsonata(state) {
        map.items.resolve_query(&flow::scope(surroundings))?
    } else {
        map.items.resolve(effective.value(), surroundings)?
    };
    let elements = items.as_array().map(<[Value]>::to_vec).unwrap_or_default();
    Ok((effective, elements))
}

/// Leaves the state with what all iterations or children gave.
pub(super) fn leave(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    map: &Map,
    result: Payload,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
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
