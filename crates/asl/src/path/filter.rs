//! The predicates of `[?( )]` and what they compare.

use std::cmp::Ordering;

use regex::Regex;

use super::walk::{Exhausted, Walk};
use super::{Root, Step};
use crate::value::{Number, Value};

/// What decides whether an element stays.
#[derive(Debug)]
pub(super) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    Constant(bool),
    /// The path leads somewhere; `null` counts.
    Exists(RelativePath),
    Compare(Comparison),
}

#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) left: Operand,
    pub(super) operator: Operator,
    pub(super) right: Operand,
}

#[derive(Debug)]
pub(super) enum Operand {
    Literal(Value),
    Path(RelativePath),
    Regex(Regex),
}

/// A path inside a filter, from `@` where it has no root of its own.
#[derive(Debug)]
pub(super) struct RelativePath {
    pub(super) root: Option<Root>,
    pub(super) steps: Vec<Step>,
    pub(super) definite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    StrictEqual,
    StrictNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
    All,
    SubsetOf,
    AnyOf,
    NoneOf,
    Size,
    Empty,
}

impl Operator {
    /// The operator that is written as a word.
    pub(super) fn named(word: &str) -> Option<Operator> {
        Some(match word.to_ascii_lowercase().as_str() {
            "in" => Operator::In,
            "nin" => Operator::NotIn,
            "contains" => Operator::Contains,
            "all" => Operator::All,
            "subsetof" => Operator::SubsetOf,
            "anyof" => Operator::AnyOf,
            "noneof" => Operator::NoneOf,
            "size" => Operator::Size,
            "empty" => Operator::Empty,
            _ => return None,
        })
    }
}

impl Predicate {
    /// Whether `current`, the `@` of the predicate, satisfies it.
    pub(super) fn accepts(&self, current: &Value, walk: &Walk<'_>) -> Result<bool, Exhausted> {
        walk.spend(1)?;
        Ok(match self {
            Predicate::All(members) => {
                for member in members {
                    if !member.accepts(current, walk)? {
                        return Ok(false);
                    }
                }
                true
            }
            Predicate::Any(members) => {
                for member in members {
                    if member.accepts(current, walk)? {
                        return Ok(true);
                    }
                }
                false
            }
            Predicate::Not(member) => !member.accepts(current, walk)?,
            Predicate::Constant(value) => *value,
            Predicate::Exists(path) => match path.resolve(current, walk)? {
                Some(Value::Array(found)) if !path.definite => !found.is_empty(),
                found => found.is_some(),
            },
            Predicate::Compare(comparison) => comparison.holds(current, walk)?,
        })
    }
}

impl RelativePath {
    pub(super) fn resolve(&self, current: &Value, walk: &Walk<'_>) -> Result<Option<Value>, Exhausted> {
        match &self.root {
            None => walk.resolve(&self.steps, self.definite, current),
            Some(Root::Input) => walk.resolve(&self.steps, self.definite, walk.document()),
            Some(Root::Context) => walk.resolve(&self.steps, self.definite, walk.env().context()),
            Some(Root::Variable(name)) => match walk.env().variable(name) {
                Some(value) => walk.resolve(&self.steps, self.definite, value),
                None => Ok(None),
            },
        }
    }
}

impl Operand {
    /// The operand's value; nothing where a path leads nowhere.
    pub(super) fn resolve(&self, current: &Value, walk: &Walk<'_>) -> Result<Option<Value>, Exhausted> {
        match self {
            Operand::Literal(value) => Ok(Some(value.clone())),
            Operand::Path(path) => path.resolve(current, walk),
            Operand::Regex(_) => Ok(None),
        }
    }
}

impl Comparison {
    fn holds(&self, current: &Value, walk: &Walk<'_>) -> Result<bool, Exhausted> {
        if self.operator == Operator::Matches {
            return self.matches(current, walk);
        }
        let left = self.left.resolve(current, walk)?;
        let right = self.right.resolve(current, walk)?;
        walk.spend(cost(left.as_ref(), right.as_ref()))?;
        let (left, right) = (left.as_ref(), right.as_ref());
        Ok(match self.operator {
            Operator::Equal => equal(left, right),
            Operator::NotEqual => !equal(left, right),
            Operator::StrictEqual => same_type(left, right) && equal(left, right),
            Operator::StrictNotEqual => !(same_type(left, right) && equal(left, right)),
            Operator::Less => order(left, right).is_some_and(Ordering::is_lt),
            Operator::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
            Operator::Greater => order(left, right).is_some_and(Ordering::is_gt),
            Operator::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
            Operator::In => elements(right).is_some_and(|list| is_among(left, list)),
            Operator::NotIn => !elements(right).is_some_and(|list| is_among(left, list)),
            Operator::Contains => contains(left, right),
            Operator::All | Operator::SubsetOf | Operator::AnyOf | Operator::NoneOf => {
                self.relates(left, right)
            }
            Operator::Size => right.and_then(as_count).is_some_and(|n| length(left) == Some(n)),
            Operator::Empty => right
                .and_then(Value::as_bool)
                .is_some_and(|b| length(left) == Some(0) && b || length(left).is_some_and(|n| n > 0) && !b),
            Operator::Matches => false,
        })
    }

    /// The operators between two lists.
    fn relates(&self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let (Some(left), Some(right)) = (elements(left), elements(right)) else { return false };
        let within = |list: &[Value], value: &Value| is_among(Some(value), list);
        match self.operator {
            Operator::All => right.iter().all(|value| within(left, value)),
            Operator::SubsetOf => left.iter().all(|value| within(right, value)),
            Operator::AnyOf => left.iter().any(|value| within(right, value)),
            _ => !left.iter().any(|value| within(right, value)),
        }
    }

    fn matches(&self, current: &Value, walk: &Walk<'_>) -> Result<bool, Exhausted> {
        let (regex, other) = match (&self.left, &self.right) {
            (Operand::Regex(regex), other) | (other, Operand::Regex(regex)) => (regex, other),
            _ => return Ok(false),
        };
        Ok(match other.resolve(current, walk)? {
            Some(Value::Array(list)) => list.iter().any(|value| match_text(regex, value)),
            Some(value) => match_text(regex, &value),
            None => regex.is_match(""),
        })
    }
}

fn match_text(regex: &Regex, value: &Value) -> bool {
    match value {
        Value::String(text) => regex.is_match(text),
        Value::Number(_) | Value::Bool(_) => regex.is_match(&value.to_json()),
        _ => false,
    }
}

/// What a comparison of two values may cost, roughly: lists are compared element by element.
fn cost(left: Option<&Value>, right: Option<&Value>) -> u64 {
    let size = |value: Option<&Value>| match value {
        Some(Value::Array(list)) => list.len() as u64 + 1,
        Some(Value::Object(members)) => members.len() as u64 + 1,
        _ => 1,
    };
    size(left).saturating_mul(size(right))
}

fn elements(value: Option<&Value>) -> Option<&[Value]> {
    value.and_then(Value::as_array)
}

fn is_among(value: Option<&Value>, list: &[Value]) -> bool {
    list.iter().any(|element| equal(value, Some(element)))
}

fn same_type(left: Option<&Value>, right: Option<&Value>) -> bool {
    left.map(Value::type_name) == right.map(Value::type_name)
}

/// Equality as filters have it: a number equals the string that spells it, and what is missing equals nothing.
fn equal(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Number(n)), Some(Value::String(s)))
        | (Some(Value::String(s)), Some(Value::Number(n))) => {
            matches!(crate::json::parse(s), Ok(Value::Number(spelt)) if spelt == *n)
        }
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

fn order(left: Option<&Value>, right: Option<&Value>) -> Option<Ordering> {
    match (left?, right?) {
        (Value::Number(Number::Int(a)), Value::Number(Number::Int(b))) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.encode_utf16().cmp(b.encode_utf16())),
        _ => None,
    }
}

fn contains(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::String(text)), Some(Value::String(part))) => text.contains(&**part),
        (Some(Value::Array(list)), value @ Some(_)) => is_among(value, list),
        _ => false,
    }
}

fn as_count(value: &Value) -> Option<usize> {
    value.as_number().and_then(Number::as_i64).and_then(|n| usize::try_from(n).ok())
}

fn length(value: Option<&Value>) -> Option<usize> {
    match value? {
        Value::Array(list) => Some(list.len()),
        Value::String(text) => Some(text.encode_utf16().count()),
        Value::Object(members) => Some(members.len()),
        _ => None,
    }
}
