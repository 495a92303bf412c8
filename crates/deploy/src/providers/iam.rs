//! `AWS::IAM::*`: accepted and recorded with stable names and ARNs, not enforced.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::BoxFuture;

use super::schema::{Effect, Property, Shape, TAGS, TEXTS};
use super::{Live, Provider, ProviderError, ResourceContext, text};

/// One IAM type.
pub(super) struct Iam {
    kind: &'static str,
    properties: &'static [Property],
    attributes: &'static [&'static str],
    name_property: &'static str,
    /// The part of the ARN before the path: `role`, `policy`, `instance-profile`.
    arn_kind: &'static str,
    ref_is_arn: bool,
}

const fn recorded(name: &'static str, shape: Shape) -> Property {
    Property::new(name, shape).with(Effect::Recorded)
}

const fn replacing(name: &'static str, shape: Shape) -> Property {
    Property::new(name, shape).with(Effect::Replace)
}

/// `AWS::IAM::Role`: `Ref` is the name.
pub(super) const ROLE: Iam = Iam {
    kind: "AWS::IAM::Role",
    properties: &[
        recorded("AssumeRolePolicyDocument", Shape::Any).required(),
        recorded("Description", Shape::Text),
        recorded("ManagedPolicyArns", TEXTS),
        recorded("MaxSessionDuration", Shape::Integer),
        replacing("Path", Shape::Text),
        recorded("PermissionsBoundary", Shape::Text),
        recorded("Policies", Shape::Any),
        replacing("RoleName", Shape::Text),
        recorded("Tags", TAGS),
    ],
    attributes: &["Arn", "RoleId"],
    name_property: "RoleName",
    arn_kind: "role",
    ref_is_arn: false,
};

/// `AWS::IAM::Policy`: inline, so it has no ARN; `Ref` is a generated id.
pub(super) const POLICY: Iam = Iam {
    kind: "AWS::IAM::Policy",
    properties: &[
        recorded("Groups", TEXTS),
        recorded("PolicyDocument", Shape::Any).required(),
        recorded("PolicyName", Shape::Text).required(),
        recorded("Roles", TEXTS),
        recorded("Users", TEXTS),
    ],
    attributes: &["Id"],
    name_property: "",
    arn_kind: "",
    ref_is_arn: false,
};

/// `AWS::IAM::ManagedPolicy`: `Ref` is the ARN.
pub(super) const MANAGED_POLICY: Iam = Iam {
    kind: "AWS::IAM::ManagedPolicy",
    properties: &[
        replacing("Description", Shape::Text),
        recorded("Groups", TEXTS),
        replacing("ManagedPolicyName", Shape::Text),
        replacing("Path", Shape::Text),
        recorded("PolicyDocument", Shape::Any).required(),
        recorded("Roles", TEXTS),
        recorded("Tags", TAGS),
        recorded("Users", TEXTS),
    ],
    attributes: &["PolicyArn", "PolicyId"],
    name_property: "ManagedPolicyName",
    arn_kind: "policy",
    ref_is_arn: true,
};

/// `AWS::IAM::InstanceProfile`: `Ref` is the name.
pub(super) const INSTANCE_PROFILE: Iam = Iam {
    kind: "AWS::IAM::InstanceProfile",
    properties: &[
        replacing("InstanceProfileName", Shape::Text),
        replacing("Path", Shape::Text),
        recorded("Roles", TEXTS).required(),
    ],
    attributes: &["Arn"],
    name_property: "InstanceProfileName",
    arn_kind: "instance-profile",
    ref_is_arn: false,
};

impl Provider for Iam {
    fn kind(&self) -> &str {
        self.kind
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(self.properties)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(self.attributes)
    }

    fn name_property(&self) -> Option<&'static str> {
        (!self.name_property.is_empty()).then_some(self.name_property)
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let given = self.name_property().and_then(|property| text(properties, property));
            let name = given.map_or_else(|| cx.generated_name(64), str::to_owned);
            let account = cx.environment.account;
            let path = text(properties, "Path").unwrap_or("/");
            let arn = format!("arn:{}:iam::{}:{}{path}{name}", account.partition, account.id, self.arn_kind);
            let mut attributes = BTreeMap::new();
            for attribute in self.attributes {
                let value = if attribute.ends_with("Arn") { json!(arn) } else { json!(name) };
                attributes.insert((*attribute).to_owned(), value);
            }
            Ok(Live { physical_id: if self.ref_is_arn { arn } else { name }, attributes })
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
