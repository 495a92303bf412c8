//! What must hold whenever nothing is under way: memory, journal, rows, indexes and pages tell the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepwell_asl::program::ResourceKind;
use stepwell_engine::{ExecutionStatus, HistoryPage, simulation};
use stepwell_store::ReadError;

use crate::house::House;
use crate::script::Script;
use crate::shadow::{Shadow, Shadows};

fn broken(error: ReadError) -> String {
    error.to_string()
}

/// Memory and journal agree, and whoever is waited for has been asked.
pub(crate) fn memory_and_disk(house: &House, shadows: &mut Shadows, script: &Script) -> Result<(), String> {
    let mut live: Vec<_> = house.shards.iter().flat_map(|shard| shard.executions()).collect();
    live.sort_by_key(|(key, _)| *key);
    let open = house.executions.running().collect::<Result<BTreeMap<_, _>, _>>();
    let open = open.map_err(broken)?;
    shadows.compare(&live, &open)?;
    let running = shadows.iter().filter(|(_, s)| s.execution.status() == ExecutionStatus::Running);
    let running: BTreeSet<_> = running.map(|(_, s)| s.execution.info().execution_arn.clone()).collect();
    for key in open.keys() {
        // The Express children have no shadows.
        let row = house.executions.row(*key).map_err(broken)?.ok_or("a row is missing")?;
        let parent = row.info.child_of.as_ref().map(|child_of| &child_of.execution_arn);
        if parent.is_some_and(|parent| !running.contains(parent)) {
            return Err(format!("{} goes on although its Map Run is over", row.info.execution_arn));
        }
    }
    let script = script.lock();
    for (key, shadow) in shadows.iter() {
        let info = shadow.execution.info();
        let arn = &info.execution_arn;
        let row = house.executions.row(key).map_err(broken)?.ok_or("a row is missing")?;
        if row.status() != shadow.execution.status() {
            return Err(format!("{arn} is listed as {:?}: {:?}", row.status(), shadow.execution));
        }
        if row.redrives.count != shadow.execution.redrive_count()
            || row.redrives.last_ms != shadow.execution.redriven_ms()
        {
            return Err(format!("{arn} was redriven otherwise than {:?} tells", row.redrives));
        }
        let map_runs = house.executions.map_runs(key, 0, usize::MAX).map_err(broken)?;
        if map_runs != shadow.execution.map_runs() {
            return Err(format!("{arn} has other Map Runs than are stored: {map_runs:?}"));
        }
        for dispatch in shadow.execution.in_flight(shadow.program()) {
            let is_activity = matches!(dispatch.resource.kind, ResourceKind::Activity);
            let event = dispatch.scheduled_event;
            if !is_activity && !script.called.contains(&(arn.clone(), event)) {
                return Err(format!("{arn} waits for attempt {event} and nobody is asked"));
            }
        }
    }
    Ok(())
}

/// Nothing is left in memory of executions that have ended.
pub(crate) fn memory_is_empty(house: &House) -> Result<(), String> {
    let held = simulation::held(&house.engine, &house.shards);
    let parked = house.engine.figures().parked;
    if held.is_empty() && parked == 0 {
        Ok(())
    } else {
        Err(format!("every execution has ended, and memory holds {held:?}, {parked} parked ones"))
    }
}

/// Every execution is listed once, in all and by its status. Gives how many there are.
pub(crate) fn lists(house: &House, shadows: &Shadows, machines: &[Arc<str>]) -> Result<usize, String> {
    if house.executions.running().next().is_some() {
        return Err("an execution that has ended is listed as open".into());
    }
    let map_run = |shadow: &Shadow| Some(shadow.execution.info().child_of.as_ref()?.map_run_arn.clone());
    let map_runs: BTreeSet<Arc<str>> = shadows.iter().filter_map(|(_, shadow)| map_run(shadow)).collect();
    let mut listed = 0;
    for arn in machines.iter().chain(&map_runs) {
        let mut by_status = 0;
        for status in ExecutionStatus::ALL {
            by_status +=
                house.engine.list_executions(arn, Some(status), None, 1000).map_err(broken)?.rows.len();
        }
        let (mut in_pages, mut after) = (0, None);
        loop {
            let page = house.engine.list_executions(arn, None, after.as_ref(), 3).map_err(broken)?;
            in_pages += page.rows.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if by_status != in_pages {
            return Err(format!("{arn}: {by_status} executions by status, {in_pages} in pages"));
        }
        listed += in_pages;
    }
    let there = shadows.iter().count();
    if listed == there {
        Ok(listed)
    } else {
        Err(format!("{listed} executions are listed, {there} are there"))
    }
}

/// Every history is whole, forwards and backwards, and every name is one execution's. Gives how many events there are.
pub(crate) fn histories(house: &House, shadows: &Shadows) -> Result<u64, String> {
    let (mut events, mut arns) = (0, BTreeSet::new());
    for (_, shadow) in shadows.iter() {
        let arn = shadow.execution.info().execution_arn.clone();
        let last = shadow.execution.last_event_id();
        events += last;
        let all = HistoryPage { from_id: 1, reverse: false, limit: usize::MAX };
        let history = house.engine.history(&arn, all).map_err(broken)?.unwrap_or_default();
        if !history.iter().map(|e| e.id).eq(1..=last) {
            return Err(format!("{arn}: its history is not 1 to {last}"));
        }
        let middle = last.div_ceil(2);
        let page = HistoryPage { from_id: middle, reverse: true, limit: 3 };
        let page = house.engine.history(&arn, page).map_err(broken)?.unwrap_or_default();
        let expected = history.iter().filter(|e| e.id <= middle).rev().take(3);
        if !page.iter().eq(expected) {
            return Err(format!("{arn}: a page from {middle} backwards is wrong"));
        }
        if !arns.insert(arn.clone()) {
            return Err(format!("{arn} is the name of two executions"));
        }
    }
    Ok(events)
}
