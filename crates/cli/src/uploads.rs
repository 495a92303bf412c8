//! Deploying from the command line: reads a cdk.out or a template here, sends assets and stacks to the server, and shows
//! each resource as it happens there.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use stepwell_aws::Account;
use stepwell_deploy::assembly::{self, Assembly, AssemblyStack};
use stepwell_deploy::stack::{Action, StackEvent};
use stepwell_deploy::{DeployError, DeployRequest, StackResult, Template};

use crate::client::{Client, ClientError};
use crate::outcome::CommandError;
use crate::system::Report;
use crate::terminal::{Paint, Terminal};

/// How a deployment ended.
pub(crate) type Deployed = Result<StackResult, DeployError>;

/// What of an assembly is deployed, and with which values.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Names of stacks; empty for all. For a template, the name that its stack gets.
    pub(crate) stacks: Vec<String>,
    /// Parameter values.
    pub(crate) parameters: Vec<(String, String)>,
}

/// The account that the server plays.
///
/// Errors: no server there, or another kind of server.
pub(crate) async fn account(client: &Client) -> Result<Account, CommandError> {
    let info = match client.own(Method::GET, "info", Bytes::new()).await {
        Ok(info) if info["name"] == "stepwell" => info,
        Ok(_) | Err(ClientError::Refused { .. } | ClientError::Strange { .. }) => {
            let message = format!("the server at {} is not Stepwell", client.url());
            return Err(
                CommandError::unusable(message).hint("AWS_ENDPOINT_URL or --endpoint-url name the server")
            );
        }
        Err(error) => return Err(error.into()),
    };
    let text = |member: &str| info[member].as_str().unwrap_or_default().to_owned();
    Ok(Account { partition: text("partition"), region: text("region"), id: text("account") })
}

/// Reads `path` and keeps what is selected, in the order in which stacks need each other.
///
/// Errors: it cannot be read (exit code 2); a selected stack or a parameter is not in it (exit code 2).
pub(crate) fn read(path: &Path, selection: &Selection) -> Result<Assembly, CommandError> {
    let of_template = if path.is_dir() { None } else { selection.stacks.first() };
    let mut assembly = assembly::read(path, of_template.map(String::as_str))
        .map_err(|error| CommandError::unusable(format!("cannot read {error}")))?;
    if path.is_dir() && !selection.stacks.is_empty() {
        let wanted = with_dependencies(&assembly, &selection.stacks)?;
        assembly.stacks.retain(|stack| wanted.contains(&stack.name));
    }
    give_parameters(&mut assembly, &selection.parameters)?;
    Ok(assembly)
}

fn with_dependencies(assembly: &Assembly, names: &[String]) -> Result<BTreeSet<String>, CommandError> {
    let mut wanted = BTreeSet::new();
    for name in names {
        let found = assembly.stacks.iter().find(|stack| stack.name == *name || stack.display_name == *name);
        let Some(stack) = found else {
            let known: Vec<_> = assembly.stacks.iter().map(|stack| stack.display_name.as_str()).collect();
            let error = CommandError::unusable(format!("there is no stack '{name}'"));
            return Err(error.hint(format!("the stacks are {}", known.join(", "))));
        };
        wanted.insert(stack.name.clone());
    }
    // Stacks come after those they need, so that one pass from the end finds all.
    for stack in assembly.stacks.iter().rev() {
        if wanted.contains(&stack.name) {
            wanted.extend(stack.dependencies.iter().cloned());
        }
    }
    Ok(wanted)
}

/// Gives each stack those of the values that its template has parameters for.
fn give_parameters(assembly: &mut Assembly, given: &[(String, String)]) -> Result<(), CommandError> {
    let mut declared = BTreeSet::new();
    for stack in &mut assembly.stacks {
        // What is wrong with a template is the server's to say.
        let Ok(template) = Template::parse(&stack.template) else { return Ok(()) };
        for (name, value) in given.iter().filter(|(name, _)| template.parameters.contains_key(name)) {
            stack.parameters.insert(name.clone(), value.clone());
            declared.insert(name.as_str());
        }
    }
    match given.iter().find(|(name, _)| !declared.contains(name.as_str())) {
        Some((name, _)) => Err(CommandError::unusable(format!("no template has a parameter '{name}'"))),
        None => Ok(()),
    }
}

/// Sends the assets that the server does not have yet.
///
/// Errors: the server cannot be reached, or cannot keep them.
pub(crate) async fn send_assets(
    client: &Client,
    assembly: &Assembly,
    account: &Account,
) -> Result<(), CommandError> {
    for asset in &assembly.assets {
        let (bucket, key) = asset.destination(account);
        let path = format!("assets/{bucket}/{key}");
        if client.own(Method::GET, &path, Bytes::new()).await?["exists"] != true {
            client.own(Method::PUT, &path, Bytes::from(asset.content.clone())).await?;
        }
    }
    Ok(())
}

/// Deploys one stack and follows it to its end.
///
/// Errors: the server cannot be reached or refuses; that the stack fails is an answer.
pub(crate) async fn deploy(
    client: &Client,
    stack: &AssemblyStack,
    progress: &Progress<'_>,
) -> Result<Deployed, CommandError> {
    progress.begin(&stack.name);
    let request = DeployRequest {
        stack_name: stack.name.clone(),
        template: stack.template.clone(),
        parameters: stack.parameters.clone(),
        tags: stack.tags.clone(),
        ..DeployRequest::default()
    };
    let body = serde_json::to_vec(&request).map_err(|error| CommandError::unusable(error.to_string()))?;
    let begun = client.own(Method::POST, "stacks", Bytes::from(body)).await?;
    follow(client, &begun, progress).await
}

/// Follows an operation that the server has begun.
///
/// Errors: the server cannot be reached any more.
pub(crate) async fn follow(
    client: &Client,
    begun: &Value,
    progress: &Progress<'_>,
) -> Result<Deployed, CommandError> {
    let id = begun["operation"].as_str().unwrap_or_default();
    let mut after = 0;
    loop {
        let answer = client.own(Method::GET, &format!("operations/{id}?after={after}"), Bytes::new()).await?;
        let report: Report = serde_json::from_value(answer).map_err(|error| {
            CommandError::unusable(format!("the server's answer is not understood: {error}"))
        })?;
        for event in &report.events {
            progress.event(event)?;
        }
        after = report.next;
        if let Some(end) = report.end {
            return Ok(end);
        }
    }
}

/// How a deployment is shown.
pub(crate) struct Progress<'a> {
    terminal: &'a Terminal,
    json: bool,
}

impl<'a> Progress<'a> {
    /// For people, or one JSON object per line on stdout.
    pub(crate) fn new(terminal: &'a Terminal, json: bool) -> Self {
        Progress { terminal, json }
    }

    fn begin(&self, stack: &str) {
        if !self.json {
            self.terminal.note(&self.terminal.err(Paint::Strong, &format!("Stack {stack}")));
        }
    }

    fn event(&self, event: &StackEvent) -> std::io::Result<()> {
        if self.json {
            let mut line = json!({"kind": "stackEvent"});
            line["event"] = serde_json::to_value(event).unwrap_or_default();
            return self.terminal.data(&line.to_string());
        }
        // Every resource passes IN_PROGRESS within moments; its end says all.
        if event.status.ends_with("_IN_PROGRESS") && event.reason.is_none() {
            return Ok(());
        }
        if event.kind == "AWS::CloudFormation::Stack" && event.status.ends_with("_IN_PROGRESS") {
            return Ok(());
        }
        let (mark, paint) = match event.status.as_str() {
            status if status.ends_with("_FAILED") || status.contains("ROLLBACK") => ("✘", Paint::Bad),
            status if status.ends_with("_IN_PROGRESS") => ("▸", Paint::Accent),
            "DELETE_SKIPPED" => ("-", Paint::Warn),
            _ => ("✔", Paint::Good),
        };
        let mut line = format!(
            "  {} {:<24} {:<36} {}",
            self.terminal.err(paint, mark),
            event.status.to_lowercase().replace('_', " "),
            event.kind,
            event.logical_id,
        );
        if let Some(reason) = &event.reason {
            line.push_str(&format!("\n      {}", self.terminal.err(paint, reason)));
        }
        self.terminal.note(&line);
        Ok(())
    }

    /// Shows how it ended: outputs, warnings, or what is wrong.
    pub(crate) fn end(&self, end: &Deployed) -> std::io::Result<()> {
        if self.json {
            let value = match end {
                Ok(result) => {
                    json!({"kind": "stack", "ok": true, "stack": serde_json::to_value(result).ok()})
                }
                Err(error) => json!({"kind": "stack", "ok": false, "error": error.to_string(),
                    "details": serde_json::to_value(error).ok()}),
            };
            return self.terminal.data(&value.to_string());
        }
        match end {
            Ok(result) => self.success(result),
            Err(error) => self.failure(error),
        }
        Ok(())
    }

    fn success(&self, result: &StackResult) {
        let terminal = self.terminal;
        for warning in &result.warnings {
            terminal.note(&format!("  {} {warning}", terminal.err(Paint::Warn, "warning:")));
        }
        for output in &result.outputs {
            terminal.note(&format!("  {} = {}", terminal.err(Paint::Strong, &output.key), output.value));
        }
        let what = match result.action {
            Action::Created => "created",
            Action::Updated => "updated",
            Action::Unchanged => "unchanged",
            Action::Deleted => "deleted",
        };
        let resources = match (result.action, result.resources.len()) {
            (Action::Deleted, _) => String::new(),
            (_, 1) => ", 1 resource".to_owned(),
            (_, number) => format!(", {number} resources"),
        };
        terminal.note(&format!("  {} {}{resources}", result.stack_name, terminal.err(Paint::Good, what)));
    }

    fn failure(&self, error: &DeployError) {
        let bad = |text: &str| {
            self.terminal.note(&format!("  {} {text}", self.terminal.err(Paint::Bad, "error:")));
        };
        match error {
            DeployError::Template(error) => {
                error.problems.iter().for_each(|problem| bad(&problem.to_string()))
            }
            DeployError::Failed(result) => {
                for failure in &result.failures {
                    bad(&format!("{} {}: {}", failure.kind, failure.logical_id, failure.reason));
                }
                bad(&format!("stack {} is in status {}", result.stack_name, result.status));
            }
            other => bad(&other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembly() -> Assembly {
        let stack = |name: &str, dependencies: &[&str], template: &str| AssemblyStack {
            name: name.into(),
            display_name: format!("Stage/{name}"),
            template: template.into(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            ..AssemblyStack::default()
        };
        let resources = r#""Resources": {"Q": {"Type": "AWS::SQS::Queue"}}"#;
        let with_parameter = format!(r#"{{"Parameters": {{"P": {{"Type": "String"}}}}, {resources}}}"#);
        let without = format!("{{{resources}}}");
        let stacks =
            vec![stack("A", &[], &with_parameter), stack("B", &["A"], &without), stack("C", &[], &without)];
        Assembly { stacks, assets: Vec::new() }
    }

    #[test]
    fn a_selected_stack_brings_those_it_needs() {
        let names = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            with_dependencies(&assembly(), &wanted)
                .map(|names| names.into_iter().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names(&["B"]).expect("is there"), "A B");
        assert_eq!(names(&["Stage/C"]).expect("is there"), "C");
        assert!(names(&["D"]).expect_err("is not there").to_string().contains("'D'"));
    }

    #[test]
    fn parameters_go_where_they_are_declared() {
        let mut assembly = assembly();
        give_parameters(&mut assembly, &[("P".into(), "1".into())]).expect("is declared");
        assert_eq!(assembly.stacks[0].parameters.get("P").map(String::as_str), Some("1"));
        assert!(assembly.stacks[1].parameters.is_empty());
        assert!(give_parameters(&mut assembly, &[("Q".into(), "1".into())]).is_err());
    }
}
