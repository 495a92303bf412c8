//! Conditions and rules: the functions that give booleans.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Evaluator, NoResources, Pseudo, Scope, scalar_text};
use crate::limits::NESTING_MAX;
use crate::problem::Problem;
use crate::template::{Node, Template};

/// Evaluates the `Conditions` section.
///
/// Errors: all problems: unknown functions and names, conditions that refer to each other in a circle.
pub fn conditions(
    template: &Template,
    pseudo: &Pseudo,
    parameters: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, bool>, Vec<Problem>> {
    let mut known = BTreeMap::new();
    let mut problems = Vec::new();
    // A condition is evaluated once those it names are; each round that knows more is followed by another.
    let mut waiting: Vec<(&String, &Node, Vec<&str>)> = Vec::new();
    for (name, node) in &template.conditions {
        let mut named = Vec::new();
        condition_names(node, &mut named);
        waiting.push((name, node, named));
    }
    loop {
        let before = waiting.len();
        waiting.retain(|(name, node, named)| {
            let ready = named
                .iter()
                .all(|other| known.contains_key(*other) || !template.conditions.contains_key(*other));
            if !ready {
                return true;
            }
            let no_exports = BTreeMap::new();
            let scope = Scope {
                template,
                pseudo,
                parameters,
                conditions: &known,
                resources: &NoResources,
                exports: &no_exports,
            };
            match Evaluator::new(scope, &format!("Conditions/{name}")).boolean(node) {
                Ok(value) => {
                    known.insert((*name).clone(), value);
                }
                Err(problem) => {
                    problems.push(problem);
                    known.insert((*name).clone(), false);
                }
            }
            false
        });
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    if !waiting.is_empty() {
        let names: Vec<&str> = waiting.iter().map(|(name, ..)| name.as_str()).collect();
        let message = format!("Circular dependency between conditions: [{}]", names.join(", "));
        let mut problem = Problem::new(message, format!("Conditions/{}", names[0]), waiting[0].1.line);
        template.locate(&mut problem);
        problems.push(problem);
    }
    if problems.is_empty() { Ok(known) } else { Err(problems) }
}

/// Evaluates the assertions of `Rules`.
///
/// Errors: every assertion that does not hold, with its description.
pub fn check_rules(scope: Scope<'_>) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for (name, rule) in &scope.template.rules {
        let place = format!("Rules/{name}");
        let applies = match &rule.condition {
            None => Ok(true),
            Some(condition) => Evaluator::new(scope, &format!("{place}/RuleCondition")).boolean(condition),
        };
        match applies {
            Ok(true) => {}
            Ok(false) => continue,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        }
        for (index, (assertion, description)) in rule.assertions.iter().enumerate() {
            let place = format!("{place}/Assertions/{index}/Assert");
            match Evaluator::new(scope, &place).boolean(assertion) {
                Ok(true) => {}
                Ok(false) => {
                    let description = description.as_deref().unwrap_or("Assertion does not hold");
                    let message = format!("Template validation error: Rule {name} failed: {description}");
                    problems.push(Problem::new(message, place, assertion.line));
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Names of the conditions that `node` refers to. Its nesting is bounded by the parser.
fn condition_names<'n>(node: &'n Node, names: &mut Vec<&'n str>) {
    if let Some(members) = node.as_map() {
        for (key, member) in members {
            match (key.as_str(), member.as_text()) {
                ("Condition", Some(name)) => names.push(name),
                _ => condition_names(member, names),
            }
        }
    }
    for item in node.as_list().unwrap_or_default() {
        condition_names(item, names);
    }
    if let Some(("Fn::If", argument)) = node.as_function()
        && let Some(name) = argument.as_list().and_then(|items| items.first()).and_then(Node::as_text)
    {
        names.push(name);
    }
}

impl Evaluator<'_> {
    /// The truth of a condition expression.
    ///
    /// Errors: the first problem, with its place.
    pub fn boolean(&mut self, node: &Node) -> Result<bool, Problem> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(
                self.problem(node, format!("Template error: nested deeper than {NESTING_MAX} levels"))
            );
        }
        let single = node.as_map().filter(|members| members.len() == 1).and_then(|members| members.first());
        let truth = match single {
            Some((key, argument)) if key == "Condition" => match argument.as_text() {
                Some(name) => self.named_condition(node, name),
                None => Err(self.problem(node, "Template format error: a condition's name must be a string")),
            },
            Some((key, argument)) => self.within(key, |this| this.boolean_function(node, key, argument)),
            None => match node.scalar_text().as_deref() {
                Some("true") => Ok(true),
                Some("false") => Ok(false),
                _ => Err(self.problem(node, "Template format error: a condition function is expected here")),
            },
        }?;
        self.depth -= 1;
        Ok(truth)
    }

    pub(super) fn named_condition(&self, node: &Node, name: &str) -> Result<bool, Problem> {
        self.scope.conditions.get(name).copied().ok_or_else(|| {
            let message = format!("Template format error: Unresolved condition dependency {name}");
            self.problem(node, message)
        })
    }

    pub(super) fn boolean_function(
        &mut self,
        node: &Node,
        name: &str,
        argument: &Node,
    ) -> Result<bool, Problem> {
        match name {
            "Fn::Equals" => match argument.as_list() {
                Some([left, right]) => {
                    let left = self.within("0", |this| this.value(left))?;
                    let right = self.within("1", |this| this.value(right))?;
                    Ok(match (left.as_ref().and_then(scalar_text), right.as_ref().and_then(scalar_text)) {
                        (Some(left), Some(right)) => left == right,
                        _ => left == right,
                    })
                }
                _ => {
                    let message =
                        "Template error: every Fn::Equals object requires a list of 2 string parameters.";
                    Err(self.problem(node, message))
                }
            },
            "Fn::Not" => match argument.as_list() {
                Some([inner]) => Ok(!self.within("0", |this| this.boolean(inner))?),
                _ => Err(self
                    .problem(node, "Template error: every Fn::Not object requires one boolean parameter.")),
            },
            "Fn::And" | "Fn::Or" => match argument.as_list() {
                Some(items) if (2..=10).contains(&items.len()) => self.all_or_any(name, items),
                _ => {
                    let message = format!(
                        "Template error: every {name} object requires a list of at least 2 and at most 10 boolean \
                         parameters."
                    );
                    Err(self.problem(node, message))
                }
            },
            "Fn::Contains" => self.contains(node, argument),
            "Fn::EachMemberEquals" | "Fn::EachMemberIn" => self.each_member(node, name, argument),
            "Fn::If" | "Fn::FindInMap" | "Ref" | "Fn::Select" => {
                let value = self.function(node, name, argument)?;
                match value.as_ref().and_then(scalar_text).as_deref() {
                    Some("true") => Ok(true),
                    Some("false") => Ok(false),
                    _ => Err(self.problem(node, "Template error: a boolean is expected here")),
                }
            }
            other => {
                let message = format!(
                    "Template error: Encountered unsupported condition function: {other} Supported functions are: \
                     [Fn::And, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::Equals, Fn::Not, Fn::Or]"
                );
                Err(self.problem(node, message))
            }
        }
    }

    /// All operands are evaluated, so that a problem in a later one is not hidden by an earlier result.
    fn all_or_any(&mut self, name: &str, items: &[Node]) -> Result<bool, Problem> {
        let mut results = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            results.push(self.within(&index.to_string(), |this| this.boolean(item))?);
        }
        Ok(if name == "Fn::And" { results.into_iter().all(|r| r) } else { results.into_iter().any(|r| r) })
    }

    fn contains(&mut self, node: &Node, argument: &Node) -> Result<bool, Problem> {
        let malformed = "Template error: every Fn::Contains object requires a list of strings and a string";
        let Some([list, sought]) = argument.as_list() else { return Err(self.problem(node, malformed)) };
        let Some(Value::Array(values)) = self.within("0", |this| this.value(list))? else {
            return Err(self.problem(node, malformed));
        };
        let sought = self.within("1", |this| this.text(sought))?;
        Ok(values.iter().filter_map(scalar_text).any(|value| value == sought))
    }

    fn each_member(&mut self, node: &Node, name: &str, argument: &Node) -> Result<bool, Problem> {
        let malformed =
            format!("Template error: every {name} object requires two parameters, the first a list");
        let Some([list, other]) = argument.as_list() else { return Err(self.problem(node, malformed)) };
        let Some(Value::Array(members)) = self.within("0", |this| this.value(list))? else {
            return Err(self.problem(node, malformed));
        };
        let allowed = match self.within("1", |this| this.value(other))? {
            Some(Value::Array(values)) if name == "Fn::EachMemberIn" => values,
            Some(value) if name == "Fn::EachMemberEquals" => vec![value],
            _ => return Err(self.problem(node, malformed)),
        };
        let allowed: Vec<String> = allowed.iter().filter_map(scalar_text).collect();
        Ok(members.iter().all(|member| scalar_text(member).is_some_and(|text| allowed.contains(&text))))
    }
}
