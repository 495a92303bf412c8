//! Templates made to hurt: each ends with a typed error or a bounded result, soon and on a small stack.

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use stepwell_deploy::{DeployError, DeployRequest, Template, deploy};
use support::{Cloud, block_on};

fn outcome(template: &str) -> String {
    let cloud = Cloud::new();
    let request =
        DeployRequest { stack_name: "app".into(), template: template.into(), ..DeployRequest::default() };
    match block_on(deploy(cloud.environment(), &request, &cloud.sink())) {
        Ok(result) => format!("{} with {} resources", result.status, result.resources.len()),
        Err(DeployError::Template(error)) => error.to_string(),
        Err(other) => other.to_string(),
    }
}

fn queue_with(value: &str) -> String {
    format!(
        r#"{{"Resources": {{"Q": {{"Type": "AWS::SQS::Queue", "Properties": {{"QueueName": {value}}}}}}}}}"#
    )
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [200, 100_000] {
        let deep = queue_with(&format!("{}1{}", "[".repeat(depth), "]".repeat(depth)));
        assert!(outcome(&deep).contains("nested deeper than 100 levels"), "{}", outcome(&deep));
        let yaml = format!("Resources: {}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(outcome(&yaml).contains("YAML not well-formed"), "{}", outcome(&yaml));
        let block = format!("Resources:\n  {}1", "- ".repeat(depth));
        assert!(outcome(&block).contains("nested deeper than 100 levels"), "{}", outcome(&block));
        let quoted = format!("Resources: {}", "[\"]\",".repeat(depth));
        assert!(outcome(&quoted).contains("YAML not well-formed"), "{}", outcome(&quoted));
    }
    let joins = format!(r#"{}"x"{}"#, r#"{"Fn::Join": ["", ["#.repeat(60), "]]}".repeat(60));
    assert!(outcome(&queue_with(&joins)).contains("nested deeper"), "{}", outcome(&queue_with(&joins)));
}

#[test]
fn conditions_that_name_each_other_in_a_long_chain_are_fine_and_a_circle_is_not() {
    let mut conditions = r#""C0": {"Fn::Equals": ["a", "a"]}"#.to_owned();
    for index in 1..900 {
        write!(conditions, r#", "C{index}": {{"Fn::Not": [{{"Condition": "C{}"}}]}}"#, index - 1).unwrap();
    }
    let template =
        format!(r#"{{"Conditions": {{{conditions}}}, "Resources": {{"Q": {{"Type": "AWS::SQS::Queue"}}}}}}"#);
    assert_eq!(outcome(&template), "CREATE_COMPLETE with 1 resources");
    let circle = template.replace(r#""Fn::Equals": ["a", "a"]"#, r#""Fn::Not": [{"Condition": "C899"}]"#);
    assert!(outcome(&circle).contains("Circular dependency between conditions"));
}

#[test]
fn circles_of_resources_are_named() {
    let template = r#"
Resources:
  Before: {Type: AWS::SQS::Queue, DependsOn: A}
  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${B}"}}
  B: {Type: AWS::SQS::Queue, DependsOn: [C]}
  C: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt A.QueueName}}
  Self: {Type: AWS::SQS::Queue, DependsOn: Self}
"#;
    let text = outcome(template);
    assert!(text.starts_with("Circular dependency between resources: [A, B, C]"), "{text}");
    let alone = "Resources:\n  Self: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Self}}\n";
    assert_eq!(outcome(alone), "Circular dependency between resources: [Self] (at Resources/Self, line 2)");
}

#[test]
fn five_hundred_resources_in_a_chain_deploy_and_one_more_is_refused() {
    let chain = |count: usize| {
        let mut text = "Resources:\n  R0: {Type: AWS::SQS::Queue}\n".to_owned();
        for index in 1..count {
            let type_and_need = format!("{{Type: AWS::SQS::Queue, DependsOn: R{}}}", index - 1);
            writeln!(text, "  R{index}: {type_and_need}").unwrap();
        }
        text
    };
    assert_eq!(outcome(&chain(500)), "CREATE_COMPLETE with 500 resources");
    assert!(outcome(&chain(501)).contains("greater than maximum allowed, 500"));
}

#[test]
fn growth_is_bounded() {
    let begun = Instant::now();
    // Nine levels of ten aliases each: a billion values if they were written out.
    let mut bomb = "a0: &a0 x\n".to_owned();
    for level in 1..10 {
        writeln!(bomb, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", ")).unwrap();
    }
    assert!(outcome(&bomb).contains("aliases are not allowed"), "{}", outcome(&bomb));
    // A text that doubles: each Join repeats the parameter, each Sub the whole again.
    let parameter = "x".repeat(4000);
    let joined = format!(r#"{{"Fn::Join": ["", [{}]]}}"#, vec![r#"{"Ref": "P"}"#; 9000].join(","));
    let template = format!(
        r#"{{"Parameters": {{"P": {{"Type": "String", "Default": "{parameter}"}}}}, "Resources": {{"Q": {{"Type": "AWS::SQS::Queue", "Properties": {{"QueueName": {joined}}}}}}}}}"#
    );
    assert!(outcome(&template).contains("more than 16777216 bytes"), "{}", outcome(&template));
    let large = format!("{{\"Description\": \"{}\"}}", "x".repeat(1 << 20));
    assert!(outcome(&large).contains("Template may not exceed 1048576 bytes"));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn nonsense_never_panics() {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "null",
        "1e999",
        "-",
        "\\u12",
        "\u{feff}",
        "é",
        "!Ref",
        "!GetAtt a.b",
        "Resources",
        "Type",
        "- ",
        "\n",
        "  ",
        "&a",
        "*a",
        "{\"Ref\": ",
        "Fn::Sub",
        "${",
        "<<: ",
        "!!binary ",
        "\0",
        "AWS::NoValue",
        "%",
        "? ",
        "|\n",
        "> ",
    ];
    // A small generator with a fixed start: the same texts in every run.
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    for _ in 0..3000 {
        let mut text = if state & 1 == 0 { "{\"Resources\": ".to_owned() } else { "Resources:\n".to_owned() };
        for _ in 0..(state >> 8) % 24 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push_str(pieces[(state >> 20) as usize % pieces.len()]);
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let _ = Template::parse(&text);
    }
}

#[test]
fn functions_with_arguments_of_every_wrong_shape_are_problems() {
    let functions = [
        "Ref",
        "Fn::GetAtt",
        "Fn::Join",
        "Fn::Sub",
        "Fn::Select",
        "Fn::Split",
        "Fn::If",
        "Fn::And",
        "Fn::Or",
        "Fn::Not",
        "Fn::Equals",
        "Fn::FindInMap",
        "Fn::Base64",
        "Fn::ImportValue",
        "Fn::GetAZs",
        "Fn::Contains",
        "Fn::Transform",
        "Fn::",
    ];
    let arguments = [
        "null",
        "1",
        "true",
        "\"x\"",
        "\"\"",
        "[]",
        "[null]",
        "[1, 2]",
        "[[], []]",
        "[\"a\", {}]",
        "{}",
        "{\"a\": 1}",
        "[\"a\", \"b\", \"c\", \"d\"]",
        "[{\"Ref\": \"AWS::NoValue\"}, {\"Ref\": \"AWS::NoValue\"}]",
        "{\"Ref\": \"AWS::NoValue\"}",
        "{\"Ref\": \"AWS::StackName\"}",
        "[\"${\", {}]",
    ];
    for function in functions {
        for argument in arguments {
            let expression = format!("{{\"{function}\": {argument}}}");
            let first = outcome(&queue_with(&expression));
            assert!(!first.is_empty());
            let condition = format!(
                r#"{{"Conditions": {{"C": {expression}}}, "Resources": {{"Q": {{"Type": "AWS::SQS::Queue", "Condition": "C"}}}}}}"#
            );
            assert!(!outcome(&condition).is_empty());
        }
    }
}
