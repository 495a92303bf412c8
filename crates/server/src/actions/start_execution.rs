//! StartExecution: idempotent by name while the execution runs with the same input; of an Express machine, never.

use std::hash::{BuildHasher, RandomState};

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_asl::Payload;
use stepwell_aws::Fault;
use stepwell_engine::machines::MachineStatus;
use stepwell_engine::{StartExecution, StartExecutionError};

use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault, names};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
    /// Of StartSyncExecution.
    included_data: Option<String>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Request { start, .. } = Request::read(&context, input)?;
    let started = context.engine().start_execution(start).await.map_err(refusal)?;
    Ok(json!({ "executionArn": &*started.execution_arn, "startDate": seconds(started.start_ms) }))
}

/// What StartExecution and StartSyncExecution have in common.
pub(super) struct Request {
    /// What to start.
    pub(super) start: StartExecution,
    /// `includedData`
    pub(super) included_data: Option<String>,
}

impl Request {
    /// Reads and checks a request, and looks up what it starts.
    pub(super) fn read(context: &StepFunctions, input: Value) -> Result<Request, Fault> {
        let input: Input = read_input(input)?;
        let arn = input.state_machine_arn;
        arns::machine_without_label(&arn)?;
        if let Some(name) = &input.name {
            names::check(name)?;
        }
        let payload = read_payload(input.input)?;
        // In memory but for a machine not used for long, which is then read and compiled.
        // Bits of the system's would cost a call into it with every start, for the few that go through an alias.
        let entropy = RandomState::new().hash_one(());
        let found = context.machines().start_target(&arn, entropy).map_err(|error| store_failure(&error))?;
        let Some(target) = found else { return Err(fault::machine_does_not_exist(&arn)) };
        if target.status == MachineStatus::Deleting {
            return Err(fault::machine_deleting(&arn));
        }
        let start = StartExecution {
            revision: target.revision,
            name: input.name,
            input: payload,
            trace_header: input.trace_header,
            state_machine_version_arn: target.version_arn,
            state_machine_alias_arn: target.alias_arn,
        };
        Ok(Request { start, included_data: input.included_data })
    }
}

fn read_payload(input: Option<String>) -> Result<Payload, Fault> {
    match input {
        None => Ok(Payload::empty_object()),
        Some(text) if text.is_empty() => Err(fault::invalid_execution_input("Invalid execution input.")),
        Some(text) => Payload::parse(text).map_err(|error| fault::invalid_execution_input(error.message())),
    }
}

/// How AWS says why an execution was not started.
pub(super) fn refusal(error: StartExecutionError) -> Fault {
    match error {
        StartExecutionError::AlreadyExists { execution_arn } => {
            fault::execution_already_exists(&execution_arn)
        }
        StartExecutionError::InputTooLarge => fault::constraint(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less \
             than or equal to 262144",
        ),
        StartExecutionError::Throttled => fault::throttled(),
        StartExecutionError::Stopping => fault::stopping(),
        error @ (StartExecutionError::Commit(_) | StartExecutionError::Read { .. }) => store_failure(&error),
    }
}
