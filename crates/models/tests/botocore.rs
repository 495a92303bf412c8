//! Requests against those of botocore, which speaks with every service: `STEPWELL_ALL_SERVICES=1` compares all of
//! them, otherwise some of every protocol, the peculiar ones among them.

#![allow(clippy::print_stderr)] // The only way to say that a test was skipped.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};
use stepwell_aws::Call;

const SERVICES: &[&str] = &[
    "apigateway",
    "athena",
    "bedrock-runtime",
    "cloudfront",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecs",
    "events",
    "glue",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "rds",
    "route53",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
];

#[test]
fn requests_are_those_of_botocore() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/requests.py");
    let installed = Command::new("python3").args(["-c", "import botocore"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 with botocore is needed");
        return;
    }
    let all = std::env::var_os("STEPWELL_ALL_SERVICES").is_some();
    let services = if all { &[] } else { SERVICES };
    let mut python =
        Command::new("python3").arg(script).args(services).stdout(Stdio::piped()).spawn().expect("python3");
    let lines = BufReader::new(python.stdout.take().expect("piped")).lines();
    let (mut compared, mut problems) = (0, Vec::new());
    for line in lines {
        let case: Json = serde_json::from_str(&line.expect("a line")).expect("JSON");
        compared += 1;
        if let Err(problem) = compare(&case) {
            problems.push(format!("{} {}: {problem}", case["service"], case["operation"]));
        }
    }
    assert!(python.wait().expect("ends").success(), "the script failed");
    eprintln!("{compared} requests compared");
    assert!(compared > 3000, "only {compared} requests");
    let shown: Vec<_> = problems.iter().take(40).map(String::as_str).collect();
    assert!(problems.is_empty(), "{} of {compared} differ:\n{}", problems.len(), shown.join("\n"));
}

fn compare(case: &Json) -> Result<(), String> {
    let text = |name: &str| case[name].as_str().unwrap_or_default();
    let service = stepwell_models::service(text("service")).ok_or("no such service")?;
    let mut call = Call::new(text("operation"), case["input"].clone());
    call.body = STANDARD.decode(text("blob")).expect("Base64").into();
    let ours = service.encode(&call).map_err(|error| error.to_string())?;

    same("method", &ours.method, text("method"))?;
    let (our_path, our_query) = ours.path_and_query.split_once('?').unwrap_or((&ours.path_and_query, ""));
    let (path, fixed) = text("path").split_once('?').unwrap_or((text("path"), ""));
    same("path", our_path, path)?;
    let mut query: Vec<String> =
        fixed.split('&').filter(|f| !f.is_empty()).map(|f| f.trim_end_matches('=').into()).collect();
    for pair in case["query"].as_array().expect("pairs") {
        let part = |n: usize| stepwell_models::percent_encoded(pair[n].as_str().unwrap_or_default());
        query.push(format!("{}={}", part(0), part(1)).trim_end_matches('=').to_owned());
    }
    let mut our_query: Vec<String> =
        our_query.split('&').filter(|f| !f.is_empty()).map(|f| f.trim_end_matches('=').into()).collect();
    query.sort_unstable();
    our_query.sort_unstable();
    same("query", &our_query.join("&"), &query.join("&"))?;
    for (name, value) in case["headers"].as_object().expect("headers") {
        let found = ours.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        // How a body without a declared type is called is the SDK's choice.
        if name != "content-type" || text("blob").is_empty() {
            same(name, found.unwrap_or("(none)"), value.as_str().unwrap_or_default())?;
        }
    }
    body(case, &ours.body)
}

fn body(case: &Json, ours: &[u8]) -> Result<(), String> {
    let ours = String::from_utf8_lossy(ours);
    let theirs = &case["body"];
    if let Some(form) = theirs["form"].as_object() {
        let mut expected: Vec<String> = form
            .iter()
            .map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!(
                    "{}={}",
                    stepwell_models::percent_encoded(name),
                    stepwell_models::percent_encoded(&value)
                )
            })
            .collect();
        let mut found: Vec<&str> = ours.split('&').collect();
        expected.sort_unstable();
        found.sort_unstable();
        return same("form", &found.join("&"), &expected.join("&"));
    }
    let bytes = match theirs["bytes"].as_str() {
        Some(bytes) => STANDARD.decode(bytes).expect("Base64"),
        None => theirs["text"].as_str().unwrap_or_default().into(),
    };
    let expected = String::from_utf8_lossy(&bytes);
    let json = |text: &str| serde_json::from_str::<Map<String, Json>>(text).ok().map(normal);
    match (json(&ours), json(&expected)) {
        (Some(found), Some(expected)) if found == expected => Ok(()),
        _ => same("body", &ours, &without_short_tags(&expected)),
    }
}

/// `<a />` as `<a></a>`.
fn without_short_tags(xml: &str) -> String {
    let mut parts = xml.split(" />");
    let mut long = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name =
            long.rsplit('<').next().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        long.push_str(&format!("></{name}>{part}"));
    }
    long
}

/// Numbers compare by value.
fn normal(map: Map<String, Json>) -> Json {
    fn value(json: Json) -> Json {
        match json {
            Json::Number(number) => Json::from(number.as_f64()),
            Json::Array(elements) => Json::Array(elements.into_iter().map(value).collect()),
            Json::Object(members) => normal(members),
            other => other,
        }
    }
    let mut sorted: Vec<_> = map.into_iter().map(|(name, json)| (name, value(json))).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    Json::Object(sorted.into_iter().collect())
}

fn same(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}:\n  found    {found}\n  expected {expected}"))
    }
}
