//! The operations of Step Functions, one file each.
//!
//! An action gets input that satisfies the model, and gives the output structure or the operation's own exceptions.

mod create_activity;
mod create_state_machine;
mod create_state_machine_alias;
mod delete_activity;
pub(crate) mod delete_state_machine;
mod delete_state_machine_alias;
mod delete_state_machine_version;
mod describe_activity;
mod describe_execution;
mod describe_map_run;
mod describe_state_machine;
mod describe_state_machine_alias;
mod describe_state_machine_for_execution;
mod get_activity_task;
mod get_execution_history;
mod list_activities;
mod list_executions;
mod list_map_runs;
mod list_state_machine_aliases;
mod list_state_machine_versions;
mod list_state_machines;
mod list_tags_for_resource;
mod publish_state_machine_version;
mod redrive_execution;
mod send_task_failure;
mod send_task_heartbeat;
mod send_task_success;
mod start_execution;
mod start_sync_execution;
mod stop_execution;
mod tag_resource;
mod test_state;
mod untag_resource;
mod update_map_run;
mod update_state_machine;
mod update_state_machine_alias;
mod validate_state_machine_definition;

mod activities;
mod aliases;
mod configurations;
mod map_definition;
mod tags;
mod task_tokens;
mod variable_references;

use serde_json::Value;
use stepwell_aws::{BoxFuture, Fault};

use crate::states::{StepFunctions, store_failure};

/// An action: context and checked input to output.
pub(crate) type Action = fn(StepFunctions, Value) -> BoxFuture<'static, Result<Value, Fault>>;

/// The action of an operation; `None` where Stepwell does not serve it yet.
pub(crate) fn of(operation: &str) -> Option<Action> {
    Some(match operation {
        "CreateActivity" => |c, i| Box::pin(create_activity::run(c, i)),
        "CreateStateMachine" => |c, i| Box::pin(create_state_machine::run(c, i)),
        "CreateStateMachineAlias" => |c, i| Box::pin(create_state_machine_alias::run(c, i)),
        "DeleteActivity" => |c, i| Box::pin(delete_activity::run(c, i)),
        "DeleteStateMachine" => |c, i| Box::pin(delete_state_machine::run(c, i)),
        "DeleteStateMachineAlias" => |c, i| Box::pin(delete_state_machine_alias::run(c, i)),
        "DeleteStateMachineVersion" => |c, i| Box::pin(delete_state_machine_version::run(c, i)),
        "DescribeActivity" => |c, i| Box::pin(describe_activity::run(c, i)),
        "DescribeExecution" => |c, i| Box::pin(settled(c.clone(), describe_execution::run(c, i))),
        "DescribeMapRun" => |c, i| Box::pin(settled(c.clone(), describe_map_run::run(c, i))),
        "DescribeStateMachine" => |c, i| Box::pin(describe_state_machine::run(c, i)),
        "DescribeStateMachineAlias" => |c, i| Box::pin(describe_state_machine_alias::run(c, i)),
        "DescribeStateMachineForExecution" => {
            |c, i| Box::pin(settled(c.clone(), describe_state_machine_for_execution::run(c, i)))
        }
        "GetActivityTask" => |c, i| Box::pin(get_activity_task::run(c, i)),
        "GetExecutionHistory" => |c, i| Box::pin(settled(c.clone(), get_execution_history::run(c, i))),
        "ListActivities" => |c, i| Box::pin(list_activities::run(c, i)),
        "ListExecutions" => |c, i| Box::pin(settled(c.clone(), list_executions::run(c, i))),
        "ListMapRuns" => |c, i| Box::pin(settled(c.clone(), list_map_runs::run(c, i))),
        "ListStateMachineAliases" => |c, i| Box::pin(list_state_machine_aliases::run(c, i)),
        "ListStateMachineVersions" => |c, i| Box::pin(list_state_machine_versions::run(c, i)),
        "ListStateMachines" => |c, i| Box::pin(list_state_machines::run(c, i)),
        "ListTagsForResource" => |c, i| Box::pin(list_tags_for_resource::run(c, i)),
        "PublishStateMachineVersion" => |c, i| Box::pin(publish_state_machine_version::run(c, i)),
        "RedriveExecution" => |c, i| Box::pin(redrive_execution::run(c, i)),
        "SendTaskFailure" => |c, i| Box::pin(send_task_failure::run(c, i)),
        "SendTaskHeartbeat" => |c, i| Box::pin(send_task_heartbeat::run(c, i)),
        "SendTaskSuccess" => |c, i| Box::pin(send_task_success::run(c, i)),
        "StartExecution" => |c, i| Box::pin(start_execution::run(c, i)),
        "StartSyncExecution" => |c, i| Box::pin(start_sync_execution::run(c, i)),
        "StopExecution" => |c, i| Box::pin(stop_execution::run(c, i)),
        "TagResource" => |c, i| Box::pin(tag_resource::run(c, i)),
        "TestState" => |c, i| Box::pin(test_state::run(c, i)),
        "UntagResource" => |c, i| Box::pin(untag_resource::run(c, i)),
        "UpdateMapRun" => |c, i| Box::pin(update_map_run::run(c, i)),
        "UpdateStateMachine" => |c, i| Box::pin(update_state_machine::run(c, i)),
        "UpdateStateMachineAlias" => |c, i| Box::pin(update_state_machine_alias::run(c, i)),
        "ValidateStateMachineDefinition" => |c, i| Box::pin(validate_state_machine_definition::run(c, i)),
        _ => return None,
    })
}

/// The answer of an action that reads executions, once what it has read is durable.
async fn settled(
    context: StepFunctions,
    read: impl Future<Output = Result<Value, Fault>>,
) -> Result<Value, Fault> {
    let answer = read.await;
    context.engine().settled().await.map_err(|error| store_failure(&error))?;
    answer
}
