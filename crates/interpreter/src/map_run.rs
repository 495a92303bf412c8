//! Map Runs: the one that a Map state visits, and what is told of every one that an execution has had.
//!
//! What changes them is in [`crate::apply`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::execution::{Children, ExecutionKind};
use crate::limits::MAP_RUN_CONCURRENCY_MAX;

/// `status` of DescribeMapRun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapRunStatus {
    /// `RUNNING`
    Running,
    /// `SUCCEEDED`
    Succeeded,
    /// `FAILED`
    Failed,
    /// `ABORTED`
    Aborted,
}

impl MapRunStatus {
    /// All of them.
    pub const ALL: [MapRunStatus; 4] =
        [MapRunStatus::Running, MapRunStatus::Succeeded, MapRunStatus::Failed, MapRunStatus::Aborted];

    /// As the API spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MapRunStatus::Running => "RUNNING",
            MapRunStatus::Succeeded => "SUCCEEDED",
            MapRunStatus::Failed => "FAILED",
            MapRunStatus::Aborted => "ABORTED",
        }
    }
}

/// What is told of a Map Run, while it runs and after it.
#[derive(Debug, Clone, PartialEq)]
pub struct MapRunState {
    /// `arn:aws:states:…:mapRun:<machine>/<label>:<uuid>`
    pub map_run_arn: Arc<str>,
    /// Its `MapRunStarted` event; names it within its execution.
    pub started_event: u64,
    /// Where it stands.
    pub status: MapRunStatus,
    /// Milliseconds since 1970.
    pub start_ms: i64,
    /// Milliseconds since 1970; none while it runs.
    pub stop_ms: Option<i64>,
    /// As it was set; 0 sets no limit.
    pub max_concurrency: u32,
    /// As it was set.
    pub tolerated_failure_count: Option<u32>,
    /// As it was set.
    pub tolerated_failure_percentage: Option<f64>,
    /// How many child executions it has in all.
    pub children: u32,
    /// How many items they process.
    pub items: u32,
    /// How often it was redriven.
    pub redrive_count: u32,
    /// When it was redriven last.
    pub redrive_ms: Option<i64>,
    /// The journal batch that changed it last.
    pub changed_in: u32,
}

/// New settings of a Map Run that runs: those of UpdateMapRun that were given.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MapRunSettings {
    /// `maxConcurrency`; 0 sets no limit.
    pub max_concurrency: Option<u32>,
    /// `toleratedFailureCount`
    pub tolerated_failure_count: Option<u32>,
    /// `toleratedFailurePercentage`
    pub tolerated_failure_percentage: Option<f64>,
}

/// The child executions of a Distributed Map.
#[derive(Debug, Clone)]
pub(crate) struct MapRun {
    pub map_run_arn: Arc<str>,
    /// The event before it in its chain; also that of each of its redrives.
    pub begins_after: u64,
    pub children: Children,
    /// Those that have been started and have not ended.
    pub running: BTreeSet<u32>,
    /// Those that have ended without success since it was started or redriven last.
    pub unsuccessful: BTreeSet<u32>,
    /// Those that a redrive is still to redrive.
    pub to_redrive: BTreeSet<u32>,
    pub redrive_count: u32,
    pub tolerated_failure_count: Option<u32>,
    pub tolerated_failure_percentage: Option<f64>,
    /// Of which kind its children are.
    pub kind: ExecutionKind,
}

impl MapRun {
    /// Which of the executions of a child now is the one: a redrive starts new ones where they are Express.
    pub(crate) fn incarnation(&self) -> u32 {
        if self.kind.is_express() { self.redrive_count } else { 0 }
    }

    /// The child to be started next, where one may be.
    pub(crate) fn next_child(&self) -> Option<u32> {
        if self.children.running >= self.children.concurrency {
            return None;
        }
        let never_started = self.children.next_index;
        let is_one_left = (never_started as usize) < self.children.results.len();
        self.to_redrive.first().copied().or(is_one_left.then_some(never_started))
    }

    pub(crate) fn child_started(&mut self, index: u32) {
        self.running.insert(index);
        self.children.running += 1;
        if !self.to_redrive.remove(&index) {
            self.children.next_index = index + 1;
        }
    }

    /// Whether more have failed than is tolerated; without a threshold none is.
    pub(crate) fn is_threshold_exceeded(&self) -> bool {
        let (count, percentage) = (self.tolerated_failure_count, self.tolerated_failure_percentage);
        let failed = self.unsuccessful.len();
        if count.is_none() && percentage.is_none() {
            return failed > 0;
        }
        let total = self.children.results.len().max(1);
        #[allow(clippy::cast_precision_loss)]
        let share = failed as f64 * 100.0 / total as f64;
        count.is_some_and(|count| failed > count as usize)
            || percentage.is_some_and(|percentage| share > percentage)
    }

    /// Whether its next step needs nobody else.
    pub(crate) fn is_ready(&self) -> bool {
        self.next_child().is_some() || self.children.all_have_ended() || self.is_threshold_exceeded()
    }

    /// All that did not succeed is to be done once more: what failed, and what was stopped with the Map Run.
    pub(crate) fn redrive(&mut self, redrive_count: u32) {
        self.children.ended -= self.unsuccessful.len();
        self.children.running = 0;
        self.to_redrive.append(&mut self.unsuccessful);
        self.to_redrive.append(&mut self.running);
        self.redrive_count = redrive_count;
    }

    pub(crate) fn set(&mut self, settings: MapRunSettings) {
        if let Some(concurrency) = settings.max_concurrency {
            self.children.concurrency = concurrency_limit(concurrency);
        }
        self.tolerated_failure_count = settings.tolerated_failure_count.or(self.tolerated_failure_count);
        self.tolerated_failure_percentage =
            settings.tolerated_failure_percentage.or(self.tolerated_failure_percentage);
    }
}

/// How many children may run at a time under a `MaxConcurrency`.
pub(crate) fn concurrency_limit(max_concurrency: u32) -> u32 {
    match max_concurrency {
        0 => MAP_RUN_CONCURRENCY_MAX,
        some => some.min(MAP_RUN_CONCURRENCY_MAX),
    }
}

/// All Map Runs of an execution, in the order of their starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct MapRuns(Vec<MapRunState>);

impl MapRuns {
    pub(crate) fn all(&self) -> &[MapRunState] {
        &self.0
    }

    pub(crate) fn add(&mut self, run: MapRunState) {
        self.0.push(run);
    }

    pub(crate) fn get(&self, map_run_arn: &str) -> Option<&MapRunState> {
        self.0.iter().rev().find(|run| &*run.map_run_arn == map_run_arn)
    }

    /// Changes the Map Run with this ARN in the journal batch `batch`.
    pub(crate) fn change(&mut self, map_run_arn: &str, batch: u32, change: impl FnOnce(&mut MapRunState)) {
        if let Some(run) = self.0.iter_mut().rev().find(|run| &*run.map_run_arn == map_run_arn) {
            change(run);
            run.changed_in = batch;
        }
    }

    /// The Map Run, if it runs, is over.
    pub(crate) fn end(&mut self, map_run_arn: &str, batch: u32, status: MapRunStatus, at_ms: i64) {
        if self.get(map_run_arn).is_some_and(|run| run.status == MapRunStatus::Running) {
            self.change(map_run_arn, batch, |run| (run.status, run.stop_ms) = (status, Some(at_ms)));
        }
    }

    /// Those that run are over with their execution.
    pub(crate) fn abort_all(&mut self, batch: u32, at_ms: i64) {
        for run in self.0.iter_mut().filter(|run| run.status == MapRunStatus::Running) {
            (run.status, run.stop_ms, run.changed_in) = (MapRunStatus::Aborted, Some(at_ms), batch);
        }
    }
}
