//! The query of a URL, taken apart and put together as Signature Version 4 wants it.

use http::Uri;

/// Names and values, decoded, in the order of the URL.
pub(super) struct Query {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Query {
    /// The query of this URL.
    pub(super) fn of(uri: &Uri) -> Query {
        let parts = uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(name), decoded(value))
        });
        Query { pairs: pairs.collect() }
    }

    /// The first value of `name`, where it is text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.pairs.iter().find(|(n, _)| n == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }

    /// The canonical form, without the parameter `X-Amz-Signature`: strictly encoded, then sorted.
    pub(super) fn canonical(&self) -> String {
        let signed = self.pairs.iter().filter(|(name, _)| name != b"X-Amz-Signature");
        let mut parts: Vec<(String, String)> =
            signed.map(|(name, value)| (encoded(name, b""), encoded(value, b""))).collect();
        parts.sort();
        let parts: Vec<String> = parts.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        parts.join("&")
    }
}

/// Percent-encodes everything but letters, digits, `-._~` and `also`.
pub(super) fn encoded(bytes: &[u8], also: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    text
}

/// Undoes percent encoding, and `+` for a space, as the services read queries; what is no encoding stays.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|hex| first == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = if byte.is_some() { &after[2..] } else { after };
        bytes.push(byte.unwrap_or(if first == b'+' { b' ' } else { first }));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_become_canonical() {
        for (query, canonical) in [
            ("", ""),
            ("a", "a="),
            ("b=2&a=1&&", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("a=x%2fy&A=%7e", "A=~&a=x%2Fy"),
            ("a=b=c+d", "a=b%3Dc%20d"),
            ("a=%zz%4", "a=%25zz%254"),
            ("a=%C3%A4&X-Amz-Signature=1", "a=%C3%A4"),
        ] {
            let uri: Uri = format!("/?{query}").parse().expect(query);
            assert_eq!(Query::of(&uri).canonical(), canonical, "{query}");
        }
    }
}
