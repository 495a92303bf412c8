//! The rules of a `Choice` state in JSONPath: comparisons of a variable, combined with `And`, `Or` and `Not`.
//!
//! This module evaluates; [`mod@crate::compile`] reads the rules and reports what is wrong with them.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::environment::{Environment, StatesError};
use crate::jsonata::{QueryFailure, Scope};
use crate::path::Path;
use crate::template::Template;
use crate::timestamp::Timestamp;
use crate::value::{Number, Value};

/// A compiled rule.
#[derive(Debug)]
pub enum Condition {
    /// All of them; none is evaluated after the first that is false.
    And(Vec<Condition>),
    /// One of them; none is evaluated after the first that is true.
    Or(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// A test of the value that a path leads to.
    Test {
        /// `Variable`
        variable: Path,
        /// What is asked of it.
        test: Test,
    },
    /// `Condition` of a JSONata rule.
    Query(Template),
}

/// What a rule asks of its variable.
#[derive(Debug)]
pub enum Test {
    /// `StringEquals`, `NumericLessThanPath` and the like.
    Compare(Comparison, Comparand),
    /// `StringMatches`
    Matches(Pattern),
    /// `IsPresent`
    IsPresent(bool),
    /// `IsNull`, `IsNumeric` … and whether that shall be so.
    Is(Kind, bool),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// The type that both must have.
    pub kind: Kind,
    /// The relation between them.
    pub relation: Relation,
}

/// The types that rules know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// A boolean.
    Boolean,
    /// A number.
    Numeric,
    /// A string.
    String,
    /// A string that is an RFC 3339 timestamp.
    Timestamp,
}

/// The relations that rules know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `…Equals`
    Equals,
    /// `…LessThan`
    LessThan,
    /// `…GreaterThan`
    GreaterThan,
    /// `…LessThanEquals`
    LessThanEquals,
    /// `…GreaterThanEquals`
    GreaterThanEquals,
}

/// The right-hand side.
#[derive(Debug)]
pub enum Comparand {
    /// The value as given.
    Literal(Value),
    /// The `…Path` variant.
    Path(Path),
}

/// Text with `*` for any characters, of `StringMatches`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The texts around the `*`s, one more than those.
    pieces: Vec<String>,
}

impl Condition {
    /// Whether the rule matches. A path that leads nowhere fails the state, except under `IsPresent`.
    pub fn evaluate(&self, input: &Value, env: &dyn Environment) -> Result<bool, StatesError> {
        match self {
            Condition::And(members) => {
                for member in members {
                    if !member.evaluate(input, env)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Or(members) => {
                for member in members {
                    if member.evaluate(input, env)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(member) => Ok(!member.evaluate(input, env)?),
            Condition::Test { variable, test } => test.evaluate(variable, input, env),
            // There are none in a JSONPath state.
            Condition::Query(_) => Ok(false),
        }
    }

    /// Whether the rule of a JSONata state matches. It stands at `location`, as in `Choices[0]/Condition`.
    pub fn evaluate_query(&self, scope: &Scope<'_>, location: &str) -> Result<bool, QueryFailure> {
        match self {
            // `true` and `false` as given are compiled to these.
            Condition::And(_) => Ok(true),
            Condition::Or(_) | Condition::Not(_) | Condition::Test { .. } => Ok(false),
            Condition::Query(template) => match template.evaluate_query(scope, location)? {
                Value::Bool(holds) => Ok(holds),
                other => Err(template.unexpected_type(location, "boolean", &other)),
            },
        }
    }

    /// Every path in the rule.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        let mut open = vec![self];
        while let Some(condition) = open.pop() {
            match condition {
                Condition::And(members) | Condition::Or(members) => open.extend(members),
                Condition::Not(member) => open.push(member),
                Condition::Test { variable, test } => {
                    paths.push(variable);
                    if let Test::Compare(_, Comparand::Path(path)) = test {
                        paths.push(path);
                    }
                }
                Condition::Query(_) => {}
            }
        }
        paths
    }
}

impl Test {
    fn evaluate(&self, variable: &Path, input: &Value, env: &dyn Environment) -> Result<bool, StatesError> {
        if let Test::IsPresent(expected) = self {
            return Ok(is_present(variable, input, env) == *expected);
        }
        let evaluated;
        let value = match variable.find(input, env) {
            Some(value) => value,
            None => {
                evaluated = look_up(variable, input, env)?;
                &evaluated
            }
        };
        match self {
            Test::IsPresent(_) => Ok(true),
            Test::Is(kind, expected) => Ok(kind.has(value) == *expected),
            Test::Matches(pattern) => Ok(value.as_str().is_some_and(|text| pattern.matches(text))),
            Test::Compare(comparison, Comparand::Literal(right)) => Ok(comparison.holds(value, right)),
            Test::Compare(comparison, Comparand::Path(path)) => {
                Ok(comparison.holds(value, &look_up(path, input, env)?))
            }
        }
    }
}

fn is_present(path: &Path, input: &Value, env: &dyn Environment) -> bool {
    path.find(input, env).is_some() || path.evaluate(input, env).is_ok()
}

fn look_up(path: &Path, input: &Value, env: &dyn Environment) -> Result<Value, StatesError> {
    path.evaluate(input, env).map_err(|_| {
        let path = path.text();
        StatesError::runtime(format!(
            "Invalid path '{path}': The choice state's condition path references an invalid value."
        ))
    })
}

impl Kind {
    fn has(self, value: &Value) -> bool {
        match (self, value) {
            (Kind::Null, Value::Null)
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::Numeric, Value::Number(_))
            | (Kind::String, Value::String(_)) => true,
            (Kind::Timestamp, Value::String(text)) => Timestamp::parse_rfc3339(text).is_some(),
            _ => false,
        }
    }
}

impl Comparison {
    /// Whether `left` and `right` have the type and the relation; values of other types have none.
    #[must_use]
    pub fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (self.kind, left, right) {
            (Kind::String, Value::String(a), Value::String(b)) => Some(utf16_order(a, b)),
            (Kind::Numeric, Value::Number(a), Value::Number(b)) => numeric_order(a, b),
            (Kind::Boolean, Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Kind::Timestamp, Value::String(a), Value::String(b)) => {
                Timestamp::parse_rfc3339(a).zip(Timestamp::parse_rfc3339(b)).map(|(a, b)| a.cmp(&b))
            }
            _ => None,
        };
        order.is_some_and(|order| match self.relation {
            Relation::Equals => order.is_eq(),
            Relation::LessThan => order.is_lt(),
            Relation::GreaterThan => order.is_gt(),
            Relation::LessThanEquals => order.is_le(),
            Relation::GreaterThanEquals => order.is_ge(),
        })
    }
}

/// Order by UTF-16 code units, which is Java's.
fn utf16_order(a: &Arc<str>, b: &Arc<str>) -> Ordering {
    if a == b { Ordering::Equal } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

fn numeric_order(a: &Number, b: &Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => Some(a.cmp(b)),
        (a, b) => a.as_f64().partial_cmp(&b.as_f64()),
    }
}

impl Pattern {
    /// Takes `text` apart: `*` stands for any characters, `\*` for a star and `\\` for a backslash.
    #[must_use]
    pub fn parse(text: &str) -> Pattern {
        let mut pieces = vec![String::new()];
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let piece = pieces.last_mut().expect("there is always a piece");
            match c {
                '*' => pieces.push(String::new()),
                '\\' => match chars.peek() {
                    Some('*' | '\\') => piece.extend(chars.next()),
                    _ => piece.push(c),
                },
                _ => piece.push(c),
            }
        }
        Pattern { pieces }
    }

    /// The pattern as a text that [`Pattern::parse`] takes apart in the same way.
    #[must_use]
    pub fn text(&self) -> String {
        let escaped: Vec<String> =
            self.pieces.iter().map(|piece| piece.replace('\\', r"\\").replace('*', r"\*")).collect();
        escaped.join("*")
    }

    /// Whether the whole of `text` fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|whole| whole == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        // The first place that fits leaves the most for the pieces after it.
        for piece in middle {
            let Some(found) = rest.find(piece.as_str()) else { return false };
            rest = &rest[found + piece.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("foo*.log", "foo1.log", true),
            ("foo*.log", "foo.log", true),
            ("foo*.log", "foolog", false),
            ("*.log", "a.log.log", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            (r"foo\*bar", "foo*bar", true),
            (r"foo\*bar", "fooxbar", false),
            (r"foo\\*", r"foo\bar", true),
            (r"foo\\*", "foobar", false),
            (r"foo\bar", r"foo\bar", true),
            ("ä*ö", "ä😀ö", true),
        ] {
            let parsed = Pattern::parse(pattern);
            assert_eq!(parsed.matches(text), expected, "{pattern} on {text}");
            assert_eq!(Pattern::parse(&parsed.text()), parsed, "{pattern}");
        }
    }
}
