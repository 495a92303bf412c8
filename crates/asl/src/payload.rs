//! A JSON document that travels through an execution: as text, as a value, or both, whichever was needed so far.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::json::{self, JsonError};
use crate::value::Value;

/// An immutable JSON document. Cloning copies a pointer; the text is written, and the value read, at most once and
/// only when somebody looks. What nobody changes keeps the exact text it came with, blanks included.
#[derive(Clone)]
pub struct Payload(Arc<Inner>);

struct Inner {
    text: OnceLock<Arc<str>>,
    value: OnceLock<Value>,
}

impl Payload {
    /// Reads `text`, any JSON value.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Payload, JsonError> {
        let text = text.into();
        let value = json::parse(&text)?;
        Ok(Payload(Arc::new(Inner { text: OnceLock::from(text), value: OnceLock::from(value) })))
    }

    /// A document whose text is known to be JSON, because it was read or written before; it is read when needed.
    #[must_use]
    pub fn from_known_json(text: impl Into<Arc<str>>) -> Payload {
        Payload(Arc::new(Inner { text: OnceLock::from(text.into()), value: OnceLock::new() }))
    }

    /// The document of a value.
    #[must_use]
    pub fn from_value(value: Value) -> Payload {
        Payload(Arc::new(Inner { text: OnceLock::new(), value: OnceLock::from(value) }))
    }

    /// `{}`
    #[must_use]
    pub fn empty_object() -> Payload {
        Payload::from_value(Value::empty_object())
    }

    /// The value. Text that turns out not to be JSON reads as `null`; only corrupt storage could bring that about,
    /// and its checksums are verified before.
    #[must_use]
    pub fn value(&self) -> &Value {
        self.0.value.get_or_init(|| {
            let text = self.0.text.get().map_or("null", |t| t);
            json::parse(text).unwrap_or_default()
        })
    }

    /// The JSON text.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        self.0.text.get_or_init(|| self.0.value.get().unwrap_or(&Value::Null).to_json().into())
    }

    /// Length of the text in bytes of UTF-8, the measure of AWS's payload limit.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.text().len()
    }

    /// Whether the text is longer than `limit` bytes. Unlike [`Payload::byte_len`] this writes no text of a value that
    /// is far too large.
    #[must_use]
    pub fn is_longer_than(&self, limit: usize) -> bool {
        let surely = match (self.0.text.get(), self.0.value.get()) {
            (None, Some(value)) => value.approximate_json_len(limit).is_none(),
            _ => false,
        };
        surely || self.byte_len() > limit
    }

    /// Whether both are the very same document in memory.
    #[must_use]
    pub fn is_same(&self, other: &Payload) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many holders this document has.
    #[must_use]
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        self.is_same(other) || self.value() == other.value()
    }
}
