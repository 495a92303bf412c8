//! Cloud assemblies on disk: the examples of this repository by two CDK versions, and made-up ones for the rest.

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stepwell_aws::Account;
use stepwell_deploy::assembly::{self, Assembly};
use stepwell_deploy::stack::{Action, AssemblyOptions, delete_assembly, deploy_assembly};
use support::{Cloud, block_on};

fn example(name: &str, version: &str) -> Assembly {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../examples", name, version].iter().collect();
    assembly::read(&path, None).unwrap_or_else(|error| panic!("{error}"))
}

/// Deploys the example, again, and deletes it; the definition and the calls of the first deployment.
fn run(name: &str, version: &str) -> (Cloud, Value) {
    let cloud = Cloud::new();
    let assembly = example(name, version);
    let options = AssemblyOptions::default();
    let first = block_on(deploy_assembly(cloud.environment(), &assembly, &options, &cloud.sink()));
    let first = first.unwrap_or_else(|error| panic!("{name} {version}: {error}"));
    assert_eq!(first.iter().map(|result| result.action).collect::<Vec<_>>(), [Action::Created]);
    assert!(first[0].warnings.is_empty(), "{name} {version}: {:?}", first[0].warnings);
    let again = block_on(deploy_assembly(cloud.environment(), &assembly, &options, &cloud.sink())).unwrap();
    assert_eq!(again[0].action, Action::Unchanged);
    let definition = cloud.world.inputs("states:CreateStateMachine")[0]["definition"].clone();
    let definition = serde_json::from_str(definition.as_str().unwrap()).expect("the definition is JSON");
    (cloud, definition)
}

fn names(definition: &Value) -> Vec<&str> {
    definition["States"].as_object().unwrap().keys().map(String::as_str).collect()
}

const VERSIONS: [&str; 2] = ["cdk.out", "cdk.out.2.276"];

#[test]
fn lambda_iteration() {
    for version in VERSIONS {
        let (cloud, definition) = run("lambda-iteration", version);
        assert_eq!(cloud.world.record("LambdaLoop").resources.len(), 8);
        assert_eq!(cloud.world.inputs("states:CreateStateMachine")[0]["name"], "LambdaIter");
        assert_eq!(definition["StartAt"], "GetNumIter");
        assert_eq!(names(&definition), ["GetNumIter", "Loop Completed?", "Finish", "LambdaProcessJob"]);
        let process = &definition["States"]["LambdaProcessJob"];
        assert_eq!(
            (&process["End"], &process["Resource"]),
            (&json!(true), &json!("arn:aws:states:::lambda:invoke"))
        );
        assert!(definition["States"]["Loop Completed?"].get("Default").is_none());
        let functions = cloud.world.inputs("lambda:CreateFunction");
        assert_eq!(functions.len(), 2);
        for function in functions {
            assert_eq!(
                (&function["Handler"], &function["Runtime"]),
                (&json!("index.main"), &json!("python3.8"))
            );
            assert!(function["FunctionName"].as_str().unwrap().starts_with("LambdaLoop-"));
            assert!(
                function["Role"].as_str().unwrap().starts_with("arn:aws:iam::000000000000:role/LambdaLoop-")
            );
        }
    }
}

#[test]
fn lambda_iteration_with_the_way_back() {
    for version in VERSIONS {
        let (_, definition) = run("lambda-iteration-loop", version);
        assert_eq!(definition["States"]["LambdaProcessJob"]["Next"], "Loop Completed?");
    }
}

#[test]
fn job_poller() {
    for version in VERSIONS {
        let (cloud, definition) = run("job-poller", version);
        let machine = cloud.world.inputs("states:CreateStateMachine")[0].clone();
        let name = machine["name"].as_str().unwrap();
        assert!(
            name.starts_with("StepfunctionsDemoStack-StateMachineDemo2E9AAB2B-") && name.len() <= 80,
            "{name}"
        );
        assert_eq!(definition["TimeoutSeconds"], 120);
        let expected = [
            "SubmitJob",
            "WaitXSeconds",
            "CheckStatusTask",
            "Job Complete?",
            "JobFailed",
            "GetFinalJobStatus",
        ];
        let mut found = names(&definition);
        found.sort_by_key(|name| expected.iter().position(|other| other == name));
        assert_eq!(found, expected);
        assert_eq!(definition["States"]["WaitXSeconds"]["Seconds"], 10);
        let failed = &definition["States"]["JobFailed"];
        assert_eq!(
            (&failed["Error"], &failed["Cause"]),
            (&json!("Described returned FAILED"), &json!("AWS Batch Job Failed"))
        );
        let submit = &definition["States"]["SubmitJob"];
        assert_eq!(submit["OutputPath"], "$");
        assert_eq!(
            submit["Parameters"]["FunctionName"],
            "arn:aws:lambda:us-east-1:000000000000:function:SubmitFunction"
        );
        let retried: &[&str] = match version {
            "cdk.out" => {
                &["Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"]
            }
            _ => &[
                "Lambda.ClientExecutionTimeoutException",
                "Lambda.ServiceException",
                "Lambda.AWSLambdaException",
                "Lambda.SdkClientException",
            ],
        };
        assert_eq!(submit["Retry"][0]["ErrorEquals"], json!(retried));
        for function in cloud.world.inputs("lambda:CreateFunction") {
            assert_eq!(function["Timeout"], 10);
        }
    }
}

#[test]
fn transfer_data_records() {
    for version in VERSIONS {
        let (cloud, definition) = run("transfer-data-records", version);
        let table = &cloud.world.inputs("dynamodb:CreateTable")[0];
        assert_eq!(table["TableName"], "TableStepFuncDemo");
        assert_eq!(table["ProvisionedThroughput"], json!({"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}));
        let function = &cloud.world.inputs("lambda:CreateFunction")[0];
        assert_eq!(function["FunctionName"], "SeedDDBFunction");
        assert_eq!(function["Environment"], json!({"Variables": {"TABLE_NAME": "TableStepFuncDemo"}}));
        assert!(function.get("Timeout").is_none());
        assert_eq!(cloud.world.inputs("states:CreateStateMachine")[0]["name"], "TransferRecord");
        let get = &definition["States"]["GetItemFromDb"];
        assert_eq!(get["Resource"], "arn:aws:states:::dynamodb:getItem");
        assert_eq!(get["Parameters"]["Key"], json!({"MessageId": {"S": "MessageNo1"}}));
        assert_eq!(definition["States"]["PopItemFromList"]["Parameters"], json!({"List.$": "$.List[1:]"}));
        // The table has the policy Retain: after the deletion a second deployment cannot make it.
        let assembly = example("transfer-data-records", version);
        let options = AssemblyOptions::default();
        block_on(delete_assembly(cloud.environment(), &assembly, &options, &cloud.sink())).unwrap();
        assert_eq!(cloud.world.inventory(), [("table".to_owned(), 1)].into());
        let failure =
            block_on(deploy_assembly(cloud.environment(), &assembly, &options, &cloud.sink())).unwrap_err();
        assert!(failure.to_string().contains("'TableStepFuncDemo' already exists"), "{failure}");
    }
}

#[test]
fn transfer_data_records_with_sqs() {
    for version in VERSIONS {
        let (cloud, definition) = run("transfer-data-records-sqs", version);
        let seed = &definition["States"]["Seed the DynamoDB Table"];
        let function = cloud.world.inputs("lambda:CreateFunction")[0]["FunctionName"].clone();
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{}", function.as_str().unwrap());
        assert_eq!((&seed["Resource"], &seed["ResultPath"]), (&json!(arn), &json!("$.List")));
        let choice = &definition["States"]["For Loop Condition"]["Choices"][0];
        assert_eq!(choice["Not"], json!({"Variable": "$.List[0]", "StringEquals": "DONE"}));
        let read = &definition["States"]["Read Next Message from DynamoDB"];
        assert_eq!(read["Parameters"]["Key"]["MessageId"], json!({"S.$": "$.List[0]"}));
        let send = &definition["States"]["Send Message to SQS"];
        assert_eq!(send["Resource"], "arn:aws:states:::sqs:sendMessage");
        assert_eq!(send["Parameters"]["MessageBody.$"], "$.DynamoDB.Item.Message.S");
        let queue = cloud.world.record("TransferDataRecordsSqs").outputs;
        let url = queue.iter().find(|output| output.key == "QueueUrl").unwrap();
        assert_eq!(send["Parameters"]["QueueUrl"], json!(url.value));
        let assembly = example("transfer-data-records-sqs", version);
        let options = AssemblyOptions::default();
        block_on(delete_assembly(cloud.environment(), &assembly, &options, &cloud.sink())).unwrap();
        assert!(cloud.world.inventory().is_empty());
    }
}

#[test]
fn an_update_of_the_library_changes_nothing_that_matters() {
    let cloud = Cloud::new();
    for version in VERSIONS {
        let assembly = example("transfer-data-records", version);
        block_on(deploy_assembly(cloud.environment(), &assembly, &AssemblyOptions::default(), &cloud.sink()))
            .unwrap();
    }
    let changes = cloud.world.changes();
    assert_eq!(changes.last().map(String::as_str), Some("states:UpdateStateMachine"), "{changes:?}");
    assert_eq!(changes.len(), 4, "{changes:?}");
}

#[test]
fn an_app_with_stages_nested_stacks_assets_and_all_step_functions_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assemblies/features/cdk.out");
    let assembly = assembly::read(&path, None).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<(&str, &str)> =
        assembly.stacks.iter().map(|stack| (stack.name.as_str(), stack.display_name.as_str())).collect();
    let expected = [("Test-Data", "Test/Data"), ("Test-Machines", "Test/Machines")];
    assert_eq!(names, expected);
    let cloud = Cloud::new();
    let options = AssemblyOptions::default();
    let results = block_on(deploy_assembly(cloud.environment(), &assembly, &options, &cloud.sink()))
        .unwrap_or_else(|failure| panic!("{failure}"));
    for result in &results {
        let unexpected = result.warnings.iter().filter(|text| !text.contains("stands for $LATEST"));
        assert_eq!(unexpected.count(), 0, "{:?}", result.warnings);
    }
    let expected = [
        ("activity", 1),
        ("alias", 1),
        ("function", 1),
        ("machine", 4),
        ("queue", 3),
        ("table", 1),
        ("version", 1),
    ];
    assert_eq!(cloud.world.inventory(), expected.map(|(kind, count)| (kind.to_owned(), count)).into());
    let output = |key: &str| {
        let outputs = &results[1].outputs;
        outputs.iter().find(|output| output.key == key).map(|output| output.value.clone())
    };
    assert!(output("InnerQueue").unwrap().contains("-Plain"), "{:?}", results[1].outputs);
    assert!(output("ExpressName").unwrap().starts_with("Test-Machines-Express"), "{:?}", results[1].outputs);
    assert_eq!(output("OnlyProd"), None);
    let function = &cloud.world.inputs("lambda:CreateFunction")[0];
    assert_eq!((&function["MemorySize"], &function["Handler"]), (&json!(256), &json!("app.main")));
    assert_eq!(function["Environment"]["Variables"]["SIZE"], "small");
    let machines = cloud.world.inputs("states:CreateStateMachine");
    let definition = |prefix: &str| {
        let machine = machines.iter().find(|machine| machine["name"].as_str().unwrap().contains(prefix));
        let machine = machine.unwrap_or_else(|| panic!("no machine {prefix}"));
        let text = machine["definition"].as_str().unwrap();
        (machine.clone(), serde_json::from_str::<Value>(text).expect("the definition is JSON"))
    };
    let (_, from_file) = definition("FromFile");
    let called = from_file["States"]["Call"]["Parameters"]["FunctionName"].as_str().unwrap();
    assert!(called.starts_with("arn:aws:lambda:us-east-1:000000000000:function:Test-Machines-"), "{called}");
    let (express, _) = definition("Express");
    assert_eq!(
        (&express["type"], &express["tracingConfiguration"]),
        (&json!("EXPRESS"), &json!({"enabled": true}))
    );
    assert_eq!(express["loggingConfiguration"]["level"], "ALL");
    let (_, wide) = definition("Wide");
    assert_eq!(wide["States"]["Ask"]["Resource"], "arn:aws:states:us-east-1:000000000000:activity:approval");
    let again = block_on(deploy_assembly(cloud.environment(), &assembly, &options, &cloud.sink())).unwrap();
    assert!(again.iter().all(|result| result.action == Action::Unchanged));
    block_on(delete_assembly(cloud.environment(), &assembly, &options, &cloud.sink())).unwrap();
    assert!(cloud.world.inventory().is_empty(), "{:?}", cloud.world.inventory());
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn stack_artifact(name: &str, dependencies: &[&str]) -> Value {
    json!({"type": "aws:cloudformation:stack", "environment": "aws://111122223333/eu-west-1",
           "properties": {"templateFile": format!("{name}.json"), "stackName": format!("{name}-stack"), "tags": {"a": "b"},
                          "parameters": {"P": "from-the-app"}},
           "dependencies": dependencies, "displayName": format!("Stage/{name}")})
}

/// Two stacks in a nested assembly, the second of which comes first by name, with a file and a folder as assets.
fn nested_assembly(folder: &Path) {
    let template = r#"{"Parameters": {"P": {"Type": "String"}}, "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${AWS::StackName}-${P}"}}}}}"#;
    let code = r#"{"Parameters": {"P": {"Type": "String"}}, "Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": "r", "Runtime": "python3.12", "Handler": "app.main",
        "Code": {"S3Bucket": {"Fn::Sub": "assets-${AWS::AccountId}-${AWS::Region}"}, "S3Key": "abc.zip"}}}}}"#;
    write(
        folder,
        "manifest.json",
        &json!({"version": "55.0.0", "artifacts": {
        "tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}},
        "stage": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Stage"}}}})
        .to_string(),
    );
    write(
        folder,
        "assembly-Stage/manifest.json",
        &json!({"version": "55.0.0", "artifacts": {
        "First": stack_artifact("First", &["Second", "assets"]),
        "Second": stack_artifact("Second", &[]),
        "assets": {"type": "cdk:asset-manifest", "properties": {"file": "x.assets.json"}}}})
        .to_string(),
    );
    write(folder, "assembly-Stage/First.json", template);
    write(folder, "assembly-Stage/Second.json", code);
    write(folder, "assembly-Stage/asset.abc/app.py", "def main(event, context): pass");
    write(folder, "assembly-Stage/asset.abc/lib/more.py", "x = 1");
    let destination = |key: &str| json!({"current": {"bucketName": "assets-${AWS::AccountId}-${AWS::Region}", "objectKey": key}});
    write(folder, "assembly-Stage/x.assets.json", &json!({"version": "55.0.0", "files": {
        "abc": {"source": {"path": "asset.abc", "packaging": "zip"}, "destinations": destination("abc.zip")},
        "def": {"source": {"path": "First.json", "packaging": "file"}, "destinations": destination("def.json")}}}).to_string());
}

#[test]
fn nested_assemblies_assets_and_order() {
    let folder = tempfile::tempdir().unwrap();
    nested_assembly(folder.path());
    let assembly = assembly::read(folder.path(), None).unwrap();
    let names: Vec<&str> = assembly.stacks.iter().map(|stack| stack.name.as_str()).collect();
    assert_eq!(names, ["Second-stack", "First-stack"]);
    assert_eq!(assembly.stacks[1].dependencies, ["Second-stack"]);
    let destination = assembly.assets[0].destination(&Account::default());
    assert_eq!(destination, ("assets-000000000000-us-east-1".to_owned(), "abc.zip".to_owned()));
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&assembly.assets[0].content)).unwrap();
    let files: Vec<String> = (0..archive.len())
        .map(|index| archive.by_index(index).unwrap().name().unwrap().into_owned())
        .collect();
    assert_eq!(files, ["app.py", "lib/more.py"]);
    let again = assembly::read(folder.path(), None).unwrap();
    assert_eq!(assembly, again, "the same folder gives the same bytes");
    let sent: Assembly = serde_json::from_str(&serde_json::to_string(&assembly).unwrap()).unwrap();
    assert_eq!(sent, assembly);

    let cloud = Cloud::new();
    let mut options = AssemblyOptions { stacks: vec!["Stage/First".into()], ..AssemblyOptions::default() };
    options.parameters.insert("First-stack:P".into(), "mine".into());
    let results = block_on(deploy_assembly(cloud.environment(), &assembly, &options, &cloud.sink())).unwrap();
    assert_eq!(results.len(), 2, "the stack it depends on comes along");
    assert!(results[0].warnings[0].contains("account 111122223333 in region eu-west-1"), "{results:?}");
    let package = cloud.world.inputs("lambda:CreateFunction")[0]["Code"]["ZipFile"].as_str().unwrap().len();
    assert!(package > 100, "the package travels in the call");
    assert_eq!(cloud.world.inputs("sqs:CreateQueue")[0]["QueueName"], "First-stack-mine");
}

#[test]
fn template_files_are_stacks_by_name() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "my_app.template.yaml", "Resources: {Q: {Type: AWS::SQS::Queue}}");
    let path = folder.path().join("my_app.template.yaml");
    assert_eq!(assembly::read(&path, None).unwrap().stacks[0].name, "my-app");
    assert_eq!(assembly::read(&path, Some("given")).unwrap().stacks[0].name, "given");
}

#[test]
fn what_is_no_assembly_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| assembly::read(path, None).unwrap_err().to_string();
    assert!(error(folder.path()).contains("manifest.json"), "{}", error(folder.path()));
    write(folder.path(), "manifest.json", "{");
    assert!(error(folder.path()).contains("EOF"), "{}", error(folder.path()));
    write(folder.path(), "manifest.json", "{\"artifacts\": {}}");
    assert!(error(folder.path()).contains("no stack"), "{}", error(folder.path()));
    nested_assembly(folder.path());
    write(
        folder.path(),
        "assembly-Stage/x.assets.json",
        "{\"dockerImages\": {\"img\": {\"source\": {\"directory\": \"x\"}}}}",
    );
    assert!(error(folder.path()).contains("container image img"), "{}", error(folder.path()));
    let looping =
        json!({"artifacts": {"self": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "."}}}});
    write(folder.path(), "manifest.json", &looping.to_string());
    assert!(error(folder.path()).contains("nested too deeply"), "{}", error(folder.path()));
}
