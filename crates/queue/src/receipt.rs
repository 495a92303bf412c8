//! Receipt handles: which delivery of which message a consumer holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The first bytes of every handle: its version, chosen so that handles begin like those of AWS.
const MARK: [u8; 3] = [0x01, 0x01, 0x01];
/// Bytes of the check sum, enough to tell a mistyped handle from one of ours.
const CHECK_BYTES: usize = 7;
const LENGTH: usize = 3 + 8 + 8 + 4 + CHECK_BYTES;

/// One delivery of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The queue's id, which stays through purges.
    pub(crate) queue: u64,
    /// The message's place in the queue.
    pub(crate) seq: u64,
    /// How often the message had been received, this delivery included: a later delivery outdates the handle.
    pub(crate) receives: u32,
}

impl Receipt {
    /// The handle as the consumer gets it.
    pub(crate) fn handle(self) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&MARK);
        bytes.extend_from_slice(&self.queue.to_be_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.receives.to_be_bytes());
        let check = Sha256::digest(&bytes);
        bytes.extend_from_slice(&check[..CHECK_BYTES]);
        STANDARD.encode(bytes)
    }

    /// Reads a handle; `None` for what was never one of ours.
    pub(crate) fn parse(handle: &str) -> Option<Receipt> {
        // Decoding is bounded: nothing longer than a handle is looked at.
        if handle.len() > LENGTH * 2 {
            return None;
        }
        let bytes = STANDARD.decode(handle).ok()?;
        let (content, check) = bytes.split_at_checked(LENGTH - CHECK_BYTES)?;
        if check != &Sha256::digest(content)[..CHECK_BYTES] {
            return None;
        }
        let content = content.strip_prefix(&MARK)?;
        Some(Receipt {
            queue: u64::from_be_bytes(content.get(..8)?.try_into().ok()?),
            seq: u64::from_be_bytes(content.get(8..16)?.try_into().ok()?),
            receives: u32::from_be_bytes(content.get(16..20)?.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_back_whole_and_damage_is_seen() {
        let receipt = Receipt { queue: 7, seq: u64::MAX, receives: 3 };
        let handle = receipt.handle();
        assert_eq!(Receipt::parse(&handle), Some(receipt));
        for position in 0..handle.len() {
            let mut damaged = handle.clone().into_bytes();
            damaged[position] = if damaged[position] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).expect("is ASCII");
            assert_eq!(Receipt::parse(&damaged), None, "{position}");
        }
        for text in ["", "garbage", "AQEB", &"A".repeat(10_000)] {
            assert_eq!(Receipt::parse(text), None);
        }
    }
}
