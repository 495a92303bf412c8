//! The items of a Map state under test that come from elsewhere.

use stepwell_asl::environment::StatesError;
use stepwell_asl::value::Value;

/// What a JSON Pointer (RFC 6901) of an `ItemsPointer` points to in the data that a reader has read.
pub(super) fn pointed<'a>(data: &'a Value, pointer: &str) -> Result<&'a Value, StatesError> {
    at(data, pointer).ok_or_else(|| StatesError {
        error: "States.ItemReaderFailed",
        cause: "The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON structure."
            .into(),
        names_state: false,
    })
}

fn at<'a>(data: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() {
        return Some(data);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(data, |value, step| match value.as_array() {
        Some(items) => items.get(step.parse::<usize>().ok()?),
        None => value.as_object()?.get(&step.replace("~1", "/").replace("~0", "~")),
    })
}

#[cfg(test)]
mod tests {
    use stepwell_asl::Payload;

    use super::*;

    #[test]
    fn pointers_lead_through_objects_and_arrays() {
        let data = Payload::parse(r#"{"a/b": [{"~c": [1]}], "": 2}"#.to_owned()).expect("is JSON");
        for (pointer, expected) in
            [("/a~1b/0/~0c", Some("[1]")), ("/", Some("2")), ("/a", None), ("/a~1b/1", None), ("a", None)]
        {
            let found = pointed(data.value(), pointer).ok();
            let found = found.map(|value| Payload::from_value(value.clone()).text().to_string());
            assert_eq!(found.as_deref(), expected, "{pointer}");
        }
        assert_eq!(pointed(data.value(), "").ok(), Some(data.value()));
    }
}
