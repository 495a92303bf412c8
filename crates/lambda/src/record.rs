//! What is stored of a function, and the configuration that the API shows of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stepwell_aws::Account;

use crate::names::{LATEST, function_arn};

/// First byte of a stored record.
const FORMAT: u8 = 1;

/// Where a function's code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Code {
    /// An archive in the store, named by its SHA-256 in hexadecimal.
    Archive(String),
    /// A directory of this machine, used in place.
    Directory(String),
}

/// A statement of a function's policy, as `AddPermission` made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Statement {
    pub(crate) sid: String,
    /// The version or alias that it is about.
    pub(crate) qualifier: Option<String>,
    pub(crate) text: Value,
}

/// A second name for a version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Alias {
    /// `$LATEST` or a number.
    pub(crate) version: String,
    pub(crate) description: String,
    /// Share of invocations, 0 to 1, of further versions by their numbers.
    pub(crate) weights: BTreeMap<String, f64>,
    pub(crate) revision_id: String,
}

/// One version of a function as stored: `$LATEST`, which can be changed and holds what belongs to the function as a
/// whole (tags, policy, aliases, concurrency), or a published one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FunctionRecord {
    pub(crate) name: String,
    /// `None` for `$LATEST`.
    pub(crate) version: Option<u32>,
    /// The last number given to a published version; never given again.
    pub(crate) last_version: u32,
    pub(crate) aliases: BTreeMap<String, Alias>,
    pub(crate) runtime: String,
    pub(crate) role: String,
    pub(crate) handler: String,
    pub(crate) description: String,
    pub(crate) timeout_s: u32,
    pub(crate) memory_mb: u32,
    /// Variables with text values, in the caller's order; `None` where never given.
    pub(crate) environment: Option<Map<String, Value>>,
    pub(crate) code: Code,
    /// Base64, as the API shows it.
    pub(crate) code_sha256: String,
    pub(crate) code_bytes: u64,
    /// As the API shows it.
    pub(crate) last_modified: String,
    pub(crate) revision_id: String,
    pub(crate) tags: Map<String, Value>,
    /// Members of the configuration that are recorded and shown, and change nothing here.
    pub(crate) recorded: Map<String, Value>,
    pub(crate) policy: Vec<Statement>,
    pub(crate) reserved_concurrency: Option<u32>,
}

impl FunctionRecord {
    /// The bytes to store.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        serde_json::to_writer(&mut bytes, self).expect("a record has only text keys");
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made; the error is a text.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        match bytes.split_first() {
            Some((&FORMAT, json)) => serde_json::from_slice(json).map_err(|e| e.to_string()),
            Some((other, _)) => Err(format!("written in format {other}, which this version does not know")),
            None => Err("empty".into()),
        }
    }

    /// Where the record is stored: the name, with `:` and the number for a published version.
    pub(crate) fn key(&self) -> String {
        match self.version {
            Some(number) => format!("{}:{number}", self.name),
            None => self.name.clone(),
        }
    }

    /// `$LATEST` or the number.
    pub(crate) fn version_text(&self) -> String {
        self.version.map_or_else(|| LATEST.to_owned(), |number| number.to_string())
    }

    /// Whether a version made of `other` would run as this one does.
    pub(crate) fn runs_like(&self, other: &FunctionRecord) -> bool {
        let settings = |r: &FunctionRecord| {
            let texts = [&r.runtime, &r.role, &r.handler, &r.code_sha256].map(Clone::clone);
            (texts, r.timeout_s, r.memory_mb, r.environment.clone(), r.recorded.clone())
        };
        self.code == other.code && settings(self) == settings(other)
    }

    /// The published version `number` of this one.
    pub(crate) fn published(&self, number: u32, description: Option<&str>) -> FunctionRecord {
        let mut version = FunctionRecord {
            version: Some(number),
            aliases: BTreeMap::new(),
            tags: Map::new(),
            policy: Vec::new(),
            reserved_concurrency: None,
            ..self.clone()
        };
        if let Some(description) = description {
            version.description = description.to_owned();
        }
        version.touch();
        version
    }

    /// Marks a change: new revision, new time.
    pub(crate) fn touch(&mut self) {
        self.revision_id = uuid::Uuid::new_v4().to_string();
        let now = format!("{:.3}", jiff::Timestamp::now());
        self.last_modified = format!("{}+0000", now.trim_end_matches('Z'));
    }

    /// The function's log group, unless it was given another.
    pub(crate) fn log_group(&self) -> String {
        let given =
            self.recorded.get("LoggingConfig").and_then(|c| c.get("LogGroup")).and_then(Value::as_str);
        given.map_or_else(|| format!("/aws/lambda/{}", self.name), str::to_owned)
    }

    /// The API's `FunctionConfiguration`.
    pub(crate) fn configuration(&self, account: &Account) -> Value {
        let mut shown = json!({
            "FunctionName": self.name,
            "FunctionArn": function_arn(account, &self.key()),
            "Runtime": self.runtime,
            "Role": self.role,
            "Handler": self.handler,
            "CodeSize": self.code_bytes,
            "Description": self.description,
            "Timeout": self.timeout_s,
            "MemorySize": self.memory_mb,
            "LastModified": self.last_modified,
            "CodeSha256": self.code_sha256,
            "Version": self.version_text(),
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision_id,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "RuntimeVersionConfig": {"RuntimeVersionArn": self.runtime_version_arn(account)},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": self.log_group()},
        });
        let Value::Object(members) = &mut shown else { return shown };
        if let Some(variables) = &self.environment {
            members.insert("Environment".into(), json!({ "Variables": variables }));
        }
        for (name, value) in &self.recorded {
            let value = match (name.as_str(), value) {
                ("VpcConfig", Value::Object(config)) => with(config, "VpcId", json!("")),
                ("SnapStart", Value::Object(config)) => with(config, "OptimizationStatus", json!("Off")),
                ("LoggingConfig", Value::Object(config)) => {
                    let config = with(config, "LogGroup", json!(self.log_group()));
                    match config {
                        Value::Object(config) if !config.contains_key("LogFormat") => {
                            with(&config, "LogFormat", json!("Text"))
                        }
                        other => other,
                    }
                }
                (_, value) => value.clone(),
            };
            members.insert(name.clone(), value);
        }
        shown
    }

    fn runtime_version_arn(&self, account: &Account) -> String {
        let hash = crate::code::hex(&crate::code::sha256(self.runtime.as_bytes()));
        format!("arn:{}:lambda:{}::runtime:{hash}", account.partition, account.region)
    }
}

fn with(config: &Map<String, Value>, name: &str, value: Value) -> Value {
    let mut config = config.clone();
    config.insert(name.to_owned(), value);
    Value::Object(config)
}
