//! What an expression refers to, and the changes that make it safe to run.

use std::collections::BTreeSet;
use std::sync::Arc;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

use super::bound::measure;
use super::{Allowed, ExpressionProblem};

/// The variable that holds the time of the evaluation.
pub(super) const MILLIS: &str = "!millis";
/// Our `$join`, which cannot be overridden under its own name.
pub(super) const BOUNDED_JOIN: &str = "boundedJoin";
/// Our `$replace` for texts; the library's own stays for functions as replacement.
pub(super) const BOUNDED_REPLACE: &str = "boundedReplace";

/// What was found out about an expression.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// Variables that it reads and does not bind, sorted.
    pub(super) free_variables: Vec<Arc<str>>,
    /// All variables that it reads.
    pub(super) variables: Vec<Arc<str>>,
    /// The members of `$states` that it reads.
    pub(super) states_members: BTreeSet<String>,
    /// Whether it uses `$states` as a whole.
    pub(super) whole_states: bool,
    /// Whether it needs random numbers.
    pub(super) needs_entropy: bool,
    /// Whether it needs the time.
    pub(super) needs_time: bool,
    /// `$a.b.c` and nothing else: the names, the variable's first.
    pub(super) plain_path: Option<Vec<Arc<str>>>,
    has_parent_variable: bool,
}

impl Analysis {
    /// What AWS refuses in an expression of a field that may refer to what is `allowed`.
    pub(super) fn problems(&self, allowed: Allowed) -> Vec<ExpressionProblem> {
        let mut problems = Vec::new();
        if self.has_parent_variable {
            problems.push(ExpressionProblem::unsupported("Reference to '$$' is not supported.".into()));
        }
        for member in &self.states_members {
            let known = match member.as_str() {
                "input" | "context" => true,
                "result" => allowed.result,
                "errorOutput" => allowed.error_output,
                _ => false,
            };
            if !known {
                let message = format!("Field '$states.{member}' does not exist.");
                problems.push(ExpressionProblem::unsupported(message));
            }
        }
        problems
    }

    /// Whether the expression may read this member of `$states`.
    pub(super) fn reads(&self, member: &str) -> bool {
        self.whole_states || self.states_members.contains(member)
    }
}

/// Looks at the whole tree and changes in it what the library would do without bounds or with its own clock.
pub(super) fn analyze(tree: &mut AstNode) -> Analysis {
    let mut analysis = Analysis { plain_path: plain_path(tree), ..Analysis::default() };
    let mut read: BTreeSet<String> = BTreeSet::new();
    let mut bound: BTreeSet<String> = BTreeSet::new();
    let mut open = vec![&mut *tree];
    while let Some(node) = open.pop() {
        replace_calls(node, &mut analysis);
        measure(node);
        match node {
            AstNode::ParentVariable(_) => analysis.has_parent_variable = true,
            AstNode::Variable(name) if name == "states" => analysis.whole_states = true,
            AstNode::Variable(name) => {
                read.insert(name.clone());
            }
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => {
                if let AstNode::Variable(name) = &**lhs {
                    bound.insert(name.clone());
                }
                open.push(rhs);
            }
            AstNode::Lambda { params, body, .. } => {
                bound.extend(params.iter().cloned());
                open.push(body);
            }
            AstNode::Path { steps } => path(steps, &mut analysis, &mut bound, &mut open),
            other => open.extend(children(other)),
        }
    }
    read.remove("");
    read.remove(MILLIS);
    let share = |names: Vec<&String>| names.into_iter().map(|name| name.as_str().into()).collect();
    analysis.free_variables = share(read.difference(&bound).collect());
    analysis.variables = share(read.iter().collect());
    analysis
}

fn path<'t>(
    steps: &'t mut [PathStep],
    analysis: &mut Analysis,
    bound: &mut BTreeSet<String>,
    open: &mut Vec<&'t mut AstNode>,
) {
    let member = match steps {
        [first, second, ..] if matches!(&first.node, AstNode::Variable(name) if name == "states") => {
            match &second.node {
                AstNode::Name(member) if first.stages.is_empty() => Some(member.clone()),
                _ => None,
            }
        }
        _ => None,
    };
    let skipped = usize::from(member.is_some());
    analysis.states_members.extend(member);
    for (i, step) in steps.iter_mut().enumerate() {
        bound.extend(step.focus.clone());
        bound.extend(step.index_var.clone());
        for stage in &mut step.stages {
            match stage {
                Stage::Filter(filter) => open.push(filter),
                Stage::Index(name) => {
                    bound.insert(name.clone());
                }
                Stage::KeepArray => {}
            }
        }
        if i >= skipped {
            open.push(&mut step.node);
        }
    }
}

/// The parts of a node that need no special treatment.
fn children(node: &mut AstNode) -> Vec<&mut AstNode> {
    match node {
        AstNode::Binary { lhs, rhs, .. } => vec![lhs, rhs],
        AstNode::Unary { operand, .. } => vec![operand],
        AstNode::Function { args, .. } => args.iter_mut().collect(),
        AstNode::Call { procedure, args } => {
            let mut parts = vec![&mut **procedure];
            parts.extend(args);
            parts
        }
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => {
            items.iter_mut().collect()
        }
        AstNode::Object(pairs) => pairs.iter_mut().flat_map(|(key, value)| [key, value]).collect(),
        AstNode::ObjectTransform { input, pattern } => {
            let mut parts = vec![&mut **input];
            parts.extend(pattern.iter_mut().flat_map(|(key, value)| [key, value]));
            parts
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            let mut parts = vec![&mut **condition, then_branch];
            parts.extend(else_branch.as_deref_mut());
            parts
        }
        AstNode::FunctionApplication(inner) => vec![inner],
        AstNode::Sort { input, terms } => {
            let mut parts = vec![&mut **input];
            parts.extend(terms.iter_mut().map(|(term, _)| term));
            parts
        }
        AstNode::Transform { location, update, delete } => {
            let mut parts = vec![&mut **location, update];
            parts.extend(delete.as_deref_mut());
            parts
        }
        _ => Vec::new(),
    }
}

/// `$now()` and `$millis()` get the time that comes in as data; `$join` and `$replace` get bounds.
fn replace_calls(node: &mut AstNode, analysis: &mut Analysis) {
    match node {
        AstNode::Function { name, args, .. } => match name.as_str() {
            "millis" if args.is_empty() => {
                analysis.needs_time = true;
                *node = AstNode::Variable(MILLIS.into());
            }
            "now" => {
                analysis.needs_time = true;
                *name = "fromMillis".into();
                args.insert(0, AstNode::Variable(MILLIS.into()));
            }
            "random" | "uuid" | "shuffle" => analysis.needs_entropy = true,
            "join" => *name = BOUNDED_JOIN.into(),
            "replace" if args.last().is_some_and(is_data) => *name = BOUNDED_REPLACE.into(),
            _ => {}
        },
        // A function passed on by its name.
        AstNode::Variable(name) if matches!(name.as_str(), "random" | "uuid" | "shuffle") => {
            analysis.needs_entropy = true;
        }
        AstNode::Variable(name) if name == "join" => *node = lambda(BOUNDED_JOIN, &["a", "b"]),
        AstNode::Variable(name) if name == "now" || name == "millis" => {
            analysis.needs_time = true;
            let time = AstNode::Variable(MILLIS.into());
            let body = if name == "now" {
                AstNode::Function { name: "fromMillis".into(), args: vec![time], is_builtin: true }
            } else {
                time
            };
            *node =
                AstNode::Lambda { params: Vec::new(), body: Box::new(body), signature: None, thunk: false };
        }
        _ => {}
    }
}

/// Whether a node can only give data and never a function.
fn is_data(node: &AstNode) -> bool {
    match node {
        AstNode::String(_) | AstNode::Number(_) => true,
        AstNode::Path { steps } => {
            matches!(steps.first().map(|s| &s.node), Some(AstNode::Variable(name)) if name == "states")
        }
        AstNode::Binary { op: BinaryOp::Concatenate, .. } => true,
        _ => false,
    }
}

/// A function that calls `name` with its parameters.
fn lambda(name: &str, params: &[&str]) -> AstNode {
    let params: Vec<String> = params.iter().map(|p| (*p).to_owned()).collect();
    let args = params.iter().cloned().map(AstNode::Variable).collect();
    let body = AstNode::Function { name: name.into(), args, is_builtin: true };
    AstNode::Lambda { params, body: Box::new(body), signature: None, thunk: false }
}

fn plain_path(tree: &AstNode) -> Option<Vec<Arc<str>>> {
    match tree {
        AstNode::Variable(name) if !name.is_empty() => Some(vec![name.as_str().into()]),
        AstNode::Path { steps } => {
            let name_of = |(i, step): (usize, &PathStep)| {
                let bare = step.stages.is_empty() && step.focus.is_none() && step.index_var.is_none();
                match &step.node {
                    AstNode::Variable(name) if i == 0 && bare && !name.is_empty() => {
                        Some(name.as_str().into())
                    }
                    AstNode::Name(name) if i > 0 && bare => Some(name.as_str().into()),
                    _ => None,
                }
            };
            steps.iter().enumerate().map(name_of).collect()
        }
        _ => None,
    }
}
