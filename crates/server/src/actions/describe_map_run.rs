//! DescribeMapRun: the settings and the progress of a Map Run.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{ChildrenCount, ChildrenCounts, MapRunDescription, MapRunStatus};

use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    map_run_arn: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { map_run_arn } = read_input(input)?;
    arns::map_run(&map_run_arn)?;
    context
        .blocking(move |context| {
            let described = context.engine().describe_map_run(&map_run_arn, context.now_ms());
            let described = described.map_err(|error| store_failure(&error))?;
            Ok(description(&described.ok_or_else(|| fault::resource_not_found(&map_run_arn))?))
        })
        .await
}

fn description(described: &MapRunDescription) -> Value {
    let MapRunDescription { run, execution_arn, counts: all } = described;
    let has_succeeded = run.status == MapRunStatus::Succeeded;
    let mut answer = json!({
        "mapRunArn": &*run.map_run_arn,
        "executionArn": &**execution_arn,
        "status": run.status.name(),
        "startDate": seconds(run.start_ms),
        "maxConcurrency": run.max_concurrency,
        "toleratedFailurePercentage": run.tolerated_failure_percentage.unwrap_or(0.0),
        "toleratedFailureCount": run.tolerated_failure_count.unwrap_or(0),
        "itemCounts": counts(all, has_succeeded, |count| count.items),
        "executionCounts": counts(all, has_succeeded, |count| count.executions),
        "redriveCount": run.redrive_count,
    });
    if let Some(stop_ms) = run.stop_ms {
        answer["stopDate"] = seconds(stop_ms);
    }
    if let Some(redrive_ms) = run.redrive_ms {
        answer["redriveDate"] = seconds(redrive_ms);
    }
    answer
}

fn counts(counts: &ChildrenCounts, has_succeeded: bool, of: impl Fn(ChildrenCount) -> u64) -> Value {
    // AWS counts results as written once the Map Run has succeeded, also where nothing writes them elsewhere.
    let results_written = if has_succeeded { of(counts.succeeded) } else { 0 };
    json!({
        "pending": of(counts.pending),
        "running": of(counts.running),
        "succeeded": of(counts.succeeded),
        "failed": of(counts.failed),
        "timedOut": of(counts.timed_out),
        "aborted": of(counts.aborted),
        "total": of(counts.total),
        "resultsWritten": results_written,
        "failuresNotRedrivable": of(counts.failures_not_redrivable),
        "pendingRedrive": of(counts.pending_redrive),
    })
}
