//! From connected states to the States Language: finds what belongs to the machine, checks it, writes it.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use crate::NESTING_MAX;
use crate::draft::{Handle, Next, Node};
use crate::errors::BuildError;
use crate::language::QueryLanguage;

/// Names are 1 to 80 characters long. Source: Amazon States Language, "States".
const NAME_CHARS_MAX: usize = 80;

/// Fields of a state in the order in which people read them; others follow.
const FIELD_ORDER: [&str; 32] = [
    "Type",
    "QueryLanguage",
    "Comment",
    "InputPath",
    "Items",
    "ItemsPath",
    "ItemSelector",
    "Resource",
    "Parameters",
    "Arguments",
    "Credentials",
    "Result",
    "Seconds",
    "SecondsPath",
    "Timestamp",
    "TimestampPath",
    "Error",
    "ErrorPath",
    "Cause",
    "CausePath",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "HeartbeatSeconds",
    "HeartbeatSecondsPath",
    "Choices",
    "Default",
    "ResultSelector",
    "ResultPath",
    "OutputPath",
    "Output",
    "Assign",
    "Retry",
];

/// `StartAt` and `States` of the machine that begins at `start`; `language` is that of the machine.
pub(crate) fn machine(
    start: &Handle,
    language: QueryLanguage,
) -> Result<Map<String, Value>, Vec<BuildError>> {
    start.read(|nodes, reported, start| {
        let plan = Plan::of(nodes, start);
        let mut errors = reported.to_vec();
        errors.extend(plan.problems(nodes));
        let graph = if plan.shared.is_empty() {
            Writer { nodes, plan: &plan, language, errors: &mut errors }.container(ROOT, start, 0)
        } else {
            // A branch that shares states with its surroundings may contain itself.
            Map::new()
        };
        if errors.is_empty() { Ok(graph) } else { Err(errors) }
    })
}

/// A sequence of states that lead only to each other: the machine, a branch, an item processor. The index counts them.
type Container = usize;

const ROOT: Container = 0;

/// Which state belongs where.
struct Plan {
    container_of: HashMap<usize, Container>,
    /// The Parallel or Map around each container.
    owner: Vec<Option<usize>>,
    /// States of each container in the order in which they are found.
    members: Vec<Vec<usize>>,
    /// Containers of each Parallel or Map, in order.
    inside: HashMap<usize, Vec<Container>>,
    /// States found in a second container, with the first.
    shared: Vec<(usize, Container)>,
}

impl Plan {
    fn of(nodes: &[Node], start: usize) -> Plan {
        let mut plan = Plan {
            container_of: HashMap::new(),
            owner: vec![None],
            members: vec![Vec::new()],
            inside: HashMap::new(),
            shared: Vec::new(),
        };
        let mut shared_seen = HashSet::new();
        let mut open = VecDeque::from([(start, ROOT)]);
        while let Some((index, container)) = open.pop_front() {
            let Some(node) = nodes.get(index) else { continue };
            if let Some(&known) = plan.container_of.get(&index) {
                if known != container && shared_seen.insert(index) {
                    plan.shared.push((index, known));
                }
                continue;
            }
            plan.container_of.insert(index, container);
            plan.members[container].push(index);
            open.extend(node.targets(true).map(|to| (to, container)));
            for inner in node.branches.iter().chain(&node.processor) {
                let new = plan.owner.len();
                plan.owner.push(Some(index));
                plan.members.push(Vec::new());
                plan.inside.entry(index).or_default().push(new);
                open.push_back((*inner, new));
            }
        }
        plan
    }

    fn problems(&self, nodes: &[Node]) -> Vec<BuildError> {
        let mut problems = Vec::new();
        for (index, first) in &self.shared {
            let inside = self.owner[*first].map_or("the state machine", |owner| nodes[owner].name.as_str());
            problems.push(BuildError::SharedBetweenBranches {
                state: nodes[*index].name.clone(),
                inside: inside.to_owned(),
            });
        }
        let mut names = HashSet::new();
        let mut doubled = HashSet::new();
        for index in self.members.iter().flatten() {
            let name = nodes[*index].name.as_str();
            if !names.insert(name) && doubled.insert(name) {
                problems.push(BuildError::DuplicateStateName { name: name.to_owned() });
            }
            if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
                problems.push(BuildError::InvalidStateName { name: name.to_owned() });
            }
        }
        for (index, node) in nodes.iter().enumerate() {
            if !self.container_of.contains_key(&index) {
                problems.push(BuildError::Unreachable { state: node.name.clone() });
            }
        }
        problems
    }
}

struct Writer<'a> {
    nodes: &'a [Node],
    plan: &'a Plan,
    language: QueryLanguage,
    errors: &'a mut Vec<BuildError>,
}

impl Writer<'_> {
    fn container(&mut self, container: Container, start: usize, depth: usize) -> Map<String, Value> {
        let mut states = Map::new();
        for index in &self.plan.members[container] {
            let state = self.state(*index, depth);
            states.insert(self.nodes[*index].name.clone(), Value::Object(state));
        }
        let mut object = Map::new();
        object.insert("StartAt".into(), self.name(start));
        object.insert("States".into(), Value::Object(states));
        object
    }

    fn state(&mut self, index: usize, depth: usize) -> Map<String, Value> {
        let node = &self.nodes[index];
        let mut fields = Map::new();
        let language = node.language.unwrap_or(self.language);
        if let Err(error) = node.specific.borrow().render(&node.name, language, &mut fields) {
            self.errors.push(error);
        }
        // As the CDK has it: a state inside of another says its own language even where the machine has the same.
        if let Some(own) = node.language
            && (depth > 0 || own != self.language)
        {
            fields.insert("QueryLanguage".into(), own.as_str().into());
        }
        for (field, value) in &node.common {
            fields.insert(field.clone(), value.clone());
        }
        self.choices(node, &mut fields);
        self.error_handling(node, &mut fields);
        let mut fields = in_reading_order(fields);
        self.containers(index, &mut fields, depth);
        match node.next {
            Some(Next::To(to)) => fields.insert("Next".into(), self.name(to)),
            Some(Next::End) => fields.insert("End".into(), true.into()),
            None => None,
        };
        fields
    }

    fn choices(&mut self, node: &Node, fields: &mut Map<String, Value>) {
        if fields.get("Type").and_then(Value::as_str) != Some("Choice") {
            return;
        }
        if node.choices.is_empty() {
            self.errors.push(BuildError::ChoiceWithoutRules { state: node.name.clone() });
        }
        let rules = node.choices.iter().map(|(rule, to)| self.with_next(rule, *to)).collect();
        fields.insert("Choices".into(), Value::Array(rules));
        if let Some(default) = node.default {
            fields.insert("Default".into(), self.name(default));
        }
    }

    fn error_handling(&mut self, node: &Node, fields: &mut Map<String, Value>) {
        let retriers: Vec<Value> = node.retries.iter().cloned().map(Value::Object).collect();
        let catchers: Vec<Value> =
            node.catches.iter().map(|(catcher, to)| self.with_next(catcher, *to)).collect();
        for (field, added) in [("Retry", retriers), ("Catch", catchers)] {
            if added.is_empty() {
                continue;
            }
            if fields.insert(field.into(), Value::Array(added)).is_some() {
                let problem =
                    format!("{field} is in the JSON of the state and added in code; use one of them");
                self.errors.push(BuildError::InvalidSettings { state: node.name.clone(), problem });
            }
        }
    }

    fn containers(&mut self, index: usize, fields: &mut Map<String, Value>, depth: usize) {
        let node = &self.nodes[index];
        if depth >= NESTING_MAX && !(node.branches.is_empty() && node.processor.is_none()) {
            self.errors.push(BuildError::TooDeeplyNested { state: node.name.clone() });
            return;
        }
        let inside = self.plan.inside.get(&index).map_or(&[] as &[Container], Vec::as_slice);
        let is = |kind: &str| fields.get("Type").and_then(Value::as_str) == Some(kind);
        if let (Some(start), [container]) = (node.processor, inside) {
            let mut processor = match fields.shift_remove("ItemProcessor") {
                Some(Value::Object(config)) => config,
                _ => Map::new(),
            };
            processor.extend(self.container(*container, start, depth + 1));
            fields.insert("ItemProcessor".into(), Value::Object(processor));
        } else if !node.branches.is_empty() {
            let pairs = inside.iter().zip(&node.branches);
            let branches = pairs
                .map(|(container, start)| Value::Object(self.container(*container, *start, depth + 1)))
                .collect();
            fields.insert("Branches".into(), Value::Array(branches));
        } else if is("Parallel") && !fields.contains_key("Branches") {
            self.empty(node, "give it a branch with branch()");
        } else if is("Map") && !has_processor(fields) {
            self.empty(node, "give it states with item_processor()");
        }
    }

    fn empty(&mut self, node: &Node, remedy: &'static str) {
        self.errors.push(BuildError::EmptyContainer { state: node.name.clone(), remedy });
    }

    fn with_next(&self, fields: &Map<String, Value>, to: usize) -> Value {
        let mut fields = fields.clone();
        fields.insert("Next".into(), self.name(to));
        Value::Object(fields)
    }

    fn name(&self, index: usize) -> Value {
        self.nodes[index].name.clone().into()
    }
}

/// Whether a Map has states inside, given as JSON.
fn has_processor(fields: &Map<String, Value>) -> bool {
    ["ItemProcessor", "Iterator"]
        .iter()
        .any(|field| fields.get(*field).is_some_and(|inside| inside.get("StartAt").is_some()))
}

fn in_reading_order(mut fields: Map<String, Value>) -> Map<String, Value> {
    let mut ordered = Map::new();
    for field in FIELD_ORDER {
        if let Some(value) = fields.shift_remove(field) {
            ordered.insert(field.to_owned(), value);
        }
    }
    ordered.extend(fields);
    ordered
}
