//! DescribeStateMachineForExecution: the revision that an execution runs, whatever became of the machine since; of a
//! child of a Map Run the part of it that the child runs.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::ExecutionRow;
use stepwell_engine::machines::MachineRevision;

use super::describe_execution::{find, show_map_run};
use super::{configurations, map_definition, variable_references};
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
                Some(revision) => Ok(description(&execution.row, &revision, metadata_only)),
                None => Err(Fault::internal("the state machine revision of this execution is missing")),
            }
        })
        .await
}

fn description(row: &ExecutionRow, revision: &MachineRevision, metadata_only: bool) -> Value {
    let arn = &*row.info.state_machine_arn;
    let child_of = row.info.child_of.as_ref();
    let part = child_of.and_then(|of| map_definition::by_name(&revision.definition, &of.map_state));
    let definition = match &part {
        _ if metadata_only => "{}".into(),
        Some(part) => part.to_string(),
        None => revision.definition.to_string(),
    };
    let mut answer = json!({
        "stateMachineArn": arn,
        "name": &*revision.name,
        "definition": definition,
        "roleArn": &*revision.role_arn,
        "updateDate": seconds(revision.created_ms),
    });
    configurations::show(&revision.configurations, &mut answer);
    variable_references::show(&revision.program, part.as_ref(), metadata_only, &mut answer);
    show_map_run(row, &mut answer);
    if let Some((_, label)) = arn.split_once('/') {
        answer["label"] = label.into();
    }
    if let Some(id) = &revision.revision_id {
        answer["revisionId"] = Value::from(&**id);
    }
    answer
}
