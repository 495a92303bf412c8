//! UpdateMapRun: concurrency and failure thresholds of a Map Run that runs.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{MapRunSettings, UpdateMapRunError};

use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    map_run_arn: String,
    max_concurrency: Option<f64>,
    tolerated_failure_percentage: Option<f64>,
    tolerated_failure_count: Option<f64>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    arns::map_run(&input.map_run_arn)?;
    // The model has checked that they are whole numbers from 0 on; more than there can be children is no limit.
    let count = |n: f64| n as u32;
    let settings = MapRunSettings {
        max_concurrency: input.max_concurrency.map(count),
        tolerated_failure_count: input.tolerated_failure_count.map(count),
        tolerated_failure_percentage: input.tolerated_failure_percentage,
    };
    let updated = context.engine().update_map_run(&input.map_run_arn, settings).await;
    updated.map_err(|error| match error {
        UpdateMapRunError::DoesNotExist => fault::resource_not_found(&input.map_run_arn),
        UpdateMapRunError::Completed => fault::validation(
            format!("The Map Run cannot be updated because it has completed: '{}'", input.map_run_arn),
            Some("CANNOT_UPDATE_COMPLETED_MAP_RUN"),
        ),
        UpdateMapRunError::Throttled => fault::throttled(),
        UpdateMapRunError::Stopping => fault::stopping(),
        error @ (UpdateMapRunError::Commit(_) | UpdateMapRunError::Read(_)) => store_failure(&error),
    })?;
    Ok(json!({}))
}
