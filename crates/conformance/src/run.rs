//! Runs a recorded case to its end, with tasks that answer as the recording says.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_asl::payload::Payload;
use stepwell_interpreter::{ExecutionInfo, TaskDispatch, TaskReply};

use crate::case::{Case, START_MS};
use crate::drive::{self, Asked, Behaviour, Ran};

/// Why a case could not be run at all.
#[derive(Debug)]
pub enum Unreached {
    /// Its definition uses what this version does not support, or does not compile.
    Definition(String),
    /// A task of it does.
    Task(String),
}

/// The last part of an Express execution's ARN.
const EXPRESS_ID: &str = "00000000-0000-4000-8000-000000000001";

/// Runs `case`.
pub fn run(case: &Case) -> Result<Ran, Unreached> {
    let program =
        stepwell_asl::compile(&case.definition).map_err(|d| Unreached::Definition(format!("{d:?}")))?;
    let input = Payload::parse(case.input.as_str()).map_err(|e| Unreached::Definition(e.to_string()))?;
    let (machine, name) = (&case.machine_name, &case.execution_name);
    let execution_arn = if case.kind.is_express() {
        format!("arn:aws:states:us-east-1:111111111111:express:{machine}:{name}:{}", EXPRESS_ID)
    } else {
        format!("arn:aws:states:us-east-1:111111111111:execution:{machine}:{name}")
    };
    let info = ExecutionInfo {
        execution_arn: execution_arn.into(),
        name: case.execution_name.as_str().into(),
        state_machine_arn: format!(
            "arn:aws:states:us-east-1:111111111111:stateMachine:{}",
            case.machine_name
        )
        .into(),
        state_machine_name: case.machine_name.as_str().into(),
        role_arn: case.role_arn.as_str().into(),
        region: "us-east-1".into(),
        start_ms: START_MS,
        timeout_s: case.kind.timeout_s(program.timeout_seconds),
        child_of: None,
        kind: case.kind,
    };
    let script = Script::new(case);
    let time = if case.expected["status"] == "RUNNING" { drive::Time::Stands } else { drive::Time::Jumps };
    drive::run(&program, &Arc::new(info), input, time, &mut |asked| script.answer(asked))
}

/// What the tasks of a case answer.
struct Script<'a> {
    case: &'a Case,
    /// Replies in order, per state.
    replies: HashMap<&'a str, Vec<&'a Value>>,
    /// How often each state has asked.
    asked: RefCell<HashMap<String, usize>>,
}

impl<'a> Script<'a> {
    fn new(case: &'a Case) -> Self {
        let mut replies: HashMap<&str, Vec<&Value>> = HashMap::new();
        for reply in &case.replies {
            replies.entry(reply["state"].as_str().unwrap_or_default()).or_default().push(reply);
        }
        Script { case, replies, asked: RefCell::default() }
    }

    fn answer(&self, asked: &Asked<'_>) -> Result<Behaviour, Unreached> {
        let replies = self.replies.get(asked.state.as_str()).map_or(&[][..], Vec::as_slice);
        // Child executions count from the start in their own histories; the recording counts on.
        let mut asked_before = self.asked.borrow_mut();
        let count = asked_before.entry(asked.state.clone()).or_insert(0);
        let nth = *count;
        *count += 1;
        // Side by side, tasks are not scheduled in the recorded order: what they ask for tells them apart.
        let parameters =
            serde_json::from_str::<Value>(asked.dispatch.parameters.payload.text()).unwrap_or_default();
        let fitting = replies.iter().find(|reply| self.case.concurrent && reply["parameters"] == parameters);
        let reply = fitting.or(replies.get(nth));
        // That a result is too large is for the engine to find out.
        let Some(reply) = reply.filter(|reply| reply["reply"]["error"] != "States.DataLimitExceeded") else {
            return self.mock(asked.dispatch).map(Behaviour::of);
        };
        let submitted = match &reply["submitted_output"] {
            Value::Null => None,
            output => Some(Payload::from_known_json(output.to_string())),
        };
        let worker = self.case.expected["history"].as_array().and_then(|history| {
            history.iter().find_map(|event| event["activityStartedEventDetails"]["workerName"].as_str())
        });
        Ok(Behaviour { worker_name: worker.map(Arc::from), submitted, end: recorded(&reply["reply"])? })
    }

    /// For tasks whose result the recording does not hold.
    fn mock(&self, dispatch: &TaskDispatch) -> Result<Option<TaskReply>, Unreached> {
        let resource = dispatch.resource.arn.to_string();
        let optimized = resource.ends_with("lambda:invoke");
        let payload = if optimized {
            dispatch
                .parameters
                .payload
                .value()
                .get("Payload")
                .map_or_else(|| "{}".to_owned(), |p| p.to_json())
        } else {
            dispatch.parameters.payload.text().to_string()
        };
        let Some(mock) = self.case.mocks.first() else {
            return Err(Unreached::Task(format!("{resource}: the recording holds no reply")));
        };
        let result = match mock["behaviour"].as_str() {
            Some("identity") => payload,
            Some("return") => mock["value"].to_string(),
            Some("return_repeated") => {
                let count = usize::try_from(mock["count"].as_u64().unwrap_or(0)).unwrap_or(0);
                json!(mock["char"].as_str().unwrap_or_default().repeat(count)).to_string()
            }
            Some("sleep") => return Ok(None),
            Some("raise") => {
                let cause = json!({
                    "errorMessage": mock["message"],
                    "errorType": mock["error_type"],
                    "requestId": "00000000-0000-0000-0000-000000000000",
                    "stackTrace": mock["stack_trace"],
                });
                let error = mock["error_type"].as_str().map(Arc::from);
                return Ok(Some(TaskReply::Failed { error, cause: Some(cause.to_string().into()) }));
            }
            other => return Err(Unreached::Task(format!("{resource}: no reply for behaviour {other:?}"))),
        };
        let result = if optimized {
            format!("{{\"ExecutedVersion\":\"$LATEST\",\"Payload\":{result},\"StatusCode\":200}}")
        } else {
            result
        };
        Ok(Some(TaskReply::Succeeded(Payload::from_known_json(result))))
    }
}

fn recorded(reply: &Value) -> Result<Option<TaskReply>, Unreached> {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(Arc::from(text.as_str())),
        other => Some(Arc::from(other.to_string().as_str())),
    };
    match reply["type"].as_str() {
        // A result that is no object is recorded as its JSON text.
        Some("success") => {
            let output = match &reply["output"] {
                Value::String(text) if Payload::parse(text.as_str()).is_ok() => text.clone(),
                output => output.to_string(),
            };
            Ok(Some(TaskReply::Succeeded(Payload::from_known_json(output))))
        }
        Some("failure") => {
            Ok(Some(TaskReply::Failed { error: text(&reply["error"]), cause: text(&reply["cause"]) }))
        }
        Some("timeout") => Ok(None),
        other => Err(Unreached::Task(format!("a reply of type {other:?}"))),
    }
}
