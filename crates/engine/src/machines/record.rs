//! How machines and revisions are stored: JSON with a version field, read back by every later version.

use std::sync::Arc;

use stepwell_asl::value::{Object, Value};
use stepwell_asl::{Program, json};

use super::{Configurations, MachineRevision, MachinesError, Route};

/// The highest version of a record. One of a higher version was written by a later Stepwell and is refused.
const VERSION_MAX: i64 = 2;
/// The version in which all records but the machine's are written.
const VERSION: i64 = 1;
/// The machine's: 2 added what versions need.
const MACHINE_VERSION: i64 = 2;

/// The value under a machine's ARN.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MachineRecord {
    pub(super) name: Arc<str>,
    pub(super) express: bool,
    pub(super) created_ms: i64,
    /// Key of the current revision.
    pub(super) revision: u64,
    pub(super) deleting: bool,
    pub(super) tags: Vec<(String, String)>,
    /// Number of the next version; none is used twice.
    pub(super) next_version: u64,
    /// Whether CreateStateMachine published the first version; a repeated call must ask for the same.
    pub(super) published_at_creation: bool,
    /// The description that it gave it.
    pub(super) creation_description: Option<Arc<str>>,
}

/// The value under a version's key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VersionRecord {
    /// Key of its revision.
    pub(super) revision: u64,
    pub(super) created_ms: i64,
    pub(super) description: Option<Arc<str>>,
}

/// The value under an alias's key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AliasRecord {
    pub(super) name: Arc<str>,
    /// In the order of creation within the machine.
    pub(super) number: u64,
    pub(super) description: Option<Arc<str>>,
    pub(super) routes: Vec<Route>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: Option<i64>,
}

/// The value under a revision's key.
#[derive(Debug)]
pub(super) struct RevisionRecord {
    pub(super) machine_arn: Arc<str>,
    pub(super) definition: Arc<str>,
    pub(super) express: bool,
    name: Arc<str>,
    role_arn: Arc<str>,
    revision_id: Option<Arc<str>>,
    created_ms: i64,
    configurations: Configurations,
}

impl MachineRecord {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let tags = self.tags.iter().map(|(k, v)| Value::from(vec![k.as_str().into(), v.as_str().into()]));
        to_bytes(
            MACHINE_VERSION,
            [
                ("name", self.name.clone().into()),
                ("express", self.express.into()),
                ("created_ms", self.created_ms.into()),
                ("revision", key_value(self.revision)),
                ("deleting", self.deleting.into()),
                ("tags", tags.collect::<Vec<_>>().into()),
                ("next_version", key_value(self.next_version)),
                ("published_at_creation", self.published_at_creation.into()),
                ("creation_description", optional(self.creation_description.as_ref())),
            ],
        )
    }

    pub(super) fn read(arn: &str, bytes: &[u8]) -> Result<MachineRecord, MachinesError> {
        let read = |fields: Fields| {
            Ok(MachineRecord {
                name: fields.text("name")?,
                express: fields.flag("express")?,
                created_ms: fields.integer("created_ms")?,
                revision: fields.key("revision")?,
                deleting: fields.flag("deleting")?,
                tags: fields.pairs("tags")?,
                next_version: if fields.version == 1 { 1 } else { fields.key("next_version")? },
                published_at_creation: fields.version > 1 && fields.flag("published_at_creation")?,
                creation_description: fields.optional_text("creation_description")?,
            })
        };
        Fields::of(bytes)
            .and_then(read)
            .map_err(|reason| MachinesError::Record { what: arn.to_owned(), reason })
    }
}

impl VersionRecord {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        to_bytes(
            VERSION,
            [
                ("revision", key_value(self.revision)),
                ("created_ms", self.created_ms.into()),
                ("description", optional(self.description.as_ref())),
            ],
        )
    }

    pub(super) fn read(arn: &str, bytes: &[u8]) -> Result<VersionRecord, MachinesError> {
        let read = |fields: Fields| {
            Ok(VersionRecord {
                revision: fields.key("revision")?,
                created_ms: fields.integer("created_ms")?,
                description: fields.optional_text("description")?,
            })
        };
        let what = || format!("a version of {arn}");
        Fields::of(bytes).and_then(read).map_err(|reason| MachinesError::Record { what: what(), reason })
    }
}

impl AliasRecord {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let route =
            |route: &Route| Value::from(vec![key_value(route.version), i64::from(route.weight).into()]);
        to_bytes(
            VERSION,
            [
                ("name", self.name.clone().into()),
                ("number", key_value(self.number)),
                ("description", optional(self.description.as_ref())),
                ("routes", self.routes.iter().map(route).collect::<Vec<_>>().into()),
                ("created_ms", self.created_ms.into()),
                ("updated_ms", self.updated_ms.map_or(Value::Null, Value::from)),
            ],
        )
    }

    pub(super) fn read(arn: &str, bytes: &[u8]) -> Result<AliasRecord, MachinesError> {
        let read = |fields: Fields| {
            Ok(AliasRecord {
                name: fields.text("name")?,
                number: fields.key("number")?,
                description: fields.optional_text("description")?,
                routes: fields.routes("routes")?,
                created_ms: fields.integer("created_ms")?,
                updated_ms: fields.optional_integer("updated_ms")?,
            })
        };
        let what = || format!("an alias of {arn}");
        Fields::of(bytes).and_then(read).map_err(|reason| MachinesError::Record { what: what(), reason })
    }
}

impl RevisionRecord {
    pub(super) fn of(revision: &MachineRevision) -> RevisionRecord {
        RevisionRecord {
            machine_arn: revision.machine_arn.clone(),
            definition: revision.definition.clone(),
            express: revision.express,
            name: revision.name.clone(),
            role_arn: revision.role_arn.clone(),
            revision_id: revision.revision_id.clone(),
            created_ms: revision.created_ms,
            configurations: revision.configurations.clone(),
        }
    }

    pub(super) fn into_revision(self, key: u64, program: Arc<Program>) -> MachineRevision {
        MachineRevision {
            key,
            machine_arn: self.machine_arn,
            name: self.name,
            role_arn: self.role_arn,
            definition: self.definition,
            express: self.express,
            program,
            revision_id: self.revision_id,
            created_ms: self.created_ms,
            configurations: self.configurations,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        to_bytes(
            VERSION,
            [
                ("machine_arn", self.machine_arn.clone().into()),
                ("name", self.name.clone().into()),
                ("role_arn", self.role_arn.clone().into()),
                ("definition", self.definition.clone().into()),
                ("express", self.express.into()),
                ("revision_id", optional(self.revision_id.as_ref())),
                ("created_ms", self.created_ms.into()),
                ("logging", self.configurations.logging.clone().into()),
                ("tracing", self.configurations.tracing.clone().into()),
                ("encryption", self.configurations.encryption.clone().into()),
            ],
        )
    }

    pub(super) fn read(key: u64, bytes: &[u8]) -> Result<RevisionRecord, MachinesError> {
        let read = |fields: Fields| {
            Ok(RevisionRecord {
                machine_arn: fields.text("machine_arn")?,
                definition: fields.text("definition")?,
                express: fields.flag("express")?,
                name: fields.text("name")?,
                role_arn: fields.text("role_arn")?,
                revision_id: fields.optional_text("revision_id")?,
                created_ms: fields.integer("created_ms")?,
                configurations: Configurations {
                    logging: fields.text("logging")?,
                    tracing: fields.text("tracing")?,
                    encryption: fields.text("encryption")?,
                },
            })
        };
        let what = || format!("state machine revision {key}");
        Fields::of(bytes).and_then(read).map_err(|reason| MachinesError::Record { what: what(), reason })
    }
}

/// The stored form of the next free revision key.
pub(super) fn key_bytes(key: u64) -> Vec<u8> {
    key.to_be_bytes().to_vec()
}

/// The opposite of [`key_bytes`].
pub(super) fn read_key(bytes: &[u8]) -> Result<u64, MachinesError> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| MachinesError::Record {
        what: "the next revision key".into(),
        reason: format!("it has {} bytes instead of 8", bytes.len()),
    })
}

fn to_bytes<const N: usize>(version: i64, fields: [(&'static str, Value); N]) -> Vec<u8> {
    let mut record = Object::with_capacity(N + 1);
    record.insert("version", version);
    for (name, value) in fields {
        record.insert(name, value);
    }
    Value::from(record).to_json().into_bytes()
}

/// Keys are given out one by one; no data directory lives to see the 2^63rd.
fn key_value(key: u64) -> Value {
    i64::try_from(key).unwrap_or(i64::MAX).into()
}

fn optional(text: Option<&Arc<str>>) -> Value {
    text.cloned().map_or(Value::Null, Value::from)
}

/// The fields of a stored record; every error says which field is not as it should be.
struct Fields {
    record: Value,
    version: i64,
}

impl Fields {
    fn of(bytes: &[u8]) -> Result<Fields, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let fields = Fields { record: json::parse(text).map_err(|e| e.to_string())?, version: 0 };
        match fields.integer("version")? {
            version @ ..=VERSION_MAX => Ok(Fields { version, ..fields }),
            later => Err(format!("it has version {later}; this Stepwell reads up to {VERSION_MAX}")),
        }
    }

    fn text(&self, name: &str) -> Result<Arc<str>, String> {
        self.optional_text(name)?.ok_or_else(|| missing(name))
    }

    fn optional_text(&self, name: &str) -> Result<Option<Arc<str>>, String> {
        match self.record.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(missing(name)),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        self.record.get(name).and_then(Value::as_bool).ok_or_else(|| missing(name))
    }

    fn integer(&self, name: &str) -> Result<i64, String> {
        self.record.get(name).and_then(Value::as_number).and_then(|n| n.as_i64()).ok_or_else(|| missing(name))
    }

    fn optional_integer(&self, name: &str) -> Result<Option<i64>, String> {
        match self.record.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.integer(name).map(Some),
        }
    }

    fn routes(&self, name: &str) -> Result<Vec<Route>, String> {
        let routes = self.record.get(name).and_then(Value::as_array).ok_or_else(|| missing(name))?;
        let integer = |value: &Value| value.as_number().and_then(|n| n.as_i64());
        let route = |value: &Value| match value.as_array()? {
            [version, weight] => Some(Route {
                version: u64::try_from(integer(version)?).ok()?,
                weight: u8::try_from(integer(weight)?).ok()?,
            }),
            _ => None,
        };
        routes.iter().map(|value| route(value).ok_or_else(|| missing(name))).collect()
    }

    fn key(&self, name: &str) -> Result<u64, String> {
        u64::try_from(self.integer(name)?).map_err(|_| missing(name))
    }

    fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, String> {
        let pairs = self.record.get(name).and_then(Value::as_array).ok_or_else(|| missing(name))?;
        let pair = |value: &Value| match value.as_array()? {
            [key, value] => Some((key.as_str()?.to_owned(), value.as_str()?.to_owned())),
            _ => None,
        };
        pairs.iter().map(|value| pair(value).ok_or_else(|| missing(name))).collect()
    }
}

fn missing(name: &str) -> String {
    format!("its field '{name}' is missing or of the wrong type")
}
