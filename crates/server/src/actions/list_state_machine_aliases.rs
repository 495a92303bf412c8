//! ListStateMachineAliases of a machine, or of one of its versions, in the order of their creation.
//!
//! The documentation promises the newest first; recorded answers have the oldest first, and so has this.

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
    let tokens = Tokens::new("ListStateMachineAliases", &[&arn], context.now_ms());
    let after = page::number(tokens.take(next_token.as_deref())?)?.unwrap_or(0);
    let size = page::size(max_results);
    let (machine_arn, qualifier) = arns::split_qualifier(&arn);
    let version = arns::version(&arn);
    let missing = || fault::machine_does_not_exist(&arn);
    if qualifier.is_some() && version.is_none() {
        return Err(missing());
    }
    // One more than wanted tells whether there is another page.
    let found = context.machines().aliases(machine_arn, version, after, size + 1);
    let mut aliases = found.ok_or_else(missing)?;
    let more = aliases.len() > size;
    aliases.truncate(size);
    let items: Vec<Value> = aliases
        .iter()
        .map(
            |alias| json!({ "stateMachineAliasArn": &*alias.arn, "creationDate": seconds(alias.created_ms) }),
        )
        .collect();
    let mut answer = json!({ "stateMachineAliases": items });
    if let Some(last) = aliases.last().filter(|_| more) {
        answer["nextToken"] = tokens.give(&last.number.to_be_bytes()).into();
    }
    Ok(answer)
}
