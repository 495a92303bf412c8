//! Standard queues: sending, receiving, visibility, deletion, retention.

use serde_json::{Value, json};

use crate::support::{START_MS, Sqs, bodies};

#[tokio::test]
async fn a_message_is_handed_out_hidden_and_deleted() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    let sent = sqs.send(&url, "hello").await;
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(sqs.counts(&url).await, [1, 0, 0]);
    sqs.pass(1);
    let received = sqs.receive(&url).await;
    let [message] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert_eq!(message["Body"], "hello");
    assert_eq!(
        message["Attributes"],
        json!({
            "SenderId": "000000000000",
            "SentTimestamp": START_MS.to_string(),
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": (START_MS + 1_000).to_string(),
        })
    );
    assert_eq!(sqs.receive(&url).await, [Value::Null; 0], "it is in flight");
    assert_eq!(sqs.counts(&url).await, [0, 1, 0]);
    sqs.pass(29);
    assert_eq!(sqs.receive(&url).await.len(), 0);
    sqs.pass(1);
    let again = sqs.receive(&url).await;
    assert_eq!(again[0]["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(again[0]["Attributes"]["ApproximateFirstReceiveTimestamp"], (START_MS + 1_000).to_string());
    assert_ne!(again[0]["ReceiptHandle"], message["ReceiptHandle"]);

    // The first handle is outdated: deleting with it succeeds and deletes nothing.
    sqs.delete(&url, message).await;
    assert_eq!(sqs.counts(&url).await, [0, 1, 0]);
    // The second works although its timeout has passed, and again when there is nothing left.
    sqs.pass(31);
    sqs.delete(&url, &again[0]).await;
    sqs.delete(&url, &again[0]).await;
    assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
    let (code, text) = sqs.fails("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": "garbage"})).await;
    assert_eq!(code, "ReceiptHandleIsInvalid");
    assert_eq!(text, "The input receipt handle \"garbage\" is not a valid receipt handle.");
}

#[tokio::test]
async fn delays_of_the_queue_and_of_the_message() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({"DelaySeconds": "10"})).await;
    for (body, delay) in [("queue", json!(null)), ("none", json!(0)), ("own", json!(20))] {
        sqs.ok("SendMessage", json!({"QueueUrl": url, "MessageBody": body, "DelaySeconds": delay})).await;
    }
    assert_eq!(sqs.counts(&url).await, [1, 0, 2]);
    assert_eq!(sqs.receive_bodies(&url).await, ["none"]);
    sqs.pass(10);
    assert_eq!(sqs.receive_bodies(&url).await, ["queue"]);
    sqs.pass(10);
    assert_eq!(sqs.receive_bodies(&url).await, ["own"]);
}

#[tokio::test]
async fn visibility_can_be_changed() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    sqs.send(&url, "m").await;
    let message = sqs.receive_with(&url, json!({"VisibilityTimeout": 5})).await.remove(0);
    let change = |handle: &Value, seconds: Value| json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": seconds});
    let handle = &message["ReceiptHandle"];
    sqs.ok("ChangeMessageVisibility", change(handle, json!(100))).await;
    sqs.pass(99);
    assert_eq!(sqs.receive(&url).await.len(), 0);
    sqs.ok("ChangeMessageVisibility", change(handle, json!(0))).await;
    assert_eq!(sqs.counts(&url).await, [1, 0, 0]);
    // The last consumer may take it back although it is visible again.
    sqs.ok("ChangeMessageVisibility", change(handle, json!(10))).await;
    assert_eq!(sqs.counts(&url).await, [0, 1, 0]);

    for (seconds, code, part) in [
        (json!(43_201), "InvalidParameterValue", "Must be >= 0 and <= 43200"),
        (
            json!(43_200),
            "InvalidParameterValue",
            "Total VisibilityTimeout for the message is beyond the limit",
        ),
        (json!(null), "MissingParameter", "VisibilityTimeout"),
    ] {
        let (found, text) = sqs.fails("ChangeMessageVisibility", change(handle, seconds)).await;
        assert_eq!(found, code);
        assert!(text.contains(part), "{text}");
    }
    sqs.delete(&url, &message).await;
    let (code, text) = sqs.fails("ChangeMessageVisibility", change(handle, json!(1))).await;
    assert_eq!(code, "InvalidParameterValue");
    assert!(text.contains("not available for visibility timeout change"), "{text}");
}

#[tokio::test]
async fn a_timeout_of_zero_hands_out_without_hiding() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    sqs.send(&url, "a").await;
    sqs.send(&url, "b").await;
    for count in 1..=3 {
        let messages = sqs.receive_with(&url, json!({"VisibilityTimeout": 0})).await;
        assert_eq!(bodies(&messages), ["a", "b"]);
        assert_eq!(messages[0]["Attributes"]["ApproximateReceiveCount"], count.to_string());
    }
}

#[tokio::test]
async fn old_messages_are_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({"MessageRetentionPeriod": "60"})).await;
    sqs.send(&url, "seen").await;
    sqs.receive(&url).await;
    sqs.pass(30);
    sqs.send(&url, "young").await;
    sqs.pass(30);
    assert_eq!(sqs.counts(&url).await, [1, 0, 0]);
    assert_eq!(sqs.receive_bodies(&url).await, ["young"]);
    sqs.pass(60);
    assert_eq!(sqs.receive(&url).await.len(), 0);
    assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
}

#[tokio::test]
async fn receivers_get_the_attributes_they_ask_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    let text = |value: &str| json!({"DataType": "String", "StringValue": value});
    let sent = sqs
        .ok(
            "SendMessage",
            json!({
                "QueueUrl": url,
                "MessageBody": "msg",
                "MessageAttributes": {"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")},
                "MessageSystemAttributes": {"AWSTraceHeader": text("Root=1-5759e988")},
            }),
        )
        .await;
    assert_eq!(sent["MD5OfMessageAttributes"], "4c360f3fdafd970e05fae2f149d997f5");
    assert!(sent["MD5OfMessageSystemAttributes"].is_string());
    for (names, expected, digest) in [
        (json!([]), vec![], json!(null)),
        (json!(["All"]), vec!["General", "Hello", "Help.Me"], json!("4c360f3fdafd970e05fae2f149d997f5")),
        (json!([".*"]), vec!["General", "Hello", "Help.Me"], json!("4c360f3fdafd970e05fae2f149d997f5")),
        (json!(["Hello", "No"]), vec!["Hello"], json!("a311262e065454b75da111d535b8dacd")),
        (json!(["Hel.*"]), vec!["Hello", "Help.Me"], json!("83fee93c1bcd8b9a5a923ffacdc636c7")),
        (json!(["AWS.", "..foo"]), vec![], json!(null)),
    ] {
        let more = json!({"MessageAttributeNames": names, "VisibilityTimeout": 0});
        let message = sqs.receive_with(&url, more).await.remove(0);
        let mut found: Vec<&String> =
            message["MessageAttributes"].as_object().map(|map| map.keys().collect()).unwrap_or_default();
        found.sort();
        assert_eq!(found, expected, "{names}");
        assert_eq!(message["MD5OfMessageAttributes"], digest, "{names}");
        assert_eq!(message["Attributes"]["AWSTraceHeader"], "Root=1-5759e988");
    }
    let some = json!({"QueueUrl": url, "AttributeNames": ["SentTimestamp"], "VisibilityTimeout": 0});
    let message = &sqs.ok("ReceiveMessage", some).await["Messages"][0];
    assert_eq!(message["Attributes"], json!({"SentTimestamp": START_MS.to_string()}));
    let none = sqs.ok("ReceiveMessage", json!({"QueueUrl": url, "VisibilityTimeout": 0})).await;
    assert!(none["Messages"][0].get("Attributes").is_none());
}

#[tokio::test]
async fn requests_out_of_range_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({"MaximumMessageSize": "1024"})).await;
    for (more, text) in [
        (
            json!({"MaxNumberOfMessages": 11}),
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        ),
        (
            json!({"MaxNumberOfMessages": 0}),
            "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        ),
        (
            json!({"WaitTimeSeconds": 21}),
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
        ),
        (
            json!({"VisibilityTimeout": -1}),
            "Value -1 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.",
        ),
    ] {
        let mut input = json!({"QueueUrl": url});
        crate::support::merge(&mut input, more);
        let (code, found) = sqs.fails("ReceiveMessage", input).await;
        assert_eq!((code.as_str(), found.as_str()), ("InvalidParameterValue", text));
    }
    let big = json!({"QueueUrl": url, "MessageBody": "x".repeat(1_025)});
    let (_, text) = sqs.fails("SendMessage", big).await;
    assert_eq!(text, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.");
    sqs.send(&url, &"x".repeat(1_024)).await;
}

#[tokio::test]
async fn standard_queues_take_groups_and_keep_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    sqs.send_to_group(&url, "tenant", "a").await;
    sqs.send_to_group(&url, "tenant", "b").await;
    let one = sqs.receive_with(&url, json!({"MaxNumberOfMessages": 1})).await;
    assert_eq!(one[0]["Attributes"]["MessageGroupId"], "tenant");
    assert_eq!(sqs.receive_bodies(&url).await, ["b"], "groups of standard queues lock nothing");
}
