//! Many senders and receivers at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{START_MS, Sqs, bodies};

const CLIENTS: usize = 8;
const EACH: usize = 100;

/// Receives and deletes until all messages have come; gives them in the order of each receiver.
async fn receive_all(sqs: Arc<Sqs>, url: String, left: Arc<AtomicUsize>) -> Vec<String> {
    let mut received = Vec::new();
    while left.load(Ordering::SeqCst) > 0 {
        for message in sqs.receive_with(&url, json!({"WaitTimeSeconds": 1, "MaxNumberOfMessages": 3})).await {
            received.extend(bodies(std::slice::from_ref(&message)));
            sqs.delete(&url, &message).await;
            left.fetch_sub(1, Ordering::SeqCst);
        }
    }
    received
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_reaches_one_receiver() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Arc::new(Sqs::open(directory.path(), START_MS));
    let url = sqs.create("q", json!({})).await;
    let left = Arc::new(AtomicUsize::new(CLIENTS * EACH));
    let receivers: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(receive_all(sqs.clone(), url.clone(), left.clone()))).collect();
    for sender in 0..CLIENTS {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move {
            for i in 0..EACH {
                sqs.send(&url, &format!("{sender}-{i}")).await;
            }
        });
    }
    let mut received = Vec::new();
    for receiver in receivers {
        received.extend(receiver.await.expect("ends"));
    }
    assert_eq!(received.len(), CLIENTS * EACH);
    assert_eq!(received.into_iter().collect::<HashSet<_>>().len(), CLIENTS * EACH, "none came twice");
    assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_stay_in_order_whoever_receives() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Arc::new(Sqs::open(directory.path(), START_MS));
    let url = sqs.create("q.fifo", json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"})).await;
    let left = Arc::new(AtomicUsize::new(CLIENTS * EACH));
    let order: Arc<Mutex<HashMap<String, Vec<usize>>>> = Arc::default();
    let receivers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (sqs, url, left, order) = (sqs.clone(), url.clone(), left.clone(), order.clone());
            tokio::spawn(async move {
                while left.load(Ordering::SeqCst) > 0 {
                    let ask = json!({"WaitTimeSeconds": 1, "MaxNumberOfMessages": 3});
                    for message in sqs.receive_with(&url, ask).await {
                        let body = message["Body"].as_str().expect("a body");
                        let (group, i) = body.split_once('-').expect("has a group");
                        let i = i.parse().expect("a number");
                        order.lock().expect("is whole").entry(group.to_owned()).or_default().push(i);
                        sqs.delete(&url, &message).await;
                        left.fetch_sub(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    for group in 0..CLIENTS {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move {
            for i in 0..EACH {
                sqs.send_to_group(&url, &group.to_string(), &format!("{group}-{i}")).await;
            }
        });
    }
    for receiver in receivers {
        receiver.await.expect("ends");
    }
    let order = order.lock().expect("is whole");
    assert_eq!(order.len(), CLIENTS);
    for (group, found) in order.iter() {
        assert_eq!(*found, (0..EACH).collect::<Vec<_>>(), "group {group}");
    }
}
