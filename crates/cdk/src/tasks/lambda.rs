//! `lambda:invoke`, and functions called by their ARN alone.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{IntegrationPattern, service_task};
use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::resources::Function;
use crate::retry::Retry;
use crate::state::{in_jsonata, task_type};
use crate::values::{TaskInput, Text, insert_some};

/// The errors with which Lambda itself fails, in the order of the CDK.
const SERVICE_ERRORS: [&str; 4] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
];

task_type!(
    /// Invokes a Lambda function.
    ///
    /// The result is Lambda's answer; `output_path("$.Payload")` keeps only what the function returned. As in the CDK,
    /// the task comes with a retrier for the errors of the Lambda service itself; see
    /// [`LambdaInvoke::retry_on_service_exceptions`] and [`LambdaInvoke::without_client_execution_timeout`].
    ///
    /// ```
    /// use stepwell_cdk::{Function, LambdaInvoke, StateMachine};
    ///
    /// let get = LambdaInvoke::new("GetNumIter", Function::from_name("GetNumIter")).output_path("$.Payload");
    /// let asl = StateMachine::new("Once", get).to_json()?;
    /// let task = &asl["States"]["GetNumIter"];
    /// assert_eq!(task["Resource"], "arn:aws:states:::lambda:invoke");
    /// assert_eq!(task["Parameters"]["Payload.$"], "$");
    /// assert_eq!(task["Retry"][0]["MaxAttempts"], 6);
    /// # Ok::<(), stepwell_cdk::BuildErrors>(())
    /// ```
    LambdaInvoke, Settings
);

/// How a function is invoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LambdaInvocationType {
    /// Wait for the function's answer.
    RequestResponse,
    /// Put the event into the function's queue.
    Event,
    /// Only check whether the call is allowed.
    DryRun,
}

struct Settings {
    function: Function,
    payload: Option<TaskInput>,
    pattern: IntegrationPattern,
    invocation_type: Option<LambdaInvocationType>,
    client_context: Option<Text>,
    qualifier: Option<Text>,
    payload_response_only: bool,
}

impl Specific for Settings {
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        if self.payload_response_only {
            return self.render_bare(state, language, fields);
        }
        let mut parameters = Map::new();
        parameters.insert("FunctionName".into(), self.function.arn().into());
        let payload = self.payload.clone().unwrap_or_else(|| TaskInput::whole(language));
        payload.insert_into(&mut parameters, "Payload");
        let invocation_type = self.invocation_type.map(|kind| match kind {
            LambdaInvocationType::RequestResponse => "RequestResponse",
            LambdaInvocationType::Event => "Event",
            LambdaInvocationType::DryRun => "DryRun",
        });
        insert_some(&mut parameters, "InvocationType", invocation_type);
        if let Some(context) = &self.client_context {
            context.insert_into(&mut parameters, "ClientContext");
        }
        if let Some(qualifier) = &self.qualifier {
            qualifier.insert_into(&mut parameters, "Qualifier");
        }
        service_task(state, language, "lambda:invoke", self.pattern, parameters, fields)
    }
}

impl Settings {
    /// The function's ARN as the resource; its parameters are the payload itself.
    fn render_bare(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        let refuse = |problem: &str| {
            Err(BuildError::InvalidSettings { state: state.to_owned(), problem: problem.to_owned() })
        };
        if self.pattern != IntegrationPattern::RequestResponse
            || self.invocation_type.is_some()
            || self.client_context.is_some()
            || self.qualifier.is_some()
        {
            return refuse(
                "payload_response_only excludes an integration pattern, invocation type, client context and qualifier",
            );
        }
        fields.insert("Type".into(), "Task".into());
        fields.insert("Resource".into(), self.function.arn().into());
        match &self.payload {
            None => Ok(()),
            Some(TaskInput::Object(payload)) => {
                fields.insert(language.call_field().into(), payload.clone());
                Ok(())
            }
            Some(TaskInput::Text(Text::Literal(payload))) if language == QueryLanguage::Jsonata => {
                fields.insert(language.call_field().into(), payload.clone().into());
                Ok(())
            }
            Some(TaskInput::Text(_)) => {
                refuse("payload_response_only takes an object as payload; select a part with input_path")
            }
        }
    }
}

in_jsonata!(LambdaInvoke, function: Function);

impl LambdaInvoke {
    /// Invokes `function` with the state's input.
    #[must_use]
    pub fn new(name: impl Into<String>, function: Function) -> LambdaInvoke {
        let settings = Settings {
            function,
            payload: None,
            pattern: IntegrationPattern::default(),
            invocation_type: None,
            client_context: None,
            qualifier: None,
            payload_response_only: false,
        };
        LambdaInvoke::create(name, settings).add_retry(service_retry(&SERVICE_ERRORS))
    }

    /// What the function gets. Default: the state's input.
    pub fn payload(&self, payload: TaskInput) -> LambdaInvoke {
        self.set(|settings| settings.payload = Some(payload))
    }

    /// Calls the function by its ARN, so that the result is only what it returned.
    pub fn payload_response_only(&self) -> LambdaInvoke {
        self.set(|settings| settings.payload_response_only = true)
    }

    /// Whether to wait for the function, or for a task token.
    pub fn integration_pattern(&self, pattern: IntegrationPattern) -> LambdaInvoke {
        if pattern == IntegrationPattern::RunJob {
            self.state.report(BuildError::InvalidSettings {
                state: self.state.name(),
                problem: "lambda:invoke has no RunJob pattern".to_owned(),
            });
            return self.clone();
        }
        self.set(|settings| settings.pattern = pattern)
    }

    /// How the function is invoked. Default: `RequestResponse`.
    pub fn invocation_type(&self, kind: LambdaInvocationType) -> LambdaInvoke {
        self.set(|settings| settings.invocation_type = Some(kind))
    }

    /// Up to 3,583 bytes of base64 text for the function's context object.
    pub fn client_context(&self, context: impl Into<Text>) -> LambdaInvoke {
        self.set(|settings| settings.client_context = Some(context.into()))
    }

    /// A version or an alias of the function.
    pub fn qualifier(&self, qualifier: impl Into<Text>) -> LambdaInvoke {
        self.set(|settings| settings.qualifier = Some(qualifier.into()))
    }

    /// Whether the errors of the Lambda service itself are retried: 6 times, after 2 s, doubled each time. Default: yes.
    pub fn retry_on_service_exceptions(&self, retry: bool) -> LambdaInvoke {
        self.replace_service_retry(retry.then_some(&SERVICE_ERRORS))
    }

    /// The default retrier as older versions of the CDK write it: without `Lambda.ClientExecutionTimeoutException`.
    pub fn without_client_execution_timeout(&self) -> LambdaInvoke {
        self.replace_service_retry(Some(&SERVICE_ERRORS[1..]))
    }

    fn replace_service_retry(&self, errors: Option<&[&str]>) -> LambdaInvoke {
        self.state.edit(|node| node.retries.retain(|retrier| !is_service_retry(retrier)));
        if let Some(errors) = errors {
            service_retry(errors).attach(&self.state);
            // As if it had been there from the beginning, before retriers that were added.
            self.state.edit(|node| {
                if let Some(at) = node.retries.iter().position(is_service_retry) {
                    node.retries[..=at].rotate_right(1);
                }
            });
        }
        self.clone()
    }
}

fn service_retry(errors: &[&str]) -> Retry {
    Retry::on(errors.iter().copied()).interval(Duration::from_secs(2)).max_attempts(6).backoff_rate(2)
}

fn is_service_retry(retrier: &Map<String, Value>) -> bool {
    let is = |errors: &[&str]| {
        retrier.get("ErrorEquals").and_then(Value::as_array).is_some_and(|given| {
            given.len() == errors.len() && given.iter().zip(errors).all(|(given, error)| given == error)
        })
    };
    is(&SERVICE_ERRORS) || is(&SERVICE_ERRORS[1..])
}
