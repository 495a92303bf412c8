//! The sections of a template, each read into its declaration; everything wrong is collected, not just the first.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Template;
use super::node::{Node, NodeValue};
use crate::limits::{CONDITIONS_MAX, MAPPINGS_MAX, OUTPUTS_MAX, PARAMETERS_MAX, RESOURCES_MAX};
use crate::problem::Problem;

/// One entry of `Parameters`.
#[derive(Debug, Clone, Default)]
pub struct ParameterDecl {
    /// `String`, `Number`, `CommaDelimitedList`, `AWS::SSM::Parameter::Value<String>` …
    pub kind: String,
    /// `Default`, as text.
    pub default: Option<String>,
    /// `AllowedValues`, as texts; empty where all are allowed.
    pub allowed_values: Vec<String>,
    /// `AllowedPattern`, matched against the whole value.
    pub allowed_pattern: Option<String>,
    /// `MinLength` and `MaxLength`, in characters.
    pub length: (Option<u64>, Option<u64>),
    /// `MinValue` and `MaxValue`.
    pub range: (Option<f64>, Option<f64>),
    /// `ConstraintDescription`: the text that replaces our own when a constraint is broken.
    pub constraint_description: Option<String>,
    /// `NoEcho`: the value is shown as `****`.
    pub no_echo: bool,
    /// Line of the declaration.
    pub line: u32,
}

/// One entry of `Rules`: assertions that hold if the condition does.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `RuleCondition`.
    pub condition: Option<Node>,
    /// `Assertions`: each expression with its `AssertDescription`.
    pub assertions: Vec<(Node, Option<String>)>,
}

/// What happens to a resource that is no longer wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays and is forgotten.
    Retain,
    /// It stays, unless the operation that created it is rolled back.
    RetainExceptOnCreate,
}

/// One entry of `Resources`.
#[derive(Debug, Clone)]
pub struct ResourceDecl {
    /// `Type`: `AWS::SQS::Queue` …
    pub kind: String,
    /// `Properties`, not evaluated; a map (empty where absent).
    pub properties: Node,
    /// `DependsOn`.
    pub depends_on: Vec<String>,
    /// `Condition`: the name of the condition under which the resource exists.
    pub condition: Option<String>,
    /// `DeletionPolicy`; `None` where the template does not say.
    pub deletion_policy: Option<DeletionPolicy>,
    /// `UpdateReplacePolicy`; `None` where the template does not say.
    pub update_replace_policy: Option<DeletionPolicy>,
    /// Attributes that are accepted and have no effect here (`UpdatePolicy`, `CreationPolicy`).
    pub without_effect: Vec<String>,
    /// Line of the declaration.
    pub line: u32,
}

/// One entry of `Outputs`.
#[derive(Debug, Clone)]
pub struct OutputDecl {
    /// `Value`, not evaluated.
    pub value: Node,
    /// `Description`.
    pub description: Option<String>,
    /// `Condition`.
    pub condition: Option<String>,
    /// `Export.Name`, not evaluated.
    pub export: Option<Node>,
}

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// Reads the sections of the parsed text.
pub(super) fn read(template: &mut Template, problems: &mut Vec<Problem>) {
    let root = template.root.clone();
    let Some(sections) = root.as_map() else {
        problems.push(Problem::new("Template format error: unsupported structure.", "", root.line));
        return;
    };
    let mut report =
        |message: String, place: &str, line: u32| problems.push(Problem::new(message, place, line));
    for (name, section) in sections {
        if !SECTIONS.contains(&name.as_str()) {
            let message = format!("Template format error: Invalid template property or properties [{name}]");
            report(message, name, section.line);
        }
    }
    if let Some(version) = sections.get("AWSTemplateFormatVersion")
        && version.scalar_text().as_deref() != Some("2010-09-09")
    {
        let message = "Template format error: AWSTemplateFormatVersion must be 2010-09-09".to_owned();
        report(message, "AWSTemplateFormatVersion", version.line);
    }
    for refused in ["Transform", "Hooks"] {
        if let Some(section) = sections.get(refused) {
            let named = section.scalar_text().unwrap_or_else(|| section.to_json().to_string());
            report(format!("{refused} is not supported: {named}"), refused, section.line);
        }
    }
    template.description = sections.get("Description").and_then(Node::scalar_text);
    let mut reader = Reader { problems };
    template.parameters = reader.section(sections, "Parameters", PARAMETERS_MAX, Reader::parameter);
    template.mappings = reader.section(sections, "Mappings", MAPPINGS_MAX, Reader::mapping);
    template.conditions =
        reader.section(sections, "Conditions", CONDITIONS_MAX, |_, _, node| Some(node.clone()));
    template.rules = reader.section(sections, "Rules", CONDITIONS_MAX, Reader::rule);
    template.resources = reader.section(sections, "Resources", RESOURCES_MAX, Reader::resource);
    template.outputs = reader.section(sections, "Outputs", OUTPUTS_MAX, Reader::output);
    // An empty section was already said to be no map, or is missing as a whole.
    if template.resources.is_empty() && problems.is_empty() {
        let message = "Template format error: At least one Resources member must be defined.";
        problems.push(Problem::new(message, "Resources", 0));
    }
}

struct Reader<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Reader<'_> {
    fn report(&mut self, message: impl Into<String>, place: &str, line: u32) {
        self.problems.push(Problem::new(message, place, line));
    }

    fn section<T>(
        &mut self,
        sections: &IndexMap<String, Node>,
        name: &str,
        entries_max: usize,
        read: impl Fn(&mut Self, &str, &Node) -> Option<T>,
    ) -> IndexMap<String, T> {
        let Some(section) = sections.get(name) else { return IndexMap::new() };
        let entries = match &section.value {
            NodeValue::Map(entries) => entries,
            NodeValue::Null => return IndexMap::new(),
            _ => {
                let message = format!("Template format error: {name} must be an object.");
                self.report(message, name, section.line);
                return IndexMap::new();
            }
        };
        if entries.len() > entries_max {
            let message = format!(
                "Template format error: Number of {}, {}, is greater than maximum allowed, {entries_max}",
                name.to_lowercase(),
                entries.len()
            );
            self.report(message, name, section.line);
            return IndexMap::new();
        }
        let mut declared = IndexMap::with_capacity(entries.len());
        for (key, node) in entries {
            let place = format!("{name}/{key}");
            if let Some(entry) = read(self, &place, node) {
                declared.insert(key.clone(), entry);
            }
        }
        declared
    }

    fn mapping(&mut self, place: &str, node: &Node) -> Option<Node> {
        let well_formed =
            node.as_map().is_some_and(|keys| keys.values().all(|inner| inner.as_map().is_some()));
        if !well_formed {
            let message = "Template format error: Every Mappings member must be a map of maps.";
            self.report(message, place, node.line);
        }
        well_formed.then(|| node.clone())
    }

    fn parameter(&mut self, place: &str, node: &Node) -> Option<ParameterDecl> {
        let kind = node.get("Type").and_then(Node::as_text).map(str::to_owned);
        let Some(kind) = kind else {
            let message = "Template format error: Every Parameters object must contain a Type member.";
            self.report(message, place, node.line);
            return None;
        };
        let text = |key: &str| node.get(key).and_then(Node::scalar_text);
        let allowed = node.get("AllowedValues").and_then(Node::as_list).unwrap_or_default();
        Some(ParameterDecl {
            kind,
            default: text("Default"),
            allowed_values: allowed.iter().filter_map(Node::scalar_text).collect(),
            allowed_pattern: text("AllowedPattern"),
            length: (number(text("MinLength")), number(text("MaxLength"))),
            range: (number(text("MinValue")), number(text("MaxValue"))),
            constraint_description: text("ConstraintDescription"),
            no_echo: text("NoEcho").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            line: node.line,
        })
    }

    fn rule(&mut self, place: &str, node: &Node) -> Option<Rule> {
        let Some(assertions) = node.get("Assertions").and_then(Node::as_list) else {
            self.report(
                "Template format error: Every Rules object must contain Assertions.",
                place,
                node.line,
            );
            return None;
        };
        let mut read = Vec::with_capacity(assertions.len());
        for assertion in assertions {
            let Some(expression) = assertion.get("Assert") else {
                self.report(
                    "Template format error: Every assertion must contain an Assert.",
                    place,
                    assertion.line,
                );
                continue;
            };
            let description = assertion.get("AssertDescription").and_then(Node::scalar_text);
            read.push((expression.clone(), description));
        }
        Some(Rule { condition: node.get("RuleCondition").cloned(), assertions: read })
    }

    fn resource(&mut self, place: &str, node: &Node) -> Option<ResourceDecl> {
        self.resource_name(place, node.line);
        let Some(members) = node.as_map() else {
            self.report("Template format error: Any Resources member must be an object.", place, node.line);
            return None;
        };
        let Some(kind) = members.get("Type").and_then(Node::as_text) else {
            let message = "Template format error: Every Resources object must contain a Type member.";
            self.report(message, place, node.line);
            return None;
        };
        let mut without_effect = Vec::new();
        for (key, member) in members {
            match key.as_str() {
                "Type" | "Properties" | "DependsOn" | "Condition" | "Metadata" => {}
                "DeletionPolicy" | "UpdateReplacePolicy" => {}
                "CreationPolicy" | "UpdatePolicy" => without_effect.push(key.clone()),
                _ => {
                    let message =
                        format!("Template format error: Invalid template resource property '{key}'");
                    self.report(message, &format!("{place}/{key}"), member.line);
                }
            }
        }
        let empty = Node { line: node.line, value: NodeValue::Map(IndexMap::new()) };
        let properties = match members.get("Properties") {
            None | Some(Node { value: NodeValue::Null, .. }) => empty,
            Some(properties) if properties.as_map().is_some() && properties.as_function().is_none() => {
                properties.clone()
            }
            Some(other) => {
                let message = "Template format error: Every Properties member must be an object.";
                self.report(message, &format!("{place}/Properties"), other.line);
                empty
            }
        };
        Some(ResourceDecl {
            kind: kind.to_owned(),
            properties,
            depends_on: self.names(members.get("DependsOn"), &format!("{place}/DependsOn")),
            condition: self.name(members.get("Condition"), &format!("{place}/Condition")),
            deletion_policy: self.policy(members, "DeletionPolicy", place),
            update_replace_policy: self.policy(members, "UpdateReplacePolicy", place),
            without_effect,
            line: node.line,
        })
    }

    fn resource_name(&mut self, place: &str, line: u32) {
        let name = place.rsplit('/').next().unwrap_or_default();
        if name.is_empty()
            || name.len() > 255
            || !place["Resources/".len()..].bytes().all(|b| b.is_ascii_alphanumeric())
        {
            let message = format!(
                "Template format error: Resource name {} is non alphanumeric.",
                &place["Resources/".len()..]
            );
            self.report(message, place, line);
        }
    }

    fn policy(&mut self, members: &IndexMap<String, Node>, key: &str, place: &str) -> Option<DeletionPolicy> {
        let node = members.get(key)?;
        match node.as_text() {
            Some("Delete") => Some(DeletionPolicy::Delete),
            Some("Retain") => Some(DeletionPolicy::Retain),
            Some("RetainExceptOnCreate") if key == "DeletionPolicy" => {
                Some(DeletionPolicy::RetainExceptOnCreate)
            }
            Some("Snapshot") => {
                let message = format!("Template error: resource type does not support {key} Snapshot");
                self.report(message, &format!("{place}/{key}"), node.line);
                None
            }
            _ => {
                let message = format!("Template format error: Unrecognized {key} {}", node.to_json());
                self.report(message, &format!("{place}/{key}"), node.line);
                None
            }
        }
    }

    fn name(&mut self, node: Option<&Node>, place: &str) -> Option<String> {
        let node = node?;
        let name = node.as_text().map(str::to_owned);
        if name.is_none() {
            self.report("Template format error: a name is expected here.", place, node.line);
        }
        name
    }

    fn names(&mut self, node: Option<&Node>, place: &str) -> Vec<String> {
        match node.map(|node| &node.value) {
            None => Vec::new(),
            Some(NodeValue::List(items)) => {
                items.iter().filter_map(|item| self.name(Some(item), place)).collect()
            }
            Some(_) => self.name(node, place).into_iter().collect(),
        }
    }

    fn output(&mut self, place: &str, node: &Node) -> Option<OutputDecl> {
        let Some(value) = node.get("Value") else {
            let message = "Template format error: Every Outputs member must contain a Value object";
            self.report(message, place, node.line);
            return None;
        };
        let export = match node.get("Export") {
            None => None,
            Some(export) => {
                let name = export.get("Name").cloned();
                if name.is_none() {
                    let message = "Template format error: Export must contain a Name.";
                    self.report(message, &format!("{place}/Export"), export.line);
                }
                name
            }
        };
        Some(OutputDecl {
            value: value.clone(),
            description: node.get("Description").and_then(Node::scalar_text),
            condition: self.name(node.get("Condition"), &format!("{place}/Condition")),
            export,
        })
    }
}

fn number<T: std::str::FromStr>(text: Option<String>) -> Option<T> {
    text?.trim().parse().ok()
}
