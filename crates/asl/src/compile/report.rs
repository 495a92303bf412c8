//! Collects what is found wrong, with places, and puts it in AWS's order.

use crate::diagnostic::{Diagnostic, Severity};
use crate::json::{LineColumn, Span};

/// How many findings are kept; more help nobody.
const FINDINGS_MAX: usize = 1000;

/// The findings so far. AWS reports broken fields first, then targets that do not exist, then what follows from the
/// graph as a whole; warnings come last.
pub(super) struct Report<'t> {
    text: &'t str,
    /// Byte offset of the first character of each line.
    lines: Vec<usize>,
    schema: Vec<Diagnostic>,
    dangling: Vec<Diagnostic>,
    graph: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Report {
            text,
            lines,
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
        Diagnostic { severity, code, message, location, span, place: self.place(span.start) }
    }

    fn place(&self, offset: usize) -> LineColumn {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let in_line =
            LineColumn::of(self.text.get(start..).unwrap_or_default(), offset.saturating_sub(start));
        LineColumn { line: u32::try_from(line).unwrap_or(u32::MAX), column: in_line.column }
    }
}

fn push(list: &mut Vec<Diagnostic>, diagnostic: Diagnostic) {
    if list.len() < FINDINGS_MAX {
        list.push(diagnostic);
    }
}
