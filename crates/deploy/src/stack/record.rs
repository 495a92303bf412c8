//! What is kept of a stack: one record, saved before and after every step, so that whoever finds it after a crash can
//! go on.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stepwell_aws::BoxFuture;

use crate::environment::StoreError;
use crate::providers::Live;
use crate::template::DeletionPolicy;

/// Status of a stack, in CloudFormation's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are CloudFormation's and say it all")]
pub enum StackStatus {
    CreateInProgress,
    CreateComplete,
    CreateFailed,
    RollbackInProgress,
    RollbackComplete,
    RollbackFailed,
    UpdateInProgress,
    UpdateCompleteCleanupInProgress,
    UpdateComplete,
    UpdateFailed,
    UpdateRollbackInProgress,
    UpdateRollbackCompleteCleanupInProgress,
    UpdateRollbackComplete,
    UpdateRollbackFailed,
    DeleteInProgress,
    DeleteComplete,
    DeleteFailed,
    ReviewInProgress,
}

impl StackStatus {
    /// Whether an operation is under way (or was, when the process ended).
    #[must_use]
    pub fn is_in_progress(self) -> bool {
        self.to_string().ends_with("IN_PROGRESS") && self != StackStatus::ReviewInProgress
    }
}

/// Status of a resource, in CloudFormation's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are CloudFormation's and say it all")]
pub enum ResourceStatus {
    CreateInProgress,
    CreateComplete,
    CreateFailed,
    UpdateInProgress,
    UpdateComplete,
    UpdateFailed,
    DeleteInProgress,
    DeleteComplete,
    DeleteFailed,
    DeleteSkipped,
}

macro_rules! display_as_serialized {
    ($($kind:ty),*) => {$(
        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.serialize(f)
            }
        }
    )*};
}

display_as_serialized!(StackStatus, ResourceStatus);

/// How a resource that the current operation touched is brought back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Undo {
    /// It was created: delete it.
    Created,
    /// It was changed in place: put the properties back.
    Updated {
        /// As it was.
        live: Live,
        /// As it was.
        properties: Value,
    },
    /// Another one was made in its stead: delete that one and go on with the old.
    Replaced {
        /// The old one, which is still there.
        live: Live,
        /// What the old one's properties have to be.
        properties: Value,
        /// What they are now, if a change in place came before the replacement.
        applied: Value,
    },
}

/// One resource of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// `AWS::SQS::Queue` …
    pub kind: String,
    /// What exists; `None` until it was created.
    pub live: Option<Live>,
    /// The evaluated properties that `live` has.
    pub properties: Value,
    /// The evaluated properties that are being applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Value>,
    /// Status.
    pub status: ResourceStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the status changed, milliseconds since 1970.
    pub changed_ms: u64,
    /// `DeletionPolicy`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// `UpdateReplacePolicy`.
    #[serde(default)]
    pub update_replace_policy: DeletionPolicy,
    /// Resources that must exist while this one does.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Number of the creation within the stack; goes into generated names.
    pub generation: u64,
    /// A creation was begun and its end is not recorded.
    #[serde(default)]
    pub creating: bool,
    /// How the current operation is undone for this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

/// A resource that has a successor and still has to be deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leftover {
    /// Name in the template.
    pub logical_id: String,
    /// `AWS::SQS::Queue` …
    pub kind: String,
    /// What exists.
    pub live: Live,
    /// Its properties.
    pub properties: Value,
    /// Whether it is kept.
    pub policy: DeletionPolicy,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Name in the template.
    pub key: String,
    /// Evaluated value.
    pub value: String,
    /// `Description`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Evaluated `Export.Name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_name: Option<String>,
}

/// One event, as DescribeStackEvents shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    /// Unique.
    pub id: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Name of the stack.
    pub stack_name: String,
    /// ARN of the stack.
    pub stack_id: String,
    /// The resource's, or the stack's name.
    pub logical_id: String,
    /// The resource's, empty if it has none; the stack's ARN.
    pub physical_id: String,
    /// Resource type; `AWS::CloudFormation::Stack` for the stack itself.
    pub kind: String,
    /// `CREATE_IN_PROGRESS` …
    pub status: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a stack is being brought to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Creating or updating.
    pub kind: OperationKind,
    /// Text of the template.
    pub template: String,
    /// Texts of all its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Tags of the stack.
    pub tags: BTreeMap<String, String>,
    /// What a failure leads to.
    pub on_failure: OnFailure,
}

/// The kinds of [`Operation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    /// The stack is new.
    Create,
    /// The stack exists.
    Update,
}

/// What happens when a resource cannot be created or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnFailure {
    /// Everything that was done is undone.
    #[default]
    Rollback,
    /// Everything stays as it is, for a look at it; the next deployment goes on from there.
    DoNothing,
    /// A stack that is new is deleted with all it has; else as `Rollback`.
    Delete,
}

/// Everything that is known of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StackRecord {
    /// Version of this structure; 1.
    pub format: u8,
    /// Name.
    pub name: String,
    /// `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/UUID`.
    pub id: String,
    /// ARN of the stack that this one is nested in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Status.
    pub status: StackStatus,
    /// Why it has this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// `Description` of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// When the last update or deletion began, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_ms: Option<u64>,
    /// Text of the template that the stack has; empty until the creation is complete.
    pub template: String,
    /// Texts of its parameters; of SSM parameters their names.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Resources by logical id.
    pub resources: IndexMap<String, ResourceRecord>,
    /// Resources that were replaced and are still to be deleted.
    #[serde(default)]
    pub leftovers: Vec<Leftover>,
    /// Outputs.
    pub outputs: Vec<Output>,
    /// Names of the exports that the stack imports.
    #[serde(default)]
    pub imports: Vec<String>,
    /// What is under way; `None` once it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Creations so far.
    #[serde(default)]
    pub creations: u64,
    /// The latest events, oldest first.
    pub events: Vec<StackEvent>,
}

/// Where stack records are kept.
///
/// The crate saves before and after every step and relies on `save` being durable when it returns. One deployment at a
/// time may work on a stack: the host takes care of that.
pub trait StackStore: Send + Sync {
    /// The record of the stack with this name; `None` where there is none (deleted ones are none).
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StackRecord>, StoreError>>;
    /// Keeps the record under its name.
    fn save<'a>(&'a self, record: &'a StackRecord) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Forgets the stack; the record (status `DELETE_COMPLETE`) is handed over for an archive, if one is wanted.
    fn delete<'a>(&'a self, record: &'a StackRecord) -> BoxFuture<'a, Result<(), StoreError>>;
    /// All records.
    fn list(&self) -> BoxFuture<'_, Result<Vec<StackRecord>, StoreError>>;
}
