//! Python handlers: answers, errors, environment, reuse.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::{Bench, ROLE, zip_text};

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_echoes_and_sees_its_context() {
    let bench = Bench::new();
    let source = "
def main(event, context):
    print('hello from', context.function_name)
    left = context.get_remaining_time_in_millis()
    return {'event': event, 'arn': context.invoked_function_arn, 'id': context.aws_request_id,
            'time': 0 < left <= 30000, 'memory': context.memory_limit_in_mb,
            'custom': context.client_context.custom if context.client_context else None}
";
    bench.python("echo", source).await;
    let context = BASE64.encode(r#"{"custom": {"k": "v"}}"#);
    let input =
        json!({"FunctionName": "echo", "LogType": "Tail", "Qualifier": "$LATEST", "ClientContext": context});
    let reply = bench.reply(input, r#"{"a": [1, "ä", null]}"#).await.expect("is invoked");
    let got: Value = serde_json::from_slice(&reply.body.clone().expect("a payload")).expect("JSON");
    assert_eq!(got["event"], json!({"a": [1, "ä", null]}));
    assert_eq!(got["arn"], "arn:aws:lambda:us-east-1:000000000000:function:echo:$LATEST");
    assert_eq!(got["id"].as_str(), reply.request_id.as_deref());
    assert_eq!((&got["time"], &got["memory"]), (&json!(true), &json!("128")));
    assert_eq!(got["custom"], json!({"k": "v"}));
    let tail = BASE64.decode(reply.header("X-Amz-Log-Result").expect("a log")).expect("base64");
    let tail = String::from_utf8(tail).expect("UTF-8");
    let lines: Vec<&str> = tail.lines().collect();
    assert!(lines[0].starts_with("START RequestId: ") && lines[0].ends_with("Version: $LATEST"), "{tail}");
    assert_eq!(lines[1], "hello from echo");
    assert!(lines[2].starts_with("END RequestId: ") && lines[3].starts_with("REPORT RequestId: "), "{tail}");
    assert!(lines[3].contains("Init Duration"), "{tail}");
    bench.log_with("echo", "hello from echo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_payload_is_an_empty_object() {
    let bench = Bench::new();
    bench.python("echo", "def main(event, context):\n    return event\n").await;
    assert_eq!(bench.value("echo", "").await, json!({}));
    assert_eq!(bench.value("echo", "null").await, Value::Null);
    let fault = bench.reply(json!({"FunctionName": "echo"}), "{").await.expect_err("is refused");
    assert_eq!(fault.code, "InvalidRequestContentException");
    assert!(fault.message.starts_with("Could not parse request body into json: "), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_awss_shape() {
    let bench = Bench::new();
    let source = "
class CustomException(Exception):
    pass

def main(event, context):
    if event.get('custom'):
        raise CustomException('mine')
    return event['id']
";
    bench.python("fails", source).await;
    let error = bench.error("fails", "{}").await;
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("KeyError"), &json!("'id'")));
    assert_eq!(error["requestId"].as_str().map(str::len), Some(36));
    let trace = error["stackTrace"][0].as_str().expect("a trace");
    assert!(trace.contains("index.py\", line 8, in main"), "{trace}");
    assert_eq!(bench.error("fails", r#"{"custom": 1}"#).await["errorType"], "CustomException");
    assert_eq!(bench.value("fails", r#"{"id": 7}"#).await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_cannot_start_says_why() {
    let bench = Bench::new();
    let cases = [
        ("import-error", "import no_such_module\n", "index.main", "Runtime.ImportModuleError"),
        ("syntax-error", "def main(:\n", "index.main", "Runtime.UserCodeSyntaxError"),
        ("no-handler", "x = 1\n", "index.main", "Runtime.HandlerNotFound"),
        ("no-module", "x = 1\n", "other.main", "Runtime.ImportModuleError"),
        ("bad-handler", "x = 1\n", "nothing", "Runtime.MalformedHandlerName"),
        ("raises", "raise ValueError('at import')\n", "index.main", "ValueError"),
        ("exits", "import os\nos._exit(3)\n", "index.main", "Runtime.ExitError"),
    ];
    for (name, source, handler, kind) in cases {
        bench.python_with(name, source, json!({ "Handler": handler })).await;
        let error = bench.error(name, "{}").await;
        assert_eq!(error["errorType"], kind, "{error}");
    }
    let error = bench.error("exits", "{}").await;
    let message = error["errorMessage"].as_str().expect("a text");
    assert!(message.ends_with("Error: Runtime exited with error: exit status 3"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_functions_own() {
    let bench = Bench::with(|o| o.endpoint_url.set("http://127.0.0.1:1".into()).expect("is unset"));
    bench
        .python_with(
            "env",
            "import os\ndef main(event, context):\n    return dict(os.environ)\n",
            json!({"Environment": {"Variables": {"TABLE_NAME": "t", "LANG": "C.UTF-8"}}}),
        )
        .await;
    let seen = bench.value("env", "{}").await;
    let expected = [
        ("TABLE_NAME", "t"),
        ("LANG", "C.UTF-8"),
        ("TZ", ":UTC"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "env"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/env"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11"),
        ("_HANDLER", "index.main"),
    ];
    for (name, value) in expected {
        assert_eq!(seen[name], value, "{name}");
    }
    for name in
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_STREAM_NAME"]
    {
        assert!(seen[name].as_str().is_some_and(|v| !v.is_empty()), "{name}");
    }
    // Cargo sets these for this test; they are part of the server's environment.
    let ours: BTreeSet<String> =
        std::env::vars().map(|(name, _)| name).filter(|n| n.starts_with("CARGO")).collect();
    assert!(!ours.is_empty());
    for name in ours {
        assert_eq!(seen.get(&name), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_process_serves_again_and_parallel_ones_run_beside_each_other() {
    let bench = Bench::new();
    let source = "
import os, time
count = 0
def main(event, context):
    global count
    count += 1
    deadline = time.time() + 20
    path = event.get('meet')
    if path:
        open(path + '/' + context.aws_request_id, 'w').close()
        while len(os.listdir(path)) < event['number']:
            assert time.time() < deadline
            time.sleep(0.01)
    return [os.getpid(), count]
";
    bench.python("warm", source).await;
    let first = bench.value("warm", "{}").await;
    let second = bench.value("warm", "{}").await;
    assert_eq!((&first[0], &first[1], &second[1]), (&second[0], &json!(1), &json!(2)));

    // Four that wait for each other can only end if they run at the same time.
    let meet = bench.dir.path().join("meet");
    std::fs::create_dir(&meet).expect("is made");
    let payload = json!({"meet": meet, "number": 4}).to_string();
    let all = tokio::join!(
        bench.value("warm", &payload),
        bench.value("warm", &payload),
        bench.value("warm", &payload),
        bench.value("warm", &payload)
    );
    let pids: BTreeSet<i64> = [all.0, all.1, all.2, all.3].iter().filter_map(|v| v[0].as_i64()).collect();
    assert_eq!(pids.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_version_is_replaced_and_the_log_says_so() {
    let bench = Bench::new();
    let source = "import sys\ndef main(event, context):\n    return sys.version_info[1]\n";
    bench.python_with("old", source, json!({"Runtime": "python3.6"})).await;
    let minor = bench.value("old", "{}").await;
    if minor != 6 {
        bench
            .log_with(
                "old",
                &format!("WARNING: python3.6 is not installed on this machine; running on Python 3.{minor}"),
            )
            .await;
    }
    let shown =
        bench.call("GetFunctionConfiguration", json!({"FunctionName": "old"})).await.expect("is shown");
    assert_eq!(shown["Runtime"], "python3.6");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_functions_run() {
    let bench = Bench::with(|o| o.endpoint_url.set("http://127.0.0.1:1".into()).expect("is unset"));
    bench.python("get-num", "def main(event, context):\n    return {'counter': 10}\n").await;
    bench
        .python("process", "def main(event, context):\n    return {'counter': event['counter'] - 1}\n")
        .await;
    let submit = "
def main(event, context):
    return {'id': event['id'], 'status': 'SUCCEEDED', 'lambdaResult': {'message': 'Hello Hai Tran '}}
";
    bench.python("SubmitFunction", submit).await;
    assert_eq!(bench.value("get-num", "{}").await, json!({"counter": 10}));
    assert_eq!(bench.value("process", r#"{"counter": 10}"#).await, json!({"counter": 9}));
    let expected =
        json!({"id": "job-1", "status": "SUCCEEDED", "lambdaResult": {"message": "Hello Hai Tran "}});
    assert_eq!(bench.value("SubmitFunction", r#"{"id": "job-1"}"#).await, expected);

    // The module body makes a client without a region, and takes longer than the function's timeout.
    let seed = "
import os, time, boto3
client = boto3.client('dynamodb')
table = os.environ['TABLE_NAME']
time.sleep(1.2)
def handler(event, context):
    return [client.meta.endpoint_url, client.meta.region_name, table, os.path.dirname(boto3.__file__)]
";
    let input = json!({"FunctionName": "SeedDDBFunction", "Runtime": "python3.8", "Handler": "index.handler",
        "Role": ROLE, "Timeout": 1, "Environment": {"Variables": {"TABLE_NAME": "TableStepFuncDemo"}},
        "Code": {"ZipFile": zip_text(&[("index.py", seed)])}});
    bench.call("CreateFunction", input).await.expect("is created");
    let got = bench.value("SeedDDBFunction", "{}").await;
    assert_eq!(
        (&got[0], &got[1], &got[2]),
        (&json!("http://127.0.0.1:1"), &json!("us-east-1"), &json!("TableStepFuncDemo"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_in_the_code_wins() {
    let bench = Bench::new();
    let files = [
        ("index.py", "import boto3\ndef main(event, context):\n    return boto3.MINE\n"),
        ("boto3/__init__.py", "MINE = 'bundled'\n"),
    ];
    bench.python_with("bundled", "", json!({"Code": {"ZipFile": zip_text(&files)}})).await;
    assert_eq!(bench.value("bundled", "{}").await, "bundled");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_packages_our_own_client_serves() {
    // A cache that cannot be written to stands for a machine without network.
    let bench = Bench::with(|o| {
        std::fs::create_dir_all(&o.work_dir).expect("is made");
        o.cache_dir = o.work_dir.join("no-directory");
        std::fs::write(&o.cache_dir, "").expect("writes");
    });
    let source = "
import logging, sys
def main(event, context):
    logging.warning('a warning')
    if event.get('fail'):
        raise ValueError('no')
    if event.get('bytes'):
        return b'raw'
    if event.get('object'):
        return object()
    return [event, context.function_name, context.get_remaining_time_in_millis() > 0]
";
    bench.python("own", source).await;
    assert_eq!(bench.value("own", r#"{"ü": 1}"#).await, json!([{"ü": 1}, "own", true]));
    let error = bench.error("own", r#"{"fail": 1}"#).await;
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("ValueError"), &json!("no")));
    assert_eq!(error["stackTrace"].as_array().map(Vec::len), Some(1));
    assert!(
        error["stackTrace"][0].as_str().is_some_and(|t| t.contains("index.py\", line 6, in main")),
        "{error}"
    );
    assert_eq!(bench.invoke("own", r#"{"bytes": 1}"#).await, (false, "raw".into()));
    assert_eq!(bench.error("own", r#"{"object": 1}"#).await["errorType"], "Runtime.MarshalError");
    bench.log_with("own", "[WARNING]\t").await;
    bench.python("broken", "import no_such_module\n").await;
    let error = bench.error("broken", "{}").await;
    assert_eq!(error["errorType"], "Runtime.ImportModuleError");
    assert_eq!(error["requestId"].as_str().map(str::len), Some(36));
}
