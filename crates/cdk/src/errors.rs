//! What can be wrong with a workflow in Rust code.
//!
//! Building never fails half-way: mistakes are collected and come out together when the definition is written.

use std::fmt;

/// One mistake in a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two different states have the same name; names are unique over the whole machine, branches included.
    #[error("two states are called '{name}'; all states of a state machine need different names")]
    DuplicateStateName {
        /// The name.
        name: String,
    },
    /// A name is empty or longer than 80 characters.
    #[error("the state name '{name}' is not 1 to 80 characters long")]
    InvalidStateName {
        /// The name.
        name: String,
    },
    /// `next` was called twice on a state.
    #[error("state '{state}' already goes to '{next}' and cannot also go to '{second}'")]
    AlreadyHasNext {
        /// The state.
        state: String,
        /// Where it goes.
        next: String,
        /// Where it was sent in addition.
        second: String,
    },
    /// `otherwise` was called twice on a Choice.
    #[error("choice '{state}' already has the default '{default}' and cannot also have '{second}'")]
    AlreadyHasDefault {
        /// The Choice.
        state: String,
        /// Its default.
        default: String,
        /// The second one.
        second: String,
    },
    /// `next` on a chain none of whose ends can be continued.
    #[error(
        "'{next}' cannot follow: the chain that starts at '{chain}' ends only in states without a next state"
    )]
    ChainCannotContinue {
        /// First state of the chain.
        chain: String,
        /// The state that should follow.
        next: String,
    },
    /// A state is connected to the workflow but nothing leads to it.
    #[error("state '{state}' cannot be reached from the start")]
    Unreachable {
        /// The state.
        state: String,
    },
    /// A state is used in two places that cannot see each other: in two branches, or inside and outside of a Map.
    #[error("state '{state}' is used inside '{inside}' and elsewhere; a branch cannot share states")]
    SharedBetweenBranches {
        /// The state.
        state: String,
        /// The Parallel or Map that contains it first; the machine itself where it is outside of all of them.
        inside: String,
    },
    /// A Choice without `when`.
    #[error("choice '{state}' has no rules; give it at least one with when()")]
    ChoiceWithoutRules {
        /// The Choice.
        state: String,
    },
    /// A Parallel without branches, or a Map without item processor.
    #[error("'{state}' contains no states; {remedy}")]
    EmptyContainer {
        /// The Parallel or Map.
        state: String,
        /// What to call.
        remedy: &'static str,
    },
    /// A duration that is no whole number of seconds, or more than 99,999,999 of them.
    #[error("{field} of '{owner}' is {duration:?}; it must be a whole number of seconds up to 99,999,999")]
    InvalidDuration {
        /// The state, or the state machine.
        owner: String,
        /// The field of the definition.
        field: &'static str,
        /// The duration.
        duration: std::time::Duration,
    },
    /// A number that JSON cannot express.
    #[error("a number of '{state}' is infinite or not a number")]
    NotFinite {
        /// The state.
        state: String,
    },
    /// Conditions or containers are nested deeper than 64 levels.
    #[error("'{state}' nests deeper than {limit} levels", limit = crate::NESTING_MAX)]
    TooDeeplyNested {
        /// The Choice or the container.
        state: String,
    },
    /// Settings of a state that exclude or demand each other.
    #[error("state '{state}': {problem}")]
    InvalidSettings {
        /// The state.
        state: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// `States.ALL` together with other error names.
    #[error("state '{state}': States.ALL must be the only error of a retrier or catcher")]
    AllIsNotAlone {
        /// The state.
        state: String,
    },
    /// The finished definition does not pass the validation of the States Language.
    #[error("{0}")]
    Definition(String),
}

/// All mistakes of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildErrors(pub Vec<BuildError>);

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildErrors {}
