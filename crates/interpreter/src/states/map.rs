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
use crate::event::{EventDetails, PrivateRecord, ThreadId};
use crate::items::{are_derived, item};
use crate::limits::{INLINE_MAP_CONCURRENCY_MAX, MAP_ITEMS_BYTES_MAX, MAP_ITEMS_MAX};

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
    let items = look_up(&surroundings, state, map)?;
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
    let concurrency = if concurrency == 0 {
        INLINE_MAP_CONCURRENCY_MAX
    } else {
        concurrency.min(INLINE_MAP_CONCURRENCY_MAX)
    };
    started(deciding, thread, map, items, concurrency)
}

/// The state has begun: its items are kept as they are now.
pub(super) fn started(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    map: &Map,
    items: Value,
    concurrency: u32,
) -> Result<(), Stop> {
    let length = items.as_array().map_or(0, <[Value]>::len);
    let length = u32::try_from(length)
        .ok()
        .filter(|length| *length <= MAP_ITEMS_MAX)
        .ok_or_else(|| StatesError::runtime(format!("The Map state has more than {MAP_ITEMS_MAX} items.")))?;
    let is_derived = are_derived(map);
    let payload = Payload::from_value(items);
    if !is_derived && payload.is_longer_than(MAP_ITEMS_BYTES_MAX) {
        let cause = format!("The items of the Map state have more than {MAP_ITEMS_BYTES_MAX} bytes.");
        return Err(StatesError::runtime(cause).into());
    }
    deciding.emit(thread, EventDetails::MapStateStarted { length, concurrency })?;
    if is_derived {
        if let Some(kept) = &super::visit(deciding, thread).items {
            kept.keep(payload.value());
        }
        return Ok(());
    }
    let items = deciding.store(payload);
    deciding.note(PrivateRecord::MapItemsKept { thread, items })
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
    let items = items(&deciding.surroundings(thread, state), state, map)?;
    let selecting = Selecting::new(&deciding.surroundings(thread, state), state, map)?;
    while children::of(deciding, thread).may_begin_another() {
        let index = children::of(deciding, thread).next_index;
        let input = selecting.input(&deciding.surroundings(thread, state), &items, index)?;
        let child = children::begin_next(deciding, thread, input, &[&raw])?;
        deciding.emit(child, EventDetails::MapIterationStarted { name: state.name.clone(), index })?;
        if deciding.over_budget() {
            break;
        }
    }
    Ok(())
}

/// How items become inputs of iterations or child executions.
pub(super) struct Selecting<'a> {
    state: &'a State,
    map: &'a Map,
    /// What a JSONPath `ItemSelector` looks at.
    effective: Payload,
}

impl<'a> Selecting<'a> {
    pub(super) fn new(surroundings: &Surroundings<'_>, state: &'a State, map: &'a Map) -> Result<Self, Stop> {
        let effective = match map.item_selector {
            Some(_) => flow::input(surroundings, state, &map.input_path, None, None)?,
            None => Payload::empty_object(),
        };
        Ok(Selecting { state, map, effective })
    }

    /// The input for one of `items`: the item, or what `ItemSelector` makes of it.
    pub(super) fn input(
        &self,
        surroundings: &Surroundings<'_>,
        items: &Value,
        index: u32,
    ) -> Result<Payload, Stop> {
        let fewer = || StatesError::runtime("The Map state has fewer items than it had when it was started.");
        let value = item(items, index).cloned().ok_or_else(fewer)?;
        let Some(template) = &self.map.item_selector else { return Ok(Payload::from_value(value)) };
        let surroundings = surroundings.for_item(Item { index, value });
        let input = Payload::from_value(if flow::is_jsonata(self.state) {
            template.evaluate_query(&flow::scope(&surroundings), "ItemSelector")?
        } else {
            template.evaluate(self.effective.value(), &surroundings)?
        });
        flow::check_size(&self.state.name, &input)?;
        Ok(input)
    }
}

/// What a Map that has begun iterates over: the array that it began with.
pub(crate) fn items(surroundings: &Surroundings<'_>, state: &State, map: &Map) -> Result<Value, Stop> {
    let kept = surroundings.visit.items.as_ref();
    if let Some(items) = kept.and_then(|kept| kept.known()) {
        return Ok(items.clone());
    }
    // Derived once more after a crash; also where the journal was written before it kept items.
    let items = look_up(surroundings, state, map)?;
    if let Some(kept) = kept {
        kept.keep(&items);
    }
    Ok(items)
}

/// What a Map is to iterate over, as of now.
pub(super) fn look_up(surroundings: &Surroundings<'_>, state: &State, map: &Map) -> Result<Value, Stop> {
    if flow::is_jsonata(state) {
        return Ok(map.items.resolve_query(&flow::scope(surroundings))?);
    }
    let effective = flow::input(surroundings, state, &map.input_path, None, None)?;
    Ok(map.items.resolve(effective.value(), surroundings)?)
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
