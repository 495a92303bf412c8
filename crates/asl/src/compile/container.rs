//! `StartAt` and `States` of a machine, branch or iteration, and the graph they make.

use std::sync::Arc;

use indexmap::IndexMap;

use super::Compiler;
use super::fields::Fields;
use crate::json::{Member, Span};
use crate::program::{PathField, State, StateId, StateKind, Succeed};

/// Longest name of a state, in characters.
const NAME_CHARS_MAX: usize = 80;

/// How deep containers may stand in containers.
const NESTING_MAX: usize = 50;

/// What a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// Nothing: it is the machine.
    Machine,
    /// Nothing: it is a single state, whose successors are not there.
    SingleState,
    /// A state whose variables the container reads.
    Container,
    /// A Distributed Map, whose variables it does not see.
    Distributed,
}

/// The states among which a state may name its successors.
pub(super) struct Siblings {
    members: IndexMap<Arc<str>, Sibling>,
    /// Ways from one state to another, and whether a state ends the container.
    edges: Vec<(StateId, StateId)>,
    has_terminal: bool,
    /// Whether a target that is not there is taken as it is.
    may_be_absent: bool,
}

/// A state of the container.
#[derive(Clone, Copy)]
struct Sibling {
    id: StateId,
    /// Its place among the members of `States`; the last one where a name is repeated.
    member: usize,
}

impl Siblings {
    /// The container ends after some state.
    pub(super) fn note_terminal(&mut self) {
        self.has_terminal = true;
    }

    /// For each state those that may come before it, one that has several ways to it several times.
    pub(super) fn ways_in(&self) -> IndexMap<StateId, Vec<StateId>> {
        let mut ways: IndexMap<StateId, Vec<StateId>> = IndexMap::new();
        for (from, to) in &self.edges {
            ways.entry(*to).or_default().push(*from);
        }
        ways
    }
}

impl Compiler {
    /// Compiles the states of a container into the arena and gives the first one.
    pub(super) fn container(&mut self, fields: &Fields<'_>, around: Around) -> Option<StateId> {
        if self.nesting >= NESTING_MAX {
            let message = format!("States are nested more than {NESTING_MAX} containers deep");
            self.report.error("TOO_DEEPLY_NESTED", fields.at(), fields.own_span(), message);
            return None;
        }
        // What belongs to the state around is put back afterwards.
        let outer = if around == Around::Container { Some(self.scope) } else { None };
        let inner = self.open_scope(outer);
        let scope = std::mem::replace(&mut self.scope, inner);
        let language = self.state_language;
        let references = std::mem::take(&mut self.references);
        self.nesting += 1;
        let start_at = self.states_of(fields, around);
        self.nesting -= 1;
        self.references = references;
        self.state_language = language;
        self.scope = scope;
        start_at
    }

    fn states_of(&mut self, fields: &Fields<'_>, around: Around) -> Option<StateId> {
        let complete = self.require(fields, &["States", "StartAt"]);
        let start_at = self.string(fields, "StartAt");
        let states = self.object(fields, "States")?;
        self.check_repeated(&states);
        if states.node.members().is_empty() {
            self.report.schema(fields.at_field("States"), states.own_span(), "Value cannot be empty");
            return None;
        }
        let mut siblings = Siblings {
            members: IndexMap::new(),
            edges: Vec::new(),
            has_terminal: false,
            may_be_absent: around == Around::SingleState,
        };
        let members = states.node.members();
        for (place, member) in members.iter().enumerate() {
            self.declare(place, member, &states, &mut siblings);
        }
        // Stand-ins come to the end of the list while it is gone through, and are complete.
        for i in 0..siblings.members.len() {
            let Sibling { id, member } = siblings.members[i];
            let Member { name, value, .. } = &members[member];
            let state = Fields::new(value, states.at_field(name));
            let compiled = self.state(name.clone(), &state, id, &mut siblings);
            self.states[id.0 as usize] = compiled;
        }
        let start_at = start_at.and_then(|name| {
            self.target(&name, fields.at_field("StartAt"), fields.span("StartAt"), &siblings)
        });
        if around != Around::SingleState {
            self.warn_about_lost_paths(start_at, &states, &siblings);
        }
        if complete && around != Around::SingleState {
            self.check_graph(start_at, &states, &siblings, around == Around::Machine);
        }
        start_at
    }

    /// Takes a place in the arena for a state.
    fn declare(&mut self, place: usize, member: &Member, states: &Fields<'_>, siblings: &mut Siblings) {
        let name = &member.name;
        if let Some(sibling) = siblings.members.get_mut(name) {
            sibling.member = place;
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
        siblings.members.insert(name.clone(), Sibling { id, member: place });
    }

    /// The state that a `StartAt` names.
    fn target(&mut self, name: &str, at: String, span: Span, siblings: &Siblings) -> Option<StateId> {
        let id = siblings.members.get(name).map(|sibling| sibling.id);
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
        if siblings.may_be_absent && !siblings.members.contains_key(&name) {
            return Some(self.stand_in(name, siblings));
        }
        let id = self.target(&name, fields.at_field(field), fields.span(field), siblings)?;
        siblings.edges.push((from, id));
        Some(id)
    }

    /// A `Succeed` in the place of a state that is not there.
    fn stand_in(&mut self, name: Arc<str>, siblings: &mut Siblings) -> StateId {
        let id = StateId(u32::try_from(self.states.len()).expect("a definition has fewer states than bytes"));
        let succeed = Succeed { input_path: PathField::Whole, output_path: PathField::Whole, output: None };
        self.states.push(Some(State {
            name: name.clone(),
            comment: None,
            query_language: self.language,
            variable_references: Vec::new(),
            kind: StateKind::Succeed(succeed),
        }));
        siblings.members.insert(name, Sibling { id, member: usize::MAX });
        id
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
        for (name, Sibling { id, member }) in &siblings.members {
            if !reached.contains_key(id) {
                let span = states.node.members()[*member].name_span;
                self.report.unreachable(states.at_field(name), span, name);
            }
        }
    }
}
