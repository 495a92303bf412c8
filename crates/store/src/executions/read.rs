//! Journals read back: folded in whole, or as pages of a history.

use std::collections::HashMap;
use std::ops::ControlFlow;

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{HistoryEvent, Record};

use super::{ExecutionKey, Executions, corrupt, journal_key};
use crate::bytes::Malformed;
use crate::journal::{self, Skimmed};
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
            .and_then(|bytes| journal::payload_at(&bytes, index))
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
        self.visit_history(key, page, &mut |event| {
            events.push(event);
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }

    /// The events of a page one by one, until there are no more or `visit` has enough. Memory holds one batch, one
    /// event and a few payloads of other batches at a time, so that a page costs what its reader makes of it.
    pub fn visit_history(
        &self,
        key: ExecutionKey,
        page: HistoryPage,
        visit: &mut dyn FnMut(HistoryEvent) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let malformed = |e: Malformed| corrupt("executions.journal", &e);
        let (first, after) = match page.from_id {
            0 | 1 if !page.reverse => (0, u32::MAX),
            0 => (0, u32::MAX),
            id if page.reverse => (0, self.batch_of(key, id)?.saturating_add(1)),
            id => (self.batch_of(key, id)?, u32::MAX),
        };
        let mut batches = self.journal.range(&journal_key(key, first), &journal_key(key, after));
        let mut others = Others { executions: self, key, batch: None, payloads: HashMap::new(), bytes: 0 };
        let mut left = page.limit;
        while left > 0 {
            let pair = if page.reverse { batches.next_back() } else { batches.next() };
            let Some((journal_key, bytes)) = pair.transpose()? else { break };
            let number = batch_number(&journal_key).map_err(malformed)?;
            let batch = Skimmed::new(number, &bytes).map_err(malformed)?;
            for nth in 0..batch.len() {
                let position = if page.reverse { batch.len() - 1 - nth } else { nth };
                let is_wanted = |id: u64| match page.reverse {
                    true => page.from_id == 0 || id <= page.from_id,
                    false => id >= page.from_id,
                };
                if !batch.id(position).is_some_and(is_wanted) {
                    continue;
                }
                let mut fetch = |batch, index| others.payload(batch, index).map_err(DecodeError::Read);
                if let Some(event) = batch.event(position, &mut fetch).map_err(DecodeError::into_read)?
                    && visit(event).is_break()
                {
                    return Ok(());
                }
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        Ok(())
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
            .map_err(DecodeError::into_read)
    }
}

/// Payloads that a page of history takes from other batches than those of its events.
struct Others<'a> {
    executions: &'a Executions,
    key: ExecutionKey,
    /// The batch that was read last.
    batch: Option<(u32, Vec<u8>)>,
    payloads: HashMap<(u32, u32), Payload>,
    /// Of `payloads`.
    bytes: usize,
}

impl Others<'_> {
    /// What is kept, so that events which refer to several batches in turn do not read each of them again.
    const KEPT_BYTES_MAX: usize = 1024 * 1024;

    fn payload(&mut self, batch: u32, index: u32) -> Result<Payload, ReadError> {
        if let Some(payload) = self.payloads.get(&(batch, index)) {
            return Ok(payload.clone());
        }
        let malformed = |e: Malformed| corrupt("executions.journal", &e);
        let bytes = match self.batch.take() {
            Some((read, bytes)) if read == batch => bytes,
            _ => {
                let bytes = self.executions.journal.get(journal_key(self.key, batch))?;
                bytes.ok_or(Malformed("a payload's batch is missing")).map_err(malformed)?
            }
        };
        let payload = journal::payload_at(&bytes, index).map_err(malformed)?;
        self.batch = Some((batch, bytes));
        if self.bytes + payload.byte_len() > Self::KEPT_BYTES_MAX {
            self.payloads.clear();
            self.bytes = 0;
        }
        self.bytes += payload.byte_len();
        self.payloads.insert((batch, index), payload.clone());
        Ok(payload)
    }
}

enum DecodeError {
    Read(ReadError),
    Malformed(Malformed),
}

impl DecodeError {
    fn into_read(self) -> ReadError {
        match self {
            DecodeError::Read(error) => error,
            DecodeError::Malformed(error) => corrupt("executions.journal", &error),
        }
    }
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
    use stepwell_interpreter::{EventDetails, PrivateRecord, Stored, ThreadId};

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

    #[test]
    fn a_page_has_the_payloads_of_its_events_and_ends_when_its_reader_has_enough() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("opens");
        let executions = Executions::open(&store).expect("opens");
        let key = executions.new_key();
        let mut batch = WriteBatch::new();
        let text = |of: u32, index: u32| format!("\"{of}.{index} {}\"", "x".repeat(400_000));
        let stored = |of: u32, index: u32| {
            let payload = Payload::parse(text(of, index)).expect("is JSON");
            Stored { batch: of, index, payload }
        };
        let mut id = 0;
        for number in 0..4 {
            let mut records = Vec::new();
            for index in 0..3 {
                // Its own, and one of the first batch.
                for output in [stored(number, index), stored(0, 2 - index)] {
                    id += 1;
                    let details = EventDetails::ExecutionSucceeded { output };
                    let (thread, previous_event_id) = (ThreadId(0), id - 1);
                    records.push(Record::Event(HistoryEvent {
                        id,
                        previous_event_id,
                        timestamp_ms: 7,
                        thread,
                        details,
                    }));
                }
            }
            executions.put_records(&mut batch, key, number, &records);
        }
        store.commit(batch).expect("commits");
        for (from_id, reverse) in [(1, false), (8, false), (0, true), (21, true)] {
            let mut seen = Vec::new();
            let page = HistoryPage { from_id, reverse, limit: 100 };
            let visit = &mut |event: HistoryEvent| {
                event.details.for_each_stored(|s| assert_eq!(**s.payload.text(), *text(s.batch, s.index)));
                seen.push(event.id);
                if seen.len() == 9 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            executions.visit_history(key, page, visit).expect("reads");
            let expected: Vec<u64> = match (from_id, reverse) {
                (0, _) => (1..=24).rev().take(9).collect(),
                (from, true) => (1..=from).rev().take(9).collect(),
                (from, false) => (from..=24).take(9).collect(),
            };
            assert_eq!(seen, expected);
        }
        assert_eq!(**executions.payload(key, 2, 1).expect("is there").text(), *text(2, 1));
        assert!(executions.payload(key, 2, 3).is_err(), "there are three");
    }
}
