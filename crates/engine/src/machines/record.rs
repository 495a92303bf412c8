//! How machines and revisions are stored: JSON with a version field, read back by every later version.

use std::sync::Arc;

use stepwell_asl::value::{Object, Value};
use stepwell_asl::{Program, json};

use super::{Configurations, MachineRevision, MachinesError};

/// The version that is written. A record of a higher one was written by a later Stepwell and is refused.
const VERSION: i64 = 1;

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
        to_bytes([
            ("name", self.name.clone().into()),
            ("express", self.express.into()),
            ("created_ms", self.created_ms.into()),
            ("revision", key_value(self.revision)),
            ("deleting", self.deleting.into()),
            ("tags", tags.collect::<Vec<_>>().into()),
        ])
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
            })
        };
        Fields::of(bytes)
            .and_then(read)
            .map_err(|reason| MachinesError::Record { what: arn.to_owned(), reason })
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
        to_bytes([
            ("machine_arn", self.machine_arn.clone().into()),
            ("name", self.name.clone().into()),
            ("role_arn", self.role_arn.clone().into()),
            ("definition", self.definition.clone().into()),
            ("express", self.express.into()),
            ("revision_id", self.revision_id.clone().map_or(Value::Null, Value::from)),
            ("created_ms", self.created_ms.into()),
            ("logging", self.configurations.logging.clone().into()),
            ("tracing", self.configurations.tracing.clone().into()),
            ("encryption", self.configurations.encryption.clone().into()),
        ])
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

fn to_bytes<const N: usize>(fields: [(&'static str, Value); N]) -> Vec<u8> {
    let mut record = Object::with_capacity(N + 1);
    record.insert("version", VERSION);
    for (name, value) in fields {
        record.insert(name, value);
    }
    Value::from(record).to_json().into_bytes()
}

/// Keys are given out one by one; no data directory lives to see the 2^63rd.
fn key_value(key: u64) -> Value {
    i64::try_from(key).unwrap_or(i64::MAX).into()
}

/// The fields of a stored record; every error says which field is not as it should be.
struct Fields(Value);

impl Fields {
    fn of(bytes: &[u8]) -> Result<Fields, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let fields = Fields(json::parse(text).map_err(|e| e.to_string())?);
        match fields.integer("version")? {
            ..=VERSION => Ok(fields),
            later => Err(format!("it has version {later}; this Stepwell reads up to {VERSION}")),
        }
    }

    fn text(&self, name: &str) -> Result<Arc<str>, String> {
        self.optional_text(name)?.ok_or_else(|| missing(name))
    }

    fn optional_text(&self, name: &str) -> Result<Option<Arc<str>>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(missing(name)),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        self.0.get(name).and_then(Value::as_bool).ok_or_else(|| missing(name))
    }

    fn integer(&self, name: &str) -> Result<i64, String> {
        self.0.get(name).and_then(Value::as_number).and_then(|n| n.as_i64()).ok_or_else(|| missing(name))
    }

    fn key(&self, name: &str) -> Result<u64, String> {
        u64::try_from(self.integer(name)?).map_err(|_| missing(name))
    }

    fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, String> {
        let pairs = self.0.get(name).and_then(Value::as_array).ok_or_else(|| missing(name))?;
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
