//! Stacks: from what they are to what a template says, with CloudFormation's statuses, events and rollback.
//!
//! The record ([`StackRecord`]) is saved before and after every step. The module `prepare` checks everything that can be
//! checked first; `run` makes and changes resources in dependency order; `undo` rolls back, cleans up
//! and deletes. This file decides which of these happens when.
//!
//! Differences from AWS, on purpose: resources are made one after the other; a new deployment of a stack in
//! `ROLLBACK_COMPLETE` (or with an interrupted or failed operation) is not refused but goes on from there.

mod assembly_run;
mod prepare;
mod record;
mod request;
mod run;
mod undo;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use stepwell_aws::BoxFuture;

pub use assembly_run::{AssemblyFailure, AssemblyOptions, delete_assembly, deploy_assembly};
pub use prepare::{Change, ChangeAction, Plan};
pub use record::{
    Leftover, OnFailure, Operation, OperationKind, Output, ResourceRecord, ResourceStatus, StackEvent,
    StackRecord, StackStatus, StackStore, Undo,
};
pub use request::{Action, DeployError, DeployRequest, Failure, ResourceResult, StackResult};
pub use run::EventSink;

use crate::environment::Environment;
use crate::intrinsics::Evaluator;
use prepare::{Prepared, prepare};
use run::{Run, StepError};

/// Creates the stack, or updates it to the template of the request.
///
/// Errors: [`DeployError::Template`] before anything is done; [`DeployError::Failed`] with the result after a failure
/// was rolled back (or left, as [`OnFailure`] says).
pub async fn deploy(
    environment: Environment<'_>,
    request: &DeployRequest,
    sink: EventSink<'_>,
) -> Result<StackResult, DeployError> {
    bring(environment, request, sink, None, 0).await
}

/// As [`deploy`], for a stack within the stack `parent_id`. Boxed, because stacks may nest in each other.
pub(crate) fn deploy_nested<'a>(
    environment: Environment<'a>,
    request: &'a DeployRequest,
    sink: EventSink<'a>,
    parent_id: &'a str,
    nesting: u32,
) -> BoxFuture<'a, Result<StackResult, DeployError>> {
    Box::pin(bring(environment, request, sink, Some(parent_id), nesting))
}

/// As [`delete_stack`], boxed, because stacks may nest in each other.
pub(crate) fn delete_nested<'a>(
    environment: Environment<'a>,
    stack_name: &'a str,
    sink: EventSink<'a>,
) -> BoxFuture<'a, Result<StackResult, DeployError>> {
    Box::pin(delete_stack(environment, stack_name, sink))
}

async fn bring(
    environment: Environment<'_>,
    request: &DeployRequest,
    sink: EventSink<'_>,
    parent_id: Option<&str>,
    nesting: u32,
) -> Result<StackResult, DeployError> {
    let mut existing = environment.stacks.load(&request.stack_name).await?;
    if let Some(record) = existing.take() {
        existing = settled(environment, record, sink).await?;
    }
    let stack_id = match &existing {
        Some(record) => record.id.clone(),
        None => {
            let uuid = environment.host.uuid();
            environment.account.arn("cloudformation", &format!("stack/{}/{uuid}", request.stack_name))
        }
    };
    let prepared = prepare(environment, request, existing.as_ref(), &stack_id).await?;
    let operation = Operation {
        kind: match existing.as_ref().map(|record| &record.operation) {
            None => OperationKind::Create,
            Some(Some(interrupted)) => interrupted.kind,
            Some(None) => OperationKind::Update,
        },
        template: request.template.clone(),
        parameters: prepared.parameters.texts.clone(),
        tags: request.tags.clone(),
        on_failure: request.on_failure,
    };
    let record = match existing {
        None => StackRecord {
            parent_id: parent_id.map(str::to_owned),
            ..new_record(environment, request, stack_id)
        },
        Some(record) => record,
    };
    let is_settled = record.operation.is_none() && operation.kind == OperationKind::Update;
    if is_settled && prepared.is_unchanged() {
        return unchanged(environment, record, &prepared, operation).await;
    }
    let run = Run { nesting, ..Run::new(environment, record, sink) };
    carry_out(run, &prepared, operation).await
}

/// What [`deploy`] would do. Nothing is changed.
///
/// Errors: as those of [`deploy`] before anything is done.
pub async fn plan(environment: Environment<'_>, request: &DeployRequest) -> Result<Plan, DeployError> {
    let existing = environment.stacks.load(&request.stack_name).await?;
    let existing = existing.filter(|record| !is_to_be_made_anew(record.status));
    let id = existing.as_ref().map_or_else(String::new, |record| record.id.clone());
    let prepared = prepare(environment, request, existing.as_ref(), &id).await?;
    Ok(Plan {
        is_update: existing.is_some(),
        warnings: prepared.warnings.iter().map(ToString::to_string).collect(),
        changes: prepared.changes,
        outputs_change: prepared.outputs_change,
    })
}

/// Goes on with an operation that was interrupted: a creation or update towards its template, a rollback or deletion
/// to its end. `None` where nothing is to be done.
///
/// Errors: as those of [`deploy`] and [`delete_stack`].
pub async fn resume(
    environment: Environment<'_>,
    stack_name: &str,
    sink: EventSink<'_>,
) -> Result<Option<StackResult>, DeployError> {
    let Some(record) = environment.stacks.load(stack_name).await? else { return Ok(None) };
    if !record.status.is_in_progress() {
        return Ok(None);
    }
    if record.status == StackStatus::DeleteInProgress {
        return delete_stack(environment, stack_name, sink).await.map(Some);
    }
    let Some(operation) = record.operation.clone() else { return Ok(None) };
    let is_rolling_back = matches!(
        record.status,
        StackStatus::RollbackInProgress
            | StackStatus::UpdateRollbackInProgress
            | StackStatus::UpdateRollbackCompleteCleanupInProgress
    );
    if is_rolling_back {
        let mut run = Run::new(environment, record, sink);
        roll_back(&mut run, operation.kind).await?;
        return Ok(Some(finished(&run, Action::Updated, Vec::new())));
    }
    let request = DeployRequest {
        stack_name: record.name.clone(),
        template: operation.template,
        parameters: operation.parameters,
        tags: operation.tags,
        on_failure: operation.on_failure,
    };
    deploy(environment, &request, sink).await.map(Some)
}

/// Deletes the stack and its resources; those with a `Retain` policy stay.
///
/// Errors: no such stack; another stack imports from it; a resource that cannot be deleted
/// ([`DeployError::Failed`], the stack is in `DELETE_FAILED` then).
pub async fn delete_stack(
    environment: Environment<'_>,
    stack_name: &str,
    sink: EventSink<'_>,
) -> Result<StackResult, DeployError> {
    let Some(record) = environment.stacks.load(stack_name).await? else {
        return Err(DeployError::NotFound(stack_name.to_owned()));
    };
    let exported = record.outputs.iter().filter_map(|output| output.export_name.as_deref());
    for name in exported {
        let users = importers(environment, stack_name, name).await?;
        if !users.is_empty() {
            let message =
                format!("Export {name} cannot be deleted as it is in use by {}", users.join(" and "));
            return Err(DeployError::InUse(message));
        }
    }
    let mut run = Run::new(environment, record, sink);
    run.record.updated_ms = Some(environment.host.now_ms());
    run.stack_status(StackStatus::DeleteInProgress, Some("User Initiated".to_owned())).await?;
    if !run.delete_all().await? {
        let failures = failed_resources(&run.record);
        return Err(DeployError::Failed(Box::new(finished(&run, Action::Deleted, failures))));
    }
    run.record.outputs.clear();
    run.record.operation = None;
    run.stack_status(StackStatus::DeleteComplete, None).await?;
    environment.stacks.delete(&run.record).await?;
    Ok(finished(&run, Action::Deleted, Vec::new()))
}

/// A stack in one of these statuses has nothing that an update could start from.
fn is_to_be_made_anew(status: StackStatus) -> bool {
    matches!(
        status,
        StackStatus::RollbackComplete
            | StackStatus::RollbackFailed
            | StackStatus::DeleteComplete
            | StackStatus::ReviewInProgress
    )
}

/// Brings a record that a new deployment finds into a state it can start from; `None`: the stack is to be made anew.
async fn settled(
    environment: Environment<'_>,
    record: StackRecord,
    sink: EventSink<'_>,
) -> Result<Option<StackRecord>, DeployError> {
    match record.status {
        status if is_to_be_made_anew(status) => {
            let mut run = Run::new(environment, record, sink);
            if run.delete_all().await? { Ok(None) } else { Err(stuck(&run, Action::Deleted)) }
        }
        StackStatus::DeleteInProgress | StackStatus::DeleteFailed => {
            delete_stack(environment, &record.name, sink).await?;
            Ok(None)
        }
        StackStatus::RollbackInProgress => {
            let mut run = Run::new(environment, record, sink);
            roll_back(&mut run, OperationKind::Create).await?;
            if run.record.status == StackStatus::RollbackComplete {
                Ok(None)
            } else {
                Err(stuck(&run, Action::Created))
            }
        }
        StackStatus::UpdateRollbackInProgress
        | StackStatus::UpdateRollbackFailed
        | StackStatus::UpdateRollbackCompleteCleanupInProgress => {
            let mut run = Run::new(environment, record, sink);
            roll_back(&mut run, OperationKind::Update).await?;
            let is_done = run.record.status == StackStatus::UpdateRollbackComplete;
            if is_done { Ok(Some(run.record)) } else { Err(stuck(&run, Action::Updated)) }
        }
        _ => Ok(Some(record)),
    }
}

fn stuck(run: &Run<'_>, action: Action) -> DeployError {
    DeployError::Failed(Box::new(finished(run, action, failed_resources(&run.record))))
}

fn failed_resources(record: &StackRecord) -> Vec<Failure> {
    let failed = record.resources.iter().filter_map(|(logical_id, resource)| {
        let reason = resource.reason.clone()?;
        Some(Failure { logical_id: logical_id.clone(), kind: resource.kind.clone(), reason })
    });
    failed.collect()
}

fn new_record(environment: Environment<'_>, request: &DeployRequest, id: String) -> StackRecord {
    StackRecord {
        format: 1,
        name: request.stack_name.clone(),
        id,
        parent_id: None,
        status: StackStatus::CreateInProgress,
        status_reason: None,
        description: None,
        created_ms: environment.host.now_ms(),
        updated_ms: None,
        template: String::new(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        resources: IndexMap::new(),
        leftovers: Vec::new(),
        outputs: Vec::new(),
        imports: Vec::new(),
        operation: None,
        creations: 0,
        events: Vec::new(),
    }
}

/// Nothing to make or change; the text of the template may differ in what has no effect, so it is kept.
async fn unchanged(
    environment: Environment<'_>,
    mut record: StackRecord,
    prepared: &Prepared,
    operation: Operation,
) -> Result<StackResult, DeployError> {
    for (logical_id, resource) in &mut record.resources {
        if let Some(decl) = prepared.template.resources.get(logical_id) {
            resource.deletion_policy = decl.deletion_policy.unwrap_or_default();
            resource.update_replace_policy = decl.update_replace_policy.unwrap_or_default();
        }
    }
    let before = record.clone();
    adopt(&mut record, prepared, operation);
    if record != before {
        environment.stacks.save(&record).await?;
    }
    let mut result = StackResult::of(&record, Action::Unchanged);
    result.warnings = prepared.warnings.iter().map(ToString::to_string).collect();
    Ok(result)
}

/// The operation is complete: what it aimed at is what the stack is.
fn adopt(record: &mut StackRecord, prepared: &Prepared, operation: Operation) {
    record.template = operation.template;
    record.parameters = operation.parameters;
    record.tags = operation.tags;
    record.description.clone_from(&prepared.template.description);
    record.operation = None;
}

async fn carry_out(
    mut run: Run<'_>,
    prepared: &Prepared,
    operation: Operation,
) -> Result<StackResult, DeployError> {
    let kind = operation.kind;
    let (begin, action) = match kind {
        OperationKind::Create => (StackStatus::CreateInProgress, Action::Created),
        OperationKind::Update => (StackStatus::UpdateInProgress, Action::Updated),
    };
    if kind == OperationKind::Update {
        run.record.updated_ms = Some(run.environment.host.now_ms());
    }
    let imports_before = std::mem::take(&mut run.record.imports);
    run.record.operation = Some(operation.clone());
    run.stack_status(begin, Some("User Initiated".to_owned())).await?;
    for warning in &prepared.warnings {
        run.warn(warning.to_string());
    }
    let outcome = resources_and_outputs(&mut run, prepared).await;
    match outcome {
        Ok(()) => {}
        Err(StepError::Store(error)) => return Err(error.into()),
        Err(StepError::Resource(failure)) => {
            run.record.imports = imports_before;
            return Err(fail(run, &operation, failure, action).await?);
        }
    }
    match kind {
        OperationKind::Create => {
            run.clean_up(&prepared.order).await?;
            adopt(&mut run.record, prepared, operation);
            run.stack_status(StackStatus::CreateComplete, None).await?;
        }
        OperationKind::Update => {
            run.stack_status(StackStatus::UpdateCompleteCleanupInProgress, None).await?;
            run.clean_up(&prepared.order).await?;
            adopt(&mut run.record, prepared, operation);
            run.stack_status(StackStatus::UpdateComplete, None).await?;
        }
    }
    Ok(finished(&run, action, Vec::new()))
}

async fn resources_and_outputs(run: &mut Run<'_>, prepared: &Prepared) -> Result<(), StepError> {
    for logical_id in &prepared.order {
        run.step(prepared, logical_id).await?;
    }
    let failure = |reason: String| {
        let kind = String::new();
        StepError::Resource(Failure { logical_id: "Outputs".to_owned(), kind, reason })
    };
    let outputs = evaluate_outputs(run, prepared).map_err(failure)?;
    if let Some(reason) = export_conflict(run, prepared, &outputs).await? {
        return Err(failure(reason));
    }
    run.record.outputs = outputs;
    Ok(())
}

fn evaluate_outputs(run: &mut Run<'_>, prepared: &Prepared) -> Result<Vec<Output>, String> {
    let mut outputs = Vec::new();
    let mut imports = Vec::new();
    for (key, decl) in prepared.active_outputs() {
        let mut evaluator = Evaluator::new(prepared.scope(&run.record), &format!("Outputs/{key}/Value"));
        let value = evaluator.text(&decl.value).map_err(|problem| problem.to_string())?;
        let export_name = match &decl.export {
            None => None,
            Some(export) => Some(evaluator.text(export).map_err(|problem| problem.to_string())?),
        };
        imports.extend(evaluator.imports().iter().cloned());
        outputs.push(Output { key: key.clone(), value, description: decl.description.clone(), export_name });
    }
    for name in imports {
        if !run.record.imports.contains(&name) {
            run.record.imports.push(name);
        }
    }
    Ok(outputs)
}

/// Why the exports may not become what `outputs` says.
async fn export_conflict(
    run: &Run<'_>,
    prepared: &Prepared,
    outputs: &[Output],
) -> Result<Option<String>, StepError> {
    let mut names = BTreeMap::new();
    for output in outputs {
        let Some(name) = &output.export_name else { continue };
        if prepared.exports.contains_key(name) || names.insert(name.as_str(), output.value.as_str()).is_some()
        {
            return Ok(Some(format!(
                "Export with name {name} is already exported by another stack or output"
            )));
        }
    }
    for output in &run.record.outputs {
        let Some(name) = &output.export_name else { continue };
        let now = names.get(name.as_str()).copied();
        if now == Some(output.value.as_str()) {
            continue;
        }
        let users = importers(run.environment, &run.record.name, name).await?;
        if !users.is_empty() {
            let what = if now.is_some() { "updated" } else { "deleted" };
            let users = users.join(" and ");
            return Ok(Some(format!("Export {name} cannot be {what} as it is in use by {users}")));
        }
    }
    Ok(None)
}

/// Names of the other stacks that import `export`.
async fn importers(
    environment: Environment<'_>,
    stack_name: &str,
    export: &str,
) -> Result<Vec<String>, crate::environment::StoreError> {
    let stacks = environment.stacks.list().await?;
    let users = stacks
        .into_iter()
        .filter(|other| other.name != stack_name && other.imports.iter().any(|name| name == export));
    Ok(users.map(|other| other.name).collect())
}

/// After a failure: what the request wants done about it, then the error that tells all.
async fn fail(
    mut run: Run<'_>,
    operation: &Operation,
    failure: Failure,
    action: Action,
) -> Result<DeployError, DeployError> {
    let reason = match failure.kind.as_str() {
        "" => failure.reason.clone(),
        _ => format!("The following resource(s) failed to create or update: [{}]. ", failure.logical_id),
    };
    let failures = vec![failure];
    match (operation.on_failure, operation.kind) {
        (OnFailure::DoNothing, OperationKind::Create) => {
            run.stack_status(StackStatus::CreateFailed, Some(reason)).await?;
        }
        (OnFailure::DoNothing, OperationKind::Update) => {
            run.stack_status(StackStatus::UpdateFailed, Some(reason)).await?;
        }
        (OnFailure::Delete, OperationKind::Create) => {
            run.stack_status(StackStatus::DeleteInProgress, Some(reason)).await?;
            // Undone rather than deleted, because what was only made by this run goes even if it is to be retained
            // "except on create".
            if run.undo_all().await? {
                run.stack_status(StackStatus::DeleteComplete, None).await?;
                run.environment.stacks.delete(&run.record).await?;
            } else {
                run.stack_status(StackStatus::DeleteFailed, None).await?;
            }
        }
        (OnFailure::Rollback | OnFailure::Delete, kind) => {
            let status = match kind {
                OperationKind::Create => StackStatus::RollbackInProgress,
                OperationKind::Update => StackStatus::UpdateRollbackInProgress,
            };
            run.stack_status(status, Some(format!("{reason}Rollback requested by user."))).await?;
            roll_back(&mut run, kind).await?;
        }
    }
    Ok(DeployError::Failed(Box::new(finished(&run, action, failures))))
}

/// Undoes the current operation and ends it.
async fn roll_back(run: &mut Run<'_>, kind: OperationKind) -> Result<(), DeployError> {
    let is_clean = run.undo_all().await?;
    let (good, bad) = match kind {
        OperationKind::Create => (StackStatus::RollbackComplete, StackStatus::RollbackFailed),
        OperationKind::Update => (StackStatus::UpdateRollbackComplete, StackStatus::UpdateRollbackFailed),
    };
    if is_clean {
        run.record.operation = None;
        run.stack_status(good, None).await?;
    } else {
        let failed: Vec<String> =
            failed_resources(&run.record).into_iter().map(|failure| failure.logical_id).collect();
        let reason = format!("The following resource(s) failed to roll back: [{}]. ", failed.join(", "));
        run.stack_status(bad, Some(reason)).await?;
    }
    Ok(())
}

fn finished(run: &Run<'_>, action: Action, failures: Vec<Failure>) -> StackResult {
    let mut result = StackResult::of(&run.record, action);
    result.failures = failures;
    result.warnings =
        std::mem::take(&mut *run.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    result
}
