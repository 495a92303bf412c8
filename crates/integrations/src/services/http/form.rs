//! Documents as forms: `a=1&b[c]=2`, with the four ways of writing arrays.

use stepwell_asl::value::Value;
use stepwell_models::percent_encoded;

/// `RequestEncodingOptions.ArrayFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArrayFormat {
    /// `a[0]=x&a[1]=y`
    Indices,
    /// `a=x&a=y`
    Repeat,
    /// `a=x,y`
    Commas,
    /// `a[]=x&a[]=y`
    Brackets,
}

impl ArrayFormat {
    pub(super) fn from_name(name: &str) -> Option<ArrayFormat> {
        Some(match name {
            "INDICES" => ArrayFormat::Indices,
            "REPEAT" => ArrayFormat::Repeat,
            "COMMAS" => ArrayFormat::Commas,
            "BRACKETS" => ArrayFormat::Brackets,
            _ => return None,
        })
    }
}

/// The pairs of a form, not yet encoded.
pub(super) fn pairs(name: &str, value: &Value, format: ArrayFormat, pairs_out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members.iter() {
                let name = if name.is_empty() { member.to_string() } else { format!("{name}[{member}]") };
                pairs(&name, value, format, pairs_out);
            }
        }
        Value::Array(elements) if format == ArrayFormat::Commas => {
            let elements: Vec<_> = elements.iter().map(scalar).collect();
            pairs_out.push((name.to_owned(), elements.join(",")));
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                let name = match format {
                    ArrayFormat::Indices => format!("{name}[{index}]"),
                    ArrayFormat::Brackets => format!("{name}[]"),
                    ArrayFormat::Repeat | ArrayFormat::Commas => name.to_owned(),
                };
                pairs(&name, element, format, pairs_out);
            }
        }
        other => pairs_out.push((name.to_owned(), scalar(other))),
    }
}

/// A text as it is, anything else as JSON; nothing for `null`.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        other => other.to_json(),
    }
}

/// `a=1&b=2`
pub(crate) fn encoded<'a>(pairs: impl IntoIterator<Item = &'a (String, String)>) -> String {
    let pairs = pairs.into_iter();
    let pairs: Vec<_> =
        pairs.map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::payload::Payload;

    #[test]
    fn arrays_are_written_in_four_ways() {
        let document = Payload::parse(r#"{"a":["x","y z"],"b":{"c":1.50,"d":null},"e":true}"#).expect("JSON");
        let cases = [
            ("INDICES", "a%5B0%5D=x&a%5B1%5D=y%20z"),
            ("REPEAT", "a=x&a=y%20z"),
            ("COMMAS", "a=x%2Cy%20z"),
            ("BRACKETS", "a%5B%5D=x&a%5B%5D=y%20z"),
        ];
        for (name, array) in cases {
            let format = ArrayFormat::from_name(name).expect("a format");
            let mut found = Vec::new();
            pairs("", document.value(), format, &mut found);
            assert_eq!(encoded(&found), format!("{array}&b%5Bc%5D=1.50&b%5Bd%5D=&e=true"), "{name}");
        }
        assert_eq!(ArrayFormat::from_name("commas"), None);
    }
}
