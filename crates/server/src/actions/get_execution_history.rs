//! GetExecutionHistory, in pages that are bounded by number and by size.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{HistoryEvent, HistoryPage};

use crate::limits::HISTORY_PAGE_BYTES_MAX;
use crate::page::{self, Tokens};
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault, history};

/// Events read from the store at a time, so that a page cut short by its size does not read a thousand large ones.
const READ_EVENTS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    execution_arn: String,
    max_results: Option<f64>,
    reverse_order: Option<bool>,
    next_token: Option<String>,
    include_execution_data: Option<bool>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    arns::standard_execution(&input.execution_arn)?;
    let reverse = input.reverse_order.unwrap_or(false);
    let include_data = input.include_execution_data.unwrap_or(true);
    let flag = |set: bool| if set { "1" } else { "0" };
    let arguments = [input.execution_arn.as_str(), flag(reverse), flag(include_data)];
    let tokens = Tokens::new("GetExecutionHistory", &arguments, context.now_ms());
    let from_id = match tokens.take(input.next_token.as_deref())? {
        None if reverse => 0,
        None => 1,
        Some(position) => position.try_into().map(u64::from_be_bytes).map_err(|_| fault::invalid_token())?,
    };
    let size = page::size(input.max_results);
    context
        .blocking(move |context| {
            let read = Read { context, arn: &input.execution_arn, reverse };
            let (events, next) = read.page(from_id, size, include_data)?;
            let mut answer = json!({ "events": events });
            if let Some(next) = next {
                answer["nextToken"] = tokens.give(&next.to_be_bytes()).into();
            }
            Ok(answer)
        })
        .await
}

struct Read<'a> {
    context: &'a StepFunctions,
    arn: &'a str,
    reverse: bool,
}

impl Read<'_> {
    /// The events of a page and the id with which the next one begins, if there is one.
    fn page(
        &self,
        from_id: u64,
        size: usize,
        include_data: bool,
    ) -> Result<(Vec<Value>, Option<u64>), Fault> {
        let (mut events, mut bytes, mut from_id) = (Vec::new(), 0, from_id);
        loop {
            // One more than wanted tells whether there is another page.
            let wanted = (size + 1 - events.len()).min(READ_EVENTS);
            let read = self.events(from_id, wanted)?;
            let last = read.len() < wanted;
            for event in read {
                if events.len() == size || bytes > HISTORY_PAGE_BYTES_MAX {
                    return Ok((events, Some(event.id)));
                }
                if self.reverse && event.id == 1 {
                    events.push(history::event(&event, include_data));
                    return Ok((events, None));
                }
                from_id = if self.reverse { event.id - 1 } else { event.id + 1 };
                bytes += size_of(&event, include_data);
                events.push(history::event(&event, include_data));
            }
            if last {
                return Ok((events, None));
            }
        }
    }

    fn events(&self, from_id: u64, limit: usize) -> Result<Vec<HistoryEvent>, Fault> {
        let page = HistoryPage { from_id, reverse: self.reverse, limit };
        let found = self.context.engine().history(self.arn, page).map_err(|error| store_failure(&error))?;
        found.ok_or_else(|| fault::execution_does_not_exist(self.arn))
    }
}

/// About how many bytes an event has on the wire.
fn size_of(event: &HistoryEvent, include_data: bool) -> usize {
    const REST: usize = 256;
    let mut bytes = REST;
    if include_data {
        event.details.for_each_stored(|stored| bytes += stored.payload.byte_len());
    }
    bytes
}
