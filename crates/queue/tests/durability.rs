//! What was acknowledged is there after a restart: after an orderly one, and after SIGKILL in the middle of traffic.

mod support;

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use support::{START_MS, Sqs, bodies};

#[tokio::test]
async fn messages_in_flight_and_delayed_keep_their_deadlines() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = "http://h/000000000000/q";
    let held: Value;
    {
        let sqs = Sqs::open(directory.path(), START_MS);
        sqs.create("q", json!({})).await;
        sqs.send(url, "held").await;
        held = sqs.receive(url).await.remove(0);
        sqs.send(url, "ready").await;
        sqs.ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "late", "DelaySeconds": 60})).await;
        assert_eq!(sqs.counts(url).await, [1, 1, 1]);
    }
    {
        let sqs = Sqs::open(directory.path(), START_MS + 29_999);
        assert_eq!(sqs.counts(url).await, [1, 1, 1]);
        // A handle from before the restart still works.
        let longer =
            json!({"QueueUrl": url, "ReceiptHandle": held["ReceiptHandle"], "VisibilityTimeout": 60});
        sqs.ok("ChangeMessageVisibility", longer).await;
    }
    {
        let sqs = Sqs::open(directory.path(), START_MS + 70_000);
        assert_eq!(sqs.receive_bodies(url).await, ["ready", "late"]);
    }
    let sqs = Sqs::open(directory.path(), START_MS + 90_000);
    let messages = sqs.receive(url).await;
    assert_eq!(bodies(&messages), ["held"]);
    assert_eq!(messages[0]["Attributes"]["ApproximateReceiveCount"], "2");
    sqs.delete(url, &messages[0]).await;
    drop(sqs);
    let sqs = Sqs::open(directory.path(), START_MS + 200_000);
    assert_eq!(sqs.receive_bodies(url).await, ["ready", "late"]);
}

#[tokio::test]
async fn order_attributes_and_settings_survive() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = "http://h/000000000000/q.fifo";
    let attributes = json!({
        "FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "7", "Policy": "{}",
    });
    let before;
    {
        let sqs = Sqs::open(directory.path(), START_MS);
        sqs.create("q.fifo", attributes.clone()).await;
        sqs.ok("TagQueue", json!({"QueueUrl": url, "Tags": {"k": "v"}})).await;
        for i in 0..20 {
            let attribute = json!({"n": {"DataType": "Binary", "BinaryValue": "AAEC"}});
            let input = json!({"QueueUrl": url, "MessageBody": i.to_string(), "MessageGroupId": format!("g{}", i % 3),
                               "MessageAttributes": attribute});
            sqs.ok("SendMessage", input).await;
        }
        before = sqs.ok("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]})).await;
    }
    let sqs = Sqs::open(directory.path(), START_MS);
    let after = sqs.ok("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]})).await;
    assert_eq!(after, before);
    assert_eq!(sqs.ok("ListQueueTags", json!({"QueueUrl": url})).await, json!({"Tags": {"k": "v"}}));
    sqs.create("q.fifo", attributes).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let messages = sqs.receive(url).await;
        assert!(messages.iter().all(|message| message["MessageAttributes"]["n"]["BinaryValue"] == "AAEC"));
        for message in &messages {
            sqs.delete(url, message).await;
        }
        seen.extend(bodies(&messages));
    }
    assert_eq!(seen.len(), 20);
    for group in 0..3 {
        let number = |body: &String| body.parse::<usize>().expect("a number");
        let found: Vec<usize> = seen.iter().map(number).filter(|i| i % 3 == group).collect();
        assert_eq!(found, (0..20).filter(|i| i % 3 == group).collect::<Vec<_>>(), "each group in order");
    }
}

const CHILD: &str = "STEPWELL_QUEUE_TEST_CHILD";
const SENDERS: usize = 8;

/// Not a test by itself: the process that [`acknowledged_messages_survive_sigkill`] starts and kills. Sends from several
/// tasks, receives and deletes some, and writes a line for every answer.
#[test]
fn child() {
    let Ok(directory) = std::env::var(CHILD) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("starts");
    runtime.block_on(async {
        let sqs = Arc::new(Sqs::open(directory.as_ref(), START_MS));
        let plain = sqs.create("plain", json!({})).await;
        let fifo = sqs.create("q.fifo", json!({"FifoQueue": "true"})).await;
        let mut tasks = Vec::new();
        for sender in 0..SENDERS {
            let (sqs, plain, fifo) = (sqs.clone(), plain.clone(), fifo.clone());
            tasks.push(tokio::spawn(async move {
                for i in 0.. {
                    let body = format!("{sender}-{i}");
                    sqs.send(&plain, &body).await;
                    say(&format!("plain {body}"));
                    let input = json!({"QueueUrl": fifo, "MessageBody": body, "MessageGroupId": sender.to_string(),
                                       "MessageDeduplicationId": body});
                    sqs.ok("SendMessage", input).await;
                    say(&format!("fifo {body}"));
                    if i % 5 == 0 {
                        let message = sqs.receive_with(&plain, json!({"MaxNumberOfMessages": 1})).await.remove(0);
                        let body = message["Body"].as_str().expect("a body").to_owned();
                        say(&format!("deleting {body}"));
                        sqs.delete(&plain, &message).await;
                        say(&format!("deleted {body}"));
                    }
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
    // The parent may be gone.
    let _ = writeln!(stdout, "@{line}");
    let _ = stdout.flush();
}

/// Starts the child on `directory`, kills it after `answers` answers, and gives all that it said.
fn run_and_kill(directory: &std::path::Path, answers: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env(CHILD, directory)
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
async fn acknowledged_messages_survive_sigkill() {
    for answers in [1, 60, 400] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().to_owned();
        let said = tokio::task::spawn_blocking(move || run_and_kill(&path, answers)).await.expect("runs");
        let told = |kind: &str| -> HashSet<&str> {
            said.iter().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')).collect()
        };
        let (sent, deleting, deleted) = (told("plain"), told("deleting"), told("deleted"));

        let sqs = Sqs::open(directory.path(), START_MS + 60_000);
        let found = drain(&sqs, "http://h/000000000000/plain").await;
        for body in &sent {
            let times = found.get(*body).copied().unwrap_or(0);
            if deleted.contains(body) {
                assert_eq!(times, 0, "{body} was deleted");
            } else if deleting.contains(body) {
                assert!(times <= 1, "{body}: whether the deletion was in time is open");
            } else {
                assert_eq!(times, 1, "{body} was acknowledged");
            }
        }
        assert!(found.values().all(|times| *times == 1), "nothing is there twice");

        let found = drain_in_order(&sqs, "http://h/000000000000/q.fifo").await;
        for sender in 0..SENDERS {
            let group: Vec<usize> = found
                .iter()
                .filter_map(|body| body.split_once('-'))
                .filter(|(of, _)| *of == sender.to_string())
                .map(|(_, i)| i.parse().expect("a number"))
                .collect();
            assert_eq!(group, (0..group.len()).collect::<Vec<_>>(), "in order, without gap or double");
        }
        let fifo = told("fifo");
        assert!(fifo.iter().all(|body| found.iter().any(|there| there == body)), "all that was acknowledged");
    }
}

/// Receives and deletes everything; how often each body came.
async fn drain(sqs: &Sqs, url: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for body in drain_in_order(sqs, url).await {
        *found.entry(body).or_default() += 1;
    }
    found
}

async fn drain_in_order(sqs: &Sqs, url: &str) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        // The child may have been killed before it created the queue.
        let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
        let Ok(output) = sqs.call("ReceiveMessage", input).await else { return found };
        let Some(messages) = output["Messages"].as_array() else { return found };
        for message in messages {
            sqs.delete(url, message).await;
        }
        found.extend(bodies(messages));
    }
}
