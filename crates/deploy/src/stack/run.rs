//! One run over a stack: the record with its events, saved at every step, and the steps that make and change
//! resources.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::prepare::Prepared;
use super::record::{Leftover, ResourceRecord, ResourceStatus, StackEvent, StackRecord, StackStatus, Undo};
use super::request::Failure;
use crate::environment::{Environment, StoreError};
use crate::intrinsics::{Evaluator, Lookup, Resources};
use crate::limits::EVENTS_MAX;
use crate::parameters::resolve_dynamic;
use crate::providers::schema::{Findings, normalise};
use crate::providers::{Live, Provider, ProviderError, ResourceContext, provider};

/// Is told every event as it happens.
pub type EventSink<'a> = &'a (dyn Fn(&StackEvent) + Send + Sync);

/// Why a step did not succeed.
pub(super) enum StepError {
    /// The resource could not be made as it should be.
    Resource(Failure),
    /// The record could not be saved.
    Store(StoreError),
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        StepError::Store(error)
    }
}

/// A stack that is being worked on.
pub(super) struct Run<'a> {
    pub(super) environment: Environment<'a>,
    pub(super) record: StackRecord,
    pub(super) sink: EventSink<'a>,
    pub(super) warnings: Mutex<Vec<String>>,
    /// How many stacks this one is in.
    pub(super) nesting: u32,
}

impl<'a> Run<'a> {
    pub(super) fn new(environment: Environment<'a>, record: StackRecord, sink: EventSink<'a>) -> Self {
        Run { environment, record, sink, warnings: Mutex::new(Vec::new()), nesting: 0 }
    }

    pub(super) async fn save(&self) -> Result<(), StoreError> {
        self.environment.stacks.save(&self.record).await
    }

    pub(super) fn warn(&self, text: String) {
        self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
    }

    /// Sets the status of the stack, tells it, and saves.
    pub(super) async fn stack_status(
        &mut self,
        status: StackStatus,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        self.record.status = status;
        self.record.status_reason.clone_from(&reason);
        let (name, id) = (self.record.name.clone(), self.record.id.clone());
        self.event(&name, &id, "AWS::CloudFormation::Stack", status.to_string(), reason);
        self.save().await
    }

    pub(super) fn event(
        &mut self,
        logical_id: &str,
        physical_id: &str,
        kind: &str,
        status: String,
        reason: Option<String>,
    ) {
        let event = StackEvent {
            id: self.environment.host.uuid(),
            at_ms: self.environment.host.now_ms(),
            stack_name: self.record.name.clone(),
            stack_id: self.record.id.clone(),
            logical_id: logical_id.to_owned(),
            physical_id: physical_id.to_owned(),
            kind: kind.to_owned(),
            status,
            reason,
        };
        (self.sink)(&event);
        if self.record.events.len() >= EVENTS_MAX {
            self.record.events.drain(..EVENTS_MAX / 4);
        }
        self.record.events.push(event);
    }

    /// Sets the status of a resource, tells it, and saves.
    pub(super) async fn resource_status(
        &mut self,
        logical_id: &str,
        status: ResourceStatus,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        let now = self.environment.host.now_ms();
        if let Some(resource) = self.record.resources.get_mut(logical_id) {
            resource.status = status;
            resource.reason.clone_from(&reason);
            resource.changed_ms = now;
            let (kind, physical) = (resource.kind.clone(), physical_id(resource));
            self.event(logical_id, &physical, &kind, status.to_string(), reason);
        }
        self.save().await
    }

    pub(super) fn context<'r>(
        &'r self,
        logical_id: &'r str,
        generation: u64,
        resuming: bool,
    ) -> ResourceContext<'r> {
        ResourceContext {
            environment: self.environment,
            stack_name: &self.record.name,
            stack_id: &self.record.id,
            logical_id,
            generation,
            resuming,
            warnings: &self.warnings,
            sink: self.sink,
            nesting: self.nesting,
        }
    }

    pub(super) fn provider(&self, kind: &str) -> Result<Box<dyn Provider>, ProviderError> {
        provider(kind, self.environment.inert_types)
            .ok_or_else(|| ProviderError::new(format!("Unrecognized resource types: [{kind}]")))
    }

    /// Brings one resource to what the template says.
    pub(super) async fn step(&mut self, prepared: &Prepared, logical_id: &str) -> Result<(), StepError> {
        let decl = &prepared.template.resources[logical_id];
        let target = match self.evaluate(prepared, logical_id).await {
            Ok(target) => target,
            Err(reason) => return self.failed(logical_id, &decl.kind, reason).await,
        };
        let existing = self.record.resources.get(logical_id).cloned();
        let outcome = match existing {
            None => self.create(prepared, logical_id, target, None).await,
            Some(existing) if existing.live.is_none() => {
                self.create(prepared, logical_id, target, Some(existing)).await
            }
            Some(existing) => {
                let is_same = existing.properties == target && existing.pending.is_none();
                let provider = self.provider(&existing.kind);
                match provider {
                    Err(error) => Err(error.into()),
                    Ok(_) if is_same => Ok(()),
                    Ok(provider) if provider.replaces(&existing.properties, &target) => {
                        self.replace(prepared, logical_id, target, existing, &*provider).await
                    }
                    Ok(provider) => self.change(logical_id, target, existing, &*provider).await,
                }
            }
        };
        match outcome {
            Ok(()) => {
                let needs = prepared.needs.get(logical_id);
                if let Some(resource) = self.record.resources.get_mut(logical_id) {
                    resource.depends_on = needs.into_iter().flatten().cloned().collect();
                    resource.deletion_policy = decl.deletion_policy.unwrap_or_default();
                    resource.update_replace_policy = decl.update_replace_policy.unwrap_or_default();
                }
                Ok(())
            }
            Err(Trouble::Store(error)) => Err(error.into()),
            Err(Trouble::Provider(error)) => self.failed(logical_id, &decl.kind, error.reason).await,
        }
    }

    /// Records the failure of a resource.
    async fn failed(&mut self, logical_id: &str, kind: &str, reason: String) -> Result<(), StepError> {
        match self.record.resources.get(logical_id).map(|resource| &resource.undo) {
            Some(Some(Undo::Created)) => {
                self.resource_status(logical_id, ResourceStatus::CreateFailed, Some(reason.clone())).await?;
            }
            Some(_) => {
                self.resource_status(logical_id, ResourceStatus::UpdateFailed, Some(reason.clone())).await?;
            }
            None => {
                self.event(
                    logical_id,
                    "",
                    kind,
                    ResourceStatus::CreateFailed.to_string(),
                    Some(reason.clone()),
                );
                self.save().await?;
            }
        }
        Err(StepError::Resource(Failure { logical_id: logical_id.to_owned(), kind: kind.to_owned(), reason }))
    }

    /// The properties with everything evaluated, as the provider takes them.
    async fn evaluate(&mut self, prepared: &Prepared, logical_id: &str) -> Result<Value, String> {
        let decl = &prepared.template.resources[logical_id];
        let place = format!("Resources/{logical_id}/Properties");
        let (value, imports) = {
            let mut evaluator = Evaluator::new(prepared.scope(&self.record), &place);
            let value = evaluator.value(&decl.properties).map_err(|problem| problem.to_string())?;
            (value, evaluator.imports().clone())
        };
        for name in imports {
            if !self.record.imports.contains(&name) {
                self.record.imports.push(name);
            }
        }
        let mut value = value.unwrap_or_else(|| json!({}));
        resolve_dynamic(&mut value, self.environment.parameters).await?;
        let provider = self.provider(&decl.kind).map_err(|error| error.reason)?;
        let Some(properties) = provider.properties() else { return Ok(value) };
        let mut findings = Findings::default();
        let value = normalise(properties, &value, &place, &mut findings);
        match findings.problems.first() {
            None => Ok(value),
            Some(problem) => Err(problem.to_string()),
        }
    }

    async fn create(
        &mut self,
        prepared: &Prepared,
        logical_id: &str,
        target: Value,
        interrupted: Option<ResourceRecord>,
    ) -> Result<(), Trouble> {
        let decl = &prepared.template.resources[logical_id];
        let resuming = interrupted.as_ref().is_some_and(|resource| resource.creating);
        let generation = match &interrupted {
            Some(resource) if resuming => resource.generation,
            _ => {
                self.record.creations += 1;
                self.record.creations
            }
        };
        let resource = ResourceRecord {
            kind: decl.kind.clone(),
            live: None,
            properties: target.clone(),
            pending: None,
            status: ResourceStatus::CreateInProgress,
            reason: None,
            changed_ms: self.environment.host.now_ms(),
            deletion_policy: decl.deletion_policy.unwrap_or_default(),
            update_replace_policy: decl.update_replace_policy.unwrap_or_default(),
            depends_on: prepared.needs.get(logical_id).into_iter().flatten().cloned().collect(),
            generation,
            creating: true,
            undo: Some(interrupted.and_then(|resource| resource.undo).unwrap_or(Undo::Created)),
        };
        let is_replacement = matches!(resource.undo, Some(Undo::Replaced { .. }));
        let provider = self.provider(&decl.kind)?;
        self.record.resources.insert(logical_id.to_owned(), resource);
        let (begin, end, reason) = if is_replacement {
            let reason =
                "Requested update requires the creation of a new physical resource; hence creating one.";
            (ResourceStatus::UpdateInProgress, ResourceStatus::UpdateComplete, Some(reason.to_owned()))
        } else {
            (ResourceStatus::CreateInProgress, ResourceStatus::CreateComplete, None)
        };
        self.resource_status(logical_id, begin, reason).await?;
        let made = provider.create(&self.context(logical_id, generation, resuming), &target).await;
        let live = match &made {
            Ok(live) => Some(live.clone()),
            Err(error) => error.partial.clone(),
        };
        if let Some(resource) = self.record.resources.get_mut(logical_id) {
            resource.creating = false;
            resource.live = live;
        }
        made?;
        Ok(self.resource_status(logical_id, end, None).await?)
    }

    async fn replace(
        &mut self,
        prepared: &Prepared,
        logical_id: &str,
        target: Value,
        existing: ResourceRecord,
        provider: &dyn Provider,
    ) -> Result<(), Trouble> {
        let name = |properties: &Value| {
            provider
                .name_property()
                .and_then(|name| properties.get(name))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        if let Some(name) = name(&target)
            && existing.properties.get(provider.name_property().unwrap_or_default()).and_then(Value::as_str)
                == Some(&name)
        {
            return Err(ProviderError::new(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} \
                 and update the stack again."
            ))
            .into());
        }
        let Some(live) = existing.live.clone() else {
            return self.create(prepared, logical_id, target, Some(existing)).await;
        };
        let applied = existing.pending.clone().unwrap_or_else(|| existing.properties.clone());
        let undo = match existing.undo.clone() {
            None => Undo::Replaced { live, properties: existing.properties.clone(), applied },
            Some(Undo::Updated { live, properties }) => Undo::Replaced { live, properties, applied },
            // Made by the same operation before it was interrupted: not what a rollback goes back to, only to be
            // deleted at the end.
            Some(earlier) => {
                self.record.leftovers.push(Leftover {
                    logical_id: logical_id.to_owned(),
                    kind: existing.kind.clone(),
                    live,
                    properties: existing.properties.clone(),
                    policy: existing.update_replace_policy,
                });
                earlier
            }
        };
        let successor = ResourceRecord { live: None, creating: false, undo: Some(undo), ..existing };
        self.create(prepared, logical_id, target, Some(successor)).await
    }

    async fn change(
        &mut self,
        logical_id: &str,
        target: Value,
        existing: ResourceRecord,
        provider: &dyn Provider,
    ) -> Result<(), Trouble> {
        let Some(live) = existing.live.clone() else { return Ok(()) };
        if let Some(resource) = self.record.resources.get_mut(logical_id) {
            resource.pending = Some(target.clone());
            if resource.undo.is_none() {
                resource.undo =
                    Some(Undo::Updated { live: live.clone(), properties: existing.properties.clone() });
            }
        }
        self.resource_status(logical_id, ResourceStatus::UpdateInProgress, None).await?;
        let cx = self.context(logical_id, existing.generation, false);
        // An interrupted change may have got through in part, so both what was and what was wanted count as old.
        let olds = existing.pending.iter().chain([&existing.properties]);
        let changed = apply(provider, &cx, &live, olds, &target).await;
        let live = changed?;
        if let Some(resource) = self.record.resources.get_mut(logical_id) {
            resource.live = Some(live);
            resource.properties = target;
            resource.pending = None;
        }
        Ok(self.resource_status(logical_id, ResourceStatus::UpdateComplete, None).await?)
    }
}

/// Changes a resource to `target` from each of several states it may be in.
pub(super) async fn apply<'o>(
    provider: &dyn Provider,
    cx: &ResourceContext<'_>,
    live: &Live,
    olds: impl Iterator<Item = &'o Value>,
    target: &Value,
) -> Result<Live, ProviderError> {
    let mut live = live.clone();
    for old in olds {
        if old != target {
            live = provider.update(cx, &live, old, target).await?;
        }
    }
    Ok(live)
}

pub(super) fn physical_id(resource: &ResourceRecord) -> String {
    resource.live.as_ref().map_or_else(String::new, |live| live.physical_id.clone())
}

/// What can go wrong while a resource is made.
enum Trouble {
    Provider(ProviderError),
    Store(StoreError),
}

impl From<ProviderError> for Trouble {
    fn from(error: ProviderError) -> Self {
        Trouble::Provider(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Store(error)
    }
}

impl Resources for StackRecord {
    fn reference(&self, logical_id: &str) -> Lookup {
        match self.resources.get(logical_id).and_then(|resource| resource.live.as_ref()) {
            Some(live) => Lookup::Value(Value::String(live.physical_id.clone())),
            None => Lookup::Missing,
        }
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Lookup {
        let live = self.resources.get(logical_id).and_then(|resource| resource.live.as_ref());
        match live.and_then(|live| live.attributes.get(attribute)) {
            Some(value) => Lookup::Value(value.clone()),
            None => Lookup::Missing,
        }
    }
}
