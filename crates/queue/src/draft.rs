//! A message on its way in: reading and checking what a sender gave.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use stepwell_aws::Fault;

use crate::checksum;
use crate::fault;
use crate::input::Input;
use crate::limits::{
    ATTRIBUTE_NAME_CHARS_MAX, DELAY_S, MESSAGE_ATTRIBUTES_MAX, MESSAGE_BYTES_MAX, TOKEN_CHARS_MAX,
};
use crate::record::Message;
use crate::settings::Settings;

/// A checked message, not yet in a queue.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Complete but for `sent_ms`.
    pub(crate) message: Message,
    pub(crate) delay_s: u32,
    /// Bytes that count against the size limits: the body, and names, types and values of the attributes.
    pub(crate) bytes: usize,
}

const WRONG_QUEUE_TYPE: &str = "The request include parameter that is not valid for this queue type.";

impl Draft {
    /// Reads a `SendMessage` input or an entry of a batch.
    pub(crate) fn read(input: Input<'_>, settings: &Settings) -> Result<Draft, Fault> {
        let body = input.text("MessageBody")?.unwrap_or_default();
        if body.is_empty() {
            return Err(fault::missing_parameter("MessageBody"));
        }
        if !body.chars().all(is_allowed) {
            return Err(fault::invalid_contents());
        }
        let (attributes, attribute_bytes) = match input.map("MessageAttributes")? {
            None => (Map::new(), 0),
            Some(map) => read_attributes(map)?,
        };
        let trace_header = read_trace_header(input)?;
        let bytes = body.len() + attribute_bytes;
        let bytes_max = usize::try_from(settings.message_bytes_max).unwrap_or(MESSAGE_BYTES_MAX);
        if bytes > bytes_max {
            return Err(fault::invalid_parameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} bytes."
            )));
        }
        let (group, deduplication) = read_ordering(input, settings, body)?;
        let delay_s = read_delay(input, settings)?;
        let id = uuid::Uuid::new_v4().to_string();
        let body = body.to_owned();
        let message = Message { id, body, attributes, trace_header, sent_ms: 0, group, deduplication };
        Ok(Draft { message, delay_s, bytes })
    }

    /// The members that an answer to the sender holds, with the id it is to see.
    pub(crate) fn answer(&self, message_id: &str, sequence: Option<String>) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("MessageId".into(), message_id.into());
        members.insert("MD5OfMessageBody".into(), checksum::of_body(&self.message.body).into());
        if let Some(digest) = checksum::of_attributes(&self.message.attributes) {
            members.insert("MD5OfMessageAttributes".into(), digest.into());
        }
        if let Some(header) = &self.message.trace_header {
            let header = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": header}});
            let digest = header.as_object().and_then(checksum::of_attributes);
            members.insert("MD5OfMessageSystemAttributes".into(), digest.into());
        }
        if let Some(sequence) = sequence {
            members.insert("SequenceNumber".into(), sequence.into());
        }
        members
    }
}

/// The characters of XML 1.0, which SQS messages were once wrapped in.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The group and the deduplication id.
fn read_ordering(
    input: Input<'_>,
    settings: &Settings,
    body: &str,
) -> Result<(Option<String>, Option<String>), Fault> {
    let group = read_token(input, "MessageGroupId")?;
    let deduplication = read_token(input, "MessageDeduplicationId")?;
    let Some(fifo) = &settings.fifo else {
        // A standard queue takes a group ("fair queues") but nothing that promises exactly-once.
        return match deduplication {
            None => Ok((group, None)),
            Some(id) => Err(fault::invalid_value(id, "MessageDeduplicationId", WRONG_QUEUE_TYPE)),
        };
    };
    let group = group.ok_or_else(|| fault::missing_parameter("MessageGroupId"))?;
    let deduplication = match deduplication {
        Some(id) => id,
        None if fifo.content_based_deduplication => checksum::hex(&Sha256::digest(body.as_bytes())),
        None => return Err(no_deduplication()),
    };
    Ok((Some(group), Some(deduplication)))
}

fn no_deduplication() -> Fault {
    fault::invalid_parameter(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    )
}

/// A FIFO batch in which an entry lacks its group or deduplication id fails as a whole, unlike other faults of one
/// entry, and with another code than the single send.
pub(crate) fn check_batch_entry(input: Input<'_>, settings: &Settings) -> Result<(), Fault> {
    let Some(fifo) = &settings.fifo else { return Ok(()) };
    if input.text("MessageGroupId")?.is_none_or(str::is_empty) {
        return Err(fault::invalid_parameter("The request must contain the parameter MessageGroupId."));
    }
    if !fifo.content_based_deduplication && input.text("MessageDeduplicationId")?.is_none_or(str::is_empty) {
        return Err(no_deduplication());
    }
    Ok(())
}

/// A group, deduplication or attempt id: printable ASCII without blanks.
pub(crate) fn read_token(input: Input<'_>, name: &str) -> Result<Option<String>, Fault> {
    let Some(token) = input.text(name)?.filter(|token| !token.is_empty()) else { return Ok(None) };
    if token.len() <= TOKEN_CHARS_MAX && token.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Some(token.to_owned()));
    }
    let reason =
        format!("{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
    Err(fault::invalid_value(token, name, &reason))
}

fn read_delay(input: Input<'_>, settings: &Settings) -> Result<u32, Fault> {
    let reason = "DelaySeconds must be >= 0 and <= 900.";
    let delay_s = input.integer_in("DelaySeconds", &DELAY_S, reason)?;
    match delay_s {
        Some(seconds) if settings.fifo.is_some() && seconds > 0 => {
            Err(fault::invalid_value(seconds, "DelaySeconds", WRONG_QUEUE_TYPE))
        }
        Some(seconds) if settings.fifo.is_none() => Ok(seconds),
        _ => Ok(settings.delay_s),
    }
}

fn read_trace_header(input: Input<'_>) -> Result<Option<String>, Fault> {
    let mut header = None;
    for (name, value) in input.map("MessageSystemAttributes")?.into_iter().flatten() {
        if name != "AWSTraceHeader" {
            return Err(fault::invalid_parameter(format!(
                "Message system attribute '{name}' is not supported."
            )));
        }
        let value = Input::of(value)?;
        if value.text("DataType")? != Some("String") {
            return Err(fault::invalid_parameter(
                "The data type of message system attribute 'AWSTraceHeader' must be String.",
            ));
        }
        header = value.text("StringValue")?.filter(|text| !text.is_empty()).map(str::to_owned);
    }
    Ok(header)
}

/// The checked attributes in stored form, and their bytes.
fn read_attributes(map: &Map<String, Value>) -> Result<(Map<String, Value>, usize), Fault> {
    if map.len() > MESSAGE_ATTRIBUTES_MAX {
        return Err(fault::invalid_parameter(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MESSAGE_ATTRIBUTES_MAX}].",
            map.len()
        )));
    }
    let mut attributes = Map::new();
    let mut bytes = 0;
    for (name, value) in map {
        check_attribute_name(name)?;
        let (stored, value_bytes) = read_attribute(name, Input::of(value)?)?;
        bytes += name.len() + value_bytes;
        attributes.insert(name.clone(), stored);
    }
    Ok((attributes, bytes))
}

fn check_attribute_name(name: &str) -> Result<(), Fault> {
    let lower = name.to_ascii_lowercase();
    let fits = !name.is_empty()
        && name.len() <= ATTRIBUTE_NAME_CHARS_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.");
    if fits {
        return Ok(());
    }
    Err(fault::invalid_parameter(format!(
        "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), \
         hyphen (-), and period (.) characters."
    )))
}

/// One attribute in stored form, and the bytes of its type and value.
fn read_attribute(name: &str, input: Input<'_>) -> Result<(Value, usize), Fault> {
    if !input.list("StringListValues")?.is_empty() || !input.list("BinaryListValues")?.is_empty() {
        return Err(fault::unsupported(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    let data_type = input.text("DataType")?.unwrap_or_default();
    if data_type.is_empty() {
        return Err(fault::invalid_parameter(format!(
            "The message (user) attribute '{name}' must contain a non-empty message attribute type."
        )));
    }
    let base = data_type.split('.').next().unwrap_or_default();
    let empty = || {
        fault::invalid_parameter(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{base}'."
        ))
    };
    let invalid_type = || {
        fault::invalid_parameter(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the following supported \
             type prefixes: Binary, Number, String."
        ))
    };
    if data_type.len() > ATTRIBUTE_NAME_CHARS_MAX {
        return Err(invalid_type());
    }
    match base {
        "String" | "Number" => {
            let text = input.text("StringValue")?.filter(|text| !text.is_empty()).ok_or_else(empty)?;
            if base == "Number" && !is_number(text) {
                return Err(fault::invalid_parameter(format!(
                    "Can't cast the value of message (user) attribute '{name}' to a number."
                )));
            }
            if !text.chars().all(is_allowed) {
                return Err(fault::invalid_contents());
            }
            Ok((json!({"DataType": data_type, "StringValue": text}), data_type.len() + text.len()))
        }
        "Binary" => {
            let base64 = input.text("BinaryValue")?.filter(|text| !text.is_empty()).ok_or_else(empty)?;
            let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64);
            let decoded = decoded.map_err(|_| fault::serialization("BinaryValue is not base64 text"))?;
            Ok((json!({"DataType": data_type, "BinaryValue": base64}), data_type.len() + decoded.len()))
        }
        _ => Err(invalid_type()),
    }
}

/// A decimal number of at most 38 digits, with or without fraction and exponent.
fn is_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    plain && digits <= 38 && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &Value, settings: &Settings) -> Result<Draft, Fault> {
        Draft::read(Input::of(input)?, settings)
    }

    #[test]
    fn what_a_standard_queue_refuses() {
        let text = |value: &str| json!({"DataType": "String", "StringValue": value});
        let big = "x".repeat(MESSAGE_BYTES_MAX);
        let eleven: Map<String, Value> = (0..11).map(|i| (format!("a{i}"), text("v"))).collect();
        let attribute = |value: Value| json!({"MessageBody": "b", "MessageAttributes": {"a": value}});
        let named = |name: &str| json!({"MessageBody": "b", "MessageAttributes": {name: text("v")}});
        for (input, code, part) in [
            (json!({}), "MissingParameter", "The request must contain the parameter MessageBody."),
            (json!({"MessageBody": null}), "MissingParameter", "MessageBody"),
            (json!({"MessageBody": ""}), "MissingParameter", "MessageBody"),
            (json!({"MessageBody": 1}), "MalformedInput", "NUMBER_VALUE"),
            (json!({"MessageBody": "a\u{0}"}), "InvalidMessageContents", "#x9 | #xA"),
            (json!({"MessageBody": "a\u{ffff}"}), "InvalidMessageContents", "#x9 | #xA"),
            (
                json!({"MessageBody": big.clone() + "x"}),
                "InvalidParameterValue",
                "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
            ),
            (
                json!({"MessageBody": big, "MessageAttributes": {"a": text("v")}}),
                "InvalidParameterValue",
                "shorter",
            ),
            (
                json!({"MessageBody": "b", "DelaySeconds": 901}),
                "InvalidParameterValue",
                "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
            ),
            (json!({"MessageBody": "b", "DelaySeconds": -1}), "InvalidParameterValue", "Value -1"),
            (json!({"MessageBody": "b", "DelaySeconds": "1"}), "MalformedInput", "STRING_VALUE"),
            (
                json!({"MessageBody": "b", "MessageDeduplicationId": "d"}),
                "InvalidParameterValue",
                "queue type",
            ),
            (json!({"MessageBody": "b", "MessageGroupId": "a b"}), "InvalidParameterValue", "punctuation"),
            (
                json!({"MessageBody": "b", "MessageGroupId": "g".repeat(129)}),
                "InvalidParameterValue",
                "1 to 128",
            ),
            (json!({"MessageBody": "b", "MessageAttributes": eleven}), "InvalidParameterValue", "[11]"),
            (
                attribute(text("")),
                "InvalidParameterValue",
                "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
            ),
            (attribute(json!({"StringValue": "v"})), "InvalidParameterValue", "attribute type"),
            (attribute(json!({"DataType": "Text", "StringValue": "v"})), "InvalidParameterValue", "prefixes"),
            (
                attribute(json!({"DataType": "Number", "StringValue": "v"})),
                "InvalidParameterValue",
                "to a number",
            ),
            (attribute(json!({"DataType": "Binary", "BinaryValue": "?"})), "MalformedInput", "base64"),
            (
                attribute(json!({"DataType": "String", "StringListValues": ["v"]})),
                "AWS.SimpleQueueService.UnsupportedOperation",
                "list values",
            ),
            (named("AWS.x"), "InvalidParameterValue", "AWS.x"),
            (named("a..b"), "InvalidParameterValue", "a..b"),
            (named("ä"), "InvalidParameterValue", "ä"),
            (
                json!({"MessageBody": "b", "MessageSystemAttributes": {"X": text("v")}}),
                "InvalidParameterValue",
                "X",
            ),
        ] {
            let fault = read(&input, &Settings::new(false)).expect_err(part);
            assert_eq!(fault.query_code(), code, "{}", fault.message);
            assert!(fault.message.contains(part), "{}", fault.message);
        }
    }

    #[test]
    fn what_a_fifo_queue_demands() {
        let mut settings = Settings::new(true);
        let body = |more: Value| {
            let mut input = json!({"MessageBody": "b"});
            input.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
            input
        };
        for (input, code) in [
            (body(json!({})), "MissingParameter"),
            (body(json!({"MessageGroupId": "g"})), "InvalidParameterValue"),
            (
                body(json!({"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 2})),
                "InvalidParameterValue",
            ),
        ] {
            assert_eq!(read(&input, &settings).expect_err("is refused").query_code(), code, "{input}");
        }
        let given = body(json!({"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 0}));
        let draft = read(&given, &settings).expect("is taken");
        assert_eq!(draft.message.deduplication.as_deref(), Some("d"));
        settings.fifo.as_mut().expect("is FIFO").content_based_deduplication = true;
        let draft = read(&body(json!({"MessageGroupId": "g"})), &settings).expect("is taken");
        let digest = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
        assert_eq!(draft.message.deduplication.as_deref(), Some(digest));
    }

    #[test]
    fn sizes_count_names_types_and_values() {
        let input = json!({"MessageBody": "body", "MessageAttributes": {
            "n": {"DataType": "Number.int", "StringValue": "1e3"},
            "b": {"DataType": "Binary", "BinaryValue": "AAEC"},
        }});
        let draft = read(&input, &Settings::new(false)).expect("is taken");
        assert_eq!(draft.bytes, 4 + (1 + 10 + 3) + (1 + 6 + 3));
    }
}
