//! DescribeStateMachine, of a machine or of one of its versions.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::{MachineDescription, MachineStatus, VersionDescription};

use super::{configurations, variable_references};
use crate::arns::MachineArn;
use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_arn: String,
    included_data: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { state_machine_arn: arn, included_data } = read_input(input)?;
    let form = arns::machine_without_label(&arn)?;
    let metadata_only = included_data.as_deref() == Some("METADATA_ONLY");
    context
        .blocking(move |context| {
            let machines = context.machines();
            let found = match form {
                MachineArn::Qualified => {
                    let version = machines.version(&arn).map_err(|error| store_failure(&error))?;
                    version.map(|version| version_description(version, metadata_only))
                }
                _ => {
                    let machine = machines.describe(&arn).map_err(|error| store_failure(&error))?;
                    machine.map(|machine| description(&machine, metadata_only))
                }
            };
            found.ok_or_else(|| fault::machine_does_not_exist(&arn))
        })
        .await
}

fn version_description(version: VersionDescription, metadata_only: bool) -> Value {
    let VersionDescription { summary, status, description: text, revision } = version;
    let machine = MachineDescription { status, created_ms: summary.created_ms, revision };
    let mut answer = description(&machine, metadata_only);
    answer["stateMachineArn"] = Value::from(&*summary.arn);
    if let Some(text) = text {
        answer["description"] = Value::from(&*text);
    }
    answer
}

fn description(machine: &MachineDescription, metadata_only: bool) -> Value {
    let revision = &machine.revision;
    let status = match machine.status {
        MachineStatus::Active => "ACTIVE",
        MachineStatus::Deleting => "DELETING",
    };
    let mut answer = json!({
        "stateMachineArn": &*revision.machine_arn,
        "name": &*revision.name,
        "status": status,
        "definition": if metadata_only { "{}" } else { &*revision.definition },
        "roleArn": &*revision.role_arn,
        "type": type_name(revision.express),
        "creationDate": seconds(machine.created_ms),
    });
    configurations::show(&revision.configurations, &mut answer);
    variable_references::show(&revision.program, metadata_only, &mut answer);
    if let Some(id) = &revision.revision_id {
        answer["revisionId"] = Value::from(&**id);
    }
    answer
}

/// `STANDARD` or `EXPRESS`.
pub(super) fn type_name(express: bool) -> &'static str {
    if express { "EXPRESS" } else { "STANDARD" }
}
