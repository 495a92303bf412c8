//! ListStateMachineVersions, newest first. The model has no exception for a machine that does not exist but
//! `InvalidArn`.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use crate::history::seconds;
use crate::page::{self, Tokens};
use crate::states::{StepFunctions, read_input};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_arn: String,
    next_token: Option<String>,
    max_results: Option<f64>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { state_machine_arn: arn, next_token, max_results } = read_input(input)?;
    arns::machine_without_label(&arn)?;
    let tokens = Tokens::new("ListStateMachineVersions", &[&arn], context.now_ms());
    let below = page::number(tokens.take(next_token.as_deref())?)?;
    let size = page::size(max_results);
    // One more than wanted tells whether there is another page.
    let found = context.machines().versions(&arn, below, size + 1);
    let mut versions = found.ok_or_else(|| fault::invalid_arn(&arn))?;
    let more = versions.len() > size;
    versions.truncate(size);
    let items: Vec<Value> = versions
        .iter()
        .map(|version| {
            json!({
                "stateMachineVersionArn": &*version.arn,
                "creationDate": seconds(version.created_ms),
            })
        })
        .collect();
    let mut answer = json!({ "stateMachineVersions": items });
    if let Some(last) = versions.last().filter(|_| more) {
        answer["nextToken"] = tokens.give(&last.number.to_be_bytes()).into();
    }
    Ok(answer)
}
