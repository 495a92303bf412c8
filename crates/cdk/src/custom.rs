//! A state given as JSON, for what the typed states do not cover.

use serde_json::{Map, Value};

use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::state::{continued, state_type, with_error_handling};

state_type!(
    /// A state in the States Language itself, without its transitions.
    ///
    /// `Next` belongs to [`CustomState::next`]. `Retry` and `Catch` may stand in the JSON, or be added by
    /// [`CustomState::add_retry`] and [`CustomState::add_catch`], but not both.
    ///
    /// ```
    /// use serde_json::json;
    /// use stepwell_cdk::CustomState;
    ///
    /// let list = CustomState::new("List", json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets"}));
    /// # let _ = list;
    /// ```
    CustomState, Settings, continues: true
);
continued!(CustomState);
with_error_handling!(CustomState);

struct Settings {
    state_json: Value,
}

impl Specific for Settings {
    fn render(
        &self,
        state: &str,
        _: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        let refuse = |problem: &str| {
            Err(BuildError::InvalidSettings { state: state.to_owned(), problem: problem.to_owned() })
        };
        let Value::Object(given) = &self.state_json else {
            return refuse("the JSON of a custom state must be an object");
        };
        if given.contains_key("Next") {
            return refuse("Next in the JSON of a custom state; use next() instead");
        }
        if matches!(given.get("Type").and_then(Value::as_str), Some("Choice" | "Succeed" | "Fail")) {
            return refuse("a custom state must be of a type that has a Next; use Choice, Succeed or Fail");
        }
        fields.extend(
            given.iter().filter(|(key, _)| *key != "End").map(|(key, value)| (key.clone(), value.clone())),
        );
        Ok(())
    }
}

impl CustomState {
    /// A state with these fields.
    #[must_use]
    pub fn new(name: impl Into<String>, state_json: Value) -> CustomState {
        CustomState::create(name, Settings { state_json })
    }
}
