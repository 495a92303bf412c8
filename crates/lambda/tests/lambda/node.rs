//! Node handlers.

use serde_json::{Value, json};

use crate::support::{Bench, ROLE, zip_text};

fn has_node() -> bool {
    let there =
        std::process::Command::new("node").arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("SKIPPED: there is no node on this machine");
    }
    there
}

async fn node(bench: &Bench, name: &str, file: &str, source: &str, handler: &str) {
    let input = json!({"FunctionName": name, "Runtime": "nodejs24.x", "Handler": handler, "Role": ROLE, "Timeout": 20,
        "MemorySize": 256, "Code": {"ZipFile": zip_text(&[(file, source), ("lib/other.js", "exports.main = async () => 'nested'")])}});
    bench.call("CreateFunction", input).await.expect("is created");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_kinds_of_handlers_answer() {
    if !has_node() {
        return;
    }
    let bench = Bench::new();
    let cases = [
        (
            "async",
            "index.js",
            "exports.main = async (event, context) => ({event, name: context.functionName})",
        ),
        (
            "callback",
            "index.js",
            "exports.main = (event, context, callback) => { setTimeout(() => callback(null, {event, name: context.functionName}), 5) }",
        ),
        (
            "module",
            "index.mjs",
            "export const main = async (event, context) => ({event, name: context.functionName})",
        ),
        (
            "common",
            "index.cjs",
            "exports.main = async (event, context) => ({event, name: context.functionName})",
        ),
    ];
    for (name, file, source) in cases {
        node(&bench, name, file, source, "index.main").await;
        for _ in 0..2 {
            assert_eq!(bench.value(name, r#"{"a": "ü"}"#).await, json!({"event": {"a": "ü"}, "name": name}));
        }
    }
    node(&bench, "nested", "index.js", "", "lib/other.main").await;
    assert_eq!(bench.value("nested", "{}").await, "nested");
    node(&bench, "silent", "index.js", "exports.main = () => {}", "index.main").await;
    assert_eq!(bench.value("silent", "{}").await, Value::Null);
    assert_eq!(bench.value("silent", "{}").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_awss_shape() {
    if !has_node() {
        return;
    }
    let bench = Bench::new();
    let cases = [
        ("throws", "exports.main = async () => { throw new TypeError('broken') }", "TypeError", "broken"),
        (
            "fails",
            "exports.main = (e, c, callback) => callback(new Error('given back'))",
            "Error",
            "given back",
        ),
        ("text", "exports.main = async () => { throw 'only text' }", "string", "only text"),
        (
            "rejects",
            "exports.main = async () => { Promise.reject(new Error('lost')); await new Promise(r => setTimeout(r, 500)) }",
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
        ),
        (
            "uncaught",
            "exports.main = (e, c, callback) => { setTimeout(() => { throw new RangeError('late') }, 5) }",
            "RangeError",
            "late",
        ),
        (
            "import",
            "require('no-such-package'); exports.main = async () => 1",
            "Runtime.ImportModuleError",
            "Cannot find module 'no-such-package'",
        ),
        ("syntax", "exports.main = async ( => 1", "Runtime.UserCodeSyntaxError", "SyntaxError"),
        ("absent", "exports.other = 1", "Runtime.HandlerNotFound", "index.main is undefined or not exported"),
        ("exits", "exports.main = async () => process.exit(4)", "Runtime.ExitError", "exit status 4"),
    ];
    for (name, source, kind, message) in cases {
        node(&bench, name, "index.js", source, "index.main").await;
        let error = bench.error(name, "{}").await;
        assert_eq!(error["errorType"], kind, "{error}");
        assert!(error["errorMessage"].as_str().is_some_and(|m| m.contains(message)), "{error}");
    }
    let error = bench.error("throws", "{}").await;
    assert!(
        error["trace"][0] == "TypeError: broken" && error["trace"].as_array().is_some_and(|t| t.len() > 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_loop_is_ended_and_logs_are_kept() {
    if !has_node() {
        return;
    }
    let bench = Bench::new();
    let source = "exports.main = async (event) => { console.log('seen', event); if (event.hang) while (true); return process.pid }";
    node(&bench, "busy", "index.js", source, "index.main").await;
    bench
        .call("UpdateFunctionConfiguration", json!({"FunctionName": "busy", "Timeout": 1}))
        .await
        .expect("is changed");
    assert!(bench.value("busy", "{}").await.is_number());
    assert_eq!(bench.error("busy", r#"{"hang": 1}"#).await["errorType"], "Sandbox.Timedout");
    assert!(bench.value("busy", "{}").await.is_number());
    let log = bench.log_with("busy", "\tINFO\tseen { hang: 1 }").await;
    assert!(log.contains("running on Node") || log.contains("nodejs24.x ("), "{log}");
}
