//! `stepwell executions …`.

use serde_json::{Value, json};

use crate::args::{ExecutionsCommand, Status};
use crate::client::Client;
use crate::commands::machines;
use crate::definition::{self, pretty};
use crate::history::details;
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::table;
use crate::terminal::{Paint, Terminal};
use crate::time;

pub(super) async fn run(command: ExecutionsCommand, terminal: &Terminal) -> CommandResult {
    match command {
        ExecutionsCommand::List { state_machine, status, limit, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let executions = list(&client, state_machine.as_deref(), status, limit).await?;
            if output.json {
                terminal.data(&Value::from(executions).to_string())?;
            } else {
                print_list(&executions, terminal)?;
            }
            Ok(Outcome::Success)
        }
        ExecutionsCommand::Show { execution, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let described = client.states("DescribeExecution", json!({"executionArn": execution})).await?;
            if output.json {
                terminal.data(&described.to_string())?;
            } else {
                print_execution(&described, terminal)?;
            }
            Ok(Outcome::Success)
        }
        ExecutionsCommand::History { execution, reverse, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            history(&client, &execution, reverse, output.json, terminal).await
        }
        ExecutionsCommand::Start { state_machine, input, input_file, name, wait, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let input = definition::input(input, input_file)?;
            let arn = machines::arn(&client, &state_machine).await?;
            let mut request = json!({"stateMachineArn": arn, "input": input});
            if let Some(name) = name {
                request["name"] = json!(name);
            }
            let started = client.states("StartExecution", request).await?;
            if wait {
                let arn = started["executionArn"].as_str().unwrap_or_default();
                return super::run::follow_one(&client, arn, output.json, terminal).await;
            }
            print_answer(&started, "executionArn", output.json, terminal)
        }
        ExecutionsCommand::Stop { execution, error, cause, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let mut request = json!({"executionArn": execution});
            for (member, value) in [("error", error), ("cause", cause)] {
                if let Some(value) = value {
                    request[member] = json!(value);
                }
            }
            let stopped = client.states("StopExecution", request).await?;
            if output.json {
                terminal.data(&stopped.to_string())?;
            } else {
                terminal.note(&format!("stopped {execution}"));
            }
            Ok(Outcome::Success)
        }
        ExecutionsCommand::Redrive { execution, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let redriven = client.states("RedriveExecution", json!({"executionArn": execution})).await?;
            if output.json {
                terminal.data(&redriven.to_string())?;
            } else {
                terminal.note(&format!("redriven {execution}"));
            }
            Ok(Outcome::Success)
        }
    }
}

fn print_answer(answer: &Value, member: &str, json: bool, terminal: &Terminal) -> CommandResult {
    if json {
        terminal.data(&answer.to_string())?;
    } else {
        terminal.data(answer[member].as_str().unwrap_or_default())?;
    }
    Ok(Outcome::Success)
}

/// Executions of one state machine, or of all, newest first.
async fn list(
    client: &Client,
    state_machine: Option<&str>,
    status: Option<Status>,
    limit: usize,
) -> Result<Vec<Value>, CommandError> {
    let arns = match state_machine {
        Some(machine) => vec![machines::arn(client, machine).await?],
        None => {
            let all = machines::all(client).await?;
            all.iter().filter_map(|machine| machine["stateMachineArn"].as_str().map(str::to_owned)).collect()
        }
    };
    let mut executions = Vec::new();
    for arn in arns {
        executions.extend(list_of(client, &arn, status, limit).await?);
    }
    let started = |execution: &Value| execution["startDate"].as_f64().unwrap_or(0.0);
    executions.sort_by(|a, b| started(b).total_cmp(&started(a)));
    Ok(executions)
}

async fn list_of(
    client: &Client,
    state_machine_arn: &str,
    status: Option<Status>,
    limit: usize,
) -> Result<Vec<Value>, CommandError> {
    let mut executions: Vec<Value> = Vec::new();
    let mut token: Option<String> = None;
    while executions.len() < limit {
        let mut request =
            json!({"stateMachineArn": state_machine_arn, "maxResults": (limit - executions.len()).min(1000)});
        if let Some(status) = status {
            request["statusFilter"] = json!(status.name());
        }
        if let Some(token) = &token {
            request["nextToken"] = json!(token);
        }
        let answer = client.states("ListExecutions", request).await;
        // Express executions have no list.
        if answer.as_ref().is_err_and(|error| error.is("StateMachineTypeNotSupported")) {
            break;
        }
        let mut page = answer?;
        executions.append(page["executions"].as_array_mut().unwrap_or(&mut Vec::new()));
        token = page["nextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    Ok(executions)
}

fn print_list(executions: &[Value], terminal: &Terminal) -> std::io::Result<()> {
    let mut table = table::table(&["Status", "Started", "Took", "ARN"]);
    for execution in executions {
        let text = |member: &str| execution[member].as_str().unwrap_or_default().to_owned();
        let started = execution["startDate"].as_f64().unwrap_or(0.0);
        let stopped = execution["stopDate"].as_f64();
        let took = stopped.map_or_else(|| "-".to_owned(), |stopped| time::length(stopped - started));
        table.add_row([text("status"), time::date_and_time(started), took, text("executionArn")]);
    }
    terminal.data(&table::text(&table))
}

fn print_execution(execution: &Value, terminal: &Terminal) -> std::io::Result<()> {
    let text = |member: &str| execution[member].as_str().unwrap_or_default();
    let field = |name: &str, value: &str| {
        terminal.data(&format!("{} {value}", terminal.out(Paint::Strong, &format!("{name:<10}"))))
    };
    let status = text("status");
    let paint = match status {
        "SUCCEEDED" => Paint::Good,
        "RUNNING" => Paint::Accent,
        _ => Paint::Bad,
    };
    field("ARN", text("executionArn"))?;
    field("Machine", text("stateMachineArn"))?;
    field("Status", &terminal.out(paint, status))?;
    let started = execution["startDate"].as_f64().unwrap_or(0.0);
    field("Started", &time::date_and_time(started))?;
    if let Some(redriven) = execution["redriveDate"].as_f64() {
        let count = execution["redriveCount"].as_u64().unwrap_or_default();
        field("Redriven", &format!("{} (redrive {count})", time::date_and_time(redriven)))?;
    }
    if let Some(stopped) = execution["stopDate"].as_f64() {
        field("Stopped", &format!("{} ({})", time::date_and_time(stopped), time::length(stopped - started)))?;
    }
    for (name, member) in [("Error", "error"), ("Cause", "cause")] {
        if !text(member).is_empty() {
            field(name, text(member))?;
        }
    }
    for (name, member) in [("Input", "input"), ("Output", "output")] {
        if let Some(document) = execution[member].as_str() {
            let parsed = serde_json::from_str::<Value>(document);
            field(name, &parsed.map_or_else(|_| document.to_owned(), |document| pretty(&document)))?;
        }
    }
    Ok(())
}

async fn history(
    client: &Client,
    execution: &str,
    reverse: bool,
    json: bool,
    terminal: &Terminal,
) -> CommandResult {
    let mut table = table::table(&["Id", "Prev", "Time", "Type", "State", "Details"]);
    let mut events: Vec<Value> = Vec::new();
    let mut state_of: std::collections::BTreeMap<u64, String> = std::collections::BTreeMap::new();
    let mut token: Option<String> = None;
    loop {
        let mut request = json!({"executionArn": execution, "maxResults": 1000, "reverseOrder": reverse});
        if let Some(token) = &token {
            request["nextToken"] = json!(token);
        }
        let mut page = client.states("GetExecutionHistory", request).await?;
        events.append(page["events"].as_array_mut().unwrap_or(&mut Vec::new()));
        token = page["nextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    if json {
        terminal.data(&json!({"events": events}).to_string())?;
        return Ok(Outcome::Success);
    }
    let mut in_order: Vec<&Value> = events.iter().collect();
    in_order.sort_by_key(|event| event["id"].as_u64());
    for event in in_order {
        remember_state(event, &mut state_of);
    }
    for event in &events {
        let id = event["id"].as_u64().unwrap_or(0);
        table.add_row([
            id.to_string(),
            event["previousEventId"].as_u64().unwrap_or(0).to_string(),
            time::date_and_time(event["timestamp"].as_f64().unwrap_or(0.0)),
            event["type"].as_str().unwrap_or_default().to_owned(),
            state_of.get(&id).cloned().unwrap_or_default(),
            brief(event),
        ]);
    }
    terminal.data(&table::text(&table))?;
    Ok(Outcome::Success)
}

/// The state an event belongs to: its own, else that of the event before it in the chain.
fn remember_state(event: &Value, state_of: &mut std::collections::BTreeMap<u64, String>) {
    let id = event["id"].as_u64().unwrap_or(0);
    let kind = event["type"].as_str().unwrap_or_default();
    if kind.starts_with("Execution") {
        return;
    }
    let named = details(event).and_then(|details| details["name"].as_str()).map(str::to_owned);
    let named = named.filter(|_| kind.ends_with("StateEntered") || kind.ends_with("StateExited"));
    let state = named.or_else(|| state_of.get(&event["previousEventId"].as_u64()?).cloned());
    if let Some(state) = state {
        state_of.insert(id, state);
    }
}

/// What an event's details say in a few words.
fn brief(event: &Value) -> String {
    const WIDTH: usize = 60;
    let Some(details) = details(event) else { return String::new() };
    let text = |member: &str| details[member].as_str();
    let mut brief = match (text("error"), text("resourceType"), text("resource")) {
        (Some(error), ..) => error.to_owned(),
        (None, Some(kind), Some(resource)) => format!("{kind}:{resource}"),
        (None, None, Some(resource)) => resource.to_owned(),
        _ => text("output").or_else(|| text("input")).unwrap_or_default().to_owned(),
    };
    brief.retain(|c| !c.is_control());
    if brief.chars().count() > WIDTH {
        brief = brief.chars().take(WIDTH - 1).chain(['…']).collect();
    }
    brief
}
