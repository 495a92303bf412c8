//! What a Map state iterates over, kept with its visit from its start to its end: evaluated once, because an expression
//! that looks at the clock or draws numbers would give other items later.

use std::fmt;
use std::sync::{Arc, OnceLock};

use stepwell_asl::program::{Items, Map, PathField};
use stepwell_asl::value::Value;

use crate::event::Stored;

/// The items of a visit, and how they are batched.
#[derive(Clone, Default)]
pub(crate) struct MapItems {
    /// As the journal has them; none where they follow from what it has anyway ([`are_derived`]).
    pub stored: Option<Stored>,
    /// Where each batch ends.
    pub batch_ends: Option<Arc<[u32]>>,
    /// The array, once it was derived: no part of the state, any fold derives the same.
    derived: OnceLock<Value>,
}

impl MapItems {
    /// The array, where it is known.
    pub(crate) fn known(&self) -> Option<&Value> {
        self.stored.as_ref().map(|stored| stored.payload.value()).or_else(|| self.derived.get())
    }

    /// Keeps the array that was derived.
    pub(crate) fn keep(&self, items: &Value) {
        let _ = self.derived.set(items.clone());
    }
}

impl fmt::Debug for MapItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapItems")
            .field("stored", &self.stored)
            .field("batch_ends", &self.batch_ends)
            .finish()
    }
}

/// Whether the items of `map` are the same however often they are looked up while it is visited: neither an expression
/// nor what the context object says of now.
pub(crate) fn are_derived(map: &Map) -> bool {
    let lasts = |path: &str| !path.strip_prefix("$$.Execution.Input").unwrap_or(path).contains("$$");
    let input_lasts = match &map.input_path {
        PathField::Path(path) => lasts(path.text()),
        PathField::Whole | PathField::Empty => true,
    };
    match &map.items {
        Items::Template(_) => false,
        Items::Path(path) => input_lasts && lasts(path.text()),
        Items::Input => input_lasts,
    }
}

/// Element `index` of the array `items`.
pub(crate) fn item(items: &Value, index: u32) -> Option<&Value> {
    items.as_array().and_then(|items| items.get(index as usize))
}
