//! DescribeActivity.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::configurations;
use crate::history::seconds;
use crate::states::{StepFunctions, read_input};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    activity_arn: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { activity_arn: arn } = read_input(input)?;
    arns::activity(&arn)?;
    let activity =
        context.engine().activities().get(&arn).ok_or_else(|| fault::activity_does_not_exist(&arn))?;
    Ok(json!({
        "activityArn": &*activity.arn,
        "name": &*activity.name,
        "creationDate": seconds(activity.created_ms),
        "encryptionConfiguration": configurations::parsed(&activity.encryption),
    }))
}
