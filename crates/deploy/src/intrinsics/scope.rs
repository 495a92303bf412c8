//! What a template is evaluated against: parameters, conditions, pseudo parameters, resources and exports.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_aws::Account;

use crate::template::Template;

/// Stands for a value that is only known once a resource exists; CloudFormation's own marker in change sets.
pub const KNOWN_AFTER_APPLY: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// Values of the pseudo parameters (`AWS::Region` …).
#[derive(Debug, Clone)]
pub struct Pseudo {
    /// Partition, region and account id.
    pub account: Account,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::StackId`.
    pub stack_id: String,
}

impl Pseudo {
    /// The value of `name` (with its `AWS::`), `None` where there is no such pseudo parameter.
    /// `AWS::NoValue` is not a value and not answered here.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        Some(match name {
            "AWS::AccountId" => json!(self.account.id),
            "AWS::Partition" => json!(self.account.partition),
            "AWS::Region" => json!(self.account.region),
            "AWS::StackName" => json!(self.stack_name),
            "AWS::StackId" => json!(self.stack_id),
            "AWS::NotificationARNs" => json!([]),
            "AWS::URLSuffix" => match self.account.partition.as_str() {
                "aws-cn" => json!("amazonaws.com.cn"),
                _ => json!("amazonaws.com"),
            },
            _ => return None,
        })
    }
}

/// What is known about a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// The value.
    Value(Value),
    /// The resource will exist but does not yet.
    Later,
    /// No such resource, or no such attribute.
    Missing,
}

/// The resources that `Ref` and `Fn::GetAtt` may name.
pub trait Resources {
    /// What `Ref` gives: the physical id.
    fn reference(&self, logical_id: &str) -> Lookup;
    /// What `Fn::GetAtt` gives.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Lookup;
}

/// Resources that do not exist: for sections that may not name any.
#[derive(Debug, Clone, Copy)]
pub struct NoResources;

impl Resources for NoResources {
    fn reference(&self, _logical_id: &str) -> Lookup {
        Lookup::Missing
    }

    fn attribute(&self, _logical_id: &str, _attribute: &str) -> Lookup {
        Lookup::Missing
    }
}

/// Everything that an expression can refer to.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Mappings, and the names that exist.
    pub template: &'a Template,
    /// Pseudo parameters.
    pub pseudo: &'a Pseudo,
    /// Parameter values: texts, or lists of texts for list types.
    pub parameters: &'a BTreeMap<String, Value>,
    /// Condition values, as [`super::conditions`] gives them.
    pub conditions: &'a BTreeMap<String, bool>,
    /// Resources.
    pub resources: &'a dyn Resources,
    /// Exports of other stacks: name to value.
    pub exports: &'a BTreeMap<String, String>,
}
