//! Log events on disk: their keys and values, and pages of them.

use stepwell_store::{Keyspace, ReadError};

/// Where an event stands in its stream: by time, then in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) timestamp_ms: i64,
    pub(crate) sequence: u64,
}

impl Position {
    pub(crate) const FIRST: Position = Position { timestamp_ms: 0, sequence: 0 };
    pub(crate) const LAST: Position = Position { timestamp_ms: i64::MAX, sequence: u64::MAX };

    /// The first position at this time.
    pub(crate) fn at(timestamp_ms: i64) -> Position {
        Position { timestamp_ms: timestamp_ms.max(0), sequence: 0 }
    }

    /// 32 hexadecimal digits; also the event's id.
    pub(crate) fn to_text(self) -> String {
        format!("{:016x}{:016x}", self.timestamp_ms, self.sequence)
    }

    pub(crate) fn parse(text: &str) -> Option<Position> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let timestamp_ms = i64::from_str_radix(&text[..16], 16).ok()?;
        Some(Position { timestamp_ms, sequence: u64::from_str_radix(&text[16..], 16).ok()? })
    }

    /// The one after it.
    pub(crate) fn next(self) -> Position {
        match self.sequence.checked_add(1) {
            Some(sequence) => Position { sequence, ..self },
            None => Position { timestamp_ms: self.timestamp_ms.saturating_add(1), sequence: 0 },
        }
    }
}

/// An event as it is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) position: Position,
    pub(crate) ingested_ms: i64,
    pub(crate) message: String,
}

/// The key of an event. The zero byte ends the stream's name: none has one.
pub(crate) fn key(group: u64, stream: &str, position: Position) -> Vec<u8> {
    let mut key = prefix(group, stream);
    key.extend(position.timestamp_ms.max(0).to_be_bytes());
    key.extend(position.sequence.to_be_bytes());
    key
}

/// What the keys of a stream's events begin with.
pub(crate) fn prefix(group: u64, stream: &str) -> Vec<u8> {
    let mut key = group.to_be_bytes().to_vec();
    key.extend(stream.as_bytes());
    key.push(0);
    key
}

pub(crate) fn value(ingested_ms: i64, message: &str) -> Vec<u8> {
    let mut value = ingested_ms.to_be_bytes().to_vec();
    value.extend(message.as_bytes());
    value
}

/// The events of a stream from `from` up to but without `to`, from either end.
pub(crate) fn between(
    events: &Keyspace,
    group: u64,
    stream: &str,
    from: Position,
    to: Position,
) -> impl DoubleEndedIterator<Item = Result<Event, ReadError>> + use<> {
    events.range(&key(group, stream, from), &key(group, stream, to)).map(|pair| {
        let (key, value) = pair?;
        read(&key, &value).ok_or_else(|| ReadError::Corrupt {
            keyspace: "logs.events",
            reason: "a key or value is too short".into(),
        })
    })
}

fn read(key: &[u8], value: &[u8]) -> Option<Event> {
    let (rest, sequence) = key.split_last_chunk::<8>()?;
    let (_, timestamp) = rest.split_last_chunk::<8>()?;
    let (ingested, message) = value.split_first_chunk::<8>()?;
    Some(Event {
        position: Position {
            timestamp_ms: i64::from_be_bytes(*timestamp),
            sequence: u64::from_be_bytes(*sequence),
        },
        ingested_ms: i64::from_be_bytes(*ingested),
        message: String::from_utf8_lossy(message).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_and_keep_their_order() {
        let position = Position { timestamp_ms: 1_795_344_152_664, sequence: u64::MAX };
        assert_eq!(Position::parse(&position.to_text()), Some(position));
        assert!(position.next() > position && Position::FIRST < position && position < Position::LAST);
        for text in ["", "x", &"ä".repeat(16), &"f".repeat(32)] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
