//! DescribeExecution.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_asl::Payload;
use stepwell_aws::Fault;
use stepwell_engine::{ExecutionDescription, ExecutionRow, ExecutionStatus};

use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    execution_arn: String,
    included_data: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { execution_arn, included_data } = read_input(input)?;
    let include_data = included_data.as_deref() != Some("METADATA_ONLY");
    context.blocking(move |context| Ok(description(&find(context, &execution_arn)?, include_data))).await
}

/// The execution `arn`: a Standard one, or an Express child of a Map Run. Blocks.
pub(super) fn find(context: &StepFunctions, arn: &str) -> Result<ExecutionDescription, Fault> {
    arns::described_execution(arn)?;
    let found = context.engine().describe_execution(arn).map_err(|error| store_failure(&error))?;
    found.ok_or_else(|| fault::execution_does_not_exist(arn))
}

fn description(execution: &ExecutionDescription, include_data: bool) -> Value {
    let (row, info) = (&execution.row, &execution.row.info);
    let status = row.status();
    let mut answer = json!({
        "executionArn": &*info.execution_arn,
        "stateMachineArn": &*info.state_machine_arn,
        "name": &*info.name,
        "status": status.name(),
        "startDate": seconds(info.start_ms),
        "redriveCount": 0,
    });
    show_payload(&mut answer, "input", &execution.input, include_data);
    if let Some(outcome) = &row.outcome {
        answer["stopDate"] = seconds(outcome.stop_ms);
        for (member, text) in [("error", &outcome.error), ("cause", &outcome.cause)] {
            if let Some(text) = text {
                answer[member] = Value::from(&**text);
            }
        }
    }
    if let Some(output) = &execution.output {
        show_payload(&mut answer, "output", output, include_data);
    }
    if let Some(header) = &row.trace_header {
        answer["traceHeader"] = Value::from(&**header);
    }
    show_started_by(row, &mut answer);
    show_map_run(row, &mut answer);
    match not_redrivable_reason(status) {
        Some(reason) => {
            answer["redriveStatus"] = "NOT_REDRIVABLE".into();
            answer["redriveStatusReason"] = reason.into();
        }
        None => answer["redriveStatus"] = "REDRIVABLE".into(),
    }
    answer
}

/// Puts the version and the alias by which an execution was started into an answer.
pub(super) fn show_started_by(row: &ExecutionRow, answer: &mut Value) {
    for (member, arn) in [
        ("stateMachineVersionArn", &row.state_machine_version_arn),
        ("stateMachineAliasArn", &row.state_machine_alias_arn),
    ] {
        if let Some(arn) = arn {
            answer[member] = Value::from(&**arn);
        }
    }
}

/// Puts the Map Run whose child an execution is into an answer.
pub(super) fn show_map_run(row: &ExecutionRow, answer: &mut Value) {
    if let Some(child_of) = &row.info.child_of {
        answer["mapRunArn"] = Value::from(&*child_of.map_run_arn);
    }
}

/// Puts a payload into an answer, or that it is left out.
pub(super) fn show_payload(answer: &mut Value, member: &str, payload: &Payload, include: bool) {
    if include {
        answer[member] = Value::from(&**payload.text());
    }
    answer[format!("{member}Details")] = json!({ "included": include });
}

fn not_redrivable_reason(status: ExecutionStatus) -> Option<&'static str> {
    match status {
        ExecutionStatus::Running => Some("Execution is RUNNING and cannot be redriven"),
        ExecutionStatus::Succeeded => Some("Execution is SUCCEEDED and cannot be redriven"),
        ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => None,
    }
}
