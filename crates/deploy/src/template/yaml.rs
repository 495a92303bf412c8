//! YAML text into [`Node`]s with lines: CloudFormation's short-form tags are written out, nesting is bounded, aliases
//! are refused as CloudFormation refuses them.

use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::node::{Node, NodeValue};
use crate::limits::{NESTING_MAX, NODES_MAX};
use crate::problem::Problem;

/// Parses one YAML document.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader { events: Parser::new_from_str(text), nodes: 0 };
    let node = loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (Event::StreamEnd, _) => return Ok(Node { line: 1, value: NodeValue::Null }),
            (event, span) => break reader.node(event, span, 0)?,
        }
    };
    match reader.next()? {
        (Event::DocumentEnd, _) => {}
        (_, span) => return Err(malformed("expected the end of the document", line(span))),
    }
    match reader.next()? {
        (Event::StreamEnd, _) => Ok(node),
        (_, span) => Err(malformed("there is more than one document", line(span))),
    }
}

fn malformed(what: &str, line: u32) -> Problem {
    Problem::new(format!("Template format error: YAML not well-formed. ({what})"), "", line)
}

fn line(span: Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(scan_error(&error)),
            None => Err(malformed("the text ends in the middle", 0)),
        }
    }

    /// The value that begins with `event`.
    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        let line = line(span);
        if depth > NESTING_MAX || self.nodes > NODES_MAX {
            let what = format!("nested deeper than {NESTING_MAX} levels or more than {NODES_MAX} values");
            return Err(malformed(&what, line));
        }
        let (value, tag) = match event {
            Event::Scalar(text, style, _, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                (if is_plain { plain(&text) } else { NodeValue::Text(text.into_owned()) }, tag)
            }
            Event::SequenceStart(_, tag) => (self.list(depth)?, tag),
            Event::MappingStart(_, tag) => (self.map(depth)?, tag),
            Event::Alias(_) => {
                return Err(Problem::new(
                    "Template error: YAML aliases are not allowed in CloudFormation templates",
                    "",
                    line,
                ));
            }
            _ => return Err(malformed("expected a value", line)),
        };
        match tag {
            None => Ok(Node { line, value }),
            Some(tag) => tagged(&tag, Node { line, value }),
        }
    }

    fn list(&mut self, depth: usize) -> Result<NodeValue, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(NodeValue::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<NodeValue, Problem> {
        let mut members = IndexMap::new();
        loop {
            let (event, span) = self.next()?;
            let key_line = line(span);
            let key = match event {
                Event::MappingEnd => return Ok(NodeValue::Map(members)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(malformed("a key that is not a text", key_line)),
            };
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            // A block begins on the line after its key; the key is what a reader looks for.
            value.line = key_line;
            if members.contains_key(&key) {
                return Err(malformed(&format!("the key '{key}' occurs twice"), key_line));
            }
            members.insert(key, value);
        }
    }
}

fn scan_error(error: &ScanError) -> Problem {
    malformed(error.info(), u32::try_from(error.marker().line()).unwrap_or(0))
}

/// A value with a tag: a short form written out, or a text with `!!str`.
fn tagged(tag: &Tag, content: Node) -> Result<Node, Problem> {
    let line = content.line;
    if tag.is_yaml_core_schema() {
        return match (tag.suffix.as_str(), &content.value) {
            ("str" | "seq" | "map", _) => Ok(content),
            ("int" | "float" | "bool" | "null", NodeValue::Text(text)) => {
                let value = plain(text);
                Ok(Node { line, value })
            }
            (other, _) => Err(malformed(&format!("the tag !!{other} is not supported"), line)),
        };
    }
    let (name, argument) = match tag.suffix.as_str() {
        "" => return Ok(content),
        "Ref" => ("Ref".to_owned(), content),
        "Condition" => ("Condition".to_owned(), content),
        "GetAtt" => ("Fn::GetAtt".to_owned(), split_attribute(content)),
        other => (format!("Fn::{other}"), content),
    };
    Ok(Node { line, value: NodeValue::Map(IndexMap::from([(name, argument)])) })
}

/// `!GetAtt Table.StreamArn` means `["Table", "StreamArn"]`: the attribute is all that follows the first dot.
fn split_attribute(content: Node) -> Node {
    let Some((logical_id, attribute)) = content.as_text().and_then(|text| text.split_once('.')) else {
        return content;
    };
    let text = |part: &str| Node { line: content.line, value: NodeValue::Text(part.to_owned()) };
    Node { line: content.line, value: NodeValue::List(vec![text(logical_id), text(attribute)]) }
}

/// A scalar without quotes, by YAML's core schema. What begins with a zero stays a text: account ids do.
fn plain(text: &str) -> NodeValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeValue::Null,
        "true" | "True" | "TRUE" => return NodeValue::Bool(true),
        "false" | "False" | "FALSE" => return NodeValue::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let is_numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    if !is_numeric || has_leading_zero {
        return NodeValue::Text(text.to_owned());
    }
    if let Ok(number) = text.strip_prefix('+').unwrap_or(text).parse::<i64>() {
        return NodeValue::Number(number.into());
    }
    match text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
        Some(number) => NodeValue::Number(number),
        None => NodeValue::Text(text.to_owned()),
    }
}
