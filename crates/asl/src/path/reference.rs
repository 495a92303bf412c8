//! Paths that name one place, to put a value there.

use std::sync::Arc;

use super::{Path, PathError, Step};
use crate::environment::StatesError;
use crate::value::Value;

/// `$.a['b'][0]`: names and indexes from zero, from the input only. What `ResultPath` holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferencePath {
    path: Path,
}

impl ReferencePath {
    /// Compiles `text`. Anything that could name more than one place, the context object and variables are refused.
    pub fn parse(text: &str) -> Result<ReferencePath, PathError> {
        let path = Path::parse(text)?;
        let refuse = |message: &str| Err(PathError { message: message.into(), position: 0 });
        if path.is_context() || path.variable().is_some() {
            return refuse("a reference path starts with '$.' or '$['");
        }
        if !path.is_reference() || has_operator(text) {
            return refuse("a reference path names one place and has no '@', ',', ':', '?' or '*'");
        }
        Ok(ReferencePath { path })
    }

    /// The path as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.path.text()
    }

    /// Whether this is `$`.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.path.is_root()
    }

    /// `into` with `value` at this place. Objects that are missing on the way are made; an index must be one of an
    /// element that exists. Only the containers on the way are copied.
    pub fn insert(&self, into: &Value, value: Value) -> Result<Value, StatesError> {
        // The input itself is not too deep, so only the new value can make it so.
        let depth_left = crate::json::MAX_DEPTH.saturating_sub(self.path.steps.len());
        if value.is_nested_deeper_than(depth_left) {
            return Err(StatesError::too_deep());
        }
        let mut whole = into.clone();
        let mut place = &mut whole;
        for step in &self.path.steps {
            let fits = match (step, &*place) {
                (Step::Name(_), Value::Object(_)) => true,
                (Step::Index(index), Value::Array(list)) => {
                    super::walk::position(list.len(), *index).is_some()
                }
                _ => false,
            };
            if !fits {
                return Err(conflict(step, place));
            }
            place = match (step, place) {
                (Step::Name(name), Value::Object(members)) => {
                    Arc::make_mut(members).entry_or_insert(name, Value::empty_object)
                }
                (Step::Index(index), Value::Array(list)) => {
                    let index =
                        super::walk::position(list.len(), *index).ok_or_else(|| conflict(step, into))?;
                    &mut Arc::make_mut(list)[index]
                }
                (step, _) => return Err(conflict(step, into)),
            };
        }
        *place = value;
        Ok(whole)
    }
}

/// Whether an operator of ordinary paths stands outside of quotes.
fn has_operator(text: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    text.chars().any(|c| {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        quote.is_none() && "@,:?*".contains(c)
    })
}

fn conflict(step: &Step, into: &Value) -> StatesError {
    let step = match step {
        Step::Name(name) => name.to_string(),
        other => other.to_string(),
    };
    StatesError {
        error: "States.ReferencePathConflict",
        cause: format!("Unable to apply step \"{step}\" to input {}", into.to_json()),
        names_state: true,
    }
}
