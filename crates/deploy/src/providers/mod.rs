//! Resource types: one file each, behind one trait.
//!
//! A provider knows its properties ([`schema`]), the attributes that `Fn::GetAtt` may name, and the AWS operations
//! that create, change and delete its resource. It keeps nothing: what it made is in the [`Live`] it returns, which
//! the stack record holds. Adding a type is a file here and a line in [`provider`].

mod cloudformation_stack;
mod dynamodb_global_table;
mod dynamodb_table;
mod iam;
mod inert;
mod lambda_function;
mod lambda_version;
mod log_group;
mod names;
pub mod schema;
mod sqs_queue;
mod states_activity;
mod states_machine;
mod states_version;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stepwell_aws::{BoxFuture, Call, Fault};

use crate::environment::Environment;
use crate::limits::{READY_PAUSE_MS, READY_QUESTIONS_MAX};
use crate::stack::EventSink;
use schema::{Effect, Property};

/// A resource that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// What `Ref` gives: name, ARN or URL, as CloudFormation documents it for the type.
    pub physical_id: String,
    /// What `Fn::GetAtt` gives.
    pub attributes: BTreeMap<String, Value>,
}

/// Why a resource could not be created, changed or deleted.
#[derive(Debug, Clone)]
pub struct ProviderError {
    /// The text for the event, saying what to do where that is known.
    pub reason: String,
    /// The service's error code, where a service refused.
    pub code: Option<String>,
    /// What exists nevertheless and has to be cleaned up.
    pub partial: Option<Live>,
}

impl ProviderError {
    /// An error with only a text.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        ProviderError { reason: reason.into(), code: None, partial: None }
    }

    /// The same, with what exists nevertheless.
    #[must_use]
    pub fn leaving(mut self, live: &Live) -> Self {
        self.partial = Some(live.clone());
        self
    }

    /// CloudFormation's words for a name that is taken.
    #[must_use]
    pub fn already_exists(kind: &str, name: &str) -> Self {
        ProviderError {
            reason: format!(
                "Resource of type '{kind}' with identifier '{name}' already exists. (HandlerErrorCode: AlreadyExists)"
            ),
            code: Some("AlreadyExists".to_owned()),
            partial: None,
        }
    }

    /// Whether the service said that the resource does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code.as_deref().is_some_and(|code| {
            code.contains("NotFound") || code.contains("DoesNotExist") || code.contains("NonExistent")
        })
    }

    /// Whether the service does not know the operation.
    #[must_use]
    pub fn is_unknown_operation(&self) -> bool {
        self.code.as_deref().is_some_and(|code| {
            matches!(
                code,
                "UnknownOperationException" | "InvalidAction" | "NotImplemented" | "UnsupportedOperation"
            )
        })
    }
}

/// The resource that a provider works for.
pub struct ResourceContext<'a> {
    /// Services and stores.
    pub environment: Environment<'a>,
    /// Name of the stack.
    pub stack_name: &'a str,
    /// ARN of the stack; generated names are made from it.
    pub stack_id: &'a str,
    /// The resource's name in the template.
    pub logical_id: &'a str,
    /// Counts creations within the stack, so that a replacement has another generated name.
    pub generation: u64,
    /// An earlier run was interrupted while it created this very resource: what exists under its name is ours.
    pub resuming: bool,
    /// Warnings for the result of the deployment.
    pub warnings: &'a Mutex<Vec<String>>,
    /// Is told the events of stacks within this one.
    pub sink: EventSink<'a>,
    /// How many stacks this one is in.
    pub nesting: u32,
}

impl ResourceContext<'_> {
    /// Calls an operation of a service; the output structure.
    ///
    /// Errors: the service's fault in CloudFormation's words, or that there is no such service.
    pub async fn call(&self, service: &str, operation: &str, input: Value) -> Result<Value, ProviderError> {
        let Some(endpoint) = self.environment.services.service(service) else {
            return Err(ProviderError::new(format!("The service {service} is not available ({operation})")));
        };
        let host = self.environment.endpoint_host.map(str::to_owned);
        let call = Call { host, ..Call::new(operation, input) };
        match endpoint.call(call).await {
            Ok(reply) => Ok(reply.output),
            Err(fault) => Err(refused(service, &fault)),
        }
    }

    /// Adds a warning to the result of the deployment.
    pub fn warn(&self, text: impl Into<String>) {
        let text = format!("{}: {}", self.logical_id, text.into());
        // A poisoned lock only means that another warning was lost in a panic.
        self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
    }

    /// Asks `operation` again and again, with a pause between, until `is_ready` says so of the answer; that answer.
    ///
    /// Errors: those of the service, and when patience ends.
    pub(crate) async fn until(
        &self,
        service: &str,
        operation: &str,
        input: &Value,
        is_ready: impl Fn(&Value) -> bool,
    ) -> Result<Value, ProviderError> {
        for _ in 0..READY_QUESTIONS_MAX {
            let answer = self.call(service, operation, input.clone()).await?;
            if is_ready(&answer) {
                return Ok(answer);
            }
            self.environment.host.pause(Duration::from_millis(READY_PAUSE_MS)).await;
        }
        Err(ProviderError::new("Exceeded attempts to wait"))
    }
}

fn refused(service: &str, fault: &Fault) -> ProviderError {
    let request = fault.request_id.as_deref().map_or(String::new(), |id| format!("; Request ID: {id}"));
    ProviderError {
        reason: format!(
            "{} (Service: {service}; Status Code: {}; Error Code: {}{request})",
            fault.message, fault.status, fault.code
        ),
        code: Some(fault.code.clone()),
        partial: None,
    }
}

/// A resource type.
pub trait Provider: Send + Sync {
    /// `AWS::SQS::Queue` …
    fn kind(&self) -> &str;

    /// All properties; those not listed are refused. `None`: anything goes and nothing is looked at.
    fn properties(&self) -> Option<&'static [Property]>;

    /// The attributes that `Fn::GetAtt` may name; `None`: any.
    fn attributes(&self) -> Option<&'static [&'static str]>;

    /// The property with which a template names the resource itself, where the type has one.
    fn name_property(&self) -> Option<&'static str> {
        None
    }

    /// Whether a change in place may change the attribute.
    fn changes_attribute(&self, _attribute: &str) -> bool {
        false
    }

    /// Whether the change needs a new resource.
    fn replaces(&self, old: &Value, new: &Value) -> bool {
        self.properties().unwrap_or_default().iter().any(|property| {
            property.effect == Effect::Replace && old.get(property.name) != new.get(property.name)
        })
    }

    /// Makes the resource.
    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>>;

    /// Changes the resource in place, from `old` to `new`. Safe to repeat when it was interrupted.
    fn update<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        old: &'a Value,
        new: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>>;

    /// Deletes the resource; one that does not exist is a success.
    fn delete<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>>;
}

/// The provider of a resource type; `None` for types that are not supported. Types in `inert_types` are accepted
/// without effect.
#[must_use]
pub fn provider(kind: &str, inert_types: &[String]) -> Option<Box<dyn Provider>> {
    Some(match kind {
        "AWS::CloudFormation::Stack" => Box::new(cloudformation_stack::NestedStack),
        "AWS::StepFunctions::StateMachine" => Box::new(states_machine::StateMachine),
        "AWS::StepFunctions::Activity" => Box::new(states_activity::Activity),
        "AWS::StepFunctions::StateMachineVersion" => Box::new(states_version::StateMachineVersion),
        "AWS::StepFunctions::StateMachineAlias" => Box::new(states_version::StateMachineAlias),
        "AWS::Lambda::Function" => Box::new(lambda_function::Function),
        "AWS::Lambda::Version" => Box::new(lambda_version::Version),
        "AWS::Lambda::Alias" => Box::new(lambda_version::Alias),
        "AWS::DynamoDB::Table" => Box::new(dynamodb_table::Table),
        "AWS::DynamoDB::GlobalTable" => Box::new(dynamodb_global_table::GlobalTable),
        "AWS::SQS::Queue" => Box::new(sqs_queue::Queue),
        "AWS::IAM::Role" => Box::new(iam::ROLE),
        "AWS::IAM::Policy" => Box::new(iam::POLICY),
        "AWS::IAM::ManagedPolicy" => Box::new(iam::MANAGED_POLICY),
        "AWS::IAM::InstanceProfile" => Box::new(iam::INSTANCE_PROFILE),
        "AWS::Logs::LogGroup" => Box::new(log_group::LogGroup),
        "AWS::Lambda::Permission" | "AWS::SQS::QueuePolicy" => Box::new(inert::Inert::known(kind)),
        "AWS::CDK::Metadata" | "AWS::CloudFormation::WaitConditionHandle" => {
            Box::new(inert::Inert::known(kind))
        }
        _ if inert_types.iter().any(|inert| inert == kind) => Box::new(inert::Inert::configured(kind)),
        _ => return None,
    })
}

/// A text property.
fn text<'v>(properties: &'v Value, name: &str) -> Option<&'v str> {
    properties.get(name).and_then(Value::as_str)
}

/// Copies the named properties that are present, under the same names.
fn copied(properties: &Value, names: &[&str]) -> serde_json::Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), properties.get(*name)?.clone()))).collect()
}

/// `[{"Key", "Value"}]` as a map.
fn tag_map(properties: &Value) -> BTreeMap<String, String> {
    let tags = properties.get("Tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    tags.iter()
        .filter_map(|tag| {
            Some((text(tag, "Key")?.to_owned(), text(tag, "Value").unwrap_or_default().to_owned()))
        })
        .collect()
}

/// Tags to add or change, and names of tags to take away.
fn tag_changes(old: &Value, new: &Value) -> (BTreeMap<String, String>, Vec<String>) {
    let (old, new) = (tag_map(old), tag_map(new));
    let removed = old.keys().filter(|key| !new.contains_key(*key)).cloned().collect();
    let set = new.into_iter().filter(|(key, value)| old.get(key) != Some(value)).collect();
    (set, removed)
}

/// The same structure with member names that begin with a small letter, as Step Functions' API has them.
fn lower_first(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| {
                let mut chars = key.chars();
                let first = chars.next().map(|c| c.to_ascii_lowercase());
                (first.into_iter().chain(chars).collect::<String>(), lower_first(member))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(lower_first).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}
