//! `stepwell run`: definitions, templates and assemblies to the end of their executions, every state shown.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stepwell_deploy::assembly::Assembly;

use super::serve::{Signals, options, start_log};
use crate::args::{LogFormat, RunArgs};
use crate::client::{Client, explicit_endpoint};
use crate::definition::{self, Definition, Source, pretty};
use crate::history::Ending;
use crate::live::{View, Watch};
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::system::System;
use crate::terminal::{Paint, Terminal};
use crate::time;
use crate::uploads::{self, Progress, Selection};

/// The only state machine type whose executions have a history to follow.
const STANDARD: &str = "STANDARD";

pub(super) async fn run(args: RunArgs, terminal: &Terminal) -> CommandResult {
    start_log(&args.log, LogFormat::Text, terminal.stderr_colours())?;
    let work = Work::read(&args)?;
    let mut signals = Signals::new()?;
    let host = Host::choose(&args).await?;
    let result = tokio::select! {
        result = work.carry_out(&host.client, terminal) => result,
        () = signals.next() => Ok(Outcome::Interrupted),
    };
    if matches!(result, Ok(Outcome::Interrupted)) {
        terminal.note(match host.system {
            Some(_) => "interrupted",
            None => "interrupted; what runs on the server goes on there",
        });
    }
    host.close().await;
    result
}

/// Follows an execution that was started and prints its end.
pub(super) async fn follow_one(client: &Client, arn: &str, json: bool, terminal: &Terminal) -> CommandResult {
    let shown = Shown { client, terminal, json, deadline: None };
    let end = shown.follow(arn).await?;
    if json {
        terminal.data(
            &json!({"kind": "result", "ok": end.succeeded(), "executions": [end.as_json()]}).to_string(),
        )?;
    }
    Ok(if end.succeeded() { Outcome::Success } else { Outcome::Failure })
}

/// The server that everything runs on.
struct Host {
    client: Client,
    /// Where it is inside this process.
    system: Option<System>,
    /// Removed when dropped.
    _scratch: Option<tempfile::TempDir>,
}

impl Host {
    /// The server that was named, else one inside this process.
    async fn choose(args: &RunArgs) -> Result<Host, CommandError> {
        let named =
            if args.data_dir.is_some() { None } else { explicit_endpoint(args.endpoint_url.as_deref()) };
        if let Some(url) = named {
            return Ok(Host {
                client: Client::new(&url, args.ca_bundle.as_deref())?,
                system: None,
                _scratch: None,
            });
        }
        let (data_dir, scratch) = match &args.data_dir {
            Some(data_dir) => (data_dir.clone(), None),
            None => {
                let scratch = tempfile::Builder::new().prefix("stepwell-run-").tempdir();
                let scratch = scratch.map_err(|error| {
                    CommandError::unusable(format!("a temporary directory cannot be made: {error}"))
                })?;
                (scratch.path().to_owned(), Some(scratch))
            }
        };
        let mut options = options(&args.system, data_dir);
        // What runs when the command ends was not waited for, or was interrupted.
        options.drain_timeout = std::time::Duration::ZERO;
        let system = System::start(options).await?;
        let client = Client::new(&system.url(), None)?;
        Ok(Host { client, system: Some(system), _scratch: scratch })
    }

    async fn close(self) {
        if let Some(system) = self.system {
            system.shutdown().await;
        }
    }
}

/// One of the paths, read.
enum Item {
    Definition { name: String, definition: Definition },
    Stacks(Assembly),
}

/// Everything that is to be run.
struct Work {
    items: Vec<Item>,
    input: String,
    only: Vec<String>,
    name: Option<String>,
    deadline: Option<Instant>,
    json: bool,
}

/// A state machine on the server.
struct Machine {
    arn: String,
    name: String,
    /// Its name in the template.
    logical_id: Option<String>,
}

impl Machine {
    fn is_called(&self, wanted: &str) -> bool {
        self.name == wanted || self.arn == wanted || self.logical_id.as_deref() == Some(wanted)
    }
}

impl Work {
    /// Reads all files before anything is started, so that a mistyped path costs nothing.
    fn read(args: &RunArgs) -> Result<Work, CommandError> {
        let input = definition::input(args.input.clone(), args.input_file.clone())?;
        let mut items = Vec::new();
        for path in &args.path {
            items.push(match definition::read(path)? {
                Source::Definition(definition) => {
                    Item::Definition { name: definition::machine_name(path), definition }
                }
                Source::Template(_) | Source::Assembly => Item::Stacks(read_stacks(path, args)?),
            });
        }
        Ok(Work {
            items,
            input,
            only: args.state_machine.clone(),
            name: args.name.clone(),
            deadline: args.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
            json: args.json,
        })
    }

    /// Each path in turn: what is in it is made to exist, then its state machines are executed.
    async fn carry_out(&self, client: &Client, terminal: &Terminal) -> CommandResult {
        let mut ends = Vec::new();
        let mut names = Vec::new();
        let mut ok = true;
        for item in &self.items {
            let machines = match item {
                Item::Definition { name, definition } => vec![put_machine(client, name, definition).await?],
                Item::Stacks(assembly) => match self.deploy(client, assembly, terminal).await? {
                    Some(machines) => machines,
                    None => {
                        ok = false;
                        break;
                    }
                },
            };
            for machine in machines {
                if self.only.is_empty() || self.only.iter().any(|name| machine.is_called(name)) {
                    ends.push(self.execute(client, &machine, terminal).await?);
                }
                names.push(machine);
            }
        }
        if ok {
            self.check_names(&names)?;
        }
        ok &= ends.iter().all(End::succeeded);
        if self.json {
            let executions: Vec<Value> = ends.iter().map(End::as_json).collect();
            terminal.data(&json!({"kind": "result", "ok": ok, "executions": executions}).to_string())?;
        } else if ends.len() > 1 {
            summarize(&ends, terminal);
        }
        Ok(if ok { Outcome::Success } else { Outcome::Failure })
    }

    /// That there is something to run, and everything that was asked for.
    fn check_names(&self, machines: &[Machine]) -> Result<(), CommandError> {
        if machines.is_empty() {
            return Err(CommandError::unusable("there is no state machine in it"));
        }
        match self.only.iter().find(|name| !machines.iter().any(|machine| machine.is_called(name))) {
            None => Ok(()),
            Some(unknown) => {
                let known: Vec<_> = machines.iter().map(|machine| machine.name.as_str()).collect();
                let error = CommandError::unusable(format!("there is no state machine '{unknown}' in it"));
                Err(error.hint(format!("there are {}", known.join(", "))))
            }
        }
    }

    /// The state machines of all stacks; `None` where one failed, which has been said.
    async fn deploy(
        &self,
        client: &Client,
        assembly: &Assembly,
        terminal: &Terminal,
    ) -> Result<Option<Vec<Machine>>, CommandError> {
        let account = uploads::account(client).await?;
        uploads::send_assets(client, assembly, &account).await?;
        let progress = Progress::new(terminal, self.json);
        let mut machines = Vec::new();
        for stack in &assembly.stacks {
            let end = uploads::deploy(client, stack, &progress).await?;
            progress.end(&end)?;
            let Ok(result) = end else { return Ok(None) };
            let of_stack = result
                .resources
                .iter()
                .filter(|resource| resource.kind == "AWS::StepFunctions::StateMachine");
            machines.extend(of_stack.map(|resource| Machine {
                name: resource.physical_id.rsplit(':').next().unwrap_or_default().to_owned(),
                arn: resource.physical_id.clone(),
                logical_id: Some(resource.logical_id.clone()),
            }));
        }
        Ok(Some(machines))
    }

    async fn execute(
        &self,
        client: &Client,
        machine: &Machine,
        terminal: &Terminal,
    ) -> Result<End, CommandError> {
        let described =
            client.states("DescribeStateMachine", json!({"stateMachineArn": machine.arn})).await?;
        if described["type"].as_str().is_some_and(|kind| kind != STANDARD) {
            let message =
                format!("'{}' is an Express state machine; its executions cannot be shown yet", machine.name);
            return Err(CommandError::unusable(message));
        }
        let mut request = json!({"stateMachineArn": machine.arn, "input": self.input});
        if let Some(name) = &self.name {
            request["name"] = json!(name);
        }
        let started = client.states("StartExecution", request).await?;
        let arn = started["executionArn"].as_str().unwrap_or_default();
        if self.json {
            let line = json!({"kind": "execution", "executionArn": arn, "stateMachineArn": machine.arn});
            terminal.data(&line.to_string())?;
        } else {
            let execution = arn.rsplit(':').next().unwrap_or_default();
            let heading = terminal.err(Paint::Strong, &format!("Execution of {}", machine.name));
            terminal.note(&format!("{heading} {}", terminal.err(Paint::Dim, execution)));
        }
        Shown { client, terminal, json: self.json, deadline: self.deadline }.follow(arn).await
    }
}

fn read_stacks(path: &Path, args: &RunArgs) -> Result<Assembly, CommandError> {
    uploads::read(path, &Selection { stacks: Vec::new(), parameters: args.parameter.clone() })
}

/// Creates the state machine, or brings one of that name to this definition.
async fn put_machine(client: &Client, name: &str, definition: &Definition) -> Result<Machine, CommandError> {
    let account = uploads::account(client).await?;
    let arn = account.arn("states", &format!("stateMachine:{name}"));
    // Recorded, not enforced; the API wants one.
    let role = format!("arn:{}:iam::{}:role/stepwell-run", account.partition, account.id);
    let existing = client.states("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    let put = match existing {
        Ok(existing) if existing["definition"] == definition.text.as_str() => return Ok(machine(arn, name)),
        Ok(_) => {
            let request = json!({"stateMachineArn": arn, "definition": definition.text});
            client.states("UpdateStateMachine", request).await
        }
        Err(error) if error.is("StateMachineDoesNotExist") => {
            let request = json!({"name": name, "definition": definition.text, "roleArn": role});
            client.states("CreateStateMachine", request).await
        }
        Err(error) => Err(error),
    };
    put.map_err(|error| {
        let invalid = error.is("InvalidDefinition");
        let error = CommandError::from(error);
        if invalid { error.hint("'stepwell validate' shows every problem with its place") } else { error }
    })?;
    Ok(machine(arn, name))
}

fn machine(arn: String, name: &str) -> Machine {
    Machine { arn, name: name.to_owned(), logical_id: None }
}

/// One line per execution, after several.
fn summarize(ends: &[End], terminal: &Terminal) {
    const OUTPUT_CHARS: usize = 60;
    terminal.note(&terminal.err(Paint::Strong, "Summary"));
    for end in ends {
        let machine = end.arn.split(':').nth(6).unwrap_or_default();
        let ending = end.ending.as_ref();
        let status = ending.map_or("ABORTED", |ending| ending.status);
        let told = ending.and_then(|ending| ending.output.as_ref().or(ending.error.as_ref()));
        let mut told: String = told.map_or_else(String::new, |text| text.replace(char::is_control, " "));
        if told.chars().count() > OUTPUT_CHARS {
            told = told.chars().take(OUTPUT_CHARS - 1).chain(['…']).collect();
        }
        let paint = if end.succeeded() { Paint::Good } else { Paint::Bad };
        let status = terminal.err(paint, &format!("{status:<10}"));
        terminal.note(&format!(
            "  {status} {:>4} events {:>10}  {machine}  {told}",
            end.events,
            time::length(end.took)
        ));
    }
}

/// How an execution ended.
struct End {
    arn: String,
    /// Events in its history.
    events: u64,
    /// Seconds.
    took: f64,
    /// `None`: it ran out of the time that the command line gave it.
    ending: Option<Ending>,
}

impl End {
    fn succeeded(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.status == "SUCCEEDED")
    }

    fn as_json(&self) -> Value {
        let mut value = json!({"executionArn": self.arn});
        let Some(ending) = &self.ending else {
            value["status"] = json!("ABORTED");
            value["error"] = json!("the time given by --timeout is over");
            return value;
        };
        value["status"] = json!(ending.status);
        if let Some(output) = &ending.output {
            value["output"] = serde_json::from_str(output).unwrap_or_else(|_| json!(output));
        }
        for (member, text) in [("error", &ending.error), ("cause", &ending.cause)] {
            if let Some(text) = text {
                value[member] = json!(text);
            }
        }
        value
    }
}

/// Shows executions.
struct Shown<'a> {
    client: &'a Client,
    terminal: &'a Terminal,
    json: bool,
    deadline: Option<Instant>,
}

impl Shown<'_> {
    async fn follow(&self, arn: &str) -> Result<End, CommandError> {
        let mut watch = Watch::new(self.client, arn);
        let mut view = View::new(self.terminal, self.json);
        let each = |event: &Value| {
            if !self.json {
                return Ok(());
            }
            self.terminal.data(&json!({"kind": "event", "executionArn": arn, "event": event}).to_string())
        };
        let ending = watch.show(&mut view, self.deadline, each).await?;
        match &ending {
            Some(ending) => self.tell(&watch, ending)?,
            None => {
                let stop = json!({"executionArn": arn, "error": "Stepwell.RunTimeout",
                    "cause": "stepwell run was given a time and it is over"});
                self.client.states("StopExecution", stop).await?;
                if !self.json {
                    self.terminal
                        .note(&format!("  {}", self.terminal.err(Paint::Bad, "stopped: the time is over")));
                }
            }
        }
        let visits = watch.visits();
        let ended = ending.as_ref().map_or_else(time::now, |ending| ending.time);
        let took = visits.started().map_or(0.0, |started| ended - started);
        Ok(End { arn: arn.to_owned(), events: visits.last_id(), took, ending })
    }

    fn tell(&self, watch: &Watch<'_>, ending: &Ending) -> std::io::Result<()> {
        if self.json {
            return Ok(());
        }
        let terminal = self.terminal;
        let visits = watch.visits();
        let paint = if ending.status == "SUCCEEDED" { Paint::Good } else { Paint::Bad };
        let took = visits.started().map_or(0.0, |started| ending.time - started);
        let entered = match visits.rows().len() {
            1 => "1 state".to_owned(),
            number => format!("{number} states"),
        };
        let status = terminal.err(paint, ending.status);
        terminal.note(&format!("  {status}  {entered}, {} events, {}", visits.last_id(), time::length(took)));
        if let Some(output) = &ending.output {
            let parsed = serde_json::from_str::<Value>(output);
            terminal.data(&parsed.map_or_else(|_| output.clone(), |value| pretty(&value)))?;
        }
        for (name, text) in [("error", &ending.error), ("cause", &ending.cause)] {
            if let Some(text) = text {
                terminal.note(&format!("  {} {text}", terminal.err(Paint::Bad, &format!("{name}:"))));
            }
        }
        Ok(())
    }
}
