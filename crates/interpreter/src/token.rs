//! Task tokens: opaque to clients, and enough for us to find the attempt without an index.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What every token begins with, as AWS's do (`AAAAKgAAAAIAAAAA`).
const PREFIX: [u8; 12] = [0, 0, 0, 0x2a, 0, 0, 0, 2, 0, 0, 0, 0];

/// The longest token that AWS accepts, in characters.
const CHARS_MAX: usize = 2048;

/// Which attempt a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskToken {
    /// The execution.
    pub execution_arn: Arc<str>,
    /// Id of the attempt's `…Scheduled` event.
    pub scheduled_event: u64,
    /// Random bits that the attempt keeps too: knowing an execution's ARN does not make a token.
    pub nonce: u64,
}

impl TaskToken {
    /// The token's text: at most 1,024 characters for ARNs of AWS's length.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = PREFIX.to_vec();
        bytes.extend_from_slice(&self.nonce.to_be_bytes());
        bytes.extend_from_slice(&self.scheduled_event.to_be_bytes());
        bytes.extend_from_slice(self.execution_arn.as_bytes());
        STANDARD_NO_PAD.encode(bytes)
    }

    /// Reads a token; `None` where the text is none of ours.
    #[must_use]
    pub fn decode(text: &str) -> Option<TaskToken> {
        if text.len() > CHARS_MAX {
            return None;
        }
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let (nonce, rest) = bytes.strip_prefix(&PREFIX)?.split_first_chunk()?;
        let (scheduled_event, arn) = rest.split_first_chunk()?;
        let execution_arn = std::str::from_utf8(arn).ok()?;
        Some(TaskToken {
            execution_arn: execution_arn.into(),
            scheduled_event: u64::from_be_bytes(*scheduled_event),
            nonce: u64::from_be_bytes(*nonce),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TaskToken;

    #[test]
    fn a_token_comes_back_and_looks_like_one_of_awss() {
        let token = TaskToken {
            execution_arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".into(),
            scheduled_event: 3,
            nonce: u64::MAX,
        };
        let text = token.encode();
        assert!(text.starts_with("AAAAKgAAAAIAAAAA"), "{text}");
        assert_eq!(TaskToken::decode(&text), Some(token));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in ["", "AAAA", "not a token!", "AAAAKgAAAAIAAAAA", &"A".repeat(5000)] {
            assert_eq!(TaskToken::decode(text), None, "{text}");
        }
    }
}
