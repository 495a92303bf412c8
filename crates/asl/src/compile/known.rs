//! Warnings about paths that lead nowhere in an input whose members are known: the only way into the state is from one
//! whose output the definition itself spells out.

use indexmap::IndexMap;

use super::Compiler;
use super::container::Siblings;
use super::fields::Fields;
use crate::choice::{Condition, Test};
use crate::path::Path;
use crate::program::{
    Items, PathField, QueryLanguage, ResultPath, State, StateId, StateKind, Transition, WaitUntil,
};
use crate::template::{Shape, Template};

impl Compiler {
    /// `PATH_NEVER_EXISTS`: the path looks for a member that the state's input does not have, so the state will fail.
    pub(super) fn warn_about_lost_paths(
        &mut self,
        start: Option<StateId>,
        states: &Fields<'_>,
        siblings: &Siblings,
    ) {
        let inputs = self.known_inputs(start, &siblings.ways_in());
        let mut found = Vec::new();
        for (id, from, shape) in &inputs {
            let (Some(state), Some(from)) = (self.compiled(*id), self.compiled(*from)) else { continue };
            for path in looked_up(state).into_iter().filter(|path| path.is_lost_in(shape)) {
                let message = format!(
                    "The path '{}' never leads to anything: what comes from the state '{}' has no such member",
                    path.text(),
                    from.name
                );
                found.push((state.name.clone(), message));
            }
        }
        for (name, message) in found {
            let span = states.node.member(&name).map(|member| member.name_span).unwrap_or_default();
            self.report.warning("PATH_NEVER_EXISTS", states.at_field(&name), span, message);
        }
    }

    /// The states whose input is known, with the state it comes from.
    fn known_inputs(
        &self,
        start: Option<StateId>,
        ways_in: &IndexMap<StateId, Vec<StateId>>,
    ) -> Vec<(StateId, StateId, Shape)> {
        let mut known: IndexMap<StateId, (StateId, Shape)> = IndexMap::new();
        let mut only_way: IndexMap<StateId, Vec<StateId>> = IndexMap::new();
        for (to, from) in ways_in {
            let [first, more @ ..] = from.as_slice() else { continue };
            if Some(*to) != start && to != first && more.iter().all(|other| other == first) {
                only_way.entry(*first).or_default().push(*to);
            }
        }
        let mut open: Vec<StateId> = only_way.keys().copied().collect();
        // A state is looked at anew when its own input becomes known; each becomes so at most once.
        while let Some(from) = open.pop() {
            let Some(state) = self.compiled(from) else { continue };
            let input = known.get(&from).map(|(_, shape)| shape);
            let Some(output) = output_of(state, input) else { continue };
            for to in only_way.get(&from).into_iter().flatten() {
                if goes_on_plainly(state, *to, ways_in) && !known.contains_key(to) {
                    known.insert(*to, (from, output.clone()));
                    open.push(*to);
                }
            }
        }
        let mut inputs: Vec<_> = known.into_iter().map(|(id, (from, shape))| (id, from, shape)).collect();
        inputs.sort_by_key(|(id, _, _)| *id);
        inputs
    }

    fn compiled(&self, id: StateId) -> Option<&State> {
        self.states.get(id.0 as usize).and_then(Option::as_ref)
    }
}

/// Whether the state goes to `to` with its output, and not from one of its catchers.
fn goes_on_plainly(state: &State, to: StateId, ways_in: &IndexMap<StateId, Vec<StateId>>) -> bool {
    let transition = match &state.kind {
        StateKind::Choice(_) => return true,
        StateKind::Pass(pass) => pass.transition,
        StateKind::Wait(wait) => wait.transition,
        StateKind::Task(task) => task.transition,
        _ => return false,
    };
    transition == Transition::Next(to) && ways_in.get(&to).is_some_and(|from| from.len() == 1)
}

/// What is known of the output of a state with this input.
fn output_of(state: &State, input: Option<&Shape>) -> Option<Shape> {
    if state.query_language != QueryLanguage::JsonPath {
        return None;
    }
    match &state.kind {
        StateKind::Pass(pass) => {
            let effective = || match (&pass.parameters, &pass.input_path) {
                (Some(template), _) => Some(template.shape()),
                (None, PathField::Whole) => input.cloned(),
                (None, _) => None,
            };
            match (&pass.result_path, &pass.output_path) {
                (ResultPath::Replace, PathField::Whole) => {
                    pass.result.clone().map(Shape::Value).or_else(effective)
                }
                (ResultPath::Discard, PathField::Whole) => input.cloned(),
                _ => None,
            }
        }
        StateKind::Task(task) => match (&task.result_path, &task.output_path) {
            (ResultPath::Replace, PathField::Whole) => task.result_selector.as_ref().map(Template::shape),
            (ResultPath::Discard, PathField::Whole) => input.cloned(),
            _ => None,
        },
        StateKind::Choice(choice) => whole(&choice.input_path, &choice.output_path, input),
        StateKind::Wait(wait) => whole(&wait.input_path, &wait.output_path, input),
        _ => None,
    }
}

fn whole(input_path: &PathField, output_path: &PathField, input: Option<&Shape>) -> Option<Shape> {
    let is_whole = |path: &PathField| matches!(path, PathField::Whole);
    if is_whole(input_path) && is_whole(output_path) { input.cloned() } else { None }
}

/// The paths that the state looks up in its input whatever happens, and fails if they lead nowhere.
fn looked_up(state: &State) -> Vec<&Path> {
    if state.query_language != QueryLanguage::JsonPath {
        return Vec::new();
    }
    let (input_path, mut paths) = match &state.kind {
        StateKind::Pass(pass) => {
            (&pass.input_path, pass.parameters.as_ref().map(Template::paths).unwrap_or_default())
        }
        StateKind::Task(task) => {
            (&task.input_path, task.parameters.as_ref().map(Template::paths).unwrap_or_default())
        }
        StateKind::Choice(choice) => {
            let conditions = choice.rules.iter().map(|rule| &rule.condition);
            (&choice.input_path, first_looked_up(conditions.collect()))
        }
        StateKind::Wait(wait) => match &wait.until {
            WaitUntil::SecondsPath(path) | WaitUntil::TimestampPath(path) => (&wait.input_path, vec![path]),
            _ => (&wait.input_path, Vec::new()),
        },
        StateKind::Map(map) => match &map.items {
            // With a reader the path leads into what that reads.
            Items::Path(path) if map.distributed.item_reader.is_none() => (&map.input_path, vec![path]),
            _ => (&map.input_path, Vec::new()),
        },
        StateKind::Parallel(parallel) => {
            (&parallel.input_path, parallel.parameters.as_ref().map(Template::paths).unwrap_or_default())
        }
        StateKind::Succeed(succeed) => (&succeed.input_path, Vec::new()),
        StateKind::Fail(_) => return Vec::new(),
    };
    match input_path {
        PathField::Whole => {}
        // What the others see is another document.
        PathField::Path(path) => paths = vec![path],
        PathField::Empty => paths.clear(),
    }
    paths.sort_by_key(|path| path.text());
    paths.dedup_by_key(|path| path.text());
    paths
}

/// The paths of the first rule up to where one may shield those after it: what comes later is looked up only if what
/// comes before did not match.
fn first_looked_up(rules: Vec<&Condition>) -> Vec<&Path> {
    let mut condition = rules.first().copied();
    while let Some(inner) = condition {
        condition = match inner {
            Condition::And(members) | Condition::Or(members) => members.first(),
            Condition::Not(member) => Some(member),
            Condition::Test { test: Test::IsPresent(_), .. } | Condition::Query(_) => None,
            Condition::Test { variable, .. } => return vec![variable],
        };
    }
    Vec::new()
}
