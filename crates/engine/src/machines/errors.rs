//! What can go wrong with a registry of state machines, operation by operation.

use std::sync::Arc;

use stepwell_asl::Diagnostics;
use stepwell_store::{CommitError, ReadError};

use super::{MACHINES_MAX, TAGS_MAX};

/// The store failed, or holds what cannot be.
#[derive(Debug, thiserror::Error)]
pub enum MachinesError {
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A change did not become durable; nothing of it is visible.
    #[error(transparent)]
    Write(#[from] CommitError),
    /// A record cannot be read: it was damaged, or written by a later version.
    #[error("the record of {what} cannot be read: {reason}")]
    Record {
        /// An ARN or a revision key.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A stored definition, accepted when it was stored, no longer compiles.
    #[error("the stored definition of revision {key} of {arn} no longer compiles: {diagnostics}")]
    Definition {
        /// The revision.
        key: u64,
        /// Its machine.
        arn: Arc<str>,
        /// Why.
        diagnostics: Diagnostics,
    },
}

/// Why a machine was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateMachineError {
    /// The definition has errors.
    #[error(transparent)]
    InvalidDefinition(#[from] Diagnostics),
    /// There is another machine of this name.
    #[error("state machine {arn} exists and differs")]
    AlreadyExists {
        /// The existing one.
        arn: Arc<str>,
    },
    /// The machine of this name is being deleted.
    #[error("state machine {arn} is being deleted")]
    Deleting {
        /// The existing one.
        arn: Arc<str>,
    },
    /// There are [`MACHINES_MAX`] machines.
    #[error("the account has {MACHINES_MAX} state machines, which is the limit")]
    LimitExceeded,
    /// More than [`TAGS_MAX`] tags.
    #[error("a state machine has at most {TAGS_MAX} tags")]
    TooManyTags,
    /// The store failed.
    #[error(transparent)]
    Machines(#[from] MachinesError),
}

/// Why a machine was not updated.
#[derive(Debug, thiserror::Error)]
pub enum UpdateMachineError {
    /// The definition has errors.
    #[error(transparent)]
    InvalidDefinition(#[from] Diagnostics),
    /// No such machine.
    #[error("state machine {arn} does not exist")]
    DoesNotExist {
        /// As asked for.
        arn: String,
    },
    /// It is being deleted.
    #[error("state machine {arn} is being deleted")]
    Deleting {
        /// The machine.
        arn: Arc<str>,
    },
    /// The store failed.
    #[error(transparent)]
    Machines(#[from] MachinesError),
}

/// Why tags were not changed.
#[derive(Debug, thiserror::Error)]
pub enum TagMachineError {
    /// No such machine.
    #[error("state machine {arn} does not exist")]
    DoesNotExist {
        /// As asked for.
        arn: String,
    },
    /// More than [`TAGS_MAX`] tags.
    #[error("a state machine has at most {TAGS_MAX} tags")]
    TooManyTags,
    /// The store failed.
    #[error(transparent)]
    Machines(#[from] MachinesError),
}
