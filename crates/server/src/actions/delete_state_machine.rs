//! DeleteStateMachine: the machine takes no more executions, its running ones are aborted, then it is gone.
//!
//! AWS ends the executions of a deleted machine at their next transition, which for a long wait may be far away; here
//! they are aborted at once. Deleting what does not exist succeeds.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{ExecutionStatus, StopExecutionError};

use crate::arns;
use crate::arns::MachineArn;
use crate::limits::{BUSY_PAUSE, DELETION_WAIT};
use crate::states::{StepFunctions, read_input, store_failure};

/// Executions that are looked up at a time to be ended.
const BATCH: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_arn: String,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Input { state_machine_arn: arn } = read_input(input)?;
    if arns::machine_without_label(&arn)? == MachineArn::Qualified {
        return Ok(json!({}));
    }
    let found = {
        let arn = arn.clone();
        context
            .blocking(move |context| {
                context.machines().begin_delete(&arn).map_err(|error| store_failure(&error))
            })
            .await?
    };
    if found {
        // A task of its own, so that it goes on when the client does not wait; most deletions end within the wait.
        let ending = tokio::spawn(finish(context, arn));
        let _ = tokio::time::timeout(DELETION_WAIT, ending).await;
    }
    Ok(json!({}))
}

/// Ends the running executions of a machine that is being deleted, then removes it. Gives up where the store fails;
/// the next start of the server goes on.
pub(crate) async fn finish(context: StepFunctions, arn: String) {
    match end_executions(&context, &arn).await {
        Ok(()) => {
            let removed = {
                let arn = arn.clone();
                context
                    .blocking(move |c| c.machines().finish_delete(&arn).map_err(|e| store_failure(&e)))
                    .await
            };
            if let Err(error) = removed {
                tracing::error!(state_machine = %arn, %error, "a state machine's deletion is interrupted");
            }
        }
        Err(error) => {
            tracing::error!(state_machine = %arn, %error, "a state machine's deletion is interrupted")
        }
    }
}

async fn end_executions(context: &StepFunctions, machine_arn: &str) -> Result<(), Fault> {
    loop {
        let arn = machine_arn.to_owned();
        let running = context
            .blocking(move |context| {
                let listed =
                    context.engine().list_executions(&arn, Some(ExecutionStatus::Running), None, BATCH);
                listed.map_err(|error| store_failure(&error))
            })
            .await?;
        if running.rows.is_empty() {
            return Ok(());
        }
        for row in running.rows {
            end(context, &row.info.execution_arn).await?;
        }
    }
}

async fn end(context: &StepFunctions, execution_arn: &str) -> Result<(), Fault> {
    let mut pause = BUSY_PAUSE;
    loop {
        match context.engine().stop_execution(execution_arn, None, None).await {
            Ok(_) | Err(StopExecutionError::DoesNotExist { .. }) => return Ok(()),
            Err(StopExecutionError::Throttled) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            Err(error) => return Err(store_failure(&error)),
        }
    }
}
