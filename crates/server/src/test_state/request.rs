//! The request of TestState, checked in AWS's order.

use serde::Deserialize;
use stepwell_asl::compile::compile_state;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{IntegrationPattern, Map, ResourceKind, StateKind, Task};
use stepwell_asl::value::{Object, Value};
use stepwell_asl::{Program, compile};
use stepwell_aws::{Account, Fault};

use super::{Mock, TaskError, Trial, context, schema};
use crate::fault;

/// The request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    definition: String,
    pub(crate) role_arn: Option<String>,
    input: Option<String>,
    inspection_level: Option<String>,
    reveal_secrets: Option<bool>,
    variables: Option<String>,
    state_name: Option<String>,
    mock: Option<MockInput>,
    context: Option<String>,
    state_configuration: Option<Configuration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MockInput {
    result: Option<String>,
    error_output: Option<ErrorOutput>,
    field_validation_mode: Option<String>,
}

#[derive(Deserialize)]
struct ErrorOutput {
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    retrier_retry_count: Option<f64>,
    error_caused_by_state: Option<String>,
    map_iteration_failure_count: Option<f64>,
    map_item_reader_data: Option<String>,
}

/// Checks a request and makes it ready to run.
pub(crate) fn trial(input: Input, account: &Account, now_ms: i64, entropy: u64) -> Result<Trial, Fault> {
    if input.mock.is_some() && input.reveal_secrets == Some(true) {
        return Err(invalid("TestState does not support RevealSecrets when a mock is specified."));
    }
    let traces = input.inspection_level.as_deref() == Some("TRACE");
    if input.reveal_secrets == Some(true) && !traces {
        return Err(invalid("TestState does not support RevealSecrets when InspectionLevel is not TRACE."));
    }
    if let Some(mock) = &input.mock
        && mock.result.is_some() == mock.error_output.is_some()
    {
        return Err(invalid(
            "A test mock should have only one of the following fields: [result, errorOutput].",
        ));
    }
    let (program, state) = subject(&input.definition, input.state_name.as_deref())?;
    let kind = &program.state(state).kind;
    let configuration = input.state_configuration.unwrap_or_default();
    check_support(kind, input.mock.is_some(), input.role_arn.is_some(), &configuration)?;
    if let Some(name) = &configuration.error_caused_by_state
        && program.state_named(name).is_none()
    {
        return Err(invalid("State not found in definition"));
    }
    let payload = match input.input {
        None => Payload::empty_object(),
        Some(text) => {
            Payload::parse(text).map_err(|error| fault::invalid_execution_input(error.message()))?
        }
    };
    let context = match (&input.context, &input.mock) {
        (None, _) => context::made_up(account, &payload, input.role_arn.as_deref(), kind, now_ms),
        (Some(_), None) => {
            return Err(invalid("TestState does not support Context when a mock is not specified."));
        }
        (Some(text), Some(_)) => context::given(text, kind)?,
    };
    let reader_data = reader_data(configuration.map_item_reader_data.as_deref(), kind)?;
    let failed_iterations = configuration.map_iteration_failure_count.map_or(0, |n| n as u32);
    let mock = input.mock.map(|mock| read_mock(mock, kind)).transpose()?;
    check_failure_count(kind, mock.as_ref(), failed_iterations)?;
    Ok(Trial {
        variables: variables(input.variables.as_deref())?,
        inspects: traces || input.inspection_level.as_deref() == Some("DEBUG"),
        traces,
        reveals_secrets: input.reveal_secrets == Some(true),
        retries_made: configuration.retrier_retry_count.map_or(0, |n| n as u32),
        program,
        state,
        input: payload,
        mock,
        context,
        role_arn: input.role_arn,
        failed_iterations,
        reader_data,
        entropy,
        now_ms,
    })
}

fn invalid(message: &str) -> Fault {
    fault::validation(message, None)
}

/// The state that is meant: the definition itself, or the one of that name in it.
fn subject(definition: &str, name: Option<&str>) -> Result<(Program, stepwell_asl::program::StateId), Fault> {
    let compiled = if name.is_some() { compile(definition) } else { compile_state(definition) };
    let program = compiled.map_err(|diagnostics| {
        fault::service("InvalidDefinition", diagnostics.invalid_definition_message())
    })?;
    let state = match name {
        None => program.start_at,
        Some(name) => program.state_named(name).ok_or_else(|| invalid("State not found in definition"))?,
    };
    Ok((program, state))
}

/// Whether a state of this kind can be tested with, or without, a mock.
fn check_support(
    kind: &StateKind,
    is_mocked: bool,
    has_role: bool,
    configuration: &Configuration,
) -> Result<(), Fault> {
    if configuration.map_iteration_failure_count.is_some() && !is_mocked {
        return Err(invalid(
            "TestState does not support MapIterationFailureCount when a mock is not specified.",
        ));
    }
    match (kind, is_mocked) {
        (StateKind::Map(_) | StateKind::Parallel(_), false) => Err(fault::service(
            "InvalidDefinition",
            "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, \
             Succeed, Fail, Choice]",
        )),
        (StateKind::Map(_) | StateKind::Parallel(_) | StateKind::Task(_), true) => Ok(()),
        (StateKind::Task(_), false) if !has_role => {
            Err(invalid("RoleArn must be specified when testing a Task state"))
        }
        (StateKind::Task(task), false) => check_callable(task),
        (kind, true) => Err(invalid(&format!(
            "State type '{}' is not supported when a mock is specified",
            kind.type_name()
        ))),
        (_, false) => Ok(()),
    }
}

/// Refuses tasks whose result comes from elsewhere, which nobody would wait for.
fn check_callable(task: &Task) -> Result<(), Fault> {
    let refused = match &task.resource.kind {
        ResourceKind::LambdaFunction => None,
        ResourceKind::Activity => Some("an Activity"),
        ResourceKind::Service { pattern, .. } => match pattern {
            IntegrationPattern::RequestResponse => None,
            IntegrationPattern::Sync | IntegrationPattern::Sync2 => Some("the '.sync' pattern"),
            IntegrationPattern::WaitForTaskToken => Some("the '.waitForTaskToken' pattern"),
        },
    };
    match refused {
        None => Ok(()),
        Some(what) => Err(invalid(&format!(
            "TestState does not support Task states with {what} when a mock is not specified."
        ))),
    }
}

fn variables(text: Option<&str>) -> Result<Object, Fault> {
    let Some(text) = text else { return Ok(Object::new()) };
    let payload =
        Payload::parse(text).map_err(|error| invalid(&format!("Invalid variables: {}", error.message())))?;
    payload.value().as_object().cloned().ok_or_else(|| invalid("Variables must be a JSON object"))
}

/// What an item reader would read: the items, or a file with an `ItemsPointer` to them.
fn reader_data(text: Option<&str>, kind: &StateKind) -> Result<Option<Payload>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let reader = match kind {
        StateKind::Map(map) => map.distributed.item_reader.as_ref(),
        _ => None,
    };
    let is_pointed = reader.is_some_and(|reader| reader.items_pointer.is_some());
    match Payload::parse(text) {
        Ok(payload) if is_pointed || payload.value().as_array().is_some() => Ok(Some(payload)),
        _ => Err(invalid("Map item reader data must be a JSON array")),
    }
}

fn read_mock(mock: MockInput, kind: &StateKind) -> Result<Mock, Fault> {
    if let Some(ErrorOutput { error, cause }) = mock.error_output {
        return Ok(Mock::Error(TaskError { error: error.map(Into::into), cause: cause.map(Into::into) }));
    }
    let text = mock.result.unwrap_or_default();
    let result = Payload::parse(text).map_err(|_| invalid("Mocked result must be valid JSON"))?;
    match kind {
        StateKind::Parallel(parallel) => {
            let Some(items) = result.value().as_array() else {
                return Err(invalid("Mocked result must be an array."));
            };
            if items.len() != parallel.branches.len() {
                return Err(invalid(
                    "Mocked result must contain the same number of items as number of Parallel branches.",
                ));
            }
        }
        StateKind::Map(map) => check_map_result(map, result.value())?,
        StateKind::Task(task) => {
            let mode = mock.field_validation_mode.as_deref().unwrap_or("STRICT");
            if let Some(problem) = schema::problem(&task.resource.kind, result.value(), mode) {
                return Err(invalid(&format!("Mock result schema validation error: {problem}")));
            }
        }
        _ => {}
    }
    Ok(Mock::Result(result))
}

fn check_map_result(map: &Map, result: &Value) -> Result<(), Fault> {
    match (map.distributed.result_writer.is_some(), result) {
        (true, Value::Object(_)) | (false, Value::Array(_)) => Ok(()),
        (true, _) => Err(invalid("Mocked result must be a JSON object.")),
        (false, _) => Err(invalid("Mocked result must be an array.")),
    }
}

fn check_failure_count(kind: &StateKind, mock: Option<&Mock>, failed: u32) -> Result<(), Fault> {
    if let (StateKind::Map(_), Some(Mock::Result(result))) = (kind, mock)
        && let Some(items) = result.value().as_array()
        && failed as usize > items.len()
    {
        return Err(invalid(
            "Map iteration failure count must be less than or equal to the number of Map iterations",
        ));
    }
    Ok(())
}
