//! Functions that bring their own program.

use serde_json::json;

use crate::support::{Bench, ROLE, zip_text};

async fn provided(bench: &Bench, name: &str, files: &[(&str, &str)]) {
    let input = json!({"FunctionName": name, "Runtime": "provided.al2023", "Handler": "any", "Role": ROLE,
        "Code": {"ZipFile": zip_text(files)}});
    bench.call("CreateFunction", input).await.expect("is created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_serves_the_runtime_api() {
    let bench = Bench::new();
    let bootstrap = r#"#!/usr/bin/env python3
import os, urllib.request
base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'
while True:
    answer = urllib.request.urlopen(base + 'next')
    id = answer.headers['Lambda-Runtime-Aws-Request-Id']
    payload = answer.read()
    try:
        urllib.request.urlopen(urllib.request.Request(base + 'no-such-id/response', data=b'1', method='POST'))
        verdict = b'wrong id accepted'
    except urllib.error.HTTPError as error:
        verdict = b'%d' % error.code
    urllib.request.urlopen(urllib.request.Request(base + id + '/response', data=b'Echo ' + payload + b' ' + verdict, method='POST'))
"#;
    provided(&bench, "custom", &[("bootstrap", bootstrap)]).await;
    for _ in 0..2 {
        assert_eq!(bench.invoke("custom", r#"{"a":1}"#).await, (false, r#"Echo {"a":1} 400"#.into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_that_is_absent_or_no_program_is_named() {
    let bench = Bench::new();
    provided(&bench, "absent", &[("other", "")]).await;
    let error = bench.error("absent", "{}").await;
    assert_eq!(error["errorType"], "Runtime.InvalidEntrypoint");
    assert!(
        error["errorMessage"].as_str().is_some_and(|m| m.contains("Couldn't find valid bootstrap(s): [")),
        "{error}"
    );
    provided(&bench, "nonsense", &[("bootstrap", "\u{1}\u{2}")]).await;
    assert_eq!(bench.error("nonsense", "{}").await["errorType"], "Runtime.ExitError");
}
