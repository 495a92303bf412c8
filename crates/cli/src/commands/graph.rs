//! `stepwell graph`: a definition as a picture, with what an execution did in it.

use std::collections::BTreeMap;

use serde_json::json;
use stepwell_asl::MachineType;
use stepwell_graph::{Graph, StateStatus, SvgOptions};

use crate::args::{GraphArgs, GraphFormat};
use crate::client::Client;
use crate::commands::validate;
use crate::history::{Progress, Visits};
use crate::live::Watch;
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::terminal::Terminal;

pub(super) async fn run(args: GraphArgs, terminal: &Terminal) -> CommandResult {
    let executed = match &args.execution {
        Some(arn) => Some(executed(&Client::from_args(&args.endpoint)?, arn).await?),
        None => None,
    };
    let (title, text) = match (&args.file, &executed) {
        (Some(path), _) => {
            let checked = validate::definitions(path).await?;
            let one = select(checked, args.state_machine.as_deref())?;
            (one.title.clone(), one.text.clone())
        }
        (None, Some(executed)) => (executed.machine.clone(), executed.definition.clone()),
        (None, None) => return Err(CommandError::unusable("name a file or an execution")),
    };
    let program = stepwell_asl::compile_as(&text, MachineType::Standard).map_err(|diagnostics| {
        let file = args.file.as_ref().map_or_else(String::new, |path| format!(" {}", path.display()));
        CommandError::failed(diagnostics.to_string())
            .hint(format!("'stepwell validate{file}' shows every problem"))
    })?;
    let graph = Graph::from_program(&program);
    let picture = match args.format {
        GraphFormat::Mermaid => {
            if executed.is_some() {
                terminal.note("note: Mermaid shows no execution; --format svg does");
            }
            graph.to_mermaid()
        }
        GraphFormat::Svg => graph.to_svg(&SvgOptions {
            title: Some(title),
            statuses: executed.map(|executed| statuses(&executed.visits)).unwrap_or_default(),
            ..SvgOptions::default()
        }),
    };
    match args.output {
        Some(path) => std::fs::write(&path, picture)
            .map_err(|error| CommandError::unusable(format!("cannot write {}: {error}", path.display())))?,
        None => terminal.data(picture.trim_end())?,
    }
    Ok(Outcome::Success)
}

fn select(
    mut definitions: Vec<validate::Checked>,
    wanted: Option<&str>,
) -> Result<validate::Checked, CommandError> {
    if let Some(wanted) = wanted {
        definitions.retain(|definition| definition.is_called(wanted));
    }
    match definitions.len() {
        1 => Ok(definitions.remove(0)),
        0 => Err(CommandError::failed("there is no such state machine in it")),
        _ => {
            let names: Vec<_> = definitions.iter().map(|definition| definition.title.clone()).collect();
            let error = CommandError::unusable(format!(
                "it has {} state machines: {}",
                names.len(),
                names.join(", ")
            ));
            Err(error.hint("choose one with --state-machine"))
        }
    }
}

/// What an execution did, and the definition it runs.
struct Executed {
    machine: String,
    definition: String,
    visits: Visits,
}

async fn executed(client: &Client, arn: &str) -> Result<Executed, CommandError> {
    let machine = client.states("DescribeStateMachineForExecution", json!({"executionArn": arn})).await?;
    let mut watch = Watch::new(client, arn);
    let mut visits = Visits::default();
    for event in watch.news().await? {
        visits.take(&event);
    }
    let text = |member: &str| machine[member].as_str().unwrap_or_default().to_owned();
    Ok(Executed { machine: text("name"), definition: text("definition"), visits })
}

/// The last visit of a state says how it stands.
fn statuses(visits: &Visits) -> BTreeMap<String, StateStatus> {
    let status = |progress: Progress| match progress {
        Progress::Running => StateStatus::InProgress,
        Progress::Succeeded => StateStatus::Succeeded,
        Progress::Caught => StateStatus::CaughtError,
        Progress::Failed => StateStatus::Failed,
    };
    visits.rows().iter().map(|visit| (visit.name.clone(), status(visit.progress))).collect()
}
