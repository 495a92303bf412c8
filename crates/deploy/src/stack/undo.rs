//! Undoing: rollback of a run that failed, cleaning up after one that succeeded, deleting a stack.

use std::collections::BTreeMap;

use super::record::{ResourceRecord, ResourceStatus, StackStatus, Undo};
use super::run::{Run, apply, physical_id};
use crate::environment::StoreError;
use crate::graph::{Dependencies, sort};
use crate::providers::{Live, ProviderError};
use crate::template::DeletionPolicy;

impl Run<'_> {
    /// Logical ids so that each comes before those it needs: the order of deletion.
    fn deletion_order(&self) -> Vec<String> {
        let names: Vec<String> = self.record.resources.keys().cloned().collect();
        let needs: Dependencies = self
            .record
            .resources
            .iter()
            .map(|(name, resource)| (name.clone(), resource.depends_on.iter().cloned().collect()))
            .collect::<BTreeMap<_, _>>();
        // Dependencies of old and new templates together may form a circle; then the order of creation has to do.
        let mut order = sort(&names, &needs).unwrap_or(names);
        order.reverse();
        order
    }

    /// Undoes what the current operation did to the resources. `true` if all of it could be undone.
    pub(super) async fn undo_all(&mut self) -> Result<bool, StoreError> {
        let mut is_clean = true;
        for logical_id in self.deletion_order() {
            let Some(resource) = self.record.resources.get(&logical_id).cloned() else { continue };
            let Some(undo) = resource.undo.clone() else {
                if resource.status == ResourceStatus::UpdateFailed {
                    // Its new properties could not even be evaluated; it is as it was.
                    self.resource_status(&logical_id, ResourceStatus::UpdateComplete, None).await?;
                }
                continue;
            };
            let outcome = match undo {
                Undo::Created => {
                    let keeps = resource.deletion_policy == DeletionPolicy::Retain;
                    self.remove(&logical_id, keeps).await?
                }
                Undo::Updated { live, properties } => {
                    self.resource_status(&logical_id, ResourceStatus::UpdateInProgress, None).await?;
                    let olds = [resource.pending.clone(), Some(resource.properties.clone())];
                    let olds: Vec<_> = olds.into_iter().flatten().collect();
                    let outcome = self.put_back(&logical_id, &live, olds, &properties).await;
                    self.restored(&logical_id, outcome, properties).await?
                }
                Undo::Replaced { live, properties, applied } => {
                    self.resource_status(&logical_id, ResourceStatus::UpdateInProgress, None).await?;
                    let outcome = self.put_back(&logical_id, &live, vec![applied], &properties).await;
                    if let (Ok(_), Some(successor)) = (&outcome, &resource.live)
                        && let Err(error) = self
                            .delete_live(&logical_id, &resource.kind, successor, &resource.properties)
                            .await
                    {
                        self.warn(format!(
                            "{logical_id}: {} is left over: {}",
                            successor.physical_id, error.reason
                        ));
                    }
                    self.restored(&logical_id, outcome, properties).await?
                }
            };
            is_clean &= outcome;
        }
        if is_clean {
            for leftover in std::mem::take(&mut self.record.leftovers) {
                let deleted = self
                    .delete_live(&leftover.logical_id, &leftover.kind, &leftover.live, &leftover.properties)
                    .await;
                if let Err(error) = deleted {
                    let text = format!(
                        "{}: {} is left over: {}",
                        leftover.logical_id, leftover.live.physical_id, error.reason
                    );
                    self.warn(text);
                }
            }
            self.save().await?;
        }
        Ok(is_clean)
    }

    async fn put_back(
        &self,
        logical_id: &str,
        live: &Live,
        olds: Vec<serde_json::Value>,
        properties: &serde_json::Value,
    ) -> Result<Live, ProviderError> {
        let Some(resource) = self.record.resources.get(logical_id) else { return Ok(live.clone()) };
        let provider = self.provider(&resource.kind)?;
        let cx = self.context(logical_id, resource.generation, false);
        apply(&*provider, &cx, live, olds.iter(), properties).await
    }

    async fn restored(
        &mut self,
        logical_id: &str,
        outcome: Result<Live, ProviderError>,
        properties: serde_json::Value,
    ) -> Result<bool, StoreError> {
        match outcome {
            Ok(live) => {
                if let Some(resource) = self.record.resources.get_mut(logical_id) {
                    resource.live = Some(live);
                    resource.properties = properties;
                    resource.pending = None;
                    resource.creating = false;
                    resource.undo = None;
                }
                self.resource_status(logical_id, ResourceStatus::UpdateComplete, None).await?;
                Ok(true)
            }
            Err(error) => {
                self.resource_status(logical_id, ResourceStatus::UpdateFailed, Some(error.reason)).await?;
                Ok(false)
            }
        }
    }

    /// Deletes a resource and takes it out of the record; `false` if that failed (it stays then).
    pub(super) async fn remove(&mut self, logical_id: &str, keeps: bool) -> Result<bool, StoreError> {
        let Some(mut resource) = self.record.resources.get(logical_id).cloned() else { return Ok(true) };
        if resource.creating && resource.live.is_none() && !keeps {
            resource.live = self.adopted(logical_id, &resource).await;
        }
        if let Some(live) = &resource.live {
            if keeps {
                self.resource_status(logical_id, ResourceStatus::DeleteSkipped, None).await?;
            } else {
                self.resource_status(logical_id, ResourceStatus::DeleteInProgress, None).await?;
                if let Err(error) =
                    self.delete_live(logical_id, &resource.kind, live, &resource.properties).await
                {
                    self.resource_status(logical_id, ResourceStatus::DeleteFailed, Some(error.reason))
                        .await?;
                    return Ok(false);
                }
                self.resource_status(logical_id, ResourceStatus::DeleteComplete, None).await?;
            }
        }
        self.record.resources.shift_remove(logical_id);
        self.save().await?;
        Ok(true)
    }

    /// What exists of a resource whose creation was interrupted: repeating the creation finds or makes it.
    async fn adopted(&self, logical_id: &str, resource: &ResourceRecord) -> Option<Live> {
        let provider = self.provider(&resource.kind).ok()?;
        let cx = self.context(logical_id, resource.generation, true);
        match provider.create(&cx, &resource.properties).await {
            Ok(live) => Some(live),
            Err(error) => error.partial,
        }
    }

    async fn delete_live(
        &self,
        logical_id: &str,
        kind: &str,
        live: &Live,
        properties: &serde_json::Value,
    ) -> Result<(), ProviderError> {
        let provider = self.provider(kind)?;
        provider.delete(&self.context(logical_id, 0, false), live, properties).await
    }

    /// Deletes what an update left behind: replaced resources, and those that are in the record but not in `wanted`.
    ///
    /// As on AWS, what cannot be deleted is let go, with an event and a warning.
    pub(super) async fn clean_up(&mut self, wanted: &[String]) -> Result<(), StoreError> {
        for logical_id in self.deletion_order() {
            let Some(resource) = self.record.resources.get(&logical_id).cloned() else { continue };
            if !wanted.contains(&logical_id) {
                let keeps = resource.deletion_policy != DeletionPolicy::Delete;
                if !self.remove(&logical_id, keeps).await? {
                    self.warn(format!(
                        "{logical_id}: {} could not be deleted and is left over",
                        physical_id(&resource)
                    ));
                    self.record.resources.shift_remove(&logical_id);
                    self.save().await?;
                }
                continue;
            }
            if let Some(Undo::Replaced { live, applied, .. }) = &resource.undo {
                let policy = resource.update_replace_policy;
                self.delete_replaced(&logical_id, &resource.kind, live, applied, policy).await?;
            }
            if let Some(resource) = self.record.resources.get_mut(&logical_id) {
                resource.undo = None;
            }
        }
        while let Some(leftover) = self.record.leftovers.first().cloned() {
            let (kind, live) = (&leftover.kind, &leftover.live);
            self.delete_replaced(&leftover.logical_id, kind, live, &leftover.properties, leftover.policy)
                .await?;
            self.record.leftovers.remove(0);
            self.save().await?;
        }
        self.save().await
    }

    async fn delete_replaced(
        &mut self,
        logical_id: &str,
        kind: &str,
        live: &Live,
        properties: &serde_json::Value,
        policy: DeletionPolicy,
    ) -> Result<(), StoreError> {
        let physical = live.physical_id.clone();
        if policy != DeletionPolicy::Delete {
            self.event(logical_id, &physical, kind, ResourceStatus::DeleteSkipped.to_string(), None);
            return self.save().await;
        }
        self.event(logical_id, &physical, kind, ResourceStatus::DeleteInProgress.to_string(), None);
        match self.delete_live(logical_id, kind, live, properties).await {
            Ok(()) => {
                self.event(logical_id, &physical, kind, ResourceStatus::DeleteComplete.to_string(), None)
            }
            Err(error) => {
                self.warn(format!(
                    "{logical_id}: {physical} could not be deleted and is left over: {}",
                    error.reason
                ));
                let status = ResourceStatus::DeleteFailed.to_string();
                self.event(logical_id, &physical, kind, status, Some(error.reason));
            }
        }
        self.save().await
    }

    /// Deletes all resources of the stack. `true` if none is left.
    pub(super) async fn delete_all(&mut self) -> Result<bool, StoreError> {
        let mut failed = Vec::new();
        for logical_id in self.deletion_order() {
            let policy = self.record.resources.get(&logical_id).map(|resource| resource.deletion_policy);
            let keeps = policy.is_some_and(|policy| policy != DeletionPolicy::Delete);
            // A replaced one that was not cleaned up goes, too.
            if let Some(resource) = self.record.resources.get(&logical_id).cloned()
                && let Some(Undo::Replaced { live, applied, .. }) = &resource.undo
            {
                let policy = resource.update_replace_policy;
                self.delete_replaced(&logical_id, &resource.kind, live, applied, policy).await?;
            }
            if !self.remove(&logical_id, keeps).await? {
                failed.push(logical_id);
            }
        }
        if failed.is_empty() {
            return Ok(true);
        }
        let reason = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
        self.stack_status(StackStatus::DeleteFailed, Some(reason)).await?;
        Ok(false)
    }
}
