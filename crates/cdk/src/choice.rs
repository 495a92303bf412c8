//! `Choice`: go on in one of several ways.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::chain::{Chain, Chainable, OpenEnd, connect_default};
use crate::condition::{Condition, Problem};
use crate::draft::{Handle, Node, Specific};
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::state::{in_jsonata, state_type, with_assign, with_outputs, with_paths};

state_type!(
    /// Goes on with the first rule whose condition holds, else with the default.
    ///
    /// ```
    /// use stepwell_cdk::{Choice, Condition, Fail, Pass, Succeed};
    ///
    /// let complete = Choice::new("Job Complete?")
    ///     .when(Condition::string_equals("$.status", "FAILED"), Fail::new("JobFailed"))
    ///     .when(Condition::string_equals("$.status", "SUCCEEDED"), Succeed::new("Done"))
    ///     .otherwise(Pass::new("Ask again"));
    /// # let _ = complete;
    /// ```
    Choice, Settings, continues: false
);
with_paths!(Choice);
with_outputs!(Choice);
in_jsonata!(Choice);
with_assign!(Choice);

/// A Choice has nothing that is not in its transitions.
struct Settings;

impl Specific for Settings {
    fn render(&self, _: &str, _: QueryLanguage, fields: &mut Map<String, Value>) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Choice".into());
        Ok(())
    }
}

/// What a rule may have besides its condition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleOptions {
    /// A comment, for readers of the definition.
    pub comment: Option<String>,
    /// Variables that are set when the rule is taken.
    pub assign: Option<Value>,
    /// What goes on when the rule is taken, in JSONata; see [`Choice::outputs`].
    pub outputs: Option<Value>,
}

/// From where [`Choice::afterwards`] goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Afterwards {
    /// Also the ends behind catchers.
    pub include_error_handlers: bool,
    /// Also the Choice itself, whose default then is what follows.
    pub include_otherwise: bool,
}

impl Choice {
    /// A Choice without rules yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Choice {
        Choice::create(name, Settings)
    }

    /// Goes to `next` where `condition` holds and no rule before it did.
    pub fn when(&self, condition: Condition, next: impl Chainable) -> Choice {
        self.when_with(condition, next, RuleOptions::default())
    }

    /// The same, with a comment, variables or an output.
    pub fn when_with(&self, condition: Condition, next: impl Chainable, options: RuleOptions) -> Choice {
        let (mut rule, problem) = condition.into_parts();
        match problem {
            Some(Problem::NotFinite) => self.state.report(BuildError::NotFinite { state: self.state.name() }),
            Some(Problem::NoExpression) => self.state.report(BuildError::InvalidSettings {
                state: self.state.name(),
                problem: "a condition in JSONata must begin with '{%' and end with '%}'".to_owned(),
            }),
            Some(Problem::TooDeep) => {
                self.state.report(BuildError::TooDeeplyNested { state: self.state.name() })
            }
            None => {}
        }
        if let Some(outputs) = options.outputs {
            rule.insert("Output".into(), outputs);
        }
        if let Some(variables) = options.assign {
            rule.insert("Assign".into(), variables);
        }
        if let Some(comment) = options.comment {
            rule.insert("Comment".into(), comment.into());
        }
        let to = self.state.join(&next.start_state());
        self.state.edit(|node| node.choices.push((rule, to)));
        self.clone()
    }

    /// Goes to `default` where no rule holds. Without it, an execution that matches no rule fails.
    pub fn otherwise(&self, default: impl Chainable) -> Choice {
        connect_default(&self.state, &default.start_state());
        self.clone()
    }

    /// A chain whose open ends are those of all branches of this Choice, so that they can meet in one state.
    ///
    /// ```
    /// use stepwell_cdk::{Afterwards, Choice, Condition, Pass, StateMachine};
    ///
    /// let definition = Choice::new("Large?")
    ///     .when(Condition::number_greater_than("$.size", 100), Pass::new("Split"))
    ///     .afterwards(Afterwards { include_otherwise: true, ..Afterwards::default() })
    ///     .next(Pass::new("Store"));
    /// let asl = StateMachine::new("Store", definition).to_json()?;
    /// assert_eq!(asl["States"]["Large?"]["Default"], "Store");
    /// assert_eq!(asl["States"]["Split"]["Next"], "Store");
    /// # Ok::<(), stepwell_cdk::BuildErrors>(())
    /// ```
    pub fn afterwards(&self, options: Afterwards) -> Chain {
        let mut ends: Vec<OpenEnd> =
            self.open_ends_behind(options.include_error_handlers).into_iter().map(OpenEnd::Next).collect();
        if options.include_otherwise {
            ends.push(OpenEnd::Otherwise(self.state.clone()));
        }
        Chain::with_ends(self.state.clone(), ends)
    }

    /// The states reachable from here that can be continued and are not yet.
    fn open_ends_behind(&self, with_catches: bool) -> Vec<Handle> {
        let ends = self.state.read(|nodes, _, start| {
            let mut ends = Vec::new();
            let mut seen = HashSet::from([start]);
            let mut open = vec![start];
            while let Some(index) = open.pop() {
                let Some(node) = nodes.get(index) else { continue };
                let before = open.len();
                open.extend(node.targets(with_catches).filter(|to| seen.insert(*to)));
                // States in reading order: the first target is looked at first.
                open[before..].reverse();
                if is_open_end(node, with_catches) {
                    ends.push(index);
                }
            }
            ends
        });
        ends.into_iter().map(|index| self.state.at(index)).collect()
    }
}

fn is_open_end(node: &Node, with_catches: bool) -> bool {
    node.next.is_some() && node.targets(with_catches).next().is_none()
}
