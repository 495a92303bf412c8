//! The canonical form of a request, which its signature is made over. Source: "Create a signed AWS API request".

use http::request::Parts;
use sha2::{Digest as _, Sha256};

use super::query::{Query, encoded};

/// The hash of the canonical request up to where the payload's hash follows; `None` where a signed header is not there.
pub(super) fn hash(head: &Parts, query: &Query, signed_headers: &[String]) -> Option<Sha256> {
    let mut hash = Sha256::new();
    hash.update(head.method.as_str());
    hash.update("\n");
    // Encoded once more, though it is encoded already: so do all services but S3.
    hash.update(encoded(head.uri.path().as_bytes(), b"/"));
    hash.update("\n");
    hash.update(query.canonical());
    hash.update("\n");
    for name in signed_headers {
        hash.update(name);
        hash.update(":");
        let mut values = head.headers.get_all(name.as_str()).iter();
        hash.update(trimmed(values.next()?.as_bytes()));
        for value in values {
            hash.update(",");
            hash.update(trimmed(value.as_bytes()));
        }
        hash.update("\n");
    }
    hash.update("\n");
    hash.update(signed_headers.join(";"));
    hash.update("\n");
    Some(hash)
}

/// Whether the path is the only way to write it. Clients sign paths without empty, `.` and `..` segments, while the
/// services read them as they come: of two paths that are signed alike only one may be served.
pub(super) fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    path == "/" || rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// A header's value without blanks around it, and with one where there are several.
fn trimmed(value: &[u8]) -> Vec<u8> {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let words = value.split(blank).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_in_headers_are_one() {
        for (value, expected) in [("a", "a"), ("  a   b\t c ", "a b c"), ("", ""), ("  ", "")] {
            assert_eq!(trimmed(value.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn paths_with_two_readings_are_told() {
        for (path, plain) in [
            ("/", true),
            ("/a/b", true),
            ("/a/b/", true),
            ("/a/.b/c..", true),
            ("//", false),
            ("/a//b", false),
            ("/a/./b", false),
            ("/a/..", false),
            ("*", false),
        ] {
            assert_eq!(is_plain(path), plain, "{path}");
        }
    }
}
