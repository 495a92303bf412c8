//! Long polls. Where a test is about time, the runtime's time is simulated: it jumps to the next timer whenever all
//! tasks wait for one, and stands still otherwise.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::support::{START_MS, Sqs, bodies};

async fn open(directory: &tempfile::TempDir) -> (Arc<Sqs>, String) {
    let sqs = Arc::new(Sqs::open_in_runtime_time(directory.path()));
    let url = sqs.create("q", json!({})).await;
    (sqs, url)
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_its_time_is_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let (sqs, url) = open(&directory).await;
    let begin = Instant::now();
    assert_eq!(sqs.receive_with(&url, json!({"WaitTimeSeconds": 20})).await.len(), 0);
    assert_eq!(begin.elapsed().as_secs(), 20);
    let change = json!({"QueueUrl": url, "Attributes": {"ReceiveMessageWaitTimeSeconds": "3"}});
    sqs.ok("SetQueueAttributes", change).await;
    let begin = Instant::now();
    assert_eq!(sqs.receive(&url).await.len(), 0, "the queue's own wait counts where the call gives none");
    assert_eq!(begin.elapsed().as_secs(), 3);
    let begin = Instant::now();
    assert_eq!(sqs.receive_with(&url, json!({"WaitTimeSeconds": 0})).await.len(), 0);
    assert_eq!(begin.elapsed().as_secs(), 0);
}

#[tokio::test]
async fn a_wait_ends_with_a_message() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Arc::new(Sqs::open(directory.path(), START_MS));
    let url = sqs.create("q", json!({})).await;
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let (sqs, url) = (sqs.clone(), url.clone());
            tokio::spawn(async move {
                bodies(
                    &sqs.receive_with(&url, json!({"WaitTimeSeconds": 20, "MaxNumberOfMessages": 1})).await,
                )
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let begin = Instant::now();
    for body in ["a", "b", "c"] {
        sqs.send(&url, body).await;
    }
    let mut received = Vec::new();
    for wait in waiting {
        received.extend(wait.await.expect("ends"));
    }
    received.sort();
    assert_eq!(received, ["a", "b", "c"], "each woke one");
    assert!(begin.elapsed() < Duration::from_secs(10), "nobody waited to the end");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_a_message_becomes_visible() {
    let directory = tempfile::tempdir().expect("a directory");
    let (sqs, url) = open(&directory).await;
    sqs.ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "late", "DelaySeconds": 5})).await;
    let begin = Instant::now();
    let message = sqs.receive_with(&url, json!({"WaitTimeSeconds": 20, "VisibilityTimeout": 7})).await;
    assert_eq!(bodies(&message), ["late"]);
    assert_eq!(begin.elapsed().as_secs(), 5);
    assert_eq!(bodies(&sqs.receive_with(&url, json!({"WaitTimeSeconds": 20})).await), ["late"]);
    assert_eq!(begin.elapsed().as_secs(), 12);
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Arc::new(Sqs::open(directory.path(), START_MS));
    let url = sqs.create("q", json!({})).await;
    let wait = || {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move { bodies(&sqs.receive_with(&url, json!({"WaitTimeSeconds": 20})).await) })
    };
    let (first, second) = (wait(), wait());
    tokio::task::yield_now().await;
    first.abort();
    sqs.send(&url, "m").await;
    assert_eq!(second.await.expect("ends"), ["m"]);
}

#[tokio::test]
async fn a_deletion_wakes_those_who_wait() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Arc::new(Sqs::open(directory.path(), START_MS));
    let url = sqs.create("q", json!({})).await;
    let waiting = {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move {
            sqs.fails("ReceiveMessage", json!({"QueueUrl": url, "WaitTimeSeconds": 20})).await.0
        })
    };
    tokio::task::yield_now().await;
    sqs.ok("DeleteQueue", json!({"QueueUrl": url})).await;
    assert_eq!(waiting.await.expect("ends"), "AWS.SimpleQueueService.NonExistentQueue");
}
