//! The pull reader under both trees: hands out names, scalars, beginnings and ends, and knows all error texts.

use std::borrow::Cow;

use super::Span;
use super::error::{JsonError, LineColumn, location_in};
use crate::value::{Number, Value};

/// The next thing in the text.
pub(super) enum Event<'a> {
    BeginArray,
    BeginObject,
    /// The end of the innermost array or object.
    End,
    /// The name of the member whose value comes next.
    Name(Cow<'a, str>),
    /// `null`, a boolean, a number or a string.
    Scalar(Value),
}

/// An event and the bytes it was read from.
pub(super) struct Spanned<'a> {
    pub(super) event: Event<'a>,
    pub(super) span: Span,
}

pub(super) struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The open containers: whether it is an object, and where it began.
    open: Vec<(bool, usize)>,
    expect: Expect,
    max_depth: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// A value: at the start, after a colon, after a comma in an array.
    Value,
    /// Right after `[`.
    ElementOrEnd,
    /// Right after `{`.
    NameOrEnd,
    /// After a comma in an object.
    Name,
    /// After a value inside a container.
    CommaOrEnd,
}

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, max_depth: usize) -> Self {
        Reader { text, bytes: text.as_bytes(), at: 0, open: Vec::new(), expect: Expect::Value, max_depth }
    }

    /// The next event. To be called until the value that was begun first is complete, then [`Reader::finish`].
    pub(super) fn next_event(&mut self) -> Result<Spanned<'a>, JsonError> {
        loop {
            self.skip_blanks();
            let Some(byte) = self.peek() else { return Err(self.unexpected_end()) };
            match (self.expect, byte) {
                (Expect::CommaOrEnd, b',') => {
                    self.at += 1;
                    self.expect = if self.in_object() { Expect::Name } else { Expect::Value };
                }
                (Expect::CommaOrEnd | Expect::ElementOrEnd | Expect::NameOrEnd, b']' | b'}') => {
                    return self.end(byte);
                }
                (Expect::CommaOrEnd, _) => {
                    let kind = if self.in_object() { "Object" } else { "Array" };
                    return Err(self.unexpected(&format!("was expecting comma to separate {kind} entries")));
                }
                (Expect::Name | Expect::NameOrEnd, b'"') => return self.name(),
                (Expect::Name | Expect::NameOrEnd, _) => {
                    return Err(self.unexpected("was expecting double-quote to start field name"));
                }
                (Expect::Value | Expect::ElementOrEnd, _) => return self.value(byte),
            }
        }
    }

    /// Checks that only blanks are left.
    pub(super) fn finish(&mut self) -> Result<(), JsonError> {
        self.skip_blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("expected the end of the document")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn in_object(&self) -> bool {
        self.open.last().is_some_and(|(is_object, _)| *is_object)
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn begin(&mut self, is_object: bool) -> Result<Spanned<'a>, JsonError> {
        let start = self.at;
        if self.open.len() >= self.max_depth {
            let message = format!(
                "Document nesting depth ({}) exceeds the maximum allowed ({})",
                self.max_depth + 1,
                self.max_depth
            );
            return Err(self.error(message));
        }
        self.at += 1;
        self.open.push((is_object, start));
        let (event, expect) = match is_object {
            true => (Event::BeginObject, Expect::NameOrEnd),
            false => (Event::BeginArray, Expect::ElementOrEnd),
        };
        self.expect = expect;
        Ok(Spanned { event, span: Span::new(start, self.at) })
    }

    fn end(&mut self, byte: u8) -> Result<Spanned<'a>, JsonError> {
        let (is_object, start) = *self.open.last().expect("an end is only looked for inside a container");
        let (expected, kind) = if is_object { (b'}', "Object") } else { (b']', "Array") };
        if byte != expected {
            let place = self.place(start);
            let message = format!(
                "Unexpected close marker '{}': expected '{}' (for {kind} starting at {})",
                byte as char,
                expected as char,
                location_in(self.text, place)
            );
            self.at += 1;
            return Err(JsonError::new(message, self.at - 1, self.place(self.at)).with_start(place));
        }
        self.open.pop();
        self.at += 1;
        self.expect = Expect::CommaOrEnd;
        Ok(Spanned { event: Event::End, span: Span::new(start, self.at) })
    }

    fn name(&mut self) -> Result<Spanned<'a>, JsonError> {
        let start = self.at;
        let name = self.string("name")?;
        let span = Span::new(start, self.at);
        self.skip_blanks();
        self.expect = Expect::Value;
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(self.unexpected("was expecting a colon to separate field name and value")),
            None => return Err(self.unexpected_end()),
        }
        Ok(Spanned { event: Event::Name(name), span })
    }

    fn value(&mut self, first: u8) -> Result<Spanned<'a>, JsonError> {
        let start = self.at;
        let value = match first {
            b'{' => return self.begin(true),
            b'[' => return self.begin(false),
            b'"' => Value::String(self.string("string value")?.into()),
            b'-' | b'0'..=b'9' => Value::Number(self.number()?),
            _ => self.word()?,
        };
        self.expect = Expect::CommaOrEnd;
        Ok(Spanned { event: Event::Scalar(value), span: Span::new(start, self.at) })
    }

    /// `true`, `false`, `null`; anything else is an error.
    fn word(&mut self) -> Result<Value, JsonError> {
        let rest = &self.text[self.at..];
        let length =
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
        let word = &rest[..length];
        let value = match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            "" => return Err(self.unexpected(&format!("expected a valid value {VALUES}"))),
            _ if !word.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$') => {
                return Err(self.unexpected(&format!("expected a valid value {VALUES}")));
            }
            _ => {
                // The parser cuts long tokens.
                let shown: String = word.chars().take(256).collect();
                let dots = if shown.len() < word.len() { "..." } else { "" };
                let message = format!("Unrecognized token '{shown}{dots}': was expecting {VALUES}");
                return Err(JsonError::new(message, self.at, self.place(self.at + length)));
            }
        };
        self.at += length;
        Ok(value)
    }

    fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
                return Err(
                    self.bad_number("expected digit (0-9) to follow minus sign, for valid numeric value")
                );
            }
        }
        if self.peek() == Some(b'0') && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
            return Err(self.error("Invalid numeric value: Leading zeroes not allowed".into()));
        }
        self.skip_digits();
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.skip_digits() == 0 {
                return Err(self.bad_number("Decimal point not followed by a digit"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.skip_digits() == 0 {
                return Err(self.bad_number("Exponent indicator not followed by a digit"));
            }
        }
        Ok(Number::from_json_text(&self.text[start..self.at]))
    }

    fn skip_digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    /// A string with its quotes; borrowed where it has no escapes.
    fn string(&mut self, what: &str) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let mut plain = self.at;
        let mut unescaped = String::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    let last = &self.text[plain..self.at];
                    self.at += 1;
                    return Ok(if unescaped.is_empty() {
                        Cow::Borrowed(last)
                    } else {
                        Cow::Owned(unescaped + last)
                    });
                }
                Some(b'\\') => {
                    unescaped.push_str(&self.text[plain..self.at]);
                    unescaped.push(self.escape()?);
                    plain = self.at;
                }
                Some(byte @ 0..=0x1f) => {
                    return Err(self.error(format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {byte})): has to be escaped using backslash to be \
                         included in {what}"
                    )));
                }
                Some(_) => self.at += 1,
                None if what == "name" => return Err(self.end_of_input(" in field name")),
                None => return Err(self.end_of_input(": was expecting closing quote for a string value")),
            }
        }
    }

    /// What follows a backslash. A lone surrogate, which no UTF-8 text can hold, becomes U+FFFD.
    fn escape(&mut self) -> Result<char, JsonError> {
        self.at += 1;
        let Some(c) = self.text[self.at..].chars().next() else {
            return Err(self.end_of_input(" in character escape sequence"));
        };
        let plain = match c {
            '"' | '\\' | '/' => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(),
            _ => return Err(self.error(format!("Unrecognized character escape {}", describe(c)))),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        self.at += 1;
        let unit = self.four_hex()?;
        if !(0xd800..0xdc00).contains(&unit) || !self.bytes[self.at..].starts_with(b"\\u") {
            return Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_high = self.at;
        self.at += 2;
        let low = self.four_hex()?;
        if (0xdc00..0xe000).contains(&low) {
            let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        // The second escape is no partner of the first and is read again on its own.
        self.at = after_high;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn four_hex(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(c) = self.text[self.at..].chars().next() else {
                return Err(self.end_of_input(" in character escape sequence"));
            };
            let Some(digit) = c.to_digit(16) else {
                return Err(self.unexpected("expected a hex-digit for character escape sequence"));
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn place(&self, offset: usize) -> LineColumn {
        LineColumn::of(self.text, offset)
    }

    /// An error about the character at the current place, which the parser has then read.
    fn error(&self, message: String) -> JsonError {
        let length = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
        JsonError::new(message, self.at, self.place(self.at + length))
    }

    fn unexpected(&self, expectation: &str) -> JsonError {
        let c = self.text[self.at..].chars().next().unwrap_or('\0');
        self.error(format!("Unexpected character ({}): {expectation}", describe(c)))
    }

    fn bad_number(&self, expectation: &str) -> JsonError {
        match self.text[self.at..].chars().next() {
            Some(c) => {
                self.error(format!("Unexpected character ({}) in numeric value: {expectation}", describe(c)))
            }
            None => self.end_of_input(""),
        }
    }

    fn end_of_input(&self, rest: &str) -> JsonError {
        JsonError::new(format!("Unexpected end-of-input{rest}"), self.text.len(), self.place(self.text.len()))
    }

    /// The text ends where more was expected.
    fn unexpected_end(&self) -> JsonError {
        let Some((is_object, start)) = self.open.last() else {
            return JsonError::new(
                "No content to map due to end-of-input".into(),
                self.at,
                self.place(self.at),
            );
        };
        let kind = if *is_object { "Object" } else { "Array" };
        let place = self.place(*start);
        let rest = match self.expect {
            Expect::Value | Expect::Name => format!(" within/between {kind} entries"),
            Expect::ElementOrEnd | Expect::NameOrEnd | Expect::CommaOrEnd => {
                let start = location_in(self.text, place);
                format!(": expected close marker for {kind} (start marker at {start})")
            }
        };
        self.end_of_input(&rest).with_start(place)
    }
}

/// A character as the parser shows it.
fn describe(c: char) -> String {
    match u32::from(c) {
        code if c.is_control() => format!("(CTRL-CHAR, code {code})"),
        code if code > 255 => format!("'{c}' (code {code} / 0x{code:x})"),
        code => format!("'{c}' (code {code})"),
    }
}
