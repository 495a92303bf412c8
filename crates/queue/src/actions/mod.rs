//! The operations of the API: one module each, or one for a group that shares its core. A function reads the input,
//! does the work and gives the output structure.

pub(crate) mod change_visibility;
pub(crate) mod create_queue;
pub(crate) mod delete_message;
pub(crate) mod delete_queue;
pub(crate) mod list_queues;
pub(crate) mod purge_queue;
pub(crate) mod queue_attributes;
pub(crate) mod queue_tags;
pub(crate) mod receive_message;
pub(crate) mod send_message;

use serde_json::{Map, Value};

/// The empty output structure.
fn nothing() -> Value {
    Value::Object(Map::new())
}
