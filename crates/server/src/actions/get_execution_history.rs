//! GetExecutionHistory, in pages that are bounded by number and by size.

use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{HistoryEvent, HistoryPage};

use super::describe_execution::{find, show_started_by};
use crate::limits::HISTORY_PAGE_BYTES_MAX;
use crate::page::{self, Tokens};
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault, history};

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
    let first = if reverse { 0 } else { 1 };
    let from_id = page::number(tokens.take(input.next_token.as_deref())?)?.unwrap_or(first);
    let size = page::size(input.max_results);
    // A page may have to read far more than it answers.
    let turn = context.turn_to_read().await;
    let (answer, _turn) = context
        .blocking(move |context| {
            let read = Read { context, arn: &input.execution_arn, reverse };
            let (mut events, next) = read.page(from_id, size, include_data)?;
            read.show_started_by(&mut events)?;
            let mut answer = json!({ "events": events });
            if let Some(next) = next {
                answer["nextToken"] = tokens.give(&next.to_be_bytes()).into();
            }
            // With its turn: the work goes on when the client has gone.
            Ok((answer, turn))
        })
        .await?;
    Ok(answer)
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
        let (mut events, mut bytes, mut next) = (Vec::new(), 0, None);
        // One more than wanted tells whether there is another page.
        let page = HistoryPage { from_id, reverse: self.reverse, limit: size + 1 };
        let found = self.context.engine().visit_history(self.arn, page, &mut |event| {
            if events.len() == size || bytes > HISTORY_PAGE_BYTES_MAX {
                next = Some(event.id);
                return ControlFlow::Break(());
            }
            bytes += size_of(&event, include_data);
            events.push(history::event(&event, include_data));
            ControlFlow::Continue(())
        });
        match found.map_err(|error| store_failure(&error))? {
            Some(()) => Ok((events, next)),
            None => Err(fault::execution_does_not_exist(self.arn)),
        }
    }

    /// Puts the version and the alias by which the execution was started into its first event, where that is on the
    /// page. They are in the execution's row, not in its journal.
    fn show_started_by(&self, events: &mut [Value]) -> Result<(), Fault> {
        if let Some(first) = events.iter_mut().find(|event| event["id"] == 1) {
            let execution = find(self.context, self.arn)?;
            let details = &mut first["executionStartedEventDetails"];
            if details.is_object() {
                show_started_by(&execution.row, details);
            }
        }
        Ok(())
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
