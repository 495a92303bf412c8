//! CreateStateMachine: idempotent on name, definition, type and configurations; role and tags of a repeated call are
//! ignored.

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_asl::MachineType;
use stepwell_aws::Fault;
use stepwell_engine::machines::{Configurations, CreateMachineError, NewMachine, Publication};

use super::configurations::{self, Encryption, Logging, Tracing};
use super::tags;
use crate::history::seconds;
use crate::states::{StepFunctions, read_input, store_failure};
use crate::{arns, fault, names};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    definition: String,
    role_arn: String,
    #[serde(rename = "type")]
    machine_type: Option<String>,
    logging_configuration: Option<Logging>,
    tags: Option<Vec<tags::Tag>>,
    tracing_configuration: Option<Tracing>,
    publish: Option<bool>,
    version_description: Option<String>,
    encryption_configuration: Option<Encryption>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    names::check(&input.name)?;
    arns::check(&input.role_arn)?;
    let publish = publication(input.publish, input.version_description)?;
    let new = NewMachine {
        definition: input.definition,
        role_arn: input.role_arn,
        machine_type: machine_type(input.machine_type.as_deref()),
        configurations: Configurations {
            logging: configurations::logging(
                input.logging_configuration,
                context.machines().execution_log(),
            )?
            .into(),
            tracing: configurations::tracing(input.tracing_configuration).into(),
            encryption: configurations::encryption(input.encryption_configuration)?.into(),
        },
        tags: tags::pairs(input.tags.unwrap_or_default()),
        name: input.name,
        publish,
    };
    let now_ms = context.now_ms();
    let created = context
        .blocking(move |context| {
            let arn = context.machines().arn_of(&new.name);
            context.machines().create(new, now_ms).map_err(|error| refusal(error, &arn))
        })
        .await?;
    let mut answer = json!({ "stateMachineArn": &*created.arn, "creationDate": seconds(created.created_ms) });
    if let Some(version) = created.version_arn {
        answer["stateMachineVersionArn"] = Value::from(&*version);
    }
    Ok(answer)
}

/// What `publish` and `versionDescription` of a request ask for.
pub(super) fn publication(
    publish: Option<bool>,
    description: Option<String>,
) -> Result<Option<Publication>, Fault> {
    match (publish.unwrap_or(false), description) {
        (true, description) => Ok(Some(Publication { description })),
        (false, None) => Ok(None),
        (false, Some(_)) => {
            Err(fault::validation("Version description can only be set when publish is true", None))
        }
    }
}

/// The type that a request asks for.
pub(super) fn machine_type(given: Option<&str>) -> MachineType {
    if given == Some("EXPRESS") { MachineType::Express } else { MachineType::Standard }
}

fn refusal(error: CreateMachineError, arn: &str) -> Fault {
    match error {
        CreateMachineError::InvalidDefinition(diagnostics) => {
            fault::service("InvalidDefinition", diagnostics.invalid_definition_message())
        }
        CreateMachineError::AlreadyExists { arn } => fault::machine_already_exists(&arn),
        CreateMachineError::Deleting { arn } => fault::machine_deleting(&arn),
        CreateMachineError::LimitExceeded => fault::service(
            "StateMachineLimitExceeded",
            "The maximum number of state machines has been reached",
        ),
        CreateMachineError::TooManyTags => tags::too_many(arn),
        CreateMachineError::Machines(error) => store_failure(&error),
    }
}
