//! What an expression may look at besides its input, and how its failure reads.

use crate::timestamp::Timestamp;
use crate::value::Value;

/// The surroundings of an evaluation; the interpreter provides them.
pub trait Environment {
    /// The context object, `$$`.
    fn context(&self) -> &Value;

    /// The value of the variable `name` (without `$`).
    fn variable(&self, name: &str) -> Option<&Value>;

    /// The next number of the execution's entropy: the only source of `States.UUID` and `States.MathRandom`, so that
    /// evaluation stays a pure function.
    fn random_u64(&self) -> u64;

    /// The time that `$now()` and `$millis()` give: when the state was entered, unless the interpreter knows better.
    fn now(&self) -> Timestamp {
        let entered = self.context().get("State").and_then(|state| state.get("EnteredTime"));
        let instant = entered.and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
        instant.unwrap_or(Timestamp::from_epoch_ms(0))
    }
}

/// A failure that the language itself defines: an error name and AWS's cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatesError {
    /// `States.Runtime`, `States.DataLimitExceeded` …
    pub error: &'static str,
    /// AWS's text, without the sentence "An error occurred while executing the state …".
    pub cause: String,
    /// Whether that sentence stands before `cause`; the interpreter knows the state's name and event id.
    pub names_state: bool,
}

impl StatesError {
    /// `States.Runtime` with the sentence about the state before `cause`.
    #[must_use]
    pub fn runtime(cause: impl Into<String>) -> Self {
        StatesError { error: "States.Runtime", cause: cause.into(), names_state: true }
    }

    /// A value came out larger than any payload may be.
    pub(crate) fn too_large() -> Self {
        StatesError {
            error: "States.DataLimitExceeded",
            cause: "The result exceeds the maximum number of bytes service limit.".into(),
            names_state: true,
        }
    }

    /// A value came out nested deeper than JSON text may be.
    pub(crate) fn too_deep() -> Self {
        let limit = crate::json::MAX_DEPTH;
        StatesError::runtime(format!("The result is nested more than {limit} levels deep."))
    }
}
