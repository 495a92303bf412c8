//! ListExecutions of a state machine, of one of its versions or aliases, or of a Map Run, newest first.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{ChildStatus, ExecutionRow, ExecutionStatus, ListCursor, Listed};

use super::describe_execution::{show_map_run, show_redrives, show_started_by};
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
    let filter =
        (input.status_filter.as_deref().unwrap_or(""), input.redrive_filter.as_deref().unwrap_or(""));
    let tokens = Tokens::new("ListExecutions", &[&arn, filter.0, filter.1], context.now_ms());
    let after = tokens.take(input.next_token.as_deref())?.map(cursor).transpose()?;
    let size = page::size(input.max_results);
    let status = input.status_filter.as_deref().map(|name| status_of(name, of_map_run)).transpose()?;
    let is_redriven = input.redrive_filter.as_deref().map(|filter| filter == "REDRIVEN");
    let request = Request { arn, status, is_redriven, after, size, now_ms: context.now_ms() };
    let (items, next) = context
        .blocking(move |context| match of_map_run {
            true => of_map(context, &request),
            false => of_machine(context, &request),
        })
        .await?;
    let mut answer = json!({ "executions": items });
    if let Some(next) = next {
        answer["nextToken"] = tokens.give(&next.0).into();
    }
    Ok(answer)
}

/// A request whose arguments are checked.
struct Request {
    arn: String,
    status: Option<ChildStatus>,
    is_redriven: Option<bool>,
    after: Option<ListCursor>,
    size: usize,
    now_ms: i64,
}

type Page = (Vec<Value>, Option<ListCursor>);

impl Request {
    /// Reads the page of those that `matches`.
    fn list(
        &self,
        context: &StepFunctions,
        matches: impl Fn(&ExecutionRow) -> bool,
    ) -> Result<Listed, Fault> {
        // Those that are to be redriven are listed by how they ended.
        let status = match self.status {
            Some(ChildStatus::Of(status)) => Some(status),
            Some(ChildStatus::PendingRedrive) | None => None,
        };
        let matches = |row: &ExecutionRow| {
            self.is_redriven.is_none_or(|is_redriven| is_redriven == (row.redrives.count > 0)) && matches(row)
        };
        let engine = context.engine();
        let listed =
            engine.list_executions_matching(&self.arn, status, self.after.as_ref(), self.size, matches);
        listed.map_err(|error| store_failure(&error))
    }
}

fn of_machine(context: &StepFunctions, request: &Request) -> Result<Page, Fault> {
    check_machine(context, &request.arn)?;
    let listed = request.list(context, |_| true)?;
    Ok((listed.rows.iter().map(item).collect(), listed.next))
}

/// The children of a Map Run, with the status that they have while it is redriven.
fn of_map(context: &StepFunctions, request: &Request) -> Result<Page, Fault> {
    let run = context.engine().map_run(&request.arn).map_err(|error| store_failure(&error))?;
    let Some((run, _)) = run else { return Err(fault::resource_not_found(&request.arn)) };
    let status = |row: &ExecutionRow| ChildStatus::of(row, &run, request.now_ms);
    let listed = request.list(context, |row| request.status.is_none_or(|wanted| wanted == status(row)))?;
    let items = listed.rows.iter().map(|row| {
        let mut item = item(row);
        item["status"] = status(row).name().into();
        show_map_run(row, &mut item);
        if let Some(child_of) = &row.info.child_of {
            item["itemCount"] = child_of.items.into();
        }
        item
    });
    Ok((items.collect(), listed.next))
}

fn item(row: &ExecutionRow) -> Value {
    let mut item = json!({
        "executionArn": &*row.info.execution_arn,
        "stateMachineArn": &*row.info.state_machine_arn,
        "name": &*row.info.name,
        "status": row.status().name(),
        "startDate": seconds(row.info.start_ms),
    });
    if let Some(outcome) = &row.outcome {
        item["stopDate"] = seconds(outcome.stop_ms);
    }
    show_started_by(row, &mut item);
    show_redrives(row, &mut item);
    item
}

fn check_machine(context: &StepFunctions, arn: &str) -> Result<(), Fault> {
    let machine = context.machines().start_target(arn, 0).map_err(|error| store_failure(&error))?;
    match machine {
        None => Err(fault::machine_does_not_exist(arn)),
        Some(machine) if machine.revision.express => Err(fault::machine_type_not_supported()),
        Some(_) => Ok(()),
    }
}

fn cursor(position: Vec<u8>) -> Result<ListCursor, Fault> {
    position.try_into().map(ListCursor).map_err(|_| fault::invalid_token())
}

fn status_of(name: &str, of_map_run: bool) -> Result<ChildStatus, Fault> {
    match ExecutionStatus::from_name(name) {
        Some(status) => Ok(ChildStatus::Of(status)),
        // The model knows one more.
        None if of_map_run => Ok(ChildStatus::PendingRedrive),
        None => {
            let message = "PENDING_REDRIVE is a status of the executions of a Map Run; specify mapRunArn";
            Err(fault::validation(message, None))
        }
    }
}
