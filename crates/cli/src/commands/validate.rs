//! `stepwell validate`: everything that is wrong with definitions, each with its place in the text.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};
use stepwell_asl::{Diagnostic, MachineType, Severity};
use stepwell_aws::Account;
use stepwell_deploy::intrinsics::{self, Evaluator, Lookup, Pseudo, Resources, Scope};
use stepwell_deploy::{NoParameters, Template, parameters};

use crate::args::ValidateArgs;
use crate::definition::{self, Source, yaml_line};
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::terminal::{Paint, Terminal};
use crate::uploads::{self, Selection};

/// A definition found in a file, ready to be checked.
pub(super) struct Checked {
    /// The file, or the place in the template.
    pub(super) title: String,
    /// Names that a user may call it by; empty for a file that holds nothing else.
    names: Vec<String>,
    /// JSON text.
    pub(super) text: String,
    /// The text that the user wrote, where that was YAML.
    yaml: Option<String>,
    /// Whether the template says that it is an Express one.
    express: bool,
}

impl Checked {
    /// Whether `name` means this one.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }
}

pub(super) async fn run(args: ValidateArgs, terminal: &Terminal) -> CommandResult {
    let mut tally = Tally::default();
    let mut findings = Vec::new();
    for path in &args.file {
        let definitions = match definitions(path).await {
            Ok(definitions) => definitions,
            // A file that is broken as a whole; the others are still checked.
            Err(CommandError::Failed { message, .. }) => {
                tally.errors += 1;
                if args.output.json {
                    let place = path.display().to_string();
                    findings.push(json!({"file": place, "severity": "ERROR", "message": message}));
                } else {
                    terminal.note(&format!("{} {message}", terminal.err(Paint::Bad, "error:")));
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        for definition in definitions {
            tally.definitions += 1;
            let express = args.express || definition.express;
            let machine_type = if express { MachineType::Express } else { MachineType::Standard };
            for diagnostic in stepwell_asl::validate(&definition.text, machine_type) {
                tally.count(diagnostic.severity);
                if args.output.json {
                    findings.push(as_json(&definition, &diagnostic));
                } else {
                    terminal.note(&rendered(&definition, &diagnostic, terminal.stderr_colours()));
                    terminal.note("");
                }
            }
        }
    }
    if args.output.json {
        let answer = json!({"result": if tally.errors > 0 { "FAIL" } else { "OK" }, "diagnostics": findings});
        terminal.data(&answer.to_string())?;
    } else {
        let paint = if tally.errors > 0 { Paint::Bad } else { Paint::Good };
        terminal.data(&terminal.out(paint, &tally.text()))?;
    }
    Ok(if tally.errors > 0 { Outcome::Failure } else { Outcome::Success })
}

#[derive(Default)]
struct Tally {
    definitions: usize,
    errors: usize,
    warnings: usize,
}

impl Tally {
    fn count(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
    }

    fn text(&self) -> String {
        let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        format!(
            "{} checked: {}, {}",
            plural(self.definitions, "definition"),
            plural(self.errors, "error"),
            plural(self.warnings, "warning")
        )
    }
}

fn as_json(definition: &Checked, diagnostic: &Diagnostic) -> Value {
    let mut finding = json!({
        "file": definition.title,
        "severity": diagnostic.severity.as_str(),
        "code": diagnostic.code,
        "message": diagnostic.message,
        "location": diagnostic.location,
    });
    match &definition.yaml {
        None => {
            finding["line"] = json!(diagnostic.place.line);
            finding["column"] = json!(diagnostic.place.column);
        }
        Some(yaml) => {
            let range = diagnostic.location.as_deref().and_then(|location| yaml_line(yaml, location));
            if let Some(range) = range {
                finding["line"] = json!(yaml[..range.start].matches('\n').count() + 1);
            }
        }
    }
    finding
}

fn rendered(definition: &Checked, diagnostic: &Diagnostic, colours: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // For a text that is no JSON at all, AWS's location repeats the text.
    let location =
        diagnostic.location.clone().filter(|location| location.starts_with('/')).unwrap_or_default();
    let (source, range) = match &definition.yaml {
        None => (definition.text.as_str(), Some(within(&definition.text, diagnostic))),
        Some(yaml) => (yaml.as_str(), yaml_line(yaml, &location)),
    };
    let message = diagnostic.message.lines().next().unwrap_or_default();
    let title = level.clone().primary_title(message).id(diagnostic.code);
    let group = match range {
        Some(range) => {
            let label = Some(location).filter(|location| !location.is_empty());
            let annotation = AnnotationKind::Primary.span(range).label(label);
            let snippet = Snippet::source(source).path(definition.title.as_str()).annotation(annotation);
            Group::with_title(title).element(snippet)
        }
        None => {
            let place = format!("in {}{}", definition.title, if location.is_empty() { "" } else { " at " });
            Group::with_title(title).element(Level::NOTE.message(format!("{place}{location}")))
        }
    };
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// The diagnostic's bytes, made to fit: at least one character where there is one, and only the first line of a value
/// that spans many.
fn within(text: &str, diagnostic: &Diagnostic) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(diagnostic.span.start);
    let end = boundary(diagnostic.span.end).max(start);
    let end = text[start..end].find('\n').map_or(end, |line_end| start + line_end);
    if end > start {
        return start..end;
    }
    let next = text[start..].chars().next().map_or(0, char::len_utf8);
    start..start + next
}

/// All definitions in a file.
///
/// Errors: the file cannot be read (exit code 2), it is no YAML, or the template is wrong (exit code 1).
pub(super) async fn definitions(path: &Path) -> Result<Vec<Checked>, CommandError> {
    let file = path.display().to_string();
    match definition::read(path)? {
        Source::Definition(definition) => Ok(vec![Checked {
            title: file,
            names: vec![definition::machine_name(path)],
            text: definition.text,
            yaml: definition.yaml,
            express: false,
        }]),
        Source::Template(text) => in_template(&file, &text).await,
        Source::Assembly => {
            let assembly = uploads::read(path, &Selection::default())?;
            let mut all = Vec::new();
            for stack in &assembly.stacks {
                let origin = format!("{file} {}", stack.display_name);
                all.extend(in_template(&origin, &stack.template).await?);
            }
            Ok(all)
        }
    }
}

/// The definitions of a template's state machines, its functions evaluated as far as a file tells.
async fn in_template(file: &str, text: &str) -> Result<Vec<Checked>, CommandError> {
    let failed = |reason: String| CommandError::failed(format!("{file}: {reason}"));
    let template = Template::parse(text).map_err(|error| failed(error.to_string()))?;
    let resolved =
        parameters::resolve(&template, &placeholder_parameters(&template), &BTreeMap::new(), &NoParameters)
            .await;
    let resolved = match resolved {
        Ok(resolved) => resolved,
        Err(parameters::ParameterError::Problems(problems)) => {
            let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
            return Err(failed(texts.join("; ")));
        }
        Err(parameters::ParameterError::Store(error)) => return Err(failed(error.to_string())),
    };
    let account = Account::default();
    let stack_id = account.arn("cloudformation", "stack/stack/00000000-0000-0000-0000-000000000000");
    let pseudo = Pseudo { account, stack_name: "stack".into(), stack_id };
    let conditions = intrinsics::conditions(&template, &pseudo, &resolved.values).map_err(|problems| {
        failed(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let placeholders = Placeholders { template: &template, account: &pseudo.account };
    let scope = Scope {
        template: &template,
        pseudo: &pseudo,
        parameters: &resolved.values,
        conditions: &conditions,
        resources: &placeholders,
        exports: &BTreeMap::new(),
    };
    let mut found = Vec::new();
    for (logical_id, resource) in &template.resources {
        if resource.kind != "AWS::StepFunctions::StateMachine" {
            continue;
        }
        let mut evaluator = Evaluator::new(scope, &format!("Resources/{logical_id}/Properties"));
        let properties =
            evaluator.value(&resource.properties).map_err(|problem| failed(problem.to_string()))?;
        let properties = properties.unwrap_or_default();
        if let Some(text) = definition_text(&properties) {
            let name = properties["StateMachineName"].as_str().map(str::to_owned);
            found.push(Checked {
                title: format!("{file} {logical_id}"),
                names: [Some(logical_id.clone()), name].into_iter().flatten().collect(),
                text,
                yaml: None,
                express: properties["StateMachineType"] == "EXPRESS",
            });
        }
    }
    Ok(found)
}

/// Values for parameters that have no default: only the shape of the definition matters here.
fn placeholder_parameters(template: &Template) -> parameters::Given {
    let missing = template.parameters.iter().filter(|(_, declaration)| declaration.default.is_none());
    missing
        .map(|(name, declaration)| {
            let value = declaration.allowed_values.first().cloned();
            (name.clone(), value.unwrap_or_else(|| "1".to_owned()))
        })
        .collect()
}

/// The definition as readable JSON text; `None` where it lies elsewhere (`DefinitionS3Location`).
fn definition_text(properties: &Value) -> Option<String> {
    let substitutions = properties["DefinitionSubstitutions"].as_object();
    let substituted = |mut text: String| {
        for (name, value) in substitutions.into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&format!("${{{name}}}"), &value);
        }
        text
    };
    if let Some(object) = properties.get("Definition") {
        return Some(substituted(definition::pretty(object)));
    }
    let text = substituted(properties["DefinitionString"].as_str()?.to_owned());
    let parsed = serde_json::from_str::<Value>(&text);
    Some(parsed.map_or(text, |value| definition::pretty(&value)))
}

/// Stand-ins for what resources will be called once they exist.
struct Placeholders<'a> {
    template: &'a Template,
    account: &'a Account,
}

impl Placeholders<'_> {
    fn arn(&self, logical_id: &str) -> Option<String> {
        let kind = &self.template.resources.get(logical_id)?.kind;
        let service = kind.split("::").nth(1)?.to_ascii_lowercase();
        Some(match kind.as_str() {
            "AWS::Lambda::Function" => self.account.arn("lambda", &format!("function:{logical_id}")),
            "AWS::StepFunctions::StateMachine" => {
                self.account.arn("states", &format!("stateMachine:{logical_id}"))
            }
            "AWS::StepFunctions::Activity" => self.account.arn("states", &format!("activity:{logical_id}")),
            "AWS::DynamoDB::Table" => self.account.arn("dynamodb", &format!("table/{logical_id}")),
            "AWS::IAM::Role" => {
                format!("arn:{}:iam::{}:role/{logical_id}", self.account.partition, self.account.id)
            }
            _ => self.account.arn(&service, logical_id),
        })
    }
}

impl Resources for Placeholders<'_> {
    fn reference(&self, logical_id: &str) -> Lookup {
        let Some(resource) = self.template.resources.get(logical_id) else { return Lookup::Missing };
        let value = match resource.kind.as_str() {
            "AWS::StepFunctions::StateMachine" | "AWS::StepFunctions::Activity" | "AWS::SNS::Topic" => {
                self.arn(logical_id).unwrap_or_default()
            }
            "AWS::SQS::Queue" => {
                let Account { region, id, .. } = self.account;
                format!("https://sqs.{region}.amazonaws.com/{id}/{logical_id}")
            }
            _ => logical_id.to_owned(),
        };
        Lookup::Value(Value::String(value))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Lookup {
        let Some(arn) = self.arn(logical_id) else { return Lookup::Missing };
        let value = if attribute.ends_with("Arn") { arn } else { logical_id.to_owned() };
        Lookup::Value(Value::String(value))
    }
}
