//! `Pass`: hand the input on, changed or not.

use serde_json::{Map, Value};

use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::state::{
    continued, in_jsonata, state_type, with_assign, with_outputs, with_paths, with_result_path,
};

state_type!(
    /// Passes its input on, or a fixed result, or a document made by a payload template.
    ///
    /// ```
    /// use serde_json::json;
    /// use stepwell_cdk::Pass;
    ///
    /// let pop = Pass::new("PopItemFromList").parameters(json!({"List.$": "$.List[1:]"}));
    /// let defaults = Pass::new("Defaults").result(json!({"retries": 3})).result_path("$.settings");
    /// # let _ = (pop, defaults);
    /// ```
    Pass, Settings, continues: true
);
continued!(Pass);
with_paths!(Pass);
with_outputs!(Pass);
in_jsonata!(Pass);
with_result_path!(Pass);
with_assign!(Pass);

#[derive(Default)]
struct Settings {
    result: Option<Value>,
    parameters: Option<Value>,
}

impl Specific for Settings {
    fn render(&self, _: &str, _: QueryLanguage, fields: &mut Map<String, Value>) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Pass".into());
        if let Some(result) = &self.result {
            fields.insert("Result".into(), result.clone());
        }
        if let Some(parameters) = &self.parameters {
            fields.insert("Parameters".into(), parameters.clone());
        }
        Ok(())
    }
}

impl Pass {
    /// A Pass that changes nothing.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Pass {
        Pass::create(name, Settings::default())
    }

    /// A fixed result, which replaces the input or goes to `result_path`.
    pub fn result(&self, result: impl Into<Value>) -> Pass {
        self.set(|settings| settings.result = Some(result.into()))
    }

    /// A payload template: values of keys that end in `.$` are paths or intrinsic function calls.
    pub fn parameters(&self, template: Value) -> Pass {
        self.set(|settings| settings.parameters = Some(template))
    }
}
