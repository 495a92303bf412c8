//! A CDK cloud assembly (`cdk.out`) or a template file, read into what a deployment needs.
//!
//! The only I/O of this crate is here: reading that folder. Names of accounts and regions stay placeholders
//! (`${AWS::AccountId}`) until the side that deploys fills them in, so an [`Assembly`] can be read by a client and
//! sent to a server. Assemblies within assemblies (stages) are read along; container images are not supported.

mod manifest;
mod package;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stepwell_aws::Account;

/// Stacks and assets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assembly {
    /// Each after the stacks it depends on.
    pub stacks: Vec<AssemblyStack>,
    /// Files to be kept in the asset store before the stacks are deployed.
    pub assets: Vec<Asset>,
}

/// One stack of an assembly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssemblyStack {
    /// Name of the stack.
    pub name: String,
    /// The name with the stages it is in, as `cdk list` shows it.
    pub display_name: String,
    /// Text of the template.
    pub template: String,
    /// Parameter values that the app gives.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Tags that the app gives.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Account id, where the app names one.
    #[serde(default)]
    pub account: Option<String>,
    /// Region, where the app names one.
    #[serde(default)]
    pub region: Option<String>,
    /// Names of the stacks that must be deployed before.
    #[serde(default)]
    pub dependencies: Vec<String>,
}

/// One file for the asset store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Bucket, with placeholders.
    pub bucket: String,
    /// Key, with placeholders.
    pub key: String,
    /// The content; base64 in JSON.
    #[serde(with = "base64_text")]
    pub content: Vec<u8>,
}

impl Asset {
    /// Bucket and key in this account.
    #[must_use]
    pub fn destination(&self, account: &Account) -> (String, String) {
        (filled_in(&self.bucket, account), filled_in(&self.key, account))
    }
}

/// Replaces the placeholders of asset destinations: `${AWS::AccountId}`, `${AWS::Region}`, `${AWS::Partition}`.
#[must_use]
pub fn filled_in(text: &str, account: &Account) -> String {
    text.replace("${AWS::AccountId}", &account.id)
        .replace("${AWS::Region}", &account.region)
        .replace("${AWS::Partition}", &account.partition)
}

/// Why an assembly cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

impl AssemblyError {
    fn malformed(path: &Path, message: impl Into<String>) -> Self {
        AssemblyError::Malformed { path: path.to_owned(), message: message.into() }
    }
}

/// Reads `path`: an assembly folder, a folder with `cdk.out` in it, or a template file. `stack_name` names the stack
/// of a template file; without it the file's name does, up to the first dot.
///
/// Errors: what cannot be read or is not an assembly; container images.
pub fn read(path: &Path, stack_name: Option<&str>) -> Result<Assembly, AssemblyError> {
    if path.is_dir() {
        let inner = path.join("cdk.out");
        let folder = if !path.join("manifest.json").exists() && inner.join("manifest.json").exists() {
            inner
        } else {
            path.to_owned()
        };
        return manifest::read(&folder);
    }
    let template = read_text(path)?;
    let name = stack_name.map_or_else(|| name_of_file(path), str::to_owned);
    let stack = AssemblyStack { display_name: name.clone(), name, template, ..AssemblyStack::default() };
    Ok(Assembly { stacks: vec![stack], assets: Vec::new() })
}

/// `my_app.template.json` as `my-app`; letters first, as stack names demand.
fn name_of_file(path: &Path) -> String {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = file.split('.').find(|part| !part.is_empty()).unwrap_or("stack");
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.to_owned()
    } else {
        format!("stack-{name}")
    }
}

fn read_text(path: &Path) -> Result<String, AssemblyError> {
    std::fs::read_to_string(path).map_err(|source| AssemblyError::Read { path: path.to_owned(), source })
}

mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(content: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(content))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}
