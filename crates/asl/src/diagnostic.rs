//! What is wrong with a definition, where, and in AWS's words.

use std::fmt;

use crate::json::{LineColumn, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Creating the state machine is refused.
    Error,
    /// It works, though perhaps not as meant.
    Warning,
}

impl Severity {
    /// `ERROR` or `WARNING`, as in ValidateStateMachineDefinition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The stable code, AWS's where AWS reports the same: `SCHEMA_VALIDATION_FAILED`, `MISSING_END_STATE` …
    pub code: &'static str,
    /// AWS's text.
    pub message: String,
    /// `/States/X/Next` in AWS's form.
    pub location: Option<String>,
    /// The bytes of the definition that it is about.
    pub span: Span,
    /// The place of the first of these bytes.
    pub place: LineColumn,
}

impl fmt::Display for Diagnostic {
    /// `CODE: message at location`, as in AWS's InvalidDefinition.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = self.location.as_deref().unwrap_or("null");
        write!(f, "{}: {} at {location}", self.code, self.message)
    }
}

/// All findings about a definition, in AWS's order; at least one is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// The message of AWS's InvalidDefinition: `Invalid State Machine Definition: 'CODE: message at location'`, with
    /// several findings joined by commas between the same pair of quotes.
    #[must_use]
    pub fn invalid_definition_message(&self) -> String {
        let errors = self.0.iter().filter(|d| d.severity == Severity::Error);
        let errors: Vec<String> = errors.map(Diagnostic::to_string).collect();
        format!("Invalid State Machine Definition: '{}'", errors.join(", "))
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.invalid_definition_message())
    }
}

impl std::error::Error for Diagnostics {}
