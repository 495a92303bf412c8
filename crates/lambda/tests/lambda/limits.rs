//! Handlers that hang, crash, eat memory, flood the log or answer nonsense: a clear error each time, the service
//! alive.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::{Bench, eventually, lives};

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_hangs_is_ended_with_all_its_processes() {
    let bench = Bench::new();
    let source = "
import os, signal, subprocess, sys
def main(event, context):
    if not event.get('hang'):
        return os.getpid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(['sleep', '600'])
    print('PIDS', os.getpid(), child.pid, flush=True)
    while True:
        pass
";
    bench.python_with("hangs", source, json!({"Timeout": 1})).await;
    bench.value("hangs", "{}").await;
    let started = Instant::now();
    let error = bench.error("hangs", r#"{"hang": true}"#).await;
    assert!(started.elapsed() < Duration::from_secs(10));
    let message = error["errorMessage"].as_str().expect("a text");
    assert_eq!(error["errorType"], "Sandbox.Timedout");
    assert!(
        message.starts_with("RequestId: ") && message.ends_with(" Error: Task timed out after 1.00 seconds")
    );
    let log = bench.log_with("hangs", "PIDS").await;
    let line = log.lines().find(|l| l.contains("PIDS")).expect("the line");
    let pids: Vec<i64> = line.rsplit(' ').take(2).filter_map(|p| p.parse().ok()).collect();
    assert_eq!(pids.len(), 2);
    eventually("both processes end", || pids.iter().all(|p| !lives(*p)).then_some(())).await;
    assert!(bench.value("hangs", "{}").await.is_number());
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_are_reported_and_replaced() {
    let bench = Bench::new();
    let source = "
import os, signal
def main(event, context):
    if event.get('exit') is not None:
        os._exit(event['exit'])
    if event.get('signal'):
        os.kill(os.getpid(), event['signal'])
    return 'fine'
";
    bench.python("crashes", source).await;
    let cases = [
        (r#"{"exit": 7}"#, "Runtime exited with error: exit status 7"),
        (r#"{"exit": 0}"#, "Runtime exited without providing a reason"),
        (r#"{"signal": 9}"#, "Runtime exited with error: signal: killed"),
        (r#"{"signal": 11}"#, "Runtime exited with error: signal: segmentation fault"),
    ];
    for (payload, expected) in cases {
        let error = bench.error("crashes", payload).await;
        assert_eq!(error["errorType"], "Runtime.ExitError");
        assert!(error["errorMessage"].as_str().is_some_and(|m| m.contains(expected)), "{error}");
        assert_eq!(bench.value("crashes", "{}").await, "fine");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_while_idle_is_replaced_silently() {
    let bench = Bench::new();
    let source = "
import os, threading, time
def main(event, context):
    if event.get('die'):
        threading.Timer(0.05, lambda: os._exit(1)).start()
    return os.getpid()
";
    bench.python("dies", source).await;
    let first = bench.value("dies", r#"{"die": true}"#).await;
    let pid = first.as_i64().expect("a process id");
    eventually("it dies", || (!lives(pid)).then_some(())).await;
    assert_ne!(bench.value("dies", "{}").await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_beyond_the_setting_ends_the_process() {
    let bench = Bench::new();
    let source = "
import time
def main(event, context):
    kept = []
    for _ in range(event['blocks']):
        kept.append(bytearray(b'x' * (8 << 20)))
        time.sleep(0.02)
    time.sleep(event.get('rest', 0))
    return len(kept)
";
    bench.python("eats", source).await;
    assert_eq!(bench.value("eats", r#"{"blocks": 2}"#).await, 2);
    let error = bench.error("eats", r#"{"blocks": 60, "rest": 20}"#).await;
    assert_eq!(error["errorType"], "Runtime.ExitError");
    assert!(error["errorMessage"].as_str().is_some_and(|m| m.ends_with("signal: killed")), "{error}");
    bench.log_with("eats", "Memory Size: 128 MB\tMax Memory Used: 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_neither_blocks_nor_fills_the_disk() {
    let bench = Bench::with(|o| o.limits.log_file_bytes = 1 << 20);
    let source = "
import sys
def main(event, context):
    for _ in range(100):
        sys.stdout.write('no newline ' * 10000)
    for i in range(50000):
        print('line', i)
    print('last words')
    return 'done'
";
    bench.python("floods", source).await;
    let reply =
        bench.reply(json!({"FunctionName": "floods", "LogType": "Tail"}), "{}").await.expect("is invoked");
    assert_eq!(&reply.body.clone().expect("a payload")[..], b"\"done\"");
    let tail = BASE64.decode(reply.header("X-Amz-Log-Result").expect("a log")).expect("base64");
    assert_eq!(tail.len(), 4096);
    let tail = String::from_utf8_lossy(&tail).into_owned();
    assert!(tail.contains("line 49999\nlast words\nEND RequestId: "), "{tail}");
    bench.log_with("floods", "last words").await;
    let sizes: u64 = std::fs::read_dir(bench.dir.path().join("logs"))
        .expect("reads")
        .map(|e| e.expect("an entry").metadata().expect("is there").len())
        .sum();
    assert!(sizes < 3 << 20, "{sizes} bytes of logs");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_odd_answers() {
    let bench = Bench::new();
    let source = "
import datetime
def main(event, context):
    kind = event['kind']
    if kind == 'large':
        return 'x' * event['size']
    if kind == 'bytes':
        return b'not json'
    if kind == 'object':
        return datetime.datetime.now()
    return None
";
    bench.python("answers", source).await;
    let large = bench.value("answers", r#"{"kind": "large", "size": 5000000}"#).await;
    assert_eq!(large.as_str().map(str::len), Some(5_000_000));
    let error = bench.error("answers", r#"{"kind": "large", "size": 7000000}"#).await;
    assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(bench.invoke("answers", r#"{"kind": "bytes"}"#).await, (false, "not json".into()));
    assert_eq!(bench.error("answers", r#"{"kind": "object"}"#).await["errorType"], "Runtime.MarshalError");
    assert_eq!(bench.value("answers", r#"{"kind": "none"}"#).await, Value::Null);

    let huge = format!("\"{}\"", "x".repeat(6_291_456));
    let fault = bench.reply(json!({"FunctionName": "answers"}), &huge).await.expect_err("is refused");
    assert_eq!((fault.code.as_str(), fault.status), ("RequestEntityTooLargeException", 413));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_phase_that_is_too_long_starts_again_within_the_timeout() {
    let bench = Bench::with(|o| o.limits.init_time = Duration::from_millis(300));
    let source = "
import os, time
mark = os.environ['MARK']
first = not os.path.exists(mark)
open(mark, 'w').close()
if first:
    time.sleep(60)
def main(event, context):
    return 'second start'
";
    let mark = bench.dir.path().join("mark");
    bench.python_with("slow", source, json!({"Environment": {"Variables": {"MARK": mark}}})).await;
    assert_eq!(bench.value("slow", "{}").await, "second start");
    bench.log_with("slow", "Phase: init\tStatus: timeout").await;
    bench
        .python_with(
            "slower",
            "import time\ntime.sleep(60)\ndef main(e, c):\n    pass\n",
            json!({"Timeout": 1}),
        )
        .await;
    assert_eq!(bench.error("slower", "{}").await["errorType"], "Sandbox.Timedout");
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_beyond_the_bounds_wait_or_are_refused() {
    let bench = Bench::with(|o| {
        o.limits.concurrent_invocations = 1;
        o.limits.waiting_invocations = 1;
    });
    let source = "
import os, time
def main(event, context):
    open(event['begun'], 'w').close()
    while not os.path.exists(event['go']):
        time.sleep(0.01)
    return 'done'
";
    bench.python("waits", source).await;
    let (begun, go) = (bench.dir.path().join("begun"), bench.dir.path().join("go"));
    let payload = json!({"begun": begun, "go": go}).to_string();
    let script = async {
        eventually("the first runs", || begun.exists().then_some(())).await;
        let fault = async {
            loop {
                // The second may not have come to wait yet; then this one waits in its place until `go`.
                let mine = json!({"FunctionName": "waits"});
                match tokio::time::timeout(Duration::from_millis(200), bench.reply(mine, &payload)).await {
                    Ok(result) => return result.expect_err("is refused"),
                    Err(_) => continue,
                }
            }
        }
        .await;
        std::fs::write(&go, "").expect("writes");
        fault
    };
    let (first, second, fault) =
        tokio::join!(bench.value("waits", &payload), bench.value("waits", &payload), script);
    assert_eq!((first, second), (json!("done"), json!("done")));
    assert_eq!((fault.code.as_str(), fault.status), ("TooManyRequestsException", 429));

    bench
        .call("PutFunctionConcurrency", json!({"FunctionName": "waits", "ReservedConcurrentExecutions": 0}))
        .await
        .expect("is set");
    let fault = bench.reply(json!({"FunctionName": "waits"}), "{}").await.expect_err("is refused");
    assert_eq!(fault.members["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_invocations_at_once_all_end() {
    let bench = Bench::with(|o| o.limits.concurrent_invocations = 8);
    bench.python("many", "def main(event, context):\n    return event\n").await;
    let lambda = &bench;
    let mut all = Vec::new();
    for i in 0..60 {
        all.push(async move { assert_eq!(lambda.value("many", &i.to_string()).await, i) });
    }
    join_all(all).await;
}

/// Polls all futures together on this task.
async fn join_all<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut pinned: Vec<_> = futures.into_iter().map(|f| (Box::pin(f), false)).collect();
    std::future::poll_fn(|context| {
        for (future, done) in pinned.iter_mut().filter(|(_, done)| !*done) {
            *done = future.as_mut().poll(context).is_ready();
        }
        if pinned.iter().all(|(_, done)| *done) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
