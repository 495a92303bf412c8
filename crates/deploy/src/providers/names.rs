//! Generated physical names: `<stack>-<logical id>-<12 characters>`, cut to what the type allows.

use sha2::{Digest, Sha256};

use super::ResourceContext;

const SUFFIX_CHARS: usize = 12;

impl ResourceContext<'_> {
    /// The generated name of this resource, at most `chars_max` long.
    ///
    /// It is made from stack id, logical id and generation, so an interrupted creation that is repeated gives the
    /// same name, and another stack another one.
    pub(super) fn generated_name(&self, chars_max: usize) -> String {
        self.generated(chars_max, "")
    }

    /// The same with an ending that the type demands (`.fifo`).
    pub(super) fn generated(&self, chars_max: usize, ending: &str) -> String {
        let room = chars_max.saturating_sub(SUFFIX_CHARS + 2 + ending.len());
        let logical = cut(self.logical_id, room.saturating_sub(self.stack_name.len().min(room / 2)));
        let stack = cut(self.stack_name, room - logical.len());
        format!("{stack}-{logical}-{}{ending}", self.suffix())
    }

    fn suffix(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut hash = Sha256::new();
        for part in [self.stack_id, "\n", self.logical_id, "\n"] {
            hash.update(part.as_bytes());
        }
        hash.update(self.generation.to_be_bytes());
        hash.finalize()
            .iter()
            .take(SUFFIX_CHARS)
            .map(|byte| ALPHABET[usize::from(byte & 31)] as char)
            .collect()
    }
}

/// The first `chars` characters; stack names and logical ids are ASCII.
fn cut(text: &str, chars: usize) -> &str {
    let end = text.char_indices().nth(chars).map_or(text.len(), |(index, _)| index);
    &text[..end]
}
