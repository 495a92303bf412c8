//! What the crate needs from its host: services, stores, time. Every trait here is the seam to something that does
//! I/O elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stepwell_aws::{Account, BoxFuture, Service};

use crate::stack::StackStore;

/// A store could not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// The AWS services that resources are made with.
pub trait Services: Send + Sync {
    /// The service with this short name (`states`, `lambda`, `dynamodb`, `sqs`), where there is one.
    fn service(&self, name: &str) -> Option<&dyn Service>;
}

impl Services for BTreeMap<String, Arc<dyn Service>> {
    fn service(&self, name: &str) -> Option<&dyn Service> {
        self.get(name).map(|service| &**service)
    }
}

/// Files by bucket and key: what `cdk deploy` uploads to the asset bucket.
pub trait AssetStore: Send + Sync {
    /// Keeps `content`; an existing object is replaced.
    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        content: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The object's content; `None` where there is none.
    fn get<'a>(&'a self, bucket: &'a str, key: &'a str)
    -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>>;
}

/// Values of SSM parameters, for `AWS::SSM::Parameter::Value<…>` and `{{resolve:ssm:…}}`.
///
/// CDK's bootstrap version need not be answered: it is built in.
pub trait Parameters: Send + Sync {
    /// The value of the parameter; `None` where there is none. `name` may end in `:version`.
    fn parameter<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
}

/// No SSM parameters beyond the built-in ones.
#[derive(Debug, Clone, Copy)]
pub struct NoParameters;

impl Parameters for NoParameters {
    fn parameter<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
}

/// Time, chance and waiting.
pub trait Host: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
    /// A new UUID in its text form, lower case.
    fn uuid(&self) -> String;
    /// Waits; between two questions whether a resource is ready.
    fn pause(&self, time: Duration) -> BoxFuture<'_, ()>;
}

/// Everything a deployment works with.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Account, region and partition of the resources.
    pub account: &'a Account,
    /// AWS operations.
    pub services: &'a dyn Services,
    /// Stack records.
    pub stacks: &'a dyn StackStore,
    /// Assets.
    pub assets: &'a dyn AssetStore,
    /// SSM parameters.
    pub parameters: &'a dyn Parameters,
    /// Time, chance and waiting.
    pub host: &'a dyn Host,
    /// `host:port` by which clients reach this server; passed on in [`stepwell_aws::Call::host`].
    pub endpoint_host: Option<&'a str>,
    /// Resource types beyond the supported ones that are accepted and recorded without any effect.
    pub inert_types: &'a [String],
}
