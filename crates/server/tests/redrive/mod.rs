//! RedriveExecution, and Map Runs while they run, fail and are redriven.

use serde_json::{Value, json};

use crate::support::engine::Home;

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

async fn types(home: &Home, execution: &Value) -> Vec<String> {
    let history = home.ok("GetExecutionHistory", json!({"executionArn": execution})).await;
    let events = list(&history["events"]);
    assert!(events.iter().map(|event| event["id"].as_u64()).eq((1..=events.len() as u64).map(Some)));
    events.iter().map(|event| text(&event["type"]).to_owned()).collect()
}

async fn start(home: &Home, machine: &str, name: &str, input: &str) -> Value {
    let start = json!({"stateMachineArn": machine, "name": name, "input": input});
    home.ok("StartExecution", start).await["executionArn"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_execution_is_redriven() {
    let home = Home::new();
    let fails = json!({"StartAt": "P", "States": {
        "P": {"Type": "Pass", "Next": "W"}, "W": {"Type": "Wait", "SecondsPath": "$.s", "Next": "F"},
        "F": {"Type": "Fail", "Error": "E", "Cause": "as written"}}});
    let machine = home.create("m", &fails).await;
    let execution = start(&home, &machine, "e", r#"{"s":0}"#).await;
    home.closed(text(&execution)).await;
    let describe = json!({"executionArn": execution});
    let closed = home.ok("DescribeExecution", describe.clone()).await;
    assert_eq!((&closed["redriveStatus"], &closed["redriveCount"]), (&json!("REDRIVABLE"), &json!(0)));
    assert!(closed["redriveDate"].is_null() && closed["redriveStatusReason"].is_null());

    let redrive = json!({"executionArn": execution, "clientToken": "t"});
    let redriven = home.ok("RedriveExecution", redrive.clone()).await;
    home.closed(text(&execution)).await;
    let described = home.ok("DescribeExecution", describe).await;
    assert_eq!((&described["status"], &described["error"]), (&json!("FAILED"), &json!("E")));
    assert_eq!(
        (&described["redriveCount"], &described["redriveDate"]),
        (&json!(1), &redriven["redriveDate"])
    );
    // The same token names the same redrive, another one the next.
    assert_eq!(home.ok("RedriveExecution", redrive).await, redriven);
    home.ok("RedriveExecution", json!({"executionArn": execution, "clientToken": "u"})).await;
    home.closed(text(&execution)).await;
    let expected = "ExecutionStarted PassStateEntered PassStateExited WaitStateEntered WaitStateExited FailStateEntered \
        ExecutionFailed ExecutionRedriven FailStateEntered ExecutionFailed ExecutionRedriven FailStateEntered ExecutionFailed";
    assert_eq!(types(&home, &execution).await.join(" "), expected);

    let other = start(&home, &machine, "other", r#"{"s":1000}"#).await;
    let list_of = |filter: Value| {
        let mut request = json!({"stateMachineArn": machine});
        request.as_object_mut().expect("an object").extend(filter.as_object().expect("one").clone());
        request
    };
    for (filter, expected) in [
        (json!({"redriveFilter": "REDRIVEN"}), vec![&execution]),
        (json!({"redriveFilter": "NOT_REDRIVEN"}), vec![&other]),
        (json!({"redriveFilter": "REDRIVEN", "statusFilter": "RUNNING"}), vec![]),
        (json!({"statusFilter": "FAILED"}), vec![&execution]),
    ] {
        let listed = home.ok("ListExecutions", list_of(filter.clone())).await;
        let arns: Vec<&Value> =
            list(&listed["executions"]).iter().map(|item| &item["executionArn"]).collect();
        assert_eq!(arns, expected, "{filter}");
    }
    // What runs again is newer than what has run all the time.
    home.ok("StopExecution", json!({"executionArn": other})).await;
    let third = start(&home, &machine, "third", r#"{"s":1000}"#).await;
    home.ok("RedriveExecution", json!({"executionArn": other})).await;
    let listed = home.ok("ListExecutions", list_of(json!({"statusFilter": "RUNNING"}))).await;
    let items = list(&listed["executions"]);
    assert_eq!(items.len(), 2);
    let since = |item: &Value| item["redriveDate"].as_f64().or(item["startDate"].as_f64());
    assert!(since(&items[0]) >= since(&items[1]), "{items:?}");
    let again = items.iter().find(|item| item["executionArn"] == other).expect("it runs");
    assert!(again["stopDate"].is_null() && again["redriveDate"].is_number(), "{again}");
    assert!(items.iter().any(|item| item["executionArn"] == third));
    home.ok("StopExecution", json!({"executionArn": other})).await;
    let stopped = list_of(json!({"statusFilter": "ABORTED"}));
    assert_eq!(list(&home.ok("ListExecutions", stopped).await["executions"]).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_redriven_says_why() {
    let home = Home::new();
    let waits = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$.s", "End": true}}});
    let machine = home.create("m", &waits).await;
    let succeeded = start(&home, &machine, "succeeded", r#"{"s":0}"#).await;
    home.closed(text(&succeeded)).await;
    let running = start(&home, &machine, "running", r#"{"s":1000}"#).await;
    let deleted = start(&home, &machine, "deleted", r#"{"s":"x"}"#).await;
    home.closed(text(&deleted)).await;
    for (execution, reason) in [
        (&succeeded, "Execution is SUCCEEDED and cannot be redriven"),
        (&running, "Execution is RUNNING and cannot be redriven"),
        (&deleted, "State machine is in DELETING status"),
    ] {
        if execution == &deleted {
            home.ok("DeleteStateMachine", json!({"stateMachineArn": machine})).await;
        }
        let described = home.ok("DescribeExecution", json!({"executionArn": execution})).await;
        assert_eq!(
            (&described["redriveStatus"], &described["redriveStatusReason"]),
            (&json!("NOT_REDRIVABLE"), &json!(reason))
        );
        let refusal = home.call("RedriveExecution", json!({"executionArn": execution})).await;
        let expected = format!("ExecutionNotRedrivable: Execution Not Redrivable: '{reason}'");
        assert_eq!(refusal.expect_err("cannot be"), expected);
    }
}

/// Two items, one at a time, of which the first fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_map_run_is_described_updated_and_redriven() {
    let home = Home::new();
    let definition = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "Label": "L", "End": true,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "W", "States": {
                "W": {"Type": "Wait", "SecondsPath": "$.s", "Next": "C"},
                "C": {"Type": "Choice", "Choices": [{"Variable": "$.ok", "BooleanEquals": true, "Next": "S"}], "Default": "F"},
                "S": {"Type": "Succeed"}, "F": {"Type": "Fail", "Error": "E"}}}}}});
    let machine = home.create("m", &definition).await;
    let input = r#"[{"s":0,"ok":true},{"s":1000,"ok":false},{"s":0,"ok":true}]"#;
    let execution = start(&home, &machine, "e", input).await;
    let runs = json!({"executionArn": execution});
    let run = loop {
        let listed = home.ok("ListMapRuns", runs.clone()).await;
        if let Some(run) = list(&listed["mapRuns"]).first() {
            break run.clone();
        }
    };
    assert_eq!(run["stateMachineArn"], json!(format!("{machine}/L")));
    assert!(run["stopDate"].is_null());
    let describe = json!({"mapRunArn": run["mapRunArn"]});
    let described = loop {
        let described = home.ok("DescribeMapRun", describe.clone()).await;
        if described["executionCounts"]["succeeded"] == 1 && described["executionCounts"]["running"] == 1 {
            break described;
        }
    };
    let counts = |given: Value| {
        let mut all = json!({"pending": 0, "running": 0, "succeeded": 0, "failed": 0, "timedOut": 0, "aborted": 0,
            "total": 3, "resultsWritten": 0, "failuresNotRedrivable": 0, "pendingRedrive": 0});
        all.as_object_mut().expect("an object").extend(given.as_object().expect("one").clone());
        all
    };
    let expected = counts(json!({"succeeded": 1, "running": 1, "pending": 1}));
    assert_eq!((&described["executionCounts"], &described["itemCounts"]), (&expected, &expected));
    assert_eq!(
        (&described["status"], &described["maxConcurrency"], &described["toleratedFailureCount"]),
        (&json!("RUNNING"), &json!(1), &json!(0))
    );
    assert_eq!((&described["executionArn"], &described["redriveCount"]), (&execution, &json!(0)));

    // With more room the third begins beside the second.
    let update =
        json!({"mapRunArn": run["mapRunArn"], "maxConcurrency": 2, "toleratedFailurePercentage": 1.5});
    assert_eq!(home.ok("UpdateMapRun", update.clone()).await, json!({}));
    let described = loop {
        let described = home.ok("DescribeMapRun", describe.clone()).await;
        if described["executionCounts"]["succeeded"] == 2 {
            break described;
        }
    };
    assert_eq!(
        (&described["maxConcurrency"], &described["toleratedFailurePercentage"]),
        (&json!(2), &json!(1.5))
    );

    // The second is stopped, and with it the Map Run fails.
    let running = json!({"mapRunArn": run["mapRunArn"], "statusFilter": "RUNNING"});
    let running = home.ok("ListExecutions", running).await;
    let child = list(&running["executions"])[0]["executionArn"].clone();
    home.ok("StopExecution", json!({"executionArn": child})).await;
    home.closed(text(&execution)).await;
    let described = home.ok("DescribeMapRun", describe.clone()).await;
    assert_eq!((&described["status"], described["stopDate"].is_number()), (&json!("FAILED"), true));
    assert_eq!(described["executionCounts"], counts(json!({"succeeded": 2, "aborted": 1})));
    let refusal = home.call("UpdateMapRun", update).await.expect_err("is over");
    assert!(refusal.starts_with("ValidationException"), "{refusal}");
    let stopped = home.ok("DescribeExecution", json!({"executionArn": child})).await;
    assert_eq!(
        (&stopped["redriveStatus"], &stopped["status"]),
        (&json!("REDRIVABLE_BY_MAP_RUN"), &json!("ABORTED"))
    );
    let refusal =
        home.call("RedriveExecution", json!({"executionArn": child})).await.expect_err("is a child");
    assert!(refusal.starts_with("ValidationException: Labeled Execution ARNs"), "{refusal}");

    home.ok("RedriveExecution", runs.clone()).await;
    let described = loop {
        let described = home.ok("DescribeMapRun", describe.clone()).await;
        if described["executionCounts"]["running"] == 1 {
            break described;
        }
    };
    assert_eq!((&described["status"], &described["redriveCount"]), (&json!("RUNNING"), &json!(1)));
    assert!(described["redriveDate"].is_number() && described["stopDate"].is_null());
    let again = home.ok("DescribeExecution", json!({"executionArn": child})).await;
    assert_eq!((&again["status"], &again["redriveCount"]), (&json!("RUNNING"), &json!(1)));
    home.ok("StopExecution", runs).await;
    assert_eq!(home.ok("DescribeMapRun", describe).await["status"], "ABORTED");
    let types = types(&home, &execution).await;
    assert!(types.ends_with(&[
        "ExecutionRedriven".into(),
        "MapRunRedriven".into(),
        "ExecutionAborted".into()
    ]));
}

#[tokio::test(flavor = "multi_thread")]
async fn map_runs_are_listed_in_pages_and_count_their_items() {
    let home = Home::new();
    let map = |name: &str, next: Value| {
        let mut map = json!({"Type": "Map", "ItemsPath": "$.items", "ResultPath": null, "ItemBatcher": {"MaxItemsPerBatch": 2},
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": name, "States": {name: {"Type": "Succeed"}}}});
        map.as_object_mut().expect("an object").extend(next.as_object().expect("one").clone());
        map
    };
    let definition = json!({"StartAt": "A", "States": {
        "A": map("S1", json!({"Next": "B"})), "B": map("S2", json!({"Next": "C"})), "C": map("S3", json!({"End": true}))}});
    let machine = home.create("m", &definition).await;
    let execution = start(&home, &machine, "e", r#"{"items":[1,2,3,4,5]}"#).await;
    home.closed(text(&execution)).await;
    let mut request = json!({"executionArn": execution, "maxResults": 2});
    let mut runs = Vec::new();
    loop {
        let page = home.ok("ListMapRuns", request.clone()).await;
        runs.extend(list(&page["mapRuns"]).iter().map(|run| run["mapRunArn"].clone()));
        if page["nextToken"].is_null() {
            break;
        }
        request["nextToken"] = page["nextToken"].clone();
    }
    assert_eq!(runs.len(), 3);
    let described = home.ok("DescribeMapRun", json!({"mapRunArn": runs[2]})).await;
    let (executions, items) = (&described["executionCounts"], &described["itemCounts"]);
    assert_eq!(
        (&executions["succeeded"], &executions["total"], &executions["resultsWritten"]),
        (&json!(3), &json!(3), &json!(3))
    );
    assert_eq!((&items["succeeded"], &items["total"], &items["pending"]), (&json!(5), &json!(5), &json!(0)));
    let children = home.ok("ListExecutions", json!({"mapRunArn": runs[0]})).await;
    let mut counts: Vec<u64> =
        list(&children["executions"]).iter().filter_map(|c| c["itemCount"].as_u64()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 2]);
    for (operation, request, code) in [
        ("ListMapRuns", json!({"executionArn": format!("{}x", text(&execution))}), "ExecutionDoesNotExist"),
        ("ListMapRuns", json!({"executionArn": machine}), "InvalidArn"),
        ("DescribeMapRun", json!({"mapRunArn": format!("{}x", text(&runs[0]))}), "ResourceNotFound"),
        ("DescribeMapRun", json!({"mapRunArn": machine}), "InvalidArn"),
        (
            "UpdateMapRun",
            json!({"mapRunArn": format!("{}x", text(&runs[0])), "maxConcurrency": 1}),
            "ResourceNotFound",
        ),
        ("UpdateMapRun", json!({"mapRunArn": runs[0], "maxConcurrency": 1}), "ValidationException"),
    ] {
        let refusal = home.call(operation, request.clone()).await.expect_err(operation);
        assert!(refusal.starts_with(code), "{operation} {request}: {refusal}");
    }
}
