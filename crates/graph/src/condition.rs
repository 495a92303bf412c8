//! A Choice rule in words that a reader of a picture understands: `$.status == "FAILED"`.

use stepwell_asl::Value;
use stepwell_asl::choice::{Comparand, Condition, Kind, Relation, Test};

use crate::describe::expression;

/// Words longer than this are cut; a picture is no place for a whole program.
const TEXT_CHARS_MAX: usize = 400;

/// Rules nested deeper than this are cut.
const DEPTH_MAX: usize = 24;

/// What `condition` asks.
pub(crate) fn text(condition: &Condition) -> String {
    let mut writer = Writer { text: String::new(), chars: 0 };
    writer.condition(condition, Around::Nothing, 0);
    if writer.is_full() {
        writer.text = writer.text.chars().take(TEXT_CHARS_MAX).collect();
        writer.text.push('…');
    }
    writer.text
}

/// What a condition stands inside of, which decides whether it needs brackets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Nothing,
    And,
    Or,
    Not,
}

struct Writer {
    text: String,
    chars: usize,
}

impl Writer {
    fn push(&mut self, text: &str) {
        if !self.is_full() {
            self.text.push_str(text);
            self.chars += text.chars().count();
        }
    }

    fn is_full(&self) -> bool {
        self.chars > TEXT_CHARS_MAX
    }

    fn condition(&mut self, condition: &Condition, around: Around, depth: usize) {
        if depth > DEPTH_MAX || self.is_full() {
            return self.push("…");
        }
        match condition {
            // So are the literals compiled that a JSONata rule may have instead of an expression.
            Condition::And(members) if members.is_empty() => self.push("true"),
            Condition::Or(members) if members.is_empty() => self.push("false"),
            Condition::And(members) => self.members(members, " and ", Around::And, around, depth),
            Condition::Or(members) => self.members(members, " or ", Around::Or, around, depth),
            Condition::Not(member) => self.not(member, depth),
            Condition::Query(template) => self.push(&expression(template)),
            Condition::Test { variable, test } => {
                let bracketed = around == Around::Not;
                self.push(if bracketed { "(" } else { "" });
                self.push(variable.text());
                self.test(test);
                self.push(if bracketed { ")" } else { "" });
            }
        }
    }

    /// `not (x == 1)`, but `x is not null`.
    fn not(&mut self, member: &Condition, depth: usize) {
        let Condition::Test { variable, test } = member else {
            self.push("not ");
            return self.condition(member, Around::Not, depth + 1);
        };
        match test {
            Test::IsPresent(is) => {
                self.push(variable.text());
                self.is("present", !is);
            }
            Test::Is(kind, is) => {
                self.push(variable.text());
                self.is(kind_name(*kind), !is);
            }
            Test::Compare(..) | Test::Matches(_) => {
                self.push("not ");
                self.condition(member, Around::Not, depth + 1);
            }
        }
    }

    fn members(&mut self, members: &[Condition], joint: &str, own: Around, around: Around, depth: usize) {
        let bracketed = around != Around::Nothing && around != own && members.len() > 1;
        if bracketed {
            self.push("(");
        }
        // One member stands as if the combination were not there.
        let inside = if members.len() > 1 { own } else { around };
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.push(joint);
            }
            self.condition(member, inside, depth + 1);
        }
        if bracketed {
            self.push(")");
        }
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Compare(comparison, comparand) => {
                self.push(match comparison.relation {
                    Relation::Equals => " == ",
                    Relation::LessThan => " < ",
                    Relation::GreaterThan => " > ",
                    Relation::LessThanEquals => " <= ",
                    Relation::GreaterThanEquals => " >= ",
                });
                match comparand {
                    Comparand::Path(path) => self.push(path.text()),
                    Comparand::Literal(value) => self.push(&value.to_string()),
                }
            }
            Test::Matches(pattern) => {
                self.push(" matches ");
                self.push(&Value::from(pattern.text()).to_string());
            }
            Test::IsPresent(is) => self.is("present", *is),
            Test::Is(kind, is) => self.is(kind_name(*kind), *is),
        }
    }

    fn is(&mut self, what: &str, is: bool) {
        self.push(if is { " is " } else { " is not " });
        self.push(what);
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Boolean => "a boolean",
        Kind::Numeric => "a number",
        Kind::String => "a string",
        Kind::Timestamp => "a timestamp",
    }
}
