//! The language against what AWS recorded: definitions that it accepted or refused, and executions that need nothing
//! but Pass, Choice, Wait, Succeed and Fail.
//!
//! The recordings lie beside the repository; without them these tests say so and pass.

// Reading recordings and printing counts is what a test may do and the crate may not.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod runner;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stepwell_asl::compile::MachineType;
use stepwell_asl::compile::{compile, compile_state};
use stepwell_asl::value::Object;
use stepwell_asl::{Severity, Value, compile_as, json, validate};

use runner::{End, Stop, Surroundings, run};

/// One recorded case.
struct Case {
    name: String,
    content: Value,
}

impl Case {
    fn text(&self, key: &str) -> &str {
        self.content.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn machine_type(&self) -> MachineType {
        if self.text("type") == "EXPRESS" { MachineType::Express } else { MachineType::Standard }
    }

    fn definition(&self) -> String {
        let text = match self.content.get("definition_text").and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => match self.content.get("definition") {
                Some(Value::String(text)) => text.to_string(),
                Some(definition) => definition.to_json(),
                None => String::new(),
            },
        };
        self.fill(text)
    }

    /// Puts values in the places that the recording left open.
    fn fill(&self, text: String) -> String {
        let mut tokens: Vec<(String, String)> = Vec::new();
        if let Some(placeholders) = self.content.get("placeholders").and_then(Value::as_object) {
            for (token, description) in placeholders.iter() {
                let example = description.get("example").and_then(Value::as_str);
                tokens.extend(example.map(|example| (token.to_string(), example.to_owned())));
            }
        }
        tokens.sort_by_key(|(token, _)| std::cmp::Reverse(token.len()));
        tokens.push(("<partition>".into(), "aws".into()));
        tokens.push(("<region>".into(), "us-east-1".into()));
        tokens.iter().fold(text, |text, (token, value)| text.replace(token, value))
    }
}

/// All cases of the families, or nothing where the recordings are absent.
fn cases(families: &[&str]) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if !root.is_dir() {
        eprintln!("skipped: no recordings at {}", root.display());
        return Vec::new();
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for family in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
        let name = family.file_name().unwrap().to_string_lossy().into_owned();
        if family.is_dir() && (families.is_empty() || families.contains(&name.as_str())) {
            files.extend(std::fs::read_dir(family).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        Case { content: json::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}")), name }
    };
    files.into_iter().map(read).collect()
}

fn surroundings(case: &Case, input: &str) -> Surroundings {
    let execution: Object = [
        ("Id", Value::from(case.fill("arn:<partition>:states:<region>:111111111111:execution:m:e".into()))),
        ("Input", json::parse(input).unwrap_or_else(|e| panic!("{}: {e}: {input}", case.name))),
        ("Name", Value::from("e")),
        ("StartTime", Value::from("2024-01-01T00:00:00Z")),
        ("RoleArn", Value::from("arn:aws:iam::111111111111:role/r")),
    ]
    .into_iter()
    .collect();
    let machine: Object = [("Id", Value::from("arn")), ("Name", Value::from("m"))].into_iter().collect();
    let state: Object = [("Name", "<open>"), ("EnteredTime", "2024-01-01T00:00:00Z")]
        .into_iter()
        .map(|(n, v)| (n, Value::from(v)))
        .collect();
    let members = [("Execution", execution), ("StateMachine", machine), ("State", state)];
    let context: Object = members.into_iter().collect();
    Surroundings::new(context.into())
}

fn is_open(value: &Value) -> bool {
    let text = value.to_json();
    text.contains('<') || text.contains("\"date\"") || text.contains("RandomNumberGenerated")
}

#[test]
fn what_aws_accepts_compiles() {
    let mut accepted = 0;
    let mut failures = Vec::new();
    for case in cases(&[]) {
        if case.text("kind") != "execution" {
            continue;
        }
        match compile_as(&case.definition(), case.machine_type()) {
            Ok(_) => accepted += 1,
            Err(list) => failures.push(format!("{}: {list}", case.name)),
        }
    }
    println!("accepted {accepted}, refused {}", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_aws_refuses_is_refused_in_its_words() {
    for case in cases(&[]) {
        if case.text("kind") != "validation" {
            continue;
        }
        let expected = case.content.get("expected").unwrap();
        let text = case.definition();
        if let Some(message) =
            expected.get("exception").and_then(|e| e.get("message")).and_then(Value::as_str)
        {
            let refused = compile_as(&text, case.machine_type()).expect_err(&case.name);
            assert_eq!(refused.invalid_definition_message(), case.fill(message.to_owned()), "{}", case.name);
            continue;
        }
        let wanted =
            expected.get("result").and_then(|r| r.get("diagnostics")).and_then(Value::as_array).unwrap();
        let ours: Vec<Value> = validate(&text, case.machine_type())
            .into_iter()
            .filter(|d| d.severity == Severity::Error)
            .map(|d| {
                let mut finding = Object::new();
                finding.insert("code", d.code);
                if let Some(location) = d.location {
                    finding.insert("location", location);
                }
                finding.insert("message", d.message);
                finding.insert("severity", d.severity.as_str());
                finding.into()
            })
            .collect();
        assert_eq!(ours, wanted, "{}", case.name);
    }
}

#[test]
fn executions_of_simple_states_end_as_recorded() {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in cases(&[]) {
        if case.text("kind") != "execution" {
            continue;
        }
        let Ok(program) = compile_as(&case.definition(), case.machine_type()) else { continue };
        let input = match case.text("input_text") {
            "" => "{}".to_owned(),
            text => case.fill(text.to_owned()),
        };
        let expected = case.content.get("expected").unwrap();
        let status = expected.get("status").and_then(Value::as_str).unwrap_or_default();
        // Timeouts and size limits are the interpreter's; an instant relative to the start is nobody's here.
        let elsewhere = status == "TIMED_OUT"
            || expected.get("error").and_then(Value::as_str) == Some("States.DataLimitExceeded")
            || input.contains("<timestamp>");
        if elsewhere || json::parse(&input).is_err() {
            continue;
        }
        let mut environment = surroundings(&case, &input);
        let outcome = match run(&program, &input, &mut environment) {
            Err(Stop::NotHere) => continue,
            outcome => outcome,
        };
        let shown = match &outcome {
            Ok(end) => format!("{end:?}"),
            Err(Stop::Error(error)) => format!("{error:?}"),
            Err(_) => String::new(),
        };
        let agrees = match outcome {
            Ok(End::Succeeded(output)) => {
                let wanted = expected.get("output").cloned().unwrap_or_default();
                let wanted = match &wanted {
                    Value::String(text) => json::parse(text).unwrap_or_else(|_| wanted.clone()),
                    _ => wanted,
                };
                let recorded_open = is_open(&wanted);
                (status == "SUCCEEDED" && (recorded_open || output == wanted)) || status == "RUNNING"
            }
            Ok(End::Failed(error, cause)) => {
                let text = |key: &str| expected.get(key).and_then(Value::as_str).map(str::to_owned);
                status == "FAILED" && text("error") == error && text("cause") == cause
            }
            Err(Stop::Error(error)) => {
                let wanted = expected.get("cause").and_then(Value::as_str).unwrap_or_default();
                let same =
                    wanted.ends_with(&error.cause) || wanted.contains('<') || wanted.contains("too long");
                status == "FAILED" && same
            }
            Err(_) => true,
        };
        let family = case.name.split('/').next().unwrap_or_default().to_owned();
        let count = counts.entry(family).or_default();
        count.1 += 1;
        if agrees {
            count.0 += 1;
        } else {
            failures.push(format!("{}: {shown}", case.name));
        }
    }
    for (family, (passed, total)) in counts {
        println!("{family}: {passed}/{total}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What DescribeStateMachine says about the variables that each state reads.
#[test]
fn variable_references_are_as_recorded() {
    for case in cases(&["api_variable_references"]) {
        let steps = case.content.get("steps").and_then(Value::as_array).unwrap();
        let definition = steps.iter().find_map(|s| s.get("params")?.get("definition")?.get("$json")).unwrap();
        let program =
            compile(&case.fill(definition.to_json())).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let ours: Object = program
            .states
            .iter()
            .filter(|state| !state.variable_references.is_empty())
            .map(|state| {
                let names: Vec<Value> = state.variable_references.iter().cloned().map(Value::from).collect();
                (state.name.clone(), Value::from(names))
            })
            .collect();
        let recorded = |step: &Value| step.get("expect")?.get("result")?.get("variableReferences").cloned();
        let wanted = steps.iter().find_map(recorded).unwrap_or_else(Value::empty_object);
        assert_eq!(Value::from(ours), wanted, "{}", case.name);
    }
}

/// What TestState takes: single states, or machines of which it runs one.
#[test]
fn states_that_aws_tests_compile() {
    let mut failures = Vec::new();
    for case in cases(&["test_state", "local_mocking"]) {
        if case.text("kind") != "test_state" {
            continue;
        }
        let definition = case.definition();
        let is_machine = json::parse(&definition).unwrap().get("States").is_some();
        let ours = if is_machine { compile(&definition) } else { compile_state(&definition) };
        let ours = ours.err().map(|list| list.invalid_definition_message());
        let message =
            case.content.get("expected").and_then(|e| e.get("exception")).and_then(|e| e.get("message"));
        let wanted =
            message.and_then(Value::as_str).filter(|m| m.starts_with("Invalid State Machine Definition"));
        if ours.as_deref() != wanted {
            failures.push(format!("{}: {ours:?}, wanted {wanted:?}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
