//! `Parallel`: several branches at once.

use serde_json::{Map as Object, Value};

use crate::chain::Chainable;
use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::state::{
    continued, in_jsonata, state_type, with_assign, with_error_handling, with_outputs, with_paths,
    with_result_path, with_result_selector,
};

state_type!(
    /// Runs several branches at once; the result is the array of their outputs.
    ///
    /// ```
    /// use stepwell_cdk::{Parallel, Pass};
    ///
    /// let both = Parallel::new("Both").branch(Pass::new("Left")).branch(Pass::new("Right").next(Pass::new("Right too")));
    /// # let _ = both.next(Pass::new("Together"));
    /// ```
    Parallel, ParallelSettings, continues: true
);
continued!(Parallel);
with_paths!(Parallel);
with_outputs!(Parallel);
in_jsonata!(Parallel);
with_result_path!(Parallel);
with_result_selector!(Parallel);
with_assign!(Parallel);
with_error_handling!(Parallel);

#[derive(Default)]
struct ParallelSettings {
    parameters: Option<Value>,
    arguments: Option<Value>,
}

impl Specific for ParallelSettings {
    fn render(
        &self,
        _: &str,
        _: QueryLanguage,
        fields: &mut Object<String, Value>,
    ) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Parallel".into());
        if let Some(parameters) = &self.parameters {
            fields.insert("Parameters".into(), parameters.clone());
        }
        if let Some(arguments) = &self.arguments {
            fields.insert("Arguments".into(), arguments.clone());
        }
        Ok(())
    }
}

impl Parallel {
    /// A Parallel without branches yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Parallel {
        Parallel::create(name, ParallelSettings::default())
    }

    /// Adds a branch that begins where `branch` begins. Its states may lead only to each other.
    pub fn branch(&self, branch: impl Chainable) -> Parallel {
        let start = self.state.join(&branch.start_state());
        self.state.edit(|node| node.branches.push(start));
        self.clone()
    }

    /// What the branches get: a payload template.
    pub fn parameters(&self, template: Value) -> Parallel {
        self.set(|settings| settings.parameters = Some(template))
    }

    /// What the branches get, in JSONata: an expression, or a value with expressions inside. Default: the input.
    pub fn arguments(&self, arguments: impl Into<Value>) -> Parallel {
        self.set(|settings| settings.arguments = Some(arguments.into()))
    }
}
