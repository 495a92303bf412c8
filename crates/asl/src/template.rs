//! Payload templates: JSON in which keys that end in `.$` hold a path or an intrinsic function call, or, in states
//! whose query language is JSONata, in which strings in `{% %}` are expressions.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::environment::{Environment, StatesError};
use crate::intrinsic::Call;
use crate::json::{MAX_DEPTH, Node, NodeKind};
use crate::jsonata::{self, Allowed, Expression, ExpressionProblem, QueryFailure, Scope};
use crate::path::{Path, PathMiss};
use crate::value::{Object, Value};

/// What a template may make at most, in bytes of JSON text. AWS stops payloads at 256 KiB when they leave the state;
/// this bounds the memory for what is made before.
const RESULT_BYTES_MAX: usize = 16 << 20;

/// A compiled payload template: what is literal is one shared value, and only the rest is made anew.
#[derive(Debug)]
pub struct Template(Part);

#[derive(Debug)]
enum Part {
    Literal(Value),
    Object(Vec<(Arc<str>, Part)>),
    Array(Vec<Part>),
    /// The field's name with its `.$`, and what it holds.
    Expression(Arc<str>, ValueExpression),
    /// `{% … %}` in a JSONata state.
    Query(Expression),
}

/// What is known of a value before it is there.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// Nothing.
    Unknown,
    /// All of it.
    Value(Value),
    /// An object with just these members.
    Object(Arc<[(Arc<str>, Shape)]>),
}

/// What is wrong with one member of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateProblem {
    pub(crate) kind: TemplateProblemKind,
    pub(crate) span: crate::json::Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplateProblemKind {
    /// The value of this field, `.$` included, is neither a path nor a call. The reason is ours, not AWS's.
    NoExpression { field: Arc<str>, reason: String },
    /// The field is there with and without `.$`.
    Clash(Arc<str>),
    /// The expression in `{% %}` cannot be used.
    Query(ExpressionProblem),
}

impl Template {
    /// Compiles the template in `node`; every problem is reported to `problems`.
    pub(crate) fn compile(node: &Node, problems: &mut Vec<TemplateProblem>) -> Template {
        Template(Part::compile(node, problems))
    }

    /// Compiles the template of a JSONata state, whose expressions may refer to what is `allowed`.
    pub(crate) fn compile_query(
        node: &Node,
        allowed: Allowed,
        problems: &mut Vec<TemplateProblem>,
    ) -> Template {
        Template(Part::compile_query(node, allowed, problems))
    }

    /// The value that the template of a JSONata state stands for. `location` is the name of its field, as in `Output`.
    pub fn evaluate_query(&self, scope: &Scope<'_>, location: &str) -> Result<Value, QueryFailure> {
        let mut bytes_left = RESULT_BYTES_MAX;
        self.0.evaluate_query(scope, &mut location.to_owned(), MAX_DEPTH, &mut bytes_left)
    }

    /// The expression that is all of the template, if it is one.
    #[must_use]
    pub fn as_query(&self) -> Option<&Expression> {
        match &self.0 {
            Part::Query(expression) => Some(expression),
            _ => None,
        }
    }

    /// The failure that the template at `location` gave `value` where the type `expected` is needed.
    #[must_use]
    pub fn unexpected_type(&self, location: &str, expected: &str, value: &Value) -> QueryFailure {
        let expression = self.as_query().map_or("", Expression::text);
        QueryFailure::unexpected_type(expression, location, expected, value)
    }

    /// The value that the template of a JSONPath state stands for, made from `input` and the surroundings.
    pub fn evaluate(&self, input: &Value, env: &dyn Environment) -> Result<Value, StatesError> {
        let mut bytes_left = RESULT_BYTES_MAX;
        self.0.evaluate(input, env, MAX_DEPTH, &mut bytes_left)
    }

    /// The members of a template that is an object, as in `Assign`: names without `.$`.
    pub fn names(&self) -> Vec<Arc<str>> {
        match &self.0 {
            Part::Object(members) => members.iter().map(|(name, _)| name.clone()).collect(),
            Part::Literal(Value::Object(members)) => members.iter().map(|(name, _)| name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// What is known of the value that the template stands for.
    pub(crate) fn shape(&self) -> Shape {
        self.0.shape()
    }

    /// Every call of an intrinsic function in the template, calls in calls not included.
    pub(crate) fn calls(&self) -> Vec<&Call> {
        let mut calls = Vec::new();
        let mut open = vec![&self.0];
        while let Some(part) = open.pop() {
            match part {
                Part::Literal(_) | Part::Query(_) => {}
                Part::Object(members) => open.extend(members.iter().map(|(_, part)| part)),
                Part::Array(elements) => open.extend(elements),
                Part::Expression(_, expression) => calls.extend(expression.as_call()),
            }
        }
        calls
    }

    /// Whether anything in the template looks at the context object.
    #[must_use]
    pub fn reads_context(&self) -> bool {
        let mut open = vec![&self.0];
        while let Some(part) = open.pop() {
            match part {
                Part::Literal(_) => {}
                Part::Object(members) => open.extend(members.iter().map(|(_, part)| part)),
                Part::Array(elements) => open.extend(elements),
                Part::Expression(_, expression) => {
                    if expression.paths().iter().any(|path| path.is_context()) {
                        return true;
                    }
                }
                Part::Query(expression) => {
                    if expression.reads_context() {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// The variables that the template reads.
    pub fn variables(&self) -> Vec<Arc<str>> {
        let mut variables: Vec<Arc<str>> =
            self.paths().into_iter().filter_map(|p| p.variable().cloned()).collect();
        let mut open = vec![&self.0];
        while let Some(part) = open.pop() {
            match part {
                Part::Literal(_) | Part::Expression(..) => {}
                Part::Object(members) => open.extend(members.iter().map(|(_, part)| part)),
                Part::Array(elements) => open.extend(elements),
                Part::Query(expression) => variables.extend(expression.free_variables().iter().cloned()),
            }
        }
        variables
    }

    /// Every path in the template, those in calls included.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        let mut open = vec![&self.0];
        while let Some(part) = open.pop() {
            match part {
                Part::Literal(_) => {}
                Part::Object(members) => open.extend(members.iter().map(|(_, part)| part)),
                Part::Array(elements) => open.extend(elements),
                Part::Expression(_, expression) => paths.extend(expression.paths()),
                Part::Query(_) => {}
            }
        }
        paths
    }
}

impl Part {
    fn shape(&self) -> Shape {
        match self {
            Part::Literal(value) => Shape::Value(value.clone()),
            Part::Object(members) => {
                Shape::Object(members.iter().map(|(name, part)| (name.clone(), part.shape())).collect())
            }
            Part::Array(_) | Part::Expression(..) | Part::Query(_) => Shape::Unknown,
        }
    }

    fn compile(node: &Node, problems: &mut Vec<TemplateProblem>) -> Part {
        match &node.kind {
            NodeKind::Object(members) => {
                let mut parts: IndexMap<Arc<str>, Part> = IndexMap::with_capacity(members.len());
                for member in members {
                    let (name, part) = Part::compile_member(member, problems);
                    let clashes =
                        parts.get(&name).is_some_and(|old| old.is_expression() != part.is_expression());
                    if clashes {
                        let kind = TemplateProblemKind::Clash(name);
                        problems.push(TemplateProblem { kind, span: member.name_span });
                    } else {
                        // A name that is simply repeated follows JSON's own rule: the last one counts.
                        parts.insert(name, part);
                    }
                }
                if parts.values().all(Part::is_literal) {
                    let members = parts.into_iter().map(|(name, part)| (name, part.into_literal()));
                    return Part::Literal(members.collect::<Object>().into());
                }
                Part::Object(parts.into_iter().collect())
            }
            NodeKind::Array(elements) => {
                let parts: Vec<Part> = elements.iter().map(|e| Part::compile(e, problems)).collect();
                if parts.iter().all(Part::is_literal) {
                    return Part::Literal(
                        parts.into_iter().map(Part::into_literal).collect::<Vec<_>>().into(),
                    );
                }
                Part::Array(parts)
            }
            _ => Part::Literal(node.to_value()),
        }
    }

    fn compile_member(member: &crate::json::Member, problems: &mut Vec<TemplateProblem>) -> (Arc<str>, Part) {
        let Some(name) = member.name.strip_suffix(".$") else {
            return (member.name.clone(), Part::compile(&member.value, problems));
        };
        let result = match member.value.as_str() {
            Some(text) => ValueExpression::parse(text),
            None => Err("the value is not a string".into()),
        };
        let part = match result {
            Ok(expression) => Part::Expression(member.name.clone(), expression),
            Err(reason) => {
                let kind = TemplateProblemKind::NoExpression { field: member.name.clone(), reason };
                problems.push(TemplateProblem { kind, span: member.value.span });
                Part::Literal(Value::Null)
            }
        };
        (name.into(), part)
    }

    fn compile_query(node: &Node, allowed: Allowed, problems: &mut Vec<TemplateProblem>) -> Part {
        match &node.kind {
            NodeKind::Object(members) => {
                let parts: IndexMap<Arc<str>, Part> = members
                    .iter()
                    .map(|m| (m.name.clone(), Part::compile_query(&m.value, allowed, problems)))
                    .collect();
                if parts.values().all(Part::is_literal) {
                    let members = parts.into_iter().map(|(name, part)| (name, part.into_literal()));
                    return Part::Literal(members.collect::<Object>().into());
                }
                Part::Object(parts.into_iter().collect())
            }
            NodeKind::Array(elements) => {
                let parts: Vec<Part> =
                    elements.iter().map(|e| Part::compile_query(e, allowed, problems)).collect();
                if parts.iter().all(Part::is_literal) {
                    return Part::Literal(
                        parts.into_iter().map(Part::into_literal).collect::<Vec<_>>().into(),
                    );
                }
                Part::Array(parts)
            }
            NodeKind::String(text) => match jsonata::expression_in(text) {
                Some(inner) => Part::compile_expression(inner, node, allowed, problems),
                None if text.starts_with("{%") || text.ends_with("%}") => {
                    let message = "An expression starts with '{%' and ends with '%}'".to_owned();
                    let problem = ExpressionProblem { code: "INVALID_JSONATA_EXPRESSION", message };
                    problems
                        .push(TemplateProblem { kind: TemplateProblemKind::Query(problem), span: node.span });
                    Part::Literal(Value::Null)
                }
                None => Part::Literal(node.to_value()),
            },
            _ => Part::Literal(node.to_value()),
        }
    }

    fn compile_expression(
        text: &str,
        node: &Node,
        allowed: Allowed,
        problems: &mut Vec<TemplateProblem>,
    ) -> Part {
        match Expression::parse(text, allowed) {
            Ok(expression) => Part::Query(expression),
            Err(found) => {
                let found = found.into_iter().map(TemplateProblemKind::Query);
                problems.extend(found.map(|kind| TemplateProblem { kind, span: node.span }));
                Part::Literal(Value::Null)
            }
        }
    }

    fn evaluate_query(
        &self,
        scope: &Scope<'_>,
        location: &mut String,
        depth_left: usize,
        bytes_left: &mut usize,
    ) -> Result<Value, QueryFailure> {
        let inside = depth_left.saturating_sub(1);
        let start = location.len();
        match self {
            Part::Object(members) => {
                let mut object = Object::with_capacity(members.len());
                for (name, part) in members {
                    location.push('/');
                    location.push_str(name);
                    object.insert(name.clone(), part.evaluate_query(scope, location, inside, bytes_left)?);
                    location.truncate(start);
                }
                Ok(object.into())
            }
            Part::Array(parts) => {
                let mut elements = Vec::with_capacity(parts.len());
                for (i, part) in parts.iter().enumerate() {
                    location.push_str(&format!("[{i}]"));
                    elements.push(part.evaluate_query(scope, location, inside, bytes_left)?);
                    location.truncate(start);
                }
                Ok(elements.into())
            }
            Part::Query(expression) => {
                let value = expression.evaluate(scope, location)?;
                let fits = value.approximate_json_len(*bytes_left).and_then(|n| bytes_left.checked_sub(n));
                match fits.filter(|_| !value.is_nested_deeper_than(depth_left)) {
                    Some(left) => {
                        *bytes_left = left;
                        Ok(value)
                    }
                    None => Err(QueryFailure {
                        error: StatesError::too_large(),
                        location: Some(location.clone()),
                    }),
                }
            }
            Part::Literal(value) => Ok(value.clone()),
            // There are none in the template of a JSONata state.
            Part::Expression(..) => Ok(Value::Null),
        }
    }

    fn is_literal(&self) -> bool {
        matches!(self, Part::Literal(_))
    }

    fn is_expression(&self) -> bool {
        matches!(self, Part::Expression(..))
    }

    fn into_literal(self) -> Value {
        match self {
            Part::Literal(value) => value,
            _ => Value::Null,
        }
    }

    /// `depth_left` is how deep the result may be nested, `bytes_left` how much text the whole template may still make.
    fn evaluate(
        &self,
        input: &Value,
        env: &dyn Environment,
        depth_left: usize,
        bytes_left: &mut usize,
    ) -> Result<Value, StatesError> {
        let inside = depth_left.saturating_sub(1);
        match self {
            Part::Literal(value) => Ok(value.clone()),
            Part::Object(members) => {
                let mut object = Object::with_capacity(members.len());
                for (name, part) in members {
                    object.insert(name.clone(), part.evaluate(input, env, inside, bytes_left)?);
                }
                Ok(object.into())
            }
            Part::Array(parts) => {
                let elements: Result<Vec<Value>, StatesError> =
                    parts.iter().map(|part| part.evaluate(input, env, inside, bytes_left)).collect();
                Ok(elements?.into())
            }
            Part::Expression(field, expression) => {
                let value = expression.evaluate(field, input, env)?;
                if value.is_nested_deeper_than(depth_left) {
                    return Err(StatesError::too_deep());
                }
                let length = value.approximate_json_len(*bytes_left);
                *bytes_left =
                    length.and_then(|n| bytes_left.checked_sub(n)).ok_or_else(StatesError::too_large)?;
                Ok(value)
            }
            // There are none in the template of a JSONPath state.
            Part::Query(_) => Ok(Value::Null),
        }
    }
}

/// A path or an intrinsic function call, as fields that end in `.$` hold it.
#[derive(Debug)]
pub struct ValueExpression(PathOrCall);

#[derive(Debug)]
enum PathOrCall {
    Path(Path),
    Call(Call),
}

impl ValueExpression {
    /// Compiles `text`; the error says in our words why it is neither.
    pub fn parse(text: &str) -> Result<ValueExpression, String> {
        if text.starts_with('$') {
            Path::parse(text).map(|path| ValueExpression(PathOrCall::Path(path))).map_err(|e| e.to_string())
        } else {
            Call::parse(text).map(|call| ValueExpression(PathOrCall::Call(call))).map_err(|e| e.to_string())
        }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.0 {
            PathOrCall::Path(path) => path.text(),
            PathOrCall::Call(call) => call.text(),
        }
    }

    /// The call, if it is one.
    #[must_use]
    pub fn as_call(&self) -> Option<&Call> {
        match &self.0 {
            PathOrCall::Path(_) => None,
            PathOrCall::Call(call) => Some(call),
        }
    }

    /// Every path in it.
    pub fn paths(&self) -> Vec<&Path> {
        match &self.0 {
            PathOrCall::Path(path) => vec![path],
            PathOrCall::Call(call) => call.paths(),
        }
    }

    /// The value of the expression; `field` is the name that error texts give its field.
    pub fn evaluate(&self, field: &str, input: &Value, env: &dyn Environment) -> Result<Value, StatesError> {
        match &self.0 {
            PathOrCall::Path(path) => path.evaluate_directly(input, env).map_err(|_: PathMiss| {
                StatesError::runtime(format!(
                    "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
                    path.text(),
                    input.to_json()
                ))
            }),
            PathOrCall::Call(call) => call.evaluate(input, env),
        }
    }
}
