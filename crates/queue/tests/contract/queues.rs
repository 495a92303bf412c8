//! Creating, finding, describing and deleting queues.

use serde_json::json;
use stepwell_aws::{Call, Service as _};

use crate::support::{START_MS, Sqs};

#[tokio::test]
async fn creating_is_idempotent_for_equal_attributes() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({"DelaySeconds": "1"})).await;
    assert_eq!(url, "http://127.0.0.1:8083/000000000000/q");
    for same in [json!({"DelaySeconds": "1"}), json!({}), json!({"VisibilityTimeout": "30"})] {
        assert_eq!(sqs.create("q", same).await, url);
    }
    let other = json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "30", "DelaySeconds": "2"}});
    let (code, text) = sqs.fails("CreateQueue", other).await;
    assert_eq!(code, "QueueAlreadyExists");
    assert_eq!(
        text,
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    );
}

#[tokio::test]
async fn urls_follow_the_host_of_the_caller() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let host = Some("queues.example:9000".to_owned());
    for (operation, member) in [("CreateQueue", "QueueUrl"), ("GetQueueUrl", "QueueUrl")] {
        let call = Call { host: host.clone(), ..Call::new(operation, json!({"QueueName": "q"})) };
        let output = sqs.queues.call(call).await.expect("answers").output;
        assert_eq!(output[member], "http://queues.example:9000/000000000000/q");
    }
    // A URL written for AWS leads to the same queue.
    sqs.send("https://sqs.us-east-1.amazonaws.com/000000000000/q", "hello").await;
    assert_eq!(sqs.receive_bodies("http://127.0.0.1:1/000000000000/q").await, ["hello"]);
}

#[tokio::test]
async fn what_is_not_there_is_named_as_aws_names_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = "http://127.0.0.1:8083/000000000000/none";
    for (operation, input) in [
        ("GetQueueUrl", json!({"QueueName": "none"})),
        ("SendMessage", json!({"QueueUrl": url, "MessageBody": "b"})),
        ("ReceiveMessage", json!({"QueueUrl": url})),
        ("DeleteQueue", json!({"QueueUrl": url})),
        ("PurgeQueue", json!({"QueueUrl": url})),
        ("GetQueueAttributes", json!({"QueueUrl": url})),
        ("SendMessage", json!({"MessageBody": "b"})),
    ] {
        let fault = sqs.call(operation, input).await.expect_err(operation);
        assert_eq!((fault.code.as_str(), fault.namespace), ("QueueDoesNotExist", Some("com.amazonaws.sqs")));
        assert_eq!(fault.message, "The specified queue does not exist.");
        assert_eq!(
            fault.headers,
            [("x-amzn-query-error".into(), "AWS.SimpleQueueService.NonExistentQueue;Sender".into())]
        );
    }
    let fault = sqs.call("StartMessageMoveTask", json!({})).await.expect_err("is not served");
    assert_eq!(fault.code, "UnknownOperationException");
    assert!(fault.message.contains("StartMessageMoveTask"), "{}", fault.message);
    let (code, _) = sqs.fails("SendMessage", json!([1])).await;
    assert_eq!(code, "MalformedInput");
}

#[tokio::test]
async fn names_and_kinds_are_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    for (name, attributes, code) in [
        ("a b", json!({}), "InvalidParameterValue"),
        ("", json!({}), "InvalidParameterValue"),
        ("q.fifo", json!({}), "InvalidParameterValue"),
        ("q", json!({"FifoQueue": "true"}), "InvalidParameterValue"),
        ("q", json!({"FifoQueue": "false"}), "InvalidAttributeName"),
        ("q", json!({"Nonsense": "1"}), "InvalidAttributeName"),
        ("q", json!({"DelaySeconds": "901"}), "InvalidAttributeValue"),
        ("q", json!({"DelaySeconds": 1}), "MalformedInput"),
    ] {
        let input = json!({"QueueName": name, "Attributes": attributes});
        assert_eq!(sqs.fails("CreateQueue", input).await.0, code, "{name}");
    }
    assert_eq!(sqs.fails("CreateQueue", json!({})).await.0, "MissingParameter");
    assert_eq!(sqs.ok("ListQueues", json!({})).await, json!({}), "none of them was made");
}

#[tokio::test]
async fn attributes_are_shown_as_aws_shows_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({"VisibilityTimeout": "20"})).await;
    let all = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let expected = json!({
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "CreatedTimestamp": "1700000000",
        "LastModifiedTimestamp": "1700000000",
        "VisibilityTimeout": "20",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    });
    assert_eq!(sqs.ok("GetQueueAttributes", all.clone()).await["Attributes"], expected);
    sqs.pass(60);
    let change =
        json!({"QueueUrl": url, "Attributes": {"DelaySeconds": "420", "Policy": "{\"Version\":\"1\"}"}});
    sqs.ok("SetQueueAttributes", change).await;
    let attributes = sqs.ok("GetQueueAttributes", all).await["Attributes"].clone();
    assert_eq!(attributes["DelaySeconds"], "420");
    assert_eq!(attributes["Policy"], "{\"Version\":\"1\"}");
    assert_eq!(attributes["LastModifiedTimestamp"], "1700000060");

    let asked = json!({"QueueUrl": url, "AttributeNames": ["QueueArn", "RedrivePolicy"]});
    let output = sqs.ok("GetQueueAttributes", asked).await;
    assert_eq!(output, json!({"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:q"}}));
    assert_eq!(sqs.ok("GetQueueAttributes", json!({"QueueUrl": url})).await, json!({}));
    let unknown = json!({"QueueUrl": url, "AttributeNames": ["Nonsense"]});
    let (code, text) = sqs.fails("GetQueueAttributes", unknown).await;
    assert_eq!((code.as_str(), text.as_str()), ("InvalidAttributeName", "Unknown Attribute Nonsense."));

    let fifo = sqs.create("q.fifo", json!({"FifoQueue": "true"})).await;
    let asked = json!({"QueueUrl": fifo, "AttributeNames": ["All"]});
    let attributes = sqs.ok("GetQueueAttributes", asked).await["Attributes"].clone();
    for (name, value) in [
        ("FifoQueue", "true"),
        ("ContentBasedDeduplication", "false"),
        ("DeduplicationScope", "queue"),
        ("FifoThroughputLimit", "perQueue"),
    ] {
        assert_eq!(attributes[name], value);
    }
}

#[tokio::test]
async fn a_bad_change_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let url = sqs.create("q", json!({})).await;
    let change = json!({"QueueUrl": url, "Attributes": {"DelaySeconds": "5", "VisibilityTimeout": "-1"}});
    assert_eq!(sqs.fails("SetQueueAttributes", change).await.0, "InvalidAttributeValue");
    let asked = json!({"QueueUrl": url, "AttributeNames": ["DelaySeconds"]});
    assert_eq!(sqs.ok("GetQueueAttributes", asked).await["Attributes"]["DelaySeconds"], "0");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    for i in 0..5 {
        sqs.create(&format!("a{i}"), json!({})).await;
    }
    sqs.create("b", json!({})).await;
    let mut seen = Vec::new();
    let mut token = json!(null);
    loop {
        let input = json!({"QueueNamePrefix": "a", "MaxResults": 2, "NextToken": token});
        let page = sqs.ok("ListQueues", input).await;
        seen.extend(page["QueueUrls"].as_array().expect("a list").clone());
        match page.get("NextToken") {
            Some(next) => token = next.clone(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|url| url.as_str().expect("a URL").contains("/a")));
    let all = sqs.ok("ListQueues", json!({})).await;
    assert_eq!(all["QueueUrls"].as_array().expect("a list").len(), 6);
    assert_eq!(sqs.fails("ListQueues", json!({"MaxResults": 0})).await.0, "InvalidParameterValue");
    assert_eq!(sqs.fails("ListQueues", json!({"NextToken": "?"})).await.0, "InvalidParameterValue");
}

#[tokio::test]
async fn tags_come_and_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    let input = json!({"QueueName": "q", "tags": {"a": "1"}});
    let url = sqs.ok("CreateQueue", input).await["QueueUrl"].clone();
    sqs.ok("TagQueue", json!({"QueueUrl": url, "Tags": {"b": "2", "a": "3"}})).await;
    let asked = json!({"QueueUrl": url});
    assert_eq!(sqs.ok("ListQueueTags", asked.clone()).await, json!({"Tags": {"a": "3", "b": "2"}}));
    sqs.ok("UntagQueue", json!({"QueueUrl": url, "TagKeys": ["a", "b", "c"]})).await;
    assert_eq!(sqs.ok("ListQueueTags", asked).await, json!({}));
    let many: serde_json::Map<_, _> = (0..51).map(|i| (format!("t{i}"), json!("v"))).collect();
    assert_eq!(
        sqs.fails("TagQueue", json!({"QueueUrl": url, "Tags": many})).await.0,
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn a_deleted_queue_takes_its_messages_with_it() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let sqs = Sqs::open(directory.path(), START_MS);
        let url = sqs.create("q", json!({})).await;
        sqs.send(&url, "old").await;
        sqs.ok("DeleteQueue", json!({"QueueUrl": url})).await;
        assert_eq!(
            sqs.fails("GetQueueUrl", json!({"QueueName": "q"})).await.0,
            "AWS.SimpleQueueService.NonExistentQueue"
        );
        sqs.create("q", json!({})).await;
        assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
        sqs.send(&url, "new").await;
    }
    let sqs = Sqs::open(directory.path(), START_MS);
    assert_eq!(sqs.receive_bodies("http://h/000000000000/q").await, ["new"]);
}

#[tokio::test]
async fn a_purge_empties_the_queue_once_a_minute() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let sqs = Sqs::open(directory.path(), START_MS);
        let url = sqs.create("q", json!({})).await;
        for body in ["a", "b", "c"] {
            sqs.send(&url, body).await;
        }
        let held = sqs.receive_with(&url, json!({"MaxNumberOfMessages": 1})).await;
        sqs.ok("PurgeQueue", json!({"QueueUrl": url})).await;
        assert_eq!(sqs.counts(&url).await, [0, 0, 0]);
        sqs.delete(&url, &held[0]).await;
        sqs.send(&url, "d").await;
        let fault = sqs.call("PurgeQueue", json!({"QueueUrl": url})).await.expect_err("too soon");
        assert_eq!(fault.query_code(), "AWS.SimpleQueueService.PurgeQueueInProgress");
        assert_eq!(fault.status, 403);
        assert_eq!(fault.message, "Only one PurgeQueue operation on q is allowed every 60 seconds.");
    }
    let sqs = Sqs::open(directory.path(), START_MS + 60_000);
    let url = "http://h/000000000000/q";
    assert_eq!(sqs.counts(url).await, [1, 0, 0]);
    sqs.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    assert_eq!(sqs.counts(url).await, [0, 0, 0]);
}

#[tokio::test]
async fn a_call_that_came_from_no_client_gets_urls_of_the_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let sqs = Sqs::open(directory.path(), START_MS);
    sqs.queues.reached_at("127.0.0.1:9000".into());
    let created = sqs.ok("CreateQueue", json!({"QueueName": "q"})).await;
    assert_eq!(created["QueueUrl"], "http://127.0.0.1:9000/000000000000/q");
    let mut call = Call::new("GetQueueUrl", json!({"QueueName": "q"}));
    call.host = Some("queues.example:80".into());
    let reply = sqs.queues.call(call).await.expect("found");
    assert_eq!(reply.output["QueueUrl"], "http://queues.example:80/000000000000/q");
}
