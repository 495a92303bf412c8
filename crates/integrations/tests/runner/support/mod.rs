//! Requests as the engine makes them.

pub(crate) mod server;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{IntegrationPattern, Resource, ResourceKind};
use stepwell_integrations::{Host, Progress, TaskRequest};

/// The resource of an ARN that the tests write.
pub(crate) fn resource(arn: &str) -> Resource {
    parse(arn).unwrap_or_else(|| panic!("{arn} is no resource"))
}

/// Takes a resource's ARN apart as the compiler does.
pub(crate) fn parse(arn: &str) -> Option<Resource> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let kind = match parts[..] {
        ["arn", _, "lambda", ..] => ResourceKind::LambdaFunction,
        ["arn", _, "states", "", "", rest] => {
            let (resource_type, resource) = match rest.strip_prefix("aws-sdk:") {
                Some(rest) => {
                    let (service, api) = rest.split_once(':')?;
                    (format!("aws-sdk:{service}"), api)
                }
                None => {
                    let (service, api) = rest.split_once(':')?;
                    (service.to_owned(), api)
                }
            };
            let (api, pattern) = match resource.split_once('.') {
                None => (resource, IntegrationPattern::RequestResponse),
                Some((api, "sync")) => (api, IntegrationPattern::Sync),
                Some((api, "sync:2")) => (api, IntegrationPattern::Sync2),
                Some((api, _)) => (api, IntegrationPattern::WaitForTaskToken),
            };
            ResourceKind::Service {
                resource_type: resource_type.into(),
                resource: resource.into(),
                api: api.into(),
                pattern,
            }
        }
        _ => return None,
    };
    Some(Resource { arn: arn.into(), kind })
}

/// A request for `resource` with these parameters.
pub(crate) fn request(resource: Resource, parameters: &str) -> TaskRequest {
    TaskRequest {
        attempt_id: "attempt-1".into(),
        resource,
        parameters: Payload::parse(parameters).expect("JSON parameters"),
        execution_arn: "arn:aws:states:us-east-1:111111111111:execution:m:e".into(),
        state_machine_arn: "arn:aws:states:us-east-1:111111111111:stateMachine:m".into(),
        role_arn: "arn:aws:iam::111111111111:role/r".into(),
        progress: Progress::New,
        host: Host::default(),
    }
}
