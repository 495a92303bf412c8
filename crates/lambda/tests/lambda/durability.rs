//! What survives: functions, code and accepted events over a restart; and what must not: processes.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use stepwell_aws::{Call, Service};

use crate::support::{Bench, eventually, lives, open, zip_text};

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_there_after_reopening() {
    let bench = Bench::new();
    bench.python_with("f", "def main(e, c):\n    return 'v1'\n", json!({"Tags": {"k": "v"}})).await;
    bench.python("gone", "def main(e, c):\n    return 1\n").await;
    bench.call("DeleteFunction", json!({"FunctionName": "gone"})).await.expect("is deleted");
    let before = bench.call("GetFunction", json!({"FunctionName": "f"})).await.expect("is shown");
    let Bench { lambda, dir } = bench;
    lambda.shutdown().await;
    drop(lambda);
    // Unpacked code is only a copy.
    std::fs::remove_dir_all(dir.path().join("work")).expect("is removed");
    eventually("the store is released", || stepwell_store::Store::open(&dir.path().join("data")).ok()).await;
    let bench = Bench { lambda: open(dir.path(), |_| {}), dir };
    assert_eq!(bench.call("GetFunction", json!({"FunctionName": "f"})).await.expect("is shown"), before);
    assert!(bench.call("GetFunction", json!({"FunctionName": "gone"})).await.is_err());
    assert_eq!(bench.value("f", "{}").await, "v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_code_and_configuration_are_used_at_once() {
    let bench = Bench::new();
    bench.python("f", "import os\ndef main(e, c):\n    return ['v1', os.environ.get('MODE')]\n").await;
    assert_eq!(bench.value("f", "{}").await, json!(["v1", null]));
    let v2 = "
import os, time
def main(event, context):
    if event:
        open(event['begun'], 'w').close()
    while event and not os.path.exists(event['go']):
        time.sleep(0.01)
    return ['v2', os.environ.get('MODE')]
";
    let code = json!({"FunctionName": "f", "ZipFile": zip_text(&[("index.py", v2)])});
    bench.call("UpdateFunctionCode", code).await.expect("is updated");
    assert_eq!(bench.value("f", "{}").await, json!(["v2", null]));
    // An invocation in progress ends with what it began with.
    let (begun, go) = (bench.dir.path().join("begun"), bench.dir.path().join("go"));
    let payload = json!({"begun": begun, "go": go}).to_string();
    let change = async {
        eventually("it begins", || begun.exists().then_some(())).await;
        let input = json!({"FunctionName": "f", "Environment": {"Variables": {"MODE": "new"}}});
        bench.call("UpdateFunctionConfiguration", input).await.expect("is changed");
        let after = bench.value("f", "{}").await;
        std::fs::write(&go, "").expect("writes");
        after
    };
    let (during, after) = tokio::join!(bench.value("f", &payload), change);
    assert_eq!((during, after), (json!(["v2", null]), json!(["v2", "new"])));
    assert_eq!(bench.value("f", "{}").await, json!(["v2", "new"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_a_shutdown_interrupts_is_not_answered() {
    let bench = Bench::new();
    let source = "
def main(event, context):
    open(event['begun'], 'w').close()
    while True:
        pass
";
    bench.python("f", source).await;
    let begun = bench.dir.path().join("begun");
    let payload = json!({"begun": begun}).to_string();
    let ending = async {
        eventually("it begins", || begun.exists().then_some(())).await;
        bench.lambda.shutdown().await;
        // All processes are gone by now, and with them whatever could answer.
        tokio::time::timeout(Duration::from_millis(200), bench.reply(json!({"FunctionName": "f"}), "{}"))
            .await
    };
    tokio::select! {
        reply = bench.reply(json!({"FunctionName": "f"}), &payload) => panic!("answered: {reply:?}"),
        later = ending => assert!(later.is_err(), "answered: {later:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn published_versions_run_what_they_were_made_of() {
    let bench = Bench::new();
    bench
        .python_with(
            "f",
            "def main(e, c):\n    return ['v1', c.function_version]\n",
            json!({"Publish": true}),
        )
        .await;
    let code = "def main(e, c):\n    return ['v2', c.function_version]\n";
    let update = json!({"FunctionName": "f", "ZipFile": zip_text(&[("index.py", code)]), "Publish": true});
    bench.call("UpdateFunctionCode", update).await.expect("is updated");
    let alias = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"});
    bench.call("CreateAlias", alias).await.expect("is created");
    let Bench { lambda, dir } = bench;
    lambda.shutdown().await;
    drop(lambda);
    eventually("the store is released", || stepwell_store::Store::open(&dir.path().join("data")).ok()).await;
    let bench = Bench { lambda: open(dir.path(), |_| {}), dir };
    for (name, version, expected) in [
        ("f", "$LATEST", ["v2", "$LATEST"]),
        ("f:1", "1", ["v1", "1"]),
        ("f:2", "2", ["v2", "2"]),
        ("f:live", "1", ["v1", "1"]),
    ] {
        let reply = bench.reply(json!({"FunctionName": name}), "{}").await.expect("is invoked");
        assert_eq!(reply.header("X-Amz-Executed-Version"), Some(version));
        assert_eq!(
            &reply.body.expect("a payload")[..],
            json!(expected).to_string().replace(",", ", ").as_bytes()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_used_in_place_and_watched() {
    let bench = Bench::new();
    let source = bench.dir.path().join("source");
    std::fs::create_dir(&source).expect("is made");
    std::fs::write(source.join("index.py"), "def main(e, c):\n    return 'one'\n").expect("writes");
    bench.python_with("f", "", json!({"Code": {"S3Bucket": "__local__", "S3Key": source}})).await;
    assert_eq!(bench.value("f", "{}").await, "one");
    std::fs::write(source.join("index.py"), "def main(e, c):\n    return 'three'\n").expect("writes");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while bench.value("f", "{}").await != "three" {
        assert!(std::time::Instant::now() < deadline, "the change was not seen");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_tried_three_times_and_survive_a_restart() {
    let pauses = |o: &mut stepwell_lambda::LambdaOptions| {
        o.limits.async_retry_pauses = [Duration::from_millis(1), Duration::from_millis(1)];
    };
    let bench = Bench::with(pauses);
    let source = "
def main(event, context):
    with open(event['file'], 'a') as f:
        f.write(context.aws_request_id + '\\n')
    raise ValueError('no')
";
    bench.python("f", source).await;
    let file = bench.dir.path().join("attempts");
    let payload = json!({"file": file}).to_string();
    let reply = bench
        .reply(json!({"FunctionName": "f", "InvocationType": "Event"}), &payload)
        .await
        .expect("is accepted");
    assert_eq!((reply.status, reply.body.expect("a body").len()), (202, 0));
    bench.log_with("f", "was dropped after 3 attempts").await;
    let attempts = std::fs::read_to_string(&file).expect("is there");
    let ids: Vec<&str> = attempts.lines().collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{attempts}");

    // Accepted, failed once, then the server ends: the next one goes on.
    bench
        .call("UpdateFunctionConfiguration", json!({"FunctionName": "f", "Description": "x"}))
        .await
        .expect("is changed");
    let Bench { lambda, dir } = bench;
    lambda.shutdown().await;
    drop(lambda);
    eventually("the store is released", || stepwell_store::Store::open(&dir.path().join("data")).ok()).await;
    std::fs::remove_file(&file).expect("is removed");
    let lambda = open(dir.path(), |o| {
        o.limits.async_retry_pauses = [Duration::from_secs(3600), Duration::from_secs(3600)];
    });
    let mut call = Call::new("Invoke", json!({"FunctionName": "f", "InvocationType": "Event"}));
    call.body = payload.clone().into();
    lambda.call(call).await.expect("is accepted");
    eventually("the first attempt", || {
        std::fs::read_to_string(&file).ok().filter(|t| t.lines().count() == 1)
    })
    .await;
    lambda.shutdown().await;
}

/// The process that [`a_killed_server_leaves_no_process`] starts and kills: this test binary, running only this.
#[tokio::test(flavor = "multi_thread")]
async fn server_to_be_killed() {
    let Some(dir) = std::env::var_os("STEPWELL_TEST_KILLED_SERVER") else { return };
    let lambda = open(std::path::Path::new(&dir), |_| {});
    let bench = Bench { lambda, dir: tempfile::tempdir().expect("a directory") };
    let source = "
import os, subprocess
child = subprocess.Popen(['sleep', '600'])
def main(event, context):
    with open(event['file'] + '.new', 'w') as f:
        f.write('%d %d' % (os.getpid(), child.pid))
    os.rename(event['file'] + '.new', event['file'])
    while event.get('hang'):
        pass
";
    bench.python("f", source).await;
    let idle = json!({"file": std::path::Path::new(&dir).join("idle")}).to_string();
    let busy = json!({"file": std::path::Path::new(&dir).join("busy"), "hang": 1}).to_string();
    bench.python("g", source).await;
    bench.invoke("f", &idle).await;
    bench.invoke("g", &busy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_no_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = tokio::process::Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "durability::server_to_be_killed", "--nocapture"])
        .env("STEPWELL_TEST_KILLED_SERVER", dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("starts");
    let mut pids = Vec::new();
    for name in ["idle", "busy"] {
        let text = eventually(name, || std::fs::read_to_string(dir.path().join(name)).ok()).await;
        pids.extend(text.split(' ').map(|p| p.parse::<i64>().expect("a process id")));
    }
    assert!(pids.len() == 4 && pids.iter().all(|p| lives(*p)));
    server.kill().await.expect("is killed");
    eventually("all function processes end", || pids.iter().all(|p| !lives(*p)).then_some(())).await;
}
