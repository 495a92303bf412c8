//! What was acknowledged is there after SIGKILL in the middle of writing.

#![allow(clippy::result_large_err)]

use std::collections::HashSet;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_aws::{Account, Call, Service as _};
use stepwell_tables::Tables;

const CHILD: &str = "STEPWELL_TABLES_TEST_CHILD";
const WRITERS: usize = 4;

async fn call(tables: &Tables, operation: &str, input: Value) -> Value {
    let reply = tables.call(Call::new(operation, input)).await;
    reply.unwrap_or_else(|fault| panic!("{operation}: {fault}")).output
}

/// Not a test by itself: the process that [`acknowledged_writes_survive_sigkill`] starts and kills.
#[test]
fn child() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("starts");
    runtime.block_on(async {
        let tables = Tables::open(Path::new(&path), Account::default()).expect("opens");
        let table = json!({
            "TableName": "things",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        call(&tables, "CreateTable", table).await;
        let mut tasks = Vec::new();
        for writer in 0..WRITERS {
            let tables: Arc<Tables> = tables.clone();
            tasks.push(tokio::spawn(async move {
                for i in 0.. {
                    let (a, b) = (format!("{writer}-{i}-a"), format!("{writer}-{i}-b"));
                    let put = |key: &str| json!({"Put": {"TableName": "things", "Item": {"pk": {"S": key}}}});
                    call(&tables, "TransactWriteItems", json!({"TransactItems": [put(&a), put(&b)]})).await;
                    say(&a);
                    let add = json!({"TableName": "things", "Key": {"pk": {"S": format!("counter-{writer}")}},
                                     "UpdateExpression": "ADD n :one",
                                     "ExpressionAttributeValues": {":one": {"N": "1"}}});
                    call(&tables, "UpdateItem", add).await;
                    say(&format!("count {writer} {}", i + 1));
                }
            }));
        }
        for task in tasks {
            task.await.expect("runs until it is killed");
        }
    });
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "@{line}");
    let _ = stdout.flush();
}

fn run_and_kill(path: &Path, answers: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let lines = std::io::BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut said = Vec::new();
    for line in lines {
        let line = line.expect("is text");
        if let Some((_, line)) = line.split_once('@') {
            said.push(line.to_owned());
        }
        if said.len() == answers {
            child.kill().expect("is killed with SIGKILL");
        }
    }
    child.wait().expect("has ended");
    assert!(said.len() >= answers, "the child ended by itself: {said:?}");
    said
}

#[tokio::test]
async fn acknowledged_writes_survive_sigkill() {
    for answers in [1, 100] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tables.sqlite");
        let child_path = path.clone();
        let said =
            tokio::task::spawn_blocking(move || run_and_kill(&child_path, answers)).await.expect("runs");
        let tables = Tables::open(&path, Account::default()).expect("opens again");
        let found = call(&tables, "Scan", json!({"TableName": "things"})).await["Items"].clone();
        let found = found.as_array().expect("a list");
        let key = |item: &Value| item["pk"]["S"].as_str().expect("a key").to_owned();
        let keys: HashSet<String> = found.iter().map(key).collect();
        for line in &said {
            match line.strip_prefix("count ").and_then(|rest| rest.split_once(' ')) {
                None => assert!(keys.contains(line), "{line} was acknowledged"),
                Some((writer, count)) => {
                    let counter = found.iter().find(|item| key(item) == format!("counter-{writer}"));
                    let value = counter.expect("was acknowledged")["n"]["N"].as_str().expect("a number");
                    let (value, count): (u64, u64) =
                        (value.parse().expect("a number"), count.parse().expect("a number"));
                    assert!(value >= count, "{writer}: {value} is less than {count}, which was acknowledged");
                }
            }
        }
        for key in keys.iter().filter(|key| key.ends_with("-a")) {
            let other = format!("{}-b", key.trim_end_matches("-a"));
            assert!(keys.contains(&other), "a transaction is whole");
        }
    }
}
