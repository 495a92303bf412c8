//! References between resources, and the order that follows from them.

use std::collections::{BTreeMap, BTreeSet};

use crate::intrinsics::sub::{Piece, pieces};
use crate::problem::Problem;
use crate::template::{Node, Template};

/// A mention of a resource, parameter or pseudo parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The name, before the dot in `Fn::Sub` and `Fn::GetAtt`.
    pub name: String,
    /// The attribute of a `Fn::GetAtt`; `None` for `Ref`.
    pub attribute: Option<String>,
    /// Line of the mention, 0 where unknown.
    pub line: u32,
}

/// All references in `node`; of an `Fn::If` only those of the branch that is taken.
pub fn references(node: &Node, conditions: &BTreeMap<String, bool>, found: &mut Vec<Reference>) {
    let mut add = |name: &str, attribute: Option<&str>| {
        found.push(Reference {
            name: name.to_owned(),
            attribute: attribute.map(str::to_owned),
            line: node.line,
        });
    };
    match node.as_function() {
        Some(("Ref", argument)) => {
            if let Some(name) = argument.as_text() {
                add(name, None);
            }
            return;
        }
        Some(("Fn::GetAtt", argument)) => {
            if let Some((name, attribute)) = argument.as_text().and_then(|text| text.split_once('.')) {
                add(name, Some(attribute));
            }
            if let Some([name, attribute]) = argument.as_list() {
                if let Some(name) = name.as_text() {
                    add(name, attribute.as_text());
                }
                references(attribute, conditions, found);
            }
            return;
        }
        Some(("Fn::Sub", argument)) => {
            substitutions(node, argument, conditions, found);
            return;
        }
        Some(("Fn::If", argument)) => {
            if let Some([condition, then, otherwise]) = argument.as_list()
                && let Some(holds) = condition.as_text().and_then(|name| conditions.get(name))
            {
                references(if *holds { then } else { otherwise }, conditions, found);
                return;
            }
        }
        _ => {}
    }
    for item in node.as_list().unwrap_or_default() {
        references(item, conditions, found);
    }
    for member in node.as_map().into_iter().flat_map(|members| members.values()) {
        references(member, conditions, found);
    }
}

fn substitutions(
    node: &Node,
    argument: &Node,
    conditions: &BTreeMap<String, bool>,
    found: &mut Vec<Reference>,
) {
    let (text, variables) = match argument.as_list() {
        Some(items) => (items.first().and_then(Node::as_text), items.get(1)),
        None => (argument.as_text(), None),
    };
    for piece in text.and_then(|text| pieces(text).ok()).unwrap_or_default() {
        let Piece::Variable(variable) = piece else { continue };
        if variables.is_some_and(|map| map.get(variable).is_some()) {
            continue;
        }
        let (name, attribute) = match variable.split_once('.') {
            Some((name, attribute)) => (name, Some(attribute.to_owned())),
            None => (variable, None),
        };
        found.push(Reference { name: name.to_owned(), attribute, line: node.line });
    }
    if let Some(variables) = variables {
        references(variables, conditions, found);
    }
}

/// What each resource needs first, by logical id.
pub type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// The resources in `active`, each after those it needs; among the possible ones, the order of `active`.
///
/// Errors: a circle, naming its members.
pub fn order(template: &Template, active: &[String], needs: &Dependencies) -> Result<Vec<String>, Problem> {
    sort(active, needs).map_err(|members| {
        let message = format!("Circular dependency between resources: [{}]", members.join(", "));
        let first = members.first().map_or("", String::as_str);
        let line = template.resources.get(first).map_or(0, |decl| decl.line);
        let mut problem = Problem::new(message, format!("Resources/{first}"), line);
        template.locate(&mut problem);
        problem
    })
}

/// As [`order`]; the error is the members of a circle.
pub fn sort(active: &[String], needs: &Dependencies) -> Result<Vec<String>, Vec<String>> {
    let position: BTreeMap<&str, usize> =
        active.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut missing: Vec<usize> = vec![0; active.len()];
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); active.len()];
    for (index, name) in active.iter().enumerate() {
        for need in needs.get(name).into_iter().flatten() {
            if let Some(&needed) = position.get(need.as_str()) {
                missing[index] += 1;
                needed_by[needed].push(index);
            }
        }
    }
    let mut ready: BTreeSet<usize> = (0..active.len()).filter(|index| missing[*index] == 0).collect();
    let mut ordered = Vec::with_capacity(active.len());
    while let Some(index) = ready.pop_first() {
        ordered.push(active[index].clone());
        for &dependent in &needed_by[index] {
            missing[dependent] -= 1;
            if missing[dependent] == 0 {
                ready.insert(dependent);
            }
        }
    }
    if ordered.len() == active.len() { Ok(ordered) } else { Err(circle(active, &missing, &position, needs)) }
}

/// One circle among the resources that wait for ever: follow an unmet need until a resource comes a second time.
fn circle(
    active: &[String],
    missing: &[usize],
    position: &BTreeMap<&str, usize>,
    needs: &Dependencies,
) -> Vec<String> {
    let mut path: Vec<usize> = Vec::new();
    let mut at = missing.iter().position(|count| *count > 0).unwrap_or(0);
    loop {
        if let Some(start) = path.iter().position(|index| *index == at) {
            return path[start..].iter().map(|index| active[*index].clone()).collect();
        }
        path.push(at);
        // Whoever still waits has a need that still waits, so the path always goes on.
        let next = needs.get(&active[at]).into_iter().flatten().find_map(|need| {
            let index = *position.get(need.as_str())?;
            (missing[index] > 0).then_some(index)
        });
        match next {
            Some(next) => at = next,
            None => return path.iter().map(|index| active[*index].clone()).collect(),
        }
    }
}
