//! JSON with positions: the tree that a definition is compiled from.

use std::sync::Arc;

use super::MAX_DEFINITION_DEPTH;
use super::error::JsonError;
use super::reader::{Event, Reader};
use crate::value::{Number, Object, Value};

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The bytes of the value, quotes and brackets included.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// The kinds of [`Node`].
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Arc<str>),
    /// An array.
    Array(Vec<Node>),
    /// An object: every member in the order of the text, repeated names included.
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// The bytes of the name with its quotes.
    pub name_span: Span,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The member `name` of an object; the last one where the name is repeated.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.member(name).map(|m| &m.value)
    }

    /// The member `name` with its own place.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().rev().find(|m| &*m.name == name)
    }

    /// All members; none where this is no object.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            NodeKind::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&Arc<str>> {
        match &self.kind {
            NodeKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            NodeKind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self.kind, NodeKind::Object(_))
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Null)
    }

    /// The value without its places.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(b) => Value::Bool(*b),
            NodeKind::Number(n) => Value::Number(n.clone()),
            NodeKind::String(s) => Value::String(s.clone()),
            NodeKind::Array(elements) => elements.iter().map(Node::to_value).collect::<Vec<_>>().into(),
            NodeKind::Object(members) => {
                members.iter().map(|m| (m.name.clone(), m.value.to_value())).collect::<Object>().into()
            }
        }
    }
}

/// Reads one JSON value with nothing but blanks around it, keeping all places. As it is for definitions, it allows
/// less nesting than [`super::parse`]: [`MAX_DEFINITION_DEPTH`].
pub fn parse_spanned(text: &str) -> Result<Node, JsonError> {
    enum Open {
        Array(Vec<Node>),
        Object(Vec<Member>, Option<(Arc<str>, Span)>),
    }
    let mut reader = Reader::new(text, MAX_DEFINITION_DEPTH);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let read = reader.next_event()?;
        let kind = match read.event {
            Event::BeginArray => {
                open.push(Open::Array(Vec::new()));
                continue;
            }
            Event::BeginObject => {
                open.push(Open::Object(Vec::new(), None));
                continue;
            }
            Event::Name(text) => {
                if let Some(Open::Object(_, name)) = open.last_mut() {
                    *name = Some((text.into(), read.span));
                }
                continue;
            }
            Event::End => match open.pop() {
                Some(Open::Array(elements)) => NodeKind::Array(elements),
                Some(Open::Object(members, _)) => NodeKind::Object(members),
                None => unreachable!("the reader ends only what it began"),
            },
            Event::Scalar(Value::Bool(b)) => NodeKind::Bool(b),
            Event::Scalar(Value::Number(n)) => NodeKind::Number(n),
            Event::Scalar(Value::String(s)) => NodeKind::String(s),
            Event::Scalar(_) => NodeKind::Null,
        };
        let node = Node { span: read.span, kind };
        match open.last_mut() {
            None => {
                reader.finish()?;
                return Ok(node);
            }
            Some(Open::Array(elements)) => elements.push(node),
            Some(Open::Object(members, name)) => {
                let (name, name_span) =
                    name.take().expect("the reader gives a name before each member's value");
                members.push(Member { name, name_span, value: node });
            }
        }
    }
}
