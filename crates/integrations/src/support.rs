//! Which resources this version can call, for whoever wants to know before an execution does.

use stepwell_asl::program::{IntegrationPattern, Resource, ResourceKind};

use crate::catalog;
use crate::parameters::{apis, optimized};

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
                Some(service) if catalog::sdk_resource(service).is_none() => {
                    let names: Vec<_> = catalog::SERVICES.iter().map(|s| s.sdk_resource).collect();
                    Some(format!("the AWS SDK integrations it has are {}", names.join(", ")))
                }
                Some(_) => missing_pattern(*pattern, SDK_PATTERNS),
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
            (
                service("aws-sdk:s3", "getObject", RequestResponse),
                Some("AWS SDK integrations it has are lambda,"),
            ),
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
