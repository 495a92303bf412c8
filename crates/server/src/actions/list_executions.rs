//! ListExecutions of a state machine, of one of its versions or aliases, or of a Map Run, newest first.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{ExecutionStatus, ListCursor};

use super::describe_execution::{show_map_run, show_started_by};
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
    let (arn, of_map_run) = match (input.state_machine_arn, input.map_run_arn) {
        (Some(arn), None) => (arn, false),
        (None, Some(arn)) => (arn, true),
        _ => {
            let message = "Exactly one of stateMachineArn and mapRunArn must be specified";
            return Err(fault::validation(message, Some("MISSING_REQUIRED_PARAMETER")));
        }
    };
    if of_map_run {
        arns::map_run(&arn)?;
    } else {
        arns::machine_without_label(&arn)?;
    }
    // Nothing is redriven yet, so nothing waits for it.
    let none_pending = of_map_run && input.status_filter.as_deref() == Some("PENDING_REDRIVE");
    let status = match input.status_filter.as_deref() {
        Some(name) if !none_pending => Some(status_of(name)?),
        _ => None,
    };
    let filter =
        (input.status_filter.as_deref().unwrap_or(""), input.redrive_filter.as_deref().unwrap_or(""));
    let tokens = Tokens::new("ListExecutions", &[&arn, filter.0, filter.1], context.now_ms());
    let after = tokens.take(input.next_token.as_deref())?.map(cursor).transpose()?;
    let size = page::size(input.max_results);
    let is_empty = filter.1 == "REDRIVEN" || none_pending;
    let listed = context
        .blocking(move |context| {
            if of_map_run { check_map_run(context, &arn) } else { check_machine(context, &arn) }?;
            let size = if is_empty { 0 } else { size };
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
            show_map_run(row, &mut item);
            item
        })
        .collect();
    let mut answer = json!({ "executions": items });
    if let Some(next) = listed.next.filter(|_| !is_empty) {
        answer["nextToken"] = tokens.give(&next.0).into();
    }
    Ok(answer)
}

fn check_machine(context: &StepFunctions, arn: &str) -> Result<(), Fault> {
    let machine = context.machines().start_target(arn, 0).map_err(|error| store_failure(&error))?;
    match machine {
        None => Err(fault::machine_does_not_exist(arn)),
        Some(machine) if machine.revision.express => Err(fault::machine_type_not_supported()),
        Some(_) => Ok(()),
    }
}

/// A Map Run is known by its children; one that never had any is not found.
fn check_map_run(context: &StepFunctions, arn: &str) -> Result<(), Fault> {
    let listed = context.engine().list_executions(arn, None, None, 1);
    match listed.map_err(|error| store_failure(&error))?.rows.is_empty() {
        true => Err(fault::resource_not_found(arn)),
        false => Ok(()),
    }
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
