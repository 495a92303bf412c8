//! Every bound of this crate, with its unit and where it comes from.
//!
//! "CloudFormation quotas" is the AWS page of that name; "ours" are bounds that keep hostile input from costing
//! memory or stack.

/// Bytes of a template; CloudFormation quotas, template body in an S3 object.
pub const TEMPLATE_BYTES_MAX: usize = 1024 * 1024;
/// Resources in a template; CloudFormation quotas.
pub const RESOURCES_MAX: usize = 500;
/// Parameters in a template; CloudFormation quotas.
pub const PARAMETERS_MAX: usize = 200;
/// Mappings in a template; CloudFormation quotas.
pub const MAPPINGS_MAX: usize = 200;
/// Outputs in a template; CloudFormation quotas.
pub const OUTPUTS_MAX: usize = 200;
/// Conditions in a template; ours.
pub const CONDITIONS_MAX: usize = 1000;
/// Bytes of a parameter value; CloudFormation quotas.
pub const PARAMETER_VALUE_BYTES_MAX: usize = 4096;
/// Characters of a stack name; CloudFormation API, CreateStack.
pub const STACK_NAME_CHARS_MAX: usize = 128;
/// Levels of stacks within stacks; ours.
pub const STACK_NESTING_MAX: u32 = 8;
/// Levels of nesting in a template, counted in lists, maps and the conditions they name; ours.
pub const NESTING_MAX: usize = 100;
/// Values in a parsed template; ours.
pub const NODES_MAX: usize = 500_000;
/// Bytes of text that one evaluation (a resource, an output) may produce; ours.
pub const EVALUATED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Problems listed for one template; the rest is only counted. Ours.
pub const PROBLEMS_MAX: usize = 100;
/// Events kept in a stack record, newest last; ours.
pub const EVENTS_MAX: usize = 2000;
/// Bytes of one asset, and of the unpacked files of a directory asset; ours (a Lambda package is at most 250 MiB).
pub const ASSET_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Files in a directory asset; ours.
pub const ASSET_FILES_MAX: usize = 100_000;
/// Levels of folders in a directory asset, and of assemblies within assemblies; ours.
pub const FOLDER_DEPTH_MAX: usize = 64;
/// Bytes of a Lambda package that travels in a CreateFunction call; Lambda quotas.
pub const DIRECT_PACKAGE_BYTES_MAX: usize = 50 * 1024 * 1024;
/// Times a provider asks whether a resource is ready, and the pause between two questions in milliseconds; ours.
pub const READY_QUESTIONS_MAX: u32 = 600;
/// See [`READY_QUESTIONS_MAX`].
pub const READY_PAUSE_MS: u64 = 500;
