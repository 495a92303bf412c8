//! UpdateStateMachine: a new revision where something differs; running executions keep theirs.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::{MachineUpdate, UpdateMachineError};

use super::configurations::{self, Encryption, Logging, Tracing};
use super::create_state_machine::publication;
use crate::arns::MachineArn;
use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    state_machine_arn: String,
    definition: Option<String>,
    role_arn: Option<String>,
    logging_configuration: Option<Logging>,
    tracing_configuration: Option<Tracing>,
    publish: Option<bool>,
    version_description: Option<String>,
    encryption_configuration: Option<Encryption>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    let arn = input.state_machine_arn;
    let form = arns::machine_without_label(&arn)?;
    if let Some(role_arn) = &input.role_arn {
        arns::check(role_arn)?;
    }
    let publish = publication(input.publish, input.version_description)?;
    let update = MachineUpdate {
        definition: input.definition,
        role_arn: input.role_arn,
        logging: input
            .logging_configuration
            .map(|given| configurations::logging(Some(given), context.machines().execution_log()))
            .transpose()?,
        tracing: input.tracing_configuration.map(|given| configurations::tracing(Some(given))),
        encryption: input
            .encryption_configuration
            .map(|given| configurations::encryption(Some(given)))
            .transpose()?,
        publish,
    };
    if changes_nothing(&update) {
        return Err(fault::service(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be \
             specified",
        ));
    }
    if form == MachineArn::Qualified {
        return Err(fault::machine_does_not_exist(&arn));
    }
    let now_ms = context.now_ms();
    let updated = context
        .blocking(move |context| {
            let revision_id = || uuid::Uuid::new_v4().to_string();
            context.machines().update(&arn, update, now_ms, revision_id).map_err(refusal)
        })
        .await?;
    let mut answer = json!({ "updateDate": seconds(updated.updated_ms) });
    if let Some(id) = updated.revision_id {
        answer["revisionId"] = Value::from(&*id);
    }
    if let Some(version) = updated.version_arn {
        answer["stateMachineVersionArn"] = Value::from(&*version);
    }
    Ok(answer)
}

fn changes_nothing(update: &MachineUpdate) -> bool {
    update.definition.is_none()
        && update.role_arn.is_none()
        && update.logging.is_none()
        && update.tracing.is_none()
        && update.encryption.is_none()
}

fn refusal(error: UpdateMachineError) -> Fault {
    match error {
        UpdateMachineError::InvalidDefinition(diagnostics) => {
            fault::service("InvalidDefinition", diagnostics.invalid_definition_message())
        }
        UpdateMachineError::DoesNotExist { arn } => fault::machine_does_not_exist(&arn),
        UpdateMachineError::Deleting { arn } => fault::machine_deleting(&arn),
        error @ UpdateMachineError::VersionLimitExceeded => fault::quota_exceeded(error.to_string()),
        UpdateMachineError::Machines(error) => store_failure(&error),
    }
}
