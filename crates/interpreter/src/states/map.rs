//! `Map` with inline iterations: one chain per item, so many at a time; their outputs, in the order of the items, are
//! its result.

use stepwell_asl::environment::{Environment, StatesError};
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{CountField, Items, Map, ProcessorMode, State};
use stepwell_asl::value::Value;

use super::{Exit, assignments, children, place_result, target};
use crate::context::Item;
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
    let effective = map.input_path.apply(&super::visit(deciding, thread).input.payload, &surroundings)?;
    let items = items(map, effective.value(), &surroundings)?;
    let concurrency = match &map.max_concurrency {
        None => 0,
        Some(CountField::Literal(count)) => *count,
        Some(field) => field.resolve("MaxConcurrencyPath", effective.value(), &surroundings)?,
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
    let surroundings = deciding.surroundings(thread, state);
    let effective = map.input_path.apply(&raw.payload, &surroundings)?;
    let items = items(map, effective.value(), &surroundings)?;
    drop(surroundings);
    while children::of(deciding, thread).may_begin_another() {
        let index = children::of(deciding, thread).next_index;
        let value = items.get(index as usize).cloned().unwrap_or_default();
        let input = match &map.item_selector {
            Some(template) => {
                let mut surroundings = deciding.surroundings(thread, state);
                surroundings.item = Some(Item { index, value });
                Payload::from_value(template.evaluate(effective.value(), &surroundings)?)
            }
            None => Payload::from_value(value),
        };
        super::check_size(&state.name, &input)?;
        let child = children::begin_next(deciding, thread, input, &[&raw]);
        deciding.emit(child, EventDetails::MapIterationStarted { name: state.name.clone(), index })?;
        if deciding.over_budget() {
            break;
        }
    }
    Ok(())
}

/// What a Map iterates over: the elements of an array.
pub(crate) fn items(map: &Map, effective: &Value, env: &dyn Environment) -> Result<Vec<Value>, StatesError> {
    let items = match &map.items {
        Items::Input => effective.clone(),
        Items::Path(path) => path.evaluate(effective, env).map_err(|miss| {
            StatesError::runtime(format!("Invalid path '{}' : {}", path.text(), miss.reason()))
        })?,
        Items::Template(template) => template.evaluate(effective, env)?,
    };
    match &items {
        Value::Array(elements) => Ok(elements.to_vec()),
        _ => Err(StatesError::runtime(format!(
            "Reference path \"{}\" must point to array.",
            match &map.items {
                Items::Path(path) => path.text(),
                _ => "$",
            }
        ))),
    }
}

fn leave(deciding: &mut Deciding<'_>, thread: ThreadId, state: &State, map: &Map) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    deciding.emit(thread, EventDetails::MapStateSucceeded)?;
    let result = children::results(deciding, thread);
    let surroundings = deciding.surroundings(thread, state);
    let selected = match &map.result_selector {
        Some(template) => Payload::from_value(template.evaluate(result.value(), &surroundings)?),
        None => result,
    };
    let assigned = assignments(deciding, thread, state, map.assign.as_ref(), &selected)?;
    let placed = place_result(&map.result_path, &raw.payload, selected)?;
    let output = map.output_path.apply(&placed, &surroundings)?;
    drop(surroundings);
    Exit { output, known: &[&raw], assigned, next: target(map.transition) }.take(deciding, thread, state)
}
