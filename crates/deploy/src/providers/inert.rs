//! Types that are accepted and recorded without any effect: permissions (which are not enforced here), metadata,
//! and whatever the host was configured to let pass.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::BoxFuture;

use super::schema::Property;
use super::{Live, Provider, ProviderError, ResourceContext};

/// A type whose resources are only recorded; `Ref` gives a generated name.
pub(super) struct Inert {
    kind: String,
    /// Unknown types: any attribute may be named, `Arn` and the like are made up.
    any_attribute: bool,
}

impl Inert {
    pub(super) fn known(kind: &str) -> Self {
        Inert { kind: kind.to_owned(), any_attribute: false }
    }

    pub(super) fn configured(kind: &str) -> Self {
        Inert { kind: kind.to_owned(), any_attribute: true }
    }
}

impl Provider for Inert {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn properties(&self) -> Option<&'static [Property]> {
        None
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        if self.any_attribute { None } else { Some(&["Id"]) }
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        _properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let name = cx.generated_name(128);
            let mut attributes = BTreeMap::from([("Id".to_owned(), json!(name))]);
            if self.any_attribute {
                // `AWS::SNS::Topic` lives in the ARN namespace `sns`, as most types do.
                let service = self.kind.split("::").nth(1).unwrap_or("unknown").to_lowercase();
                attributes.insert("Arn".to_owned(), json!(cx.environment.account.arn(&service, &name)));
            }
            Ok(Live { physical_id: name, attributes })
        })
    }

    fn update<'a>(
        &'a self,
        _cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _old: &'a Value,
        _new: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move { Ok(live.clone()) })
    }

    fn delete<'a>(
        &'a self,
        _cx: &'a ResourceContext<'a>,
        _live: &'a Live,
        _properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }
}
