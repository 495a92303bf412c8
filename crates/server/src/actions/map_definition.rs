//! The definition of a Distributed Map state by itself, as its label and its child executions name it: the processor
//! that is in the machine's definition.

use serde_json::Value;

/// The processor of the Map state that has this `Label`.
pub(super) fn by_label(definition: &str, label: &str) -> Option<Value> {
    find(&serde_json::from_str(definition).ok()?, &|_, state| state["Label"] == label)
}

/// The processor of the Map state called `name`; names are a state's alone in the whole machine.
pub(super) fn by_name(definition: &str, name: &str) -> Option<Value> {
    find(&serde_json::from_str(definition).ok()?, &|found, _| found == name)
}

/// The names of all states in a definition or a part of one.
pub(super) fn state_names(part: &Value) -> Vec<&str> {
    let mut names = Vec::new();
    for (name, state) in states(part) {
        names.push(name);
        names.extend(parts(state).flat_map(state_names));
    }
    names
}

/// The reader of JSON limits the depth, and so the recursion.
fn find(part: &Value, wanted: &impl Fn(&str, &Value) -> bool) -> Option<Value> {
    states(part).find_map(|(name, state)| match processor(state) {
        Some(found) if wanted(name, state) => Some(found.clone()),
        _ => parts(state).find_map(|inner| find(inner, wanted)),
    })
}

fn states(part: &Value) -> impl Iterator<Item = (&str, &Value)> {
    part["States"].as_object().into_iter().flatten().map(|(name, state)| (name.as_str(), state))
}

fn processor(state: &Value) -> Option<&Value> {
    state.get("ItemProcessor").or_else(|| state.get("Iterator"))
}

/// What has states of its own in a state.
fn parts(state: &Value) -> impl Iterator<Item = &Value> {
    processor(state).into_iter().chain(state["Branches"].as_array().into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_are_found_at_any_depth() {
        let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
        let map = json!({"Type": "Map", "Label": "L", "ItemProcessor": inner, "End": true});
        let old = json!({"Type": "Map", "Iterator": {"States": {"M": map}}, "Next": "P"});
        let branches = json!([{"States": {"A": {"Type": "Pass"}}}, {"States": {"O": old}}]);
        let machine = json!({"States": {"P": {"Type": "Parallel", "Branches": branches}}});
        let text = machine.to_string();
        assert_eq!(by_label(&text, "L"), Some(inner.clone()));
        assert_eq!(by_name(&text, "M"), Some(inner));
        assert_eq!(by_name(&text, "O"), Some(json!({"States": {"M": map}})));
        assert_eq!((by_label(&text, "M"), by_name(&text, "I"), by_name("no JSON", "M")), (None, None, None));
        assert_eq!(state_names(&machine), ["P", "A", "O", "M", "I"]);
    }
}
