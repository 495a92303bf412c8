//! `Retry` and `Catch`.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::draft::Handle;
use crate::errors::BuildError;
use crate::values::{Number, PathSetting, seconds};

/// Names of the errors that the States Language itself knows.
pub mod errors {
    /// Every error, except those that cannot be handled.
    pub const ALL: &str = "States.ALL";
    /// A task exceeded `HeartbeatSeconds`.
    pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
    /// A task exceeded `TimeoutSeconds` or `HeartbeatSeconds`.
    pub const TIMEOUT: &str = "States.Timeout";
    /// Any error of a task but a timeout.
    pub const TASKS_FAILED: &str = "States.TaskFailed";
    /// The task may not be called.
    pub const PERMISSIONS: &str = "States.Permissions";
    /// `ResultPath` cannot be applied to the input.
    pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
    /// A path in `Parameters` found nothing.
    pub const PARAMETER_PATH_FAILURE: &str = "States.ParameterPathFailure";
    /// A branch of a Parallel failed.
    pub const BRANCH_FAILED: &str = "States.BranchFailed";
    /// No rule of a Choice matched and it has no default.
    pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
}

/// Whether a retry delay is randomized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JitterType {
    /// The delay as computed.
    None,
    /// A random delay between nothing and the computed one.
    Full,
}

/// A retrier: which errors are worth another attempt, how often, and how long after.
///
/// What is not set is left to the language's defaults: 1 s, 3 attempts, doubled each time.
///
/// ```
/// use std::time::Duration;
/// use stepwell_cdk::{Function, JitterType, LambdaInvoke, Retry};
///
/// let task = LambdaInvoke::new("Charge", Function::from_name("Charge")).add_retry(
///     Retry::on(["Busy", "States.Timeout"])
///         .interval(Duration::from_secs(5))
///         .max_attempts(4)
///         .backoff_rate(1.5)
///         .max_delay(Duration::from_secs(60))
///         .jitter_strategy(JitterType::Full),
/// );
/// # let _ = task;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    errors: Vec<String>,
    interval: Option<Duration>,
    max_attempts: Option<u32>,
    backoff_rate: Option<Number>,
    max_delay: Option<Duration>,
    jitter: Option<JitterType>,
}

impl Retry {
    /// On every error: `States.ALL`.
    #[must_use]
    pub fn on_all() -> Retry {
        Retry::on([errors::ALL])
    }

    /// On these errors.
    #[must_use]
    pub fn on<E: Into<String>>(errors: impl IntoIterator<Item = E>) -> Retry {
        Retry {
            errors: errors.into_iter().map(Into::into).collect(),
            interval: None,
            max_attempts: None,
            backoff_rate: None,
            max_delay: None,
            jitter: None,
        }
    }

    /// The time before the first retry, whole seconds.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Retry {
        self.interval = Some(interval);
        self
    }

    /// How many retries; 0 for none.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Retry {
        self.max_attempts = Some(attempts);
        self
    }

    /// By what the delay is multiplied after each retry, at least 1.
    #[must_use]
    pub fn backoff_rate(mut self, rate: impl Into<Number>) -> Retry {
        self.backoff_rate = Some(rate.into());
        self
    }

    /// The longest delay, whole seconds.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Retry {
        self.max_delay = Some(delay);
        self
    }

    /// Whether the delay is randomized.
    #[must_use]
    pub fn jitter_strategy(mut self, jitter: JitterType) -> Retry {
        self.jitter = Some(jitter);
        self
    }

    pub(crate) fn attach(&self, state: &Handle) {
        match self.render(&state.name()) {
            Ok(retrier) => state.edit(|node| {
                let at = place(&retrier, node.retries.iter());
                node.retries.insert(at, retrier);
            }),
            Err(error) => state.report(error),
        }
    }

    fn render(&self, state: &str) -> Result<Map<String, Value>, BuildError> {
        let mut retrier = error_equals(&self.errors, state)?;
        if let Some(interval) = self.interval {
            retrier.insert("IntervalSeconds".into(), seconds(interval, "IntervalSeconds", state)?);
        }
        if let Some(attempts) = self.max_attempts {
            retrier.insert("MaxAttempts".into(), attempts.into());
        }
        if let Some(rate) = self.backoff_rate {
            let rate = rate.to_json().ok_or_else(|| BuildError::NotFinite { state: state.to_owned() })?;
            retrier.insert("BackoffRate".into(), rate);
        }
        if let Some(delay) = self.max_delay {
            retrier.insert("MaxDelaySeconds".into(), seconds(delay, "MaxDelaySeconds", state)?);
        }
        if let Some(jitter) = self.jitter {
            let jitter = if jitter == JitterType::Full { "FULL" } else { "NONE" };
            retrier.insert("JitterStrategy".into(), jitter.into());
        }
        Ok(retrier)
    }
}

/// A catcher: which errors lead to another state, and where the error's description goes.
///
/// ```
/// use stepwell_cdk::{Catch, Fail, Function, LambdaInvoke};
///
/// let task = LambdaInvoke::new("Charge", Function::from_name("Charge"))
///     .add_catch(Fail::new("Refused").error("CardRefused"), Catch::on(["Refused"]))
///     .add_catch(Fail::new("Broken").cause_path("$.error.Cause"), Catch::all().result_path("$.error"));
/// # let _ = task;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Catch {
    errors: Vec<String>,
    result_path: Option<PathSetting>,
    outputs: Option<Value>,
    assign: Option<Value>,
}

impl Catch {
    /// Every error: `States.ALL`.
    #[must_use]
    pub fn all() -> Catch {
        Catch::on([errors::ALL])
    }

    /// These errors.
    #[must_use]
    pub fn on<E: Into<String>>(errors: impl IntoIterator<Item = E>) -> Catch {
        let errors = errors.into_iter().map(Into::into).collect();
        Catch { errors, result_path: None, outputs: None, assign: None }
    }

    /// Where `{"Error": …, "Cause": …}` goes in the state's input. Default: it replaces it.
    #[must_use]
    pub fn result_path(mut self, path: impl Into<PathSetting>) -> Catch {
        self.result_path = Some(path.into());
        self
    }

    /// What goes to the handler, in JSONata; `$states.errorOutput` is the error's description. Default: just that.
    #[must_use]
    pub fn outputs(mut self, outputs: impl Into<Value>) -> Catch {
        self.outputs = Some(outputs.into());
        self
    }

    /// Sets variables; `$` is the error's description, `$states.errorOutput` in JSONata.
    #[must_use]
    pub fn assign(mut self, variables: Value) -> Catch {
        self.assign = Some(variables);
        self
    }

    pub(crate) fn attach(self, state: &Handle, handler: &Handle) {
        let mut catcher = match error_equals(&self.errors, &state.name()) {
            Ok(catcher) => catcher,
            Err(error) => return state.report(error),
        };
        if let Some(path) = self.result_path {
            catcher.insert("ResultPath".into(), path.into());
        }
        if let Some(outputs) = self.outputs {
            catcher.insert("Output".into(), outputs);
        }
        if let Some(variables) = self.assign {
            catcher.insert("Assign".into(), variables);
        }
        let to = state.join(handler);
        state.edit(|node| {
            let at = place(&catcher, node.catches.iter().map(|(catcher, _)| catcher));
            node.catches.insert(at, (catcher, to));
        });
    }
}

fn error_equals(errors: &[String], state: &str) -> Result<Map<String, Value>, BuildError> {
    if errors.len() > 1 && errors.iter().any(|error| error == errors::ALL) {
        return Err(BuildError::AllIsNotAlone { state: state.to_owned() });
    }
    let mut object = Map::new();
    object.insert("ErrorEquals".into(), errors.to_vec().into());
    Ok(object)
}

/// Where `new` belongs among `present`: at the end, but before `States.ALL`, which the language wants last.
fn place<'a>(
    new: &Map<String, Value>,
    present: impl ExactSizeIterator<Item = &'a Map<String, Value>>,
) -> usize {
    let count = present.len();
    if is_all(new) {
        return count;
    }
    present.into_iter().position(is_all).unwrap_or(count)
}

fn is_all(object: &Map<String, Value>) -> bool {
    object.get("ErrorEquals").and_then(|errors| errors.get(0)).and_then(Value::as_str) == Some(errors::ALL)
}
