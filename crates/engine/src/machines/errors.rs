//! What can go wrong with a registry of state machines, operation by operation.

use std::sync::Arc;

use stepwell_asl::Diagnostics;
use stepwell_store::{CommitError, ReadError};

use super::{ALIASES_MAX, MACHINES_MAX, TAGS_MAX, VERSIONS_MAX};

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
    /// A version was asked for, and there are [`VERSIONS_MAX`]. Nothing was changed.
    #[error("a state machine has at most {VERSIONS_MAX} versions")]
    VersionLimitExceeded,
    /// The store failed.
    #[error(transparent)]
    Machines(#[from] MachinesError),
}

/// Why no version was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishVersionError {
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
    /// The current revision is another than the caller thinks.
    #[error("the current revision is {current}")]
    OtherRevision {
        /// Its id.
        current: Arc<str>,
    },
    /// There are [`VERSIONS_MAX`].
    #[error("a state machine has at most {VERSIONS_MAX} versions")]
    LimitExceeded,
    /// The store failed.
    #[error(transparent)]
    Machines(#[from] MachinesError),
}

/// Why a version was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteVersionError {
    /// Aliases route to it.
    #[error("aliases route to this version")]
    Referenced {
        /// Their names, in the order of their creation.
        aliases: Vec<Arc<str>>,
    },
    /// The store failed.
    #[error(transparent)]
    Machines(#[from] MachinesError),
}

/// Why an alias was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateAliasError {
    /// It routes to a version that does not exist.
    #[error("a version that the alias routes to does not exist")]
    VersionDoesNotExist,
    /// The machine is being deleted.
    #[error("state machine {arn} is being deleted")]
    Deleting {
        /// The machine.
        arn: Arc<str>,
    },
    /// There is another alias of this name.
    #[error("an alias of this name exists and differs")]
    Differs,
    /// There are [`ALIASES_MAX`].
    #[error("a state machine has at most {ALIASES_MAX} aliases")]
    LimitExceeded,
    /// The store failed.
    #[error(transparent)]
    Machines(#[from] MachinesError),
}

/// Why an alias was not updated.
#[derive(Debug, thiserror::Error)]
pub enum UpdateAliasError {
    /// There is no such alias, or no such version.
    #[error("the alias, or a version that it shall route to, does not exist")]
    DoesNotExist,
    /// The machine is being deleted.
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
