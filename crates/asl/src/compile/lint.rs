//! Warnings: what is allowed and probably not meant.

use super::Compiler;
use super::fields::Fields;
use crate::intrinsic::Call;
use crate::json::{Node, NodeKind, Span};
use crate::path::Path;
use crate::program::{IntegrationPattern, ResourceKind};
use crate::template::Template;

impl Compiler {
    /// `NO_DOLLAR`: a member of a payload template holds what looks like a path or call, but its name has no `.$`.
    pub(super) fn warn_about_missing_dollar(&mut self, node: &Node, at: &str) {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            match &node.kind {
                NodeKind::Array(elements) => open.extend(elements),
                NodeKind::Object(members) => {
                    for member in members.iter().filter(|m| !m.name.ends_with(".$")) {
                        if member.value.as_str().is_some_and(|text| looks_like_expression(text)) {
                            let message = format!(
                                "The value of the field '{}' looks like a JSONPath or intrinsic function, but the \
                                 name does not end with '.$'",
                                member.name
                            );
                            self.report.warning("NO_DOLLAR", at, member.value.span, message);
                        }
                        open.push(&member.value);
                    }
                }
                _ => {}
            }
        }
    }

    /// `NO_PATH`: the value looks like a path, but only the field with `Path` at its end would look it up.
    pub(super) fn warn_about_missing_path(&mut self, node: &Node, at: String, field: &str) {
        if node.as_str().is_some_and(|text| looks_like_expression(text)) {
            let message =
                format!("The value of '{field}' looks like a path and is taken as text; see '{field}Path'");
            self.report.warning("NO_PATH", at, node.span, message);
        }
    }

    /// `PASS_RESULT_IS_STATIC`: nothing in `Result` is evaluated.
    pub(super) fn warn_about_static_result(&mut self, node: &Node, at: &str) {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            match &node.kind {
                NodeKind::Array(elements) => open.extend(elements),
                NodeKind::Object(members) => {
                    for member in members {
                        if member.name.ends_with(".$") {
                            let message =
                                format!("'Result' is static: the field '{}' is not evaluated", member.name);
                            self.report.warning("PASS_RESULT_IS_STATIC", at, member.name_span, message);
                        }
                        open.push(&member.value);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The error names that the language and the service define. Source: Developer Guide, "Handling errors".
const ERROR_NAMES: [&str; 18] = [
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ReferencePathConflict",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

impl Compiler {
    /// `UNKNOWN_ERROR_NAME`: no error is called so. `ERROR_NEVER_CAUGHT`: this one ends the execution whatever is said.
    pub(super) fn warn_about_error_name(&mut self, name: &str, at: &str, span: Span) {
        if name == "States.Runtime" {
            let message = "States.Runtime is never retried or caught";
            self.report.warning("ERROR_NEVER_CAUGHT", at, span, message);
        }
        let known = ERROR_NAMES.contains(&name) || name.starts_with("States.Http.StatusCode.");
        let meant = || ERROR_NAMES.into_iter().find(|known| is_misspelt(name, known));
        if name.starts_with("States.") && !known {
            let hint = meant().map_or(String::new(), |meant| format!("; did you mean '{meant}'?"));
            let message =
                format!("There is no error '{name}'; names that begin with 'States.' are reserved{hint}");
            self.report.warning("UNKNOWN_ERROR_NAME", at, span, message);
        } else if !known && let Some(meant) = ERROR_NAMES.into_iter().find(|k| k.eq_ignore_ascii_case(name)) {
            let message = format!("No error of the language is called '{name}'; did you mean '{meant}'?");
            self.report.warning("UNKNOWN_ERROR_NAME", at, span, message);
        }
    }

    /// `UNASSIGNED_VARIABLE`: a state reads a variable that no state assigns.
    pub(super) fn warn_about_unassigned_variables(&mut self) {
        for (at, span, names) in std::mem::take(&mut self.read_variables) {
            for name in names.iter().filter(|name| !self.assigned_variables.contains(*name)) {
                let message = format!("The variable '{name}' is never assigned");
                self.report.warning("UNASSIGNED_VARIABLE", at.clone(), span, message);
            }
        }
    }

    /// `MISSING_TASK_TOKEN`: the task waits for a token that it does not pass on.
    pub(super) fn warn_about_missing_token(
        &mut self,
        fields: &Fields<'_>,
        input: Option<&Template>,
        kind: &ResourceKind,
    ) {
        let waits =
            matches!(kind, ResourceKind::Service { pattern: IntegrationPattern::WaitForTaskToken, .. });
        if waits && !input.is_some_and(Template::reads_context) {
            let message = "The task waits for its token, but does not pass the token on";
            self.report.warning("MISSING_TASK_TOKEN", fields.at(), fields.name_span("Resource"), message);
        }
    }

    /// `INTRINSIC_ARGUMENTS`: a call has more or fewer arguments than the function takes, and will fail.
    pub(super) fn warn_about_calls(&mut self, template: &Template, at: &str, span: Span) {
        for problem in template.calls().into_iter().filter_map(Call::arity_problem) {
            self.report.warning("INTRINSIC_ARGUMENTS", at, span, problem);
        }
    }
}

/// Whether `name` is `known` but for the case, or for two characters that are wrong, missing, too many or swapped.
fn is_misspelt(name: &str, known: &str) -> bool {
    const WRONG_MAX: usize = 2;
    let (name, known) = (name.to_ascii_lowercase(), known.to_ascii_lowercase());
    if name.len().abs_diff(known.len()) > WRONG_MAX {
        return false;
    }
    // The distance of Levenshtein, row by row.
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (i, a) in name.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in known.bytes().enumerate() {
            let cost = (diagonal + usize::from(a != b)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[known.len()] <= WRONG_MAX
}

fn looks_like_expression(text: &str) -> bool {
    let is_path = text.starts_with('$')
        && (text == "$" || text.starts_with("$.") || text.starts_with("$[") || text.starts_with("$$"))
        && Path::parse(text).is_ok();
    is_path || (text.starts_with("States.") && Call::parse(text).is_ok())
}
