//! DescribeStateMachineForExecution: the revision that an execution runs, whatever became of the machine since.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::MachineRevision;

use super::describe_execution::find;
use super::{configurations, variable_references};
use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    execution_arn: String,
    included_data: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { execution_arn, included_data } = read_input(input)?;
    let metadata_only = included_data.as_deref() == Some("METADATA_ONLY");
    context
        .blocking(move |context| {
            let execution = find(context, &execution_arn)?;
            let revision = context.machines().load_revision(execution.row.revision);
            match revision.map_err(|error| store_failure(&error))? {
                Some(revision) => Ok(description(&revision, metadata_only)),
                None => Err(Fault::internal("the state machine revision of this execution is missing")),
            }
        })
        .await
}

fn description(revision: &MachineRevision, metadata_only: bool) -> Value {
    let mut answer = json!({
        "stateMachineArn": &*revision.machine_arn,
        "name": &*revision.name,
        "definition": if metadata_only { "{}" } else { &*revision.definition },
        "roleArn": &*revision.role_arn,
        "updateDate": seconds(revision.created_ms),
    });
    configurations::show(&revision.configurations, &mut answer);
    variable_references::show(&revision.program, metadata_only, &mut answer);
    if let Some(id) = &revision.revision_id {
        answer["revisionId"] = Value::from(&**id);
    }
    answer
}
