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
        let (first, after) = match page.from_id {
            0 | 1 if !page.reverse => (0, u32::MAX),
            0 => (0, u32::MAX),
            id if page.reverse => (0, self.batch_of(key, id)?.saturating_add(1)),
            id => (self.batch_of(key, id)?, u32::MAX),
        };
        let mut batches = self.journal.range(&journal_key(key, first), &journal_key(key, after));
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

    /// The batch that holds event `id`, or the last one where the history ends before. Reads a few batches, however many
    /// there are: their numbers have no gaps, and ids grow with them.
    fn batch_of(&self, key: ExecutionKey, id: u64) -> Result<u32, ReadError> {
        let malformed = |e: Malformed| corrupt("executions.journal", &e);
        let last = self.journal.prefix(&key.0.to_be_bytes()).next_back().transpose()?;
        let (mut low, mut high) = (0, last.map_or(Ok(0), |(k, _)| batch_number(&k)).map_err(malformed)?);
        // Whatever holds the event lies from `low` to `high`.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            // Batches without events, as heartbeats are, belong to the one before them.
            let mut first_id = None;
            let mut probed = middle;
            while first_id.is_none() && probed <= high {
                let bytes = self.journal.get(journal_key(key, probed))?;
                let bytes = bytes.ok_or(Malformed("a batch is missing")).map_err(malformed)?;
                first_id = journal::first_event_id(&bytes).map_err(malformed)?.map(|id| (probed, id));
                probed += 1;
            }
            match first_id {
                Some((batch, first_id)) if first_id <= id => low = batch,
                _ => high = middle - 1,
            }
        }
        Ok(low)
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

#[cfg(test)]
mod tests {
    use stepwell_interpreter::{EventDetails, PrivateRecord, ThreadId};

    use super::*;
    use crate::kv::{Store, WriteBatch};

    fn event(id: u64) -> Record {
        let thread = ThreadId(0);
        let details = EventDetails::ParallelStateStarted;
        Record::Event(HistoryEvent { id, previous_event_id: id - 1, timestamp_ms: 7, thread, details })
    }

    #[test]
    fn every_page_of_a_history_is_the_part_that_was_asked_for() {
        const LAST: u64 = 700;
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("opens");
        let executions = Executions::open(&store).expect("opens");
        let key = executions.new_key();
        let (mut batch, mut id, mut number) = (WriteBatch::new(), 1, 0);
        while id <= LAST {
            // Batches of all sizes; some hold no event.
            let heartbeat = PrivateRecord::HeartbeatReceived { thread: ThreadId(0), at_ms: 7 };
            let mut records = vec![Record::Private(heartbeat)];
            for _ in 0..(number * 7) % 5 + u64::from(number == 0) {
                records.push(event(id));
                id += 1;
            }
            executions.put_records(&mut batch, key, u32::try_from(number).expect("small"), &records);
            number += 1;
        }
        store.commit(batch).expect("commits");
        for reverse in [false, true] {
            for from_id in (0..=LAST + 10).step_by(3) {
                let page = executions.history(key, HistoryPage { from_id, reverse, limit: 9 });
                let ids: Vec<u64> = page.expect("reads").iter().map(|event| event.id).collect();
                let last = id - 1;
                let expected: Vec<u64> = match reverse {
                    false => (from_id.max(1)..=last).take(9).collect(),
                    true if from_id == 0 => (1..=last).rev().take(9).collect(),
                    true => (1..=from_id.min(last)).rev().take(9).collect(),
                };
                assert_eq!(ids, expected, "from {from_id}, reverse {reverse}");
            }
        }
    }
}
