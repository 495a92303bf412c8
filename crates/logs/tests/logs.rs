//! The operations of CloudWatch Logs over a real store.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use stepwell_aws::{Account, Call, Service};
use stepwell_logs::{Logs, LogsService};
use stepwell_store::{Store, WriteBatch};

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

struct House {
    directory: tempfile::TempDir,
    store: Store,
    logs: Arc<Logs>,
    service: LogsService,
    now_ms: Arc<AtomicI64>,
}

impl House {
    fn new() -> House {
        House::open(tempfile::tempdir().expect("a directory"), Arc::new(AtomicI64::new(100 * DAY_MS)))
    }

    fn open(directory: tempfile::TempDir, now_ms: Arc<AtomicI64>) -> House {
        let store = Store::open(directory.path()).expect("opens");
        let clock = now_ms.clone();
        let clock = Arc::new(move || clock.load(Ordering::Relaxed));
        let logs = Logs::open(&store, Account::default(), clock).expect("opens");
        House { directory, store, service: LogsService::new(logs.clone()), logs, now_ms }
    }

    fn restart(self) -> House {
        let House { directory, store, logs, service, now_ms } = self;
        drop((store, logs, service));
        House::open(directory, now_ms)
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        let outcome = self.service.call(Call::new(operation, input)).await;
        outcome.map(|reply| reply.output).map_err(|fault| format!("{}: {}", fault.code, fault.message))
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        self.call(operation, input).await.expect_err(operation)
    }

    fn append(&self, group: &str, stream: &str, timestamp_ms: i64, message: &str) {
        let mut batch = WriteBatch::new();
        let arn = Account::default().arn("logs", &format!("log-group:{group}:*"));
        self.logs.append(&mut batch, &arn, stream, timestamp_ms, message);
        self.store.commit(batch).expect("commits");
    }
}

fn messages(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().expect("a list");
    events.iter().map(|event| event["message"].as_str().expect("a text")).collect()
}

fn group(name: &str) -> Value {
    json!({ "logGroupName": name })
}

#[tokio::test]
async fn groups_live_from_creation_to_deletion() {
    let house = House::new();
    for name in ["b", "a/x", "a"] {
        house.ok("CreateLogGroup", group(name)).await;
    }
    assert_eq!(
        house.refused("CreateLogGroup", group("a")).await,
        "ResourceAlreadyExistsException: The specified log group already exists"
    );
    for bad in ["", "a b", "a:b", &"x".repeat(513)] {
        let refusal = house.refused("CreateLogGroup", group(bad)).await;
        assert!(refusal.starts_with("InvalidParameterException"), "{refusal}");
    }
    let page = house.ok("DescribeLogGroups", json!({"logGroupNamePrefix": "a", "limit": 1})).await;
    let arn = Account::default().arn("logs", "log-group:a");
    assert_eq!(page["logGroups"][0]["logGroupArn"], arn);
    assert_eq!(page["logGroups"][0]["arn"], format!("{arn}:*"));
    let rest = json!({"logGroupNamePrefix": "a", "limit": 1, "nextToken": page["nextToken"]});
    let rest = house.ok("DescribeLogGroups", rest).await;
    assert_eq!((&rest["logGroups"][0]["logGroupName"], rest.get("nextToken")), (&json!("a/x"), None));

    house.ok("PutRetentionPolicy", json!({"logGroupName": "a", "retentionInDays": 7})).await;
    house.append("a", "s", 1, "of the first group");
    let house = house.restart();
    assert!(house.logs.has_group(&arn) && house.logs.has_group(&format!("{arn}:*")));
    assert!(!house.logs.has_group(&format!("{arn}x")) && !house.logs.has_group("a"));
    let found = house.ok("DescribeLogGroups", json!({"logGroupNamePattern": "A"})).await;
    assert_eq!(found["logGroups"][0]["retentionInDays"], 7);
    house.ok("DeleteLogGroup", group("a")).await;
    let missing = "ResourceNotFoundException: The specified log group does not exist.";
    assert_eq!(house.refused("DeleteLogGroup", group("a")).await, missing);
    assert_eq!(house.refused("FilterLogEvents", group("a")).await, missing);
    house.append("a", "s", 1, "of nobody");
    house.ok("CreateLogGroup", group("a")).await;
    assert_eq!(messages(&house.ok("FilterLogEvents", group("a")).await), [""; 0]);
}

#[tokio::test]
async fn events_are_read_in_pages_from_both_ends() {
    let house = House::new();
    house.ok("CreateLogGroup", group("g")).await;
    let stream = json!({"logGroupName": "g", "logStreamName": "s"});
    house.ok("CreateLogStream", stream.clone()).await;
    assert!(house.refused("CreateLogStream", stream.clone()).await.starts_with("ResourceAlreadyExists"));
    let with = |more: Value| {
        let mut input = stream.clone();
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    let events: Vec<Value> =
        (0..5).map(|i| json!({"timestamp": 1000 + i / 2, "message": format!("m{i}")})).collect();
    house.ok("PutLogEvents", with(json!({"logEvents": events}))).await;
    let backwards = json!([{"timestamp": 2, "message": "x"}, {"timestamp": 1, "message": "y"}]);
    assert!(
        house.refused("PutLogEvents", with(json!({"logEvents": backwards}))).await.contains("chronological")
    );
    assert!(
        house.refused("PutLogEvents", with(json!({"logEvents": []}))).await.starts_with("InvalidParameter")
    );
    let nowhere = json!({"logGroupName": "g", "logStreamName": "x", "logEvents": events});
    assert!(house.refused("PutLogEvents", nowhere).await.contains("log stream does not exist"));

    let house = house.restart();
    let first = house.ok("GetLogEvents", with(json!({"startFromHead": true, "limit": 3}))).await;
    assert_eq!(messages(&first), ["m0", "m1", "m2"]);
    let second = house.ok("GetLogEvents", with(json!({"nextToken": first["nextForwardToken"]}))).await;
    assert_eq!(messages(&second), ["m3", "m4"]);
    let third = house.ok("GetLogEvents", with(json!({"nextToken": second["nextForwardToken"]}))).await;
    assert_eq!(messages(&third), [""; 0]);
    assert_eq!(third["nextForwardToken"], second["nextForwardToken"], "so that a client knows the end");
    let newest = house.ok("GetLogEvents", with(json!({"limit": 2}))).await;
    assert_eq!(messages(&newest), ["m3", "m4"]);
    let older = json!({"nextToken": newest["nextBackwardToken"], "limit": 9});
    assert_eq!(messages(&house.ok("GetLogEvents", with(older)).await), ["m0", "m1", "m2"]);
    let between = json!({"startTime": 1001, "endTime": 1002, "startFromHead": true});
    assert_eq!(messages(&house.ok("GetLogEvents", with(between)).await), ["m2", "m3"]);
    assert!(house.refused("GetLogEvents", with(json!({"nextToken": "x"}))).await.contains("nextToken"));
    let streams = house.ok("DescribeLogStreams", group("g")).await;
    assert_eq!(
        (&streams["logStreams"][0]["firstEventTimestamp"], &streams["logStreams"][0]["lastEventTimestamp"]),
        (&json!(1000), &json!(1002))
    );
    house.ok("DeleteLogStream", stream.clone()).await;
    assert!(house.refused("DeleteLogStream", stream.clone()).await.contains("log stream does not exist"));
    house.ok("CreateLogStream", stream.clone()).await;
    assert_eq!(messages(&house.ok("GetLogEvents", stream).await), [""; 0]);
}

#[tokio::test]
async fn events_are_filtered_over_all_streams_and_kept_as_long_as_wanted() {
    let house = House::new();
    house.ok("CreateLogGroup", group("g")).await;
    let now_ms = house.now_ms.load(Ordering::Relaxed);
    for (stream, timestamp_ms, message) in [
        ("b", now_ms - 3 * DAY_MS, "an old ERROR"),
        ("a", now_ms - DAY_MS, "a newer ERROR"),
        ("b", now_ms, "all is well"),
    ] {
        house.append("g", stream, timestamp_ms, message);
    }
    let all = house.ok("FilterLogEvents", group("g")).await;
    assert_eq!(messages(&all), ["an old ERROR", "a newer ERROR", "all is well"]);
    let errors = json!({"logGroupName": "g", "filterPattern": "ERROR", "limit": 1});
    let page = house.ok("FilterLogEvents", errors.clone()).await;
    assert_eq!((messages(&page), &page["events"][0]["logStreamName"]), (vec!["a newer ERROR"], &json!("a")));
    let mut rest = errors;
    rest["nextToken"] = page["nextToken"].clone();
    let rest = house.ok("FilterLogEvents", rest).await;
    assert_eq!((messages(&rest), rest.get("nextToken")), (vec!["an old ERROR"], None));
    let of_stream = json!({"logGroupName": "g", "logStreamNames": ["b"]});
    assert_eq!(messages(&house.ok("FilterLogEvents", of_stream).await), ["an old ERROR", "all is well"]);
    let json_pattern = json!({"logGroupName": "g", "filterPattern": "{ $.a = 1 }"});
    assert!(house.refused("FilterLogEvents", json_pattern).await.contains("filterPattern"));

    house.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 2})).await;
    assert_eq!(messages(&house.ok("FilterLogEvents", group("g")).await), ["a newer ERROR", "all is well"]);
    house.ok("DeleteRetentionPolicy", group("g")).await;
    assert_eq!(messages(&house.ok("FilterLogEvents", group("g")).await).len(), 3);
    assert!(house.refused("PutMetricFilter", group("g")).await.starts_with("UnknownOperationException"));
}
