//! From a request to everything that is known before the first resource is touched: parsed and checked template,
//! parameter values, conditions, order, and the changes that the deployment will make.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{ResourceRecord, StackRecord};
use super::request::{DeployError, DeployRequest};
use crate::environment::Environment;
use crate::graph::{self, Dependencies, Reference};
use crate::intrinsics::{self, Evaluator, Lookup, NoResources, Pseudo, Resources, Scope};
use crate::limits::STACK_NAME_CHARS_MAX;
use crate::parameters::{self, ParameterError, Resolved, resolve_dynamic};
use crate::problem::{Problem, TemplateError};
use crate::providers::provider;
use crate::providers::schema::{Findings, normalise};
use crate::template::{OutputDecl, Template};

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeAction {
    /// It is created.
    Add,
    /// It is changed in place, or replaced.
    Modify,
    /// It is deleted (or kept and forgotten, if its policy says so).
    Remove,
}

/// One change of a [`Plan`], as DescribeChangeSet shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happens.
    pub action: ChangeAction,
    /// Name in the template.
    pub logical_id: String,
    /// `AWS::SQS::Queue` …
    pub kind: String,
    /// What exists now; `None` for what is added.
    pub physical_id: Option<String>,
    /// For `Modify`: whether a new resource takes its place.
    pub replacement: bool,
    /// For `Modify`: names of the properties that differ.
    pub properties: Vec<String>,
}

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whether the stack exists.
    pub is_update: bool,
    /// Changes in the order in which they would be made; removals last.
    pub changes: Vec<Change>,
    /// Whether outputs change.
    pub outputs_change: bool,
    /// What would be accepted without being carried out.
    pub warnings: Vec<String>,
}

/// A request that passed all checks.
pub(super) struct Prepared {
    pub(super) template: Template,
    pub(super) pseudo: Pseudo,
    pub(super) parameters: Resolved,
    pub(super) conditions: BTreeMap<String, bool>,
    pub(super) exports: BTreeMap<String, String>,
    /// Logical ids of the resources that shall exist, each after those it needs.
    pub(super) order: Vec<String>,
    pub(super) needs: Dependencies,
    pub(super) changes: Vec<Change>,
    pub(super) outputs_change: bool,
    pub(super) warnings: Vec<Problem>,
}

impl Prepared {
    pub(super) fn scope<'a>(&'a self, resources: &'a dyn Resources) -> Scope<'a> {
        Scope {
            template: &self.template,
            pseudo: &self.pseudo,
            parameters: &self.parameters.values,
            conditions: &self.conditions,
            resources,
            exports: &self.exports,
        }
    }

    /// Outputs whose condition holds.
    pub(super) fn active_outputs(&self) -> impl Iterator<Item = (&String, &OutputDecl)> {
        self.template
            .outputs
            .iter()
            .filter(|(_, output)| holds(&self.conditions, output.condition.as_deref()))
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.changes.is_empty() && !self.outputs_change
    }
}

fn holds(conditions: &BTreeMap<String, bool>, condition: Option<&str>) -> bool {
    condition.is_none_or(|name| conditions.get(name).copied().unwrap_or(false))
}

/// Checks a request against what exists. Nothing is changed.
///
/// Errors: every problem that can be found without creating anything.
pub(super) async fn prepare(
    environment: Environment<'_>,
    request: &DeployRequest,
    record: Option<&StackRecord>,
    stack_id: &str,
) -> Result<Prepared, DeployError> {
    check_name(&request.stack_name)?;
    let template = Template::parse(&request.template)?;
    let pseudo = Pseudo {
        account: environment.account.clone(),
        stack_name: request.stack_name.clone(),
        stack_id: stack_id.to_owned(),
    };
    // Parameters of the operation that was interrupted count as previous ones, too.
    let previous =
        record.map(|record| record.operation.as_ref().map_or(&record.parameters, |op| &op.parameters));
    let none = BTreeMap::new();
    let parameters = parameters::resolve(
        &template,
        &request.parameters,
        previous.unwrap_or(&none),
        environment.parameters,
    )
    .await;
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(ParameterError::Store(error)) => return Err(error.into()),
        Err(ParameterError::Problems(problems)) => return Err(refused(&template, problems)),
    };
    let conditions = intrinsics::conditions(&template, &pseudo, &parameters.values)
        .map_err(|problems| refused(&template, problems))?;
    let exports = other_exports(environment, &request.stack_name).await?;
    let mut prepared = Prepared {
        template,
        pseudo,
        parameters,
        conditions,
        exports,
        order: Vec::new(),
        needs: BTreeMap::new(),
        changes: Vec::new(),
        outputs_change: false,
        warnings: Vec::new(),
    };
    intrinsics::check_rules(prepared.scope(&NoResources))
        .map_err(|problems| refused(&prepared.template, problems))?;
    check_references(&mut prepared, environment.inert_types)?;
    preview(&mut prepared, environment, record).await?;
    Ok(prepared)
}

fn refused(template: &Template, mut problems: Vec<Problem>) -> DeployError {
    for problem in &mut problems {
        template.locate(problem);
    }
    match TemplateError::check(problems) {
        Err(error) => error.into(),
        Ok(()) => TemplateError { problems: Vec::new() }.into(),
    }
}

fn check_name(name: &str) -> Result<(), DeployError> {
    let is_valid = name.len() <= STACK_NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_valid {
        return Ok(());
    }
    let message = format!(
        "Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: \
         [a-zA-Z][-a-zA-Z0-9]*, at most {STACK_NAME_CHARS_MAX} characters"
    );
    Err(TemplateError::from(Problem::new(message, "", 0)).into())
}

/// Exports of all stacks but this one.
async fn other_exports(
    environment: Environment<'_>,
    stack_name: &str,
) -> Result<BTreeMap<String, String>, DeployError> {
    let mut exports = BTreeMap::new();
    for other in environment.stacks.list().await? {
        if other.name != stack_name {
            for output in other.outputs {
                if let Some(name) = output.export_name {
                    exports.insert(name, output.value);
                }
            }
        }
    }
    Ok(exports)
}

/// Types, conditions, references and their order; fills in `order` and `needs`.
fn check_references(prepared: &mut Prepared, inert_types: &[String]) -> Result<(), DeployError> {
    let template = &prepared.template;
    let mut problems = Vec::new();
    let active: Vec<String> = template
        .resources
        .iter()
        .filter(|(_, decl)| holds(&prepared.conditions, decl.condition.as_deref()))
        .map(|(name, _)| name.clone())
        .collect();
    let exists: BTreeSet<&str> = active.iter().map(String::as_str).collect();
    check_conditions(template, &mut problems);
    let mut needs = Dependencies::new();
    let checker = ReferenceChecker { template, exists: &exists, inert_types };
    for name in &active {
        let decl = &template.resources[name];
        if provider(&decl.kind, inert_types).is_none() {
            let message = format!(
                "Template format error: Unrecognized resource types: [{}] (resource {name})",
                decl.kind
            );
            problems.push(Problem::new(message, format!("Resources/{name}/Type"), 0));
        }
        let mut found = Vec::new();
        graph::references(&decl.properties, &prepared.conditions, &mut found);
        let place = format!("Resources/{name}/Properties");
        let mut needed = BTreeSet::new();
        for reference in &found {
            checker.check(reference, &place, "Resources", &mut problems);
            if exists.contains(reference.name.as_str()) {
                needed.insert(reference.name.clone());
            }
        }
        for other in &decl.depends_on {
            if exists.contains(other.as_str()) {
                needed.insert(other.clone());
            } else if !template.resources.contains_key(other) {
                let message = unresolved(other, "Resources");
                problems.push(Problem::new(message, format!("Resources/{name}/DependsOn"), 0));
            }
        }
        needs.insert(name.clone(), needed);
    }
    check_outputs(prepared, &checker, &mut problems);
    let order = match graph::order(template, &active, &needs) {
        Ok(order) => order,
        Err(problem) => {
            problems.push(problem);
            Vec::new()
        }
    };
    if !problems.is_empty() {
        return Err(refused(template, problems));
    }
    prepared.order = order;
    prepared.needs = needs;
    Ok(())
}

fn check_outputs(prepared: &Prepared, checker: &ReferenceChecker<'_>, problems: &mut Vec<Problem>) {
    for (name, output) in prepared.active_outputs() {
        let mut found = Vec::new();
        graph::references(&output.value, &prepared.conditions, &mut found);
        for reference in &found {
            checker.check(reference, &format!("Outputs/{name}/Value"), "Outputs", problems);
        }
    }
}

fn unresolved(name: &str, section: &str) -> String {
    format!(
        "Template format error: Unresolved resource dependencies [{name}] in the {section} block of the template"
    )
}

fn check_conditions(template: &Template, problems: &mut Vec<Problem>) {
    let resources =
        template.resources.iter().map(|(name, decl)| ("Resources", name, &decl.condition, decl.line));
    let outputs =
        template.outputs.iter().map(|(name, decl)| ("Outputs", name, &decl.condition, decl.value.line));
    for (section, name, condition, line) in resources.chain(outputs) {
        if let Some(condition) =
            condition.as_ref().filter(|condition| !template.conditions.contains_key(*condition))
        {
            let message = format!(
                "Template format error: Condition '{condition}' is not defined in the Conditions block of the template"
            );
            problems.push(Problem::new(message, format!("{section}/{name}/Condition"), line));
        }
    }
}

struct ReferenceChecker<'a> {
    template: &'a Template,
    exists: &'a BTreeSet<&'a str>,
    inert_types: &'a [String],
}

impl ReferenceChecker<'_> {
    fn check(&self, reference: &Reference, place: &str, section: &str, problems: &mut Vec<Problem>) {
        let name = reference.name.as_str();
        let Some(attribute) = &reference.attribute else {
            let is_known = self.exists.contains(name)
                || self.template.parameters.contains_key(name)
                || name.starts_with("AWS::");
            if !is_known {
                problems.push(Problem::new(unresolved(name, section), place, reference.line));
            }
            return;
        };
        if !self.exists.contains(name) {
            let message =
                format!("Template error: instance of Fn::GetAtt references undefined resource {name}");
            problems.push(Problem::new(message, place, reference.line));
            return;
        }
        let kind = &self.template.resources[name].kind;
        let Some(known) = provider(kind, self.inert_types).and_then(|provider| provider.attributes()) else {
            return;
        };
        if !known.contains(&attribute.as_str()) {
            let message = format!(
                "Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt; {kind} has \
                 [{}]",
                known.join(", ")
            );
            problems.push(Problem::new(message, place, reference.line));
        }
    }
}

/// The resources as they will be, as far as that is known: what is not touched has its values, the rest comes later.
struct Preview<'a> {
    record: Option<&'a StackRecord>,
    active: &'a BTreeSet<&'a str>,
    inert_types: &'a [String],
    /// `true`: replaced or new, `false`: changed in place.
    touched: BTreeMap<String, bool>,
}

impl Preview<'_> {
    /// Whether the attribute is the same after the deployment.
    fn keeps(&self, logical_id: &str, attribute: &str) -> bool {
        match self.touched.get(logical_id) {
            None => true,
            Some(true) => false,
            Some(false) => {
                let kind = self.existing(logical_id).map_or("", |resource| resource.kind.as_str());
                let provider = provider(kind, self.inert_types);
                provider.is_some_and(|provider| !provider.changes_attribute(attribute))
            }
        }
    }

    fn existing(&self, logical_id: &str) -> Option<&ResourceRecord> {
        self.record?.resources.get(logical_id).filter(|resource| resource.live.is_some())
    }
}

impl Resources for Preview<'_> {
    fn reference(&self, logical_id: &str) -> Lookup {
        if !self.active.contains(logical_id) {
            return Lookup::Missing;
        }
        match self.existing(logical_id).and_then(|resource| resource.live.as_ref()) {
            Some(live) if self.touched.get(logical_id) != Some(&true) => {
                Lookup::Value(Value::String(live.physical_id.clone()))
            }
            _ => Lookup::Later,
        }
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Lookup {
        if !self.active.contains(logical_id) {
            return Lookup::Missing;
        }
        let live = self.existing(logical_id).and_then(|resource| resource.live.as_ref());
        match live.and_then(|live| live.attributes.get(attribute)) {
            Some(value) if self.keeps(logical_id, attribute) => Lookup::Value(value.clone()),
            _ => Lookup::Later,
        }
    }
}

/// Evaluates everything as far as possible: finds wrong properties before anything is made, and the changes.
async fn preview(
    prepared: &mut Prepared,
    environment: Environment<'_>,
    record: Option<&StackRecord>,
) -> Result<(), DeployError> {
    let active: BTreeSet<&str> = prepared.order.iter().map(String::as_str).collect();
    let mut preview =
        Preview { record, active: &active, inert_types: environment.inert_types, touched: BTreeMap::new() };
    let mut changes = Vec::new();
    let mut findings = Findings::default();
    for logical_id in &prepared.order {
        let decl = &prepared.template.resources[logical_id];
        for attribute in &decl.without_effect {
            let place = format!("Resources/{logical_id}/{attribute}");
            findings.warnings.push(Problem::new(format!("{attribute} has no effect here"), place, decl.line));
        }
        let change = match preview_resource(prepared, environment, &preview, logical_id, &mut findings).await
        {
            Ok(change) => change,
            Err(problem) => {
                findings.problems.push(problem);
                continue;
            }
        };
        if let Some(change) = change {
            preview.touched.insert(logical_id.clone(), change.physical_id.is_none() || change.replacement);
            changes.push(change);
        }
    }
    let outputs_change = preview_outputs(prepared, &preview, record, &mut findings.problems);
    for (logical_id, resource) in record.iter().flat_map(|record| &record.resources) {
        if !active.contains(logical_id.as_str()) {
            changes.push(Change {
                action: ChangeAction::Remove,
                logical_id: logical_id.clone(),
                kind: resource.kind.clone(),
                physical_id: resource.live.as_ref().map(|live| live.physical_id.clone()),
                replacement: false,
                properties: Vec::new(),
            });
        }
    }
    if !findings.problems.is_empty() {
        return Err(refused(&prepared.template, findings.problems));
    }
    for warning in &mut findings.warnings {
        prepared.template.locate(warning);
    }
    prepared.changes = changes;
    prepared.outputs_change = outputs_change;
    prepared.warnings = findings.warnings;
    Ok(())
}

async fn preview_resource(
    prepared: &Prepared,
    environment: Environment<'_>,
    preview: &Preview<'_>,
    logical_id: &str,
    findings: &mut Findings,
) -> Result<Option<Change>, Problem> {
    let place = format!("Resources/{logical_id}/Properties");
    let decl = &prepared.template.resources[logical_id];
    let mut value =
        Evaluator::new(prepared.scope(preview), &place).value(&decl.properties)?.unwrap_or_default();
    resolve_dynamic(&mut value, environment.parameters)
        .await
        .map_err(|message| Problem::new(message, place.clone(), decl.line))?;
    let Some(provider) = provider(&decl.kind, environment.inert_types) else { return Ok(None) };
    let value = match provider.properties() {
        Some(properties) => normalise(properties, &value, &place, findings),
        None => value,
    };
    let mut change = Change {
        action: ChangeAction::Add,
        logical_id: logical_id.to_owned(),
        kind: decl.kind.clone(),
        physical_id: None,
        replacement: false,
        properties: Vec::new(),
    };
    let Some(existing) = preview.existing(logical_id) else { return Ok(Some(change)) };
    if existing.kind != decl.kind {
        let message = format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following \
             resources: [{logical_id}]"
        );
        return Err(Problem::new(message, format!("Resources/{logical_id}/Type"), decl.line));
    }
    if existing.properties == value && existing.pending.is_none() {
        return Ok(None);
    }
    change.action = ChangeAction::Modify;
    change.physical_id = existing.live.as_ref().map(|live| live.physical_id.clone());
    change.replacement = provider.replaces(&existing.properties, &value);
    let names =
        [&existing.properties, &value].into_iter().filter_map(Value::as_object).flat_map(|map| map.keys());
    let differing = names.filter(|name| existing.properties.get(*name) != value.get(*name)).cloned();
    change.properties = differing.collect::<BTreeSet<_>>().into_iter().collect();
    Ok(Some(change))
}

fn preview_outputs(
    prepared: &Prepared,
    preview: &Preview<'_>,
    record: Option<&StackRecord>,
    problems: &mut Vec<Problem>,
) -> bool {
    let mut before: BTreeMap<&str, _> = BTreeMap::new();
    for output in record.iter().flat_map(|record| &record.outputs) {
        before.insert(&output.key, output);
    }
    let mut change = false;
    for (key, decl) in prepared.active_outputs() {
        let mut evaluator = Evaluator::new(prepared.scope(preview), &format!("Outputs/{key}/Value"));
        let value = evaluator.text(&decl.value);
        let export = decl.export.as_ref().map(|export| {
            Evaluator::new(prepared.scope(preview), &format!("Outputs/{key}/Export/Name")).text(export)
        });
        match (value, export.transpose()) {
            (Ok(value), Ok(export)) => {
                let same = before.remove(key.as_str()).is_some_and(|old| {
                    old.value == value && old.export_name == export && old.description == decl.description
                });
                change |= !same;
            }
            (value, export) => problems.extend([value.err(), export.err()].into_iter().flatten()),
        }
    }
    change || !before.is_empty()
}
