//! Intrinsic functions: `States.Format('Hello {}', $.name)` and the other seventeen.
//!
//! A call is compiled once with everything in it; [`parse`](self) reads it, `functions` computes. The only randomness
//! is [`Environment::random_u64`].

mod functions;
mod hash;
mod parse;
mod random;

use std::sync::Arc;

use crate::environment::{Environment, StatesError};
use crate::path::Path;
use crate::value::Value;
use functions::Function;
pub(crate) use hash::hex_digest;
pub(crate) use random::{mix, uuid_of};

/// How deep calls may stand in calls. Source: Developer Guide, "Intrinsic functions".
pub const MAX_NESTING: usize = 10;

/// A compiled call of an intrinsic function.
#[derive(Debug)]
pub struct Call {
    text: Arc<str>,
    function: Function,
    arguments: Vec<Argument>,
}

#[derive(Debug)]
enum Argument {
    /// A string, number, boolean or `null`.
    Literal(Value),
    /// The first argument of `States.Format`.
    Template(FormatTemplate),
    Path(Path),
    Call(Call),
}

/// The text of `States.Format`, taken apart at its `{}`.
#[derive(Debug, Clone)]
struct FormatTemplate {
    /// The texts around the placeholders, one more than those.
    pieces: Vec<String>,
}

/// A text is not a call of an intrinsic function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {position}")]
pub struct CallError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the text.
    pub position: usize,
}

impl Call {
    /// Compiles `text`: the name of a function, brackets, and arguments in them.
    pub fn parse(text: &str) -> Result<Call, CallError> {
        parse::parse(text)
    }

    /// The call as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The function's name, `States.Format` and so on.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.function.name()
    }

    /// What is wrong with the number of arguments, here or in an inner call; such a call fails when it is evaluated.
    pub(crate) fn arity_problem(&self) -> Option<String> {
        let inner = self.arguments.iter().find_map(|argument| match argument {
            Argument::Call(call) => call.arity_problem(),
            _ => None,
        });
        inner.or_else(|| self.function.arity_problem(self.arguments.len()))
    }

    /// All paths in the arguments, those of inner calls included.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        let mut open = vec![self];
        while let Some(call) = open.pop() {
            for argument in &call.arguments {
                match argument {
                    Argument::Path(path) => paths.push(path),
                    Argument::Call(inner) => open.push(inner),
                    Argument::Literal(_) | Argument::Template(_) => {}
                }
            }
        }
        paths
    }

    /// The result of the call.
    pub fn evaluate(&self, input: &Value, env: &dyn Environment) -> Result<Value, StatesError> {
        let mut values = Vec::with_capacity(self.arguments.len());
        let mut template = None;
        for argument in &self.arguments {
            match argument {
                Argument::Literal(value) => values.push(value.clone()),
                Argument::Template(pieces) => template = Some(pieces),
                Argument::Path(path) => values.push(path.evaluate(input, env).map_err(|_| {
                    let path = path.text();
                    let input = input.to_json();
                    self.failure(&format!(
                        "The JsonPath argument for the field '{path}' could not be found in the input '{input}'"
                    ))
                })?),
                Argument::Call(call) => values.push(call.evaluate(input, env)?),
            }
        }
        let result = match template {
            Some(template) => functions::format(template, &values),
            None => self.function.apply(&values, env),
        };
        let value = result.map_err(|reason| self.failure(&reason))?;
        if value.is_nested_deeper_than(crate::json::MAX_DEPTH) {
            return Err(StatesError::too_deep());
        }
        Ok(value)
    }

    fn failure(&self, reason: &str) -> StatesError {
        StatesError::runtime(format!("The function '{}' had the following error: {reason}", self.text))
    }
}
