//! From the text of a call to its compiled form.

use super::functions::Function;
use super::{Argument, Call, CallError, FormatTemplate, MAX_NESTING};
use crate::json;
use crate::path::Path;
use crate::value::Value;

type Parsed<T> = Result<T, CallError>;

/// Reads a whole call.
pub(super) fn parse(text: &str) -> Parsed<Call> {
    let mut parser = Parser { text, at: 0 };
    let call = parser.call(1)?;
    if parser.at < text.len() {
        return Err(parser.error("unexpected character after the call"));
    }
    Ok(call)
}

impl FormatTemplate {
    /// Takes the template apart. A backslash makes a brace, a quote or a backslash after it an ordinary character.
    pub(super) fn parse(text: &str) -> Result<FormatTemplate, String> {
        let mut pieces = vec![String::new()];
        let mut chars = text.chars().peekable();
        let lone = "a brace in the template stands alone";
        while let Some(c) = chars.next() {
            let piece = pieces.last_mut().expect("there is always a piece");
            match c {
                '\\' => match chars.peek() {
                    Some('{' | '}' | '\\' | '\'') => piece.extend(chars.next()),
                    _ => piece.push(c),
                },
                '{' => match chars.next() {
                    Some('}') => pieces.push(String::new()),
                    _ => return Err(lone.into()),
                },
                '}' => return Err(lone.into()),
                _ => piece.push(c),
            }
        }
        Ok(FormatTemplate { pieces })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, message: impl Into<String>) -> CallError {
        CallError { message: message.into(), position: self.at }
    }

    fn take(&mut self, token: char) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn call(&mut self, nesting: usize) -> Parsed<Call> {
        if nesting > MAX_NESTING {
            return Err(self.error(format!("calls are nested more than {MAX_NESTING} deep")));
        }
        let start = self.at;
        let length =
            self.rest().find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(self.rest().len());
        let name = &self.rest()[..length];
        let Some(function) = Function::named(name) else {
            return Err(self.error(format!("there is no intrinsic function '{name}'")));
        };
        self.at += length;
        if !self.take('(') {
            return Err(self.error("expected '('"));
        }
        let mut arguments = Vec::new();
        self.blanks();
        while !self.take(')') {
            if !arguments.is_empty() {
                if !self.take(',') {
                    return Err(self.error("expected ',' or ')'"));
                }
                self.blanks();
            }
            let is_template = function == Function::Format && arguments.is_empty();
            arguments.push(self.argument(is_template, nesting)?);
            self.blanks();
        }
        Ok(Call { text: self.text[start..self.at].into(), function, arguments })
    }

    fn argument(&mut self, is_template: bool, nesting: usize) -> Parsed<Argument> {
        match self.rest().chars().next() {
            Some('\'') => {
                let raw = self.string()?;
                // A template that is not one fails when it is used.
                match FormatTemplate::parse(&raw) {
                    Ok(template) if is_template => Ok(Argument::Template(template)),
                    _ => Ok(Argument::Literal(unescape(&raw).into())),
                }
            }
            Some('$') => self.path(),
            Some(_) if self.rest().starts_with("States.") => self.call(nesting + 1).map(Argument::Call),
            _ => self.word(),
        }
    }

    /// What stands between single quotes, escapes and all.
    fn string(&mut self) -> Parsed<String> {
        let start = self.at + 1;
        let mut chars = self.text[start..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at = start + i + 1;
                    return Ok(self.text[start..start + i].to_owned());
                }
                '\\' => match chars.next() {
                    Some((_, '\'' | '\\' | '{' | '}')) => {}
                    _ => {
                        self.at = start + i;
                        return Err(self.error("only \\', \\\\, \\{ and \\} can be escaped"));
                    }
                },
                _ => {}
            }
        }
        Err(self.error("the quote is never closed"))
    }

    /// A path up to the comma or bracket that ends the argument.
    fn path(&mut self) -> Parsed<Argument> {
        let mut brackets = 0_usize;
        let mut quote = None;
        let mut escaped = false;
        let end = self.rest().find(|c: char| {
            match (quote, c) {
                _ if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(q), c) if q == c => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') if brackets > 0 => quote = Some(c),
                (None, '[' | '(') => brackets += 1,
                (None, ']' | ')') if brackets > 0 => brackets -= 1,
                (None, ',' | ')') if brackets == 0 => return true,
                _ => {}
            }
            false
        });
        let text = self.rest()[..end.unwrap_or(self.rest().len())].trim_end();
        let path = Path::parse(text)
            .map_err(|e| CallError { message: e.message, position: self.at + e.position })?;
        self.at += text.len();
        Ok(Argument::Path(path))
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Parsed<Argument> {
        let length = self
            .rest()
            .find(|c: char| c == ',' || c == ')' || c.is_whitespace())
            .unwrap_or(self.rest().len());
        match json::parse(&self.rest()[..length]) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => {
                self.at += length;
                Ok(Argument::Literal(value))
            }
            _ => Err(self.error("expected a path, a 'string', a number, true, false, null or a call")),
        }
    }
}

/// The string that an escaped one stands for.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            text.extend(chars.next());
        } else {
            text.push(c);
        }
    }
    text
}
