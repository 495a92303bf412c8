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

/// The codes of all warnings, each with what it means and what helps. A code keeps its meaning for ever. AWS gives
/// only some of them.
pub const WARNINGS: [(&str, &str); 12] = [
    (
        "CHOICE_RULE_NEVER_MATCHES",
        "What the rule asks for contradicts itself, as a value that is to equal two texts, to be a number and a text, or to \
         be absent and compared. Often `Or` was meant instead of `And`.",
    ),
    (
        "CHOICE_RULE_SHADOWED",
        "Rules are tried in order, and whatever matches this one has matched an earlier one: the same again, or a wider \
         one. Put the narrower rule first.",
    ),
    ("DUPLICATE_FIELD", "An object has a member twice; the last one counts. Remove one."),
    ("ERROR_NEVER_CAUGHT", "`States.Runtime` ends the execution whatever `Retry` and `Catch` say."),
    ("INTRINSIC_ARGUMENTS", "A call has more or fewer arguments than the function takes, and will fail."),
    ("MISSING_TASK_TOKEN", "The task waits for its token, but does not pass `$$.Task.Token` on to anybody."),
    ("NO_DOLLAR", "A member holds a path or call but its name does not end with `.$`: it is taken as text."),
    ("NO_PATH", "A field holds a path but only the field with `Path` at its end would look it up."),
    ("PASS_RESULT_IS_STATIC", "Nothing in `Result` is evaluated. `Parameters` is."),
    (
        "PATH_NEVER_EXISTS",
        "The only way into the state is from one whose output the definition spells out (a `Result`, `Parameters` or \
         `ResultSelector`), and that has no such member: the state will fail.",
    ),
    ("UNASSIGNED_VARIABLE", "A state reads a variable that no state assigns."),
    ("UNKNOWN_ERROR_NAME", "There is no error of this name; names that begin with `States.` are reserved."),
];
