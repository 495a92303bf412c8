//! Collects what is found wrong, with places, and puts it in AWS's order.

use crate::diagnostic::{Diagnostic, Severity};
use crate::json::{LineColumn, Span};

/// How many findings are kept; more help nobody.
const FINDINGS_MAX: usize = 1000;

/// The findings so far. AWS reports broken fields first, then targets that do not exist, then what follows from the
/// graph as a whole; warnings come last.
pub(super) struct Report {
    places: Places,
    schema: Vec<Diagnostic>,
    dangling: Vec<Diagnostic>,
    graph: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Report {
    pub(super) fn new(text: &str) -> Self {
        Report {
            places: Places::new(text),
            schema: Vec::new(),
            dangling: Vec::new(),
            graph: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A field breaks the rules: AWS's `SCHEMA_VALIDATION_FAILED`.
    pub(super) fn schema(&mut self, at: impl Into<String>, span: Span, message: impl Into<String>) {
        self.error("SCHEMA_VALIDATION_FAILED", at, span, message);
    }

    /// Another error about a field or state.
    pub(super) fn error(
        &mut self,
        code: &'static str,
        at: impl Into<String>,
        span: Span,
        message: impl Into<String>,
    ) {
        let diagnostic = self.diagnostic(Severity::Error, code, Some(at.into()), span, message.into());
        push(&mut self.schema, diagnostic);
    }

    /// An error without a place in AWS's form.
    pub(super) fn error_without_location(&mut self, code: &'static str, message: impl Into<String>) {
        let diagnostic = self.diagnostic(Severity::Error, code, None, Span::default(), message.into());
        push(&mut self.schema, diagnostic);
    }

    /// A `Next`, `Default` or `StartAt` names a state that is not there.
    pub(super) fn dangling(&mut self, at: String, span: Span, target: &str) {
        let message = format!("Missing 'Next' target: {target}");
        let diagnostic =
            self.diagnostic(Severity::Error, "MISSING_TRANSITION_TARGET", Some(at), span, message);
        push(&mut self.dangling, diagnostic);
    }

    /// No way leads to the state.
    pub(super) fn unreachable(&mut self, at: String, span: Span, name: &str) {
        let message = format!("State \"{name}\" is not reachable.");
        let diagnostic =
            self.diagnostic(Severity::Error, "MISSING_TRANSITION_TARGET", Some(at), span, message);
        push(&mut self.graph, diagnostic);
    }

    /// No state ends the machine.
    pub(super) fn no_terminal_state(&mut self, span: Span) {
        let message = "Workflow has no terminal state".to_owned();
        let diagnostic = self.diagnostic(Severity::Error, "MISSING_END_STATE", None, span, message);
        push(&mut self.graph, diagnostic);
    }

    /// Something works, though perhaps not as meant.
    pub(super) fn warning(
        &mut self,
        code: &'static str,
        at: impl Into<String>,
        span: Span,
        message: impl Into<String>,
    ) {
        let diagnostic = self.diagnostic(Severity::Warning, code, Some(at.into()), span, message.into());
        push(&mut self.warnings, diagnostic);
    }

    /// Whether a field was found broken or a target missing.
    pub(super) fn has_errors(&self) -> bool {
        !(self.schema.is_empty() && self.dangling.is_empty() && self.graph.is_empty())
    }

    /// All findings in AWS's order.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let mut all = self.schema;
        all.extend(self.dangling);
        all.extend(self.graph);
        all.extend(self.warnings);
        all
    }

    fn diagnostic(
        &self,
        severity: Severity,
        code: &'static str,
        location: Option<String>,
        span: Span,
        message: String,
    ) -> Diagnostic {
        Diagnostic { severity, code, message, location, span, place: self.places.of(span.start) }
    }
}

/// Finds lines and columns quickly, however many findings there are and however long the lines.
struct Places {
    bytes: Vec<u8>,
    /// Byte offset of the first character of each line.
    lines: Vec<usize>,
    /// UTF-16 code units before each block of [`BLOCK`] bytes.
    blocks: Vec<usize>,
}

const BLOCK: usize = 1024;

impl Places {
    fn new(text: &str) -> Places {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        let mut blocks = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            blocks.push(blocks.last().copied().unwrap_or(0) + utf16_units(block));
        }
        Places { bytes: text.as_bytes().to_vec(), lines, blocks }
    }

    fn of(&self, offset: usize) -> LineColumn {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.units_before(offset).saturating_sub(self.units_before(start)) + 1;
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        LineColumn { line: narrow(line), column: narrow(column) }
    }

    fn units_before(&self, offset: usize) -> usize {
        let offset = offset.min(self.bytes.len());
        let block = offset / BLOCK;
        self.blocks.get(block).copied().unwrap_or(0) + utf16_units(&self.bytes[block * BLOCK..offset])
    }
}

/// How many UTF-16 code units begin in these bytes of UTF-8: one per character, two for those of four bytes.
fn utf16_units(bytes: &[u8]) -> usize {
    bytes.iter().map(|b| usize::from(b & 0xc0 != 0x80) + usize::from(*b >= 0xf0)).sum()
}

fn push(list: &mut Vec<Diagnostic>, diagnostic: Diagnostic) {
    if list.len() < FINDINGS_MAX {
        list.push(diagnostic);
    }
}
