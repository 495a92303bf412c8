//! What the `Resource` of a Task addresses.

use crate::program::{IntegrationPattern, ResourceKind};

/// The patterns that an optimized integration has, besides request-response.
#[derive(Clone, Copy)]
struct Patterns {
    sync: bool,
    callback: bool,
}

/// An optimized integration: its name in the ARN, its patterns, and its APIs if only these are known to AWS.
type Integration = (&'static str, Patterns, &'static [&'static str]);

const NONE: Patterns = Patterns { sync: false, callback: false };
const SYNC: Patterns = Patterns { sync: true, callback: false };
const CALLBACK: Patterns = Patterns { sync: false, callback: true };
const ALL: Patterns = Patterns { sync: true, callback: true };

/// Source: Developer Guide, "Integrating optimized services".
const INTEGRATIONS: [Integration; 22] = [
    ("lambda", CALLBACK, &["invoke"]),
    ("dynamodb", NONE, &["getItem", "putItem", "updateItem", "deleteItem"]),
    ("sqs", CALLBACK, &["sendMessage"]),
    ("sns", CALLBACK, &["publish"]),
    ("events", CALLBACK, &["putEvents"]),
    ("states", ALL, &["startExecution"]),
    ("apigateway", CALLBACK, &["invoke"]),
    ("http", NONE, &["invoke"]),
    ("athena", SYNC, &["startQueryExecution", "stopQueryExecution", "getQueryExecution", "getQueryResults"]),
    ("batch", SYNC, &["submitJob"]),
    ("bedrock", ALL, &[]),
    ("codebuild", SYNC, &[]),
    ("ecs", ALL, &["runTask"]),
    ("eks", ALL, &[]),
    ("elasticmapreduce", SYNC, &[]),
    ("emr-containers", SYNC, &[]),
    ("emr-serverless", SYNC, &[]),
    ("glue", SYNC, &["startJobRun"]),
    ("databrew", SYNC, &["startJobRun"]),
    ("mediaconvert", SYNC, &["createJob"]),
    ("sagemaker", SYNC, &[]),
    ("scheduler", NONE, &[]),
];

/// Takes a resource ARN apart; nothing for one that AWS does not know.
pub(super) fn parse(arn: &str) -> Option<ResourceKind> {
    let mut parts = arn.splitn(6, ':');
    let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if prefix != "arn" || partition.is_empty() {
        return None;
    }
    match service {
        "lambda" if !region.is_empty() && !account.is_empty() => {
            let name = rest.strip_prefix("function:")?;
            let mut parts = name.split(':');
            let named = parts.next().is_some_and(|name| !name.is_empty());
            let qualified = parts.next().is_none_or(|qualifier| !qualifier.is_empty());
            (named && qualified && parts.next().is_none()).then_some(ResourceKind::LambdaFunction)
        }
        "states" if region.is_empty() && account.is_empty() => integration(rest),
        "states" => {
            let name = rest.strip_prefix("activity:")?;
            (!name.is_empty() && !name.contains(':')).then_some(ResourceKind::Activity)
        }
        _ => None,
    }
}

/// The S3 call of an item reader or result writer, which is not an integration that a Task could use.
pub(super) fn parse_s3(arn: &str, apis: &[&str]) -> Option<ResourceKind> {
    let rest = arn.strip_prefix("arn:")?;
    let (partition, rest) = rest.split_once(':')?;
    let api = rest.strip_prefix("states:::s3:")?;
    let known = !partition.is_empty() && apis.contains(&api);
    known.then(|| ResourceKind::Service {
        resource_type: "s3".into(),
        resource: api.into(),
        api: api.into(),
        pattern: IntegrationPattern::RequestResponse,
    })
}

/// `lambda:invoke.waitForTaskToken`, `aws-sdk:s3:getObject`
fn integration(text: &str) -> Option<ResourceKind> {
    let (resource_type, resource) = match text.strip_prefix("aws-sdk:") {
        Some(sdk) => text.split_at("aws-sdk:".len() + sdk.find(':')?),
        None => text.split_at(text.find(':')?),
    };
    let resource = resource.strip_prefix(':')?;
    let (api, pattern) = match resource.split_once('.') {
        None => (resource, IntegrationPattern::RequestResponse),
        Some((api, "sync")) => (api, IntegrationPattern::Sync),
        Some((api, "sync:2")) => (api, IntegrationPattern::Sync2),
        Some((api, "waitForTaskToken")) => (api, IntegrationPattern::WaitForTaskToken),
        Some(_) => return None,
    };
    if api.is_empty() || !api.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let known = match resource_type.strip_prefix("aws-sdk:") {
        Some(service) => {
            let is_name =
                !service.is_empty() && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            is_name && !matches!(pattern, IntegrationPattern::Sync | IntegrationPattern::Sync2)
        }
        None => is_optimized(resource_type, api, pattern),
    };
    known.then(|| ResourceKind::Service {
        resource_type: resource_type.into(),
        resource: resource.into(),
        api: api.into(),
        pattern,
    })
}

fn is_optimized(service: &str, api: &str, pattern: IntegrationPattern) -> bool {
    let Some((_, patterns, apis)) = INTEGRATIONS.iter().find(|(name, ..)| *name == service) else {
        return false;
    };
    let has_api = apis.is_empty() || apis.contains(&api);
    let has_pattern = match pattern {
        IntegrationPattern::RequestResponse => true,
        IntegrationPattern::Sync => patterns.sync,
        IntegrationPattern::Sync2 => service == "states",
        IntegrationPattern::WaitForTaskToken => patterns.callback,
    };
    has_api && has_pattern
}
