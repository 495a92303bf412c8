//! The scopes of variables: a branch or iteration may read what is assigned outside of it, and may not assign it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use crate::json::Span;

/// What is assigned by the states of one container.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The container around it; none for the machine, and none for a Distributed Map, whose children see nothing.
    outer: Option<usize>,
    /// Each name with the place of its first assignment.
    assigned: BTreeMap<Arc<str>, (String, Span)>,
}

impl Compiler {
    /// Opens the scope of a container inside of `outer` and gives its number.
    pub(super) fn open_scope(&mut self, outer: Option<usize>) -> usize {
        self.scopes.push(Scope { outer, assigned: BTreeMap::new() });
        self.scopes.len() - 1
    }

    /// Notes that the state being read assigns `name`.
    pub(super) fn note_assigned(&mut self, name: Arc<str>, at: &str, span: Span) {
        if let Some(scope) = self.scopes.get_mut(self.scope) {
            scope.assigned.entry(name).or_insert_with(|| (at.to_owned(), span));
        }
    }

    /// Reports names that are assigned both in a container and around it.
    pub(super) fn check_scopes(&mut self) {
        let scopes = std::mem::take(&mut self.scopes);
        for scope in &scopes {
            let mut around = scope.outer;
            while let Some(outer) = around.and_then(|i| scopes.get(i)) {
                for (name, (at, span)) in &scope.assigned {
                    if outer.assigned.contains_key(name) {
                        let message = format!(
                            "The variable '{name}' is assigned outside of this branch or iteration and cannot be \
                             assigned inside of it"
                        );
                        self.report.schema(at.clone(), *span, message);
                    }
                }
                around = outer.outer;
            }
        }
    }
}
