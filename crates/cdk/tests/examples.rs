//! The example workflows: the Rust code, the definition beside it and the CDK app's template say the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stepwell_cdk::StateMachine;

#[allow(dead_code, reason = "its main prints")]
#[path = "../../../examples/job-poller/workflow.rs"]
mod job_poller;
#[allow(dead_code, reason = "its main prints")]
#[path = "../../../examples/lambda-iteration/workflow.rs"]
mod lambda_iteration;
#[allow(dead_code, reason = "its main prints")]
#[path = "../../../examples/lambda-iteration-loop/workflow.rs"]
mod lambda_iteration_loop;
#[allow(dead_code, reason = "its main prints")]
#[path = "../../../examples/transfer-data-records/workflow.rs"]
mod transfer_data_records;
#[allow(dead_code, reason = "its main prints")]
#[path = "../../../examples/transfer-data-records-sqs/workflow.rs"]
mod transfer_data_records_sqs;

fn workflows() -> Vec<(&'static str, StateMachine)> {
    vec![
        ("job-poller", job_poller::state_machine()),
        ("lambda-iteration", lambda_iteration::state_machine()),
        ("lambda-iteration-loop", lambda_iteration_loop::state_machine()),
        ("transfer-data-records", transfer_data_records::state_machine()),
        ("transfer-data-records-sqs", transfer_data_records_sqs::state_machine()),
    ]
}

#[test]
fn the_code_writes_the_definition_beside_it() {
    for (name, machine) in workflows() {
        let path = example(name).join("workflow.asl.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let written = machine.to_asl().unwrap_or_else(|errors| panic!("{name}: {errors}"));
        assert_eq!(
            text.trim_end(),
            written,
            "{name}: print it again with `cargo run -p stepwell-cdk --example {name}`"
        );
    }
}

#[test]
fn the_newest_cdk_synthesizes_the_same() {
    for (name, machine) in workflows() {
        let ours = machine.to_json().unwrap_or_else(|errors| panic!("{name}: {errors}"));
        let (machine_name, theirs) = synthesized(&example(name).join("cdk.out.2.276"));
        assert_eq!(ours, theirs, "{name}");
        if let Some(machine_name) = machine_name {
            assert_eq!(machine.name(), machine_name, "{name}");
        }
    }
}

#[test]
fn an_old_cdk_synthesizes_the_same_but_for_one_error() {
    for (name, machine) in workflows() {
        let mut ours = machine.to_json().unwrap_or_else(|errors| panic!("{name}: {errors}"));
        for state in ours["States"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
            if let Some(errors) = state.pointer_mut("/Retry/0/ErrorEquals").and_then(Value::as_array_mut) {
                errors.retain(|error| error != "Lambda.ClientExecutionTimeoutException");
            }
        }
        let (_, theirs) = synthesized(&example(name).join("cdk.out"));
        assert_eq!(ours, theirs, "{name}");
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// Name (where it has one) and definition of the one state machine in the assembly at `folder`.
fn synthesized(folder: &Path) -> (Option<String>, Value) {
    let templates: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".template.json"))
        .collect();
    let [template] = templates.as_slice() else {
        panic!("{}: one template, not {templates:?}", folder.display())
    };
    let template: Value = serde_json::from_str(&fs::read_to_string(template).expect("a readable template"))
        .expect("a JSON template");
    let resources: BTreeMap<&str, &Value> = template["Resources"]
        .as_object()
        .expect("resources")
        .iter()
        .map(|(id, r)| (id.as_str(), r))
        .collect();
    let machine = resources
        .values()
        .find(|resource| resource["Type"] == "AWS::StepFunctions::StateMachine")
        .expect("a state machine in the template");
    let properties = &machine["Properties"];
    let text = evaluate(&properties["DefinitionString"], &resources);
    let name = properties["StateMachineName"].as_str().map(str::to_owned);
    (name, serde_json::from_str(&text).expect("the definition is JSON"))
}

/// What a deployment to the default environment makes of `value`; resources without a name are called by their logical
/// id without its hash.
fn evaluate(value: &Value, resources: &BTreeMap<&str, &Value>) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(join) = value.get("Fn::Join") {
        let separator = join[0].as_str().expect("a separator");
        let parts: Vec<String> =
            join[1].as_array().expect("parts").iter().map(|part| evaluate(part, resources)).collect();
        return parts.join(separator);
    }
    if value["Ref"] == "AWS::Partition" {
        return "aws".to_owned();
    }
    let (id, attribute) = match value.get("Ref") {
        Some(id) => (id, None),
        None => (&value["Fn::GetAtt"][0], value["Fn::GetAtt"][1].as_str()),
    };
    let id = id.as_str().unwrap_or_else(|| panic!("not understood: {value}"));
    let resource = resources.get(id).unwrap_or_else(|| panic!("no resource {id}"));
    let name_or = |field: &str| {
        resource["Properties"][field].as_str().unwrap_or(&id[..id.len() - "12345678".len()]).to_owned()
    };
    match (resource["Type"].as_str(), attribute) {
        (Some("AWS::Lambda::Function"), Some("Arn")) => {
            format!("arn:aws:lambda:us-east-1:000000000000:function:{}", name_or("FunctionName"))
        }
        (Some("AWS::DynamoDB::Table"), None) => name_or("TableName"),
        (Some("AWS::SQS::Queue"), None) => {
            format!("https://sqs.us-east-1.amazonaws.com/000000000000/{}", name_or("QueueName"))
        }
        (kind, attribute) => panic!("not understood: {attribute:?} of {kind:?}"),
    }
}
