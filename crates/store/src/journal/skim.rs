//! A batch read for some of its events: what is not asked for is passed over, and no payload is copied before somebody
//! wants it. A batch may hold far more than a page of history answers.

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{HistoryEvent, Record};

use super::{VERSION, read_record, tag};
use crate::bytes::{Malformed, Reader};

/// Where the parts of a batch are in its bytes.
pub(crate) struct Skimmed<'a> {
    number: u32,
    base_ms: i64,
    payloads: Vec<&'a [u8]>,
    /// The events: id, and the bytes of the record.
    events: Vec<(u64, &'a [u8])>,
}

impl<'a> Skimmed<'a> {
    /// Of batch number `number`.
    pub(crate) fn new(number: u32, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader(bytes);
        let (base_ms, count) = read_frame(&mut r)?;
        let mut payloads = Vec::new();
        for _ in 0..count {
            payloads.push(r.slice()?);
        }
        let nothing = Payload::empty_object();
        let mut events = Vec::new();
        for _ in 0..r.unsigned()? {
            let from_here = r.0;
            let record = read_record::<Malformed>(&mut r, base_ms, &mut |_, _| Ok(nothing.clone()))?;
            if let Record::Event(event) = record {
                events.push((event.id, &from_here[..from_here.len() - r.0.len()]));
            }
        }
        r.finish()?;
        Ok(Skimmed { number, base_ms, payloads, events })
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// The id of the event at `position`, counted from the batch's first one.
    pub(crate) fn id(&self, position: usize) -> Option<u64> {
        self.events.get(position).map(|(id, _)| *id)
    }

    /// The event at `position`; `None` beyond the last one. `fetch` gives the payloads of other batches.
    pub(crate) fn event<E: From<Malformed>>(
        &self,
        position: usize,
        fetch: &mut dyn FnMut(u32, u32) -> Result<Payload, E>,
    ) -> Result<Option<HistoryEvent>, E> {
        let Some((_, bytes)) = self.events.get(position) else { return Ok(None) };
        let mut refer = |batch: u32, index: u32| {
            if batch != self.number {
                return fetch(batch, index);
            }
            let text = self.payloads.get(index as usize).copied();
            payload(text.ok_or(Malformed("it refers to a payload that it does not hold"))?).map_err(E::from)
        };
        match read_record(&mut Reader(bytes), self.base_ms, &mut refer)? {
            Record::Event(event) => Ok(Some(event)),
            Record::Private(_) => Err(Malformed("an event is none").into()),
        }
    }
}

/// Payload number `index` of a batch.
pub(crate) fn payload_at(bytes: &[u8], index: u32) -> Result<Payload, Malformed> {
    let mut r = Reader(bytes);
    let (_, count) = read_frame(&mut r)?;
    if u64::from(index) >= count {
        return Err(Malformed("a payload is missing from its batch"));
    }
    for _ in 0..index {
        r.slice()?;
    }
    payload(r.slice()?)
}

/// The id of the first event of a batch; `None` where it holds private records alone.
pub(crate) fn first_event_id(bytes: &[u8]) -> Result<Option<u64>, Malformed> {
    let mut r = Reader(bytes);
    let (base_ms, count) = read_frame(&mut r)?;
    for _ in 0..count {
        r.slice()?;
    }
    let mut unread = |_, _| Ok(Payload::empty_object());
    for _ in 0..r.unsigned()? {
        if r.0.first().is_some_and(|tag| tag::is_event(*tag)) {
            r.byte()?;
            return r.unsigned().map(Some);
        }
        read_record::<Malformed>(&mut r, base_ms, &mut unread)?;
    }
    Ok(None)
}

/// What a batch begins with: its base time, and how many payloads follow.
pub(super) fn read_frame(r: &mut Reader<'_>) -> Result<(i64, u64), Malformed> {
    if r.byte()? != VERSION {
        return Err(Malformed("it was written by another version"));
    }
    Ok((r.signed()?, r.unsigned()?))
}

fn payload(text: &[u8]) -> Result<Payload, Malformed> {
    std::str::from_utf8(text).map(Payload::from_known_json).map_err(|_| Malformed("a text is not UTF-8"))
}
