//! `stepwell stacks …`.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::args::StacksCommand;
use crate::client::{Client, ClientError};
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::table;
use crate::terminal::{Paint, Terminal};
use crate::time;
use crate::uploads::{self, Progress};

pub(super) async fn run(command: StacksCommand, terminal: &Terminal) -> CommandResult {
    match command {
        StacksCommand::List { endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let answer = client.own(Method::GET, "stacks", Bytes::new()).await?;
            if output.json {
                terminal.data(&answer["stacks"].to_string())?;
            } else {
                list(&answer["stacks"], terminal)?;
            }
            Ok(Outcome::Success)
        }
        StacksCommand::Show { name, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let path = format!("stacks/{}", legal(&name)?);
            let stack = client.own(Method::GET, &path, Bytes::new()).await?;
            if output.json {
                terminal.data(&stack.to_string())?;
            } else {
                show(&stack, terminal)?;
            }
            Ok(Outcome::Success)
        }
        StacksCommand::Delete { name, endpoint, output } => {
            let client = Client::from_args(&endpoint)?;
            let path = format!("stacks/{}", legal(&name)?);
            let begun: Result<Value, ClientError> = client.own(Method::DELETE, &path, Bytes::new()).await;
            let progress = Progress::new(terminal, output.json);
            let result = uploads::follow(&client, &begun?, &progress).await?;
            progress.end(&result)?;
            Ok(if result.is_ok() { Outcome::Success } else { Outcome::Failure })
        }
    }
}

/// A stack's name as it may stand in a path.
fn legal(name: &str) -> Result<&str, CommandError> {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        Ok(name)
    } else {
        Err(CommandError::unusable(format!("'{name}' is no name of a stack")))
    }
}

fn seconds(milliseconds: &Value) -> f64 {
    milliseconds.as_f64().unwrap_or(0.0) / 1000.0
}

fn list(stacks: &Value, terminal: &Terminal) -> std::io::Result<()> {
    let mut table = table::table(&["Name", "Status", "Created", "Resources"]);
    for stack in stacks.as_array().into_iter().flatten() {
        let text = |member: &str| stack[member].as_str().unwrap_or_default().to_owned();
        let created = time::date_and_time(seconds(&stack["createdMs"]));
        table.add_row([text("name"), text("status"), created, stack["resources"].to_string()]);
    }
    terminal.data(&table::text(&table))
}

fn show(stack: &Value, terminal: &Terminal) -> std::io::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let field = |name: &str, value: &str| {
        terminal.data(&format!("{} {value}", terminal.out(Paint::Strong, &format!("{name:<10}"))))
    };
    field("Name", &text(&stack["name"]))?;
    field("ID", &text(&stack["id"]))?;
    field("Status", &text(&stack["status"]))?;
    if stack["statusReason"].is_string() {
        field("Reason", &text(&stack["statusReason"]))?;
    }
    field("Created", &time::date_and_time(seconds(&stack["createdMs"])))?;
    let mut resources = table::table(&["Resource", "Type", "Status", "Physical id"]);
    for resource in stack["resources"].as_array().into_iter().flatten() {
        resources
            .add_row(["logical_id", "kind", "status", "physical_id"].map(|member| text(&resource[member])));
    }
    terminal.data(&format!("\n{}", table::text(&resources)))?;
    let outputs = stack["outputs"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !outputs.is_empty() {
        let mut table = table::table(&["Output", "Value"]);
        for output in outputs {
            table.add_row([text(&output["key"]), text(&output["value"])]);
        }
        terminal.data(&format!("\n{}", table::text(&table)))?;
    }
    Ok(())
}
