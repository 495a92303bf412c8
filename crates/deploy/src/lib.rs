//! CloudFormation templates and CDK cloud assemblies into running resources.
//!
//! The crate is a pipeline, one module each:
//!
//! 1. [`assembly`] reads a `cdk.out` folder or a template file: stacks in dependency order, their assets.
//! 2. [`template`] parses one template into its sections, [`parameters`] gives the parameters their values,
//!    [`intrinsics`] evaluates functions, [`graph`] orders the resources by their references.
//! 3. [`providers`] has one file per resource type: what its properties are, and which AWS operations make, change
//!    and delete it.
//! 4. [`stack`] keeps the record of a stack and brings it from what it is to what the template says, with
//!    CloudFormation's statuses, events and rollback.
//!
//! What it never does: I/O of its own, except reading the assembly folder. Resources are made through
//! [`stepwell_aws::Service`], records and assets are kept by whoever implements [`StackStore`] and [`AssetStore`],
//! time, chance and waiting come from [`Host`].

pub mod assembly;
pub mod environment;
pub mod graph;
pub mod intrinsics;
pub mod limits;
pub mod parameters;
pub mod problem;
pub mod providers;
pub mod stack;
pub mod template;

pub use environment::{AssetStore, Environment, Host, NoParameters, Parameters, Services, StoreError};
pub use problem::{Problem, TemplateError};
pub use stack::{
    DeployError, DeployRequest, StackRecord, StackResult, StackStore, delete_stack, deploy, plan, resume,
};
pub use template::Template;
