//! What one AWS API call is, apart from any wire protocol.
//!
//! Every service of Stepwell (Step Functions itself, the embedded Lambda, SQS and DynamoDB, and the client that
//! forwards to an outside endpoint) implements [`Service`]; the server, the task integrations and the deployer speak
//! to services only through it. So a state machine that calls `sqs:sendMessage`, a boto3 client and a CloudFormation
//! template reach the very same code.
//!
//! This crate owns those shapes, the account settings ([`Account`]) and ARNs ([`arn`]). It never does I/O and knows
//! no service.

pub mod arn;
mod call;

pub use call::{BoxFuture, Call, Fault, Reply, Service};

/// Whose account the server plays: the three parts that occur in nearly every ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `aws` unless configured otherwise (`aws-cn`, `aws-us-gov` …).
    pub partition: String,
    /// For example `us-east-1`.
    pub region: String,
    /// Twelve digits.
    pub id: String,
}

impl Default for Account {
    fn default() -> Self {
        Account { partition: "aws".into(), region: "us-east-1".into(), id: "000000000000".into() }
    }
}

impl Account {
    /// The ARN `arn:<partition>:<service>:<region>:<account>:<resource>` of a resource in this account.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.id)
    }
}
