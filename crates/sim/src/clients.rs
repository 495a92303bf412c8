//! Those who call the API, and what they were promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stepwell_asl::payload::Payload;
use stepwell_engine::activities::{ActivityError, ActivityTask};
use stepwell_engine::machines::MachineRevision;
use stepwell_engine::{
    Engine, RedriveExecutionError, StartExecution, StartExecutionError, StartedExecution, StopExecutionError,
    SyncExecution, TaskTokenError,
};
use tokio::runtime::Runtime;

/// What a holder of a task token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// SendTaskSuccess.
    Success,
    /// SendTaskFailure.
    Failure,
    /// SendTaskHeartbeat.
    Heartbeat,
}

/// An answer of the API.
#[derive(Debug)]
pub enum Answer {
    /// Of StartExecution.
    Started {
        /// What was asked for.
        arn: Arc<str>,
        /// With which input.
        input: &'static str,
        /// The answer.
        result: Result<StartedExecution, StartExecutionError>,
    },
    /// Of StartExecution of an Express machine.
    ExpressStarted(Result<StartedExecution, StartExecutionError>),
    /// Of StartSyncExecution.
    SyncEnded(Result<SyncExecution, StartExecutionError>),
    /// Of StopExecution.
    Stopped {
        /// What was asked for.
        arn: Arc<str>,
        /// Whether it was known to exist when it was asked for.
        was_known: bool,
        /// The answer.
        result: Result<i64, StopExecutionError>,
    },
    /// Of RedriveExecution.
    Redriven {
        /// What was asked for.
        arn: Arc<str>,
        /// Whether it was known to exist when it was asked for.
        was_known: bool,
        /// The answer.
        result: Result<i64, RedriveExecutionError>,
    },
    /// Of DescribeExecution.
    Described {
        /// What was asked for.
        arn: Arc<str>,
        /// When it had ended, where it had.
        stop_ms: Option<i64>,
    },
    /// Of a call with a task token.
    Token {
        /// The token.
        token: String,
        /// What was said.
        say: Say,
        /// The answer.
        result: Result<(), TaskTokenError>,
    },
    /// Of GetActivityTask.
    Polled {
        /// Which of the activities.
        activity: usize,
        /// The answer.
        result: Result<Option<ActivityTask>, ActivityError>,
    },
}

/// Where answers arrive, in order.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Vec<Answer>>>);

impl Answers {
    /// Those since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, answer: Answer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }
}

/// The name of every execution whose end is waited for.
pub const SYNC_NAME: &str = "waited";

/// The name of the Express execution with this ARN, where it is one.
#[must_use]
pub fn express_name(execution_arn: &str) -> Option<&str> {
    let mut parts = execution_arn.split(':').skip(5);
    (parts.next() == Some("express")).then(|| parts.nth(1)).flatten()
}

/// Asks for a start of an Express machine; all have one name.
pub fn start_express(
    runtime: &Runtime,
    engine: &Engine,
    answers: &Answers,
    revision: Arc<MachineRevision>,
    input: &'static str,
) {
    let (engine, answers) = (engine.clone(), answers.clone());
    runtime.spawn(async move {
        let started = engine.start_execution(request(revision, "x".into(), input)).await;
        answers.push(Answer::ExpressStarted(started));
    });
}

/// Asks for an Express execution and waits for its end.
pub fn start_sync(
    runtime: &Runtime,
    engine: &Engine,
    answers: &Answers,
    revision: Arc<MachineRevision>,
    input: &'static str,
) {
    let (engine, answers) = (engine.clone(), answers.clone());
    runtime.spawn(async move {
        let ended = engine.start_sync_execution(request(revision, SYNC_NAME.into(), input)).await;
        answers.push(Answer::SyncEnded(ended));
    });
}

fn request(revision: Arc<MachineRevision>, name: String, input: &str) -> StartExecution {
    StartExecution {
        revision,
        name: Some(name),
        input: Payload::parse(input).expect("inputs are JSON"),
        trace_header: None,
        state_machine_alias_arn: None,
        state_machine_version_arn: None,
    }
}

/// Asks for a start.
pub fn start(
    runtime: &Runtime,
    engine: &Engine,
    answers: &Answers,
    revision: Arc<MachineRevision>,
    name: String,
    input: &'static str,
) {
    let (engine, answers) = (engine.clone(), answers.clone());
    let arn = engine.account().arn("states", &format!("execution:{}:{name}", revision.name)).into();
    runtime.spawn(async move {
        let result = engine.start_execution(request(revision, name, input)).await;
        answers.push(Answer::Started { arn, input, result });
    });
}

/// Asks for a stop.
pub fn stop(runtime: &Runtime, engine: &Engine, answers: &Answers, arn: Arc<str>, was_known: bool) {
    let (engine, answers) = (engine.clone(), answers.clone());
    runtime.spawn(async move {
        let result = engine.stop_execution(&arn, Some("Stopped".into()), None).await;
        answers.push(Answer::Stopped { arn, was_known, result });
    });
}

/// Asks what an execution is at.
pub fn describe(runtime: &Runtime, engine: &Engine, answers: &Answers, arn: Arc<str>) {
    let (engine, answers) = (engine.clone(), answers.clone());
    runtime.spawn(async move {
        let Ok(Some(described)) = engine.describe_execution(&arn) else { return };
        let stop_ms = described.row.outcome.map(|outcome| outcome.stop_ms);
        // A store that has failed answers nothing.
        if engine.settled().await.is_ok() {
            answers.push(Answer::Described { arn, stop_ms });
        }
    });
}

/// Asks for a redrive.
pub fn redrive(
    runtime: &Runtime,
    engine: &Engine,
    answers: &Answers,
    arn: Arc<str>,
    client_token: Option<String>,
    was_known: bool,
) {
    let (engine, answers) = (engine.clone(), answers.clone());
    runtime.spawn(async move {
        let result = engine.redrive_execution(&arn, client_token).await;
        answers.push(Answer::Redriven { arn, was_known, result });
    });
}

/// Says something about a task.
pub fn say(
    runtime: &Runtime,
    engine: &Engine,
    answers: &Answers,
    token: String,
    say: Say,
    output: &'static str,
) {
    let (engine, answers) = (engine.clone(), answers.clone());
    runtime.spawn(async move {
        let output = Payload::parse(output).expect("outputs are JSON");
        let result = match say {
            Say::Success => engine.send_task_success(&token, output).await,
            Say::Failure => engine.send_task_failure(&token, Some("Script.Error".into()), None).await,
            Say::Heartbeat => engine.send_task_heartbeat(&token).await,
        };
        answers.push(Answer::Token { token, say, result });
    });
}

/// Polls an activity for as long as the run may take.
pub fn poll(runtime: &Runtime, engine: &Engine, answers: &Answers, activity: usize, arn: String) {
    let (engine, answers) = (engine.clone(), answers.clone());
    runtime.spawn(async move {
        let result = engine.activities().poll(&arn, Some("worker".into()), Duration::from_secs(86_400)).await;
        answers.push(Answer::Polled { activity, result });
    });
}

/// What was promised, and must hold from then on.
#[derive(Default)]
pub struct Promises {
    /// Acknowledged starts: input and start.
    pub starts: BTreeMap<Arc<str>, (&'static str, i64)>,
    /// Acknowledged starts of Express executions.
    pub express: BTreeSet<Arc<str>>,
    /// Acknowledged stops, and ends that were told of.
    pub stops: BTreeMap<Arc<str>, i64>,
    /// The latest acknowledged redrives.
    pub redrives: BTreeMap<Arc<str>, i64>,
    /// Tokens whose task's end was acknowledged.
    pub ends: BTreeMap<String, ()>,
}

impl Promises {
    /// Whether all of them hold.
    pub fn check(&self, engine: &Engine) -> Result<(), String> {
        for (arn, (input, start_ms)) in &self.starts {
            let described = engine.describe_execution(arn).map_err(|e| format!("{arn}: {e}"))?;
            let described = described.ok_or_else(|| format!("{arn} was acknowledged and is gone"))?;
            if described.row.info.start_ms != *start_ms || &**described.input.text() != *input {
                return Err(format!("{arn} is not the execution that was acknowledged: {:?}", described.row));
            }
        }
        for (arn, stop_ms) in &self.stops {
            let described = engine.describe_execution(arn).map_err(|e| format!("{arn}: {e}"))?;
            // One that was redriven since may be at anything.
            let redriven_ms = described.as_ref().and_then(|d| d.row.redrives.last_ms);
            if redriven_ms.is_some_and(|ms| ms >= *stop_ms) {
                continue;
            }
            let outcome = described.and_then(|d| d.row.outcome);
            if outcome.as_ref().map(|o| o.stop_ms) != Some(*stop_ms) {
                return Err(format!("{arn} ended at {stop_ms}, it was said, and has ended so: {outcome:?}"));
            }
        }
        for (arn, redrive_ms) in &self.redrives {
            let described = engine.describe_execution(arn).map_err(|e| format!("{arn}: {e}"))?;
            let redriven_ms = described.and_then(|d| d.row.redrives.last_ms);
            if redriven_ms < Some(*redrive_ms) {
                return Err(format!("{arn} was redriven at {redrive_ms}, and tells of {redriven_ms:?}"));
            }
        }
        Ok(())
    }
}
