//! From the text of a definition to a [`Program`], with every problem reported at its place.
//!
//! One pass over the tree of [`crate::json::parse_spanned`]: `container` reads `StartAt` and `States` and checks the
//! graph, `state` and its siblings read the states, `fields` the values in them, `report` collects. A program comes
//! out only if nothing is wrong. Codes, texts and locations are AWS's where AWS reports the same.

mod choice;
mod container;
mod fields;
mod known;
mod lint;
mod map;
mod never;
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
use crate::json::{self, JsonError, Member, Node, NodeKind, Span};
use crate::program::{Program, QueryLanguage, State, StateId};
use container::Around;
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

/// The name that [`compile_state`] gives the state. Source: recordings of TestState.
pub const SINGLE_STATE_NAME: &str = "StateName";

/// Compiles the definition of one state, as TestState takes it: the program starts at the state, and in the place of
/// each state that it may go to there is a `Succeed` of that name.
pub fn compile_state(text: &str) -> Result<Program, Diagnostics> {
    match run_as(text, MachineType::Standard, Around::SingleState) {
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
    run_as(text, machine_type, Around::Machine)
}

fn run_as(text: &str, machine_type: MachineType, around: Around) -> (Option<Program>, Vec<Diagnostic>) {
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
                read_variables: Vec::new(),
                assigned_variables: BTreeSet::new(),
                states: Vec::new(),
                names: IndexSet::new(),
                labels: IndexSet::new(),
                scopes: Vec::new(),
                scope: 0,
                nesting: 0,
            };
            let program = match around {
                Around::SingleState => compiler.single_state(root),
                _ => compiler.machine(&root),
            };
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
    /// For each state its location, its place and the variables that it reads.
    read_variables: Vec<(String, Span, Vec<Arc<str>>)>,
    /// The variables that are assigned anywhere.
    assigned_variables: BTreeSet<Arc<str>>,
    /// The arena of the program; a place is taken as soon as the state's name is known.
    states: Vec<Option<State>>,
    /// All names so far, in whatever container.
    names: IndexSet<Arc<str>>,
    /// All labels of Maps so far.
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
        let start_at = self.container(&fields, Around::Machine);
        self.check_scopes();
        self.warn_about_unassigned_variables();
        self.program(comment, timeout_seconds, start_at)
    }

    /// A machine of one state, around what was read.
    fn single_state(&mut self, state: Node) -> Option<Program> {
        let span = state.span;
        let object = |name: &str, value| {
            let member = Member { name: name.into(), name_span: span, value };
            Node { span, kind: NodeKind::Object(vec![member]) }
        };
        let states = object(SINGLE_STATE_NAME, state);
        let mut machine = object("States", states);
        if let NodeKind::Object(members) = &mut machine.kind {
            let value = Node { span, kind: NodeKind::String(SINGLE_STATE_NAME.into()) };
            members.push(Member { name: "StartAt".into(), name_span: span, value });
        }
        let start_at = self.container(&Fields::new(&machine, String::new()), Around::SingleState);
        self.check_scopes();
        self.program(None, None, start_at)
    }

    fn program(
        &mut self,
        comment: Option<Arc<str>>,
        timeout_seconds: Option<u32>,
        start_at: Option<StateId>,
    ) -> Option<Program> {
        if self.report.has_errors() {
            return None;
        }
        let query_language = self.language;
        let states: Option<Vec<State>> = self.states.drain(..).collect();
        Some(Program::new(comment, timeout_seconds, query_language, start_at?, states?))
    }
}
