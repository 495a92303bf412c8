//! The services that a Task can call by name, and what each is called where: in resources, in settings, in error names,
//! in causes.
//!
//! What their APIs look like is in `stepwell_models`. The two SDK generations that AWS uses behind the integrations name
//! the same service differently: `DynamoDB` and `AmazonDynamoDBv2` in the optimized integration, `DynamoDb` in
//! `aws-sdk:dynamodb`.

use std::sync::Arc;

use stepwell_models::{Service as Model, services};

/// The names of a service with an optimized integration.
#[derive(Debug)]
pub(crate) struct ServiceNames {
    /// Name in the registry of services, in endpoint settings and in `arn:…:states:::<service>:<api>`.
    pub(crate) registry: &'static str,
    /// Name in `aws-sdk:<service>:<api>`.
    pub(crate) sdk_resource: &'static str,
    /// Prefix of error names of the optimized integration: `DynamoDB`.
    pub(crate) prefix: &'static str,
    /// `Service:` in causes of the optimized integration: `AmazonDynamoDBv2`.
    pub(crate) service: &'static str,
    /// What an exception that is not in the model is called by the optimized integration.
    pub(crate) base_exception: &'static str,
}

impl ServiceNames {
    /// What the exception with this error code is called in the first SDK; `None` where the model has none.
    pub(crate) fn exception(&self, code: &str) -> Option<String> {
        let model = stepwell_models::service(self.sdk_resource)?;
        let shape = model.exception(renamed(code))?;
        Some(if shape.ends_with("Exception") { shape.to_owned() } else { format!("{shape}Exception") })
    }
}

/// The exception that SQS's older protocol had another code for.
fn renamed(code: &str) -> &str {
    match code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code) {
        "NonExistentQueue" => "QueueDoesNotExist",
        "QueueAlreadyExists" => "QueueNameExists",
        code => code,
    }
}

/// The name in the registry of the service of `aws-sdk:<name>:…`; `None` where there is no such service.
pub(crate) fn sdk_resource(name: &str) -> Option<&'static str> {
    let found = OPTIMIZED.iter().find(|s| s.sdk_resource == name).map(|s| s.registry);
    let found = found.or_else(|| (name == LOGS.1).then_some(LOGS.0));
    found.or_else(|| services().iter().find(|(known, _)| *known == name).map(|(known, _)| *known))
}

/// The API of the service with this name in the registry.
pub(crate) fn model(registry: &str) -> Option<Arc<Model>> {
    stepwell_models::service(resource_of(registry))
}

/// The name in `aws-sdk:<name>:<api>` of the service with this name in the registry.
fn resource_of(registry: &str) -> &str {
    let found = OPTIMIZED.iter().find(|s| s.registry == registry).map(|s| s.sdk_resource);
    found.unwrap_or(if registry == LOGS.0 { LOGS.1 } else { registry })
}

/// The name in the registry of the service that an endpoint setting means by `name`: `states`, `sfn`,
/// `stepfunctions`, `secretsmanager`, `secrets-manager` …
pub(crate) fn setting(name: &str) -> Option<&'static str> {
    let name: String =
        name.trim().chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    if name == "stepfunctions" {
        return Some(STATES.registry);
    }
    let found = OPTIMIZED.iter().find(|s| s.registry == name).map(|s| s.registry);
    let found = found.or_else(|| (name == LOGS.0).then_some(LOGS.0));
    found.or_else(|| sdk_resource(&name))
}

/// What stands after `AWS_ENDPOINT_URL_` for the service with this name in the registry.
pub(crate) fn endpoint_variable(registry: &str) -> String {
    let id = services().iter().find(|(name, _)| *name == resource_of(registry)).map_or("", |(_, id)| id);
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// All names in the registry, in alphabetical order of the resources.
pub(crate) fn registry_names() -> impl Iterator<Item = &'static str> {
    services().iter().filter_map(|(name, _)| sdk_resource(name))
}

/// CloudWatch Logs: its name in the registry and in `aws-sdk:<name>:<api>`.
const LOGS: (&str, &str) = ("logs", "cloudwatchlogs");

/// The services with an optimized integration that calls an API.
static OPTIMIZED: [&ServiceNames; 6] = [&LAMBDA, &DYNAMODB, &SQS, &SNS, &EVENTS, &STATES];

pub(crate) static LAMBDA: ServiceNames = ServiceNames {
    registry: "lambda",
    sdk_resource: "lambda",
    prefix: "Lambda",
    service: "AWSLambda",
    base_exception: "AWSLambdaException",
};

pub(crate) static DYNAMODB: ServiceNames = ServiceNames {
    registry: "dynamodb",
    sdk_resource: "dynamodb",
    prefix: "DynamoDB",
    service: "AmazonDynamoDBv2",
    base_exception: "AmazonDynamoDBException",
};

pub(crate) static SQS: ServiceNames = ServiceNames {
    registry: "sqs",
    sdk_resource: "sqs",
    prefix: "SQS",
    service: "AmazonSQS",
    base_exception: "AmazonSQSException",
};

pub(crate) static SNS: ServiceNames = ServiceNames {
    registry: "sns",
    sdk_resource: "sns",
    prefix: "SNS",
    service: "AmazonSNS",
    base_exception: "AmazonSNSException",
};

pub(crate) static EVENTS: ServiceNames = ServiceNames {
    registry: "events",
    sdk_resource: "eventbridge",
    prefix: "EventBridge",
    service: "AmazonEventBridge",
    base_exception: "AmazonEventBridgeException",
};

pub(crate) static STATES: ServiceNames = ServiceNames {
    registry: "states",
    sdk_resource: "sfn",
    prefix: "StepFunctions",
    service: "AWSStepFunctions",
    base_exception: "AWSStepFunctionsException",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_end_with_exception() {
        let cases = [
            (&DYNAMODB, "ResourceNotFoundException", Some("ResourceNotFoundException")),
            (&DYNAMODB, "InternalServerError", Some("InternalServerErrorException")),
            (&DYNAMODB, "ValidationException", None),
            (&STATES, "StateMachineDoesNotExist", Some("StateMachineDoesNotExistException")),
            (&SNS, "NotFound", Some("NotFoundException")),
            (&SNS, "ParameterValueInvalid", Some("InvalidParameterValueException")),
            (&SQS, "QueueDoesNotExist", Some("QueueDoesNotExistException")),
            (&SQS, "AWS.SimpleQueueService.NonExistentQueue", Some("QueueDoesNotExistException")),
            (&SQS, "QueueAlreadyExists", Some("QueueNameExistsException")),
            (&SQS, "MissingParameter", None),
        ];
        for (service, code, expected) in cases {
            assert_eq!(service.exception(code).as_deref(), expected, "{code}");
        }
    }

    #[test]
    fn every_service_is_found_by_each_of_its_names() {
        for service in OPTIMIZED {
            assert_eq!(sdk_resource(service.sdk_resource), Some(service.registry));
            assert_eq!(setting(service.registry), Some(service.registry));
            assert!(model(service.registry).is_some());
        }
        for (name, registry) in [
            ("stepfunctions", Some("states")),
            ("eventbridge", Some("events")),
            ("s3", Some("s3")),
            ("cloudwatchlogs", Some("logs")),
            ("logs", Some("logs")),
            ("secrets-manager", Some("secretsmanager")),
            ("Secrets Manager", Some("secretsmanager")),
            ("nothing", None),
        ] {
            assert_eq!(setting(name), registry, "{name}");
        }
        for (registry, variable) in
            [("events", "EVENTBRIDGE"), ("states", "SFN"), ("secretsmanager", "SECRETS_MANAGER")]
        {
            assert_eq!(endpoint_variable(registry), variable);
        }
    }
}
