//! How an `ItemBatcher` cuts the items of a Map into the inputs of its child executions.

use stepwell_asl::Payload;
use stepwell_asl::value::{Object, Value};

use crate::limits::PAYLOAD_BYTES_MAX;

/// An `ItemBatcher`, its fields looked up.
#[derive(Debug, Default)]
pub struct Batching {
    /// `MaxItemsPerBatch`; 0 is none.
    pub items_max: Option<u32>,
    /// `MaxInputBytesPerBatch`; 0 is none, and no batch is larger than a payload may be.
    pub bytes_max: Option<u32>,
    /// `BatchInput`
    pub common: Option<Value>,
}

impl Batching {
    /// The batches in the order of their items, each with how many it has. Only one item too large for a batch makes
    /// one that is too large.
    #[must_use]
    pub fn cut(&self, items: &[Payload]) -> Vec<(Payload, usize)> {
        let items_max = self.items_max.filter(|n| *n > 0);
        let bytes_max = self.bytes_max.filter(|n| *n > 0);
        let bytes_max = bytes_max.map_or(PAYLOAD_BYTES_MAX, |n| (n as usize).min(PAYLOAD_BYTES_MAX));
        let empty_bytes = self.batch(&[]).byte_len();
        let (mut batches, mut begin, mut bytes) = (Vec::new(), 0, empty_bytes);
        for (end, item) in items.iter().enumerate() {
            // A comma stands between two items.
            let more = item.byte_len() + usize::from(end > begin);
            let is_full =
                items_max.is_some_and(|max| end - begin >= max as usize) || bytes + more > bytes_max;
            if is_full && end > begin {
                batches.push((self.batch(&items[begin..end]), end - begin));
                (begin, bytes) = (end, empty_bytes + item.byte_len());
            } else {
                bytes += more;
            }
        }
        if begin < items.len() {
            batches.push((self.batch(&items[begin..]), items.len() - begin));
        }
        batches
    }

    pub(crate) fn batch(&self, items: &[Payload]) -> Payload {
        let mut members = Object::new();
        if let Some(common) = &self.common {
            members.insert("BatchInput", common.clone());
        }
        members.insert("Items", items.iter().map(|item| item.value().clone()).collect::<Vec<Value>>());
        Payload::from_value(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_stands_between_items_alone() {
        let items: Vec<Payload> = ["1", "2", "3", "4"].map(|n| Payload::parse(n).unwrap()).into();
        let cut = |bytes_max| {
            let batches = Batching { bytes_max: Some(bytes_max), ..Batching::default() }.cut(&items);
            batches.into_iter().map(|(batch, _)| batch.text().to_string()).collect::<Vec<_>>()
        };
        // {"Items":[1,2]} has 15 bytes.
        assert_eq!(cut(15), [r#"{"Items":[1,2]}"#, r#"{"Items":[3,4]}"#]);
        assert_eq!(cut(14).len(), 4);
        assert_eq!(cut(17).len(), 2);
        assert_eq!(cut(19), [r#"{"Items":[1,2,3,4]}"#]);
    }
}
