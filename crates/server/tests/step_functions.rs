//! The actions of Step Functions over a real engine.

mod http_tasks;
mod redrive;
mod revisions;
mod support;
mod throttling;

use serde_json::{Value, json};
use support::engine::{Home, ROLE, arn, pass, wait};

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_from_creation_to_deletion() {
    let home = Home::new();
    let input = json!({"name": "m.1", "definition": pass().to_string(), "roleArn": ROLE});
    let created = home.ok("CreateStateMachine", input.clone()).await;
    assert_eq!(created["stateMachineArn"], arn("stateMachine:m.1"));
    assert_eq!(home.ok("CreateStateMachine", input.clone()).await, created);

    let machine = json!({"stateMachineArn": arn("stateMachine:m.1")});
    let described = home.ok("DescribeStateMachine", machine.clone()).await;
    let expected = json!({
        "stateMachineArn": arn("stateMachine:m.1"), "name": "m.1", "status": "ACTIVE",
        "definition": pass().to_string(), "roleArn": ROLE, "type": "STANDARD",
        "creationDate": created["creationDate"],
        "loggingConfiguration": {"includeExecutionData": false, "level": "OFF"},
        "tracingConfiguration": {"enabled": false}, "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    });
    assert_eq!(described, expected);
    let metadata = json!({"stateMachineArn": arn("stateMachine:m.1"), "includedData": "METADATA_ONLY"});
    assert_eq!(home.ok("DescribeStateMachine", metadata).await["definition"], "{}");

    let other = json!({"name": "m.1", "definition": wait().to_string(), "roleArn": ROLE});
    let refusal = home.call("CreateStateMachine", other).await.expect_err("differs");
    assert_eq!(
        refusal,
        format!("StateMachineAlreadyExists: State Machine Already Exists: '{}'", arn("stateMachine:m.1"))
    );

    let update = json!({"stateMachineArn": arn("stateMachine:m.1"), "definition": pass().to_string()});
    let updated = home.ok("UpdateStateMachine", update).await;
    assert!(updated["updateDate"].is_number() && updated.get("revisionId").is_none(), "{updated}");
    let update = json!({"stateMachineArn": arn("stateMachine:m.1"), "definition": wait().to_string()});
    let updated = home.ok("UpdateStateMachine", update.clone()).await;
    let described = home.ok("DescribeStateMachine", machine.clone()).await;
    assert_eq!(described["revisionId"], updated["revisionId"]);
    assert_eq!(described["definition"], wait().to_string());
    assert_eq!(home.ok("UpdateStateMachine", update).await["revisionId"], updated["revisionId"]);

    assert_eq!(home.ok("DeleteStateMachine", machine.clone()).await, json!({}));
    assert_eq!(home.ok("DeleteStateMachine", machine.clone()).await, json!({}));
    let refusal = home.call("DescribeStateMachine", machine).await.expect_err("is gone");
    let expected =
        format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{}'", arn("stateMachine:m.1"));
    assert_eq!(refusal, expected);
    assert_eq!(home.ok("ListStateMachines", json!({})).await, json!({"stateMachines": []}));
}

/// Operation, input, and the exception as `Code: message`.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_texts_of_aws() {
    let home = Home::new();
    let machine = home.create("m", &pass()).await;
    let express = json!({"name": "x", "definition": pass().to_string(), "roleArn": ROLE, "type": "EXPRESS"});
    let express = home.ok("CreateStateMachine", express).await["stateMachineArn"].clone();
    let missing = arn("stateMachine:missing");
    let no_execution = arn("execution:m:missing");
    let new = |name: &str| json!({"name": name, "definition": pass().to_string(), "roleArn": ROLE});
    let with = |mut object: Value, member: &str, value: Value| {
        object[member] = value;
        object
    };
    let update = json!({"stateMachineArn": machine});
    let cases = [
        ("CreateStateMachine", new("a b"), "InvalidName: Invalid Name: 'a b'".to_owned()),
        (
            "CreateStateMachine",
            json!({"name": "n", "definition": pass().to_string(), "roleArn": "role"}),
            "InvalidArn: Invalid Arn: 'Invalid ARN prefix: role'".into(),
        ),
        (
            "CreateStateMachine",
            json!({"name": "n", "definition": "{\"Comment\":\"c\",\"StartAt\":\"S\"}", "roleArn": ROLE}),
            "InvalidDefinition: Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /'".into(),
        ),
        (
            "CreateStateMachine",
            with(new("n"), "versionDescription", json!("v")),
            "ValidationException: Version description can only be set when publish is true".into(),
        ),
        (
            "CreateStateMachine",
            with(new("n"), "versionDescription", json!("d")),
            "ValidationException: Version description can only be set when publish is true".into(),
        ),
        (
            "CreateStateMachine",
            with(new("n"), "loggingConfiguration", json!({"level": "ALL"})),
            "InvalidLoggingConfiguration: Invalid Logging Configuration: Must specify exactly one Log Destination.".into(),
        ),
        (
            "UpdateStateMachine",
            update.clone(),
            "MissingRequiredParameter: Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified".into(),
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": missing, "roleArn": ROLE}),
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{missing}'"),
        ),
        (
            "UpdateStateMachine",
            with(update, "definition", json!("{}")),
            "InvalidDefinition: Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'".into(),
        ),
        (
            "DeleteStateMachine",
            json!({"stateMachineArn": "m"}),
            "InvalidArn: Invalid Arn: 'Invalid ARN prefix: m'".into(),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": missing}),
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{missing}'"),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": format!("{machine}:1")}),
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{machine}:1'"),
        ),
        ("StartExecution", json!({"stateMachineArn": machine, "name": "a/b"}), "InvalidName: Invalid Name: 'a/b'".into()),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "input": "not some json"}),
            "InvalidExecutionInput: Invalid State Machine Execution Input: 'Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')'".into(),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "input": "{'not': 'json'"}),
            "InvalidExecutionInput: Invalid State Machine Execution Input: 'Unexpected character (''' (code 39)): was expecting double-quote to start field name'".into(),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "input": ""}),
            "InvalidExecutionInput: Invalid State Machine Execution Input: 'Invalid execution input.'".into(),
        ),
        (
            "StartSyncExecution",
            json!({"stateMachineArn": machine}),
            "StateMachineTypeNotSupported: This operation is not supported by this type of state machine".into(),
        ),
        (
            "StopExecution",
            json!({"executionArn": arn("express:m:e:u")}),
            "InvalidArn: Invalid Arn: 'Resource type not valid in this context: express'".into(),
        ),
        (
            "DescribeStateMachineForExecution",
            json!({"executionArn": arn("express:m:e:u")}),
            "InvalidArn: Invalid Arn: 'Resource type not valid in this context: express'".into(),
        ),
        (
            "DescribeExecution",
            json!({"executionArn": no_execution}),
            format!("ExecutionDoesNotExist: Execution Does Not Exist: '{no_execution}'"),
        ),
        (
            "StopExecution",
            json!({"executionArn": no_execution}),
            format!("ExecutionDoesNotExist: Execution Does Not Exist: '{no_execution}'"),
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": no_execution}),
            format!("ExecutionDoesNotExist: Execution Does Not Exist: '{no_execution}'"),
        ),
        (
            "DescribeStateMachineForExecution",
            json!({"executionArn": "nothing"}),
            "InvalidArn: Invalid Arn: 'Invalid ARN prefix: nothing'".into(),
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": arn("express:m:e:u")}),
            "InvalidArn: Invalid Arn: 'Resource type not valid in this context: express'".into(),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": express}),
            "StateMachineTypeNotSupported: This operation is not supported by this type of state machine".into(),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": missing}),
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{missing}'"),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": machine, "nextToken": "AAAA"}),
            "InvalidToken: Invalid Token: 'Invalid token'".into(),
        ),
        ("ListStateMachines", json!({"nextToken": "x"}), "InvalidToken: Invalid Token: 'Invalid token'".into()),
        (
            "TagResource",
            json!({"resourceArn": format!("{machine}:1"), "tags": []}),
            format!("ResourceNotFound: Resource not found: '{machine}:1'"),
        ),
        (
            "SendTaskSuccess",
            json!({"taskToken": "nonsense", "output": "{}"}),
            "InvalidToken: Invalid Token: 'Invalid token'".into(),
        ),
        (
            "SendTaskSuccess",
            json!({"taskToken": "nonsense", "output": "not some json"}),
            "InvalidOutput: Invalid Output: 'Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')'".into(),
        ),
        (
            "GetActivityTask",
            json!({"activityArn": machine}),
            "InvalidArn: Invalid Arn: 'Resource type not valid in this context: stateMachine'".into(),
        ),
        (
            "DescribeActivity",
            json!({"activityArn": arn("activity:a")}),
            format!("ActivityDoesNotExist: Activity Does Not Exist: '{}'", arn("activity:a")),
        ),
        (
            "TagResource",
            json!({"resourceArn": arn("activity:a"), "tags": []}),
            format!("ResourceNotFound: Resource not found: '{}'", arn("activity:a")),
        ),
        (
            "PublishStateMachineVersion",
            json!({"stateMachineArn": machine, "revisionId": "other"}),
            "ConflictException: The revision ID does not match the current revision of the state machine. Current revision ID: INITIAL".into(),
        ),
        (
            "DescribeStateMachineAlias",
            json!({"stateMachineAliasArn": format!("{machine}:a")}),
            "ResourceNotFound: Request references a resource that does not exist.".into(),
        ),
        (
            "UpdateStateMachineAlias",
            json!({"stateMachineAliasArn": format!("{machine}:a")}),
            "ValidationException: Either the description or the routingConfiguration must be specified".into(),
        ),
        (
            "RedriveExecution",
            json!({"executionArn": no_execution}),
            format!("ExecutionDoesNotExist: Execution Does Not Exist: '{no_execution}'"),
        ),
        (
            "InventSomething",
            json!({}),
            "UnknownOperationException: The operation InventSomething of AWS Step Functions is not supported by Stepwell".into(),
        ),
    ];
    for (operation, input, expected) in cases {
        let refusal = home.call(operation, input.clone()).await.expect_err(&expected);
        assert_eq!(refusal, expected, "{operation} {input}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_from_start_to_history() {
    let home = Home::new();
    let machine = home.create("m", &pass()).await;
    let started = home
        .ok(
            "StartExecution",
            json!({"stateMachineArn": machine, "name": "e", "input": "{\"x\": 1}", "traceHeader": "t"}),
        )
        .await;
    assert_eq!(started["executionArn"], arn("execution:m:e"));
    let execution = arn("execution:m:e");
    let described = home.closed(&execution).await;
    let expected = json!({
        "executionArn": execution, "stateMachineArn": machine, "name": "e", "status": "SUCCEEDED",
        "startDate": started["startDate"], "stopDate": described["stopDate"],
        "input": "{\"x\": 1}", "inputDetails": {"included": true},
        "output": "{\"a\":1}", "outputDetails": {"included": true},
        "traceHeader": "t", "redriveCount": 0, "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
    });
    assert_eq!(described, expected);

    let history = home.ok("GetExecutionHistory", json!({"executionArn": execution})).await;
    let mut events = history["events"].as_array().expect("events").clone();
    for event in &mut events {
        assert!(event.as_object_mut().expect("an event").remove("timestamp").expect("a time").is_number());
    }
    let details = json!({"truncated": false});
    let expected = json!([
        {"type": "ExecutionStarted", "id": 1, "previousEventId": 0,
         "executionStartedEventDetails": {"input": "{\"x\": 1}", "inputDetails": details, "roleArn": ROLE}},
        {"type": "PassStateEntered", "id": 2, "previousEventId": 0,
         "stateEnteredEventDetails": {"name": "P", "input": "{\"x\": 1}", "inputDetails": details}},
        {"type": "PassStateExited", "id": 3, "previousEventId": 2,
         "stateExitedEventDetails": {"name": "P", "output": "{\"a\":1}", "outputDetails": details}},
        {"type": "ExecutionSucceeded", "id": 4, "previousEventId": 3,
         "executionSucceededEventDetails": {"output": "{\"a\":1}", "outputDetails": details}},
    ]);
    assert_eq!(Value::from(events), expected);

    let without = json!({"executionArn": execution, "includeExecutionData": false, "reverseOrder": true});
    let history = home.ok("GetExecutionHistory", without).await;
    let ids: Vec<_> = history["events"].as_array().expect("events").iter().map(|e| e["id"].clone()).collect();
    assert_eq!(Value::from(ids), json!([4, 3, 2, 1]));
    assert_eq!(history["events"][2]["stateEnteredEventDetails"], json!({"name": "P"}));
    assert!(!history.to_string().contains("\"x\""), "{history}");

    let used = home.ok("DescribeStateMachineForExecution", json!({"executionArn": execution})).await;
    assert_eq!((&used["definition"], &used["name"]), (&json!(pass().to_string()), &json!("m")));
    assert!(used.get("status").is_none() && used["updateDate"].is_number(), "{used}");
    let again = json!({"stateMachineArn": machine, "name": "e", "input": "{\"x\": 1}"});
    let refusal = home.call("StartExecution", again).await.expect_err("is closed");
    assert_eq!(refusal, format!("ExecutionAlreadyExists: Execution Already Exists: '{execution}'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_come_in_pages() {
    let home = Home::new();
    let machine = home.create("m", &pass()).await;
    for name in ["e1", "e2", "e3", "e4", "e5"] {
        home.ok("StartExecution", json!({"stateMachineArn": machine, "name": name})).await;
        home.closed(&arn(&format!("execution:m:{name}"))).await;
    }
    let names = |answer: &Value| {
        let items = answer["executions"].as_array().expect("a list").iter();
        items.map(|e| e["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let first = home.ok("ListExecutions", json!({"stateMachineArn": machine, "maxResults": 2})).await;
    assert_eq!(names(&first), ["e5", "e4"]);
    let next = json!({"stateMachineArn": machine, "maxResults": 3, "nextToken": first["nextToken"]});
    let second = home.ok("ListExecutions", next).await;
    assert_eq!(names(&second), ["e3", "e2", "e1"]);
    assert!(second.get("nextToken").is_none(), "{second}");
    let running = json!({"stateMachineArn": machine, "statusFilter": "RUNNING"});
    assert_eq!(home.ok("ListExecutions", running).await, json!({"executions": []}));
    let changed =
        json!({"stateMachineArn": machine, "statusFilter": "RUNNING", "nextToken": first["nextToken"]});
    let refusal = home.call("ListExecutions", changed).await.expect_err("is of another request");
    assert_eq!(refusal, "InvalidToken: Invalid Token: 'Invalid token'");

    for reverse in [false, true] {
        let mut request =
            json!({"executionArn": arn("execution:m:e1"), "maxResults": 3, "reverseOrder": reverse});
        let mut ids = Vec::new();
        loop {
            let page = home.ok("GetExecutionHistory", request.clone()).await;
            ids.extend(
                page["events"].as_array().expect("events").iter().map(|e| e["id"].as_u64().expect("an id")),
            );
            match page.get("nextToken") {
                Some(token) => request["nextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(ids, if reverse { [4, 3, 2, 1] } else { [1, 2, 3, 4] });
    }

    for name in ["b", "a"] {
        home.create(name, &pass()).await;
    }
    let first = home.ok("ListStateMachines", json!({"maxResults": 2})).await;
    assert_eq!(first["stateMachines"][1]["name"], "b");
    let second = home.ok("ListStateMachines", json!({"nextToken": first["nextToken"]})).await;
    assert_eq!(second["stateMachines"].as_array().map(Vec::len), Some(1));
    assert!(second.get("nextToken").is_none(), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn running_executions_can_be_stopped_and_end_with_their_machine() {
    let home = Home::new();
    let machine = home.create("m", &wait()).await;
    for name in ["a", "b", "c"] {
        let start = json!({"stateMachineArn": machine, "name": name});
        let started = home.ok("StartExecution", start.clone()).await;
        assert_eq!(home.ok("StartExecution", start).await, started);
    }
    let a = arn("execution:m:a");
    let running = home.ok("DescribeExecution", json!({"executionArn": a})).await;
    assert_eq!(running["redriveStatusReason"], "Execution is RUNNING and cannot be redriven");
    assert!(running.get("stopDate").is_none(), "{running}");
    let stop = json!({"executionArn": a, "error": "E", "cause": "C"});
    let stopped = home.ok("StopExecution", stop.clone()).await;
    assert_eq!(home.ok("StopExecution", stop).await, stopped);
    let described = home.ok("DescribeExecution", json!({"executionArn": a})).await;
    assert_eq!((&described["status"], &described["stopDate"]), (&json!("ABORTED"), &stopped["stopDate"]));
    assert_eq!((&described["error"], &described["redriveStatus"]), (&json!("E"), &json!("REDRIVABLE")));

    home.ok("DeleteStateMachine", json!({"stateMachineArn": machine})).await;
    for name in ["b", "c"] {
        let execution = arn(&format!("execution:m:{name}"));
        assert_eq!(home.closed(&execution).await["status"], "ABORTED");
        let history = home.ok("GetExecutionHistory", json!({"executionArn": execution})).await;
        assert_eq!(history["events"][2]["executionAbortedEventDetails"], json!({}));
    }
    let used = home.ok("DescribeStateMachineForExecution", json!({"executionArn": a})).await;
    assert_eq!(used["definition"], wait().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let home = Home::new();
    let machine = home.create("m", &wait()).await;
    home.ok("StartExecution", json!({"stateMachineArn": machine, "name": "e"})).await;
    home.ok("TagResource", json!({"resourceArn": machine, "tags": [{"key": "k", "value": ""}]})).await;
    let before = home.ok("DescribeStateMachine", json!({"stateMachineArn": machine})).await;
    let home = home.restart();
    assert_eq!(home.ok("DescribeStateMachine", json!({"stateMachineArn": machine})).await, before);
    let described = home.ok("DescribeExecution", json!({"executionArn": arn("execution:m:e")})).await;
    assert_eq!(described["status"], "RUNNING");
    let tags = home.ok("ListTagsForResource", json!({"resourceArn": machine})).await;
    assert_eq!(tags, json!({"tags": [{"key": "k", "value": ""}]}));
    home.ok("UntagResource", json!({"resourceArn": machine, "tagKeys": ["k", "x"]})).await;
    let tags = home.ok("ListTagsForResource", json!({"resourceArn": machine})).await;
    assert_eq!(tags, json!({"tags": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_validated_without_being_kept() {
    let home = Home::new();
    let answer = home.ok("ValidateStateMachineDefinition", json!({"definition": pass().to_string()})).await;
    assert_eq!(answer, json!({"result": "OK", "diagnostics": [], "truncated": false}));
    let answer = home.ok("ValidateStateMachineDefinition", json!({"definition": "{}"})).await;
    let expected = json!({"result": "FAIL", "truncated": false, "diagnostics": [{
        "severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "location": "/",
        "message": "These fields are required: [States, StartAt]",
    }]});
    assert_eq!(answer, expected);
    assert_eq!(home.ok("ListStateMachines", json!({})).await, json!({"stateMachines": []}));
}

/// Everything once over HTTP: the namespaces of errors, and the host prefix.
#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_their_namespace() {
    let home = Home::new();
    let server = home.serve().await;
    for (target, body, error_type) in [
        (
            "AWSStepFunctions.DescribeExecution",
            r#"{"executionArn":"x"}"#,
            "com.amazonaws.swf.service.v2.model#InvalidArn",
        ),
        ("AWSStepFunctions.DescribeExecution", "{}", "com.amazon.coral.validate#ValidationException"),
        ("AWSStepFunctions.DescribeExecution", r#"{"executionArn":5}"#, "SerializationException"),
        ("AWSStepFunctions.Nothing", "{}", "UnknownOperationException"),
        (
            "AWSStepFunctions.RedriveExecution",
            r#"{"executionArn":"arn:aws:states:r:a:execution:m/label:e"}"#,
            "com.amazonaws.swf.service.v2.model#ValidationException",
        ),
    ] {
        let answer = server.call(target, body).await;
        assert_eq!(
            (answer.status, answer.json()["__type"].clone()),
            (400, json!(error_type)),
            "{target} {body}"
        );
    }
    server.stop().await;
}

fn activity_task() -> Value {
    json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": arn("activity:a"), "HeartbeatSeconds": 600, "End": true},
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activity_worker_takes_a_task_and_ends_it() {
    let home = Home::new();
    let tags = json!([{"key": "k", "value": "v"}]);
    let created = home.ok("CreateActivity", json!({"name": "a", "tags": tags})).await;
    let activity = json!({"activityArn": created["activityArn"]});
    let described = home.ok("DescribeActivity", activity.clone()).await;
    assert_eq!((&described["name"], &described["creationDate"]), (&json!("a"), &created["creationDate"]));
    home.ok("CreateActivity", json!({"name": "b"})).await;
    let page = home.ok("ListActivities", json!({"maxResults": 1})).await;
    assert_eq!(page["activities"][0]["name"], "a");
    let rest = home.ok("ListActivities", json!({"nextToken": page["nextToken"]})).await;
    assert_eq!((&rest["activities"][0]["name"], rest.get("nextToken")), (&json!("b"), None));

    let machine = home.create("m", &activity_task()).await;
    let start = json!({"stateMachineArn": machine, "input": r#"{"n": 1}"#});
    // One worker waits before there is a task, the others come later.
    let waiting = {
        let (states, poll) = (home.states.clone(), activity.clone());
        tokio::spawn(async move {
            use stepwell_aws::{Call, Service};
            let mut poll = poll;
            poll["workerName"] = "w".into();
            states.call(Call::new("GetActivityTask", poll)).await.expect("answers").output
        })
    };
    let first = home.ok("StartExecution", start.clone()).await["executionArn"].clone();
    let task = waiting.await.expect("ends");
    assert_eq!(task["input"], r#"{"n": 1}"#);
    home.ok("SendTaskHeartbeat", json!({"taskToken": task["taskToken"]})).await;
    let output = json!({"taskToken": task["taskToken"], "output": r#"{"done": true}"#});
    home.ok("SendTaskSuccess", output.clone()).await;
    let closed = home.closed(first.as_str().expect("an ARN")).await;
    assert_eq!((&closed["status"], &closed["output"]), (&json!("SUCCEEDED"), &json!(r#"{"done": true}"#)));
    let refusal = home.call("SendTaskSuccess", output).await.expect_err("is over");
    assert_eq!(refusal, "TaskTimedOut: Task Timed Out: 'Provided task does not exist anymore'");

    let second = home.ok("StartExecution", start).await["executionArn"].clone();
    let task = home.ok("GetActivityTask", activity.clone()).await;
    home.ok("SendTaskFailure", json!({"taskToken": task["taskToken"], "error": "E", "cause": "C"})).await;
    let closed = home.closed(second.as_str().expect("an ARN")).await;
    assert_eq!((&closed["status"], &closed["error"]), (&json!("FAILED"), &json!("E")));

    let resource = |more: Value| {
        let mut input = json!({"resourceArn": activity["activityArn"]});
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    home.ok("TagResource", resource(json!({"tags": [{"key": "l", "value": "w"}]}))).await;
    home.ok("UntagResource", resource(json!({"tagKeys": ["k"]}))).await;
    let tags = home.ok("ListTagsForResource", resource(json!({}))).await;
    assert_eq!(tags, json!({"tags": [{"key": "l", "value": "w"}]}));
    home.ok("DeleteActivity", activity.clone()).await;
    home.ok("DeleteActivity", activity.clone()).await;
    assert!(
        home.call("GetActivityTask", activity)
            .await
            .expect_err("is gone")
            .starts_with("ActivityDoesNotExist")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_worker_does_not_hold_up_the_stop() {
    let home = Home::new();
    let activity = home.ok("CreateActivity", json!({"name": "a"})).await["activityArn"].clone();
    let server = home.serve().await;
    let mut client = server.connect().await;
    let body = json!({"activityArn": activity}).to_string();
    client.send(&support::json_request("AWSStepFunctions.GetActivityTask", &body)).await;
    // A request on the same port is answered after the first has been read.
    server.call("AWSStepFunctions.ListActivities", "{}").await;
    let begun = std::time::Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_remember_the_version_and_the_alias_that_started_them() {
    let home = Home::new();
    let new = json!({
        "name": "m", "definition": pass().to_string(), "roleArn": ROLE, "publish": true, "versionDescription": "d",
    });
    let created = home.ok("CreateStateMachine", new).await;
    let (machine, version) = (created["stateMachineArn"].clone(), created["stateMachineVersionArn"].clone());
    let update = json!({"stateMachineArn": machine, "definition": wait().to_string()});
    let revision = home.ok("UpdateStateMachine", update).await["revisionId"].clone();
    let described = home.ok("DescribeStateMachine", json!({"stateMachineArn": version})).await;
    assert_eq!(
        (&described["stateMachineArn"], &described["description"], &described["definition"]),
        (&version, &json!("d"), &json!(pass().to_string()))
    );
    let publish = json!({"stateMachineArn": machine, "revisionId": revision});
    let second = home.ok("PublishStateMachineVersion", publish).await["stateMachineVersionArn"].clone();
    assert_eq!(second, arn("stateMachine:m:2"));
    let routing = json!([{"stateMachineVersionArn": version, "weight": 100}]);
    let alias = json!({"name": "prod", "routingConfiguration": routing});
    let alias = home.ok("CreateStateMachineAlias", alias).await["stateMachineAliasArn"].clone();
    let by_version = json!({"stateMachineArn": second});
    let listed = home.ok("ListStateMachineAliases", by_version.clone()).await;
    assert_eq!(listed["stateMachineAliases"], json!([]));

    let mut started = Vec::new();
    for arn in [&machine, &version, &alias] {
        let execution = home.ok("StartExecution", json!({"stateMachineArn": arn})).await;
        started.push(execution["executionArn"].clone());
    }
    let home = home.restart();
    home.closed(started[2].as_str().expect("an ARN")).await;
    let described = home.ok("DescribeExecution", json!({"executionArn": started[2]})).await;
    assert_eq!(
        (&described["stateMachineVersionArn"], &described["stateMachineAliasArn"]),
        (&version, &alias)
    );
    let history = home.ok("GetExecutionHistory", json!({"executionArn": started[2]})).await;
    let details = &history["events"][0]["executionStartedEventDetails"];
    assert_eq!((&details["stateMachineVersionArn"], &details["stateMachineAliasArn"]), (&version, &alias));
    let executions = |listed: &Value| -> Vec<Value> {
        let items = listed["executions"].as_array().expect("a list");
        items.iter().map(|item| item["executionArn"].clone()).collect()
    };
    let mut listed = executions(&home.ok("ListExecutions", json!({"stateMachineArn": version})).await);
    listed.sort_by_key(|arn| started.iter().position(|a| a == arn));
    assert_eq!(listed, started[1..]);
    let running = json!({"stateMachineArn": machine, "statusFilter": "RUNNING"});
    assert_eq!(executions(&home.ok("ListExecutions", running).await), started[..1]);
    let listed =
        home.ok("ListExecutions", json!({"stateMachineArn": alias, "statusFilter": "SUCCEEDED"})).await;
    assert_eq!(executions(&listed), started[2..]);
    assert_eq!(listed["executions"][0]["stateMachineAliasArn"], alias);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_express_execution_is_waited_for_under_any_name_of_its_machine() {
    let home = Home::new();
    let new = json!({
        "name": "x", "definition": pass().to_string(), "roleArn": ROLE, "type": "EXPRESS", "publish": true,
    });
    let created = home.ok("CreateStateMachine", new).await;
    let (machine, version) = (created["stateMachineArn"].clone(), created["stateMachineVersionArn"].clone());
    let routing = json!([{"stateMachineVersionArn": version, "weight": 100}]);
    let alias = json!({"name": "prod", "routingConfiguration": routing});
    let alias = home.ok("CreateStateMachineAlias", alias).await["stateMachineAliasArn"].clone();
    let update = json!({"stateMachineArn": machine, "definition": wait().to_string()});
    home.ok("UpdateStateMachine", update).await;
    for arn in [&version, &alias] {
        let start = json!({"stateMachineArn": arn, "name": "n", "input": "[1]", "traceHeader": "Root=1"});
        let ended = home.ok("StartSyncExecution", start.clone()).await;
        assert_eq!((&ended["status"], &ended["output"]), (&json!("SUCCEEDED"), &json!("{\"a\":1}")));
        assert_eq!((&ended["stateMachineArn"], &ended["traceHeader"]), (&machine, &start["traceHeader"]));
        let mut bare = start;
        bare["includedData"] = json!("METADATA_ONLY");
        let ended = home.ok("StartSyncExecution", bare).await;
        assert_eq!((ended.get("input"), ended.get("output")), (None, None));
        assert_eq!(ended["outputDetails"], json!({"included": false}));
    }
    // The one that waits for an hour is over in five minutes; nobody waits for it here.
    let started = home.ok("StartExecution", json!({"stateMachineArn": machine, "name": "n"})).await;
    let execution = started["executionArn"].as_str().expect("an ARN");
    assert!(execution.starts_with(&arn("express:x:n:")), "{execution}");
    for (operation, input, refusal) in [
        (
            "StartSyncExecution",
            json!({"stateMachineArn": arn("stateMachine:x:9")}),
            "StateMachineDoesNotExist",
        ),
        ("StartSyncExecution", json!({"stateMachineArn": arn("stateMachine:x/l")}), "ValidationException"),
        ("StartSyncExecution", json!({"stateMachineArn": machine, "input": "{"}), "InvalidExecutionInput"),
        ("StartSyncExecution", json!({"stateMachineArn": machine, "name": "a b"}), "InvalidName"),
        ("ListExecutions", json!({"stateMachineArn": alias}), "StateMachineTypeNotSupported"),
        ("DescribeExecution", json!({"executionArn": execution}), "InvalidArn"),
    ] {
        let refused = home.call(operation, input).await.expect_err(operation);
        assert!(refused.starts_with(&format!("{refusal}: ")), "{operation}: {refused}");
    }
}

fn state_under_test(definition: &Value, more: Value) -> Value {
    let mut input = more;
    input["definition"] = definition.to_string().into();
    input
}

/// A state's definition, the other members of the request, and the answer.
#[tokio::test(flavor = "multi_thread")]
async fn states_are_tested_by_themselves() {
    let home = Home::new();
    let echo = json!({
        "Type": "Task", "Resource": arn("x").replace(":states:", ":lambda:").replace(":x", ":function:f"),
        "ResultPath": "$.r", "Next": "N",
    });
    let wait = json!({"Type": "Wait", "SecondsPath": "$.s", "End": true});
    let select = json!({
        "Type": "Map", "ItemsPath": "$.items", "ItemSelector": {"v.$": "$$.Map.Item.Value", "a.$": "$.a"},
        "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}, "End": true,
    });
    let reader = json!({
        "Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/a/0"},
        "Parameters": {"Bucket": "b", "Key": "k"},
    });
    let distributed = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    let read = json!({
        "Type": "Map", "ItemReader": reader, "End": true,
        "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"b": 1}}, "ItemProcessor": {
            "ProcessorConfig": distributed, "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}},
        },
    });
    let assign = json!({"Type": "Pass", "Assign": {"x.$": "$.a", "y": 2}, "Next": "N"});
    let cases = [
        // A task without a mock is really called.
        (
            &echo,
            json!({"input": r#"{"a":1}"#, "roleArn": ROLE}),
            json!({"status": "SUCCEEDED", "output": r#"{"a":1,"r":{"a":1}}"#, "nextState": "N"}),
        ),
        (&wait, json!({"input": r#"{"s":0}"#}), json!({"status": "SUCCEEDED", "output": r#"{"s":0}"#})),
        (
            &wait,
            json!({"input": r#"{"s":"x"}"#}),
            json!({
                "status": "FAILED", "error": "States.Runtime",
                "cause": "An error occurred while executing the state 'StateName' (entered at the event id #0). The SecondsPath parameter cannot be parsed as a long value: $.s == x",
            }),
        ),
        (
            &select,
            json!({"input": r#"{"items":[1,2],"a":3}"#, "inspectionLevel": "DEBUG", "mock": {"result": "[4,5]"}}),
            json!({
                "status": "SUCCEEDED", "output": "[4,5]",
                "inspectionData": {
                    "input": r#"{"items":[1,2],"a":3}"#, "afterInputPath": r#"{"items":[1,2],"a":3}"#,
                    "afterItemsPath": "[1,2]", "afterItemSelector": r#"[{"v":1,"a":3},{"v":2,"a":3}]"#,
                    "maxConcurrency": 0, "afterResultSelector": "[4,5]", "afterResultPath": "[4,5]",
                },
            }),
        ),
        (
            &read,
            json!({
                "inspectionLevel": "DEBUG", "mock": {"result": "[3]"},
                "stateConfiguration": {"mapItemReaderData": r#"{"a":[[1,2,3]]}"#},
            }),
            json!({
                "status": "SUCCEEDED", "output": "[3]",
                "inspectionData": {
                    "input": "{}", "afterInputPath": "{}", "afterItemsPointer": "[1,2,3]", "maxConcurrency": 0,
                    "afterItemBatcher": r#"[{"BatchInput":{"b":1},"Items":[1,2]},{"BatchInput":{"b":1},"Items":[3]}]"#,
                    "afterResultSelector": "[3]", "afterResultPath": "[3]",
                },
            }),
        ),
        (
            &read,
            json!({
                "mock": {"result": "[3]"}, "stateConfiguration": {"mapItemReaderData": "{}"},
            }),
            json!({
                "status": "FAILED", "error": "States.ItemReaderFailed",
                "cause": "The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON structure.",
            }),
        ),
        (
            &assign,
            json!({"input": r#"{"a":1}"#, "inspectionLevel": "DEBUG", "variables": r#"{"y":1,"z":0}"#}),
            json!({
                "status": "SUCCEEDED", "output": r#"{"a":1}"#, "nextState": "N",
                "inspectionData": {
                    "input": r#"{"a":1}"#, "afterInputPath": r#"{"a":1}"#, "afterParameters": r#"{"a":1}"#,
                    "afterResultSelector": r#"{"a":1}"#, "afterResultPath": r#"{"a":1}"#,
                    "variables": r#"{"y":2,"z":0,"x":1}"#,
                },
            }),
        ),
    ];
    for (definition, more, expected) in cases {
        let answer = home.ok("TestState", state_under_test(definition, more.clone())).await;
        assert_eq!(answer, expected, "{definition} {more}");
    }
    for (more, expected) in [
        (json!({"mock": {"result": "{"}}), "ValidationException: Mocked result must be valid JSON"),
        (
            json!({"mock": {"result": "{}"}, "context": r#"{"Map": {}}"#}),
            "ValidationException: Invalid Context object provided: 'Map' field is not supported when mocking a Context object",
        ),
        (
            json!({"mock": {"result": "{}"}, "context": r#"{"Execution": {"Id": 5}}"#}),
            "ValidationException: Invalid Context object provided: Execution.Id must be a string",
        ),
        (
            json!({"mock": {"result": "{}"}, "context": r#"{"Task": {"Token": "t"}}"#}),
            "ValidationException: Invalid Context object provided: Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' service integration pattern",
        ),
        (json!({"input": "{"}), "ValidationException: RoleArn must be specified when testing a Task state"),
        (json!({"stateName": "S"}), "InvalidDefinition: "),
        (json!({"roleArn": "r"}), "InvalidArn: Invalid Arn: 'Invalid ARN prefix: r'"),
    ] {
        let refusal =
            home.call("TestState", state_under_test(&echo, more.clone())).await.expect_err(expected);
        assert!(refusal.starts_with(expected), "{more}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_children_of_a_map_run_are_listed() {
    let home = Home::new();
    let definition = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}},
    }}}});
    let machine = home.create("m", &definition).await;
    let start = json!({"stateMachineArn": machine, "input": "[1, 2]"});
    let execution = home.ok("StartExecution", start).await["executionArn"].clone();
    home.closed(execution.as_str().expect("an ARN")).await;
    let history = home.ok("GetExecutionHistory", json!({"executionArn": execution})).await;
    let events = history["events"].as_array().expect("a list");
    let started = events.iter().find(|event| event["type"] == "MapRunStarted").expect("a Map Run");
    let map_run = started["mapRunStartedEventDetails"]["mapRunArn"].clone();
    let listed = home.ok("ListExecutions", json!({"mapRunArn": map_run, "statusFilter": "SUCCEEDED"})).await;
    let children = listed["executions"].as_array().expect("a list");
    assert_eq!(children.len(), 2);
    let child = home.ok("DescribeExecution", json!({"executionArn": children[0]["executionArn"]})).await;
    assert_eq!((&child["mapRunArn"], &children[0]["mapRunArn"]), (&map_run, &map_run));
    let pending = json!({"mapRunArn": map_run, "statusFilter": "PENDING_REDRIVE"});
    assert_eq!(home.ok("ListExecutions", pending).await, json!({"executions": []}));
    let missing = json!({"mapRunArn": arn("mapRun:m/l:u")});
    assert!(
        home.call("ListExecutions", missing).await.expect_err("is absent").starts_with("ResourceNotFound")
    );
    let wrong = json!({"mapRunArn": machine});
    assert!(home.call("ListExecutions", wrong).await.expect_err("is none").starts_with("InvalidArn"));
}
