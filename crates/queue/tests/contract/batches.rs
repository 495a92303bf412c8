//! The three batch operations.

use serde_json::{Value, json};

use crate::support::{START_MS, Sqs};

#[tokio::test]
async fn a_batch_that_breaks_a_rule_fails_as_a_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    let entry =
        |id: &str| json!({"Id": id, "MessageBody": "b", "ReceiptHandle": "h", "VisibilityTimeout": 1});
    let many: Vec<Value> = (0..20).map(|i| entry(&format!("e{i}"))).collect();
    for operation in ["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"] {
        for (entries, code, text) in [
            (
                json!([]),
                "EmptyBatchRequest",
                format!("There should be at least one {operation}RequestEntry in the request."),
            ),
            (
                json!(many),
                "TooManyEntriesInBatchRequest",
                "Maximum number of entries per request are 10. You have sent 20.".into(),
            ),
            (json!([entry("a"), entry("a")]), "BatchEntryIdsNotDistinct", "Id a repeated.".into()),
            (
                json!([entry("a:b")]),
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at \
                 most 80 letters long."
                    .into(),
            ),
        ] {
            let (found, message) = sqs.fails(operation, json!({"QueueUrl": url, "Entries": entries})).await;
            assert_eq!(found, format!("AWS.SimpleQueueService.{code}"));
            assert_eq!(message, text);
        }
    }
    let half = "x".repeat(600_000);
    let entries = json!([{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half}]);
    let (code, text) = sqs.fails("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    assert_eq!(code, "AWS.SimpleQueueService.BatchRequestTooLong");
    assert_eq!(text, "Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes.");
    assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
}

#[tokio::test]
async fn a_bad_entry_fails_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    let entries = json!([
        {"Id": "good", "MessageBody": "hello"},
        {"Id": "bad", "MessageBody": "\u{1}"},
        {"Id": "late", "MessageBody": "later", "DelaySeconds": 5},
    ]);
    let output = sqs.ok("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    assert_eq!(output["Successful"][0]["Id"], "good");
    assert_eq!(output["Successful"][0]["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(output["Successful"][1]["Id"], "late");
    assert_eq!(output["Failed"][0]["Id"], "bad");
    assert_eq!(output["Failed"][0]["Code"], "InvalidMessageContents");
    assert_eq!(output["Failed"][0]["SenderFault"], true);
    assert_eq!(sqs.counts(&url).await, [1, 0, 1]);

    sqs.pass(5);
    let messages = sqs.receive(&url).await;
    let handle = |i: usize| messages[i]["ReceiptHandle"].clone();
    let entries = json!([
        {"Id": "a", "ReceiptHandle": handle(0), "VisibilityTimeout": 0},
        {"Id": "b", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0},
        {"Id": "c", "ReceiptHandle": handle(1)},
    ]);
    let output = sqs.ok("ChangeMessageVisibilityBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    assert_eq!(output["Successful"], json!([{"Id": "a"}]));
    assert_eq!(output["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(output["Failed"][1]["Code"], "MissingParameter");
    assert_eq!(sqs.counts(&url).await, [1, 1, 0]);

    let entries = json!([
        {"Id": "a", "ReceiptHandle": handle(0)},
        {"Id": "b", "ReceiptHandle": handle(1)},
        {"Id": "c", "ReceiptHandle": "nonsense"},
    ]);
    let output = sqs.ok("DeleteMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    assert_eq!(output["Successful"], json!([{"Id": "a"}, {"Id": "b"}]));
    assert_eq!(output["Failed"][0]["Id"], "c");
    assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
}
