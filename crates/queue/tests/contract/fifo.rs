//! FIFO queues: order, locks, deduplication.

use serde_json::{Value, json};

use crate::support::{START_MS, Sqs, bodies};

const FIFO: &str = "q.fifo";

async fn fifo(sqs: &Sqs) -> String {
    sqs.create(FIFO, json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"})).await
}

#[tokio::test]
async fn a_group_is_locked_while_a_message_of_it_is_in_flight() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = fifo(&sqs).await;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3"), ("b", "b2")] {
        sqs.send_to_group(&url, group, body).await;
    }
    // One receive gives several messages of a group, in order.
    let first = sqs.receive_with(&url, json!({"MaxNumberOfMessages": 2})).await;
    assert_eq!(bodies(&first), ["a1", "a2"]);
    let second = sqs.receive(&url).await;
    assert_eq!(bodies(&second), ["b1", "b2"]);
    sqs.delete(&url, &first[0]).await;
    assert_eq!(sqs.receive(&url).await.len(), 0, "a2 is still in flight");
    sqs.delete(&url, &first[1]).await;
    assert_eq!(sqs.receive_bodies(&url).await, ["a3"]);
    sqs.pass(30);
    assert_eq!(sqs.receive_bodies(&url).await, ["b1", "b2", "a3"]);
}

#[tokio::test]
async fn order_holds_when_a_message_comes_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = fifo(&sqs).await;
    for body in ["1", "2", "3"] {
        sqs.send_to_group(&url, "g", body).await;
    }
    let messages = sqs.receive_with(&url, json!({"MaxNumberOfMessages": 2})).await;
    let back =
        json!({"QueueUrl": url, "ReceiptHandle": messages[0]["ReceiptHandle"], "VisibilityTimeout": 0});
    sqs.ok("ChangeMessageVisibility", back).await;
    assert_eq!(sqs.receive(&url).await.len(), 0, "2 is in flight");
    sqs.delete(&url, &messages[1]).await;
    assert_eq!(sqs.receive_bodies(&url).await, ["1", "3"]);
}

#[tokio::test]
async fn an_expired_handle_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = fifo(&sqs).await;
    sqs.send_to_group(&url, "g", "m").await;
    let message = sqs.receive(&url).await.remove(0);
    sqs.pass(30);
    let handle = message["ReceiptHandle"].as_str().expect("a handle");
    let (code, text) = sqs.fails("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle})).await;
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(
        text,
        format!(
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        )
    );
}

#[tokio::test]
async fn an_id_counts_for_five_minutes_also_after_deletion_and_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let first;
    {
        let sqs = Sqs::open(directory.path(), START_MS);
        let url = fifo(&sqs).await;
        first = sqs.send_to_group(&url, "g", "same").await;
        let message = sqs.receive(&url).await.remove(0);
        sqs.delete(&url, &message).await;
        sqs.pass(200);
        let second = sqs.send_to_group(&url, "other", "same").await;
        assert_eq!(second, first, "id and sequence number are those of the first");
    }
    let url = format!("http://h/000000000000/{FIFO}");
    let sqs = Sqs::open(directory.path(), START_MS + 299_999);
    assert_eq!(sqs.send_to_group(&url, "g", "same").await["MessageId"], first["MessageId"]);
    assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
    sqs.clock.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let later = sqs.send_to_group(&url, "g", "same").await;
    assert_ne!(later["MessageId"], first["MessageId"]);
    assert_eq!(sqs.counts(&url).await, [1, 0, 0]);
    let number = |answer: &Value| answer["SequenceNumber"].as_str().expect("a number").to_owned();
    assert!(number(&later) > number(&first), "numbers grow");
    assert_eq!(number(&later).len(), 20);
}

#[tokio::test]
async fn ids_count_per_queue_or_per_group() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create(FIFO, json!({"FifoQueue": "true"})).await;
    let message = |group: &str, body: &str, id: &str| json!({"QueueUrl": url, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": id});
    sqs.ok("SendMessage", message("a", "1", "id")).await;
    let duplicate = sqs.ok("SendMessage", message("b", "2", "id")).await;
    // The checksum is of what was sent: SDKs compare it with what they sent.
    assert_eq!(duplicate["MD5OfMessageBody"], "c81e728d9d4c2f636f067f89cc14862c");
    assert_eq!(sqs.counts(&url).await, [1, 0, 0]);
    let change = json!({"QueueUrl": url, "Attributes": {"DeduplicationScope": "messageGroup"}});
    sqs.ok("SetQueueAttributes", change).await;
    sqs.ok("SendMessage", message("a", "3", "new")).await;
    sqs.ok("SendMessage", message("b", "4", "new")).await;
    sqs.ok("SendMessage", message("b", "5", "new")).await;
    let messages = sqs.receive(&url).await;
    assert_eq!(bodies(&messages), ["1", "3", "4"]);
    assert_eq!(messages[2]["Attributes"]["MessageDeduplicationId"], "new");
    assert_eq!(messages[2]["Attributes"]["MessageGroupId"], "b");
}

#[tokio::test]
async fn a_batch_without_group_or_id_fails_as_a_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create(FIFO, json!({"FifoQueue": "true"})).await;
    for (entry, text) in [
        (json!({"Id": "1", "MessageBody": "b"}), "The request must contain the parameter MessageGroupId."),
        (
            json!({"Id": "1", "MessageBody": "b", "MessageGroupId": "g"}),
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
             explicitly",
        ),
    ] {
        let (code, found) = sqs.fails("SendMessageBatch", json!({"QueueUrl": url, "Entries": [entry]})).await;
        assert_eq!((code.as_str(), found.as_str()), ("InvalidParameterValue", text));
    }
    let entries: Vec<Value> = (0..10)
        .map(|i| {
            let id = format!("{}", i / 2);
            json!({"Id": format!("e{i}"), "MessageBody": format!("{i}"), "MessageGroupId": "g",
                   "MessageDeduplicationId": id})
        })
        .collect();
    let output = sqs.ok("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    assert_eq!(output["Successful"].as_array().expect("a list").len(), 10);
    assert_eq!(
        sqs.receive_bodies(&url).await,
        ["0", "2", "4", "6", "8"],
        "duplicates within the batch count"
    );
}

#[tokio::test]
async fn a_receive_attempt_can_be_repeated() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = fifo(&sqs).await;
    for body in ["1", "2", "3"] {
        sqs.send_to_group(&url, "g", body).await;
    }
    let attempt = json!({"MaxNumberOfMessages": 2, "ReceiveRequestAttemptId": "try"});
    let first = sqs.receive_with(&url, attempt.clone()).await;
    sqs.pass(20);
    let second = sqs.receive_with(&url, attempt.clone()).await;
    assert_eq!(second, first, "the same messages with the same handles");
    sqs.pass(20);
    assert_eq!(sqs.receive(&url).await.len(), 0, "the repetition hid them anew");
    sqs.delete(&url, &first[0]).await;
    assert_eq!(sqs.receive_with(&url, attempt).await.len(), 0, "no longer the same set");
}

#[tokio::test]
async fn the_delay_of_the_queue_keeps_the_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true", "DelaySeconds": "10"});
    let url = sqs.create(FIFO, attributes).await;
    sqs.send_to_group(&url, "g", "1").await;
    sqs.ok("SetQueueAttributes", json!({"QueueUrl": url, "Attributes": {"DelaySeconds": "0"}})).await;
    sqs.send_to_group(&url, "g", "2").await;
    assert_eq!(sqs.receive(&url).await.len(), 0, "2 waits for 1");
    sqs.pass(10);
    assert_eq!(sqs.receive_bodies(&url).await, ["1", "2"]);
}
