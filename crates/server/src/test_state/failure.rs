//! What follows the error of a state under test: the first retrier that names it, then the first catcher.

use std::sync::Arc;

use stepwell_asl::environment::StatesError;
use stepwell_asl::jsonata::QueryFailure;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Catcher, PathField, Retrier, StateKind};
use stepwell_asl::value::{Object, Value};

use super::TaskError;
use super::work::{Leaving, Outcome, Work};
use crate::test_state::Tested;

/// Why a state's work stops short.
#[derive(Debug)]
pub(super) struct Failure {
    error: Option<Arc<str>>,
    cause: Option<Arc<str>>,
    /// Whether the sentence about the state stands before the cause.
    names_state: bool,
}

impl From<StatesError> for Failure {
    fn from(error: StatesError) -> Self {
        Failure {
            error: Some(error.error.into()),
            cause: Some(error.cause.into()),
            names_state: error.names_state,
        }
    }
}

impl From<QueryFailure> for Failure {
    fn from(failure: QueryFailure) -> Self {
        failure.error.into()
    }
}

impl From<TaskError> for Failure {
    fn from(TaskError { error, cause }: TaskError) -> Self {
        Failure { error, cause, names_state: false }
    }
}

impl Failure {
    fn matches(&self, error_equals: &[Arc<str>]) -> bool {
        let error = self.error.as_deref().unwrap_or("");
        // Nothing ever catches a definition that cannot run.
        if error == "States.Runtime" {
            return false;
        }
        error_equals.iter().any(|name| match &**name {
            name if name == error => true,
            "States.ALL" => true,
            "States.TaskFailed" => !matches!(error, "States.Timeout" | "States.DataLimitExceeded"),
            _ => false,
        })
    }

    /// The cause as it is reported.
    fn text(&self, state: &str) -> Option<Arc<str>> {
        let cause = self.cause.as_deref()?;
        // There is no history, hence no event.
        let text = match self.names_state {
            true => format!(
                "An error occurred while executing the state '{state}' (entered at the event id #0). {cause}"
            ),
            false => cause.to_owned(),
        };
        Some(text.into())
    }
}

/// Seconds before the next retry, without jitter.
fn backoff_s(retrier: &Retrier, made: u32) -> i64 {
    let exponent = i32::try_from(made).unwrap_or(i32::MAX);
    let mut seconds = f64::from(retrier.interval_seconds) * retrier.backoff_rate.powi(exponent);
    if let Some(max) = retrier.max_delay_seconds {
        seconds = seconds.min(f64::from(max));
    }
    seconds.min(f64::from(i32::MAX)) as i64
}

impl Work<'_> {
    /// Asks the retriers, then the catchers of the state.
    pub(super) fn recover(&mut self, failure: Failure) -> Tested {
        let (retry, catch) = handlers(&self.trial.state().kind);
        let cause = failure.text(&self.trial.state().name);
        let mut details = serde_json::Map::new();
        let mut tested =
            Tested { status: "FAILED", error: failure.error.clone(), cause, ..Tested::default() };
        if let Some((index, retrier)) =
            retry.iter().enumerate().find(|(_, r)| failure.matches(&r.error_equals))
        {
            details.insert("retryIndex".into(), index.into());
            let made = self.trial.retries_made;
            if made < retrier.max_attempts {
                details.insert("retryBackoffIntervalSeconds".into(), backoff_s(retrier, made).into());
                self.inspection.note_value("errorDetails", details);
                tested.status = "RETRIABLE";
                return tested;
            }
        }
        if let Some((index, catcher)) =
            catch.iter().enumerate().find(|(_, c)| failure.matches(&c.error_equals))
        {
            details.insert("catchIndex".into(), index.into());
            match self.caught(index, catcher, &tested) {
                Ok(caught) => {
                    tested.status = "CAUGHT_ERROR";
                    (tested.output, tested.next) = (caught.output, caught.next);
                }
                // The catcher fails in its turn; that is the end.
                Err(failure) => {
                    tested.cause = failure.text(&self.trial.state().name);
                    tested.error = failure.error;
                }
            }
        }
        if !details.is_empty() {
            self.inspection.note_value("errorDetails", details);
        }
        tested
    }

    fn caught(&mut self, index: usize, catcher: &Catcher, failed: &Tested) -> Result<Tested, Failure> {
        let text = |text: &Option<Arc<str>>| text.clone().map_or(Value::Null, Value::String);
        let mut members = Object::new();
        members.insert("Error", text(&failed.error));
        members.insert("Cause", text(&failed.cause));
        let location = format!("Catch[{index}]/");
        let leaving = Leaving {
            result_selector: None,
            result_path: &catcher.result_path,
            output_path: &PathField::Whole,
            output: catcher.output.as_ref(),
            assign: catcher.assign.as_ref(),
            next: Some(catcher.next),
            location: &location,
        };
        self.leave(&leaving, &Outcome::Caught(Payload::from_value(members.into())))
    }
}

fn handlers(kind: &StateKind) -> (&[Retrier], &[Catcher]) {
    match kind {
        StateKind::Task(task) => (&task.retry, &task.catch),
        StateKind::Parallel(parallel) => (&parallel.retry, &parallel.catch),
        StateKind::Map(map) => (&map.retry, &map.catch),
        _ => (&[], &[]),
    }
}
