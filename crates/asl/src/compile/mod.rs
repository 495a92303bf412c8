//! From the text of a definition to a [`Program`], with every problem reported at its place.
//!
//! One pass over the tree of [`crate::json::parse_spanned`]: `container` reads `StartAt` and `States` and checks the
//! graph, `state` and its siblings read the states, `fields` the values in them, `report` collects. A program comes
//! out only if nothing is wrong. Codes, texts and locations are AWS's where AWS reports the same.

mod choice;
mod container;
mod fields;
mod lint;
#[cfg(feature = "whole-language")]
mod map;
#[cfg(feature = "whole-language")]
mod parallel;
mod query;
mod report;
mod resource;
mod retry;
mod state;
mod task;
mod variables;

use std::sync::Arc;

use std::collections::BTreeSet;

use indexmap::IndexSet;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::json::{self, JsonError, Node, Span};
use crate::program::{Program, QueryLanguage, State};
use fields::Fields;
use report::Report;

/// Longest definition, in bytes. Source: Step Functions API, `definition`.
pub const DEFINITION_BYTES_MAX: usize = 1_048_576;

/// The type of a state machine; some things are not allowed in an Express one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MachineType {
    /// `STANDARD`
    #[default]
    Standard,
    /// `EXPRESS`
    Express,
}

/// Compiles a definition for a Standard state machine.
pub fn compile(text: &str) -> Result<Program, Diagnostics> {
    compile_as(text, MachineType::Standard)
}

/// Compiles a definition for a state machine of type `machine_type`.
pub fn compile_as(text: &str, machine_type: MachineType) -> Result<Program, Diagnostics> {
    match run(text, machine_type) {
        (Some(program), _) => Ok(program),
        (None, findings) => Err(Diagnostics(findings)),
    }
}

/// All findings about a definition, warnings included; it can be compiled if none of them is an error.
#[must_use]
pub fn validate(text: &str, machine_type: MachineType) -> Vec<Diagnostic> {
    run(text, machine_type).1
}

fn run(text: &str, machine_type: MachineType) -> (Option<Program>, Vec<Diagnostic>) {
    if text.len() > DEFINITION_BYTES_MAX {
        let mut report = Report::new("");
        let message = format!("Definition must not be longer than {DEFINITION_BYTES_MAX} bytes");
        report.error_without_location("SCHEMA_VALIDATION_FAILED", message);
        return (None, report.finish());
    }
    if text.trim().is_empty() {
        return (None, no_object(text));
    }
    match json::parse_spanned(text) {
        Err(error) => (None, vec![syntax_error(text, &error)]),
        Ok(root) if !root.is_object() => (None, no_object(text)),
        Ok(root) => {
            let mut compiler = Compiler {
                report: Report::new(text),
                machine_type,
                language: QueryLanguage::JsonPath,
                state_language: QueryLanguage::JsonPath,
                references: BTreeSet::new(),
                states: Vec::new(),
                names: IndexSet::new(),
                #[cfg(feature = "whole-language")]
                labels: IndexSet::new(),
                scopes: Vec::new(),
                scope: 0,
                nesting: 0,
            };
            let program = compiler.machine(&root);
            (program, compiler.report.finish())
        }
    }
}

fn no_object(text: &str) -> Vec<Diagnostic> {
    let mut report = Report::new(text);
    report.error_without_location("SCHEMA_VALIDATION_FAILED", "Definition must be a valid JSON object");
    report.finish()
}

fn syntax_error(text: &str, error: &JsonError) -> Diagnostic {
    let start = error.offset().min(text.len());
    let length = text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Diagnostic {
        severity: Severity::Error,
        code: "INVALID_JSON_DESCRIPTION",
        message: error.message_with_location(text),
        location: Some(error.source_location(text)),
        span: Span { start, end: start + length },
        place: json::LineColumn::of(text, start),
    }
}

/// The state of a compilation.
struct Compiler {
    report: Report,
    machine_type: MachineType,
    /// The machine's query language, which states without their own have.
    language: QueryLanguage,
    /// The query language of the state that is being read.
    state_language: QueryLanguage,
    /// The variables that the state which is being read refers to.
    references: BTreeSet<Arc<str>>,
    /// The arena of the program; a place is taken as soon as the state's name is known.
    states: Vec<Option<State>>,
    /// All names so far, in whatever container.
    names: IndexSet<Arc<str>>,
    /// All labels of Maps so far.
    #[cfg(feature = "whole-language")]
    labels: IndexSet<Arc<str>>,
    /// What is assigned in which container.
    scopes: Vec<variables::Scope>,
    /// The scope of the state that is being read.
    scope: usize,
    /// How many containers are open.
    nesting: usize,
}

impl Compiler {
    fn machine(&mut self, root: &Node) -> Option<Program> {
        let fields = Fields::new(root, String::new());
        self.check_names(
            &fields,
            &["Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"],
        );
        let comment = self.string(&fields, "Comment");
        let timeout_seconds = self.integer(&fields, "TimeoutSeconds", 1, fields::SECONDS_MAX);
        if let Some(version) = self.string(&fields, "Version")
            && &*version != "1.0"
        {
            self.report.schema(
                "/Version",
                fields.span("Version"),
                "Value should be one of the following: [1.0]",
            );
        }
        self.language = self.query_language(&fields).unwrap_or_default();
        let start_at = self.container(&fields, container::Around::Machine);
        self.check_scopes();
        if self.report.has_errors() {
            return None;
        }
        let states: Option<Vec<State>> = self.states.drain(..).collect();
        Some(Program {
            comment,
            timeout_seconds,
            query_language: self.language,
            start_at: start_at?,
            states: states?,
        })
    }
}
