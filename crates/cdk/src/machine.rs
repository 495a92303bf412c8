//! A finished workflow: name, settings, and its definition in the States Language.

use std::time::Duration;

use serde_json::{Map, Value};
use stepwell_asl::{MachineType, Severity};

use crate::chain::Chainable;
use crate::draft::Handle;
use crate::errors::{BuildError, BuildErrors};
use crate::language::QueryLanguage;
use crate::render;
use crate::values::seconds;

/// A state machine.
///
/// ```
/// use std::time::Duration;
/// use stepwell_cdk::{StateMachine, Succeed, Wait, WaitTime};
///
/// let definition = Wait::new("A moment", WaitTime::duration(Duration::from_secs(1))).next(Succeed::new("Done"));
/// let machine = StateMachine::new("Pause", definition).timeout(Duration::from_secs(60));
///
/// assert_eq!(machine.name(), "Pause");
/// assert_eq!(machine.to_json()?["StartAt"], "A moment");
/// assert!(machine.to_asl()?.contains("\"TimeoutSeconds\": 60"));
/// # Ok::<(), stepwell_cdk::BuildErrors>(())
/// ```
#[derive(Clone)]
pub struct StateMachine {
    name: String,
    start: Handle,
    timeout: Option<Duration>,
    comment: Option<String>,
    query_language: Option<QueryLanguage>,
}

impl StateMachine {
    /// A state machine that begins where `definition` begins.
    #[must_use]
    pub fn new(name: impl Into<String>, definition: impl Chainable) -> StateMachine {
        StateMachine {
            name: name.into(),
            start: definition.start_state(),
            timeout: None,
            comment: None,
            query_language: None,
        }
    }

    /// How long an execution may take, whole seconds. Default: for ever.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> StateMachine {
        self.timeout = Some(timeout);
        self
    }

    /// A comment, for readers of the definition.
    #[must_use]
    pub fn comment(mut self, comment: impl Into<String>) -> StateMachine {
        self.comment = Some(comment.into());
        self
    }

    /// The query language of all states that do not say theirs. Default: JSONPath.
    #[must_use]
    pub fn query_language(mut self, language: QueryLanguage) -> StateMachine {
        self.query_language = Some(language);
        self
    }

    /// The name, as `CreateStateMachine` takes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The definition as indented text.
    ///
    /// # Errors
    /// As [`StateMachine::to_json`].
    pub fn to_asl(&self) -> Result<String, BuildErrors> {
        self.to_json().map(|definition| format!("{definition:#}"))
    }

    /// The definition as JSON.
    ///
    /// # Errors
    /// All mistakes of the workflow: first those of its construction; where there are none, what the validation of the
    /// States Language finds ([`BuildError::Definition`]).
    pub fn to_json(&self) -> Result<Value, BuildErrors> {
        let mut errors = Vec::new();
        let mut definition = Map::new();
        if let Some(comment) = &self.comment {
            definition.insert("Comment".into(), comment.clone().into());
        }
        if let Some(timeout) = self.timeout {
            match seconds(timeout, "TimeoutSeconds", &self.name) {
                Ok(seconds) => {
                    definition.insert("TimeoutSeconds".into(), seconds);
                }
                Err(error) => errors.push(error),
            }
        }
        if let Some(language) = self.query_language {
            definition.insert("QueryLanguage".into(), language.as_str().into());
        }
        match render::machine(&self.start, self.query_language.unwrap_or_default()) {
            Ok(graph) => definition.extend(graph),
            Err(more) => errors.extend(more),
        }
        if !errors.is_empty() {
            return Err(BuildErrors(errors));
        }
        let definition = Value::Object(definition);
        validate(&definition)?;
        Ok(definition)
    }
}

/// What the validation of the States Language says about `definition`.
fn validate(definition: &Value) -> Result<(), BuildErrors> {
    let errors: Vec<BuildError> = stepwell_asl::validate(&definition.to_string(), MachineType::Standard)
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| BuildError::Definition(finding.to_string()))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(BuildErrors(errors)) }
}
