//! What the engine counts about itself: each shard for itself, tasks and requests together.
//!
//! A shard bumps plain figures of its own as it goes ([`ShardFigures`]); [`crate::Engine::figures`] reads them, and
//! looks up what needs no counting. Names of machines, executions and functions are nowhere in here.

use std::sync::Arc;
use std::time::Duration;

use stepwell_asl::program::ResourceKind;
use stepwell_figures::{Counter, Distribution, Gauge, Histogram};
use stepwell_interpreter::{EventDetails, ExecutionStatus, Record};

/// How an execution can end, in the order of [`ShardFigures::ended`].
const ENDS: [ExecutionStatus; 4] = [
    ExecutionStatus::Succeeded,
    ExecutionStatus::Failed,
    ExecutionStatus::TimedOut,
    ExecutionStatus::Aborted,
];

/// What a call of a task goes to, as far as figures tell it apart. Definitions can name anything: what is not here is
/// `other`.
pub const TASK_KINDS: [&str; 10] =
    ["lambda", "dynamodb", "sqs", "sns", "events", "states", "http", "apigateway", "aws-sdk", "other"];

/// What became of a call of a task.
pub const TASK_OUTCOMES: [&str; 3] = ["succeeded", "failed", "given_up"];

/// The figures of one shard. Its thread alone writes them.
#[derive(Debug)]
pub(crate) struct ShardFigures {
    pub started: Counter,
    pub redriven: Counter,
    /// Requests refused because too many executions run.
    pub throttled: Counter,
    ended: [Counter; ENDS.len()],
    transitions: Counter,
    pub events: Counter,
    pub messages: Counter,
    pub rounds: Counter,
    pub in_memory: Gauge,
    pub parked: Gauge,
    pub timers: Gauge,
    timer_lag: Histogram,
}

impl Default for ShardFigures {
    fn default() -> Self {
        ShardFigures {
            started: Counter::default(),
            redriven: Counter::default(),
            throttled: Counter::default(),
            ended: Default::default(),
            transitions: Counter::default(),
            events: Counter::default(),
            messages: Counter::default(),
            rounds: Counter::default(),
            in_memory: Gauge::default(),
            parked: Gauge::default(),
            timers: Gauge::default(),
            timer_lag: Histogram::of_durations(),
        }
    }
}

impl ShardFigures {
    /// Counts what a decision made happen.
    pub(crate) fn decided(&self, records: &[Record]) {
        let (mut events, mut transitions) = (0, 0);
        for record in records {
            if let Record::Event(event) = record {
                events += 1;
                transitions += u64::from(matches!(event.details, EventDetails::StateEntered { .. }));
            }
        }
        self.events.add_alone(events);
        self.transitions.add_alone(transitions);
    }

    /// Counts an end.
    pub(crate) fn ended(&self, status: ExecutionStatus) {
        if let Some(place) = ENDS.iter().position(|end| *end == status) {
            self.ended[place].add_alone(1);
        }
    }

    /// Counts a timer that fires so many milliseconds after it was due.
    pub(crate) fn timer_fired(&self, late_ms: i64) {
        self.timer_lag.record_duration(Duration::from_millis(u64::try_from(late_ms).unwrap_or(0)));
    }
}

/// The figures of calls of tasks, by kind and outcome.
#[derive(Debug)]
pub(crate) struct TaskFigures([[Histogram; TASK_OUTCOMES.len()]; TASK_KINDS.len()]);

impl Default for TaskFigures {
    fn default() -> Self {
        let outcomes = |_| std::array::from_fn(|_| Histogram::of_durations());
        TaskFigures(std::array::from_fn(outcomes))
    }
}

impl TaskFigures {
    /// Counts a call that took so long; `outcome` is one of [`TASK_OUTCOMES`].
    pub(crate) fn ended(&self, kind: usize, outcome: usize, took: Duration) {
        if let Some(histogram) = self.0.get(kind).and_then(|outcomes| outcomes.get(outcome)) {
            histogram.record_duration(took);
        }
    }

    fn get(&self) -> Vec<TaskSnapshot> {
        let mut all = Vec::new();
        for (kind, outcomes) in TASK_KINDS.iter().zip(&self.0) {
            for (outcome, histogram) in TASK_OUTCOMES.iter().zip(outcomes) {
                let took = histogram.get();
                if took.count() > 0 {
                    all.push(TaskSnapshot { kind, outcome, took });
                }
            }
        }
        all
    }
}

/// The place of a resource in [`TASK_KINDS`].
pub(crate) fn task_kind(resource: &ResourceKind) -> usize {
    let name = match resource {
        ResourceKind::LambdaFunction => "lambda",
        ResourceKind::Service { resource_type, .. } => {
            if resource_type.starts_with("aws-sdk:") {
                "aws-sdk"
            } else {
                resource_type
            }
        }
        // Workers poll for those; nobody is called.
        ResourceKind::Activity => "other",
    };
    TASK_KINDS.iter().position(|kind| *kind == name).unwrap_or(TASK_KINDS.len() - 1)
}

/// What the engine has counted since it started, and what it has now.
#[derive(Debug, Clone)]
pub struct EngineFigures {
    /// Executions started, children of Map Runs among them.
    pub started: u64,
    /// Redrives: each ends one more time.
    pub redriven: u64,
    /// Executions ended, by how.
    pub ended: Vec<(ExecutionStatus, u64)>,
    /// Executions that run and are in memory.
    pub in_memory: i64,
    /// Executions that run and wait out of memory.
    pub parked: i64,
    /// States entered.
    pub transitions: u64,
    /// Events of histories.
    pub events: u64,
    /// Timers that are set.
    pub timers: i64,
    /// How late timers fired; in nanoseconds.
    pub timer_lag: Distribution,
    /// Each shard.
    pub shards: Vec<ShardSnapshot>,
    /// Calls of tasks that have ended.
    pub tasks: Vec<TaskSnapshot>,
    /// Calls of tasks that are under way.
    pub tasks_under_way: usize,
    /// Tasks of activities that wait for a worker.
    pub activity_tasks_waiting: usize,
    /// Workers that wait for a task.
    pub activity_pollers: usize,
    /// Requests refused because too many waited already, or too much ran.
    pub throttled: u64,
}

/// What one shard has to do.
#[derive(Debug, Clone, Copy)]
pub struct ShardSnapshot {
    /// API requests in its inbox.
    pub queued_requests: usize,
    /// Messages handled so far.
    pub messages: u64,
    /// Rounds so far; each gives one batch at the most.
    pub rounds: u64,
}

/// Calls of one kind that ended in one way.
#[derive(Debug, Clone)]
pub struct TaskSnapshot {
    /// One of [`TASK_KINDS`].
    pub kind: &'static str,
    /// One of [`TASK_OUTCOMES`].
    pub outcome: &'static str,
    /// How long they took; in nanoseconds.
    pub took: Distribution,
}

impl EngineFigures {
    /// The sum of what the shards have, without what only the engine knows.
    pub(crate) fn of(shards: &[(Arc<ShardFigures>, usize)], tasks: &TaskFigures) -> EngineFigures {
        let mut all = EngineFigures {
            started: 0,
            redriven: 0,
            ended: ENDS.map(|end| (end, 0)).to_vec(),
            in_memory: 0,
            parked: 0,
            transitions: 0,
            events: 0,
            timers: 0,
            timer_lag: Histogram::of_durations().get(),
            shards: Vec::new(),
            tasks: tasks.get(),
            tasks_under_way: 0,
            activity_tasks_waiting: 0,
            activity_pollers: 0,
            throttled: 0,
        };
        for (shard, queued_requests) in shards {
            all.started += shard.started.get();
            all.redriven += shard.redriven.get();
            all.throttled += shard.throttled.get();
            for ((_, sum), counter) in all.ended.iter_mut().zip(&shard.ended) {
                *sum += counter.get();
            }
            all.in_memory += shard.in_memory.get();
            all.parked += shard.parked.get();
            all.transitions += shard.transitions.get();
            all.events += shard.events.get();
            all.timers += shard.timers.get();
            all.timer_lag.merge(&shard.timer_lag.get());
            let (messages, rounds) = (shard.messages.get(), shard.rounds.get());
            all.shards.push(ShardSnapshot { queued_requests: *queued_requests, messages, rounds });
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_has_a_kind() {
        let service = |resource_type: &str| ResourceKind::Service {
            resource_type: resource_type.into(),
            resource: "x".into(),
            api: "x".into(),
            pattern: stepwell_asl::program::IntegrationPattern::RequestResponse,
        };
        let kind = |resource: &ResourceKind| TASK_KINDS[task_kind(resource)];
        assert_eq!(kind(&ResourceKind::LambdaFunction), "lambda");
        assert_eq!(kind(&service("sqs")), "sqs");
        assert_eq!(kind(&service("aws-sdk:s3")), "aws-sdk");
        assert_eq!(kind(&service("batch")), "other");
        assert_eq!(kind(&ResourceKind::Activity), "other");
    }
}
