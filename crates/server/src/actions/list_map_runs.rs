//! ListMapRuns: those of an execution, in the order of their starts.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::MapRunState;

use crate::history::seconds;
use crate::page::{self, Tokens};
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    execution_arn: String,
    max_results: Option<f64>,
    next_token: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { execution_arn, max_results, next_token } = read_input(input)?;
    arns::standard_execution(&execution_arn)?;
    let tokens = Tokens::new("ListMapRuns", &[&execution_arn], context.now_ms());
    let from_event = page::number(tokens.take(next_token.as_deref())?)?.unwrap_or(0);
    let size = page::size(max_results);
    context
        .blocking(move |context| {
            // One more than wanted tells whether there is another page.
            let listed = context.engine().list_map_runs(&execution_arn, from_event, size + 1);
            let listed = listed.map_err(|error| store_failure(&error))?;
            let listed = listed.ok_or_else(|| fault::execution_does_not_exist(&execution_arn))?;
            let items = listed.iter().take(size).map(|run| item(run, &execution_arn));
            let mut answer = json!({ "mapRuns": items.collect::<Vec<_>>() });
            if let Some(next) = listed.get(size) {
                answer["nextToken"] = tokens.give(&next.started_event.to_be_bytes()).into();
            }
            Ok(answer)
        })
        .await
}

fn item(run: &MapRunState, execution_arn: &str) -> Value {
    // `mapRun:<machine>/<label>:<uuid>`
    let labelled = run.map_run_arn.rsplit_once(':').map_or(&*run.map_run_arn, |(labelled, _)| labelled);
    let mut item = json!({
        "executionArn": execution_arn,
        "mapRunArn": &*run.map_run_arn,
        "stateMachineArn": labelled.replacen(":mapRun:", ":stateMachine:", 1),
        "startDate": seconds(run.start_ms),
    });
    if let Some(stop_ms) = run.stop_ms {
        item["stopDate"] = seconds(stop_ms);
    }
    item
}
