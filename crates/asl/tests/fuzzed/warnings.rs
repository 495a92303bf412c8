//! The warnings about what can never happen must be right: none of them for a definition that AWS was recorded running,
//! nor for our own examples.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use stepwell_asl::compile::MachineType;
use stepwell_asl::{Value, json, validate};

use crate::language;

const CODES: [&str; 4] =
    ["CHOICE_RULE_NEVER_MATCHES", "CHOICE_RULE_SHADOWED", "PATH_NEVER_EXISTS", "UNKNOWN_ERROR_NAME"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
}

/// The texts of all definitions in a document, those in strings included.
fn definitions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if members.get("StartAt").is_some() && members.get("States").is_some() {
                found.push(value.to_json());
            } else {
                members.iter().for_each(|(_, member)| definitions(member, found));
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| definitions(element, found)),
        Value::String(text) if text.trim_start().starts_with('{') => {
            if let Ok(inner) = json::parse(text) {
                definitions(&inner, found);
            }
        }
        _ => {}
    }
}

#[test]
fn no_false_alarm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = Vec::new();
    files(&root.join("examples"), &mut sources);
    assert!(!sources.is_empty(), "no examples");
    let recordings = root.join("../shared/conformance");
    if recordings.is_dir() {
        files(&recordings, &mut sources);
    } else {
        println!("skipped: the recordings are not at {}", recordings.display());
    }
    let (mut count, mut alarms) = (0, Vec::new());
    for source in sources {
        let Ok(document) = json::parse(&std::fs::read_to_string(&source).unwrap()) else { continue };
        let mut texts = Vec::new();
        definitions(&document, &mut texts);
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for text in texts {
            count += 1;
            for finding in validate(&text, MachineType::Standard) {
                if CODES.contains(&finding.code) {
                    alarms.push(format!("{name}: {finding}"));
                }
            }
        }
    }
    println!("{count} definitions");
    assert!(alarms.is_empty(), "{} warnings\n{}", alarms.len(), alarms.join("\n"));
}

/// A test of `$.a` or `$.b` against one of few values, so that contradictions and matches are both frequent.
fn tests() -> impl Strategy<Value = String> {
    let relation = prop::sample::select(vec![
        "Equals",
        "LessThan",
        "GreaterThan",
        "LessThanEquals",
        "GreaterThanEquals",
    ]);
    let right = prop_oneof![
        3 => (0..4_i32).prop_map(|n| ("Numeric", n.to_string())),
        1 => (0..4_i32).prop_map(|n| ("Numeric", format!("{n}.0"))),
        1 => prop::sample::select(vec!["9007199254740992", "9007199254740993", "9007199254740992.0"])
            .prop_map(|n| ("Numeric", n.to_owned())),
        3 => prop::sample::select(vec!["", "a", "ab", "b", "2024-01-01T00:00:00Z"])
            .prop_map(|s| ("String", format!("\"{s}\""))),
        1 => prop::sample::select(vec!["2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", "2025-01-01T00:00:00Z"])
            .prop_map(|s| ("Timestamp", format!("\"{s}\""))),
    ];
    let compare =
        (relation, right).prop_map(|(relation, (kind, right))| format!("\"{kind}{relation}\":{right}"));
    let other = prop::sample::select(vec![
        r#""BooleanEquals":true"#,
        r#""BooleanEquals":false"#,
        r#""StringMatches":"a*""#,
        r#""StringMatches":"*b""#,
        r#""IsPresent":true"#,
        r#""IsPresent":false"#,
        r#""IsNull":true"#,
        r#""IsNull":false"#,
        r#""IsString":true"#,
        r#""IsString":false"#,
        r#""IsTimestamp":true"#,
        r#""IsTimestamp":false"#,
        r#""IsNumeric":true"#,
        r#""NumericEqualsPath":"$.b""#,
        r#""StringLessThanPath":"$.b""#,
    ])
    .prop_map(str::to_owned);
    let variable = prop::sample::select(vec!["$.a", "$.a", "$.b"]);
    (variable, prop_oneof![3 => compare, 2 => other])
        .prop_map(|(variable, test)| format!(r#""Variable":"{variable}",{test}"#))
}

/// A rule without its braces and `Next`.
fn rules() -> impl Strategy<Value = String> {
    tests().prop_recursive(3, 12, 4, |inner| {
        let several =
            || prop::collection::vec(inner.clone(), 1..4).prop_map(|m| format!("[{{{}}}]", m.join("},{")));
        prop_oneof![
            4 => several().prop_map(|members| format!(r#""And":{members}"#)),
            1 => several().prop_map(|members| format!(r#""Or":{members}"#)),
            1 => inner.clone().prop_map(|member| format!(r#""Not":{{{member}}}"#)),
        ]
    })
}

fn inputs() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "0",
        "1",
        "2",
        "3",
        "1.5",
        "9007199254740992",
        "9007199254740993",
        "\"\"",
        "\"a\"",
        "\"ab\"",
        "\"b\"",
        "\"2024-01-01T00:00:00Z\"",
        "true",
        "false",
        "null",
        "[]",
        "{}",
    ]);
    (prop::option::of(value.clone()), value).prop_map(|(a, b)| {
        let a = a.map_or(String::new(), |a| format!(r#""a":{a},"#));
        format!(r#"{{{a}"b":{b}}}"#)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_that_is_said_never_to_match_does_not(
        rules in prop::collection::vec(rules(), 1..4),
        inputs in prop::collection::vec(inputs(), 12),
    ) {
        let rules = rules.join(r#"},{"Next":"E","#);
        for input in inputs {
            language::choice(format!("{{{rules}}}\n{input}").as_bytes());
        }
    }
}

/// Definitions of the largest size on which a careless search would not end.
#[test]
fn the_search_ends() {
    let machine =
        |states: String| format!(r#"{{"StartAt":"C","States":{{{states},"E":{{"Type":"Succeed"}}}}}}"#);
    let list =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    // Many rules of many members each.
    let test = |i: usize| format!(r#"{{"Variable":"$.v{i}","NumericLessThan":{i}}}"#);
    let rule = |i: usize| format!(r#"{{"And":[{}],"Next":"E"}}"#, list(100, &|k| test(i * 1000 + k)));
    let wide = format!(r#""C":{{"Type":"Choice","Default":"E","Choices":[{}]}}"#, list(190, &rule));
    // Or in Or in Or.
    let deep = format!(
        r#""C":{{"Type":"Choice","Default":"E","Choices":[{{{}"Variable":"$.a","IsNull":true{},"Next":"E"}}]}}"#,
        r#""Or":[{"#.repeat(140),
        "}]".repeat(140)
    );
    // What is known is handed on by many states.
    let result = list(20_000, &|i| format!(r#""m{i}":{i}"#));
    let pass = |i: usize| {
        format!(
            r#""P{i}":{{"Type":"Pass","ResultPath":null,"Next":"{}"}}"#,
            if i < 3999 { format!("P{}", i + 1) } else { "E".into() }
        )
    };
    let long = format!(r#""C":{{"Type":"Pass","Result":{{{result}}},"Next":"P0"}},{}"#, list(4000, &pass));
    // One choice with many ways out of it.
    let way = |i: usize| format!(r#"{{"Variable":"$.a","NumericEquals":{i},"Next":"P{i}"}}"#);
    let end = |i: usize| format!(r#""P{i}":{{"Type":"Pass","Next":"E"}}"#);
    let star = format!(
        r#""C":{{"Type":"Choice","Default":"E","Choices":[{}]}},{}"#,
        list(5000, &way),
        list(5000, &end)
    );
    for states in [wide, deep, long, star] {
        let text = machine(states);
        assert!(text.len() < stepwell_asl::compile::DEFINITION_BYTES_MAX);
        let findings = validate(&text, MachineType::Standard);
        assert!(findings.is_empty(), "{}", findings[0]);
    }
}
