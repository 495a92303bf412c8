//! Warnings about rules of a Choice that can never be taken. Silent where there is any doubt: what is not understood
//! may match.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::Compiler;
use super::fields::Fields;
use crate::choice::{Comparand, Comparison, Condition, Kind, Relation, Test};
use crate::path::Path;
use crate::program::ChoiceRule;
use crate::timestamp::Timestamp;
use crate::value::{Number, Value};

/// How many rules and members of an `And` are compared with each other; a state with more is not looked at.
const COMPARED_MAX: usize = 200;

impl Compiler {
    /// `CHOICE_RULE_NEVER_MATCHES`: what the rule asks for contradicts itself. `CHOICE_RULE_SHADOWED`: whatever matches
    /// the rule has matched an earlier one. `places` are the rules' own.
    pub(super) fn warn_about_rules(&mut self, rules: &[ChoiceRule], places: &[Fields<'_>]) {
        if rules.len() != places.len() || rules.len() > COMPARED_MAX {
            return;
        }
        let conditions: Vec<Flat<'_>> = rules.iter().map(|rule| Flat::of(&rule.condition)).collect();
        let keys: Vec<Option<String>> = rules.iter().map(|rule| key(&rule.condition)).collect();
        let is_covered = |i: usize, earlier: usize| {
            (keys[i].is_some() && keys[i] == keys[earlier]) || conditions[i].implies(&conditions[earlier])
        };
        for (i, (condition, place)) in conditions.iter().zip(places).enumerate() {
            if condition.never_matches() {
                let message = "This rule can never match: what it asks for contradicts itself";
                self.report.warning("CHOICE_RULE_NEVER_MATCHES", place.at(), place.own_span(), message);
            } else if let Some(earlier) = (0..i).find(|earlier| is_covered(i, *earlier)) {
                let message = format!(
                    "This rule can never match: whatever it matches, Choices[{earlier}] matches before"
                );
                self.report.warning("CHOICE_RULE_SHADOWED", place.at(), place.own_span(), message);
            }
        }
    }
}

/// A condition as the list of what must all hold.
struct Flat<'a> {
    whole: &'a Condition,
    members: Vec<&'a Condition>,
}

impl<'a> Flat<'a> {
    fn of(whole: &'a Condition) -> Self {
        let (mut members, mut open) = (Vec::new(), vec![whole]);
        while let Some(condition) = open.pop() {
            match condition {
                Condition::And(inner) => open.extend(inner.iter().rev()),
                other => members.push(other),
            }
        }
        Flat { whole, members }
    }

    fn never_matches(&self) -> bool {
        if self.members.len() > COMPARED_MAX {
            return false;
        }
        let alone = |condition: &&Condition| match condition {
            Condition::Or(any) => any.iter().all(|c| Flat::of(c).never_matches()),
            Condition::Test { test, .. } => test.is_impossible(),
            _ => false,
        };
        self.members.iter().any(alone) || self.contradicts_itself()
    }

    fn contradicts_itself(&self) -> bool {
        let tests = || {
            self.members.iter().filter_map(|condition| match condition {
                Condition::Test { variable, test } => Some((variable, test)),
                _ => None,
            })
        };
        for (i, (variable, test)) in tests().enumerate() {
            let same = || tests().skip(i + 1).filter(|(other, _)| other.text() == variable.text());
            if same().fold(test.types(), |types, (_, other)| types & other.types()) == 0
                || same().any(|(_, other)| test.excludes(other))
            {
                return true;
            }
        }
        // The opposite of what is asked for as well.
        let keys: Vec<String> = tests().map(|(variable, test)| test_key(variable, test)).collect();
        self.members.iter().any(|condition| match condition {
            Condition::Not(inner) => match &**inner {
                Condition::Test { variable, test } => keys.contains(&test_key(variable, test)),
                _ => false,
            },
            _ => false,
        })
    }

    /// Whether all that matches this matches `earlier` too.
    fn implies(&self, earlier: &Flat<'_>) -> bool {
        match earlier.whole {
            // Nothing is asked for: `true` as the condition.
            Condition::And(members) if members.is_empty() => true,
            Condition::Test { variable, test } => self.members.iter().any(|condition| match condition {
                Condition::Test { variable: own, test: inner } => {
                    own.text() == variable.text() && inner.is_within(test)
                }
                _ => false,
            }),
            _ => false,
        }
    }
}

/// The types of a value as bits, and its absence.
mod types {
    pub(super) const NULL: u8 = 1;
    pub(super) const BOOLEAN: u8 = 2;
    pub(super) const NUMERIC: u8 = 4;
    pub(super) const TEXT: u8 = 8;
    pub(super) const TIMESTAMP: u8 = 16;
    pub(super) const OTHER: u8 = 32;
    pub(super) const ABSENT: u8 = 64;
    pub(super) const PRESENT: u8 = NULL | BOOLEAN | NUMERIC | TEXT | TIMESTAMP | OTHER;
}

impl Kind {
    fn types(self) -> u8 {
        match self {
            Kind::Null => types::NULL,
            Kind::Boolean => types::BOOLEAN,
            Kind::Numeric => types::NUMERIC,
            Kind::String => types::TEXT | types::TIMESTAMP,
            Kind::Timestamp => types::TIMESTAMP,
        }
    }
}

impl Test {
    /// The types of the values for which the test may hold.
    fn types(&self) -> u8 {
        match self {
            Test::Compare(comparison, _) => comparison.kind.types(),
            Test::Matches(_) => Kind::String.types(),
            Test::IsPresent(true) => types::PRESENT,
            Test::IsPresent(false) => types::ABSENT,
            Test::Is(kind, true) => kind.types(),
            // Nothing can be said of the type of what is not there: the state fails.
            Test::Is(kind, false) => types::PRESENT & !kind.types(),
        }
    }

    /// Whether no value at all passes the test.
    fn is_impossible(&self) -> bool {
        let Test::Compare(Comparison { kind: Kind::String, relation }, Comparand::Literal(right)) = self
        else {
            return false;
        };
        *relation == Relation::LessThan && right.as_str() == Some("")
    }

    fn literal(&self) -> Option<(Comparison, &Value)> {
        match self {
            Test::Compare(comparison, Comparand::Literal(value)) => Some((*comparison, value)),
            _ => None,
        }
    }

    /// Whether no value passes both tests.
    fn excludes(&self, other: &Test) -> bool {
        match (self, other) {
            (Test::Matches(pattern), other) | (other, Test::Matches(pattern)) => match other.literal() {
                Some((
                    Comparison { kind: Kind::String, relation: Relation::Equals },
                    Value::String(text),
                )) => !pattern.matches(text),
                _ => false,
            },
            _ => match (self.literal(), other.literal()) {
                (Some((a, x)), Some((b, y))) if a.kind == b.kind => {
                    let Some(order) = order(a.kind, x, y) else { return false };
                    is_below(a.relation, order.reverse(), b.relation)
                        || is_below(b.relation, order, a.relation)
                }
                _ => false,
            },
        }
    }

    /// Whether every value that passes this test passes `wider`.
    fn is_within(&self, wider: &Test) -> bool {
        let (Some((a, x)), Some((b, y))) = (self.literal(), wider.literal()) else { return false };
        if a.kind != b.kind {
            return false;
        }
        let Some(order) = order(a.kind, x, y) else { return false };
        let (is_upper, is_lower) = (|r| has_upper(r), |r| has_lower(r));
        match b.relation {
            Relation::Equals => a.relation == Relation::Equals && order.is_eq(),
            Relation::LessThan => {
                is_upper(a.relation) && (order.is_lt() || (order.is_eq() && a.relation == Relation::LessThan))
            }
            Relation::LessThanEquals => is_upper(a.relation) && order.is_le(),
            Relation::GreaterThan => {
                is_lower(a.relation)
                    && (order.is_gt() || (order.is_eq() && a.relation == Relation::GreaterThan))
            }
            Relation::GreaterThanEquals => is_lower(a.relation) && order.is_ge(),
        }
    }
}

fn has_upper(relation: Relation) -> bool {
    matches!(relation, Relation::Equals | Relation::LessThan | Relation::LessThanEquals)
}

fn has_lower(relation: Relation) -> bool {
    matches!(relation, Relation::Equals | Relation::GreaterThan | Relation::GreaterThanEquals)
}

/// Whether all that `upper` allows lies below all that `lower` allows; `order` is that of the lower bound's value
/// against the upper bound's.
fn is_below(upper: Relation, order: Ordering, lower: Relation) -> bool {
    let is_strict = upper == Relation::LessThan || lower == Relation::GreaterThan;
    has_upper(upper) && has_lower(lower) && (order.is_gt() || (order.is_eq() && is_strict))
}

/// The order of two right-hand sides, where every left-hand side sees it alike.
fn order(kind: Kind, x: &Value, y: &Value) -> Option<Ordering> {
    match (kind, x, y) {
        (Kind::Boolean, Value::Bool(x), Value::Bool(y)) => Some(x.cmp(y)),
        (Kind::String, Value::String(x), Value::String(y)) => Some(x.encode_utf16().cmp(y.encode_utf16())),
        (Kind::Timestamp, Value::String(x), Value::String(y)) => {
            Timestamp::parse_rfc3339(x).zip(Timestamp::parse_rfc3339(y)).map(|(x, y)| x.cmp(&y))
        }
        // An integer is compared with another exactly, and with a fraction as one: beyond 2^53 the two differ.
        (Kind::Numeric, Value::Number(x), Value::Number(y)) => match (x, y) {
            (Number::Int(x), Number::Int(y)) => Some(x.cmp(y)),
            (x, y) if is_exact(x) && is_exact(y) => x.as_f64().partial_cmp(&y.as_f64()),
            _ => None,
        },
        _ => None,
    }
}

fn is_exact(number: &Number) -> bool {
    number.as_f64().abs() < 9_007_199_254_740_992.0
}

/// The text of a condition; equal texts, equal conditions. `None`: evaluated twice it may differ, or it is too long.
fn key(condition: &Condition) -> Option<String> {
    let mut text = String::new();
    write_key(condition, &mut text)?;
    Some(text)
}

fn write_key(condition: &Condition, out: &mut String) -> Option<()> {
    let mut list = |name: &str, members: &[Condition]| {
        out.push_str(name);
        for member in members {
            write_key(member, out)?;
            out.push(',');
        }
        out.push(')');
        Some(())
    };
    match condition {
        Condition::And(members) => list("And(", members),
        Condition::Or(members) => list("Or(", members),
        Condition::Not(member) => list("Not(", std::slice::from_ref(&**member)),
        Condition::Test { variable, test } => {
            write_test(variable, test, out);
            Some(())
        }
        Condition::Query(template) => {
            let text = template.as_query()?.text();
            let _ = write!(out, "{{{}:{text}}}", text.len());
            let may_differ = ["$random", "$uuid", "$shuffle", "$eval"].iter().any(|name| text.contains(name));
            (!may_differ).then_some(())
        }
    }
}

fn test_key(variable: &Path, test: &Test) -> String {
    let mut text = String::new();
    write_test(variable, test, &mut text);
    text
}

fn write_test(variable: &Path, test: &Test, out: &mut String) {
    write_path(variable, out);
    match test {
        Test::Compare(comparison, right) => {
            let _ = write!(out, "{comparison:?}");
            match right {
                Comparand::Literal(value) => value.write_json(out),
                Comparand::Path(path) => write_path(path, out),
            }
        }
        other => {
            let _ = write!(out, "{other:?}");
        }
    }
}

fn write_path(path: &Path, out: &mut String) {
    let _ = write!(out, "<{}:{}>", path.text().len(), path.text());
}
