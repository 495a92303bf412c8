//! JSON text in, values out: our own reader, because number texts, member order, positions and AWS's error texts must
//! all be exact.
//!
//! [`parse`] gives a [`Value`]; [`parse_spanned`] gives a tree that remembers where everything stood, for definitions.
//! Both are built by one reader without recursion, so the depth of a document costs no stack. Writing is the business
//! of [`Value::to_json`].

mod error;
mod reader;
mod spanned;

use std::sync::Arc;

pub use error::{JsonError, LineColumn};
pub use spanned::{Member, Node, NodeKind, Span, parse_spanned};

use crate::value::{Object, Value};
use reader::{Event, Reader};

/// How deeply arrays and objects may be nested in a document that is read or made.
pub const MAX_DEPTH: usize = 1000;

/// How deeply arrays and objects may be nested in a definition, which is compiled by recursion.
pub const MAX_DEFINITION_DEPTH: usize = 300;

/// Reads one JSON value with nothing but blanks around it. Of members with the same name the last one counts.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    enum Open {
        Array(Vec<Value>),
        Object(Object, Option<Arc<str>>),
    }
    let mut reader = Reader::new(text, MAX_DEPTH);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let value = match reader.next_event()?.event {
            Event::BeginArray => {
                open.push(Open::Array(Vec::new()));
                continue;
            }
            Event::BeginObject => {
                open.push(Open::Object(Object::new(), None));
                continue;
            }
            Event::Name(text) => {
                if let Some(Open::Object(_, name)) = open.last_mut() {
                    *name = Some(text.into());
                }
                continue;
            }
            Event::End => match open.pop() {
                Some(Open::Array(elements)) => elements.into(),
                Some(Open::Object(members, _)) => members.into(),
                None => unreachable!("the reader ends only what it began"),
            },
            Event::Scalar(value) => value,
        };
        match open.last_mut() {
            None => {
                reader.finish()?;
                return Ok(value);
            }
            Some(Open::Array(elements)) => elements.push(value),
            Some(Open::Object(members, name)) => {
                let name = name.take().expect("the reader gives a name before each member's value");
                members.insert(name, value);
            }
        }
    }
}
