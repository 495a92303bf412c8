//! Dead-letter queues.

use serde_json::json;

use crate::support::{START_MS, Sqs, bodies};

fn policy(target: &str, receives: u32) -> String {
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{target}");
    json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives}).to_string()
}

#[tokio::test]
async fn a_message_received_too_often_moves() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let sqs = Sqs::open(directory.path(), START_MS);
        let dead = sqs.create("dead", json!({})).await;
        let url =
            sqs.create("q", json!({"RedrivePolicy": policy("dead", 2), "VisibilityTimeout": "1"})).await;
        let sent = sqs.send(&url, "poison").await;
        for _ in 0..2 {
            assert_eq!(sqs.receive_bodies(&url).await, ["poison"]);
            sqs.pass(1);
        }
        sqs.send(&url, "good").await;
        assert_eq!(sqs.receive_bodies(&url).await, ["good"], "the next one is given at once");
        let found = sqs.receive_with(&dead, json!({"VisibilityTimeout": 0})).await;
        assert_eq!(bodies(&found), ["poison"]);
        assert_eq!(found[0]["MessageId"], sent["MessageId"]);
        let attributes = &found[0]["Attributes"];
        assert_eq!(attributes["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:000000000000:q");
        assert_eq!(attributes["SentTimestamp"], START_MS.to_string());
        assert_eq!(attributes["ApproximateReceiveCount"], "3");
        assert_eq!(sqs.counts(&url).await, [0, 1, 0]);
        let sources = sqs.ok("ListDeadLetterSourceQueues", json!({"QueueUrl": dead})).await;
        assert_eq!(sources["queueUrls"], json!([url]));
        assert_eq!(sqs.ok("ListDeadLetterSourceQueues", json!({"QueueUrl": url})).await, json!({}));
    }
    let sqs = Sqs::open(directory.path(), START_MS + 10_000);
    assert_eq!(sqs.receive_bodies("http://h/000000000000/dead").await, ["poison"]);
    assert_eq!(sqs.receive_bodies("http://h/000000000000/q").await, ["good"]);
}

#[tokio::test]
async fn in_a_fifo_queue_the_group_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let dead = sqs.create("dead.fifo", json!({"FifoQueue": "true"})).await;
    let attributes = json!({
        "FifoQueue": "true",
        "ContentBasedDeduplication": "true",
        "VisibilityTimeout": "1",
        "RedrivePolicy": policy("dead.fifo", 1),
    });
    let url = sqs.create("q.fifo", attributes).await;
    for body in ["1", "2"] {
        sqs.send_to_group(&url, "g", body).await;
    }
    assert_eq!(bodies(&sqs.receive_with(&url, json!({"MaxNumberOfMessages": 1})).await), ["1"]);
    sqs.pass(1);
    assert_eq!(sqs.receive_bodies(&url).await, ["2"]);
    let found = sqs.receive(&dead).await;
    assert_eq!(bodies(&found), ["1"]);
    assert_eq!(found[0]["Attributes"]["MessageGroupId"], "g");
}

#[tokio::test]
async fn a_receive_may_find_nothing_but_dead_letters() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let dead = sqs.create("dead", json!({})).await;
    let url = sqs.create("q", json!({"RedrivePolicy": policy("dead", 1)})).await;
    for i in 0..25 {
        sqs.send(&url, &i.to_string()).await;
    }
    for _ in 0..3 {
        sqs.receive_with(&url, json!({"VisibilityTimeout": 0})).await;
    }
    assert_eq!(sqs.receive(&url).await.len(), 0);
    assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
    assert_eq!(sqs.counts(&dead).await, [25, 0, 0]);
}

#[tokio::test]
async fn policies_are_checked_against_the_target() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    sqs.create("fifo.fifo", json!({"FifoQueue": "true"})).await;
    sqs.create("closed", json!({"RedriveAllowPolicy": "{\"redrivePermission\":\"denyAll\"}"})).await;
    let url = sqs.create("q", json!({})).await;
    for (policy, part) in [
        (policy("none", 1), "Dead letter target does not exist."),
        (policy("fifo.fifo", 1), "same type"),
        (policy("closed", 1), "does not permit"),
        (policy("closed", 0), "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000"),
        ("{}".into(), "mandatory attribute"),
    ] {
        for (operation, input) in [
            ("SetQueueAttributes", json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": policy}})),
            ("CreateQueue", json!({"QueueName": "new", "Attributes": {"RedrivePolicy": policy}})),
        ] {
            let (code, text) = sqs.fails(operation, input).await;
            assert_eq!(code, "InvalidParameterValue");
            assert!(text.contains(part), "{text}");
        }
    }
    // A queue that names itself keeps its messages, and an empty policy takes the policy away.
    sqs.ok("SetQueueAttributes", json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": policy("q", 1)}}))
        .await;
    sqs.send(&url, "m").await;
    for _ in 0..3 {
        assert_eq!(sqs.receive_bodies(&url).await, ["m"]);
        sqs.pass(30);
    }
    sqs.ok("SetQueueAttributes", json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": ""}})).await;
    let shown = json!({"QueueUrl": url, "AttributeNames": ["RedrivePolicy"]});
    assert_eq!(sqs.ok("GetQueueAttributes", shown).await, json!({}));
}

#[tokio::test]
async fn without_its_target_a_queue_delivers_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let dead = sqs.create("dead", json!({})).await;
    let url = sqs.create("q", json!({"RedrivePolicy": policy("dead", 1)})).await;
    sqs.ok("DeleteQueue", json!({"QueueUrl": dead})).await;
    sqs.send(&url, "m").await;
    for _ in 0..3 {
        assert_eq!(sqs.receive_bodies(&url).await, ["m"]);
        sqs.pass(30);
    }
}
