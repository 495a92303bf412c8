//! From the events of GetExecutionHistory to what a person wants to see: one row per visit of a state.

use std::collections::BTreeMap;

use serde_json::Value;

/// Events whose row is remembered. The chain of a state is short, so an event refers to one not far before it, except
/// where many branches run side by side.
const REMEMBERED_EVENTS_MAX: usize = 16_384;

/// One visit of a state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Visit {
    /// The state's name.
    pub(crate) name: String,
    /// `Task`, `Wait` …
    pub(crate) kind: String,
    /// `lambda:invoke` …, once a task was scheduled.
    pub(crate) resource: Option<String>,
    /// Seconds since 1970.
    pub(crate) entered: f64,
    /// Seconds since 1970; absent while it runs.
    pub(crate) ended: Option<f64>,
    /// How it stands.
    pub(crate) progress: Progress,
    /// Attempts beyond the first.
    pub(crate) retries: u32,
    /// The error of the last attempt that failed.
    pub(crate) error: Option<String>,
    /// Whether that attempt was the last one.
    failing: bool,
    /// The row of the Parallel or Map state that it is inside of.
    parent: Option<usize>,
    /// How many such states it is inside of.
    pub(crate) depth: usize,
}

impl Visit {
    /// Whether states run inside of it.
    fn is_container(&self) -> bool {
        matches!(self.kind.as_str(), "Parallel" | "Map")
    }
}

/// How a visit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Entered, not left.
    Running,
    /// Left after success.
    Succeeded,
    /// Left through a Catcher.
    Caught,
    /// The execution ended in it.
    Failed,
}

/// How an execution ended, as its last event tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ending {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`.
    pub(crate) status: &'static str,
    /// JSON text.
    pub(crate) output: Option<String>,
    /// Error name.
    pub(crate) error: Option<String>,
    /// Text.
    pub(crate) cause: Option<String>,
    /// Seconds since 1970.
    pub(crate) time: f64,
}

/// The visits of one execution, fed with its events in order.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    rows: Vec<Visit>,
    /// The row that an event belongs to, by the event's id.
    row_of: BTreeMap<u64, usize>,
    last_id: u64,
    started: Option<f64>,
    ending: Option<Ending>,
}

impl Visits {
    /// The id of the last event seen; 0 for none.
    pub(crate) fn last_id(&self) -> u64 {
        self.last_id
    }

    /// When the execution started, in seconds since 1970.
    pub(crate) fn started(&self) -> Option<f64> {
        self.started
    }

    /// How the execution ended, once its last event was seen.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// All visits, in the order in which the states were entered.
    pub(crate) fn rows(&self) -> &[Visit] {
        &self.rows
    }

    /// Takes the next event; returns the rows that it ended, by index.
    pub(crate) fn take(&mut self, event: &Value) -> Vec<usize> {
        let id = event["id"].as_u64().unwrap_or(self.last_id + 1);
        let time = event["timestamp"].as_f64().unwrap_or(0.0);
        let kind = event["type"].as_str().unwrap_or_default();
        self.last_id = id;
        self.started.get_or_insert(time);
        if let Some(state_type) = kind.strip_suffix("StateEntered") {
            self.enter(id, state_type, event, time);
            return Vec::new();
        }
        if let Some(status) = ended_status(kind) {
            return self.end(status, event, time);
        }
        let previous = event["previousEventId"].as_u64().unwrap_or(0);
        let row = self.row_of.get(&previous).copied();
        let exited = kind.ends_with("StateExited");
        let row = match kind {
            _ if exited => self.left_row(row, event),
            // The event before these may be one of a branch.
            _ if kind.starts_with("ParallelState") => row.and_then(|row| self.container(row, "Parallel")),
            _ if kind.starts_with("MapState") => row.and_then(|row| self.container(row, "Map")),
            _ => row,
        };
        let Some(row) = row else { return Vec::new() };
        self.remember(id, row);
        if kind.ends_with("StateAborted") {
            return self.abandon(vec![row], time);
        }
        let visit = &mut self.rows[row];
        if !exited {
            visit.advance(kind, event);
            return Vec::new();
        }
        visit.ended = Some(time);
        visit.progress = if visit.failing { Progress::Caught } else { Progress::Succeeded };
        let inside = (row + 1..self.rows.len()).filter(|inner| self.is_inside(*inner, row)).collect();
        let mut ended = self.abandon(inside, time);
        ended.push(row);
        ended
    }

    /// Ends those of the rows that still run: what they were inside of is over.
    fn abandon(&mut self, rows: Vec<usize>, time: f64) -> Vec<usize> {
        let running: Vec<usize> =
            rows.into_iter().filter(|row| self.rows[*row].progress == Progress::Running).collect();
        for row in &running {
            self.rows[*row].ended = Some(time);
            self.rows[*row].progress = Progress::Failed;
        }
        running
    }

    fn is_inside(&self, row: usize, container: usize) -> bool {
        std::iter::successors(self.rows[row].parent, |row| self.rows[*row].parent).any(|row| row == container)
    }

    /// The nearest row of this kind, from `row` outwards.
    fn container(&self, row: usize, kind: &str) -> Option<usize> {
        std::iter::successors(Some(row), |row| self.rows[*row].parent)
            .find(|row| self.rows[*row].kind == kind)
    }

    fn enter(&mut self, id: u64, kind: &str, event: &Value, time: f64) {
        let name = event["stateEnteredEventDetails"]["name"].as_str().unwrap_or("?");
        let before = event["previousEventId"].as_u64().and_then(|id| self.row_of.get(&id).copied());
        // After a state inside a container comes its neighbour; after the container's own events, what is inside.
        let parent = before.and_then(|row| {
            let visit = &self.rows[row];
            if visit.is_container() && visit.progress == Progress::Running { Some(row) } else { visit.parent }
        });
        self.rows.push(Visit {
            name: name.to_owned(),
            kind: kind.to_owned(),
            resource: None,
            entered: time,
            ended: None,
            progress: Progress::Running,
            retries: 0,
            error: None,
            failing: false,
            parent,
            depth: parent.map_or(0, |parent| self.rows[parent].depth + 1),
        });
        self.remember(id, self.rows.len() - 1);
    }

    /// The row that a `…StateExited` event ends. The event before it may be one of a branch's, so the name decides.
    fn left_row(&self, by_chain: Option<usize>, event: &Value) -> Option<usize> {
        let name = event["stateExitedEventDetails"]["name"].as_str()?;
        let fits =
            |row: &usize| self.rows[*row].progress == Progress::Running && self.rows[*row].name == name;
        by_chain.filter(fits).or_else(|| (0..self.rows.len()).rev().find(fits))
    }

    fn end(&mut self, status: &'static str, event: &Value, time: f64) -> Vec<usize> {
        let details = details(event);
        let text = |member: &str| details.and_then(|d| d[member].as_str()).map(str::to_owned);
        let ending =
            Ending { status, output: text("output"), error: text("error"), cause: text("cause"), time };
        let running: Vec<usize> =
            (0..self.rows.len()).filter(|row| self.rows[*row].progress == Progress::Running).collect();
        for row in &running {
            let visit = &mut self.rows[*row];
            visit.ended = Some(time);
            visit.progress = Progress::Failed;
            visit.error = visit.error.take().or_else(|| ending.error.clone());
        }
        self.ending = Some(ending);
        running
    }

    fn remember(&mut self, id: u64, row: usize) {
        self.row_of.insert(id, row);
        if self.row_of.len() > REMEMBERED_EVENTS_MAX {
            self.row_of.pop_first();
        }
    }
}

impl Visit {
    /// Takes an event between entering and leaving.
    fn advance(&mut self, kind: &str, event: &Value) {
        let details = details(event);
        if kind.ends_with("Scheduled") || matches!(kind, "ParallelStateStarted" | "MapStateStarted") {
            self.retries += u32::from(self.failing);
            self.failing = false;
            self.resource = self.resource.take().or_else(|| resource(kind, details));
        } else if kind.ends_with("Failed") || kind.ends_with("TimedOut") {
            self.failing = true;
            let error = details.and_then(|d| d["error"].as_str()).map(str::to_owned);
            // The events of containers name none.
            let unnamed = kind.ends_with("TimedOut").then(|| "States.Timeout".to_owned());
            self.error = error.or(unnamed);
        } else if kind.ends_with("Succeeded") {
            self.failing = false;
        }
    }
}

fn ended_status(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "ExecutionSucceeded" => "SUCCEEDED",
        "ExecutionFailed" => "FAILED",
        "ExecutionTimedOut" => "TIMED_OUT",
        "ExecutionAborted" => "ABORTED",
        _ => return None,
    })
}

/// The event's one member with details.
pub(crate) fn details(event: &Value) -> Option<&Value> {
    event.as_object()?.iter().find(|(name, _)| name.ends_with("EventDetails")).map(|(_, details)| details)
}

fn resource(kind: &str, details: Option<&Value>) -> Option<String> {
    let details = details?;
    if kind == "LambdaFunctionScheduled" {
        return Some("lambda".to_owned());
    }
    let text = |member: &str| details[member].as_str();
    Some(format!("{}:{}", text("resourceType")?, text("resource")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn visits(events: &[Value]) -> Visits {
        let mut visits = Visits::default();
        for (index, event) in events.iter().enumerate() {
            let mut event = event.clone();
            event["id"] = json!(index + 1);
            if event["previousEventId"].is_null() {
                event["previousEventId"] = json!(index);
            }
            event["timestamp"] = json!(index);
            visits.take(&event);
        }
        visits
    }

    fn entered(kind: &str, name: &str) -> Value {
        json!({"type": format!("{kind}StateEntered"), "stateEnteredEventDetails": {"name": name}})
    }

    fn exited(kind: &str, name: &str) -> Value {
        json!({"type": format!("{kind}StateExited"), "stateExitedEventDetails": {"name": name}})
    }

    fn summary(visits: &Visits) -> Vec<(String, Progress, u32, Option<String>)> {
        visits.rows().iter().map(|v| (v.name.clone(), v.progress, v.retries, v.error.clone())).collect()
    }

    #[test]
    fn a_retried_and_caught_task_says_so() {
        let scheduled = json!({"type": "TaskScheduled",
            "taskScheduledEventDetails": {"resourceType": "lambda", "resource": "invoke"}});
        let failed = json!({"type": "TaskFailed", "taskFailedEventDetails": {"error": "KeyError"}});
        let seen = visits(&[
            json!({"type": "ExecutionStarted"}),
            entered("Task", "A"),
            scheduled.clone(),
            json!({"type": "TaskStarted"}),
            failed.clone(),
            scheduled,
            failed,
            exited("Task", "A"),
            entered("Pass", "B"),
            exited("Pass", "B"),
            json!({"type": "ExecutionSucceeded", "executionSucceededEventDetails": {"output": "{}"}}),
        ]);
        assert_eq!(
            summary(&seen),
            [
                ("A".into(), Progress::Caught, 1, Some("KeyError".into())),
                ("B".into(), Progress::Succeeded, 0, None)
            ]
        );
        assert_eq!(seen.rows()[0].resource.as_deref(), Some("lambda:invoke"));
        assert_eq!(seen.ending().map(|e| (e.status, e.output.as_deref())), Some(("SUCCEEDED", Some("{}"))));
    }

    #[test]
    fn what_runs_when_the_execution_fails_has_failed() {
        let seen = visits(&[
            json!({"type": "ExecutionStarted"}),
            entered("Fail", "F"),
            json!({"type": "ExecutionFailed", "executionFailedEventDetails": {"error": "E", "cause": "c"}}),
        ]);
        assert_eq!(summary(&seen), [("F".into(), Progress::Failed, 0, Some("E".into()))]);
        assert_eq!(seen.ending().and_then(|e| e.cause.clone()).as_deref(), Some("c"));
    }

    #[test]
    fn branches_are_told_apart_by_their_chains() {
        let mut inner = entered("Pass", "X");
        inner["previousEventId"] = json!(3);
        let mut other = entered("Wait", "X");
        other["previousEventId"] = json!(3);
        let mut left = exited("Pass", "X");
        left["previousEventId"] = json!(4);
        let mut failed = json!({"type": "ParallelStateFailed"});
        failed["previousEventId"] = json!(6);
        let seen = visits(&[
            json!({"type": "ExecutionStarted"}),
            entered("Parallel", "P"),
            json!({"type": "ParallelStateStarted"}),
            inner,
            other,
            left,
            failed,
            exited("Parallel", "P"),
            entered("Pass", "After"),
        ]);
        let progress: Vec<_> = seen.rows().iter().map(|v| (v.progress, v.depth)).collect();
        assert_eq!(
            progress,
            [(Progress::Caught, 0), (Progress::Succeeded, 1), (Progress::Failed, 1), (Progress::Running, 0)]
        );
    }
}
