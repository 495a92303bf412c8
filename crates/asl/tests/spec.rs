//! The expressions of the language against tables in Markdown: `tests/spec/*.md`.

use stepwell_asl::compile::MachineType;
use stepwell_asl::intrinsic::Call;
use stepwell_asl::path::{Path, ReferencePath};
use stepwell_asl::value::Object;
use stepwell_asl::{Environment, Program, Value, compile, json, validate};

struct Surroundings {
    context: Value,
    name: Value,
    list: Value,
}

impl Environment for Surroundings {
    fn context(&self) -> &Value {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        match name {
            "name" => Some(&self.name),
            "list" => Some(&self.list),
            _ => None,
        }
    }

    fn random_u64(&self) -> u64 {
        4
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        context: json::parse(
            r#"{"Execution":{"Name":"run-1"},"State":{"EnteredTime":"2024-02-29T12:00:00.500Z"}}"#,
        )
        .unwrap(),
        name: "D".into(),
        list: json::parse(r#"[{"k":"w"},{"k":"v"}]"#).unwrap(),
    }
}

/// A row of a table with the input above it.
struct Row<'a> {
    section: &'a str,
    input: Value,
    cells: Vec<String>,
}

/// All rows of all tables, without their headings.
fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let (mut section, mut input) = ("", Value::Null);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(title) = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
        {
            section = title;
        } else if line == "```json" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            input = json::parse(&block.join("\n")).unwrap_or_else(|e| panic!("{section}: {e}"));
        } else if line.starts_with("| ---") {
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(Row { section, input: input.clone(), cells: cells(row) });
            }
        }
    }
    rows
}

/// The cells of a row; `\|` is a bar, and the backquotes around a cell are dropped.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|');
    let inner = inner.strip_suffix('|').unwrap_or(inner).replace("\\|", "\u{1}");
    let clean = |cell: &str| {
        let cell = cell.trim().replace('\u{1}', "|");
        cell.strip_prefix('`').and_then(|c| c.strip_suffix('`')).map_or(cell.clone(), str::to_owned)
    };
    inner.split('|').map(clean).collect()
}

/// What an evaluation gave, in the form of the tables; the input inside of error texts is shortened.
fn shown(result: Result<Value, String>, label: &str, input: &Value) -> String {
    match result {
        Ok(value) => value.to_json(),
        Err(error) => format!("{label}: {}", error.replace(&format!("'{input}'"), "'{…}'")),
    }
}

#[track_caller]
fn check_all(text: &str, mut evaluate: impl FnMut(&Row<'_>) -> Option<String>) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in rows(text) {
        let Some(actual) = evaluate(&row) else { continue };
        count += 1;
        let expected = row.cells.get(1).cloned().unwrap_or_else(|| "refused".into());
        if actual != expected {
            wrong.push(format!(
                "{}: {}\n  expected {expected}\n  was      {actual}",
                row.section, row.cells[0]
            ));
        }
    }
    assert!(count > 0 && wrong.is_empty(), "{} of {count} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn paths() {
    let environment = surroundings();
    check_all(include_str!("spec/paths.md"), |row| {
        Some(match Path::parse(&row.cells[0]) {
            Err(_) => "refused".into(),
            Ok(path) => {
                let result = path.evaluate(&row.input, &environment).map_err(|miss| miss.to_string());
                shown(result, "miss", &row.input)
            }
        })
    });
}

#[test]
fn intrinsic_functions() {
    let environment = surroundings();
    check_all(include_str!("spec/intrinsics.md"), |row| {
        Some(match Call::parse(&row.cells[0]) {
            Err(_) => "refused".into(),
            Ok(call) => {
                let result = call.evaluate(&row.input, &environment).map_err(|error| {
                    let head = format!("The function '{}' had the following error: ", call.text());
                    error.cause.strip_prefix(&head).unwrap_or(&error.cause).to_owned()
                });
                shown(result, "error", &row.input)
            }
        })
    });
}

/// A machine of one Pass state with these fields.
fn pass_state(fields: Object) -> Result<Program, String> {
    let mut state: Object = [("Type", "Pass")].into_iter().collect();
    state.insert("End", true);
    for (name, value) in fields.iter() {
        state.insert(name.clone(), value.clone());
    }
    let states: Object = [("P", state)].into_iter().collect();
    let mut machine = Object::new();
    machine.insert("StartAt", "P");
    machine.insert("States", states);
    compile(&Value::from(machine).to_json()).map_err(|e| e.to_string())
}

#[test]
fn templates_and_result_paths() {
    let environment = surroundings();
    check_all(include_str!("spec/templates.md"), |row| {
        if row.section != "Templates" {
            let path = match ReferencePath::parse(&row.cells[0]) {
                Err(_) => return Some("refused".into()),
                Ok(path) => path,
            };
            let result = path.insert(&row.input, "R".into()).map_err(|error| error.cause);
            return Some(shown(result, "error", &Value::Null));
        }
        let template = json::parse(&row.cells[0]).unwrap();
        let program = pass_state([("Parameters", template)].into_iter().collect()).unwrap();
        let stepwell_asl::program::StateKind::Pass(pass) = &program.states[0].kind else { return None };
        let template = pass.parameters.as_ref().unwrap();
        let result = template.evaluate(&row.input, &environment).map_err(|error| error.cause);
        Some(shown(result, "error", &row.input))
    });
}

/// The blocks of a Markdown file: title, definition and findings of each section.
fn sections(text: &str) -> Vec<(&str, String, String)> {
    let mut sections = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default();
        let block = |kind: &str| {
            let start = section.find(&format!("```{kind}\n"))? + kind.len() + 4;
            let end = section[start..].find("```").map(|i| start + i)?;
            Some(section[start..end].trim_end_matches('\n').to_owned())
        };
        sections.push((title, block("asl").unwrap(), block("findings").unwrap()));
    }
    sections
}

#[track_caller]
fn check_findings(text: &str) {
    let mut wrong = Vec::new();
    for (title, definition, expected) in sections(text) {
        let findings: Vec<String> = validate(&definition, MachineType::Standard)
            .into_iter()
            .map(|d| {
                let location = d.location.unwrap_or_else(|| "-".into());
                let line = format!("{} {} {location} {} {}", d.severity.as_str(), d.code, d.place, d.message);
                line.replace('\n', "↵")
            })
            .collect();
        let actual = findings.join("\n");
        if actual != expected {
            wrong.push(format!("## {title}\nexpected\n{expected}\nwas\n{actual}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn validation() {
    check_findings(include_str!("spec/validation.md"));
}

#[test]
fn several_findings_make_one_message() {
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"X"},"B":{"Type":"Succeed"}}}"#;
    assert_eq!(
        compile(text).unwrap_err().invalid_definition_message(),
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/A/Next, \
         MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B'"
    );
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}}}"#;
    assert_eq!(
        compile(text).unwrap_err().invalid_definition_message(),
        "Invalid State Machine Definition: 'MISSING_END_STATE: Workflow has no terminal state at null'"
    );
}

#[test]
fn programs_are_shared_by_threads() {
    fn check<T: Send + Sync>() {}
    check::<Program>();
    check::<stepwell_asl::Payload>();
}

#[test]
fn jsonata() {
    use stepwell_asl::jsonata::{Allowed, Expression, Scope, States};

    let environment = surroundings();
    let result = json::parse(r#"{"r":5}"#).unwrap();
    check_all(include_str!("spec/jsonata.md"), |row| {
        let allowed = Allowed { result: true, error_output: false };
        Some(match Expression::parse(&row.cells[0], allowed) {
            Err(problems) => format!("{}: {}", problems[0].code, problems[0].message),
            Ok(expression) => {
                let states = States { input: &row.input, result: Some(&result), error_output: None };
                let head =
                    format!("The JSONata expression '{}' specified for the field 'Output' ", row.cells[0]);
                let value = expression.evaluate(&Scope::new(states, &environment), "Output");
                let value = value.map_err(|f| f.error.cause.replace(&head, ""));
                shown(value, "error", &Value::Null)
            }
        })
    });
}

#[test]
fn validation_of_the_whole_language() {
    check_findings(include_str!("spec/validation_whole.md"));
}

#[test]
fn warnings_about_what_comes_to_nothing() {
    check_findings(include_str!("spec/warnings.md"));
}

#[test]
fn every_warning_is_documented_and_tested() {
    let tested = [
        include_str!("spec/validation.md"),
        include_str!("spec/validation_whole.md"),
        include_str!("spec/warnings.md"),
    ];
    let lines = tested.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("WARNING "));
    let seen: std::collections::BTreeSet<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
    let documented = stepwell_asl::diagnostic::WARNINGS.iter().map(|(code, _)| *code).collect();
    assert_eq!(seen, documented);
}

#[test]
fn json_text() {
    check_all(include_str!("spec/json.md"), |row| {
        Some(match json::parse(&row.cells[0]) {
            Ok(value) => value.to_json(),
            Err(error) => format!("error: {error} at {}", error.place()),
        })
    });
}
