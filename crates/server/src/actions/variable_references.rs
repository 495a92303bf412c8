//! `variableReferences`: which variables each state reads.

use serde_json::{Map, Value};
use stepwell_asl::Program;

use super::map_definition::state_names;

/// Puts the states that read variables, with the names in alphabetical order, into an answer; nothing where no state
/// does. Of a `part` of the definition only its own states count.
pub(super) fn show(program: &Program, part: Option<&Value>, metadata_only: bool, answer: &mut Value) {
    let own = part.map(state_names);
    let is_own = |name: &str| own.as_ref().is_none_or(|own| own.contains(&name));
    let mut references = Map::new();
    for state in program.states.iter().filter(|s| !s.variable_references.is_empty() && is_own(&s.name)) {
        let names: Vec<&str> = state.variable_references.iter().map(|name| &**name).collect();
        references.insert(state.name.to_string(), names.into());
    }
    if !references.is_empty() && !metadata_only {
        answer["variableReferences"] = references.into();
    }
}
