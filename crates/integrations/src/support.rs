//! Which resources this version can call, for whoever wants to know before an execution does.

use stepwell_asl::program::{IntegrationPattern, Resource, ResourceKind};

use crate::parameters::{apis, optimized};
use crate::services::aws_sdk::capitalized;

/// What AWS has for every `aws-sdk` integration.
const SDK_PATTERNS: &[IntegrationPattern] =
    &[IntegrationPattern::RequestResponse, IntegrationPattern::WaitForTaskToken];

/// A resource that a Task may name but that cannot be called; the text says which and what can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The resource '{resource}' is not supported by this version of Stepwell: {reason}")]
pub struct Unsupported {
    /// The ARN as given.
    pub resource: String,
    /// Why.
    pub reason: String,
}

/// Whether a Task may call `resource` at all; says nothing about whether its service is reachable.
///
/// Errors: [`Unsupported`], for a warning at creation; at run time the same text is the cause of a `States.Runtime`.
pub fn supports(resource: &Resource) -> Result<(), Unsupported> {
    reason(&resource.kind)
        .map_or(Ok(()), |reason| Err(Unsupported { resource: resource.arn.to_string(), reason }))
}

fn reason(kind: &ResourceKind) -> Option<String> {
    match kind {
        ResourceKind::LambdaFunction => None,
        ResourceKind::Activity => Some("activities are not called, their workers poll".to_owned()),
        ResourceKind::Service { resource_type, api, pattern, .. } => {
            match resource_type.strip_prefix("aws-sdk:") {
                Some(service) => sdk_reason(service, api).or_else(|| missing_pattern(*pattern, SDK_PATTERNS)),
                None => match optimized(resource_type, api) {
                    Some(api) => missing_pattern(*pattern, api.patterns),
                    None => {
                        let names: Vec<_> = apis()
                            .iter()
                            .map(|a| format!("{}:{}", a.resource_type(), a.integration.api))
                            .collect();
                        Some(format!("the optimized integrations it has are {}", names.join(", ")))
                    }
                },
            }
        }
    }
}

/// What AWS's API models do not have cannot be called.
fn sdk_reason(service: &str, api: &str) -> Option<String> {
    let Some(model) = stepwell_models::service(service) else {
        return Some(format!(
            "there is no AWS service '{service}'; services are named as in the SDK for Java"
        ));
    };
    let Some(operation) = model.operations.get(&capitalized(api)) else {
        return Some(format!("{} has no API '{api}'", model.id));
    };
    let streams = |of: &stepwell_models::Reference| {
        let members = model.shape(of).members.iter();
        members.into_iter().any(|(_, of)| model.shape(of).event_stream)
    };
    let is_stream =
        operation.input.as_ref().is_some_and(streams) || operation.output.as_ref().is_some_and(streams);
    is_stream.then(|| format!("'{api}' of {} is a stream of events", model.id))
}

/// `existing` are the patterns that AWS has for the API; all of them are served.
fn missing_pattern(pattern: IntegrationPattern, existing: &[IntegrationPattern]) -> Option<String> {
    let suffix = match pattern {
        _ if existing.contains(&pattern) => return None,
        IntegrationPattern::RequestResponse => "request-response",
        IntegrationPattern::Sync => ".sync",
        IntegrationPattern::Sync2 => ".sync:2",
        IntegrationPattern::WaitForTaskToken => ".waitForTaskToken",
    };
    Some(format!("this integration has no pattern {suffix}, on AWS either"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(resource_type: &str, api: &str, pattern: IntegrationPattern) -> Resource {
        let kind = ResourceKind::Service {
            resource_type: resource_type.into(),
            resource: api.into(),
            api: api.into(),
            pattern,
        };
        Resource { arn: format!("arn:aws:states:::{resource_type}:{api}").into(), kind }
    }

    #[test]
    fn says_what_is_served() {
        use IntegrationPattern::{RequestResponse, Sync, Sync2, WaitForTaskToken};
        let cases = [
            (service("lambda", "invoke", RequestResponse), None),
            (service("dynamodb", "updateItem", RequestResponse), None),
            (service("aws-sdk:dynamodb", "query", RequestResponse), None),
            (service("aws-sdk:sfn", "listExecutions", RequestResponse), None),
            (
                service("dynamodb", "query", RequestResponse),
                Some("optimized integrations it has are lambda:invoke,"),
            ),
            (service("http", "invoke", RequestResponse), None),
            (service("http", "invoke", WaitForTaskToken), Some("no pattern .waitForTaskToken, on AWS")),
            (service("aws-sdk:s3", "getObject", RequestResponse), None),
            (service("aws-sdk:s4", "getObject", RequestResponse), Some("no AWS service 's4'")),
            (service("aws-sdk:s3", "getObjects", RequestResponse), Some("S3 has no API 'getObjects'")),
            (service("aws-sdk:s3", "selectObjectContent", RequestResponse), Some("a stream of events")),
            (service("states", "startExecution", Sync), None),
            (service("states", "startExecution", Sync2), None),
            (service("dynamodb", "getItem", Sync), Some("no pattern .sync, on AWS")),
            (service("dynamodb", "getItem", WaitForTaskToken), Some("no pattern .waitForTaskToken, on AWS")),
            (service("aws-sdk:sqs", "sendMessage", Sync), Some("no pattern .sync, on AWS")),
            (service("aws-sdk:sqs", "sendMessage", WaitForTaskToken), None),
            (service("sqs", "sendMessage", WaitForTaskToken), None),
        ];
        for (resource, expected) in cases {
            match (supports(&resource), expected) {
                (Ok(()), None) => {}
                (Err(unsupported), Some(part)) => {
                    let text = unsupported.to_string();
                    assert!(text.contains(part) && text.contains(&*resource.arn), "{text}");
                }
                (answer, _) => panic!("{}: {answer:?}", resource.arn),
            }
        }
    }
}
