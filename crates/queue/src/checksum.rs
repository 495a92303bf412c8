//! The MD5 digests that SDKs verify: of a body, and of a set of message attributes.
//!
//! Source: Amazon SQS Developer Guide, "Calculating the MD5 message digest for message attributes".

use base64::Engine as _;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

/// Lower-case hexadecimal MD5 of a body.
pub(crate) fn of_body(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// The digest of attributes in the form `{name: {DataType, StringValue | BinaryValue}}`; `None` for no attributes.
///
/// Sorted by name, each adds its name, its type and its value, every one preceded by its length as four bytes
/// (big-endian); before the value's length stands one byte, 1 for text and 2 for binary.
pub(crate) fn of_attributes(attributes: &Map<String, Value>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut names: Vec<&String> = attributes.keys().collect();
    names.sort();
    let mut md5 = Md5::new();
    for name in names {
        let attribute = &attributes[name];
        let member = |member: &str| attribute.get(member).and_then(Value::as_str);
        add(&mut md5, name.as_bytes());
        add(&mut md5, member("DataType").unwrap_or_default().as_bytes());
        match member("BinaryValue") {
            Some(base64) => {
                md5.update([2]);
                add(&mut md5, &base64::engine::general_purpose::STANDARD.decode(base64).unwrap_or_default());
            }
            None => {
                md5.update([1]);
                add(&mut md5, member("StringValue").unwrap_or_default().as_bytes());
            }
        }
    }
    Some(hex(&md5.finalize()))
}

fn add(md5: &mut Md5, bytes: &[u8]) {
    // A message is at most 1 MiB, so the length always fits.
    md5.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    md5.update(bytes);
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Digests that AWS answered with.
    #[test]
    fn digests_are_those_of_aws() {
        assert_eq!(of_body("msg"), "6e2baaf3b97dbeef01c0043275f9a0e7");
        let text = |value: &str| json!({"DataType": "String", "StringValue": value});
        for (attributes, digest) in [
            (
                json!({"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")}),
                "4c360f3fdafd970e05fae2f149d997f5",
            ),
            (json!({"Hello": text("There"), "General": text("Kenobi")}), "fca026605781cb4126a1e9044df24232"),
            (json!({"Hello": text("There")}), "a311262e065454b75da111d535b8dacd"),
            (json!({"Foo": text("Bar")}), "ae7155c6026991b6d54b11589678bf9c"),
            (
                json!({"attr1": {"DataType": "Binary", "BinaryValue":
                base64::engine::general_purpose::STANDARD
                    .encode(b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")}}),
                "8cbe4db156db8a94db8b801b7addb984",
            ),
        ] {
            let attributes = attributes.as_object().expect("a map");
            assert_eq!(of_attributes(attributes).as_deref(), Some(digest), "{attributes:?}");
        }
        assert_eq!(of_attributes(&Map::new()), None);
    }
}
