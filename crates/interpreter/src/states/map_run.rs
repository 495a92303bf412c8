//! `Map` in DISTRIBUTED mode: a Map Run, with a child execution for each item or batch of items.
//!
//! The items come from the state's input. What reads them from elsewhere (`ItemReader`) or writes results elsewhere
//! (`ResultWriter`) is refused by name.

use std::sync::Arc;

use stepwell_asl::environment::StatesError;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{CountField, ItemBatcher, Map, PercentageField, State};
use stepwell_asl::value::Value;

use super::children::results_of;
use super::flow;
use super::map::{Selecting, items, look_up};
use crate::batches::Batching;
use crate::command::{ChildStart, Effect};
use crate::context::Surroundings;
use crate::decide::{Deciding, Stop};
use crate::event::{EventDetails, PrivateRecord, ThreadId};
use crate::execution::{Activity, ChildOf, Execution, ExecutionInfo, ExecutionKind};
use crate::limits::MAP_RUN_REDRIVES_MAX;
use crate::map_run::MapRun;

/// Begins the Map Run; its children begin with the state's next steps.
pub(super) fn begin(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    map: &Map,
) -> Result<(), Stop> {
    for (field, is_used) in [
        ("ItemReader", map.distributed.item_reader.is_some()),
        ("ResultWriter", map.distributed.result_writer.as_ref().is_some_and(|w| w.resource.is_some())),
    ] {
        if is_used {
            let cause = format!("{field} is not supported by this version of Stepwell.");
            return Err(StatesError::runtime(cause).into());
        }
    }
    let items = look_up(&deciding.surroundings(thread, state), state, map)?;
    let length = items.as_array().map_or(0, <[Value]>::len);
    super::map::started(deciding, thread, map, items, 0)?;
    let surroundings = deciding.surroundings(thread, state);
    let concurrency = count(&surroundings, state, map, "MaxConcurrency", map.max_concurrency.as_ref())?;
    let failures = map.distributed.tolerated_failure_count.as_ref();
    let tolerated_failure_count = count(&surroundings, state, map, "ToleratedFailureCount", failures)?;
    let tolerated_failure_percentage = percentage(&surroundings, state, map)?;
    let batches = match &map.distributed.item_batcher {
        Some(batcher) => Some(batches(&surroundings, state, map, batcher)?),
        None => None,
    };
    drop(surroundings);
    let children = batches.as_ref().map_or(length, |batches| batches.len());
    let children = u32::try_from(children).unwrap_or(u32::MAX);
    if let Some(ends) = batches {
        deciding.note(PrivateRecord::MapItemsBatched { thread, ends })?;
    }
    let concurrency = concurrency.unwrap_or(0);
    let map_run_arn = new_arn(deciding, thread, state, map);
    deciding.emit(
        thread,
        EventDetails::MapRunStarted {
            map_run_arn,
            children,
            concurrency,
            tolerated_failure_count,
            tolerated_failure_percentage,
        },
    )
}

/// Begins as many children as may run, or ends the Map Run.
pub(super) fn go_on(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    map: &Map,
) -> Result<(), Stop> {
    let Some(run) = deciding.execution.threads[&thread].map_run() else { return Ok(()) };
    if run.is_threshold_exceeded() {
        let error = Some("States.ExceedToleratedFailureThreshold".into());
        let cause = Some("The specified tolerated failure threshold was exceeded".into());
        return fail(deciding, thread, error, cause);
    }
    if run.children.all_have_ended() {
        let result = results_of(&run.children)?;
        deciding.emit(thread, EventDetails::MapRunSucceeded)?;
        let run_succeeded = deciding.execution.last_event_id;
        deciding.emit_after(run_succeeded, thread, EventDetails::MapStateSucceeded)?;
        return super::map::leave(deciding, thread, state, map, result);
    }
    let inputs = Inputs::new(&deciding.surroundings(thread, state), state, map)?;
    while let Some(run) = deciding.execution.threads[&thread].map_run()
        && let Some(index) = run.next_child()
    {
        let input = inputs.of(&deciding.surroundings(thread, state), index)?;
        let child = child(&deciding.execution.info, run, state, thread, index, input);
        deciding.note(PrivateRecord::ChildExecutionStarted { thread, index })?;
        deciding.effect(Effect::StartChild(Box::new(child)));
        if deciding.over_budget() {
            break;
        }
    }
    Ok(())
}

/// The Map Run that `thread` visits fails: its children are stopped.
pub(super) fn fail(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    error: Option<Arc<str>>,
    cause: Option<Arc<str>>,
) -> Result<(), Stop> {
    stops_in(deciding.execution, thread).into_iter().for_each(|stop| deciding.effect(stop));
    deciding.emit(thread, EventDetails::MapRunFailed { error, cause })
}

/// The execution is redriven, and its Map Run with it: what did not succeed begins again with the next steps.
pub(super) fn redrive(deciding: &mut Deciding<'_>, thread: ThreadId) -> Result<(), Stop> {
    let Activity::Redriving(run) = &super::visit(deciding, thread).activity else { return Ok(()) };
    let (map_run_arn, redrive_count) = (run.map_run_arn.clone(), run.redrive_count + 1);
    if redrive_count > MAP_RUN_REDRIVES_MAX {
        let cause = format!("A Map Run cannot be redriven more than {MAP_RUN_REDRIVES_MAX} times.");
        return Err(StatesError::runtime(cause).into());
    }
    // Every redrive follows what the Map Run itself followed.
    let previous = run.begins_after;
    deciding.emit_after(previous, thread, EventDetails::MapRunRedriven { map_run_arn, redrive_count })
}

/// The children of `thread`'s Map Run that were started and have not ended, to be started once more after a crash.
pub(crate) fn again(deciding: &Deciding<'_>, thread: ThreadId, state: &State, map: &Map) -> Vec<ChildStart> {
    let Some(run) = deciding.execution.threads.get(&thread).and_then(|t| t.map_run()) else {
        return Vec::new();
    };
    // They could be computed once, so they can be again.
    let surroundings = deciding.surroundings(thread, state);
    let Ok(inputs) = Inputs::new(&surroundings, state, map) else { return Vec::new() };
    let info = &deciding.execution.info;
    let running = run.running.iter();
    running
        .filter_map(|index| {
            Some(child(info, run, state, thread, *index, inputs.of(&surroundings, *index).ok()?))
        })
        .collect()
}

/// Stops for all children of `execution` that run.
pub(crate) fn stops_of(execution: &Execution) -> Vec<Effect> {
    let runs = execution.threads.values().filter_map(|thread| thread.map_run());
    runs.flat_map(stops).collect()
}

/// Stops for the children of the Map Run that `thread` visits, if it visits one.
pub(super) fn stops_in(execution: &Execution, thread: ThreadId) -> Vec<Effect> {
    let run = execution.threads.get(&thread).and_then(|thread| thread.map_run());
    run.map(|run| stops(run).collect()).unwrap_or_default()
}

fn stops(run: &MapRun) -> impl Iterator<Item = Effect> {
    let arns =
        run.running.iter().map(|index| child_arn(&run.map_run_arn, run.kind, *index, run.incarnation()));
    arns.map(|(execution_arn, _)| Effect::StopChild { execution_arn }).collect::<Vec<_>>().into_iter()
}

/// What a child gets.
struct ChildInput {
    payload: Payload,
    /// How many items are in it.
    items: u32,
}

/// Gives each child its input: an item, or a batch of them.
struct Inputs<'a> {
    items: Value,
    selecting: Selecting<'a>,
    /// Where each batch ends, and what is in all of them.
    batches: Option<(Arc<[u32]>, Batching)>,
}

impl<'a> Inputs<'a> {
    fn new(surroundings: &Surroundings<'_>, state: &'a State, map: &'a Map) -> Result<Self, Stop> {
        let batches = match &map.distributed.item_batcher {
            None => None,
            Some(batcher) => {
                // A journal that was written before it kept them has none.
                let ends = match surroundings.visit.items.as_ref().and_then(|kept| kept.batch_ends.as_ref()) {
                    Some(ends) => ends.clone(),
                    None => batches(surroundings, state, map, batcher)?,
                };
                let common = common(surroundings, state, map, batcher)?;
                Some((ends, Batching { common, ..Batching::default() }))
            }
        };
        let selecting = Selecting::new(surroundings, state, map)?;
        Ok(Inputs { items: items(surroundings, state, map)?, selecting, batches })
    }

    /// The input of child `index`.
    fn of(&self, surroundings: &Surroundings<'_>, index: u32) -> Result<ChildInput, Stop> {
        let Some((ends, batching)) = &self.batches else {
            let payload = self.selecting.input(surroundings, &self.items, index)?;
            return Ok(ChildInput { payload, items: 1 });
        };
        let begin = index.checked_sub(1).and_then(|before| ends.get(before as usize)).copied().unwrap_or(0);
        let fewer = || StatesError::runtime("The Map Run has fewer batches than it had when it was started.");
        let end = ends.get(index as usize).copied().ok_or_else(fewer)?;
        let inputs = (begin..end).map(|item| self.selecting.input(surroundings, &self.items, item));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        Ok(ChildInput { payload: batching.batch(&inputs), items: end - begin })
    }
}

/// Where each batch ends. All inputs are made for that, once.
fn batches(
    surroundings: &Surroundings<'_>,
    state: &State,
    map: &Map,
    batcher: &ItemBatcher,
) -> Result<Arc<[u32]>, Stop> {
    let field = |name, field: &Option<CountField>| count(surroundings, state, map, name, field.as_ref());
    let items_max = field("MaxItemsPerBatch", &batcher.max_items_per_batch)?;
    let bytes_max = field("MaxInputBytesPerBatch", &batcher.max_input_bytes_per_batch)?;
    let items = items(surroundings, state, map)?;
    let selecting = Selecting::new(surroundings, state, map)?;
    let count = (0u32..).zip(items.as_array().unwrap_or_default());
    let inputs = count.map(|(index, _)| selecting.input(surroundings, &items, index));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let common = common(surroundings, state, map, batcher)?;
    let mut end = 0;
    let ends = Batching { items_max, bytes_max, common }.cut(&inputs).into_iter().map(|(_, items)| {
        end += items;
        u32::try_from(end).unwrap_or(u32::MAX)
    });
    Ok(ends.collect())
}

/// `BatchInput`, which every batch has.
fn common(
    surroundings: &Surroundings<'_>,
    state: &State,
    map: &Map,
    batcher: &ItemBatcher,
) -> Result<Option<Value>, Stop> {
    Ok(match &batcher.batch_input {
        Some(template) if flow::is_jsonata(state) => {
            Some(template.evaluate_query(&flow::scope(surroundings), "ItemBatcher/BatchInput")?)
        }
        Some(template) => {
            let effective = flow::input(surroundings, state, &map.input_path, None, None)?;
            Some(template.evaluate(effective.value(), surroundings)?)
        }
        None => None,
    })
}

fn count(
    surroundings: &Surroundings<'_>,
    state: &State,
    map: &Map,
    name: &'static str,
    field: Option<&CountField>,
) -> Result<Option<u32>, Stop> {
    let Some(field) = field else { return Ok(None) };
    if flow::is_jsonata(state) {
        return Ok(Some(field.resolve_query(name, &flow::scope(surroundings))?));
    }
    let effective = flow::input(surroundings, state, &map.input_path, None, None)?;
    Ok(Some(field.resolve(name, effective.value(), surroundings)?))
}

fn percentage(surroundings: &Surroundings<'_>, state: &State, map: &Map) -> Result<Option<f64>, Stop> {
    let field: Option<&PercentageField> = map.distributed.tolerated_failure_percentage.as_ref();
    let Some(field) = field else { return Ok(None) };
    if flow::is_jsonata(state) {
        return Ok(Some(field.resolve_query(&flow::scope(surroundings))?));
    }
    let effective = flow::input(surroundings, state, &map.input_path, None, None)?;
    Ok(Some(field.resolve(effective.value(), surroundings)?))
}

/// The ARN of a new Map Run: `…:mapRun:<machine>/<label>:<uuid>`, with a label of ours where the state has none.
fn new_arn(deciding: &Deciding<'_>, thread: ThreadId, state: &State, map: &Map) -> Arc<str> {
    let random = || (deciding.random_u64(thread, state), deciding.random_u64(thread, state));
    let label = match &map.distributed.label {
        Some(label) => label.to_string(),
        None => uuid(random()),
    };
    let machine = deciding.execution.info.state_machine_arn.replacen(":stateMachine:", ":mapRun:", 1);
    format!("{machine}/{label}:{}", uuid(random())).into()
}

fn child(
    info: &ExecutionInfo,
    run: &MapRun,
    state: &State,
    thread: ThreadId,
    index: u32,
    input: ChildInput,
) -> ChildStart {
    let (execution_arn, name) = child_arn(&run.map_run_arn, run.kind, index, run.incarnation());
    let labelled = run.map_run_arn.rsplit_once(':').map_or(&*run.map_run_arn, |(arn, _)| arn);
    let machine = labelled.rsplit_once(":mapRun:").map_or(labelled, |(_, machine)| machine);
    let info = ExecutionInfo {
        execution_arn,
        name,
        state_machine_arn: labelled.replacen(":mapRun:", ":stateMachine:", 1).into(),
        state_machine_name: machine.into(),
        child_of: Some(ChildOf {
            map_run_arn: run.map_run_arn.clone(),
            map_state: state.name.clone(),
            execution_arn: info.execution_arn.clone(),
            thread,
            index,
            items: input.items,
        }),
        timeout_s: run.kind.timeout_s(None),
        kind: run.kind,
        ..info.clone()
    };
    ChildStart { info, input: input.payload, redrive: run.redrive_count }
}

/// ARN and name of a child: the same for the same child, so that starting it once more is known to be that.
pub(crate) fn child_arn(
    map_run_arn: &str,
    kind: ExecutionKind,
    index: u32,
    incarnation: u32,
) -> (Arc<str>, Arc<str>) {
    // Nothing for the first, which has always been named so.
    let incarnation = Some(incarnation).filter(|n| *n > 0);
    let hash = |seed: u64| {
        let bytes = map_run_arn.bytes().chain(index.to_be_bytes());
        let bytes = bytes.chain(incarnation.into_iter().flat_map(u32::to_be_bytes));
        bytes.fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let name = uuid((hash(0xcbf2_9ce4_8422_2325), hash(0x6c62_272e_07bb_0142)));
    let labelled = map_run_arn.rsplit_once(':').map_or(map_run_arn, |(arn, _)| arn);
    let arn = match kind {
        ExecutionKind::Standard => format!("{}:{name}", labelled.replacen(":mapRun:", ":execution:", 1)),
        ExecutionKind::Express | ExecutionKind::SyncExpress => {
            let id = uuid((hash(0x9e37_79b9_7f4a_7c15), hash(0xd1b5_4a32_d192_ed03)));
            format!("{}:{name}:{id}", labelled.replacen(":mapRun:", ":express:", 1))
        }
    };
    (arn.into(), name.into())
}

/// A version 4 UUID of these bits.
fn uuid((high, low): (u64, u64)) -> String {
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0x0fff);
    let (d, e) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
}
