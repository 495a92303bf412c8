//! What makes a new revision, version or alias, and what is the same request once more.

use serde_json::{Value, json};

use crate::support::engine::{Home, ROLE, arn, pass, wait};

/// `object` with other members; `null` takes one away.
fn with(object: &Value, members: &Value) -> Value {
    let mut changed = object.clone();
    for (name, value) in members.as_object().expect("members") {
        match value {
            Value::Null => drop(changed.as_object_mut().expect("an object").remove(name)),
            value => changed[name] = value.clone(),
        }
    }
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_a_machine_again_is_held_against_the_first_time() {
    let home = Home::new();
    let encryption = json!({"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"});
    let first = json!({
        "name": "m", "definition": pass().to_string(), "roleArn": ROLE, "publish": true, "versionDescription": "d",
        "encryptionConfiguration": encryption, "tags": [{"key": "k", "value": "v"}],
    });
    let created = home.ok("CreateStateMachine", first.clone()).await;
    for same in [
        json!({}),
        json!({"roleArn": "arn:aws:iam::000000000000:role/other"}),
        json!({"tags": [{"key": "k", "value": "w"}]}),
        json!({"tags": null}),
        json!({"type": "STANDARD"}),
        json!({"loggingConfiguration": {"level": "OFF"}}),
        json!({"tracingConfiguration": {"enabled": false}}),
        json!({"encryptionConfiguration": with(&encryption, &json!({"kmsDataKeyReusePeriodSeconds": 300}))}),
    ] {
        assert_eq!(home.ok("CreateStateMachine", with(&first, &same)).await, created, "{same}");
    }
    for different in [
        json!({"definition": wait().to_string()}),
        json!({"type": "EXPRESS"}),
        json!({"loggingConfiguration": {"includeExecutionData": true}}),
        json!({"tracingConfiguration": {"enabled": true}}),
        json!({"encryptionConfiguration": null}),
        json!({"encryptionConfiguration": with(&encryption, &json!({"kmsKeyId": "l"}))}),
        json!({"versionDescription": "e"}),
        json!({"versionDescription": null}),
        json!({"publish": false, "versionDescription": null}),
    ] {
        let refusal = home.call("CreateStateMachine", with(&first, &different)).await.expect_err("differs");
        let expected =
            format!("StateMachineAlreadyExists: State Machine Already Exists: '{}'", arn("stateMachine:m"));
        assert_eq!(refusal, expected, "{different}");
    }
    let described =
        home.ok("DescribeStateMachine", json!({"stateMachineArn": created["stateMachineArn"]})).await;
    assert_eq!(described["roleArn"], ROLE);
    let tags =
        home.ok("ListTagsForResource", json!({"resourceArn": created["stateMachineArn"]})).await["tags"]
            .clone();
    assert_eq!(tags, json!([{"key": "k", "value": "v"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_an_update_makes_a_revision_once() {
    let home = Home::new();
    let machine = home.create("m", &pass()).await;
    let mut known = Vec::new();
    for change in [
        json!({"definition": wait().to_string()}),
        json!({"roleArn": "arn:aws:iam::000000000000:role/other"}),
        json!({"loggingConfiguration": {"level": "OFF", "includeExecutionData": true}}),
        json!({"tracingConfiguration": {"enabled": true}}),
        json!({"encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"}}),
    ] {
        let update = with(&json!({"stateMachineArn": machine, "publish": true}), &change);
        let updated = home.ok("UpdateStateMachine", update.clone()).await;
        let again = home.ok("UpdateStateMachine", update).await;
        let (revision, version) = (updated["revisionId"].clone(), updated["stateMachineVersionArn"].clone());
        assert_eq!((&again["revisionId"], &again["stateMachineVersionArn"]), (&revision, &version));
        assert!(!known.contains(&revision), "{change}");
        known.push(revision.clone());
        assert_eq!(version, format!("{machine}:{}", known.len()), "{change}");
        let described = home.ok("DescribeStateMachine", json!({"stateMachineArn": version})).await;
        assert_eq!(described["revisionId"], revision);
        for (member, value) in change.as_object().expect("members") {
            let kept = described[member].as_object().zip(value.as_object());
            let kept = kept.is_none_or(|(found, given)| given.iter().all(|(k, v)| found.get(k) == Some(v)));
            assert!(kept && (value.is_object() || described[member] == *value), "{member}: {described}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_numbered_once_and_for_all() {
    let home = Home::new();
    let machine = home.create("m", &pass()).await;
    let publish = |more: Value| with(&json!({"stateMachineArn": machine}), &more);
    let first = home.ok("PublishStateMachineVersion", publish(json!({"revisionId": "INITIAL"}))).await;
    assert_eq!(first["stateMachineVersionArn"], format!("{machine}:1"));
    assert_eq!(home.ok("PublishStateMachineVersion", publish(json!({"description": "d"}))).await, first);
    let update = json!({"stateMachineArn": machine, "definition": wait().to_string()});
    let revision = home.ok("UpdateStateMachine", update).await["revisionId"].clone();
    let stale = home.call("PublishStateMachineVersion", publish(json!({"revisionId": "INITIAL"}))).await;
    assert!(stale.expect_err("is not the current one").starts_with("ConflictException: "));
    for number in [2, 3] {
        let published = home.ok("PublishStateMachineVersion", publish(json!({"revisionId": revision}))).await;
        assert_eq!(published["stateMachineVersionArn"], format!("{machine}:{number}"));
        let version = json!({"stateMachineVersionArn": published["stateMachineVersionArn"]});
        home.ok("DeleteStateMachineVersion", version.clone()).await;
        home.ok("DeleteStateMachineVersion", version).await;
    }
    let listed = home.ok("ListStateMachineVersions", json!({"stateMachineArn": machine})).await;
    assert_eq!(listed["stateMachineVersions"].as_array().map(Vec::len), Some(1));
    let missing =
        home.call("ListStateMachineVersions", json!({"stateMachineArn": arn("stateMachine:x")})).await;
    assert_eq!(missing, Err(format!("InvalidArn: Invalid Arn: '{}'", arn("stateMachine:x"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_an_alias_again_is_held_against_the_first_time() {
    let home = Home::new();
    let machine = home.create("m", &pass()).await;
    home.ok("PublishStateMachineVersion", json!({"stateMachineArn": machine})).await;
    let update = json!({"stateMachineArn": machine, "definition": wait().to_string(), "publish": true});
    home.ok("UpdateStateMachine", update).await;
    let route = |version: u8, weight: u8| json!({"stateMachineVersionArn": format!("{machine}:{version}"), "weight": weight});
    let first =
        json!({"name": "a", "description": "d", "routingConfiguration": [route(1, 30), route(2, 70)]});
    let created = home.ok("CreateStateMachineAlias", first.clone()).await;
    assert_eq!(home.ok("CreateStateMachineAlias", first.clone()).await, created);
    for different in [
        json!({"description": "e"}),
        json!({"description": null}),
        json!({"routingConfiguration": [route(1, 31), route(2, 69)]}),
        json!({"routingConfiguration": [route(1, 100)]}),
    ] {
        let refusal =
            home.call("CreateStateMachineAlias", with(&first, &different)).await.expect_err("differs");
        let expected = "ConflictException: Failed to create alias because an alias with the same name and a \
                        different routing configuration already exists.";
        assert_eq!(refusal, expected, "{different}");
    }
    for (routes, expected) in [
        (
            json!([route(1, 70), route(2, 29)]),
            "Sum of routing configuration weights must equal 100. Received: [70, 29]".to_owned(),
        ),
        (
            json!([route(1, 50), route(1, 50)]),
            format!(
                "Routing configuration must contain distinct state machine version ARNs. Received: [{machine}:1, {machine}:1]"
            ),
        ),
        (
            json!([{"stateMachineVersionArn": machine, "weight": 100}]),
            format!("Routing configuration must contain state machine version ARNs. Received: [{machine}]"),
        ),
    ] {
        let wrong = json!({"name": "b", "routingConfiguration": routes});
        let refusal = home.call("CreateStateMachineAlias", wrong).await.expect_err("is wrong");
        assert_eq!(refusal, format!("ValidationException: {expected}"));
    }
    let alias = json!({"stateMachineAliasArn": created["stateMachineAliasArn"]});
    home.ok("DeleteStateMachineAlias", alias.clone()).await;
    home.ok("DeleteStateMachineAlias", alias).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn activities_are_created_once() {
    let home = Home::new();
    let first = json!({"name": "a", "tags": [{"key": "k", "value": "v"}]});
    let created = home.ok("CreateActivity", first.clone()).await;
    for same in
        [json!({}), json!({"tags": null}), json!({"encryptionConfiguration": {"type": "AWS_OWNED_KEY"}})]
    {
        assert_eq!(home.ok("CreateActivity", with(&first, &same)).await, created, "{same}");
    }
    let key = json!({"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"});
    let refusal = home.call("CreateActivity", with(&first, &json!({"encryptionConfiguration": key}))).await;
    assert!(refusal.expect_err("differs").starts_with("ActivityAlreadyExists: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distributed_map_state_is_described_by_its_label() {
    let home = Home::new();
    let processor = json!({
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I",
        "States": {"I": {"Type": "Pass", "End": true}},
    });
    let map = json!({"Type": "Map", "Label": "L", "ItemProcessor": processor, "End": true});
    let first = json!({"Type": "Pass", "Assign": {"x": 1}, "Next": "M"});
    let machine = home.create("m", &json!({"StartAt": "F", "States": {"F": first, "M": map}})).await;
    let labelled = format!("{machine}/L");
    let described = home
        .ok("DescribeStateMachine", json!({"stateMachineArn": labelled, "includedData": "METADATA_ONLY"}))
        .await;
    assert_eq!(
        (&described["stateMachineArn"], &described["label"], &described["definition"]),
        (&json!(labelled), &json!("L"), &json!(processor.to_string()))
    );
    let missing = home.call("DescribeStateMachine", json!({"stateMachineArn": format!("{machine}/N")})).await;
    assert!(missing.expect_err("is not there").starts_with("StateMachineDoesNotExist"));

    let start = json!({"stateMachineArn": machine, "input": "[1]"});
    let execution = home.ok("StartExecution", start).await["executionArn"].clone();
    home.closed(execution.as_str().expect("an ARN")).await;
    let history = home.ok("GetExecutionHistory", json!({"executionArn": execution})).await;
    let events = history["events"].as_array().expect("a list");
    let run = events.iter().find_map(|e| e["mapRunStartedEventDetails"]["mapRunArn"].as_str()).expect("one");
    let children = home.ok("ListExecutions", json!({"mapRunArn": run})).await;
    let child = children["executions"][0]["executionArn"].clone();
    let used = home.ok("DescribeStateMachineForExecution", json!({"executionArn": child})).await;
    assert_eq!(
        (&used["stateMachineArn"], &used["label"], &used["mapRunArn"], &used["definition"]),
        (&json!(labelled), &json!("L"), &json!(run), &json!(processor.to_string()))
    );
    for operation in ["StartExecution", "DeleteStateMachine", "ListExecutions", "UpdateStateMachine"] {
        let refusal =
            home.call(operation, json!({"stateMachineArn": labelled})).await.expect_err("is refused");
        assert!(refusal.starts_with("ValidationException: "), "{operation}: {refusal}");
    }
}

/// The HTTP header is preferred to the member, as at AWS.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_belongs_to_the_trace_of_its_request() {
    let home = Home::new();
    let machine = home.create("m", &pass()).await;
    let server = home.serve().await;
    let long = "t".repeat(257);
    for (name, header, member, expected) in [
        ("a", Some("Root=1-2-3"), Some("member"), json!("Root=1-2-3")),
        ("b", Some("Root=1-2-3"), None, json!("Root=1-2-3")),
        ("c", None, Some("member"), json!("member")),
        ("d", Some(long.as_str()), Some("member"), json!("member")),
        ("e", None, None, json!(null)),
    ] {
        let body = json!({"stateMachineArn": machine, "name": name, "traceHeader": member}).to_string();
        let header = header.map(|id| format!("X-Amzn-Trace-Id: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: AWSStepFunctions.StartExecution\r\n{header}\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(server.connect().await.exchange(request.as_bytes()).await.status, 200);
        let execution = arn(&format!("execution:m:{name}"));
        let described = home.ok("DescribeExecution", json!({"executionArn": execution})).await;
        assert_eq!(described["traceHeader"], expected, "{name}");
    }
    server.stop().await;
}
