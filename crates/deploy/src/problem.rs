//! What can be wrong with a template, and how it is told: a text in CloudFormation's words, a place and a line.

use serde::{Deserialize, Serialize};

use crate::limits::PROBLEMS_MAX;

/// One thing that is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong; CloudFormation's own text where it has one.
    pub message: String,
    /// Where: section and keys joined with `/`, `Resources/MyQueue/Properties/DelaySeconds`. Empty for the whole.
    pub place: String,
    /// The line in the template text, from 1, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl Problem {
    /// A problem at a place; `line` 0 means unknown.
    #[must_use]
    pub fn new(message: impl Into<String>, place: impl Into<String>, line: u32) -> Self {
        Problem { message: message.into(), place: place.into(), line: (line > 0).then_some(line) }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.place.is_empty(), self.line) {
            (true, None) => f.write_str(&self.message),
            (true, Some(line)) => write!(f, "{} (line {line})", self.message),
            (false, None) => write!(f, "{} (at {})", self.message, self.place),
            (false, Some(line)) => write!(f, "{} (at {}, line {line})", self.message, self.place),
        }
    }
}

/// A template (or the parameters given for it) was refused; nothing was created or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.text())]
pub struct TemplateError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl TemplateError {
    /// The error for these problems, `Ok` for none.
    pub fn check(mut problems: Vec<Problem>) -> Result<(), TemplateError> {
        if problems.is_empty() {
            return Ok(());
        }
        if problems.len() > PROBLEMS_MAX {
            let left_out = problems.len() - PROBLEMS_MAX;
            problems.truncate(PROBLEMS_MAX);
            problems.push(Problem::new(format!("and {left_out} more"), "", 0));
        }
        Err(TemplateError { problems })
    }

    fn text(&self) -> String {
        self.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

impl From<Problem> for TemplateError {
    fn from(problem: Problem) -> Self {
        TemplateError { problems: vec![problem] }
    }
}
