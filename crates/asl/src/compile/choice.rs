//! `Choice` states: reading the rules.

use super::Compiler;
use super::container::Siblings;
use super::fields::Fields;
use super::query::BEFORE;
use crate::choice::{Comparand, Comparison, Condition, Kind, Pattern, Relation, Test};
use crate::path::Path;
use crate::program::{Choice, ChoiceRule, QueryLanguage, StateId};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// Where a rule stands: only the outermost one has `Next` and `Assign`.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Outer,
    Inner,
}

/// What an operator's name stands for.
enum Operator {
    Compare(Comparison, bool),
    Matches,
    Is(Option<Kind>),
}

impl Compiler {
    pub(super) fn choice(
        &mut self,
        fields: &Fields<'_>,
        id: StateId,
        siblings: &mut Siblings,
    ) -> Option<Choice> {
        let complete = self.require(fields, &["Choices"]);
        let input_path = self.path_field(fields, "InputPath");
        let output_path = self.path_field(fields, "OutputPath");
        let output = self.query(fields, "Output", BEFORE);
        let assign = self.assign(fields, BEFORE);
        let members = self.objects(fields, "Choices");
        if fields.get("Choices").and_then(|node| node.as_array()).is_some_and(<[_]>::is_empty) {
            self.report.schema(fields.at_field("Choices"), fields.span("Choices"), "Value cannot be empty");
        }
        let mut rules = Vec::with_capacity(members.len());
        for member in &members {
            rules.extend(self.rule(member, id, siblings));
        }
        self.warn_about_rules(&rules, &members);
        let default = self.next(id, fields, "Default", siblings);
        complete.then_some(Choice { input_path, output_path, output, rules, default, assign })
    }

    fn rule(&mut self, fields: &Fields<'_>, id: StateId, siblings: &mut Siblings) -> Option<ChoiceRule> {
        self.require(fields, &["Next"]);
        let condition = match self.state_language {
            QueryLanguage::JsonPath => self.condition(fields, Level::Outer),
            QueryLanguage::Jsonata => self.query_condition(fields),
        };
        let output = self.query(fields, "Output", BEFORE);
        let assign = self.assign(fields, BEFORE);
        let next = self.next(id, fields, "Next", siblings);
        Some(ChoiceRule { condition: condition?, next: next?, output, assign })
    }

    /// `Condition` of a JSONata rule: a boolean or an expression.
    fn query_condition(&mut self, fields: &Fields<'_>) -> Option<Condition> {
        self.check_names(fields, &["Condition", "Next", "Output", "Assign", "Comment"]);
        self.string(fields, "Comment");
        self.require(fields, &["Condition"]);
        if self.holds_expression(fields, "Condition") {
            return self.query(fields, "Condition", BEFORE).map(Condition::Query);
        }
        self.boolean(fields, "Condition")
            .map(|holds| if holds { Condition::And(Vec::new()) } else { Condition::Or(Vec::new()) })
    }

    fn condition(&mut self, fields: &Fields<'_>, level: Level) -> Option<Condition> {
        self.check_repeated(fields);
        self.string(fields, "Comment");
        let mut tests = Vec::new();
        for member in fields.node.members() {
            match &*member.name {
                "Comment" | "Variable" => {}
                "Condition" | "Output" if level == Level::Outer => {
                    self.wrong_language(fields, &member.name, "JSONPath", "JSONata");
                }
                "Next" | "Assign" if level == Level::Outer => {}
                name @ ("And" | "Or" | "Not") => tests.push(name),
                name if operator(name).is_some() => tests.push(name),
                name => self.unsupported(fields, name, member.name_span),
            }
        }
        tests.dedup();
        let [name] = tests.as_slice() else {
            let message = match tests.as_slice() {
                [] => "A choice rule must have a comparison operator".to_owned(),
                several => {
                    format!("A choice rule must have exactly one operator, but has [{}]", several.join(", "))
                }
            };
            self.report.schema(fields.at(), fields.own_span(), message);
            return None;
        };
        match *name {
            "And" => self.members(fields, "And").map(Condition::And),
            "Or" => self.members(fields, "Or").map(Condition::Or),
            "Not" => {
                let inner = self.object(fields, "Not")?;
                self.condition(&inner, Level::Inner).map(|inner| Condition::Not(Box::new(inner)))
            }
            name => self.test(fields, name),
        }
    }

    fn members(&mut self, fields: &Fields<'_>, name: &str) -> Option<Vec<Condition>> {
        let members = self.objects(fields, name);
        if fields.get(name).and_then(|node| node.as_array()).is_some_and(<[_]>::is_empty) {
            self.report.schema(fields.at_field(name), fields.span(name), "Value cannot be empty");
        }
        let conditions: Vec<Option<Condition>> =
            members.iter().map(|member| self.condition(member, Level::Inner)).collect();
        conditions.into_iter().collect()
    }

    fn test(&mut self, fields: &Fields<'_>, name: &str) -> Option<Condition> {
        self.require(fields, &["Variable"]);
        let variable = self.path(fields, "Variable");
        let test = match operator(name)? {
            Operator::Compare(comparison, true) => {
                self.path(fields, name).map(|path| Test::Compare(comparison, Comparand::Path(path)))
            }
            Operator::Compare(comparison, false) => {
                let literal = self.comparand(fields, name, comparison.kind);
                literal.map(|literal| Test::Compare(comparison, Comparand::Literal(literal)))
            }
            Operator::Matches => self.string(fields, name).map(|text| Test::Matches(Pattern::parse(&text))),
            Operator::Is(None) => self.boolean(fields, name).map(Test::IsPresent),
            Operator::Is(Some(kind)) => self.boolean(fields, name).map(|expected| Test::Is(kind, expected)),
        };
        Some(Condition::Test { variable: variable?, test: test? })
    }

    /// The literal right-hand side, of the type that the operator compares.
    fn comparand(&mut self, fields: &Fields<'_>, name: &str, kind: Kind) -> Option<Value> {
        match kind {
            Kind::Boolean => self.boolean(fields, name).map(Value::Bool),
            Kind::Numeric => {
                let node = fields.get(name)?;
                if node.as_number().is_none() {
                    self.wrong_type(fields.at_field(name), node.span, "NUMBER");
                    return None;
                }
                Some(node.to_value())
            }
            Kind::Timestamp => {
                let text = self.string(fields, name)?;
                if Timestamp::parse_rfc3339(&text).is_none() {
                    let message = "String does not match RFC3339 timestamp";
                    self.report.schema(fields.at_field(name), fields.span(name), message);
                }
                Some(Value::String(text))
            }
            Kind::String | Kind::Null => {
                let text = self.string(fields, name)?;
                if text.starts_with("$.") && Path::parse(&text).is_ok() {
                    self.warn_about_missing_path(fields.get(name)?, fields.at_field(name), name);
                }
                Some(Value::String(text))
            }
        }
    }
}

fn operator(name: &str) -> Option<Operator> {
    let is = |kind| Some(Operator::Is(Some(kind)));
    match name {
        "StringMatches" => return Some(Operator::Matches),
        "IsPresent" => return Some(Operator::Is(None)),
        "IsNull" => return is(Kind::Null),
        "IsNumeric" => return is(Kind::Numeric),
        "IsString" => return is(Kind::String),
        "IsBoolean" => return is(Kind::Boolean),
        "IsTimestamp" => return is(Kind::Timestamp),
        _ => {}
    }
    let (name, is_path) = name.strip_suffix("Path").map_or((name, false), |name| (name, true));
    let kinds = [
        ("String", Kind::String),
        ("Numeric", Kind::Numeric),
        ("Timestamp", Kind::Timestamp),
        ("Boolean", Kind::Boolean),
    ];
    let (relation, kind) =
        kinds.iter().find_map(|(prefix, kind)| Some((name.strip_prefix(prefix)?, *kind)))?;
    let relation = match relation {
        "Equals" => Relation::Equals,
        _ if kind == Kind::Boolean => return None,
        "LessThan" => Relation::LessThan,
        "GreaterThan" => Relation::GreaterThan,
        "LessThanEquals" => Relation::LessThanEquals,
        "GreaterThanEquals" => Relation::GreaterThanEquals,
        _ => return None,
    };
    Some(Operator::Compare(Comparison { kind, relation }, is_path))
}
