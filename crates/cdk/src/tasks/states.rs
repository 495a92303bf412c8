//! `states:startExecution` and activities.

use serde_json::{Map, Value};

use super::{IntegrationPattern, service_task};
use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::resources::{Activity, StateMachineRef};
use crate::state::{in_jsonata, task_type};
use crate::values::{TaskInput, Text};

task_type!(
    /// Starts an execution of another state machine.
    ///
    /// With [`IntegrationPattern::RunJob`] the task waits until that execution is done, and its output comes as JSON.
    ///
    /// ```
    /// use stepwell_cdk::{IntegrationPattern, StateMachineRef, StepFunctionsStartExecution};
    ///
    /// let child = StepFunctionsStartExecution::new("Child", StateMachineRef::from_name("Child"))
    ///     .integration_pattern(IntegrationPattern::RunJob)
    ///     .associate_with_parent();
    /// # let _ = child;
    /// ```
    StepFunctionsStartExecution, StartExecution
);

struct StartExecution {
    state_machine: StateMachineRef,
    input: Option<TaskInput>,
    name: Option<Text>,
    pattern: IntegrationPattern,
    associate_with_parent: bool,
}

/// The member by which AWS shows which execution started this one.
const STARTED_BY: &str = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID";

impl StartExecution {
    fn input(&self, state: &str, language: QueryLanguage) -> Result<TaskInput, BuildError> {
        if !self.associate_with_parent {
            return Ok(self.input.clone().unwrap_or_else(|| TaskInput::whole(language)));
        }
        let mut input = match &self.input {
            None => Map::new(),
            Some(TaskInput::Object(Value::Object(input))) => input.clone(),
            Some(_) => {
                let problem = "associate_with_parent needs an object as input".to_owned();
                return Err(BuildError::InvalidSettings { state: state.to_owned(), problem });
            }
        };
        match language {
            QueryLanguage::JsonPath => input.insert(format!("{STARTED_BY}.$"), "$$.Execution.Id".into()),
            QueryLanguage::Jsonata => {
                input.insert(STARTED_BY.into(), "{% $states.context.Execution.Id %}".into())
            }
        };
        Ok(TaskInput::Object(Value::Object(input)))
    }
}

impl Specific for StartExecution {
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        let mut parameters = Map::new();
        self.input(state, language)?.insert_into(&mut parameters, "Input");
        parameters.insert("StateMachineArn".into(), self.state_machine.arn().into());
        if let Some(name) = &self.name {
            name.insert_into(&mut parameters, "Name");
        }
        // The second edition of `.sync` gives the output as JSON instead of text.
        let (api, pattern) = match self.pattern {
            IntegrationPattern::RunJob => {
                ("states:startExecution.sync:2", IntegrationPattern::RequestResponse)
            }
            pattern => ("states:startExecution", pattern),
        };
        service_task(state, language, api, pattern, parameters, fields)
    }
}

in_jsonata!(StepFunctionsStartExecution, state_machine: StateMachineRef);

impl StepFunctionsStartExecution {
    /// Starts `state_machine` with the state's input.
    #[must_use]
    pub fn new(name: impl Into<String>, state_machine: StateMachineRef) -> StepFunctionsStartExecution {
        let settings = StartExecution {
            state_machine,
            input: None,
            name: None,
            pattern: IntegrationPattern::default(),
            associate_with_parent: false,
        };
        StepFunctionsStartExecution::create(name, settings)
    }

    /// The execution's input. Default: the state's input.
    pub fn input(&self, input: TaskInput) -> StepFunctionsStartExecution {
        self.set(|settings| settings.input = Some(input))
    }

    /// The execution's name. Default: a new one each time.
    pub fn execution_name(&self, name: impl Into<Text>) -> StepFunctionsStartExecution {
        self.set(|settings| settings.name = Some(name.into()))
    }

    /// Whether to wait for the execution, or for a task token.
    pub fn integration_pattern(&self, pattern: IntegrationPattern) -> StepFunctionsStartExecution {
        self.set(|settings| settings.pattern = pattern)
    }

    /// Passes the ARN of this execution, so that the two are shown together. The input must be an object.
    pub fn associate_with_parent(&self) -> StepFunctionsStartExecution {
        self.set(|settings| settings.associate_with_parent = true)
    }
}

task_type!(
    /// Leaves the work to a worker that asks for tasks of an activity.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stepwell_cdk::{Activity, StepFunctionsInvokeActivity, Timeout};
    ///
    /// let manual = StepFunctionsInvokeActivity::new("Manual", Activity::from_name("Review"))
    ///     .heartbeat_timeout(Timeout::duration(Duration::from_secs(60)));
    /// # let _ = manual;
    /// ```
    StepFunctionsInvokeActivity, InvokeActivity
);

struct InvokeActivity {
    activity: Activity,
    parameters: Option<Value>,
}

impl Specific for InvokeActivity {
    fn render(
        &self,
        _: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Task".into());
        fields.insert("Resource".into(), self.activity.arn().into());
        if let Some(parameters) = &self.parameters {
            fields.insert(language.call_field().into(), parameters.clone());
        }
        Ok(())
    }
}

in_jsonata!(StepFunctionsInvokeActivity, activity: Activity);

impl StepFunctionsInvokeActivity {
    /// Gives the state's input to a worker of `activity`.
    #[must_use]
    pub fn new(name: impl Into<String>, activity: Activity) -> StepFunctionsInvokeActivity {
        StepFunctionsInvokeActivity::create(name, InvokeActivity { activity, parameters: None })
    }

    /// What the worker gets: a payload template. Default: the state's input.
    pub fn parameters(&self, template: Value) -> StepFunctionsInvokeActivity {
        self.set(|settings| settings.parameters = Some(template))
    }

    /// The same in JSONata: an expression, or a value with expressions inside.
    pub fn arguments(&self, arguments: impl Into<Value>) -> StepFunctionsInvokeActivity {
        self.parameters(arguments.into())
    }
}
