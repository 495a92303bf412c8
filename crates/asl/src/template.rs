//! Payload templates: JSON in which keys that end in `.$` hold a path or an intrinsic function call.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::environment::{Environment, StatesError};
use crate::intrinsic::Call;
use crate::json::{MAX_DEPTH, Node, NodeKind};
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
}

impl Template {
    /// Compiles the template in `node`; every problem is reported to `problems`.
    pub(crate) fn compile(node: &Node, problems: &mut Vec<TemplateProblem>) -> Template {
        Template(Part::compile(node, problems))
    }

    /// The value that the template stands for, made from `input` and the surroundings.
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
            }
        }
        paths
    }
}

impl Part {
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
        }
    }
}

/// A path or an intrinsic function call, as fields that end in `.$` hold it.
#[derive(Debug)]
pub struct ValueExpression(Expression);

#[derive(Debug)]
enum Expression {
    Path(Path),
    Call(Call),
}

impl ValueExpression {
    /// Compiles `text`; the error says in our words why it is neither.
    pub fn parse(text: &str) -> Result<ValueExpression, String> {
        if text.starts_with('$') {
            Path::parse(text).map(|path| ValueExpression(Expression::Path(path))).map_err(|e| e.to_string())
        } else {
            Call::parse(text).map(|call| ValueExpression(Expression::Call(call))).map_err(|e| e.to_string())
        }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.0 {
            Expression::Path(path) => path.text(),
            Expression::Call(call) => call.text(),
        }
    }

    /// The call, if it is one.
    #[must_use]
    pub fn as_call(&self) -> Option<&Call> {
        match &self.0 {
            Expression::Path(_) => None,
            Expression::Call(call) => Some(call),
        }
    }

    /// Every path in it.
    pub fn paths(&self) -> Vec<&Path> {
        match &self.0 {
            Expression::Path(path) => vec![path],
            Expression::Call(call) => call.paths(),
        }
    }

    /// The value of the expression; `field` is the name that error texts give its field.
    pub fn evaluate(&self, field: &str, input: &Value, env: &dyn Environment) -> Result<Value, StatesError> {
        match &self.0 {
            Expression::Path(path) => path.evaluate_directly(input, env).map_err(|_: PathMiss| {
                StatesError::runtime(format!(
                    "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
                    path.text(),
                    input.to_json()
                ))
            }),
            Expression::Call(call) => call.evaluate(input, env),
        }
    }
}
