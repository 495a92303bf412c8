//! The deduplication ids of a FIFO queue of the last five minutes. The records are durable, so that a sender that
//! repeats a send after a crash of ours is still recognised.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest as _, Sha256};

use crate::limits::{DEDUPLICATION_MS, FORGOTTEN_PER_SEND_MAX};
use crate::record::Seen;

/// A digest of a deduplication id, and of its group where ids count per group.
pub(crate) type Digest = [u8; 16];

/// Ids and their first messages, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Deduplication {
    seen: HashMap<Digest, Seen>,
    by_age: VecDeque<(i64, Digest)>,
}

impl Deduplication {
    /// The digest under which an id is remembered; `group` where ids count per group.
    pub(crate) fn digest(id: &str, group: Option<&str>) -> Digest {
        let mut hash = Sha256::new();
        if let Some(group) = group {
            hash.update([1]);
            hash.update(u64::try_from(group.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(group);
        }
        hash.update(id);
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        digest
    }

    /// The message first sent with this id, if that was less than five minutes before `now_ms`.
    pub(crate) fn find(&self, digest: &Digest, now_ms: i64) -> Option<&Seen> {
        self.seen.get(digest).filter(|seen| is_fresh(seen, now_ms))
    }

    pub(crate) fn remember(&mut self, digest: Digest, seen: Seen) {
        self.by_age.push_back((seen.sent_ms, digest));
        self.seen.insert(digest, seen);
    }

    /// Forgets ids that are too old, some at a time; gives those whose records can go.
    pub(crate) fn forget(&mut self, now_ms: i64) -> Vec<Digest> {
        let mut forgotten = Vec::new();
        while forgotten.len() < FORGOTTEN_PER_SEND_MAX
            && let Some(&(sent_ms, digest)) = self.by_age.front()
            && now_ms - sent_ms >= DEDUPLICATION_MS
        {
            self.by_age.pop_front();
            // An id that was used again since has a younger entry of its own.
            if self.seen.get(&digest).is_some_and(|seen| seen.sent_ms == sent_ms) {
                self.seen.remove(&digest);
                forgotten.push(digest);
            }
        }
        forgotten
    }
}

/// Whether a send still suppresses others with its id.
pub(crate) fn is_fresh(seen: &Seen, now_ms: i64) -> bool {
    now_ms - seen.sent_ms < DEDUPLICATION_MS
}

/// The key of a record: the queue's id, then the digest.
pub(crate) fn key(queue: u64, digest: &Digest) -> Vec<u8> {
    let mut key = queue.to_be_bytes().to_vec();
    key.extend_from_slice(digest);
    key
}

/// The reverse of [`key`].
pub(crate) fn parse_key(key: &[u8]) -> Option<(u64, Digest)> {
    let (queue, digest) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*queue), digest.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_remembered_for_five_minutes() {
        let mut table = Deduplication::default();
        let (a, b) = (Deduplication::digest("a", None), Deduplication::digest("a", Some("g")));
        assert_ne!(a, b);
        let seen = |sent_ms| Seen { sent_ms, seq: 1, message: "m".into() };
        table.remember(a, seen(0));
        table.remember(b, seen(10));
        assert!(table.find(&a, DEDUPLICATION_MS - 1).is_some());
        assert!(table.find(&a, DEDUPLICATION_MS).is_none());
        table.remember(a, seen(DEDUPLICATION_MS));
        assert_eq!(table.forget(DEDUPLICATION_MS), [[0; 16]; 0], "the id was used again");
        assert_eq!(table.forget(DEDUPLICATION_MS + 10), [b]);
        assert!(table.find(&a, DEDUPLICATION_MS + 10).is_some());
        assert_eq!(parse_key(&key(7, &a)), Some((7, a)));
    }
}
