//! What is wrong with a JSON text, in the words of the parser that AWS uses.

use std::fmt;

/// A JSON text could not be read. The [`Display`](fmt::Display) form is AWS's text without the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    message: String,
    offset: usize,
    place: LineColumn,
    unmatched_start: Option<LineColumn>,
}

impl JsonError {
    /// `message` at byte `offset`, reported at `place`.
    pub(super) fn new(message: String, offset: usize, place: LineColumn) -> JsonError {
        JsonError { message, offset, place, unmatched_start: None }
    }

    /// The same error, told that the bracket at `start` was never closed.
    pub(super) fn with_start(mut self, start: LineColumn) -> JsonError {
        self.unmatched_start = Some(start);
        self
    }

    /// AWS's text, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Byte offset of the first character that could not be accepted.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Where the parser stood, in AWS's counting.
    #[must_use]
    pub fn place(&self) -> LineColumn {
        self.place
    }

    /// Where the array or object began whose end is missing, if that is the problem.
    #[must_use]
    pub fn unmatched_start(&self) -> Option<LineColumn> {
        self.unmatched_start
    }

    /// `[Source: (String)"not a definition"; line: 1, column: 4]`: the place as AWS writes it. Of `source`, the whole
    /// text that was read, the first 500 characters are shown.
    #[must_use]
    pub fn source_location(&self, source: &str) -> String {
        location_in(source, self.place)
    }

    /// AWS's text followed by the place on a line of its own.
    #[must_use]
    pub fn message_with_location(&self, source: &str) -> String {
        format!("{}\n at {}", self.message, self.source_location(source))
    }
}

/// `place` as AWS writes it, with the beginning of the text that was read.
pub(super) fn location_in(source: &str, place: LineColumn) -> String {
    const SHOWN: usize = 500;
    let (shown, hidden) = match source.char_indices().nth(SHOWN) {
        Some((end, _)) => (&source[..end], source[end..].chars().count()),
        None => (source, 0),
    };
    let truncated = if hidden > 0 { format!("[truncated {hidden} chars]") } else { String::new() };
    let LineColumn { line, column } = place;
    format!("[Source: (String)\"{shown}\"{truncated}; line: {line}, column: {column}]")
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for JsonError {}

/// A place in a text for people, both counted from 1; columns count UTF-16 code units, as Java and editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, ended by a line feed.
    pub line: u32,
    /// Column in the line.
    pub column: u32,
}

impl LineColumn {
    /// The place of the byte `offset` of `text`; an offset past the end is the end.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> LineColumn {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let column = before[start..].chars().map(char::len_utf16).sum::<usize>() + 1;
        LineColumn {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

impl fmt::Display for LineColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
