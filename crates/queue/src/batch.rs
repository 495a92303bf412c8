//! What the three batch operations share: the rules for a batch, and the answer per entry.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use stepwell_aws::Fault;

use crate::fault;
use crate::input::Input;
use crate::limits::{BATCH_ENTRIES_MAX, NAME_CHARS_MAX};

/// One entry with its id.
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    pub(crate) input: Input<'a>,
}

/// Reads the entries of the operation `operation`. A batch that breaks a rule fails as a whole.
pub(crate) fn entries<'a>(input: Input<'a>, operation: &str) -> Result<Vec<Entry<'a>>, Fault> {
    let list = input.list("Entries")?;
    if list.is_empty() {
        let text = format!("There should be at least one {operation}RequestEntry in the request.");
        return Err(fault::batch("EmptyBatchRequest", text));
    }
    if list.len() > BATCH_ENTRIES_MAX {
        let sent = list.len();
        let text =
            format!("Maximum number of entries per request are {BATCH_ENTRIES_MAX}. You have sent {sent}.");
        return Err(fault::batch("TooManyEntriesInBatchRequest", text));
    }
    let mut ids = HashSet::new();
    let mut entries = Vec::with_capacity(list.len());
    for value in list {
        let input = Input::of(value)?;
        let id = input.required_text("Id")?;
        let fits = (1..=NAME_CHARS_MAX).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !fits {
            let text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can \
                        be at most 80 letters long.";
            return Err(fault::batch("InvalidBatchEntryId", text));
        }
        if !ids.insert(id) {
            return Err(fault::batch("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
        entries.push(Entry { id, input });
    }
    Ok(entries)
}

/// The answer to a batch, built entry by entry.
#[derive(Default)]
pub(crate) struct Answers {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl Answers {
    /// Adds the outcome of one entry; `members` are those of a success besides `Id`.
    pub(crate) fn add(&mut self, id: &str, outcome: Result<Map<String, Value>, Fault>) {
        match outcome {
            Ok(members) => {
                let mut entry = Map::from_iter([("Id".to_owned(), Value::from(id))]);
                entry.extend(members);
                self.successful.push(Value::Object(entry));
            }
            Err(fault) => self.failed.push(json!({
                "Id": id,
                "SenderFault": fault.status < 500,
                "Code": fault.query_code(),
                "Message": fault.message,
            })),
        }
    }

    /// The output structure. SQS leaves an empty list out.
    pub(crate) fn output(self) -> Value {
        let mut output = Map::new();
        for (name, list) in [("Successful", self.successful), ("Failed", self.failed)] {
            if !list.is_empty() {
                output.insert(name.to_owned(), Value::Array(list));
            }
        }
        Value::Object(output)
    }
}
