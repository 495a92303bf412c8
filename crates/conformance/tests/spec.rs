//! The specifications under `tests/spec`: a definition, an input, what tasks answer, and every record that follows.
//!
//! Each is run once from its start, and once more from every point at which it could have been lost: what is then
//! decided must be the same. `BLESS=1` writes what happened into the files; the diff is reviewed like code.

#![allow(clippy::print_stdout, reason = "the counts are what a reader of the test run looks for")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_conformance::case::START_MS;
use stepwell_conformance::drive::{self, Asked, Behaviour, Child, Time};
use stepwell_interpreter::{ExecutionInfo, ExecutionKind, TaskReply};

/// A `##` section of a specification file with its fenced blocks.
struct Spec {
    title: String,
    definition: String,
    input: String,
    tasks: String,
    /// How often it is redriven after an end without success.
    redrives: u32,
    expected: String,
    /// Lines of the file that hold the expectation.
    lines: std::ops::Range<usize>,
}

fn read(text: &str) -> Vec<Spec> {
    let mut specs: Vec<Spec> = Vec::new();
    let mut block: Option<(String, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        match &block {
            None if line.starts_with("## ") => specs.push(Spec {
                title: line[3..].to_owned(),
                definition: String::new(),
                input: "{}".to_owned(),
                tasks: String::new(),
                redrives: 0,
                expected: String::new(),
                lines: 0..0,
            }),
            None => block = line.strip_prefix("```").map(|kind| (kind.to_owned(), number)),
            Some((kind, start)) if line == "```" => {
                let spec = specs.last_mut().expect("a block stands in a section");
                let content = text.lines().take(number).skip(start + 1).collect::<Vec<_>>().join("\n");
                match kind.as_str() {
                    "asl" => spec.definition = content,
                    "input" => spec.input = content,
                    "tasks" => spec.tasks = content,
                    "redrives" => spec.redrives = content.parse().expect("redrives are a number"),
                    "records" => (spec.expected, spec.lines) = (content, start + 1..number),
                    other => panic!("{}: a block of unknown kind {other:?}", spec.title),
                }
                block = None;
            }
            Some(_) => {}
        }
    }
    specs
}

/// `State: succeed {json}`, `State: fail Error some cause`, `State: never`; one line per attempt, the last repeats.
fn answer(tasks: &str, asked: &Asked<'_>) -> Option<TaskReply> {
    let prefix = format!("{}: ", asked.state);
    let lines: Vec<&str> = tasks.lines().filter_map(|line| line.strip_prefix(prefix.as_str())).collect();
    let line =
        lines.get(asked.nth).or(lines.last()).unwrap_or_else(|| panic!("no answer for {}", asked.state));
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "succeed" => Some(TaskReply::Succeeded(Payload::parse(rest).expect("an answer is JSON"))),
        "fail" => {
            let (error, cause) = rest.split_once(' ').unwrap_or((rest, ""));
            let text = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
            Some(TaskReply::Failed { error: text(error), cause: text(cause) })
        }
        "never" => None,
        other => panic!("{}: unknown answer {other:?}", asked.state),
    }
}

/// What happens, one line per record; and that it happens again after a crash at any point.
fn happens(spec: &Spec) -> Vec<String> {
    let program = stepwell_asl::compile(&spec.definition).unwrap_or_else(|e| panic!("{}: {e:?}", spec.title));
    let info = Arc::new(ExecutionInfo {
        execution_arn: "arn:aws:states:us-east-1:000000000000:execution:spec:e".into(),
        name: "e".into(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:spec".into(),
        state_machine_name: "spec".into(),
        role_arn: "arn:aws:iam::000000000000:role/spec".into(),
        region: "us-east-1".into(),
        start_ms: START_MS,
        timeout_s: program.timeout_seconds,
        child_of: None,
        kind: ExecutionKind::Standard,
    });
    let input = Payload::parse(spec.input.as_str()).expect("the input is JSON");
    let mut script = |asked: &Asked<'_>| Ok::<_, ()>(Behaviour::of(answer(&spec.tasks, asked)));
    let mode = (Time::Jumps, spec.redrives);
    let ran = drive::run_redriven(&program, &info, input, mode, &mut script).expect("the script answers");
    let mut lines = drive::describe(START_MS, &ran.batches);
    for kept in 1..ran.batches.len() {
        // Child executions have records of their own: what they had come to is lost with the rest here.
        if !ran.children.is_empty() && spec.redrives > 0 {
            break;
        }
        let resumed = drive::resume(&program, &info, &ran.batches[..kept], spec.redrives, &mut script)
            .expect("the script answers");
        let again = drive::describe(START_MS, &resumed.batches);
        assert_eq!(again, lines, "{}: lost after {kept} of {} batches", spec.title, ran.batches.len());
    }
    if spec.redrives > 0 {
        let children = ran.children.values().filter(|child| child.ran.batches.len() > 1);
        for Child { info, ran } in children {
            lines.push(format!("child execution {}:", info.child_of.as_ref().map_or(0, |of| of.index)));
            lines.extend(drive::describe(START_MS, &ran.batches));
        }
    }
    lines
}

#[test]
fn specifications() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("there are specifications")
        .map(|f| f.expect("is readable").path())
        .collect();
    files.sort();
    let bless = std::env::var_os("BLESS").is_some();
    let (mut count, mut wrong) = (0, String::new());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("is readable");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for spec in read(&text).iter().rev() {
            count += 1;
            let happened = happens(spec);
            if happened.join("\n") == spec.expected {
                continue;
            }
            let _ = write!(wrong, "\n{} / {}:\n{}\n", file.display(), spec.title, happened.join("\n"));
            lines.splice(spec.lines.clone(), happened);
        }
        if bless {
            std::fs::write(&file, lines.join("\n") + "\n").expect("is writable");
        }
    }
    println!("{count} specifications");
    assert!(bless || wrong.is_empty(), "these happened instead (BLESS=1 writes them down):{wrong}");
}
