//! ListExecutions of a state machine, or of one of its versions or aliases, newest first.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{ExecutionStatus, ListCursor};

use super::describe_execution::show_started_by;
use crate::history::seconds;
use crate::page::{self, Tokens};
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_arn: Option<String>,
    status_filter: Option<String>,
    max_results: Option<f64>,
    next_token: Option<String>,
    map_run_arn: Option<String>,
    redrive_filter: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    let arn = match (input.state_machine_arn, input.map_run_arn) {
        (Some(arn), None) => arn,
        (None, Some(_)) => return Err(fault::member_not_yet_supported("ListExecutions", "mapRunArn")),
        _ => {
            let message = "Exactly one of stateMachineArn and mapRunArn must be specified";
            return Err(fault::validation(message, Some("MISSING_REQUIRED_PARAMETER")));
        }
    };
    arns::machine_without_label(&arn)?;
    let status = input.status_filter.as_deref().map(status_of).transpose()?;
    let filter =
        (input.status_filter.as_deref().unwrap_or(""), input.redrive_filter.as_deref().unwrap_or(""));
    let tokens = Tokens::new("ListExecutions", &[&arn, filter.0, filter.1], context.now_ms());
    let after = tokens.take(input.next_token.as_deref())?.map(cursor).transpose()?;
    let size = page::size(input.max_results);
    let none_redriven = filter.1 == "REDRIVEN";
    let listed = context
        .blocking(move |context| {
            let machine = context.machines().start_target(&arn, 0).map_err(|error| store_failure(&error))?;
            let Some(machine) = machine else { return Err(fault::machine_does_not_exist(&arn)) };
            if machine.revision.express {
                return Err(fault::machine_type_not_supported());
            }
            // Redriving is not there yet, so nothing was ever redriven.
            let size = if none_redriven { 0 } else { size };
            context
                .engine()
                .list_executions(&arn, status, after.as_ref(), size)
                .map_err(|error| store_failure(&error))
        })
        .await?;
    let items: Vec<Value> = listed
        .rows
        .iter()
        .map(|row| {
            let mut item = json!({
                "executionArn": &*row.info.execution_arn,
                "stateMachineArn": &*row.info.state_machine_arn,
                "name": &*row.info.name,
                "status": row.status().name(),
                "startDate": seconds(row.info.start_ms),
                "redriveCount": 0,
            });
            if let Some(outcome) = &row.outcome {
                item["stopDate"] = seconds(outcome.stop_ms);
            }
            show_started_by(row, &mut item);
            item
        })
        .collect();
    let mut answer = json!({ "executions": items });
    if let Some(next) = listed.next.filter(|_| !none_redriven) {
        answer["nextToken"] = tokens.give(&next.0).into();
    }
    Ok(answer)
}

fn cursor(position: Vec<u8>) -> Result<ListCursor, Fault> {
    position.try_into().map(ListCursor).map_err(|_| fault::invalid_token())
}

fn status_of(name: &str) -> Result<ExecutionStatus, Fault> {
    Ok(match name {
        "RUNNING" => ExecutionStatus::Running,
        "SUCCEEDED" => ExecutionStatus::Succeeded,
        "FAILED" => ExecutionStatus::Failed,
        "TIMED_OUT" => ExecutionStatus::TimedOut,
        "ABORTED" => ExecutionStatus::Aborted,
        _ => {
            let message = "PENDING_REDRIVE is a status of the executions of a Map Run; specify mapRunArn";
            return Err(fault::validation(message, None));
        }
    })
}
