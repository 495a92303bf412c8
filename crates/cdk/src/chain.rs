//! Chains: states put one after the other, as in the CDK.

use crate::draft::{Handle, Next};
use crate::errors::BuildError;

/// Anything that can follow a state: a state or a [`Chain`] of states. References to them, too, so that a state can be
/// the target of several others.
pub trait Chainable {
    /// The state where it begins.
    fn start_state(&self) -> Handle;

    /// Where it can be continued.
    fn open_ends(&self) -> Vec<OpenEnd>;
}

impl<T: Chainable + ?Sized> Chainable for &T {
    fn start_state(&self) -> Handle {
        (**self).start_state()
    }

    fn open_ends(&self) -> Vec<OpenEnd> {
        (**self).open_ends()
    }
}

/// A place to which a next state can be attached.
#[derive(Clone)]
pub enum OpenEnd {
    /// `Next` of a state.
    Next(Handle),
    /// `Default` of a Choice; see [`crate::Choice::afterwards`].
    Otherwise(Handle),
}

/// A sequence of states with a beginning and open ends.
///
/// ```
/// use stepwell_cdk::{Chain, Pass};
///
/// let first = Pass::new("First");
/// let chain = Chain::start(&first).next(Pass::new("Second")).next(Pass::new("Third"));
/// # let _ = chain;
/// ```
#[derive(Clone)]
pub struct Chain {
    start: Handle,
    ends: Vec<OpenEnd>,
}

impl Chainable for Chain {
    fn start_state(&self) -> Handle {
        self.start.clone()
    }

    fn open_ends(&self) -> Vec<OpenEnd> {
        self.ends.clone()
    }
}

impl Chain {
    /// A chain of one element.
    #[must_use]
    pub fn start(first: impl Chainable) -> Chain {
        Chain { start: first.start_state(), ends: first.open_ends() }
    }

    /// `first`, then `second`.
    #[must_use]
    pub fn sequence(first: impl Chainable, second: impl Chainable) -> Chain {
        Chain::start(first).next(second)
    }

    /// Continues every open end with `next`; the open ends are then those of `next`.
    ///
    /// That a chain has no open end, or that an end already has a next state, is reported when the definition is written.
    #[allow(clippy::should_implement_trait, reason = "the CDK's name; a chain is no iterator")]
    pub fn next(&self, next: impl Chainable) -> Chain {
        let target = next.start_state();
        if self.ends.is_empty() {
            let error = BuildError::ChainCannotContinue { chain: self.start.name(), next: target.name() };
            self.start.report(error);
        }
        for end in &self.ends {
            match end {
                OpenEnd::Next(state) => connect(state, &target),
                OpenEnd::Otherwise(choice) => connect_default(choice, &target),
            }
        }
        Chain { start: self.start.clone(), ends: next.open_ends() }
    }

    pub(crate) fn with_ends(start: Handle, ends: Vec<OpenEnd>) -> Chain {
        Chain { start, ends }
    }
}

/// Sets `Next` of `state`.
fn connect(state: &Handle, target: &Handle) {
    let taken = state.read(|nodes, _, index| match nodes.get(index).and_then(|node| node.next.as_ref()) {
        Some(Next::To(next)) => nodes.get(*next).map(|node| node.name.clone()),
        _ => None,
    });
    if let Some(next) = taken {
        state.report(BuildError::AlreadyHasNext { state: state.name(), next, second: target.name() });
        return;
    }
    let to = state.join(target);
    state.edit(|node| node.next = Some(Next::To(to)));
}

/// Sets `Default` of `choice`.
pub(crate) fn connect_default(choice: &Handle, target: &Handle) {
    let taken = choice.read(|nodes, _, index| {
        nodes
            .get(index)
            .and_then(|node| node.default)
            .and_then(|to| nodes.get(to))
            .map(|node| node.name.clone())
    });
    if let Some(default) = taken {
        choice.report(BuildError::AlreadyHasDefault { state: choice.name(), default, second: target.name() });
        return;
    }
    let to = choice.join(target);
    choice.edit(|node| node.default = Some(to));
}
