//! The operations of Step Functions, one file each.
//!
//! An action gets input that satisfies the model, and gives the output structure or the operation's own exceptions.

mod create_state_machine;
pub(crate) mod delete_state_machine;
mod describe_execution;
mod describe_state_machine;
mod describe_state_machine_for_execution;
mod get_execution_history;
mod list_executions;
mod list_state_machines;
mod list_tags_for_resource;
mod start_execution;
mod stop_execution;
mod tag_resource;
mod untag_resource;
mod update_state_machine;
mod validate_state_machine_definition;

mod configurations;
mod tags;
mod variable_references;

use serde_json::Value;
use stepwell_aws::{BoxFuture, Fault};

use crate::states::StepFunctions;

/// An action: context and checked input to output.
pub(crate) type Action = fn(StepFunctions, Value) -> BoxFuture<'static, Result<Value, Fault>>;

/// The action of an operation; `None` where Stepwell does not serve it yet.
pub(crate) fn of(operation: &str) -> Option<Action> {
    Some(match operation {
        "CreateStateMachine" => |c, i| Box::pin(create_state_machine::run(c, i)),
        "DeleteStateMachine" => |c, i| Box::pin(delete_state_machine::run(c, i)),
        "DescribeExecution" => |c, i| Box::pin(describe_execution::run(c, i)),
        "DescribeStateMachine" => |c, i| Box::pin(describe_state_machine::run(c, i)),
        "DescribeStateMachineForExecution" => {
            |c, i| Box::pin(describe_state_machine_for_execution::run(c, i))
        }
        "GetExecutionHistory" => |c, i| Box::pin(get_execution_history::run(c, i)),
        "ListExecutions" => |c, i| Box::pin(list_executions::run(c, i)),
        "ListStateMachines" => |c, i| Box::pin(list_state_machines::run(c, i)),
        "ListTagsForResource" => |c, i| Box::pin(list_tags_for_resource::run(c, i)),
        "StartExecution" => |c, i| Box::pin(start_execution::run(c, i)),
        "StopExecution" => |c, i| Box::pin(stop_execution::run(c, i)),
        "TagResource" => |c, i| Box::pin(tag_resource::run(c, i)),
        "UntagResource" => |c, i| Box::pin(untag_resource::run(c, i)),
        "UpdateStateMachine" => |c, i| Box::pin(update_state_machine::run(c, i)),
        "ValidateStateMachineDefinition" => |c, i| Box::pin(validate_state_machine_definition::run(c, i)),
        _ => return None,
    })
}
