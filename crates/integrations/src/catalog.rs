//! The services that a Task can call by name, and what each is called where: in resources, in error names, in causes.
//!
//! The two SDK generations that AWS uses behind the integrations name the same service differently: `DynamoDB` and
//! `AmazonDynamoDBv2` in the optimized integration, `DynamoDb` in `aws-sdk:dynamodb`. Names of exceptions are from
//! the services' API models. Who calls what with which parameters is in [`crate::parameters`] and `services/`.

/// The names of one service.
#[derive(Debug)]
pub(crate) struct ServiceNames {
    /// Name in the registry of services, in endpoint settings and in `arn:…:states:::<service>:<api>`.
    pub(crate) registry: &'static str,
    /// Name in `aws-sdk:<service>:<api>`.
    pub(crate) sdk_resource: &'static str,
    /// Further names that endpoint settings may use.
    pub(crate) aliases: &'static [&'static str],
    /// What stands after `AWS_ENDPOINT_URL_`.
    pub(crate) endpoint_variable: &'static str,
    /// Prefix of error names of the optimized integration: `DynamoDB`.
    pub(crate) prefix: &'static str,
    /// `Service:` in causes of the optimized integration: `AmazonDynamoDBv2`.
    pub(crate) service: &'static str,
    /// What an exception that is not in the model is called by the optimized integration.
    pub(crate) base_exception: &'static str,
    /// Prefix of error names and `Service:` in causes of the `aws-sdk` integration: `DynamoDb`.
    pub(crate) sdk: &'static str,
    /// Whether causes of `aws-sdk` end with the attempt count, as the recordings of this service do.
    pub(crate) sdk_attempt_count: bool,
    /// Error codes, as they travel, of the exceptions in the model.
    pub(crate) modelled: &'static [&'static str],
    /// Modelled exceptions that are not simply called after their code: (code on the wire, name).
    pub(crate) renamed: &'static [(&'static str, &'static str)],
    /// Members of outputs that hold an instant, in PascalCase.
    pub(crate) timestamps: &'static [&'static str],
    /// Members whose value is an item or a key of the user's: never looked into.
    pub(crate) opaque: &'static [&'static str],
    /// Members of requests that hold text in which users may write JSON.
    pub(crate) json_text: &'static [&'static str],
    /// Whether the members of the API begin with a lower-case letter, unlike the parameters of a Task.
    pub(crate) lower_camel: bool,
}

/// The service registered as `name`.
pub(crate) fn registered(name: &str) -> Option<&'static ServiceNames> {
    SERVICES.iter().copied().find(|s| s.registry == name)
}

/// The service of `aws-sdk:<name>:…`.
pub(crate) fn sdk_resource(name: &str) -> Option<&'static ServiceNames> {
    SERVICES.iter().copied().find(|s| s.sdk_resource == name)
}

/// The service that an endpoint setting means by `name`.
pub(crate) fn setting(name: &str) -> Option<&'static ServiceNames> {
    SERVICES
        .iter()
        .copied()
        .find(|s| s.registry == name || s.sdk_resource == name || s.aliases.contains(&name))
}

impl ServiceNames {
    /// What the exception with this error code is called in the SDKs; `None` where the model has none.
    pub(crate) fn exception(&self, code: &str) -> Option<String> {
        if let Some((_, name)) = self.renamed.iter().find(|(wire, _)| *wire == code) {
            return Some((*name).to_owned());
        }
        if !self.modelled.contains(&code) {
            return None;
        }
        Some(if code.ends_with("Exception") { code.to_owned() } else { format!("{code}Exception") })
    }
}

/// All services, in the order in which messages list them.
pub(crate) static SERVICES: [&ServiceNames; 6] = [&LAMBDA, &DYNAMODB, &SQS, &SNS, &EVENTS, &STATES];

pub(crate) static LAMBDA: ServiceNames = ServiceNames {
    registry: "lambda",
    sdk_resource: "lambda",
    aliases: &[],
    endpoint_variable: "LAMBDA",
    prefix: "Lambda",
    service: "AWSLambda",
    base_exception: "AWSLambdaException",
    sdk: "Lambda",
    sdk_attempt_count: false,
    modelled: &[
        "CodeSigningConfigNotFoundException",
        "CodeStorageExceededException",
        "CodeVerificationFailedException",
        "EC2AccessDeniedException",
        "EC2ThrottledException",
        "EC2UnexpectedException",
        "EFSIOException",
        "EFSMountConnectivityException",
        "EFSMountFailureException",
        "EFSMountTimeoutException",
        "ENILimitReachedException",
        "InvalidCodeSignatureException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "InvalidRuntimeException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "PolicyLengthExceededException",
        "PreconditionFailedException",
        "ProvisionedConcurrencyConfigNotFoundException",
        "RecursiveInvocationException",
        "RequestTooLargeException",
        "ResourceConflictException",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "ResourceNotReadyException",
        "ServiceException",
        "SnapStartException",
        "SnapStartNotReadyException",
        "SnapStartTimeoutException",
        "SubnetIPAddressLimitReachedException",
        "TooManyRequestsException",
        "UnsupportedMediaTypeException",
    ],
    renamed: &[],
    timestamps: &["StartingPositionTimestamp"],
    opaque: &["Variables", "Tags"],
    json_text: &["Payload"],
    lower_camel: false,
};

pub(crate) static DYNAMODB: ServiceNames = ServiceNames {
    registry: "dynamodb",
    sdk_resource: "dynamodb",
    aliases: &[],
    endpoint_variable: "DYNAMODB",
    prefix: "DynamoDB",
    service: "AmazonDynamoDBv2",
    base_exception: "AmazonDynamoDBException",
    sdk: "DynamoDb",
    sdk_attempt_count: false,
    modelled: &[
        "BackupInUseException",
        "BackupNotFoundException",
        "ConditionalCheckFailedException",
        "ContinuousBackupsUnavailableException",
        "DuplicateItemException",
        "ExportConflictException",
        "ExportNotFoundException",
        "GlobalTableAlreadyExistsException",
        "GlobalTableNotFoundException",
        "IdempotentParameterMismatchException",
        "ImportConflictException",
        "ImportNotFoundException",
        "IndexNotFoundException",
        "InternalServerError",
        "InvalidExportTimeException",
        "InvalidRestoreTimeException",
        "ItemCollectionSizeLimitExceededException",
        "LimitExceededException",
        "PointInTimeRecoveryUnavailableException",
        "PolicyNotFoundException",
        "ProvisionedThroughputExceededException",
        "ReplicaAlreadyExistsException",
        "ReplicaNotFoundException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "TableAlreadyExistsException",
        "TableInUseException",
        "TableNotFoundException",
        "TransactionCanceledException",
        "TransactionConflictException",
        "TransactionInProgressException",
    ],
    renamed: &[],
    timestamps: &[
        "ArchivalDateTime",
        "BackupCreationDateTime",
        "BackupExpiryDateTime",
        "CreationDateTime",
        "EarliestRestorableDateTime",
        "EndTime",
        "ExportFromTime",
        "ExportTime",
        "ExportToTime",
        "InaccessibleEncryptionDateTime",
        "LastDecreaseDateTime",
        "LastIncreaseDateTime",
        "LastUpdateDateTime",
        "LastUpdateToPayPerRequestDateTime",
        "LatestRestorableDateTime",
        "ReplicaInaccessibleDateTime",
        "RestoreDateTime",
        "StartTime",
        "TableCreationDateTime",
    ],
    opaque: &[
        "Attributes",
        "Item",
        "Items",
        "Key",
        "Keys",
        "LastEvaluatedKey",
        "ItemCollectionKey",
        "Responses",
        "UnprocessedItems",
        "UnprocessedKeys",
    ],
    json_text: &[],
    lower_camel: false,
};

pub(crate) static SQS: ServiceNames = ServiceNames {
    registry: "sqs",
    sdk_resource: "sqs",
    aliases: &[],
    endpoint_variable: "SQS",
    prefix: "SQS",
    service: "AmazonSQS",
    base_exception: "AmazonSQSException",
    sdk: "Sqs",
    sdk_attempt_count: false,
    modelled: &[
        "BatchEntryIdsNotDistinct",
        "BatchRequestTooLong",
        "EmptyBatchRequest",
        "InvalidAddress",
        "InvalidAttributeName",
        "InvalidAttributeValue",
        "InvalidBatchEntryId",
        "InvalidIdFormat",
        "InvalidMessageContents",
        "InvalidSecurity",
        "KmsAccessDenied",
        "KmsDisabled",
        "KmsInvalidKeyUsage",
        "KmsInvalidState",
        "KmsNotFound",
        "KmsOptInRequired",
        "KmsThrottled",
        "MessageNotInflight",
        "OverLimit",
        "PurgeQueueInProgress",
        "QueueDeletedRecently",
        "QueueDoesNotExist",
        "QueueNameExists",
        "ReceiptHandleIsInvalid",
        "RequestThrottled",
        "ResourceNotFoundException",
        "TooManyEntriesInBatchRequest",
        "UnsupportedOperation",
    ],
    // Codes of the older query protocol, which the service still reports in `x-amzn-query-error`.
    renamed: &[
        ("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinctException"),
        ("AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLongException"),
        ("AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequestException"),
        ("AWS.SimpleQueueService.InvalidBatchEntryId", "InvalidBatchEntryIdException"),
        ("AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflightException"),
        ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExistException"),
        ("AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgressException"),
        ("AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecentlyException"),
        ("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequestException"),
        ("AWS.SimpleQueueService.UnsupportedOperation", "UnsupportedOperationException"),
        ("QueueAlreadyExists", "QueueNameExistsException"),
    ],
    timestamps: &[],
    opaque: &["Attributes", "MessageAttributes"],
    json_text: &["MessageBody"],
    lower_camel: false,
};

pub(crate) static SNS: ServiceNames = ServiceNames {
    registry: "sns",
    sdk_resource: "sns",
    aliases: &[],
    endpoint_variable: "SNS",
    prefix: "SNS",
    service: "AmazonSNS",
    base_exception: "AmazonSNSException",
    sdk: "Sns",
    sdk_attempt_count: false,
    modelled: &[
        "AuthorizationError",
        "BatchEntryIdsNotDistinct",
        "BatchRequestTooLong",
        "ConcurrentAccess",
        "EmptyBatchRequest",
        "EndpointDisabled",
        "FilterPolicyLimitExceeded",
        "InternalError",
        "InvalidBatchEntryId",
        "InvalidParameter",
        "InvalidSecurity",
        "InvalidState",
        "KMSAccessDenied",
        "KMSDisabled",
        "KMSInvalidState",
        "KMSNotFound",
        "KMSOptInRequired",
        "KMSThrottling",
        "NotFound",
        "OptedOut",
        "PlatformApplicationDisabled",
        "ReplayLimitExceeded",
        "ResourceNotFound",
        "StaleTag",
        "SubscriptionLimitExceeded",
        "TagLimitExceeded",
        "TagPolicy",
        "Throttled",
        "TooManyEntriesInBatchRequest",
        "TopicLimitExceeded",
        "UserError",
        "ValidationException",
        "VerificationException",
    ],
    renamed: &[("ParameterValueInvalid", "InvalidParameterValueException")],
    timestamps: &["CreatedAt"],
    opaque: &["Attributes", "MessageAttributes"],
    json_text: &["Message"],
    lower_camel: false,
};

pub(crate) static EVENTS: ServiceNames = ServiceNames {
    registry: "events",
    sdk_resource: "eventbridge",
    aliases: &[],
    endpoint_variable: "EVENTBRIDGE",
    prefix: "EventBridge",
    service: "AmazonEventBridge",
    base_exception: "AmazonEventBridgeException",
    sdk: "EventBridge",
    sdk_attempt_count: false,
    modelled: &[
        "ConcurrentModificationException",
        "IllegalStatusException",
        "InternalException",
        "InvalidEventPatternException",
        "InvalidStateException",
        "LimitExceededException",
        "ManagedRuleException",
        "OperationDisabledException",
        "PolicyLengthExceededException",
        "ResourceAlreadyExistsException",
        "ResourceNotFoundException",
    ],
    renamed: &[],
    timestamps: &[
        "CreationTime",
        "EventEndTime",
        "EventLastReplayedTime",
        "EventStartTime",
        "ExpirationTime",
        "LastAuthorizedTime",
        "LastModifiedTime",
        "ReplayEndTime",
        "ReplayStartTime",
    ],
    opaque: &[],
    json_text: &["Detail", "EventPattern", "Input"],
    lower_camel: false,
};

pub(crate) static STATES: ServiceNames = ServiceNames {
    registry: "states",
    sdk_resource: "sfn",
    aliases: &["stepfunctions"],
    endpoint_variable: "SFN",
    prefix: "StepFunctions",
    service: "AWSStepFunctions",
    base_exception: "AWSStepFunctionsException",
    sdk: "Sfn",
    sdk_attempt_count: true,
    modelled: &[
        "ActivityAlreadyExists",
        "ActivityDoesNotExist",
        "ActivityLimitExceeded",
        "ActivityWorkerLimitExceeded",
        "ConflictException",
        "ExecutionAlreadyExists",
        "ExecutionDoesNotExist",
        "ExecutionLimitExceeded",
        "ExecutionNotRedrivable",
        "InvalidArn",
        "InvalidDefinition",
        "InvalidEncryptionConfiguration",
        "InvalidExecutionInput",
        "InvalidLoggingConfiguration",
        "InvalidName",
        "InvalidOutput",
        "InvalidToken",
        "InvalidTracingConfiguration",
        "KmsAccessDeniedException",
        "KmsInvalidStateException",
        "KmsThrottlingException",
        "MissingRequiredParameter",
        "ResourceNotFound",
        "ServiceQuotaExceededException",
        "StateMachineAlreadyExists",
        "StateMachineDeleting",
        "StateMachineDoesNotExist",
        "StateMachineLimitExceeded",
        "StateMachineTypeNotSupported",
        "TaskDoesNotExist",
        "TaskTimedOut",
        "TooManyTags",
        "ValidationException",
    ],
    renamed: &[],
    timestamps: &["CreationDate", "RedriveDate", "StartDate", "StopDate", "Timestamp", "UpdateDate"],
    opaque: &["AssignedVariables", "VariableReferences"],
    json_text: &["Definition", "Input", "Output"],
    lower_camel: true,
};

#[cfg(test)]
mod tests {
    use super::{DYNAMODB, SERVICES, SNS, SQS, STATES, registered, sdk_resource, setting};

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
            (&SQS, "MissingParameter", None),
        ];
        for (service, code, expected) in cases {
            assert_eq!(service.exception(code).as_deref(), expected, "{code}");
        }
    }

    #[test]
    fn every_service_is_found_by_each_of_its_names() {
        for service in SERVICES {
            assert!(std::ptr::eq(registered(service.registry).expect("registered"), service));
            assert!(std::ptr::eq(sdk_resource(service.sdk_resource).expect("sdk"), service));
            assert!(std::ptr::eq(setting(service.registry).expect("setting"), service));
        }
        assert!(setting("stepfunctions").is_some_and(|s| s.registry == "states"));
        assert!(setting("eventbridge").is_some_and(|s| s.registry == "events"));
        assert!(setting("s3").is_none());
    }
}
