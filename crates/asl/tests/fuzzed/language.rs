//! One function for each kind of text that a stranger may hand in: it takes any bytes and asserts what must hold for
//! all of them. Where two texts are needed, the first line is one and the rest the other.

#![allow(unreachable_pub)] // The fuzz targets are another crate.

use std::fmt::Write as _;

use stepwell_asl::compile::{MachineType, compile_state};
use stepwell_asl::intrinsic::Call;
use stepwell_asl::jsonata::{Allowed, Expression, Scope, States};
use stepwell_asl::path::{Path, ReferencePath};
use stepwell_asl::program::StateKind;
use stepwell_asl::value::write_json_string;
use stepwell_asl::{Diagnostic, Environment, Severity, Timestamp, Value, compile_as, json, validate};

/// Largest result of one evaluation, in bytes of JSON text; what the language itself promises is at most this.
const RESULT_BYTES_MAX: usize = 32 << 20;

struct Surroundings {
    context: Value,
    list: Value,
}

impl Environment for Surroundings {
    fn context(&self) -> &Value {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        (name == "v").then_some(&self.list)
    }

    fn random_u64(&self) -> u64 {
        4
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_epoch_ms(1_700_000_000_000)
    }
}

fn surroundings() -> Surroundings {
    let parse = |text| json::parse(text).expect("is JSON");
    Surroundings {
        context: parse(
            r#"{"Execution":{"Id":"arn","Input":{"a":[1,2]}},"State":{"Name":"S","RetryCount":0}}"#,
        ),
        list: parse(r#"[1,{"a":"b"},[null,true,-0.5],"x"]"#),
    }
}

/// The first line, and the JSON document after it (a sample where it is none).
fn line_and_input(bytes: &[u8]) -> Option<(&str, Value)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let sample = r#"{"a":{"b":[1,2,{"c":"x"}]},"n":5,"s":"text","t":true,"z":null,"list":[3,1,2]}"#;
    let input = json::parse(rest).unwrap_or_else(|_| json::parse(sample).expect("is JSON"));
    Some((line, input))
}

/// A value that an evaluation gave can be written, is no larger than promised, and reads back the same.
fn check_value(value: &Value) {
    assert!(
        value.approximate_json_len(RESULT_BYTES_MAX).is_some(),
        "a result of more than {RESULT_BYTES_MAX} bytes"
    );
    assert!(!value.is_nested_deeper_than(json::MAX_DEPTH), "a result that is nested too deep");
    let text = value.to_json();
    let read = json::parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(read.to_json(), text);
}

/// Rules that are said never to match did not match; `None` is a rule that failed.
pub fn check_warnings(matched: &[Option<bool>], findings: &[Diagnostic]) {
    for finding in findings {
        let location = finding.location.as_deref().unwrap_or_default();
        let rule = location.strip_prefix("/States/C/Choices[").and_then(|rest| rest.strip_suffix(']'));
        let Some(rule) = rule.and_then(|number| number.parse::<usize>().ok()) else { continue };
        let is_wrong = match finding.code {
            "CHOICE_RULE_NEVER_MATCHES" => matched[rule] == Some(true),
            "CHOICE_RULE_SHADOWED" => {
                matched[rule] == Some(true) && matched[..rule].iter().all(|earlier| *earlier == Some(false))
            }
            _ => false,
        };
        assert!(!is_wrong, "{finding}: {matched:?}");
    }
}

/// The text of a state machine, or of a single state.
pub fn definition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for machine_type in [MachineType::Standard, MachineType::Express] {
        let findings = validate(text, machine_type);
        for finding in &findings {
            assert!(finding.span.start <= finding.span.end && finding.span.end <= text.len(), "{finding:?}");
            assert!(text.get(finding.span.start..finding.span.end).is_some(), "{finding:?} cuts a character");
            assert!(!finding.code.is_empty() && !finding.message.is_empty(), "{finding:?}");
        }
        let is_refused = findings.iter().any(|f| f.severity == Severity::Error);
        match compile_as(text, machine_type) {
            Ok(program) => {
                assert!(!is_refused, "compiled, though {findings:?}");
                assert!((program.start_at.0 as usize) < program.states.len());
                for state in &program.states {
                    let id = program.state_named(&state.name).expect("every state has its name");
                    assert_eq!(program.state(id).name, state.name);
                }
            }
            Err(errors) => {
                assert!(is_refused, "refused for no reason: {errors}");
                assert!(
                    errors.invalid_definition_message().starts_with("Invalid State Machine Definition: '")
                );
            }
        }
    }
    let _ = compile_state(text);
}

/// The text of a document.
pub fn json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let value = json::parse(text);
    let spanned = json::parse_spanned(text);
    match (value, spanned) {
        (Ok(value), Ok(node)) => {
            check_value(&value);
            assert_eq!(node.to_value().to_json(), value.to_json());
            assert!(node.span.end <= text.len());
        }
        (Err(error), Err(_)) => {
            assert!(error.offset() <= text.len());
            let _ = (error.message_with_location(text), error.source_location(text), error.place());
        }
        (value, spanned) => panic!("the two readers differ: {value:?} and {spanned:?}"),
    }
}

/// A path, and the document that it is looked up in.
pub fn path(bytes: &[u8]) {
    let Some((text, input)) = line_and_input(bytes) else { return };
    let environment = surroundings();
    if let Ok(path) = Path::parse(text) {
        assert_eq!(path.text(), text);
        let evaluated = path.evaluate(&input, &environment);
        if let Ok(value) = &evaluated {
            check_value(value);
            assert!(path.is_definite() || value.as_array().is_some(), "several values are a list");
        }
        if let Some(found) = path.find(&input, &environment) {
            assert_eq!(Ok(found), evaluated.as_ref());
        }
        let _ = path.evaluate_directly(&input, &environment);
    }
    if let Ok(place) = ReferencePath::parse(text)
        && let Ok(inserted) = place.insert(&input, "put".into())
    {
        check_value(&inserted);
        let read = Path::parse(text).expect("a reference path is a path").evaluate(&inserted, &environment);
        assert_eq!(read, Ok("put".into()));
    }
}

/// A call of an intrinsic function, and the document that its paths look at.
pub fn intrinsic(bytes: &[u8]) {
    let Some((text, input)) = line_and_input(bytes) else { return };
    if let Ok(call) = Call::parse(text) {
        assert_eq!(call.text(), text);
        if let Ok(value) = call.evaluate(&input, &surroundings()) {
            check_value(&value);
        }
    }
}

/// A JSONata expression, and its `$states.input`.
pub fn jsonata(bytes: &[u8]) {
    let Some((text, input)) = line_and_input(bytes) else { return };
    let environment = surroundings();
    let allowed = Allowed { result: true, error_output: false };
    match Expression::parse(text, allowed) {
        Err(problems) => assert!(!problems.is_empty()),
        Ok(expression) => {
            let result = Value::from("result");
            let states = States { input: &input, result: Some(&result), error_output: None };
            match expression.evaluate(&Scope::new(states, &environment), "Output") {
                Ok(value) => check_value(&value),
                Err(failure) => assert!(!failure.error.cause.is_empty()),
            }
        }
    }
}

/// A payload template (JSONPath and JSONata), and the state's input.
pub fn template(bytes: &[u8]) {
    let Some((text, input)) = line_and_input(bytes) else { return };
    let environment = surroundings();
    let machine = |language: &str, field: &str| {
        format!(
            r#"{{"StartAt":"P","QueryLanguage":"{language}","States":{{"P":{{"Type":"Pass","{field}":{text},"End":true}}}}}}"#
        )
    };
    let pass = |program: &stepwell_asl::Program, check: &dyn Fn(&stepwell_asl::program::Pass)| {
        if let Some(StateKind::Pass(pass)) = program.states.first().map(|s| &s.kind) {
            check(pass);
        }
    };
    if let Ok(program) = stepwell_asl::compile(&machine("JSONPath", "Parameters")) {
        pass(&program, &|pass| {
            if let Some(Ok(value)) = pass.parameters.as_ref().map(|t| t.evaluate(&input, &environment)) {
                check_value(&value);
            }
        });
    }
    if let Ok(program) = stepwell_asl::compile(&machine("JSONata", "Output")) {
        let scope = Scope::new(States { input: &input, result: None, error_output: None }, &environment);
        pass(&program, &|pass| {
            if let Some(Ok(value)) = pass.output.as_ref().map(|t| t.evaluate_query(&scope, "Output")) {
                check_value(&value);
            }
        });
    }
}

/// The rule of a Choice state without its `Next`, and the state's input; a second, JSONata rule is the same text as an
/// expression.
pub fn choice(bytes: &[u8]) {
    let Some((text, input)) = line_and_input(bytes) else { return };
    let environment = surroundings();
    let machine = |language: &str, rule: &str| {
        format!(
            r#"{{"StartAt":"C","QueryLanguage":"{language}","States":{{"C":{{"Type":"Choice","Choices":[{rule}],"Default":"E"}},"E":{{"Type":"Succeed"}}}}}}"#
        )
    };
    if let Some(members) = text.trim().strip_prefix('{') {
        let machine = machine("JSONPath", &format!(r#"{{"Next":"E",{members}"#));
        if let Ok(program) = stepwell_asl::compile(&machine)
            && let Some(StateKind::Choice(choice)) = program.states.first().map(|s| &s.kind)
        {
            let matched: Vec<_> =
                choice.rules.iter().map(|rule| rule.condition.evaluate(&input, &environment)).collect();
            let findings = validate(&machine, MachineType::Standard);
            check_warnings(&matched.iter().map(|m| m.as_ref().ok().copied()).collect::<Vec<_>>(), &findings);
        }
    }
    let mut rule = String::from(r#"{"Next":"E","Condition":"#);
    write_json_string(text, &mut rule);
    let _ = write!(rule, "}}");
    if let Ok(program) = stepwell_asl::compile(&machine("JSONata", &rule))
        && let Some(StateKind::Choice(choice)) = program.states.first().map(|s| &s.kind)
    {
        let scope = Scope::new(States { input: &input, result: None, error_output: None }, &environment);
        for rule in &choice.rules {
            let _ = rule.condition.evaluate_query(&scope, "Choices[0]/Condition");
        }
    }
}
