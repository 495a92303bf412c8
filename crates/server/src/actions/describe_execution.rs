//! DescribeExecution.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_asl::Payload;
use stepwell_aws::Fault;
use stepwell_engine::{ChildStatus, ExecutionDescription, ExecutionRow, not_redrivable_reason};

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
    let turn = context.turn_to_describe().await;
    let (answer, _turn) = context
        .blocking(move |context| {
            let execution = find(context, &execution_arn)?;
            let mut answer = description(&execution, include_data);
            show_redrive_status(context, &execution.row, &mut answer)?;
            Ok((answer, turn))
        })
        .await?;
    Ok(answer)
}

/// The execution `arn`: a Standard one, or an Express child of a Map Run. Blocks.
pub(super) fn find(context: &StepFunctions, arn: &str) -> Result<ExecutionDescription, Fault> {
    arns::described_execution(arn)?;
    let found = context.engine().describe_execution(arn).map_err(|error| store_failure(&error))?;
    found.ok_or_else(|| fault::execution_does_not_exist(arn))
}

fn description(execution: &ExecutionDescription, include_data: bool) -> Value {
    let (row, info) = (&execution.row, &execution.row.info);
    let mut answer = json!({
        "executionArn": &*info.execution_arn,
        "stateMachineArn": &*info.state_machine_arn,
        "name": &*info.name,
        "status": row.status().name(),
        "startDate": seconds(info.start_ms),
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
    show_redrives(row, &mut answer);
    answer
}

/// Puts into an answer whether an execution can be redriven. The status of a child of a Map Run that is redriven may
/// be that it waits for it.
fn show_redrive_status(context: &StepFunctions, row: &ExecutionRow, answer: &mut Value) -> Result<(), Fault> {
    let now_ms = context.now_ms();
    let is_deleted = match &row.info.child_of {
        None => context.machines().is_deleted(&row.info.state_machine_arn),
        Some(child_of) => {
            let run = context.engine().map_run(&child_of.map_run_arn);
            if let Some((run, _)) = run.map_err(|error| store_failure(&error))? {
                answer["status"] = ChildStatus::of(row, &run, now_ms).name().into();
            }
            false
        }
    };
    answer["redriveStatus"] = match not_redrivable_reason(row, is_deleted, now_ms) {
        Some(reason) => {
            answer["redriveStatusReason"] = reason.into();
            "NOT_REDRIVABLE".into()
        }
        None if row.info.child_of.is_some() => "REDRIVABLE_BY_MAP_RUN".into(),
        None => "REDRIVABLE".into(),
    };
    Ok(())
}

/// Puts how often an execution was redriven, and when last, into an answer.
pub(super) fn show_redrives(row: &ExecutionRow, answer: &mut Value) {
    answer["redriveCount"] = row.redrives.count.into();
    if let Some(redrive_ms) = row.redrives.last_ms {
        answer["redriveDate"] = seconds(redrive_ms);
    }
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
