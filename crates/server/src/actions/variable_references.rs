//! `variableReferences`: which variables each state reads.

use serde_json::{Map, Value};
use stepwell_asl::Program;

/// Puts the states that read variables, with the names in alphabetical order, into an answer; nothing where no state
/// does.
pub(super) fn show(program: &Program, metadata_only: bool, answer: &mut Value) {
    let mut references = Map::new();
    for state in program.states.iter().filter(|state| !state.variable_references.is_empty()) {
        let names: Vec<&str> = state.variable_references.iter().map(|name| &**name).collect();
        references.insert(state.name.to_string(), names.into());
    }
    if !references.is_empty() && !metadata_only {
        answer["variableReferences"] = references.into();
    }
}
