//! `aws-sdk:*`: any call of any AWS service.

use serde_json::{Map, Value};

use super::{IntegrationPattern, service_task};
use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::state::{in_jsonata, task_type};

task_type!(
    /// Calls an action of an AWS service.
    ///
    /// ```
    /// use serde_json::json;
    /// use stepwell_cdk::CallAwsService;
    ///
    /// let get = CallAwsService::new("Get", "transcribe", "getTranscriptionJob")
    ///     .parameters(json!({"TranscriptionJobName.$": "$.job"}));
    /// # let _ = get;
    /// ```
    CallAwsService, Settings
);

struct Settings {
    service: String,
    action: String,
    parameters: Value,
    pattern: IntegrationPattern,
}

impl Specific for Settings {
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        let refuse = |problem: String| Err(BuildError::InvalidSettings { state: state.to_owned(), problem });
        if self.action.chars().next().is_none_or(char::is_uppercase) {
            return refuse(format!("the action '{}' must be in camelCase", self.action));
        }
        let Value::Object(parameters) = &self.parameters else {
            return refuse("the parameters must be an object".to_owned());
        };
        let service_api = format!("aws-sdk:{}:{}", self.service.to_lowercase(), self.action);
        service_task(state, language, &service_api, self.pattern, parameters.clone(), fields)
    }
}

in_jsonata!(CallAwsService, service: impl Into<String>, action: impl Into<String>);

impl CallAwsService {
    /// Calls `action` (in camelCase) of `service`.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        service: impl Into<String>,
        action: impl Into<String>,
    ) -> CallAwsService {
        let settings = Settings {
            service: service.into(),
            action: action.into(),
            parameters: Value::Object(Map::new()),
            pattern: IntegrationPattern::default(),
        };
        CallAwsService::create(name, settings)
    }

    /// The action's parameters in PascalCase: a payload template, or in JSONata a value with expressions inside.
    pub fn parameters(&self, template: Value) -> CallAwsService {
        self.set(|settings| settings.parameters = template)
    }

    /// Whether to go on at once, or to wait for a task token that the call carries.
    pub fn integration_pattern(&self, pattern: IntegrationPattern) -> CallAwsService {
        if pattern == IntegrationPattern::RunJob {
            self.state.report(BuildError::InvalidSettings {
                state: self.state.name(),
                problem: "calls of AWS services have no RunJob pattern".to_owned(),
            });
            return self.clone();
        }
        self.set(|settings| settings.pattern = pattern)
    }
}
