//! From the text of a path to its steps.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::filter::{Comparison, Operand, Operator, Predicate, RelativePath};
use super::function::{Call, Function};
use super::{PathError, Root, Step, is_definite};
use crate::json;
use crate::value::Value;

/// Filters within filters, brackets and negations: how deep they may be nested.
const MAX_NESTING: usize = 32;

/// Memory that one compiled regular expression may take, in bytes.
const REGEX_SIZE_MAX: usize = 1 << 20;

type Parsed<T> = Result<T, PathError>;

/// Reads a whole path.
pub(super) fn parse(text: &str) -> Parsed<(Root, Vec<Step>)> {
    let mut parser = Parser { text, at: 0, nesting: 0 };
    if !parser.take("$") {
        return Err(parser.error("a path starts with '$'"));
    }
    let root = parser.root()?;
    let steps = parser.steps(Place::Whole)?;
    if parser.at < text.len() {
        return Err(parser.error("unexpected character"));
    }
    Ok((root, steps))
}

/// Whether `c` may start the name of a variable.
pub(crate) fn starts_variable(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Whether `c` may stand in the name of a variable.
pub(crate) fn continues_variable(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// The path is all there is.
    Whole,
    /// The path is an operand of a filter or an argument, so that blanks, brackets and operators end it.
    Operand,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nesting: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
    }

    fn error(&self, message: impl Into<String>) -> PathError {
        PathError { message: message.into(), position: self.at }
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.take(token) { Ok(()) } else { Err(self.error(format!("expected '{token}'"))) }
    }

    /// What the leading `$`, already read, stands for.
    fn root(&mut self) -> Parsed<Root> {
        if self.take("$") {
            return Ok(Root::Context);
        }
        let name: String = self.rest().chars().take_while(|c| continues_variable(*c)).collect();
        match name.chars().next() {
            None => Ok(Root::Input),
            Some(first) if starts_variable(first) => {
                self.at += name.len();
                Ok(Root::Variable(name.into()))
            }
            Some(_) => Err(self.error("expected '.' or '['")),
        }
    }

    fn steps(&mut self, place: Place) -> Parsed<Vec<Step>> {
        let mut steps: Vec<Step> = Vec::new();
        loop {
            let step = match self.peek() {
                Some('.') if self.rest().starts_with("..") => {
                    self.at += 2;
                    let next = if self.peek() == Some('[') { self.bracket()? } else { self.dotted(place)? };
                    match next {
                        function @ Step::Function(_) => function,
                        step => Step::Descent(Box::new(step)),
                    }
                }
                Some('.') => {
                    self.at += 1;
                    if self.peek() == Some('[') {
                        return Err(self.error("expected a name after '.'"));
                    }
                    self.dotted(place)?
                }
                Some('[') => self.bracket()?,
                None => break,
                Some(_) if place == Place::Operand => break,
                Some(_) => return Err(self.error("expected '.' or '['")),
            };
            if let Some(Step::Function(_)) = steps.last() {
                return Err(self.error("a function ends the path"));
            }
            steps.push(step);
        }
        Ok(steps)
    }

    /// A name, `*` or a call after a dot.
    fn dotted(&mut self, place: Place) -> Parsed<Step> {
        if self.take("*") {
            return Ok(Step::Wildcard);
        }
        let ends = |c: char| {
            matches!(c, '.' | '[' | '(')
                || c.is_whitespace()
                || (place == Place::Operand
                    && matches!(c, ')' | ']' | ',' | '=' | '!' | '<' | '>' | '&' | '|'))
        };
        let length = self.rest().find(ends).unwrap_or(self.rest().len());
        let name = &self.rest()[..length];
        if name.is_empty() {
            return Err(self.error("a path must not end with '.' or '..'"));
        }
        self.at += length;
        match self.peek() {
            Some('(') => self.call(name),
            Some(c) if c.is_whitespace() && place == Place::Whole => {
                Err(self.error("a name with blanks needs brackets and quotes"))
            }
            _ => Ok(Step::Name(name.into())),
        }
    }

    fn call(&mut self, name: &str) -> Parsed<Step> {
        let Some(function) = Function::named(name) else {
            return Err(self.error(format!("there is no function '{name}'")));
        };
        self.expect("(")?;
        let mut arguments = Vec::new();
        self.blanks();
        while !self.take(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
                self.blanks();
            }
            self.nested(|p| {
                arguments.push(p.operand()?);
                Ok(())
            })?;
            self.blanks();
        }
        Ok(Step::Function(Arc::new(Call { function, arguments })))
    }

    fn bracket(&mut self) -> Parsed<Step> {
        self.expect("[")?;
        self.blanks();
        let step = match self.peek() {
            Some('\'' | '"') => self.names()?,
            Some('*') => {
                self.at += 1;
                Step::Wildcard
            }
            Some('?') => self.filter()?,
            Some('-' | ':' | '0'..='9') => self.indexes()?,
            _ => return Err(self.error("expected a quoted name, an index, '*' or '?'")),
        };
        self.blanks();
        self.expect("]")?;
        Ok(step)
    }

    fn names(&mut self) -> Parsed<Step> {
        let mut names: Vec<Arc<str>> = vec![self.quoted()?.into()];
        self.blanks();
        while self.take(",") {
            self.blanks();
            names.push(self.quoted()?.into());
            self.blanks();
        }
        Ok(if names.len() == 1 { Step::Name(names.remove(0)) } else { Step::Names(names) })
    }

    fn indexes(&mut self) -> Parsed<Step> {
        let first = self.integer()?;
        self.blanks();
        if self.take(":") {
            self.blanks();
            let to = self.integer()?;
            self.blanks();
            return Ok(Step::Slice(first, to));
        }
        let no_index = self.error("expected an index");
        let mut indexes = vec![first.ok_or_else(|| no_index.clone())?];
        while self.take(",") {
            self.blanks();
            indexes.push(self.integer()?.ok_or_else(|| no_index.clone())?);
            self.blanks();
        }
        Ok(if indexes.len() == 1 { Step::Index(indexes[0]) } else { Step::Indexes(indexes) })
    }

    /// A whole number, or nothing where none stands here.
    fn integer(&mut self) -> Parsed<Option<i64>> {
        let sign = usize::from(self.rest().starts_with('-'));
        let digits = self.rest()[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if sign + digits == 0 {
            return Ok(None);
        }
        let number = self.rest()[..sign + digits].parse().map_err(|_| self.error("not an index"))?;
        self.at += sign + digits;
        Ok(Some(number))
    }

    /// A string in single or double quotes.
    fn quoted(&mut self) -> Parsed<String> {
        let quote = match self.peek() {
            Some(c @ ('\'' | '"')) => c,
            _ => return Err(self.error("expected a quoted name")),
        };
        let start = self.at;
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                Some(c) if c == quote => return Ok(text),
                Some('\\') => {
                    let c = self.bump().ok_or_else(|| self.error("unfinished escape"))?;
                    text.push(self.escaped(c)?);
                }
                Some(c) => text.push(c),
                None => {
                    self.at = start;
                    return Err(self.error("the quote is never closed"));
                }
            }
        }
    }

    fn escaped(&mut self, c: char) -> Parsed<char> {
        Ok(match c {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let hex = self.rest().get(..4).and_then(|h| u32::from_str_radix(h, 16).ok());
                let hex = hex.ok_or_else(|| self.error("expected four hexadecimal digits"))?;
                self.at += 4;
                char::from_u32(hex).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => other,
        })
    }

    /// Runs `read` one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            return Err(self.error("nested too deeply"));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    fn filter(&mut self) -> Parsed<Step> {
        self.expect("?")?;
        self.blanks();
        self.expect("(")?;
        let predicate = self.nested(Parser::any_of)?;
        self.expect(")")?;
        Ok(Step::Filter(Arc::new(predicate)))
    }

    fn any_of(&mut self) -> Parsed<Predicate> {
        let mut members = vec![self.all_of()?];
        while self.take("||") {
            members.push(self.all_of()?);
        }
        Ok(if members.len() == 1 { members.remove(0) } else { Predicate::Any(members) })
    }

    fn all_of(&mut self) -> Parsed<Predicate> {
        let mut members = vec![self.term()?];
        while self.take("&&") {
            members.push(self.term()?);
        }
        Ok(if members.len() == 1 { members.remove(0) } else { Predicate::All(members) })
    }

    /// A bracketed predicate, a negation, a comparison or an existence test, with the blanks around it.
    fn term(&mut self) -> Parsed<Predicate> {
        self.blanks();
        let predicate = if self.take("!") {
            Predicate::Not(Box::new(self.nested(Parser::term)?))
        } else if self.take("(") {
            let inner = self.nested(Parser::any_of)?;
            self.expect(")")?;
            inner
        } else {
            self.comparison()?
        };
        self.blanks();
        Ok(predicate)
    }

    fn comparison(&mut self) -> Parsed<Predicate> {
        let left = self.operand()?;
        self.blanks();
        let Some(operator) = self.operator() else {
            return match left {
                Operand::Path(path) => Ok(Predicate::Exists(path)),
                Operand::Literal(Value::Bool(value)) => Ok(Predicate::Constant(value)),
                _ => Err(self.error("expected an operator")),
            };
        };
        self.blanks();
        let right = self.operand()?;
        Ok(Predicate::Compare(Comparison { left, operator, right }))
    }

    fn operator(&mut self) -> Option<Operator> {
        const SYMBOLS: [(&str, Operator); 9] = [
            ("===", Operator::StrictEqual),
            ("!==", Operator::StrictNotEqual),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("=~", Operator::Matches),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        if let Some((_, operator)) = SYMBOLS.iter().find(|(symbol, _)| self.take(symbol)) {
            return Some(*operator);
        }
        let length = self.rest().bytes().take_while(u8::is_ascii_alphabetic).count();
        let operator = Operator::named(&self.rest()[..length])?;
        self.at += length;
        Some(operator)
    }

    fn operand(&mut self) -> Parsed<Operand> {
        match self.peek() {
            Some('@') => {
                self.at += 1;
                let steps = self.nested(|p| p.steps(Place::Operand))?;
                let definite = is_definite(&steps);
                Ok(Operand::Path(RelativePath { root: None, steps, definite }))
            }
            Some('$') => {
                self.at += 1;
                let root = self.root()?;
                let steps = self.nested(|p| p.steps(Place::Operand))?;
                let definite = is_definite(&steps);
                Ok(Operand::Path(RelativePath { root: Some(root), steps, definite }))
            }
            Some('/') => self.regex(),
            Some('\'' | '"') => Ok(Operand::Literal(self.quoted()?.into())),
            Some('[') => self.list(),
            Some('{') => self.object(),
            Some(_) => self.word(),
            None => Err(self.error("expected an operand")),
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Parsed<Operand> {
        let ends = |c: char| c.is_whitespace() || ")],=!<>&|(".contains(c);
        let length = self.rest().find(ends).unwrap_or(self.rest().len());
        match json::parse(&self.rest()[..length]) {
            Ok(value) => {
                self.at += length;
                Ok(Operand::Literal(value))
            }
            Err(_) => Err(self.error("expected a path, a string, a number, a list or a regular expression")),
        }
    }

    fn list(&mut self) -> Parsed<Operand> {
        self.expect("[")?;
        let mut elements = Vec::new();
        self.blanks();
        while !self.take("]") {
            if !elements.is_empty() {
                self.expect(",")?;
                self.blanks();
            }
            match self.nested(Parser::operand)? {
                Operand::Literal(value) => elements.push(value),
                _ => return Err(self.error("a list may only hold values")),
            }
            self.blanks();
        }
        Ok(Operand::Literal(elements.into()))
    }

    /// A JSON object, with its own kind of quotes.
    fn object(&mut self) -> Parsed<Operand> {
        let mut depth = 0_usize;
        let mut in_string = false;
        let mut escaped = false;
        for (i, byte) in self.rest().bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'{' if !in_string => depth += 1,
                b'}' if !in_string => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let value = json::parse(&self.rest()[..=i]).map_err(|e| self.error(e.message()))?;
                self.at += i + 1;
                return Ok(Operand::Literal(value));
            }
        }
        Err(self.error("the object is never closed"))
    }

    /// `/expression/flags`
    fn regex(&mut self) -> Parsed<Operand> {
        let start = self.at;
        self.expect("/")?;
        let mut pattern = String::new();
        loop {
            match self.bump() {
                Some('/') => break,
                Some('\\') => match self.bump() {
                    Some('/') => pattern.push('/'),
                    Some(c) => pattern.extend(['\\', c]),
                    None => return Err(self.error("the regular expression is never closed")),
                },
                Some(c) => pattern.push(c),
                None => return Err(self.error("the regular expression is never closed")),
            }
        }
        let flags: String = self.rest().chars().take_while(char::is_ascii_alphabetic).collect();
        self.at += flags.len();
        compile_regex(&pattern, &flags)
            .map(Operand::Regex)
            .ok_or(PathError { message: "not a regular expression that can be used".into(), position: start })
    }
}

/// A regular expression that must match the whole text, as in Java's `matches`.
fn compile_regex(pattern: &str, flags: &str) -> Option<Regex> {
    flags.chars().all(|c| "imsxuUd".contains(c)).then_some(())?;
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .ignore_whitespace(flags.contains('x'))
        .size_limit(REGEX_SIZE_MAX)
        .dfa_size_limit(REGEX_SIZE_MAX)
        .build()
        .ok()
}
