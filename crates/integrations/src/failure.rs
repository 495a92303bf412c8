//! How a refused call is called in `ErrorEquals`, and what its cause says.
//!
//! AWS's integrations speak through two generations of its Java SDK, whose exception texts differ; both forms are here.
//! What a Lambda function's own error becomes is in `services/lambda.rs`.

use stepwell_aws::Fault;
use stepwell_models::{Service as Model, class_name, exception_name};
use uuid::Uuid;

use crate::catalog::ServiceNames;
use crate::task::TaskOutcome;

/// Code of a [`Fault`] that no service gave: the request did not reach it, or its answer did not come back whole.
pub(crate) const CLIENT_FAILURE: &str = "SdkClientException";

/// Services whose causes end with the attempt count, as their recordings do.
const COUNTS_ATTEMPTS: &[&str] = &["SFN"];

/// Longest cause in characters; what a service or a function says beyond is cut.
/// Source: the API model's `SensitiveCause`.
const CAUSE_CHARACTERS_MAX: usize = 32_768;

/// Why an attempt failed, in the words of the Amazon States Language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: String,
    pub(crate) cause: String,
}

impl Failure {
    pub(crate) fn new(error: impl Into<String>, cause: impl Into<String>) -> Failure {
        Failure { error: error.into(), cause: cause.into() }
    }

    /// `States.Runtime`: the task cannot be run at all; neither retried nor caught by `States.ALL`.
    pub(crate) fn runtime(cause: impl Into<String>) -> Failure {
        Failure::new("States.Runtime", cause)
    }

    /// A refused call of an optimized integration: `DynamoDB.ResourceNotFoundException` with the first SDK's text.
    pub(crate) fn optimized(names: &ServiceNames, fault: &Fault) -> Failure {
        if fault.code == CLIENT_FAILURE {
            return Failure::new(format!("{}.{CLIENT_FAILURE}", names.prefix), &fault.message);
        }
        let exception = names.exception(&fault.code);
        let error = format!("{}.{}", names.prefix, exception.as_deref().unwrap_or(names.base_exception));
        let cause = format!(
            "{} (Service: {}; Status Code: {}; Error Code: {}; Request ID: {}; Proxy: null)",
            fault.message,
            names.service,
            fault.status,
            wire_code(names, fault),
            request_id(fault)
        );
        Failure { error, cause }
    }

    /// A refused call of an `aws-sdk` integration: `DynamoDb.ResourceNotFoundException` with the second SDK's text.
    pub(crate) fn sdk(model: &Model, fault: &Fault) -> Failure {
        let prefix = class_name(&model.id);
        if fault.code == CLIENT_FAILURE {
            return Failure::new(format!("{prefix}.{CLIENT_FAILURE}"), &fault.message);
        }
        let exception =
            model.exception(&fault.code).map_or_else(|| format!("{prefix}Exception"), exception_name);
        let extended = fault.headers.iter().find(|(name, _)| name == "x-amz-id-2");
        let extended = extended.map(|(_, id)| format!(", Extended Request ID: {id}")).unwrap_or_default();
        let attempts = if COUNTS_ATTEMPTS.contains(&&*model.id) { " (SDK Attempt Count: 1)" } else { "" };
        let cause = format!(
            "{} (Service: {prefix}, Status Code: {}, Request ID: {}{extended}){attempts}",
            fault.message,
            fault.status,
            request_id(fault)
        );
        Failure { error: format!("{prefix}.{exception}"), cause }
    }

    pub(crate) fn into_outcome(mut self) -> TaskOutcome {
        if let Some((end, _)) = self.cause.char_indices().nth(CAUSE_CHARACTERS_MAX) {
            self.cause.truncate(end);
        }
        TaskOutcome::Failed { error: Some(self.error), cause: Some(self.cause) }
    }
}

/// The code as the first SDK sees it: SQS gives it the codes of its older protocol, also where the service did not
/// say so.
fn wire_code<'a>(names: &ServiceNames, fault: &'a Fault) -> &'a str {
    let code = fault.query_code();
    if names.registry != "sqs" {
        return code;
    }
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists" => "QueueAlreadyExists",
        "PurgeQueueInProgress" => "AWS.SimpleQueueService.PurgeQueueInProgress",
        "QueueDeletedRecently" => "AWS.SimpleQueueService.QueueDeletedRecently",
        "UnsupportedOperation" => "AWS.SimpleQueueService.UnsupportedOperation",
        code => code,
    }
}

fn request_id(fault: &Fault) -> String {
    fault.request_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{DYNAMODB, LAMBDA, SQS};

    fn fault(code: &str, message: &str, status: u16) -> Fault {
        Fault { request_id: Some("r-1".into()), ..Fault::new(code, message).with_status(status) }
    }

    fn model(name: &str) -> std::sync::Arc<Model> {
        stepwell_models::service(name).expect(name)
    }

    #[test]
    fn names_and_causes_are_those_of_aws() {
        let mut s3_fault = fault("NoSuchKey", "The specified key does not exist.", 404);
        s3_fault.headers.push(("x-amz-id-2".into(), "e-1".into()));
        let cases = [
            (
                Failure::optimized(
                    &LAMBDA,
                    &fault("ResourceNotFoundException", "Function not found: f", 404),
                ),
                "Lambda.ResourceNotFoundException",
                "Function not found: f (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; \
                 Request ID: r-1; Proxy: null)",
            ),
            (
                Failure::optimized(&DYNAMODB, &fault("ValidationException", "1 validation error", 400)),
                "DynamoDB.AmazonDynamoDBException",
                "1 validation error (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; \
                 Request ID: r-1; Proxy: null)",
            ),
            (
                Failure::optimized(
                    &SQS,
                    &fault("QueueDoesNotExist", "The specified queue does not exist.", 400),
                ),
                "SQS.QueueDoesNotExistException",
                "The specified queue does not exist. (Service: AmazonSQS; Status Code: 400; \
                 Error Code: AWS.SimpleQueueService.NonExistentQueue; Request ID: r-1; Proxy: null)",
            ),
            (
                Failure::optimized(&SQS, &fault(CLIENT_FAILURE, "Unable to execute HTTP request: x", 0)),
                "SQS.SdkClientException",
                "Unable to execute HTTP request: x",
            ),
            (
                Failure::sdk(
                    &model("dynamodb"),
                    &fault("ResourceNotFoundException", "Requested resource not found", 400),
                ),
                "DynamoDb.ResourceNotFoundException",
                "Requested resource not found (Service: DynamoDb, Status Code: 400, Request ID: r-1)",
            ),
            (
                Failure::sdk(&model("dynamodb"), &fault("ValidationException", "bad", 400)),
                "DynamoDb.DynamoDbException",
                "bad (Service: DynamoDb, Status Code: 400, Request ID: r-1)",
            ),
            (
                Failure::sdk(&model("sfn"), &fault("InvalidToken", "Invalid Token: 'Invalid token'", 400)),
                "Sfn.InvalidTokenException",
                "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: r-1) \
                 (SDK Attempt Count: 1)",
            ),
            (
                Failure::sdk(&model("s3"), &s3_fault),
                "S3.NoSuchKeyException",
                "The specified key does not exist. (Service: S3, Status Code: 404, Request ID: r-1, \
                 Extended Request ID: e-1)",
            ),
        ];
        for (failure, error, cause) in cases {
            assert_eq!((failure.error.as_str(), failure.cause.as_str()), (error, cause));
        }
    }

    #[test]
    fn a_cause_is_cut_between_characters() {
        let TaskOutcome::Failed { cause: Some(cause), .. } =
            Failure::runtime("ä".repeat(40_000)).into_outcome()
        else {
            panic!("a failure with a cause");
        };
        assert_eq!(cause.chars().count(), CAUSE_CHARACTERS_MAX);
    }
}
