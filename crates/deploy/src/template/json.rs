//! JSON text into [`Node`]s with lines; bounded nesting, duplicate keys refused.

use indexmap::IndexMap;

use super::node::{Node, NodeValue};
use crate::limits::{NESTING_MAX, NODES_MAX};
use crate::problem::Problem;

/// Parses one JSON document.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut parser = Parser { text, at: 0, line: 1, nodes: 0 };
    let node = parser.value(0)?;
    parser.blank();
    if parser.at < text.len() {
        return Err(parser.error("unexpected text after the end of the document"));
    }
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    nodes: usize,
}

impl Parser<'_> {
    fn error(&self, what: &str) -> Problem {
        Problem::new(format!("Template format error: JSON not well-formed: {what}"), "", self.line)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        self.blank();
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(&format!("expected '{}'", byte as char)))
    }

    /// Whether `byte` comes next; it is taken if so.
    fn take(&mut self, byte: u8) -> bool {
        self.blank();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Node, Problem> {
        self.blank();
        self.nodes += 1;
        if depth > NESTING_MAX || self.nodes > NODES_MAX {
            let what = format!("nested deeper than {NESTING_MAX} levels or more than {NODES_MAX} values");
            return Err(self.error(&what));
        }
        let line = self.line;
        let value = match self.peek() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => NodeValue::Text(self.string()?),
            Some(b't') => self.word("true", NodeValue::Bool(true))?,
            Some(b'f') => self.word("false", NodeValue::Bool(false))?,
            Some(b'n') => self.word("null", NodeValue::Null)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => return Err(self.error("expected a value")),
            None => return Err(self.error("the text ends in the middle")),
        };
        Ok(Node { line, value })
    }

    fn map(&mut self, depth: usize) -> Result<NodeValue, Problem> {
        self.expect(b'{')?;
        let mut members = IndexMap::new();
        if self.take(b'}') {
            return Ok(NodeValue::Map(members));
        }
        loop {
            self.blank();
            let line = self.line;
            let key = self.string()?;
            self.expect(b':')?;
            let mut value = self.value(depth + 1)?;
            value.line = line;
            if members.contains_key(&key) {
                return Err(self.error(&format!("the key '{key}' occurs twice")));
            }
            members.insert(key, value);
            if self.take(b'}') {
                return Ok(NodeValue::Map(members));
            }
            self.expect(b',')?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<NodeValue, Problem> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(NodeValue::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Ok(NodeValue::List(items));
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Result<String, Problem> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a string"));
        }
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err(self.error("a string without an end")),
            }
        }
        // The token is cut at ASCII quotes, so both ends are character boundaries.
        let token = &self.text[self.at..=end];
        let string =
            serde_json::from_str(token).map_err(|error| self.error(&format!("bad string: {error}")))?;
        self.at = end + 1;
        Ok(string)
    }

    fn number(&mut self) -> Result<NodeValue, Problem> {
        let rest = &self.text[self.at..];
        let length = rest
            .bytes()
            .position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let token = &rest[..length];
        let number = serde_json::from_str(token).map_err(|_| self.error(&format!("bad number {token}")))?;
        self.at += length;
        Ok(NodeValue::Number(number))
    }

    fn word(&mut self, word: &str, value: NodeValue) -> Result<NodeValue, Problem> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.error("expected a value"))
    }
}
