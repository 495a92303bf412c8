//! Journals read back: folded in whole, or as pages of a history.

use std::collections::HashMap;

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{HistoryEvent, Record};

use super::{ExecutionKey, Executions, corrupt, journal_key};
use crate::bytes::Malformed;
use crate::journal;
use crate::kv::ReadError;

/// Which events of a history to read.
#[derive(Debug, Clone, Copy)]
pub struct HistoryPage {
    /// The first event wanted: the lowest id, or with `reverse` the highest. 0 with `reverse` means the newest.
    pub from_id: u64,
    /// Newest first.
    pub reverse: bool,
    /// How many at the most.
    pub limit: usize,
}

impl Executions {
    /// A payload of an execution's journal.
    pub fn payload(&self, key: ExecutionKey, batch: u32, index: u32) -> Result<Payload, ReadError> {
        let bytes = self.journal.get(journal_key(key, batch))?;
        bytes
            .ok_or(Malformed("a payload's batch is missing"))
            .and_then(|bytes| journal::decode_payloads(&bytes))
            .and_then(|p| {
                p.get(index as usize).cloned().ok_or(Malformed("a payload is missing from its batch"))
            })
            .map_err(|e| corrupt("executions.journal", &e))
    }

    /// Folds a whole journal: `visit` gets the records of each batch in order.
    pub fn replay(
        &self,
        key: ExecutionKey,
        mut visit: impl FnMut(u32, Vec<Record>) -> Result<(), String>,
    ) -> Result<(), ReadError> {
        let mut payloads: HashMap<(u32, u32), Payload> = HashMap::new();
        for pair in self.journal.prefix(&key.0.to_be_bytes()) {
            let (journal_key, bytes) = pair?;
            let number = batch_number(&journal_key).map_err(|e| corrupt("executions.journal", &e))?;
            // A later batch can only name payloads that the execution still holds.
            payloads.retain(|_, payload| payload.holders() > 1);
            let mut fetch = |batch: u32, index: u32| -> Result<Payload, ReadError> {
                if let Some(payload) = payloads.get(&(batch, index)) {
                    return Ok(payload.clone());
                }
                self.payload(key, batch, index)
            };
            let records = self.decode(number, &bytes, &mut fetch)?;
            for record in &records {
                record.for_each_stored(|stored| {
                    payloads.insert((stored.batch, stored.index), stored.payload.clone());
                });
            }
            visit(number, records)
                .map_err(|reason| ReadError::Corrupt { keyspace: "executions.journal", reason })?;
        }
        Ok(())
    }

    /// A page of an execution's history.
    pub fn history(&self, key: ExecutionKey, page: HistoryPage) -> Result<Vec<HistoryEvent>, ReadError> {
        let mut events = Vec::new();
        let mut batches = self.journal.prefix(&key.0.to_be_bytes());
        let mut fetched: HashMap<u32, Vec<Payload>> = HashMap::new();
        while let Some(pair) = if page.reverse { batches.next_back() } else { batches.next() } {
            if events.len() >= page.limit {
                break;
            }
            let (journal_key, bytes) = pair?;
            let number = batch_number(&journal_key).map_err(|e| corrupt("executions.journal", &e))?;
            let mut fetch = |batch: u32, index: u32| -> Result<Payload, ReadError> {
                if let std::collections::hash_map::Entry::Vacant(entry) = fetched.entry(batch) {
                    let bytes = self.journal.get(self::journal_key(key, batch))?;
                    let payloads = bytes
                        .ok_or(Malformed("a payload's batch is missing"))
                        .and_then(|bytes| journal::decode_payloads(&bytes))
                        .map_err(|e| corrupt("executions.journal", &e))?;
                    entry.insert(payloads);
                }
                let payload = fetched.get(&batch).and_then(|p| p.get(index as usize)).cloned();
                payload.ok_or_else(|| {
                    corrupt("executions.journal", &Malformed("a payload is missing from its batch"))
                })
            };
            let records = self.decode(number, &bytes, &mut fetch)?;
            let of_batch = records.into_iter().filter_map(|record| match record {
                Record::Event(event) => Some(event),
                Record::Private(_) => None,
            });
            if page.reverse {
                let wanted = |e: &HistoryEvent| page.from_id == 0 || e.id <= page.from_id;
                events.extend(of_batch.collect::<Vec<_>>().into_iter().rev().filter(wanted));
            } else {
                events.extend(of_batch.filter(|e| e.id >= page.from_id));
            }
        }
        events.truncate(page.limit);
        Ok(events)
    }

    fn decode(
        &self,
        number: u32,
        bytes: &[u8],
        fetch: &mut dyn FnMut(u32, u32) -> Result<Payload, ReadError>,
    ) -> Result<Vec<Record>, ReadError> {
        journal::decode(number, bytes, &mut |batch, index| fetch(batch, index).map_err(DecodeError::Read))
            .map_err(|error| match error {
                DecodeError::Read(error) => error,
                DecodeError::Malformed(error) => corrupt("executions.journal", &error),
            })
    }
}

enum DecodeError {
    Read(ReadError),
    Malformed(Malformed),
}

impl From<Malformed> for DecodeError {
    fn from(error: Malformed) -> Self {
        DecodeError::Malformed(error)
    }
}

pub(super) fn batch_number(journal_key: &[u8]) -> Result<u32, Malformed> {
    let number = journal_key.last_chunk().copied().ok_or(Malformed("a key is too short"))?;
    Ok(u32::from_be_bytes(number))
}
