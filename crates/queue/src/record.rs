//! What lies on disk, and in which bytes.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `queue.queues` | name | [`QueueRecord`], JSON |
//! | `queue.bodies` | body id | [`Message`], JSON; written once |
//! | `queue.state` | generation, seq | [`Slot`], a version byte and fields; small, rewritten at each receive |
//! | `queue.dedup` | queue id, digest | [`Seen`], JSON |
//! | `queue.meta` | `next` | the first number of the sequence that was never given out |
//!
//! Numbers in keys are big-endian, so that keys sort as numbers do. At open only the small records are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::index::{Phase, Slot};
use crate::settings::Settings;

/// A queue as it is stored. The version stands for this record and those it refers to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct QueueRecord {
    pub(crate) version: u32,
    /// Never changes; stands in receipt handles and deduplication keys.
    pub(crate) id: u64,
    /// Prefix of the state records; a purge begins a new one.
    pub(crate) generation: u64,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
    pub(crate) purged_ms: Option<i64>,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
}

/// The version of records that this build writes, and the only one that it reads.
pub(crate) const VERSION: u32 = 1;

/// A message as it was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Message {
    /// The UUID that SQS calls `MessageId`.
    pub(crate) id: String,
    pub(crate) body: String,
    /// `{name: {DataType, StringValue | BinaryValue}}`, checked.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) attributes: Map<String, Value>,
    /// The system attribute `AWSTraceHeader`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace_header: Option<String>,
    pub(crate) sent_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deduplication: Option<String>,
}

/// The first message sent with a deduplication id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) sent_ms: i64,
    pub(crate) seq: u64,
    /// Its `MessageId`.
    pub(crate) message: String,
}

/// Two numbers as a key.
pub(crate) fn key(first: u64, second: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&first.to_be_bytes());
    key[8..].copy_from_slice(&second.to_be_bytes());
    key
}

/// The reverse of [`key`].
pub(crate) fn parse_key(key: &[u8]) -> Option<(u64, u64)> {
    let (first, second) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(second.try_into().ok()?)))
}

/// The version byte of encoded slots.
const SLOT_VERSION: u8 = 1;

/// A slot as bytes: version, phase, five numbers, then the two texts, each with its length before it (one more than
/// the length; 0 for none).
pub(crate) fn encode_slot(slot: &Slot) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.push(SLOT_VERSION);
    bytes.push(match slot.phase {
        Phase::Visible => 0,
        Phase::Delayed => 1,
        Phase::InFlight => 2,
    });
    bytes.extend_from_slice(&slot.body.to_be_bytes());
    bytes.extend_from_slice(&slot.receives.to_be_bytes());
    for time in [slot.enqueued_ms, slot.until_ms, slot.first_receive_ms, slot.last_receive_ms] {
        bytes.extend_from_slice(&time.to_be_bytes());
    }
    for text in [&slot.group, &slot.source] {
        // Group ids and ARNs are far shorter than 64 KiB.
        let length = text.as_ref().map_or(0, |text| u16::try_from(text.len() + 1).unwrap_or(u16::MAX));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_ref().map_or(&[][..], |text| text.as_bytes()));
    }
    bytes
}

/// The reverse of [`encode_slot`]; `None` for damaged bytes or those of another version.
pub(crate) fn decode_slot(bytes: &[u8]) -> Option<Slot> {
    let mut rest = bytes;
    let [version, phase] = take::<2>(&mut rest)?;
    if version != SLOT_VERSION {
        return None;
    }
    let phase = match phase {
        0 => Phase::Visible,
        1 => Phase::Delayed,
        2 => Phase::InFlight,
        _ => return None,
    };
    let body = u64::from_be_bytes(take(&mut rest)?);
    let receives = u32::from_be_bytes(take(&mut rest)?);
    let mut time = || Some(i64::from_be_bytes(take(&mut rest)?));
    let (enqueued_ms, until_ms, first_receive_ms, last_receive_ms) = (time()?, time()?, time()?, time()?);
    let group = take_text(&mut rest)?;
    let source = take_text(&mut rest)?;
    let slot = Slot {
        body,
        enqueued_ms,
        phase,
        until_ms,
        receives,
        first_receive_ms,
        last_receive_ms,
        group,
        source,
    };
    rest.is_empty().then_some(slot)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn take_text(rest: &mut &[u8]) -> Option<Option<Arc<str>>> {
    let Some(length) = u16::from_be_bytes(take(rest)?).checked_sub(1) else { return Some(None) };
    let (text, left) = rest.split_at_checked(usize::from(length))?;
    *rest = left;
    Some(Some(Arc::from(std::str::from_utf8(text).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_back_and_damage_is_seen() {
        let slot = Slot {
            body: 1,
            enqueued_ms: -2,
            phase: Phase::InFlight,
            until_ms: i64::MAX,
            receives: 4,
            first_receive_ms: 5,
            last_receive_ms: 6,
            group: Some("".into()),
            source: Some("arn:aws:sqs:::q".into()),
        };
        for slot in [slot.clone(), Slot { group: None, source: None, phase: Phase::Delayed, ..slot }] {
            let bytes = encode_slot(&slot);
            assert_eq!(decode_slot(&bytes).as_ref(), Some(&slot));
            for cut in 0..bytes.len() {
                assert_eq!(decode_slot(&bytes[..cut]), None);
            }
        }
    }

    /// What an earlier build wrote must stay readable: these bytes are pinned.
    #[test]
    fn version_1_slots_stay_readable() {
        let hex = "0102000000000000000900000002000000000000000a000000000000000b000000000000000c000000000000000d\
                   000267\
                   0000";
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
            .collect();
        let slot = decode_slot(&bytes).expect("decodes");
        assert_eq!((slot.body, slot.receives, slot.phase), (9, 2, Phase::InFlight));
        assert_eq!((slot.enqueued_ms, slot.until_ms), (10, 11));
        assert_eq!((slot.group.as_deref(), slot.source), (Some("g"), None));
        assert_eq!(encode_slot(&decode_slot(&bytes).expect("decodes")), bytes);
    }

    #[test]
    fn keys_sort_as_numbers() {
        assert!(key(1, 255) < key(1, 256) && key(1, u64::MAX) < key(2, 0));
        assert_eq!(parse_key(&key(3, 4)), Some((3, 4)));
        assert_eq!(parse_key(b"short"), None);
    }
}
