//! ListActivities, in the order of names.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use crate::history::seconds;
use crate::page::{self, Tokens};
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    max_results: Option<f64>,
    next_token: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    let tokens = Tokens::new("ListActivities", &[], context.now_ms());
    let after = tokens.take(input.next_token.as_deref())?;
    let after = after.map(|position| String::from_utf8_lossy(&position).into_owned());
    let size = page::size(input.max_results);
    // One more than wanted tells whether there is another page.
    let mut activities = context.engine().activities().list(after.as_deref(), size + 1);
    let more = activities.len() > size;
    activities.truncate(size);
    let items: Vec<Value> = activities
        .iter()
        .map(|activity| {
            json!({
                "activityArn": &*activity.arn,
                "name": &*activity.name,
                "creationDate": seconds(activity.created_ms),
            })
        })
        .collect();
    let mut answer = json!({ "activities": items });
    if let Some(last) = activities.last().filter(|_| more) {
        answer["nextToken"] = tokens.give(last.arn.as_bytes()).into();
    }
    Ok(answer)
}
