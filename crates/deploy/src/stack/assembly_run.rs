//! Deploying the stacks of an assembly: assets first, then stack by stack.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::record::OnFailure;
use super::request::{DeployError, DeployRequest, StackResult};
use super::run::EventSink;
use super::{delete_stack, deploy};
use crate::assembly::{Assembly, AssemblyStack};
use crate::environment::{Environment, StoreError};
use crate::template::Template;

/// Which stacks of an assembly, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssemblyOptions {
    /// Names or display names; those they depend on are deployed along. Empty: all stacks.
    #[serde(default)]
    pub stacks: Vec<String>,
    /// Parameter values: `NAME` for every stack that declares it, `STACK:NAME` for one.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// What a failure leads to.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// A deployment of several stacks that ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{stack_name}: {error}")]
pub struct AssemblyFailure {
    /// The stack that failed; empty if it came to none.
    pub stack_name: String,
    /// Why.
    pub error: DeployError,
    /// Stacks that were deployed before.
    pub done: Vec<StackResult>,
}

/// Keeps the assets and deploys the chosen stacks in order. Ends at the first stack that fails.
///
/// Errors: that stack's, with the results of those before.
pub async fn deploy_assembly(
    environment: Environment<'_>,
    assembly: &Assembly,
    options: &AssemblyOptions,
    sink: EventSink<'_>,
) -> Result<Vec<StackResult>, AssemblyFailure> {
    let early = |error: DeployError| AssemblyFailure { stack_name: String::new(), error, done: Vec::new() };
    let chosen = chosen(assembly, options).map_err(early)?;
    keep_assets(environment, assembly).await.map_err(|error| early(error.into()))?;
    let mut done = Vec::new();
    for stack in chosen {
        let request = DeployRequest {
            stack_name: stack.name.clone(),
            template: stack.template.clone(),
            parameters: parameters_of(assembly, stack, options),
            tags: stack.tags.clone(),
            on_failure: options.on_failure,
        };
        match deploy(environment, &request, sink).await {
            Ok(mut result) => {
                result.warnings.extend(foreign_environment(environment, stack));
                done.push(result);
            }
            Err(error) => return Err(AssemblyFailure { stack_name: stack.name.clone(), error, done }),
        }
    }
    Ok(done)
}

/// Deletes the chosen stacks, dependents first; those that do not exist are passed over.
///
/// Errors: the first stack's that cannot be deleted, with the results of those before.
pub async fn delete_assembly(
    environment: Environment<'_>,
    assembly: &Assembly,
    options: &AssemblyOptions,
    sink: EventSink<'_>,
) -> Result<Vec<StackResult>, AssemblyFailure> {
    let mut done = Vec::new();
    for stack in assembly.stacks.iter().rev() {
        if !options.stacks.is_empty() && !is_named(stack, &options.stacks) {
            continue;
        }
        match delete_stack(environment, &stack.name, sink).await {
            Ok(result) => done.push(result),
            Err(DeployError::NotFound(_)) => {}
            Err(error) => return Err(AssemblyFailure { stack_name: stack.name.clone(), error, done }),
        }
    }
    Ok(done)
}

async fn keep_assets(environment: Environment<'_>, assembly: &Assembly) -> Result<(), StoreError> {
    for asset in &assembly.assets {
        let (bucket, key) = asset.destination(environment.account);
        environment.assets.put(&bucket, &key, asset.content.clone()).await?;
    }
    Ok(())
}

fn is_named(stack: &AssemblyStack, names: &[String]) -> bool {
    names.iter().any(|name| *name == stack.name || *name == stack.display_name)
}

/// The stacks that are named, and those they need, in the order of the assembly.
fn chosen<'a>(
    assembly: &'a Assembly,
    options: &AssemblyOptions,
) -> Result<Vec<&'a AssemblyStack>, DeployError> {
    if options.stacks.is_empty() {
        return Ok(assembly.stacks.iter().collect());
    }
    for name in &options.stacks {
        if !assembly.stacks.iter().any(|stack| is_named(stack, std::slice::from_ref(name))) {
            return Err(DeployError::NotFound(name.clone()));
        }
    }
    let mut wanted = BTreeSet::new();
    // Stacks come after those they depend on, so one walk from the end finds all that is needed.
    for stack in assembly.stacks.iter().rev() {
        if wanted.contains(stack.name.as_str()) || is_named(stack, &options.stacks) {
            wanted.insert(stack.name.as_str());
            wanted.extend(stack.dependencies.iter().map(String::as_str));
        }
    }
    Ok(assembly.stacks.iter().filter(|stack| wanted.contains(stack.name.as_str())).collect())
}

fn parameters_of(
    assembly: &Assembly,
    stack: &AssemblyStack,
    options: &AssemblyOptions,
) -> BTreeMap<String, String> {
    let mut parameters = stack.parameters.clone();
    for (name, value) in &options.parameters {
        match name.split_once(':') {
            Some((of, name)) if of == stack.name => {
                parameters.insert(name.to_owned(), value.clone());
            }
            Some(_) => {}
            // Of several stacks each takes what it knows; what no stack knows is refused by the first.
            None => {
                if declares(stack, name) || !assembly.stacks.iter().any(|other| declares(other, name)) {
                    parameters.insert(name.clone(), value.clone());
                }
            }
        }
    }
    parameters
}

fn declares(stack: &AssemblyStack, parameter: &str) -> bool {
    Template::parse(&stack.template).is_ok_and(|template| template.parameters.contains_key(parameter))
}

/// A warning where the app names another account or region than the one it is deployed to.
fn foreign_environment(environment: Environment<'_>, stack: &AssemblyStack) -> Option<String> {
    let account = environment.account;
    let differs = |named: &Option<String>, ours: &str| named.as_ref().is_some_and(|named| named != ours);
    if !differs(&stack.account, &account.id) && !differs(&stack.region, &account.region) {
        return None;
    }
    Some(format!(
        "the app is made for account {} in region {}; it was deployed to account {} in region {}",
        stack.account.as_deref().unwrap_or("(any)"),
        stack.region.as_deref().unwrap_or("(any)"),
        account.id,
        account.region
    ))
}
