//! Map Runs as their callers see them: DescribeMapRun, ListMapRuns, and the statuses of child executions.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepwell_interpreter::{ExecutionStatus, MapRunState, MapRunStatus};
use stepwell_store::{ChildrenCount, ExecutionRow, ListCursor, ReadError};

use crate::engine::Engine;
use crate::redrive::not_redrivable_reason;

/// Rows that are read from the store at a time.
const ROWS: usize = 1_000;

/// What DescribeMapRun tells.
#[derive(Debug, Clone)]
pub struct MapRunDescription {
    /// All but the counts.
    pub run: MapRunState,
    /// Whose Map Run it is.
    pub execution_arn: Arc<str>,
    /// How many child executions and items there are of each status.
    pub counts: ChildrenCounts,
}

/// How many child executions and items of a Map Run there are of each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the members of executionCounts and itemCounts")]
pub struct ChildrenCounts {
    pub pending: ChildrenCount,
    pub running: ChildrenCount,
    pub succeeded: ChildrenCount,
    pub failed: ChildrenCount,
    pub timed_out: ChildrenCount,
    pub aborted: ChildrenCount,
    pub total: ChildrenCount,
    pub failures_not_redrivable: ChildrenCount,
    pub pending_redrive: ChildrenCount,
}

/// The `status` of a child execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildStatus {
    /// That of any execution.
    Of(ExecutionStatus),
    /// `PENDING_REDRIVE`: its Map Run is redriven, and it is still to be.
    PendingRedrive,
}

impl ChildStatus {
    /// The status of the child execution `row` of a Map Run.
    #[must_use]
    pub fn of(row: &ExecutionRow, run: &MapRunState, now_ms: i64) -> ChildStatus {
        let is_pending = run.status == MapRunStatus::Running
            && row.redrives.of_map_run < run.redrive_count
            && row.status().is_unsuccessful()
            && not_redrivable_reason(row, false, now_ms).is_none();
        if is_pending { ChildStatus::PendingRedrive } else { ChildStatus::Of(row.status()) }
    }

    /// As the API spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ChildStatus::Of(status) => status.name(),
            ChildStatus::PendingRedrive => "PENDING_REDRIVE",
        }
    }
}

impl Engine {
    /// DescribeMapRun without the counts, and the ARN of its execution; `None` where there is none with this ARN.
    pub fn map_run(&self, map_run_arn: &str) -> Result<Option<(MapRunState, Arc<str>)>, ReadError> {
        let Some((key, run)) = self.executions().map_run(map_run_arn)? else { return Ok(None) };
        let row = self.executions().row(key)?;
        Ok(row.map(|row| (run, row.info.execution_arn.clone())))
    }

    /// DescribeMapRun; `None` where there is none with this ARN. Reads the rows of all children without success.
    pub fn describe_map_run(
        &self,
        map_run_arn: &str,
        now_ms: i64,
    ) -> Result<Option<MapRunDescription>, ReadError> {
        let Some((run, execution_arn)) = self.map_run(map_run_arn)? else { return Ok(None) };
        let counts = self.count_children(&run, now_ms)?;
        Ok(Some(MapRunDescription { run, execution_arn, counts }))
    }

    /// ListMapRuns: those of an execution in the order of their starts, from that with this `MapRunStarted` event on;
    /// `None` where there is no execution with this ARN.
    pub fn list_map_runs(
        &self,
        execution_arn: &str,
        from_event: u64,
        limit: usize,
    ) -> Result<Option<Vec<MapRunState>>, ReadError> {
        let Some((key, _)) = self.executions().find(execution_arn)? else { return Ok(None) };
        self.executions().map_runs(key, from_event, limit).map(Some)
    }

    fn count_children(&self, run: &MapRunState, now_ms: i64) -> Result<ChildrenCounts, ReadError> {
        let count = |status| self.executions().count_children(&run.map_run_arn, status);
        let mut counts = ChildrenCounts {
            running: count(ExecutionStatus::Running)?,
            succeeded: count(ExecutionStatus::Succeeded)?,
            total: ChildrenCount { executions: run.children.into(), items: run.items.into() },
            ..ChildrenCounts::default()
        };
        let mut started = sum(counts.running, counts.succeeded);
        for row in self.latest_unsuccessful(run)?.values() {
            let one = ChildrenCount {
                executions: 1,
                items: row.info.child_of.as_ref().map_or(1, |child_of| child_of.items.into()),
            };
            started = sum(started, one);
            let place = match ChildStatus::of(row, run, now_ms) {
                ChildStatus::PendingRedrive => &mut counts.pending_redrive,
                ChildStatus::Of(ExecutionStatus::TimedOut) => &mut counts.timed_out,
                ChildStatus::Of(ExecutionStatus::Aborted) => &mut counts.aborted,
                ChildStatus::Of(_) => &mut counts.failed,
            };
            *place = sum(*place, one);
            if not_redrivable_reason(row, false, now_ms).is_some() {
                counts.failures_not_redrivable = sum(counts.failures_not_redrivable, one);
            }
        }
        counts.pending = ChildrenCount {
            executions: counts.total.executions.saturating_sub(started.executions),
            items: counts.total.items.saturating_sub(started.items),
        };
        Ok(counts)
    }

    /// The children without success by their indexes. An Express child is started anew by a redrive: only the last
    /// execution of an item counts, and none of an item that is under way or has succeeded since.
    fn latest_unsuccessful(&self, run: &MapRunState) -> Result<BTreeMap<u32, ExecutionRow>, ReadError> {
        let mut latest = BTreeMap::<u32, ExecutionRow>::new();
        let statuses = ExecutionStatus::ALL.into_iter();
        // Before a redrive every item has one execution, and the others need not be read.
        for status in statuses.filter(|status| status.is_unsuccessful() || run.redrive_count > 0) {
            let mut after: Option<ListCursor> = None;
            loop {
                let page = self.executions().list(&run.map_run_arn, Some(status), after.as_ref(), ROWS)?;
                for row in page.rows {
                    let Some(index) = row.info.child_of.as_ref().map(|child_of| child_of.index) else {
                        continue;
                    };
                    let known = latest.get(&index);
                    if known.is_none_or(|known| known.redrives.of_map_run <= row.redrives.of_map_run) {
                        latest.insert(index, row);
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        latest.retain(|_, row| row.status().is_unsuccessful());
        Ok(latest)
    }
}

fn sum(one: ChildrenCount, other: ChildrenCount) -> ChildrenCount {
    ChildrenCount { executions: one.executions + other.executions, items: one.items + other.items }
}
