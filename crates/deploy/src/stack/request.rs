//! What a deployment is asked for and what it answers: serializable, so that a client can ask a server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{OnFailure, Output, StackRecord, StackStatus};
use crate::environment::StoreError;
use crate::problem::TemplateError;

/// A stack to be created or updated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// Name of the stack: a letter, then letters, digits and hyphens.
    pub stack_name: String,
    /// Text of the template, JSON or YAML.
    pub template: String,
    /// Parameter values by name. Parameters of an existing stack that are left out keep their values.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Tags of the stack; recorded.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What a failure leads to.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What was done to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It is new.
    Created,
    /// It was changed.
    Updated,
    /// It already was what the template says.
    Unchanged,
    /// It was deleted.
    Deleted,
}

/// One resource of a [`StackResult`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceResult {
    /// Name in the template.
    pub logical_id: String,
    /// `AWS::SQS::Queue` …
    pub kind: String,
    /// What `Ref` gives.
    pub physical_id: String,
    /// `CREATE_COMPLETE` …
    pub status: String,
}

/// A resource (or an output, the kind is empty then) because of which a deployment failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Name in the template.
    pub logical_id: String,
    /// `AWS::SQS::Queue` …
    pub kind: String,
    /// Why, for a person to read.
    pub reason: String,
}

/// The end of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackResult {
    /// Name of the stack.
    pub stack_name: String,
    /// ARN of the stack.
    pub stack_id: String,
    /// What was done.
    pub action: Action,
    /// Status it ended with.
    pub status: StackStatus,
    /// Outputs.
    pub outputs: Vec<Output>,
    /// All resources that exist.
    pub resources: Vec<ResourceResult>,
    /// What was accepted and is not carried out, or could not be cleaned up.
    pub warnings: Vec<String>,
    /// What failed; empty on success.
    pub failures: Vec<Failure>,
}

impl StackResult {
    /// The result that a record shows.
    #[must_use]
    pub fn of(record: &StackRecord, action: Action) -> Self {
        let resources = record.resources.iter().map(|(logical_id, resource)| ResourceResult {
            logical_id: logical_id.clone(),
            kind: resource.kind.clone(),
            physical_id: resource.live.as_ref().map_or_else(String::new, |live| live.physical_id.clone()),
            status: resource.status.to_string(),
        });
        StackResult {
            stack_name: record.name.clone(),
            stack_id: record.id.clone(),
            action,
            status: record.status,
            outputs: record.outputs.clone(),
            resources: resources.collect(),
            warnings: Vec::new(),
            failures: Vec::new(),
        }
    }
}

/// Why a deployment did not end as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum DeployError {
    /// The request was refused before anything was done.
    #[error("{0}")]
    Template(TemplateError),
    /// A resource failed; the result says what was done about it.
    #[error("stack {} is in status {}: {}", .0.stack_name, .0.status, reasons(.0))]
    Failed(Box<StackResult>),
    /// There is no such stack.
    #[error("Stack with id {0} does not exist")]
    NotFound(String),
    /// The stack cannot be deleted, another one imports from it.
    #[error("{0}")]
    InUse(String),
    /// A store failed; the stack record tells how far it went, and [`super::resume`] goes on.
    #[error("{0}")]
    Store(String),
}

fn reasons(result: &StackResult) -> String {
    let failures = result.failures.iter();
    failures
        .map(|failure| format!("{}: {}", failure.logical_id, failure.reason))
        .collect::<Vec<_>>()
        .join("; ")
}

impl From<TemplateError> for DeployError {
    fn from(error: TemplateError) -> Self {
        DeployError::Template(error)
    }
}

impl From<StoreError> for DeployError {
    fn from(error: StoreError) -> Self {
        DeployError::Store(error.0)
    }
}
