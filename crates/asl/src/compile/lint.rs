//! Warnings: what is allowed and probably not meant.

use super::Compiler;
use crate::intrinsic::Call;
use crate::json::{Node, NodeKind};
use crate::path::Path;

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

fn looks_like_expression(text: &str) -> bool {
    let is_path = text.starts_with('$')
        && (text == "$" || text.starts_with("$.") || text.starts_with("$[") || text.starts_with("$$"))
        && Path::parse(text).is_ok();
    is_path || (text.starts_with("States.") && Call::parse(text).is_ok())
}
