//! `stepwell machines …`, and finding a state machine by its name.

use serde_json::{Value, json};

use crate::args::MachinesCommand;
use crate::client::Client;
use crate::definition::pretty;
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::table;
use crate::terminal::{Paint, Terminal};
use crate::time;

pub(super) async fn run(command: MachinesCommand, terminal: &Terminal) -> CommandResult {
    match command {
        MachinesCommand::List { endpoint, output } => {
            let machines = all(&Client::from_args(&endpoint)?).await?;
            list(&machines, output.json, terminal)
        }
        MachinesCommand::Show { state_machine, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let arn = arn(&client, &state_machine).await?;
            let machine = client.states("DescribeStateMachine", json!({"stateMachineArn": arn})).await?;
            if output.json {
                terminal.data(&machine.to_string())?;
            } else {
                show(&machine, terminal)?;
            }
            Ok(Outcome::Success)
        }
    }
}

fn list(machines: &[Value], json: bool, terminal: &Terminal) -> CommandResult {
    if json {
        terminal.data(&Value::from(machines.to_vec()).to_string())?;
        return Ok(Outcome::Success);
    }
    let mut table = table::table(&["Name", "Type", "Created", "ARN"]);
    for machine in machines {
        let text = |member: &str| machine[member].as_str().unwrap_or_default().to_owned();
        let created = time::date_and_time(machine["creationDate"].as_f64().unwrap_or(0.0));
        table.add_row([text("name"), text("type"), created, text("stateMachineArn")]);
    }
    terminal.data(&table::text(&table))?;
    Ok(Outcome::Success)
}

fn show(machine: &Value, terminal: &Terminal) -> std::io::Result<()> {
    let text = |member: &str| machine[member].as_str().unwrap_or_default();
    let field = |name: &str, value: &str| {
        terminal.data(&format!("{} {value}", terminal.out(Paint::Strong, &format!("{name:<10}"))))
    };
    field("Name", text("name"))?;
    field("ARN", text("stateMachineArn"))?;
    field("Type", text("type"))?;
    field("Status", text("status"))?;
    field("Created", &time::date_and_time(machine["creationDate"].as_f64().unwrap_or(0.0)))?;
    field("Role", text("roleArn"))?;
    let definition = text("definition");
    let parsed = serde_json::from_str::<Value>(definition);
    terminal.data(&parsed.map_or_else(|_| definition.to_owned(), |definition| pretty(&definition)))
}

/// All state machines of the server.
pub(super) async fn all(client: &Client) -> Result<Vec<Value>, CommandError> {
    let mut machines = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut request = json!({"maxResults": 1000});
        if let Some(token) = &token {
            request["nextToken"] = json!(token);
        }
        let mut page = client.states("ListStateMachines", request).await?;
        machines.append(page["stateMachines"].as_array_mut().unwrap_or(&mut Vec::new()));
        token = page["nextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            return Ok(machines);
        }
    }
}

/// The ARN of the state machine with this name; what begins as an ARN is taken for one.
///
/// Errors: there is none of that name; exit code 1.
pub(super) async fn arn(client: &Client, name_or_arn: &str) -> Result<String, CommandError> {
    if name_or_arn.starts_with("arn:") {
        return Ok(name_or_arn.to_owned());
    }
    let machines = all(client).await?;
    let found = machines.iter().find(|machine| machine["name"] == name_or_arn);
    match found.and_then(|machine| machine["stateMachineArn"].as_str()) {
        Some(arn) => Ok(arn.to_owned()),
        None => {
            let error = CommandError::failed(format!("there is no state machine named '{name_or_arn}'"));
            Err(error.hint("'stepwell machines list' shows those there are"))
        }
    }
}
