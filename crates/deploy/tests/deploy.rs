//! Stacks on services in memory: creation, updates, replacement, rollback, deletion, crashes in between.

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_deploy::stack::{Action, ChangeAction, OnFailure, StackStatus};
use stepwell_deploy::{DeployError, DeployRequest, StackResult, delete_stack, deploy, plan, resume};
use support::{Cloud, block_on};

fn request(template: &str) -> DeployRequest {
    DeployRequest { stack_name: "app".into(), template: template.into(), ..DeployRequest::default() }
}

fn try_deploy(cloud: &Cloud, request: &DeployRequest) -> Result<StackResult, DeployError> {
    block_on(deploy(cloud.environment(), request, &cloud.sink()))
}

fn must_deploy(cloud: &Cloud, template: &str) -> StackResult {
    try_deploy(cloud, &request(template)).unwrap_or_else(|error| panic!("{error}"))
}

fn must_fail(cloud: &Cloud, template: &str) -> StackResult {
    match try_deploy(cloud, &request(template)) {
        Err(DeployError::Failed(result)) => *result,
        other => panic!("expected a failed deployment: {other:?}"),
    }
}

fn refusal(cloud: &Cloud, template: &str) -> String {
    match try_deploy(cloud, &request(template)) {
        Err(DeployError::Template(error)) => error.to_string(),
        other => panic!("expected a refusal: {other:?}"),
    }
}

const APP: &str = r#"
Parameters:
  Text: {Type: String, Default: one}
Resources:
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Role.Arn
      DefinitionString: !Sub '{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"${Work.Arn}","End":true}}}'
  Work:
    Type: AWS::Lambda::Function
    Properties:
      Code: {ZipFile: "def main(e, c): return 1"}
      Handler: index.main
      Runtime: python3.8
      Timeout: "10"
      Role: !GetAtt Role.Arn
      Environment: {Variables: {QUEUE: !Ref Queue, TEXT: !Ref Text, N: 5}}
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {}}
  Queue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: 30}
Outputs:
  MachineArn: {Value: !Ref Machine, Export: {Name: !Sub "${AWS::StackName}-machine"}}
"#;

#[test]
fn a_stack_is_created_in_dependency_order_with_generated_names() {
    let cloud = Cloud::new();
    let result = must_deploy(&cloud, APP);
    assert_eq!((result.action, result.status), (Action::Created, StackStatus::CreateComplete));
    let machine = &result.outputs[0];
    assert!(
        machine.value.starts_with("arn:aws:states:us-east-1:000000000000:stateMachine:app-Machine-"),
        "{machine:?}"
    );
    assert_eq!(machine.export_name.as_deref(), Some("app-machine"));
    let function = &cloud.world.inputs("lambda:CreateFunction")[0];
    assert_eq!(function["Timeout"], json!(10), "texts become the numbers that the API takes");
    let variables = &function["Environment"]["Variables"];
    assert_eq!(variables["N"], json!("5"), "variables are texts");
    let queue = variables["QUEUE"].as_str().unwrap();
    assert!(queue.starts_with("http://127.0.0.1:8083/000000000000/app-Queue-"), "{queue}");
    let definition =
        cloud.world.inputs("states:CreateStateMachine")[0]["definition"].as_str().unwrap().to_owned();
    assert!(definition.contains(":function:app-Work-"), "{definition}");
    let order = cloud.world.changes();
    assert_eq!(order, ["sqs:CreateQueue", "lambda:CreateFunction", "states:CreateStateMachine"]);
    let events = cloud.world.take_events();
    assert_eq!(events.first().map(String::as_str), Some("app CREATE_IN_PROGRESS"));
    assert_eq!(events.last().map(String::as_str), Some("app CREATE_COMPLETE"));
    assert!(events.contains(&"Work CREATE_COMPLETE".to_owned()));
    let record = cloud.world.record("app");
    assert!(record.operation.is_none() && record.resources.values().all(|resource| resource.undo.is_none()));
}

#[test]
fn inline_code_is_a_zip_with_an_index_file() {
    use base64::Engine as _;
    for (runtime, file) in [("python3.8", "index.py"), ("nodejs24.x", "index.js")] {
        let cloud = Cloud::new();
        must_deploy(&cloud, &APP.replace("python3.8", runtime));
        let code =
            cloud.world.inputs("lambda:CreateFunction")[0]["Code"]["ZipFile"].as_str().unwrap().to_owned();
        let bytes = base64::engine::general_purpose::STANDARD.decode(code).unwrap();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut content = String::new();
        std::io::Read::read_to_string(&mut archive.by_name(file).unwrap(), &mut content).unwrap();
        assert_eq!(content, "def main(e, c): return 1");
    }
    let result = must_fail(&Cloud::new(), &APP.replace("python3.8", "java21"));
    assert!(result.failures[0].reason.contains("nodejs and python"), "{result:?}");
}

#[test]
fn the_same_template_again_changes_nothing() {
    let cloud = Cloud::new();
    must_deploy(&cloud, APP);
    cloud.world.changes();
    let result = must_deploy(&cloud, APP);
    assert_eq!(result.action, Action::Unchanged);
    assert_eq!(result.outputs.len(), 1);
    assert!(cloud.world.changes().is_empty());
}

#[test]
fn an_update_touches_only_what_differs() {
    let cloud = Cloud::new();
    must_deploy(&cloud, APP);
    cloud.world.changes();
    let mut changed = request(APP);
    changed.parameters = BTreeMap::from([("Text".to_owned(), "two".to_owned())]);
    let wanted = block_on(plan(cloud.environment(), &changed)).unwrap();
    assert_eq!(wanted.changes.len(), 1);
    assert_eq!((wanted.changes[0].logical_id.as_str(), wanted.changes[0].replacement), ("Work", false));
    assert_eq!(wanted.changes[0].properties, ["Environment"]);
    let result = try_deploy(&cloud, &changed).unwrap();
    assert_eq!((result.action, result.status), (Action::Updated, StackStatus::UpdateComplete));
    assert_eq!(cloud.world.changes(), ["lambda:UpdateFunctionConfiguration"]);
    // The parameter keeps its value where it is not given again.
    assert_eq!(try_deploy(&cloud, &request(APP)).unwrap().action, Action::Unchanged);
    let mut code = changed.clone();
    code.template =
        APP.replace("return 1", "return 2").replace("VisibilityTimeout: 30", "VisibilityTimeout: 40");
    try_deploy(&cloud, &code).unwrap();
    assert_eq!(cloud.world.changes(), ["sqs:SetQueueAttributes", "lambda:UpdateFunctionCode"]);
}

#[test]
fn resources_come_go_and_are_replaced() {
    let cloud = Cloud::new();
    must_deploy(&cloud, APP);
    let before = cloud.world.record("app").resources["Queue"].live.clone().unwrap().physical_id;
    cloud.world.changes();
    // FIFO or not cannot change: another queue, then the function that names it, then the old one goes.
    let fifo = APP.replace("{VisibilityTimeout: 30}", "{VisibilityTimeout: 30, FifoQueue: true}");
    let wanted = block_on(plan(cloud.environment(), &request(&fifo))).unwrap();
    assert!(wanted.changes.iter().any(|change| change.logical_id == "Queue" && change.replacement));
    assert!(
        wanted
            .changes
            .iter()
            .any(|change| change.logical_id == "Work" && change.action == ChangeAction::Modify)
    );
    must_deploy(&cloud, &fifo);
    let after = cloud.world.record("app").resources["Queue"].live.clone().unwrap().physical_id;
    assert_ne!(before, after);
    assert!(after.ends_with(".fifo"), "{after}");
    assert_eq!(
        cloud.world.changes(),
        ["sqs:CreateQueue", "lambda:UpdateFunctionConfiguration", "sqs:DeleteQueue"]
    );
    assert_eq!(cloud.world.inventory().get("queue"), Some(&1));
    let smaller = "{\"Resources\": {\"Role\": {\"Type\": \"AWS::IAM::Role\", \"Properties\": {\"AssumeRolePolicyDocument\": {}}}}}";
    must_deploy(&cloud, smaller);
    assert_eq!(
        cloud.world.changes(),
        ["states:DeleteStateMachine", "lambda:DeleteFunction", "sqs:DeleteQueue"]
    );
    assert!(cloud.world.inventory().is_empty());
}

#[test]
fn a_fixed_name_stands_against_replacement() {
    let cloud = Cloud::new();
    let named = "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: fixed\n      KeySchema: [{AttributeName: a, KeyType: HASH}]\n      AttributeDefinitions: [{AttributeName: a, AttributeType: S}]\n      BillingMode: PAY_PER_REQUEST\n";
    must_deploy(&cloud, named);
    let result = must_fail(&cloud, &named.replace("AttributeName: a", "AttributeName: b"));
    assert!(result.failures[0].reason.contains("Rename fixed and update the stack again"), "{result:?}");
    assert_eq!(result.status, StackStatus::UpdateRollbackComplete);
    assert_eq!(must_deploy(&cloud, named).action, Action::Unchanged);
}

#[test]
fn a_failed_creation_is_rolled_back() {
    let cloud = Cloud::new();
    cloud.world.refuse.lock().unwrap().insert("states:CreateStateMachine".into(), 0);
    let result = must_fail(&cloud, APP);
    assert_eq!(result.status, StackStatus::RollbackComplete);
    assert_eq!(result.failures[0].logical_id, "Machine");
    assert!(result.failures[0].reason.contains("Invalid State Machine Definition"), "{result:?}");
    assert!(cloud.world.inventory().is_empty() && result.resources.is_empty());
    let events = cloud.world.take_events();
    let expected = [
        "Machine CREATE_FAILED",
        "app ROLLBACK_IN_PROGRESS",
        "Work DELETE_COMPLETE",
        "Queue DELETE_COMPLETE",
        "app ROLLBACK_COMPLETE",
    ];
    let order: Vec<Option<usize>> =
        expected.iter().map(|event| events.iter().position(|found| found == event)).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{events:?}");
    // The next deployment makes the stack anew.
    cloud.world.refuse.lock().unwrap().clear();
    assert_eq!(must_deploy(&cloud, APP).status, StackStatus::CreateComplete);
}

#[test]
fn a_failed_update_puts_everything_back() {
    let cloud = Cloud::new();
    must_deploy(&cloud, APP);
    let before = cloud.world.existing.lock().unwrap().clone();
    let record = cloud.world.record("app");
    *cloud.world.poison.lock().unwrap() = Some("Nowhere".into());
    let changed = APP
        .replace("\"End\":true", "\"Next\":\"Nowhere\"")
        .replace("return 1", "return 2")
        .replace("{VisibilityTimeout: 30}", "{FifoQueue: true}")
        .replace("Outputs:", "  Extra: {Type: AWS::SQS::Queue}\nOutputs:");
    // The table-less extra queue comes after the machine in the template, so let the machine depend on it.
    let changed = changed
        .replace("    Properties:\n      RoleArn", "    DependsOn: Extra\n    Properties:\n      RoleArn");
    let result = must_fail(&cloud, &changed);
    assert_eq!(result.status, StackStatus::UpdateRollbackComplete);
    let after = cloud.world.existing.lock().unwrap().clone();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let function = after.iter().find(|(key, _)| key.starts_with("function/")).unwrap().1;
    let old = before.iter().find(|(key, _)| key.starts_with("function/")).unwrap().1;
    assert_eq!(function["ZipFile"], old["Code"]["ZipFile"], "the old code was put back");
    assert_eq!(function["Environment"], old["Environment"]);
    let now = cloud.world.record("app");
    for (name, resource) in &record.resources {
        assert_eq!(resource.properties, now.resources[name].properties, "{name}");
        assert!(now.resources[name].undo.is_none());
    }
    assert_eq!(now.template, record.template);
    assert_eq!(must_deploy(&cloud, APP).action, Action::Unchanged);
}

#[test]
fn do_nothing_leaves_what_was_made_and_goes_on() {
    let cloud = Cloud::new();
    cloud.world.refuse.lock().unwrap().insert("states:CreateStateMachine".into(), 0);
    let mut keep = request(APP);
    keep.on_failure = OnFailure::DoNothing;
    let Err(DeployError::Failed(result)) = try_deploy(&cloud, &keep) else { panic!("it must fail") };
    assert_eq!(result.status, StackStatus::CreateFailed);
    assert_eq!(cloud.world.inventory().len(), 2);
    cloud.world.refuse.lock().unwrap().clear();
    cloud.world.changes();
    assert_eq!(try_deploy(&cloud, &keep).unwrap().status, StackStatus::CreateComplete);
    assert_eq!(cloud.world.changes(), ["states:CreateStateMachine"]);
}

#[test]
fn a_failed_creation_can_delete_itself_with_what_is_retained_except_on_create() {
    let cloud = Cloud::new();
    cloud.world.refuse.lock().unwrap().insert("states:CreateStateMachine".into(), 0);
    let template = APP.replace(
        "Type: AWS::SQS::Queue\n",
        "Type: AWS::SQS::Queue\n    DeletionPolicy: RetainExceptOnCreate\n",
    );
    let mut vanish = request(&template);
    vanish.on_failure = OnFailure::Delete;
    let Err(DeployError::Failed(result)) = try_deploy(&cloud, &vanish) else { panic!("it must fail") };
    assert_eq!(result.status, StackStatus::DeleteComplete);
    assert!(cloud.world.inventory().is_empty() && cloud.world.stacks.lock().unwrap().is_empty());
    // Once it was created, the policy keeps the queue.
    cloud.world.refuse.lock().unwrap().clear();
    must_deploy(&cloud, &template);
    block_on(delete_stack(cloud.environment(), "app", &cloud.sink())).unwrap();
    assert_eq!(cloud.world.inventory(), [("queue".to_owned(), 1)].into());
}

#[test]
fn a_retained_table_outlives_its_stack_and_blocks_the_next() {
    let cloud = Cloud::new();
    let template = r#"{"Resources": {"T": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {
      "TableName": "TableStepFuncDemo", "KeySchema": [{"AttributeName": "MessageId", "KeyType": "HASH"}],
      "AttributeDefinitions": [{"AttributeName": "MessageId", "AttributeType": "S"}],
      "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}}}}}"#;
    must_deploy(&cloud, template);
    block_on(delete_stack(cloud.environment(), "app", &cloud.sink())).unwrap();
    assert!(cloud.world.take_events().contains(&"T DELETE_SKIPPED".to_owned()));
    assert_eq!(cloud.world.inventory().get("table"), Some(&1));
    assert!(cloud.world.stacks.lock().unwrap().is_empty());
    assert_eq!(cloud.world.archived.lock().unwrap()[0].status, StackStatus::DeleteComplete);
    let result = must_fail(&cloud, template);
    assert!(result.failures[0].reason.contains("already exists"), "{result:?}");
    assert_eq!(cloud.world.inventory().get("table"), Some(&1), "the table of the first stack is still there");
}

#[test]
fn two_stacks_do_not_share_a_named_resource() {
    for template in [
        r#"{"Resources": {"R": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}}}"#,
        r#"{"Resources": {"R": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"StateMachineName": "m", "RoleArn": "r", "DefinitionString": "{}"}}}}"#,
        r#"{"Resources": {"R": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "f", "Role": "r", "Code": {"ZipFile": ""}, "Runtime": "python3.12", "Handler": "index.x"}}}}"#,
    ] {
        let cloud = Cloud::new();
        must_deploy(&cloud, template);
        let other = DeployRequest { stack_name: "other".into(), ..request(template) };
        let Err(DeployError::Failed(result)) = try_deploy(&cloud, &other) else { panic!("it must fail") };
        assert!(result.failures[0].reason.contains("already exists"), "{result:?}");
        assert_eq!(cloud.world.inventory().values().sum::<usize>(), 1, "the first stack's is still there");
    }
}

#[test]
fn deletion_runs_backwards_and_a_failure_is_kept() {
    let cloud = Cloud::new();
    must_deploy(&cloud, APP);
    cloud.world.changes();
    cloud.world.refuse.lock().unwrap().insert("lambda:DeleteFunction".into(), 0);
    let error = block_on(delete_stack(cloud.environment(), "app", &cloud.sink())).unwrap_err();
    let DeployError::Failed(result) = error else { panic!("{error}") };
    assert_eq!((result.status, result.failures[0].logical_id.as_str()), (StackStatus::DeleteFailed, "Work"));
    cloud.world.refuse.lock().unwrap().clear();
    block_on(delete_stack(cloud.environment(), "app", &cloud.sink())).unwrap();
    assert!(cloud.world.inventory().is_empty());
    let missing = block_on(delete_stack(cloud.environment(), "app", &cloud.sink())).unwrap_err();
    assert_eq!(missing.to_string(), "Stack with id app does not exist");
}

#[test]
fn exports_bind_stacks_together() {
    let cloud = Cloud::new();
    must_deploy(&cloud, APP);
    let importer = DeployRequest {
        stack_name: "user".into(),
        ..request(
            r#"{"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": "r", "Code": {"ZipFile": ""}, "Runtime": "python3.12", "Handler": "index.x",
            "Environment": {"Variables": {"M": {"Fn::ImportValue": "app-machine"}}}}}}}"#,
        )
    };
    try_deploy(&cloud, &importer).unwrap();
    let error = block_on(delete_stack(cloud.environment(), "app", &cloud.sink())).unwrap_err();
    assert_eq!(error.to_string(), "Export app-machine cannot be deleted as it is in use by user");
    let result = must_fail(&cloud, &APP.replace("${AWS::StackName}-machine", "renamed"));
    assert!(result.failures[0].reason.contains("cannot be deleted as it is in use by user"), "{result:?}");
    let twin =
        DeployRequest { stack_name: "twin".into(), ..request(&APP.replace("${AWS::StackName}", "app")) };
    let Err(DeployError::Failed(result)) = try_deploy(&cloud, &twin) else { panic!("it must fail") };
    assert!(result.failures[0].reason.contains("already exported"), "{result:?}");
    block_on(delete_stack(cloud.environment(), "user", &cloud.sink())).unwrap();
    block_on(delete_stack(cloud.environment(), "app", &cloud.sink())).unwrap();
}

#[test]
fn what_is_not_supported_is_refused_before_anything_is_made() {
    let cases = [
        (
            "Resources:\n  Q: {Type: AWS::SQS::Queue}\n  V: {Type: AWS::EC2::VPC}\n  X: {Type: Custom::Thing}\n",
            "Template format error: Unrecognized resource types: [AWS::EC2::VPC] (resource V) (at Resources/V/Type, line 3); \
             Template format error: Unrecognized resource types: [Custom::Thing] (resource X) (at Resources/X/Type, line 4)",
        ),
        (
            "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties: {Nope: 1, DelaySeconds: soon}\n",
            "Encountered unsupported property Nope (at Resources/Q/Properties/Nope, line 4); \
             Properties validation failed: expected a whole number (at Resources/Q/Properties/DelaySeconds, line 4)",
        ),
        (
            "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: {Code: {ImageUri: x}}\n",
            "ImageUri is not supported: container images; use a zip package (at Resources/F/Properties/Code/ImageUri, line 4); \
             Properties validation failed: required key [Role] not found (at Resources/F/Properties, line 4)",
        ),
        (
            "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    DependsOn: Nobody\n    Properties:\n      QueueName: !Ref Missing\n",
            "Template format error: Unresolved resource dependencies [Missing] in the Resources block of the template (at Resources/Q/Properties, line 6); \
             Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template (at Resources/Q/DependsOn, line 4)",
        ),
        (
            "Resources:\n  Q: {Type: AWS::SQS::Queue}\nOutputs:\n  O:\n    Value: !GetAtt Q.Colour\n",
            "Template error: resource Q does not support attribute type Colour in Fn::GetAtt; AWS::SQS::Queue has [Arn, QueueName, QueueUrl] (at Outputs/O/Value, line 5)",
        ),
    ];
    for (template, expected) in cases {
        let cloud = Cloud::new();
        assert_eq!(refusal(&cloud, template), expected);
        assert!(
            cloud.world.calls.lock().unwrap().is_empty() && cloud.world.stacks.lock().unwrap().is_empty()
        );
    }
}

#[test]
fn named_types_can_be_made_inert_and_warnings_are_told() {
    let mut cloud = Cloud::new();
    cloud.inert = vec!["AWS::SNS::Topic".to_owned()];
    let template = "Resources:\n  T: {Type: AWS::SNS::Topic}\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Role: r\n      Runtime: python3.12\n      Handler: index.x\n      Code: {ZipFile: x}\n      VpcConfig: {}\n      Environment: {Variables: {T: !GetAtt T.TopicArn, A: !GetAtt T.Arn}}\n";
    // An attribute that nothing is known of fails in the step that needs it.
    let result = must_fail(&cloud, template);
    assert!(result.failures[0].reason.contains("TopicArn"), "{result:?}");
    let result = must_deploy(&cloud, &template.replace("T: !GetAtt T.TopicArn, ", ""));
    assert_eq!(
        result.warnings,
        ["VpcConfig: functions use the network of their host (at Resources/F/Properties/VpcConfig, line 10)"]
    );
}

#[test]
fn versions_and_aliases_stand_for_latest_where_lambda_has_none() {
    let cloud = Cloud::new();
    let template = APP.replace(
        "Outputs:",
        "  V: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Work}}\n  L: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Work, FunctionVersion: !GetAtt V.Version, Name: live}}\nOutputs:\n  Alias: {Value: !Ref L}",
    );
    let result = must_deploy(&cloud, &template);
    let alias = result.outputs.iter().find(|output| output.key == "Alias").unwrap();
    assert!(alias.value.ends_with(":$LATEST") && alias.value.contains(":function:app-Work-"), "{alias:?}");
    assert_eq!(result.warnings.len(), 2, "{:?}", result.warnings);
}

#[test]
fn definitions_come_as_text_object_or_file_with_substitutions() {
    let template = |source: &str| {
        format!(
            "Resources:\n  M:\n    Type: AWS::StepFunctions::StateMachine\n    Properties:\n      RoleArn: r\n      DefinitionSubstitutions: {{Fn: !Sub 'arn-${{AWS::Region}}', Wait: 5}}\n      LoggingConfiguration: {{Level: ALL, Destinations: [{{CloudWatchLogsLogGroup: {{LogGroupArn: g}}}}]}}\n      Tags: [{{Key: a, Value: b}}]\n      {source}\n"
        )
    };
    let yaml = "StartAt: A\nStates:\n  A: {Type: Task, Resource: '${Fn}', End: true}\n";
    let cases = [
        (
            r#"DefinitionString: '{"Resource":"${Fn}","Seconds":${Wait},"x":"${!Fn}${Other}"}'"#,
            r#"{"Resource":"arn-us-east-1","Seconds":5,"x":"${!Fn}${Other}"}"#,
        ),
        (
            "Definition: {StartAt: A, States: {A: {Type: Task, Resource: '${Fn}', End: true}}}",
            r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn-us-east-1","End":true}}}"#,
        ),
        ("DefinitionS3Location: {Bucket: b, Key: k.json}", r#"{"Resource":"arn-us-east-1"}"#),
        (
            "DefinitionS3Location: {Bucket: b, Key: k.yaml}",
            r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn-us-east-1","End":true}}}"#,
        ),
    ];
    for (source, expected) in cases {
        let cloud = Cloud::new();
        let mut files = cloud.world.files.lock().unwrap();
        files.insert(("b".into(), "k.json".into()), br#"{"Resource":"${Fn}"}"#.to_vec());
        files.insert(("b".into(), "k.yaml".into()), yaml.as_bytes().to_vec());
        drop(files);
        must_deploy(&cloud, &template(source));
        let input = &cloud.world.inputs("states:CreateStateMachine")[0];
        assert_eq!(input["definition"], json!(expected));
        assert_eq!(
            input["loggingConfiguration"],
            json!({"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "g"}}]})
        );
        assert_eq!(input["tags"], json!([{"key": "a", "value": "b"}]));
    }
    let result = must_fail(&Cloud::new(), &template("DefinitionS3Location: {Bucket: b, Key: gone}"));
    assert!(result.failures[0].reason.contains("s3://b/gone does not exist"), "{result:?}");
}

#[test]
fn a_global_table_with_one_replica_is_a_table() {
    let cloud = Cloud::new();
    let template = "Resources:\n  T:\n    Type: AWS::DynamoDB::GlobalTable\n    Properties:\n      BillingMode: PAY_PER_REQUEST\n      KeySchema: [{AttributeName: id, KeyType: HASH}]\n      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]\n      Replicas: [{Region: !Ref AWS::Region, DeletionProtectionEnabled: 'true'}]\n      StreamSpecification: {StreamViewType: NEW_IMAGE}\n      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}\nOutputs:\n  S: {Value: !GetAtt T.StreamArn}\n";
    let result = must_deploy(&cloud, template);
    assert!(result.outputs[0].value.ends_with("/stream/1"));
    let input = &cloud.world.inputs("dynamodb:CreateTable")[0];
    assert_eq!(input["StreamSpecification"], json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"}));
    assert_eq!(input["DeletionProtectionEnabled"], json!(true));
    assert_eq!(cloud.world.inputs("dynamodb:UpdateTimeToLive").len(), 1);
    let abroad = must_fail(&Cloud::new(), &template.replace("!Ref AWS::Region", "eu-west-1"));
    assert!(abroad.failures[0].reason.contains("us-east-1"), "{abroad:?}");
}

#[test]
fn stacks_nest() {
    let cloud = Cloud::new();
    let inner = r#"{"Parameters": {"Wait": {"Type": "Number"}}, "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Wait"}}}},
      "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Q", "Arn"]}}}}"#;
    let outer = r#"
Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub "https://s3.${AWS::Region}.${AWS::URLSuffix}/assets/inner.json"
      Parameters: {Wait: 5}
  F:
    Type: AWS::Lambda::Function
    Properties:
      Role: r
      Runtime: python3.12
      Handler: index.x
      Code: {ZipFile: x}
      Environment: {Variables: {Q: !GetAtt Inner.Outputs.Arn}}
"#;
    let put = |name: &str, text: &str| {
        cloud.world.files.lock().unwrap().insert(("assets".into(), name.into()), text.as_bytes().to_vec());
    };
    put("inner.json", inner);
    must_deploy(&cloud, outer);
    let child = cloud
        .world
        .stacks
        .lock()
        .unwrap()
        .keys()
        .find(|name| name.starts_with("app-Inner-"))
        .cloned()
        .unwrap();
    assert_eq!(cloud.world.record(&child).parent_id, Some(cloud.world.record("app").id));
    let queue = cloud.world.inputs("lambda:CreateFunction")[0]["Environment"]["Variables"]["Q"].clone();
    assert!(
        queue.as_str().unwrap().starts_with(&format!("arn:aws:sqs:us-east-1:000000000000:{child}-Q-")),
        "{queue}"
    );
    cloud.world.changes();
    assert_eq!(must_deploy(&cloud, outer).action, Action::Unchanged);
    must_deploy(&cloud, &outer.replace("Wait: 5", "Wait: 6"));
    assert_eq!(cloud.world.changes(), ["sqs:SetQueueAttributes"]);
    // What fails within rolls back within and without.
    *cloud.world.poison.lock().unwrap() = Some("Nowhere".into());
    let bad = outer.replace("Wait: 5", "Wait: 7").replace("{Variables: {", "{Variables: {X: Nowhere, ");
    assert_eq!(must_fail(&cloud, &bad).status, StackStatus::UpdateRollbackComplete);
    assert_eq!(cloud.world.record(&child).parameters["Wait"], "6");
    *cloud.world.poison.lock().unwrap() = None;
    block_on(delete_stack(cloud.environment(), "app", &cloud.sink())).unwrap();
    assert!(cloud.world.inventory().is_empty() && cloud.world.stacks.lock().unwrap().is_empty());
    // A template that nests itself ends.
    put("self.json", &outer.replace("inner.json", "self.json").replace("Wait: 5", ""));
    let endless = outer.replace("inner.json", "self.json").replace("Wait: 5", "");
    let result = must_fail(&cloud, &endless);
    assert!(result.failures[0].reason.contains("nested deeper than 8 levels"), "{result:?}");
    let left: Vec<StackStatus> =
        cloud.world.stacks.lock().unwrap().values().map(|record| record.status).collect();
    assert_eq!(left, [StackStatus::RollbackComplete], "only the outermost is left, to be looked at");
}

/// A crash is a save that fails: nothing after it happens. Every place of a creation, an update that replaces and
/// removes, and a deletion is tried; the next attempt must end as an undisturbed one does.
#[test]
fn an_interruption_anywhere_can_be_resumed() {
    let second = APP
        .replace("{VisibilityTimeout: 30}", "{FifoQueue: true}")
        .replace("\"End\":true", "\"Comment\":\"x\",\"End\":true")
        .replace("Outputs:", "  Extra: {Type: AWS::SQS::Queue}\nOutputs:");
    let first_only = APP.replace("Outputs:", "  Old: {Type: AWS::SQS::Queue}\nOutputs:");
    let end_of = |crash_at: Option<u32>| -> Option<(Vec<String>, Value)> {
        let cloud = Cloud::new();
        *cloud.world.saves_left.lock().unwrap() = crash_at;
        let mut crashed = false;
        for template in [first_only.as_str(), second.as_str()] {
            if let Err(error) = try_deploy(&cloud, &request(template)) {
                assert!(matches!(error, DeployError::Store(_)), "{error}");
                crashed = true;
                *cloud.world.saves_left.lock().unwrap() = None;
                let known = cloud.world.stacks.lock().unwrap().contains_key("app");
                if known {
                    block_on(resume(cloud.environment(), "app", &cloud.sink())).unwrap();
                }
                must_deploy(&cloud, template);
            }
        }
        let inventory = cloud.world.existing.lock().unwrap().clone();
        let record = cloud.world.record("app");
        assert!(record.operation.is_none() && record.leftovers.is_empty());
        let live: Vec<String> = record
            .resources
            .values()
            .filter(|resource| resource.kind != "AWS::IAM::Role")
            .map(|resource| resource.live.clone().unwrap().physical_id)
            .collect();
        assert_eq!(live.len(), inventory.len(), "nothing is left over: {:?} {live:?}", inventory.keys());
        // The names differ by the stack's id only; compare kinds and statuses.
        let shape =
            record.resources.iter().map(|(name, resource)| (name.clone(), json!(resource.kind))).collect();
        let mut kinds: Vec<String> =
            inventory.keys().map(|key| key.split('/').next().unwrap_or_default().to_owned()).collect();
        kinds.sort();
        (crashed || crash_at.is_none()).then_some((kinds, shape))
    };
    let undisturbed = end_of(None).unwrap();
    let mut crashes = 0;
    for crash_at in 0.. {
        match end_of(Some(crash_at)) {
            Some(end) => {
                assert_eq!((end.0, sorted(end.1)), (undisturbed.0.clone(), sorted(undisturbed.1.clone())))
            }
            None => break,
        }
        crashes += 1;
    }
    assert!(crashes > 20, "only {crashes} places were tried");
}

fn sorted(value: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_crash_in_a_rollback_is_resumed() {
    for crash_at in 0..40 {
        let cloud = Cloud::new();
        must_deploy(&cloud, APP);
        let before: Vec<String> = cloud.world.existing.lock().unwrap().keys().cloned().collect();
        *cloud.world.poison.lock().unwrap() = Some("Nowhere".into());
        *cloud.world.saves_left.lock().unwrap() = Some(crash_at);
        let changed =
            APP.replace("{VisibilityTimeout: 30}", "{FifoQueue: true}").replace("return 1", "return 2");
        let changed = changed.replace("\"End\":true", "\"Comment\":\"Nowhere\",\"End\":true");
        let outcome = try_deploy(&cloud, &request(&changed));
        *cloud.world.saves_left.lock().unwrap() = None;
        if matches!(outcome, Err(DeployError::Store(_))) {
            // The machine is refused again if the update goes on; a rollback goes to its end.
            let _ = block_on(resume(cloud.environment(), "app", &cloud.sink()));
        }
        let record = cloud.world.record("app");
        let expected = [StackStatus::UpdateRollbackComplete, StackStatus::CreateComplete];
        assert!(expected.contains(&record.status), "{crash_at}: {}", record.status);
        let after: Vec<String> = cloud.world.existing.lock().unwrap().keys().cloned().collect();
        assert_eq!(before, after, "{crash_at}");
        assert_eq!(must_deploy(&cloud, APP).action, Action::Unchanged, "{crash_at}");
    }
}
