//! Evaluating expressions in the surroundings of a state.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::JValue;

use super::analyze::MILLIS;
use super::convert::{self, NoJson};
use super::host::{self, Entropy};
use super::{Expression, QueryFailure};
use crate::environment::Environment;
use crate::json::MAX_DEPTH;
use crate::value::{Object, Value};

/// Longest evaluation of one expression, in milliseconds. It is a guard against what never ends, not a measure: what
/// ends takes microseconds.
const TIME_MS_MAX: u64 = 1000;
/// Deepest recursion in an expression.
const STACK_MAX: usize = 3000;
/// Longest list that a step of an expression makes.
const SEQUENCE_MAX: usize = 500_000;
/// Largest result, in bytes of JSON text.
const RESULT_BYTES_MAX: usize = 16 << 20;

/// The members of `$states` besides the context.
#[derive(Clone, Copy)]
pub struct States<'a> {
    /// `$states.input`: the state's raw input.
    pub input: &'a Value,
    /// `$states.result`, once there is one.
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`, in a catcher.
    pub error_output: Option<&'a Value>,
}

/// The surroundings of all expressions that are evaluated together. What they look at is converted for JSONata at
/// most once.
pub struct Scope<'a> {
    states: States<'a>,
    env: &'a dyn Environment,
    converted: RefCell<BTreeMap<Arc<str>, JValue>>,
}

impl<'a> Scope<'a> {
    /// Surroundings with these members of `$states`.
    #[must_use]
    pub fn new(states: States<'a>, env: &'a dyn Environment) -> Scope<'a> {
        Scope { states, env, converted: RefCell::new(BTreeMap::new()) }
    }

    /// The state's raw input.
    #[must_use]
    pub fn input(&self) -> &'a Value {
        self.states.input
    }

    fn member(&self, name: &str) -> Option<&'a Value> {
        match name {
            "input" => Some(self.states.input),
            "result" => self.states.result,
            "errorOutput" => self.states.error_output,
            "context" => Some(self.env.context()),
            _ => None,
        }
    }

    /// What a path of names leads to, as long as it passes objects only.
    fn follow(&self, names: &[Arc<str>]) -> Option<Value> {
        let (first, rest) = names.split_first()?;
        let (mut value, rest) = match (&**first, rest) {
            ("states", [member, rest @ ..]) => (self.member(member)?, rest),
            ("states", []) => return Some(self.whole_states()),
            (name, rest) => (self.env.variable(name)?, rest),
        };
        for name in rest {
            value = value.get(name)?;
        }
        Some(value.clone())
    }

    fn whole_states(&self) -> Value {
        let names = ["context", "input", "result", "errorOutput"];
        let members = names.into_iter().filter_map(|name| Some((name, self.member(name)?.clone())));
        members.collect::<Object>().into()
    }

    /// JSONata's form of a value, from the first time it was needed.
    fn converted(&self, key: Arc<str>, value: &Value) -> JValue {
        self.converted.borrow_mut().entry(key).or_insert_with(|| convert::to_jsonata(value)).clone()
    }

    fn context_for(&self, expression: &Expression) -> Context {
        let analysis = &expression.analysis;
        let mut context = Context::new();
        let mut states = IndexMap::new();
        for name in ["context", "input", "result", "errorOutput"] {
            if analysis.reads(name)
                && let Some(value) = self.member(name)
            {
                // No variable's name has a dot in it.
                states.insert(name.to_owned(), self.converted(format!("states.{name}").into(), value));
            }
        }
        context.bind("states".to_owned(), JValue::object(states));
        for name in &analysis.variables {
            if let Some(value) = self.env.variable(name) {
                context.bind(name.to_string(), self.converted(name.clone(), value));
            }
        }
        if analysis.needs_time {
            #[allow(clippy::cast_precision_loss)]
            context.bind(MILLIS.to_owned(), JValue::Number(self.env.now().epoch_ms() as f64));
        }
        context
    }
}

impl Expression {
    /// The value of the expression, which stands at `location` (`Output/a`).
    pub fn evaluate(&self, scope: &Scope<'_>, location: &str) -> Result<Value, QueryFailure> {
        if let Some(value) = self.analysis.plain_path.as_deref().and_then(|names| scope.follow(names)) {
            return Ok(value);
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(TIME_MS_MAX),
            cancel: None,
            max_stack_depth: Some(STACK_MAX),
            max_sequence_length: Some(SEQUENCE_MAX),
        };
        let failed = |error: jsonata_core::evaluator::EvaluatorError| {
            QueryFailure::evaluation(self.text(), location, &aws_text(error.message()))
        };
        let mut evaluator = Evaluator::with_options(scope.context_for(self), options);
        let seed = if self.analysis.needs_entropy { scope.env.random_u64() } else { 0 };
        host::register(&mut evaluator, Entropy::new(seed)).map_err(failed)?;
        let result = evaluator.evaluate(&self.tree, &JValue::Undefined).map_err(failed)?;
        if result.is_undefined() {
            return Err(QueryFailure::undefined(self.text(), location));
        }
        let mut bytes_left = RESULT_BYTES_MAX;
        convert::from_jsonata(&result, MAX_DEPTH, &mut bytes_left).map_err(|reason| match reason {
            NoJson::Function => QueryFailure::unsupported_type(self.text(), location),
            NoJson::TooMuch => QueryFailure::evaluation(self.text(), location, "The result is too large"),
        })
    }
}

/// The library's message as the reference implementation words it: without the name of what is no function, and with
/// operators in quotes.
fn aws_text(message: &str) -> String {
    let without_name = "T1006: Attempted to invoke a non-function";
    if message.starts_with(without_name) {
        return without_name.to_owned();
    }
    let quoted = quote_between(message, " side of the ", " operator ");
    quoted
        .or_else(|| quote_between(message, " side of operator ", " must "))
        .unwrap_or_else(|| message.to_owned())
}

/// `text` with quotes around the word between `before` and `after`.
fn quote_between(text: &str, before: &str, after: &str) -> Option<String> {
    let (head, rest) = text.split_once(before)?;
    let (operator, tail) = rest.split_once(after)?;
    let bare = !operator.is_empty() && !operator.contains([' ', '"']);
    bare.then(|| format!("{head}{before}\"{operator}\"{after}{tail}"))
}
