//! Requests that no client library would send: never a failure of ours, and the queue goes on.

use serde_json::{Value, json};

use crate::support::{START_MS, Sqs};

/// Valid requests, each of whose members is replaced by values of every type, alone.
#[tokio::test]
async fn no_request_makes_the_service_fail() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    let fifo = sqs.create("q.fifo", json!({"FifoQueue": "true"})).await;
    sqs.send(&url, "m").await;
    let handle = sqs.receive(&url).await[0]["ReceiptHandle"].clone();
    let attribute = json!({"DataType": "String", "StringValue": "v", "BinaryValue": "AAEC"});
    let redrive = "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:q\",\"maxReceiveCount\":1}";
    let message = json!({"Id": "a", "MessageBody": "b", "DelaySeconds": 1, "MessageAttributes": {"n": attribute},
                         "MessageSystemAttributes": {"AWSTraceHeader": attribute}});
    let requests = [
        ("CreateQueue", json!({"QueueName": "new", "Attributes": {"DelaySeconds": "1"}, "tags": {"k": "v"}})),
        ("GetQueueUrl", json!({"QueueName": "q", "QueueOwnerAWSAccountId": "000000000000"})),
        ("ListQueues", json!({"QueueNamePrefix": "q", "MaxResults": 1, "NextToken": "cQ"})),
        ("ListDeadLetterSourceQueues", json!({"QueueUrl": url, "MaxResults": 1, "NextToken": "cQ"})),
        ("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]})),
        (
            "SetQueueAttributes",
            json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": redrive, "Policy": "{}",
            "RedriveAllowPolicy": "{\"redrivePermission\":\"allowAll\"}", "VisibilityTimeout": "30"}}),
        ),
        ("TagQueue", json!({"QueueUrl": url, "Tags": {"k": "v"}})),
        ("UntagQueue", json!({"QueueUrl": url, "TagKeys": ["k"]})),
        (
            "SendMessage",
            json!({"QueueUrl": fifo, "MessageBody": "b", "MessageGroupId": "g",
            "MessageDeduplicationId": "d"}),
        ),
        ("SendMessageBatch", json!({"QueueUrl": url, "Entries": [message]})),
        (
            "ReceiveMessage",
            json!({"QueueUrl": fifo, "MaxNumberOfMessages": 2, "VisibilityTimeout": 0,
            "WaitTimeSeconds": 0, "AttributeNames": ["All"], "MessageAttributeNames": ["a.*"],
            "MessageSystemAttributeNames": ["All"], "ReceiveRequestAttemptId": "try"}),
        ),
        (
            "ChangeMessageVisibility",
            json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 1}),
        ),
        (
            "ChangeMessageVisibilityBatch",
            json!({"QueueUrl": url, "Entries": [{"Id": "a", "ReceiptHandle": handle,
            "VisibilityTimeout": 1}]}),
        ),
        ("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle})),
        ("DeleteMessageBatch", json!({"QueueUrl": url, "Entries": [{"Id": "a", "ReceiptHandle": handle}]})),
    ];
    let wrong = [
        json!(null),
        json!(false),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}"),
        json!("ü".repeat(300)),
        json!("arn:aws:sqs:us-east-1:000000000000:"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"a": {"b": {}}}),
    ];
    for (operation, request) in requests {
        let mut paths = vec![String::new()];
        collect_paths(&request, "", &mut paths);
        for path in paths {
            for value in &wrong {
                let mut request = request.clone();
                *request.pointer_mut(&path).expect("the path is one of its own") = value.clone();
                if let Err(fault) = sqs.call(operation, request.clone()).await {
                    assert!(fault.status < 500, "{operation} {request}: {fault}");
                    assert!(!fault.message.is_empty(), "{operation} {request}: {fault}");
                }
            }
        }
    }
    let url = sqs.create("after", json!({})).await;
    sqs.send(&url, "still here").await;
    assert_eq!(sqs.receive_bodies(&url).await, ["still here"]);
}

fn collect_paths(value: &Value, path: &str, paths: &mut Vec<String>) {
    let mut visit = |name: String, value: &Value| {
        let path = format!("{path}/{name}");
        paths.push(path.clone());
        collect_paths(value, &path, paths);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| visit(name.clone(), member)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| visit(i.to_string(), item)),
        _ => {}
    }
}
