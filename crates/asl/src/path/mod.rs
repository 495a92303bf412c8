//! JSONPath in the dialect that AWS uses (Jayway's), compiled once: reading with [`Path`], writing with
//! [`ReferencePath`].
//!
//! `parse` turns text into steps, `walk` follows them, `filter` holds the predicates in `[?( )]`, `function` the calls
//! such as `.length()`. A path of names and indexes alone takes a short cut that allocates nothing.

mod filter;
mod function;
mod parse;
mod reference;
mod walk;

use std::fmt;
use std::sync::Arc;

pub(crate) use parse::{continues_variable, starts_variable};
pub use reference::ReferencePath;

use crate::environment::Environment;
use crate::template::Shape;
use crate::value::Value;
use filter::Predicate;
use function::Call;

/// A compiled path: `$.a[0]`, `$$.Execution.Id`, `$variable.b`, `$..book[?(@.price < 10)].title`.
#[derive(Debug, Clone)]
pub struct Path {
    text: Arc<str>,
    root: Root,
    steps: Vec<Step>,
    definite: bool,
    /// Names and indexes only.
    plain: bool,
}

/// Where a path starts.
#[derive(Debug, Clone)]
enum Root {
    Input,
    Context,
    Variable(Arc<str>),
}

/// One step of a path.
#[derive(Debug, Clone)]
enum Step {
    /// `.a`, `['a']`
    Name(Arc<str>),
    /// `['a','b']`
    Names(Vec<Arc<str>>),
    /// `[3]`; counted from the end if negative.
    Index(i64),
    /// `[0,2]`
    Indexes(Vec<i64>),
    /// `[1:]`, `[-2:]`, `[0:2]`
    Slice(Option<i64>, Option<i64>),
    /// `.*`, `[*]`
    Wildcard,
    /// `[?( )]`
    Filter(Arc<Predicate>),
    /// `..` before another step: that step on every array and object below and including this one.
    Descent(Box<Step>),
    /// `.length()` and others.
    Function(Arc<Call>),
}

/// Why a path gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathMiss {
    reason: String,
    past_end: bool,
}

impl PathMiss {
    fn new(reason: impl Into<String>) -> PathMiss {
        PathMiss { reason: reason.into(), past_end: false }
    }

    /// `No results for path: $['a']` or `Missing property in path $['no']`, as AWS says it.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether the path ends in the index of an array and only this last index is too large (or too small). Used
    /// directly, AWS takes such a path as `null`.
    #[must_use]
    pub fn is_past_end(&self) -> bool {
        self.past_end
    }
}

impl fmt::Display for PathMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {position}")]
pub struct PathError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the text of the path.
    pub position: usize,
}

impl Path {
    /// Compiles `text`.
    pub fn parse(text: &str) -> Result<Path, PathError> {
        let (root, steps) = parse::parse(text)?;
        let definite = is_definite(&steps);
        let plain = steps.iter().all(|s| matches!(s, Step::Name(_) | Step::Index(_)));
        Ok(Path { text: text.into(), root, steps, definite, plain })
    }

    /// The path as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it can select at most one value; one that is not gives an array of what it selects.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        self.definite
    }

    /// Whether this is `$`.
    #[must_use]
    pub fn is_root(&self) -> bool {
        matches!(self.root, Root::Input) && self.steps.is_empty()
    }

    /// The variable that the path starts from.
    #[must_use]
    pub fn variable(&self) -> Option<&Arc<str>> {
        match &self.root {
            Root::Variable(name) => Some(name),
            _ => None,
        }
    }

    /// Whether the path starts from the context object, `$$`.
    #[must_use]
    pub fn is_context(&self) -> bool {
        matches!(self.root, Root::Context)
    }

    /// Whether the path consists of names and indexes from zero only.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        self.steps.iter().all(|s| matches!(s, Step::Name(_)) || matches!(s, Step::Index(i) if *i >= 0))
    }

    /// Whether the path asks for a member that a value of this shape cannot have.
    pub(crate) fn is_lost_in(&self, shape: &Shape) -> bool {
        if !self.plain || !matches!(self.root, Root::Input) {
            return false;
        }
        let mut names = self.steps.iter().map_while(|step| match step {
            Step::Name(name) => Some(name),
            _ => None,
        });
        let mut shape = shape;
        let mut value = loop {
            match shape {
                Shape::Unknown => return false,
                Shape::Value(value) => break value,
                Shape::Object(members) => {
                    let Some(name) = names.next() else { return false };
                    match members.iter().find(|(member, _)| member == name) {
                        Some((_, inner)) => shape = inner,
                        None => return true,
                    }
                }
            }
        };
        for name in names {
            match value {
                Value::Object(members) => match members.get(name) {
                    Some(inner) => value = inner,
                    None => return true,
                },
                // How a list answers to a name is the list's business.
                _ => return false,
            }
        }
        false
    }

    /// What the path selects: the value of a definite path, the array of all selected values of another one.
    pub fn evaluate(&self, input: &Value, env: &dyn Environment) -> Result<Value, PathMiss> {
        let root = self.root(input, env).ok_or_else(|| self.no_results())?;
        if self.plain {
            return match walk::follow(&self.steps, root) {
                Some(found) => Ok(found.clone()),
                None => Err(self.explain(root)),
            };
        }
        walk::select(self, root, env)
    }

    /// The one value that a path of names and indexes selects, without cloning it. For other paths see
    /// [`Path::evaluate`].
    #[must_use]
    pub fn find<'v>(&self, input: &'v Value, env: &'v dyn Environment) -> Option<&'v Value> {
        self.root(input, env).filter(|_| self.plain).and_then(|root| walk::follow(&self.steps, root))
    }

    /// As [`Path::evaluate`], but `null` where only the last index is past the end of its array.
    pub fn evaluate_directly(&self, input: &Value, env: &dyn Environment) -> Result<Value, PathMiss> {
        self.evaluate(input, env).or_else(|miss| if miss.past_end { Ok(Value::Null) } else { Err(miss) })
    }

    fn root<'v>(&self, input: &'v Value, env: &'v dyn Environment) -> Option<&'v Value> {
        match &self.root {
            Root::Input => Some(input),
            Root::Context => Some(env.context()),
            Root::Variable(name) => env.variable(name),
        }
    }

    /// Why a plain path leads nowhere from `root`.
    fn explain(&self, root: &Value) -> PathMiss {
        let mut value = root;
        for (i, step) in self.steps.iter().enumerate() {
            let is_last = i + 1 == self.steps.len();
            match walk::follow(std::slice::from_ref(step), value) {
                Some(next) => value = next,
                None => return walk::missing(&self.root, &self.steps, i, value, is_last),
            }
        }
        self.no_results()
    }

    fn no_results(&self) -> PathMiss {
        PathMiss::new(format!("No results for path: {}", Canonical(&self.root, &self.steps)))
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        self.text == other.text
    }
}

fn is_definite(steps: &[Step]) -> bool {
    steps.iter().enumerate().all(|(i, step)| match step {
        Step::Name(_) | Step::Index(_) | Step::Function(_) => true,
        // At the end several names make one object.
        Step::Names(_) => i + 1 == steps.len(),
        _ => false,
    })
}

/// The normal form of a path, which error texts show: `$['a'][0]`.
struct Canonical<'a>(&'a Root, &'a [Step]);

impl fmt::Display for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Root::Input => f.write_str("$")?,
            Root::Context => f.write_str("$$")?,
            Root::Variable(name) => write!(f, "${name}")?,
        }
        self.1.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |b: &Option<i64>| b.map_or(String::new(), |n| n.to_string());
        match self {
            Step::Name(name) => write!(f, "['{name}']"),
            Step::Names(names) => {
                let quoted: Vec<String> = names.iter().map(|n| format!("'{n}'")).collect();
                write!(f, "[{}]", quoted.join(","))
            }
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Indexes(indexes) => {
                let listed: Vec<String> = indexes.iter().map(i64::to_string).collect();
                write!(f, "[{}]", listed.join(","))
            }
            Step::Slice(from, to) => write!(f, "[{}:{}]", bound(from), bound(to)),
            Step::Wildcard => f.write_str("[*]"),
            Step::Filter(_) => f.write_str("[?]"),
            Step::Descent(step) => write!(f, "..{step}"),
            Step::Function(call) => write!(f, ".{}()", call.name()),
        }
    }
}
