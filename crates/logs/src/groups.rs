//! Log groups and log streams: their records, and all of them in memory.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_store::{Keyspace, ReadError};

const VERSION: u64 = 1;

/// A log group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    /// Never used again.
    pub(crate) id: u64,
    pub(crate) created_ms: i64,
    pub(crate) retention_days: Option<u64>,
    pub(crate) streams: BTreeMap<String, Stream>,
}

/// A log stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stream {
    pub(crate) created_ms: i64,
}

/// All groups by name.
#[derive(Debug)]
pub(crate) struct Groups {
    by_name: BTreeMap<String, Group>,
    next_id: u64,
}

/// In `logs.groups`, a name that no group can have: the next id.
pub(crate) const NEXT_ID: &[u8] = b"\0next-id";

impl Groups {
    pub(crate) fn read(groups: &Keyspace, streams: &Keyspace) -> Result<Groups, ReadError> {
        let corrupt = |keyspace: &'static str, reason: String| ReadError::Corrupt { keyspace, reason };
        let (mut by_name, mut names, mut next_id) = (BTreeMap::new(), BTreeMap::new(), 1);
        for pair in groups.prefix(&[]) {
            let (key, bytes) = pair?;
            if key == NEXT_ID {
                let id = bytes.try_into().map(u64::from_be_bytes);
                next_id = id.map_err(|_| corrupt("logs.groups", "the next id has no eight bytes".into()))?;
                continue;
            }
            let name = String::from_utf8_lossy(&key).into_owned();
            let record = record(&bytes).map_err(|reason| corrupt("logs.groups", reason))?;
            let group = Group {
                id: record["id"].as_u64().unwrap_or_default(),
                created_ms: record["created_ms"].as_i64().unwrap_or_default(),
                retention_days: record["retention_days"].as_u64(),
                streams: BTreeMap::new(),
            };
            names.insert(group.id, name.clone());
            by_name.insert(name, group);
        }
        for pair in streams.prefix(&[]) {
            let (key, bytes) = pair?;
            let Some((id, name)) = key.split_first_chunk::<8>() else {
                return Err(corrupt("logs.streams", "a key is too short".into()));
            };
            let record = record(&bytes).map_err(|reason| corrupt("logs.streams", reason))?;
            let group = names.get(&u64::from_be_bytes(*id)).and_then(|group| by_name.get_mut(group));
            if let Some(group) = group {
                let stream = Stream { created_ms: record["created_ms"].as_i64().unwrap_or_default() };
                group.streams.insert(String::from_utf8_lossy(name).into_owned(), stream);
            }
        }
        Ok(Groups { by_name, next_id })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Group> {
        self.by_name.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Group)> {
        self.by_name.iter()
    }

    pub(crate) fn insert(&mut self, name: String, group: Group) {
        self.next_id = self.next_id.max(group.id + 1);
        self.by_name.insert(name, group);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    pub(crate) fn add_stream(&mut self, group: &str, stream: &str, created_ms: i64) {
        if let Some(group) = self.by_name.get_mut(group) {
            group.streams.entry(stream.to_owned()).or_insert(Stream { created_ms });
        }
    }

    pub(crate) fn remove_stream(&mut self, group: &str, stream: &str) {
        if let Some(group) = self.by_name.get_mut(group) {
            group.streams.remove(stream);
        }
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }
}

impl Group {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let record = json!({
            "version": VERSION,
            "id": self.id,
            "created_ms": self.created_ms,
            "retention_days": self.retention_days,
        });
        record.to_string().into_bytes()
    }
}

/// Key and value of a stream.
pub(crate) fn stream_record(group: u64, name: &str, created_ms: i64) -> (Vec<u8>, Vec<u8>) {
    let record = json!({ "version": VERSION, "created_ms": created_ms });
    (stream_key(group, name), record.to_string().into_bytes())
}

pub(crate) fn stream_key(group: u64, name: &str) -> Vec<u8> {
    let mut key = group.to_be_bytes().to_vec();
    key.extend(name.as_bytes());
    key
}

fn record(bytes: &[u8]) -> Result<Value, String> {
    let record: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    match record["version"].as_u64() {
        Some(VERSION) => Ok(record),
        _ => Err("a record was written by another version".into()),
    }
}
