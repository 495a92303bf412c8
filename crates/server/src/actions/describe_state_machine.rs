//! DescribeStateMachine, of a machine, of one of its versions, or of a Distributed Map state by its label.
//!
//! The documentation says both that a labelled ARN is refused and what the answer to one has; so it is answered.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::{MachineDescription, MachineStatus, VersionDescription};

use super::{configurations, map_definition, variable_references};
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
    let form = arns::machine(&arn)?;
    let metadata_only = included_data.as_deref() == Some("METADATA_ONLY");
    context
        .blocking(move |context| {
            let machines = context.machines();
            let found = match form {
                MachineArn::Qualified => {
                    let version = machines.version(&arn).map_err(|error| store_failure(&error))?;
                    version.map(|version| version_description(version, metadata_only))
                }
                MachineArn::Labelled => labelled_description(context, &arn)?,
                MachineArn::Unqualified => {
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

/// The machine with the definition of one Map state; `METADATA_ONLY` does not apply to it. Blocks.
fn labelled_description(context: &StepFunctions, arn: &str) -> Result<Option<Value>, Fault> {
    let Some((machine_arn, label)) = arn.split_once('/') else { return Ok(None) };
    let found = context.machines().describe(machine_arn).map_err(|error| store_failure(&error))?;
    Ok(found.and_then(|machine| {
        let revision = &machine.revision;
        let part = map_definition::by_label(&revision.definition, label)?;
        let mut answer = description(&machine, true);
        answer["stateMachineArn"] = arn.into();
        answer["label"] = label.into();
        variable_references::show(&revision.program, Some(&part), false, &mut answer);
        answer["definition"] = part.to_string().into();
        Some(answer)
    }))
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
    variable_references::show(&revision.program, None, metadata_only, &mut answer);
    if let Some(id) = &revision.revision_id {
        answer["revisionId"] = Value::from(&**id);
    }
    answer
}

/// `STANDARD` or `EXPRESS`.
pub(super) fn type_name(express: bool) -> &'static str {
    if express { "EXPRESS" } else { "STANDARD" }
}
