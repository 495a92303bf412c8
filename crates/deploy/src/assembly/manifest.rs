//! `manifest.json` and `*.assets.json`, of any version of the CDK.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Assembly, AssemblyError, AssemblyStack, Asset, package, read_text};
use crate::graph::sort;
use crate::limits::FOLDER_DEPTH_MAX;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    artifacts: BTreeMap<String, Artifact>,
}

#[derive(Deserialize)]
struct Artifact {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    properties: Value,
    #[serde(default)]
    dependencies: Vec<String>,
    #[serde(default, rename = "displayName")]
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct AssetManifest {
    #[serde(default)]
    files: BTreeMap<String, FileAsset>,
    #[serde(default, rename = "dockerImages")]
    images: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct FileAsset {
    source: Source,
    #[serde(default)]
    destinations: BTreeMap<String, Destination>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    path: Option<PathBuf>,
    #[serde(default)]
    packaging: Option<String>,
}

#[derive(Deserialize)]
struct Destination {
    #[serde(rename = "bucketName")]
    bucket: String,
    #[serde(rename = "objectKey")]
    key: String,
}

/// What is found before the stacks are put into order.
#[derive(Default)]
struct Found {
    /// By artifact id, with the ids that the artifact depends on.
    stacks: Vec<(String, AssemblyStack, Vec<String>)>,
    assets: BTreeMap<(String, String), Asset>,
}

pub(super) fn read(folder: &Path) -> Result<Assembly, AssemblyError> {
    let mut found = Found::default();
    read_folder(folder, 0, &mut found)?;
    let assets = found.assets.into_values().collect();
    let stacks = in_order(folder, found.stacks)?;
    if stacks.is_empty() {
        return Err(AssemblyError::malformed(&folder.join("manifest.json"), "the assembly has no stack"));
    }
    Ok(Assembly { stacks, assets })
}

fn read_folder(folder: &Path, depth: usize, found: &mut Found) -> Result<(), AssemblyError> {
    let path = folder.join("manifest.json");
    if depth > FOLDER_DEPTH_MAX {
        return Err(AssemblyError::malformed(&path, "assemblies are nested too deeply"));
    }
    let manifest: Manifest = parse(&path)?;
    for (id, artifact) in manifest.artifacts {
        let property = |name: &str| artifact.properties.get(name).and_then(Value::as_str).map(str::to_owned);
        match artifact.kind.as_str() {
            "aws:cloudformation:stack" => {
                let stack = stack(folder, &path, &id, &artifact)?;
                found.stacks.push((id, stack, artifact.dependencies));
            }
            "cdk:asset-manifest" => {
                if let Some(file) = property("file") {
                    read_assets(folder, &folder.join(file), found)?;
                }
            }
            "cdk:cloud-assembly" => {
                if let Some(directory) = property("directoryName") {
                    read_folder(&folder.join(directory), depth + 1, found)?;
                }
            }
            // The construct tree, feature flags and whatever later versions add describe, and deploy nothing.
            _ => {}
        }
    }
    Ok(())
}

fn stack(
    folder: &Path,
    manifest: &Path,
    id: &str,
    artifact: &Artifact,
) -> Result<AssemblyStack, AssemblyError> {
    let property = |name: &str| artifact.properties.get(name);
    let Some(file) = property("templateFile").and_then(Value::as_str) else {
        return Err(AssemblyError::malformed(manifest, format!("the stack {id} has no templateFile")));
    };
    let name = property("stackName").and_then(Value::as_str).unwrap_or(id).to_owned();
    let texts = |name: &str| -> BTreeMap<String, String> {
        let members = property(name).and_then(Value::as_object);
        members
            .into_iter()
            .flatten()
            .map(|(key, value)| {
                (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })
            .collect()
    };
    // `aws://ACCOUNT/REGION`, each of which may be unknown.
    let environment = artifact.environment.as_deref().and_then(|text| text.strip_prefix("aws://"));
    let (account, region) = environment.and_then(|text| text.split_once('/')).unwrap_or(("", ""));
    let known = |text: &str| (!text.is_empty() && !text.starts_with("unknown-")).then(|| text.to_owned());
    Ok(AssemblyStack {
        display_name: artifact.display_name.clone().unwrap_or_else(|| name.clone()),
        name,
        template: read_text(&folder.join(file))?,
        parameters: texts("parameters"),
        tags: texts("tags"),
        account: known(account),
        region: known(region),
        dependencies: Vec::new(),
    })
}

fn read_assets(folder: &Path, path: &Path, found: &mut Found) -> Result<(), AssemblyError> {
    let manifest: AssetManifest = parse(path)?;
    if let Some(id) = manifest.images.keys().next() {
        let message = format!("the container image {id} is not supported; use a zip package or inline code");
        return Err(AssemblyError::malformed(path, message));
    }
    for (id, file) in manifest.files {
        let Some(source) = &file.source.path else {
            let message = format!("the asset {id} is made by a program, which is not supported");
            return Err(AssemblyError::malformed(path, message));
        };
        let source = folder.join(source);
        let content = match file.source.packaging.as_deref() {
            Some("zip") => package::zip_folder(&source)?,
            None | Some("file") => package::read_file(&source)?,
            Some(other) => {
                let message = format!("the asset {id} has the unknown packaging {other}");
                return Err(AssemblyError::malformed(path, message));
            }
        };
        for destination in file.destinations.into_values() {
            let place = (destination.bucket.clone(), destination.key.clone());
            let asset = Asset { bucket: destination.bucket, key: destination.key, content: content.clone() };
            found.assets.insert(place, asset);
        }
    }
    Ok(())
}

/// The stacks, each after those it depends on, with dependencies as names of stacks.
fn in_order(
    folder: &Path,
    stacks: Vec<(String, AssemblyStack, Vec<String>)>,
) -> Result<Vec<AssemblyStack>, AssemblyError> {
    let ids: Vec<String> = stacks.iter().map(|(id, ..)| id.clone()).collect();
    let mut names = BTreeMap::new();
    let mut needs = BTreeMap::new();
    for (id, stack, dependencies) in &stacks {
        names.insert(id.clone(), stack.name.clone());
        let on_stacks: BTreeSet<String> =
            dependencies.iter().filter(|other| ids.contains(other)).cloned().collect();
        needs.insert(id.clone(), on_stacks);
    }
    let order = sort(&ids, &needs).map_err(|circle| {
        let message = format!("the stacks depend on each other in a circle: {}", circle.join(", "));
        AssemblyError::malformed(&folder.join("manifest.json"), message)
    })?;
    let mut by_id: BTreeMap<String, AssemblyStack> =
        stacks.into_iter().map(|(id, stack, _)| (id, stack)).collect();
    let ordered = order.into_iter().filter_map(|id| {
        let mut stack = by_id.remove(&id)?;
        let on_stacks = needs.remove(&id).unwrap_or_default();
        stack.dependencies = on_stacks.iter().filter_map(|other| names.get(other).cloned()).collect();
        Some(stack)
    });
    Ok(ordered.collect())
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, AssemblyError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| AssemblyError::malformed(path, error.to_string()))
}
