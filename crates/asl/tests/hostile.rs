//! No text and no data may bring the crate down: no panic, no overflow of the stack, no work without a bound.

use proptest::prelude::*;
use stepwell_asl::choice::Pattern;
use stepwell_asl::compile::MachineType;
use stepwell_asl::intrinsic::Call;
use stepwell_asl::path::{Path, ReferencePath};
use stepwell_asl::value::Object;
use stepwell_asl::{Environment, Payload, Timestamp, Value, compile, json, validate};

struct Nothing(Value);

impl Environment for Nothing {
    fn context(&self) -> &Value {
        &self.0
    }

    fn variable(&self, _name: &str) -> Option<&Value> {
        None
    }

    fn random_u64(&self) -> u64 {
        0
    }
}

fn nothing() -> Nothing {
    Nothing(Value::empty_object())
}

/// Any JSON value of moderate size.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000.0..1000.0_f64).prop_map(|n| Value::Number(stepwell_asl::value::Number::Float(n))),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-d]|.{1,3}", inner), 0..5)
                .prop_map(|members| Value::from(members.into_iter().collect::<Object>())),
        ]
    })
}

/// A step of a path, as text and for the naive evaluator.
#[derive(Debug, Clone)]
enum Step {
    Name(String),
    Index(i64),
    Wildcard,
    Slice(Option<i64>, Option<i64>),
    Descent(String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bound = || prop::option::of(-4_i64..5);
    let step = prop_oneof![
        4 => "[a-d]".prop_map(Step::Name),
        3 => (-3_i64..4).prop_map(Step::Index),
        1 => Just(Step::Wildcard),
        1 => (bound(), bound()).prop_map(|(from, to)| Step::Slice(from, to)),
        1 => "[a-d]".prop_map(Step::Descent),
    ];
    prop::collection::vec(step, 0..5)
}

fn text_of(steps: &[Step]) -> String {
    let show = |bound: &Option<i64>| bound.map_or(String::new(), |n| n.to_string());
    let step = |step: &Step| match step {
        Step::Name(name) => format!(".{name}"),
        Step::Index(index) => format!("[{index}]"),
        Step::Wildcard => "[*]".into(),
        Step::Slice(from, to) => format!("[{}:{}]", show(from), show(to)),
        Step::Descent(name) => format!("..{name}"),
    };
    format!("${}", steps.iter().map(step).collect::<String>())
}

/// The obvious evaluator: everything that is selected, by cloning.
fn naive(value: &Value, steps: &[Step]) -> Vec<Value> {
    let Some((step, rest)) = steps.split_first() else { return vec![value.clone()] };
    let children = || -> Vec<Value> {
        match value {
            Value::Array(list) => list.to_vec(),
            Value::Object(members) => members.iter().map(|(_, v)| v.clone()).collect(),
            _ => Vec::new(),
        }
    };
    let list = value.as_array().unwrap_or_default();
    let at = |index: i64| if index < 0 { index + list.len() as i64 } else { index };
    let next: Vec<Value> = match step {
        Step::Name(name) => value.get(name).cloned().into_iter().collect(),
        Step::Index(index) => {
            usize::try_from(at(*index)).ok().and_then(|i| list.get(i)).cloned().into_iter().collect()
        }
        Step::Wildcard => children(),
        Step::Slice(from, to) => {
            let (from, to) = (from.map_or(0, at), to.map_or(list.len() as i64, at));
            let inside = |i: &usize| (from..to).contains(&(*i as i64));
            (0..list.len()).filter(inside).map(|i| list[i].clone()).collect()
        }
        Step::Descent(name) => {
            let mut found: Vec<Value> = value.get(name).cloned().into_iter().collect();
            for child in children() {
                found.extend(naive(&child, std::slice::from_ref(step)));
            }
            found
        }
    };
    next.iter().flat_map(|v| naive(v, rest)).collect()
}

/// The names of fields that some state has.
const FIELDS: [&str; 46] = [
    "Next",
    "End",
    "Comment",
    "InputPath",
    "OutputPath",
    "ResultPath",
    "Parameters",
    "ResultSelector",
    "Result",
    "Arguments",
    "Output",
    "Assign",
    "Resource",
    "Credentials",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "HeartbeatSeconds",
    "HeartbeatSecondsPath",
    "Retry",
    "Catch",
    "Choices",
    "Default",
    "Seconds",
    "SecondsPath",
    "Timestamp",
    "TimestampPath",
    "Error",
    "ErrorPath",
    "Cause",
    "CausePath",
    "Branches",
    "ItemProcessor",
    "Iterator",
    "ItemsPath",
    "Items",
    "ItemSelector",
    "MaxConcurrency",
    "MaxConcurrencyPath",
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailureCount",
    "ToleratedFailurePercentage",
    "ToleratedFailureCountPath",
    "X",
];

/// Values that some field may have.
fn field_values() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => values().prop_map(|value| value.to_json()),
        5 => prop::sample::select(vec![
            r#""B""#, "true", "1", r#""$.a""#, r#""$""#, r#""$v""#, r#""{% $states.input %}""#, r#""{% $x""#, "[]", "{}",
            r#"{"a.$":"$.b"}"#, r#"{"a":"{% 1 %}"}"#, r#"[{"ErrorEquals":["States.ALL"],"Next":"B"}]"#,
            r#"[{"Variable":"$.a","IsNull":true,"Next":"B"}]"#, r#"[{"Condition":"{% true %}","Next":"B"}]"#,
            r#""arn:aws:states:::lambda:invoke""#, r#""arn:aws:states:::sqs:sendMessage.waitForTaskToken""#,
            r#"{"StartAt":"C","States":{"C":{"Type":"Pass","End":true}}}"#,
            r#"[{"StartAt":"D","States":{"D":{"Type":"Pass","End":true}}}]"#, r#""2024-01-01T00:00:00Z""#,
        ]).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn paths_select_what_the_naive_evaluator_selects(value in values(), steps in steps()) {
        let path = Path::parse(&text_of(&steps)).unwrap();
        let expected = naive(&value, &steps);
        match path.evaluate(&value, &nothing()) {
            Ok(found) if path.is_definite() => prop_assert_eq!(vec![found], expected),
            Ok(found) => prop_assert_eq!(found, Value::from(expected)),
            Err(_) => prop_assert!(path.is_definite() && expected.is_empty()),
        }
    }

    #[test]
    fn json_text_reads_back_the_same(value in values()) {
        let text = value.to_json();
        let read = json::parse(&text).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(read.to_json(), text.clone());
        prop_assert_eq!(json::parse_spanned(&text).unwrap().to_value(), value);
    }

    #[test]
    fn an_inserted_value_is_found_again(value in values(), steps in steps()) {
        let plain = steps.iter().all(|s| matches!(s, Step::Name(_)) || matches!(s, Step::Index(0..)));
        let path = text_of(&steps);
        if let Ok(reference) = ReferencePath::parse(&path) {
            prop_assert!(plain);
            if let Ok(changed) = reference.insert(&value, "inserted".into()) {
                let found = Path::parse(&path).unwrap().evaluate(&changed, &nothing());
                prop_assert_eq!(found.unwrap(), Value::from("inserted"));
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        let _ = json::parse(&text);
        let _ = Path::parse(&format!("${text}"));
        let _ = Call::parse(&format!("States.Format({text}"));
        let _ = Timestamp::parse_rfc3339(&text);
        let _ = Pattern::parse(&text).matches(&text);
        let _ = compile(&text);
    }

    #[test]
    fn texts_that_resemble_paths_are_read_or_refused(text in r"[$@.\[\]()?*'a-c0-9,:!=<>&|/~ \\-]{0,40}", value in values()) {
        if let Ok(path) = Path::parse(&format!("${text}")) {
            let _ = path.evaluate(&value, &nothing());
        }
        if let Ok(call) = Call::parse(&format!("States.Array({text})")) {
            let _ = call.evaluate(&value, &nothing());
        }
    }

    #[test]
    fn definitions_of_any_fields_are_compiled_or_refused(
        kind in prop::sample::select(vec!["Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"]),
        language in prop::sample::select(vec!["JSONPath", "JSONata"]),
        fields in prop::collection::vec((prop::sample::select(FIELDS.to_vec()), field_values()), 0..8),
    ) {
        let fields: String = fields.iter().map(|(name, value)| format!(r#","{name}":{value}"#)).collect();
        let state = format!(r#"{{"Type":"{kind}","QueryLanguage":"{language}"{fields}}}"#);
        let text = format!(r#"{{"StartAt":"A","States":{{"A":{state},"B":{{"Type":"Succeed"}}}}}}"#);
        let findings = validate(&text, MachineType::Express);
        let has_errors = findings.iter().any(|f| f.severity == stepwell_asl::Severity::Error);
        prop_assert_eq!(stepwell_asl::compile_as(&text, MachineType::Express).is_err(), has_errors);
        for finding in findings {
            prop_assert!(finding.span.start <= finding.span.end && finding.span.end <= text.len());
        }
        let _ = stepwell_asl::compile::compile_state(&state);
    }

    #[test]
    fn broken_definitions_are_refused(value in values(), cut in 0_usize..200) {
        let text = format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Pass","Parameters":{value},"Next":{value}}}}}}}"#);
        let _ = validate(&text, MachineType::Standard);
        let cut: String = text.chars().take(cut).collect();
        let _ = validate(&cut, MachineType::Express);
    }
}

/// The text of `inner` between `depth` times `open` and `close`.
fn nested(open: &str, inner: &str, close: &str, depth: usize) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn depth_is_bounded_everywhere() {
    assert!(json::parse(&nested("[", "1", "]", 1000)).is_ok());
    assert!(json::parse(&nested("[", "1", "]", 1001)).is_err());
    assert!(json::parse(&nested("[", "", "", 5_000_000)).is_err());
    assert!(Path::parse(&nested("$[?(", "@.a", ")]", 100_000)).is_err());
    assert!(Path::parse(&format!("$[?({}@.a)]", "!".repeat(100_000))).is_err());
    assert!(Path::parse(&nested("$[?(@.a == [", "1", "])]", 50_000)).is_err());
    assert!(Call::parse(&nested("States.Array(", "1", ")", 100_000)).is_err());
    let rule = nested(r#"{"Not":"#, r#"{"Variable":"$.a","IsNull":true}"#, "}", 280);
    let rule = format!(r#"{{"Next":"B",{}"#, &rule[1..]);
    let choice = format!(
        r#"{{"StartAt":"A","States":{{"A":{{"Type":"Choice","Choices":[{rule}]}},"B":{{"Type":"Succeed"}}}}}}"#
    );
    let program = compile(&choice).unwrap();
    let stepwell_asl::program::StateKind::Choice(choice) = &program.states[0].kind else { panic!() };
    let input = json::parse(r#"{"a":null}"#).unwrap();
    assert!(choice.rules[0].condition.evaluate(&input, &nothing()).unwrap());
}

/// A Parallel in a Parallel, `depth` times.
fn nested_parallels(depth: usize) -> String {
    (0..depth).fold(r#"{"Type":"Pass","End":true}"#.to_owned(), |inner, i| {
        format!(
            r#"{{"Type":"Parallel","End":true,"Branches":[{{"StartAt":"S{i}","States":{{"S{i}":{inner}}}}}]}}"#
        )
    })
}

#[test]
fn containers_are_nested_so_deep_and_no_deeper() {
    let machine = |state: String| format!(r#"{{"StartAt":"Top","States":{{"Top":{state}}}}}"#);
    assert!(compile(&machine(nested_parallels(49))).is_ok());
    for depth in [50, 200, 10_000] {
        let refused = compile(&machine(nested_parallels(depth))).unwrap_err();
        assert!(matches!(refused.0[0].code, "TOO_DEEPLY_NESTED" | "INVALID_JSON_DESCRIPTION"), "{refused}");
    }
}

#[test]
fn deep_templates_are_compiled_and_evaluated() {
    let template = nested(r#"{"a":["#, r#"{"x.$":"$"}"#, "]}", 145);
    let text =
        format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Pass","Parameters":{template},"End":true}}}}}}"#);
    let program = compile(&text).unwrap();
    let stepwell_asl::program::StateKind::Pass(pass) = &program.states[0].kind else { panic!() };
    let parameters = pass.parameters.as_ref().unwrap();
    assert!(parameters.evaluate(&Value::Null, &nothing()).is_ok());
    let deep = json::parse(&nested("[", "1", "]", 900)).unwrap();
    assert!(parameters.evaluate(&deep, &nothing()).is_err());
}

#[test]
fn a_value_never_gets_deeper_than_text_may_be() {
    let path = ReferencePath::parse("$.a").unwrap();
    let mut value = Value::empty_object();
    let mut steps = 0;
    while let Ok(deeper) = path.insert(&Value::empty_object(), value.clone()) {
        value = deeper;
        steps += 1;
        assert!(steps < 2000);
    }
    assert!(Payload::parse(value.to_json()).is_ok());
}

#[test]
fn costly_paths_stop() {
    let long: Value = (0..2000).map(Value::from).collect::<Vec<_>>().into();
    let deep = json::parse(&nested(r#"{"a":["#, "1", "]}", 400)).unwrap();
    for (text, value) in [
        ("$[?(@ in $)]", &long),
        ("$[?($[?($[?(@ == 1)])])]", &long),
        ("$..*..*..*..*", &deep),
        ("$..a..a..a..a", &deep),
        ("$[?(@..x)]", &long),
    ] {
        let _ = Path::parse(text).unwrap().evaluate(value, &nothing());
    }
}

#[test]
fn large_definitions_are_compiled_or_refused() {
    let states: String =
        (0..5000).map(|i| format!(r#""S{i}":{{"Type":"Pass","Next":"S{}"}},"#, i + 1)).collect();
    let text = format!(r#"{{"StartAt":"S0","States":{{{states}"S5000":{{"Type":"Succeed"}}}}}}"#);
    assert_eq!(compile(&text).unwrap().states.len(), 5001);
    let errors: String = (0..20_000).map(|i| format!(r#""S{i}":{{"Type":7}},"#)).collect();
    let text = format!(r#"{{"StartAt":"S0","States":{{{errors}"Z":{{"Type":"Succeed"}}}}}}"#);
    assert!(!validate(&text, MachineType::Standard).is_empty());
    let members: String = (0..60_000).map(|i| format!(r#""m{i}.$":"$","#)).collect();
    let text = format!(
        r#"{{"StartAt":"A","States":{{"A":{{"Type":"Pass","Parameters":{{{members}"z":1}},"End":true}}}}}}"#
    );
    let program = compile(&text).unwrap();
    let stepwell_asl::program::StateKind::Pass(pass) = &program.states[0].kind else { panic!() };
    let big = json::parse(&format!("[{}1]", "1,".repeat(60_000))).unwrap();
    assert_eq!(
        pass.parameters.as_ref().unwrap().evaluate(&big, &nothing()).unwrap_err().error,
        "States.DataLimitExceeded"
    );
    assert!(compile(&format!("{{{}}}", " ".repeat(1_048_576))).is_err());
}
