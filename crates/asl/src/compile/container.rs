//! `StartAt` and `States` of a machine, branch or iteration, and the graph they make.

use std::sync::Arc;

use indexmap::IndexMap;

use super::Compiler;
use super::fields::Fields;
use crate::json::{Member, Span};
use crate::program::StateId;

/// Longest name of a state, in characters.
const NAME_CHARS_MAX: usize = 80;

/// The states among which a state may name its successors.
pub(super) struct Siblings {
    ids: IndexMap<Arc<str>, StateId>,
    /// Ways from one state to another, and whether a state ends the container.
    edges: Vec<(StateId, StateId)>,
    has_terminal: bool,
}

impl Siblings {
    /// The container ends after some state.
    pub(super) fn note_terminal(&mut self) {
        self.has_terminal = true;
    }
}

impl Compiler<'_> {
    /// Compiles the states of a container into the arena and gives the first one.
    pub(super) fn container(&mut self, fields: &Fields<'_>, is_machine: bool) -> Option<StateId> {
        let complete = self.require(fields, &["States", "StartAt"]);
        let start_at = self.string(fields, "StartAt");
        let states = self.object(fields, "States")?;
        self.check_repeated(&states);
        if states.node.members().is_empty() {
            self.report.schema(fields.at_field("States"), states.own_span(), "Value cannot be empty");
            return None;
        }
        let mut siblings = Siblings { ids: IndexMap::new(), edges: Vec::new(), has_terminal: false };
        for member in states.node.members() {
            self.declare(member, &states, &mut siblings);
        }
        for (name, id) in siblings.ids.clone() {
            let state = Fields::new(states.get(&name)?, states.at_field(&name));
            let compiled = self.state(name, &state, id, &mut siblings);
            self.states[id.0 as usize] = compiled;
        }
        let start_at = start_at
            .map(|name| self.target(&name, fields.at_field("StartAt"), fields.span("StartAt"), &siblings));
        if complete {
            self.check_graph(start_at.flatten(), &states, &siblings, is_machine);
        }
        start_at.flatten()
    }

    /// Takes a place in the arena for a state.
    fn declare(&mut self, member: &Member, states: &Fields<'_>, siblings: &mut Siblings) {
        let name = &member.name;
        if siblings.ids.contains_key(name) {
            return;
        }
        let at = states.at_field(name);
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
            let message = format!("State name must have 1 to {NAME_CHARS_MAX} characters: '{name}'");
            self.report.error("INVALID_STATE_NAME", at.clone(), member.name_span, message);
        }
        if !self.names.insert(name.clone()) {
            let message = format!("Duplicate State name: {name}");
            self.report.error("DUPLICATE_STATE_NAME", at, member.name_span, message);
        }
        let id = StateId(u32::try_from(self.states.len()).expect("a definition has fewer states than bytes"));
        self.states.push(None);
        siblings.ids.insert(name.clone(), id);
    }

    /// The state that a `StartAt` names.
    fn target(&mut self, name: &str, at: String, span: Span, siblings: &Siblings) -> Option<StateId> {
        let id = siblings.ids.get(name).copied();
        if id.is_none() {
            self.report.dangling(at, span, name);
        }
        id
    }

    /// The state that the field `field` of the state `from`, or of a part of it, names as the next one.
    pub(super) fn next(
        &mut self,
        from: StateId,
        fields: &Fields<'_>,
        field: &str,
        siblings: &mut Siblings,
    ) -> Option<StateId> {
        let name = self.string(fields, field)?;
        let id = self.target(&name, fields.at_field(field), fields.span(field), siblings)?;
        siblings.edges.push((from, id));
        Some(id)
    }

    /// Every state must be reachable, and the machine must end somewhere.
    fn check_graph(
        &mut self,
        start: Option<StateId>,
        states: &Fields<'_>,
        siblings: &Siblings,
        is_machine: bool,
    ) {
        if is_machine && !siblings.has_terminal {
            self.report.no_terminal_state(states.own_span());
            return;
        }
        let mut ways: IndexMap<StateId, Vec<StateId>> = IndexMap::new();
        for (from, to) in &siblings.edges {
            ways.entry(*from).or_default().push(*to);
        }
        let mut open: Vec<StateId> = start.into_iter().collect();
        let mut reached: IndexMap<StateId, ()> = IndexMap::new();
        while let Some(id) = open.pop() {
            if reached.insert(id, ()).is_none() {
                open.extend(ways.get(&id).into_iter().flatten());
            }
        }
        for (name, id) in &siblings.ids {
            if !reached.contains_key(id) {
                let span = states.name_span(name);
                self.report.unreachable(states.at_field(name), span, name);
            }
        }
    }
}
