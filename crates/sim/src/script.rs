//! The world outside: tasks that answer when the simulation says so, and the watch that no call comes too early or
//! twice.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{IntegrationPattern, ResourceKind};
use stepwell_aws::BoxFuture;
use stepwell_integrations::{Progress, TaskOutcome, TaskRequest, TaskRunner};
use stepwell_interpreter::ExecutionKind;
use tokio::sync::oneshot;

use crate::facts::{Attempt, Facts};
use crate::log::Log;

/// A call that waits for its answer.
#[derive(Debug)]
pub struct Call {
    /// What was asked.
    pub request: TaskRequest,
    /// How it is answered. Closed where it was given up.
    pub answer: oneshot::Sender<TaskOutcome>,
    /// A `.sync` call was answered; its job runs.
    pub submitted: bool,
}

impl Call {
    /// Whether it is a `.sync` one.
    #[must_use]
    pub fn is_job(&self) -> bool {
        pattern(&self.request)
            .is_some_and(|p| matches!(p, IntegrationPattern::Sync | IntegrationPattern::Sync2))
    }
}

fn pattern(request: &TaskRequest) -> Option<IntegrationPattern> {
    match &request.resource.kind {
        ResourceKind::Service { pattern, .. } => Some(*pattern),
        ResourceKind::LambdaFunction | ResourceKind::Activity => None,
    }
}

/// The scripted world.
pub struct Script {
    state: Mutex<State>,
    log: Log,
}

/// What it knows.
#[derive(Default)]
pub struct State {
    /// Calls that wait, oldest first.
    pub calls: Vec<Call>,
    /// What is durable.
    pub facts: Facts,
    /// Attempts that have been called in this life of the engine.
    pub called: BTreeSet<Attempt>,
    /// Attempts that were durable before this life began.
    pub inherited: BTreeSet<Attempt>,
    /// Those of them whose call had been answered.
    pub inherited_submitted: BTreeSet<Attempt>,
    /// Calls made, over all lives.
    pub calls_made: u64,
    /// What must not have happened.
    pub violations: Vec<String>,
}

impl Script {
    /// A world that nobody has called.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Script { state: Mutex::default(), log }
    }

    /// Its state.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn called(&self, request: TaskRequest) -> oneshot::Receiver<TaskOutcome> {
        let mut state = self.lock();
        let progress = match &request.progress {
            Progress::New => "new",
            Progress::Again => "again",
            Progress::Submitted(_) => "submitted",
        };
        self.log.line(format_args!("call {} {progress} {:?}", request.attempt_id, request.parameters));
        state.calls_made += 1;
        if let Err(violation) = state.check(&request) {
            state.violations.push(violation);
        }
        let (answer, answered) = oneshot::channel();
        let submitted = matches!(request.progress, Progress::Submitted(_));
        state.calls.push(Call { request, answer, submitted });
        answered
    }
}

impl State {
    fn check(&mut self, request: &TaskRequest) -> Result<(), String> {
        let id = &request.attempt_id;
        let attempt = attempt(id).ok_or_else(|| format!("the attempt id {id} cannot be read"))?;
        if attempt.0 != request.execution_arn {
            return Err(format!("attempt {id} is called for {}", request.execution_arn));
        }
        if ExecutionKind::of_arn(&attempt.0).is_express() {
            // What has no journal has no facts: it runs from its start in every life.
            let is_new = matches!(request.progress, Progress::New);
            return match is_new && self.called.insert(attempt) {
                true => Ok(()),
                false => Err(format!("attempt {id} is called twice in one life of the engine")),
            };
        }
        if !self.facts.scheduled.contains(&attempt) {
            return Err(format!("attempt {id} is called before it is durable"));
        }
        if self.facts.answered.contains(&attempt) {
            return Err(format!("attempt {id} is called again although its result is durable"));
        }
        let expected = match &request.progress {
            Progress::New => !self.inherited.contains(&attempt),
            Progress::Again => {
                self.inherited.contains(&attempt) && !self.inherited_submitted.contains(&attempt)
            }
            Progress::Submitted(_) => self.inherited_submitted.contains(&attempt),
        };
        if !expected {
            return Err(format!(
                "attempt {id} is called with {:?}, which is not how far it came",
                request.progress
            ));
        }
        if !self.called.insert(attempt) {
            return Err(format!("attempt {id} is called twice in one life of the engine"));
        }
        Ok(())
    }
}

/// Reads an attempt's id.
fn attempt(id: &str) -> Option<Attempt> {
    let (arn, event) = id.rsplit_once('#')?;
    Some((arn.into(), event.parse().ok()?))
}

impl TaskRunner for Script {
    fn run(&self, request: TaskRequest) -> BoxFuture<'_, TaskOutcome> {
        Box::pin(async move {
            let answered = self.called(request);
            match answered.await {
                Ok(outcome) => outcome,
                // The call got lost: it never answers.
                Err(_) => std::future::pending().await,
            }
        })
    }

    fn give_up(&self, request: TaskRequest) -> BoxFuture<'_, ()> {
        self.log.line(format_args!("give up {}", request.attempt_id));
        Box::pin(std::future::ready(()))
    }
}

/// What the script says, which is JSON.
#[must_use]
pub fn payload(text: &str) -> Payload {
    Payload::parse(text).expect("what the script says is JSON")
}
