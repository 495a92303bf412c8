//! Pages of listings: sizes, and the opaque `nextToken`.
//!
//! A token says where the next page begins, for which request, and when it was given out. It is checked, not
//! trusted: a forged one can at most begin a page elsewhere in the same listing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stepwell_aws::Fault;

use crate::limits::{PAGE_SIZE_DEFAULT, TOKEN_VALIDITY_MS};
use crate::{crc32, fault};

/// Format of a token's bytes: version, time, checksum of the request, position; then a checksum of all that.
const VERSION: u8 = 1;
const FIXED_BYTES: usize = 1 + 8 + 4;

/// The number of items that a page may have.
pub(crate) fn size(max_results: Option<f64>) -> usize {
    // The model has checked that it is a whole number of 0 to 1000.
    match max_results.map_or(0, |n| n as usize) {
        0 => PAGE_SIZE_DEFAULT,
        size => size,
    }
}

/// The number at which a page begins, where its token holds one.
pub(crate) fn number(position: Option<Vec<u8>>) -> Result<Option<u64>, Fault> {
    let read = |bytes: Vec<u8>| bytes.try_into().map(u64::from_be_bytes).map_err(|_| fault::invalid_token());
    position.map(read).transpose()
}

/// Makes and reads the tokens of one listing request.
pub(crate) struct Tokens {
    request: u32,
    now_ms: i64,
}

impl Tokens {
    /// For a request of `operation` with `arguments`: all that must stay the same from page to page, which is
    /// everything but the token and `maxResults`.
    pub(crate) fn new(operation: &str, arguments: &[&str], now_ms: i64) -> Tokens {
        let mut text = operation.to_owned();
        for argument in arguments {
            text.push('\0');
            text.push_str(argument);
        }
        Tokens { request: crc32::checksum(text.as_bytes()), now_ms }
    }

    /// The token of the page that begins at `position`.
    pub(crate) fn give(&self, position: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + position.len() + 4);
        bytes.push(VERSION);
        bytes.extend(self.now_ms.to_be_bytes());
        bytes.extend(self.request.to_be_bytes());
        bytes.extend(position);
        bytes.extend(crc32::checksum(&bytes).to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a token, if there is one; `InvalidToken` where it is not of this request or too old.
    pub(crate) fn take(&self, token: Option<&str>) -> Result<Option<Vec<u8>>, Fault> {
        token.map(|token| self.read(token).ok_or_else(fault::invalid_token)).transpose()
    }

    fn read(&self, token: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32::checksum(content).to_be_bytes() != *checksum {
            return None;
        }
        let (version, rest) = content.split_first()?;
        let (given_ms, rest) = rest.split_first_chunk::<8>()?;
        let (request, position) = rest.split_first_chunk::<4>()?;
        let age_ms = self.now_ms.checked_sub(i64::from_be_bytes(*given_ms))?;
        let good = *version == VERSION
            && u32::from_be_bytes(*request) == self.request
            && age_ms <= TOKEN_VALIDITY_MS;
        good.then(|| position.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_good_for_their_request_and_a_day() {
        let tokens = Tokens::new("ListExecutions", &["a", ""], 1000);
        let token = tokens.give(b"position");
        assert_eq!(tokens.take(Some(&token)).expect("is good"), Some(b"position".to_vec()));
        assert_eq!(tokens.take(None).expect("is good"), None);
        let later = Tokens::new("ListExecutions", &["a", ""], 1000 + TOKEN_VALIDITY_MS);
        assert!(later.take(Some(&token)).is_ok());
        for (tokens, token) in [
            (Tokens::new("ListExecutions", &["a", ""], 1001 + TOKEN_VALIDITY_MS), token.as_str()),
            (Tokens::new("ListExecutions", &["", "a"], 1000), token.as_str()),
            (Tokens::new("ListMapRuns", &["a", ""], 1000), token.as_str()),
            (Tokens::new("ListExecutions", &["a", ""], 1000), ""),
            (Tokens::new("ListExecutions", &["a", ""], 1000), "x"),
            (Tokens::new("ListExecutions", &["a", ""], 1000), "äöü"),
            (Tokens::new("ListExecutions", &["a", ""], 1000), &token[1..]),
        ] {
            let fault = tokens.take(Some(token)).expect_err(token);
            assert_eq!(fault.message, "Invalid Token: 'Invalid token'");
        }
    }

    #[test]
    fn zero_means_the_default_size() {
        assert_eq!((size(None), size(Some(0.0)), size(Some(7.0))), (100, 100, 7));
    }
}
