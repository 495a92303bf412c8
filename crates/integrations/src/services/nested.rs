//! `states:startExecution.sync` and `.sync:2`: waits for the nested execution and gives what AWS gives.
//!
//! The wait looks at the execution whenever its engine says that it has ended, and besides that at growing intervals:
//! it may run elsewhere. Neither a crash nor a restart of whoever runs it ends the wait.

use std::pin::pin;
use std::time::Duration;

use serde_json::{Value as Json, json};
use stepwell_asl::payload::Payload;
use stepwell_asl::program::IntegrationPattern;
use stepwell_asl::value::{Object, Value};
use stepwell_aws::{Call, Fault, Reply};

use super::sorted;
use super::states::milliseconds;
use crate::catalog::STATES;
use crate::convert::from_api;
use crate::failure::{CLIENT_FAILURE, Failure};
use crate::runner::Integrations;
use crate::task::TaskRequest;

/// The first look after the start follows after this; each next one after an eighth of the time that has passed.
const LOOK_AFTER_MIN: Duration = Duration::from_millis(10);
const LOOK_AFTER_MAX: Duration = Duration::from_secs(60);

/// Waits for the execution that `submitted`, the answer of the start, names.
pub(crate) async fn wait(
    integrations: &Integrations,
    request: &TaskRequest,
    submitted: &Payload,
    pattern: IntegrationPattern,
) -> Result<Payload, Failure> {
    let arn = execution_arn(submitted)
        .ok_or_else(|| Failure::runtime("The answer of the nested execution's start names no execution"))?;
    let began = tokio::time::Instant::now();
    // Before the first look, so that no end falls between.
    let mut closed = pin!(request.host.execution_closed(arn));
    let mut is_told = false;
    loop {
        match look(integrations, arn).await {
            Ok(Some(described)) if described.output["status"] != "RUNNING" => {
                return ended(&described.output, pattern);
            }
            Ok(_) => {}
            Err(fault) => return Err(Failure::optimized(&STATES, &fault)),
        }
        let pause = tokio::time::sleep((began.elapsed() / 8).clamp(LOOK_AFTER_MIN, LOOK_AFTER_MAX));
        if is_told {
            pause.await;
        } else {
            tokio::select! {
                () = &mut closed => is_told = true,
                () = pause => {}
            }
        }
    }
}

/// Stops the execution that a given-up attempt started. Nobody learns how that went.
pub(crate) async fn stop(integrations: &Integrations, execution_arn: &str) {
    let Some(service) = integrations.service(STATES.registry) else { return };
    let call = Call::new("StopExecution", json!({ "executionArn": execution_arn }));
    if let Err(fault) = service.call(call).await {
        tracing::debug!(execution = execution_arn, %fault, "a nested execution was not stopped");
    }
}

/// `ExecutionArn` of the start's answer.
pub(crate) fn execution_arn(submitted: &Payload) -> Option<&str> {
    submitted.value().get("ExecutionArn").and_then(Value::as_str)
}

/// `None` where nothing can be seen now but may be later.
async fn look(integrations: &Integrations, arn: &str) -> Result<Option<Reply>, Fault> {
    // Held for the look only: the service holds the engine, and the engine this attempt.
    let Some(service) = integrations.service(STATES.registry) else { return Ok(None) };
    match service.call(Call::new("DescribeExecution", json!({ "executionArn": arn }))).await {
        Ok(described) => Ok(Some(described)),
        Err(fault)
            if fault.status >= 500 || fault.code == CLIENT_FAILURE || fault.code.contains("Throttl") =>
        {
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

fn ended(described: &Json, pattern: IntegrationPattern) -> Result<Payload, Failure> {
    if described["status"] == "SUCCEEDED" {
        return Ok(shown(described, pattern));
    }
    Err(Failure::new("States.TaskFailed", shown(described, IntegrationPattern::Sync).text().to_string()))
}

/// The described execution in PascalCase and alphabetical order. With `.sync:2` its payloads are documents, not text.
fn shown(described: &Json, pattern: IntegrationPattern) -> Payload {
    let mut members = Vec::new();
    for (name, value) in described.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let value = match (name.as_str(), value) {
            ("startDate" | "stopDate" | "redriveDate", date) => milliseconds(date),
            ("input" | "output", Json::String(text)) if pattern == IntegrationPattern::Sync2 => {
                Payload::parse(text.as_str())
                    .map_or_else(|_| Value::from(text.as_str()), |document| document.value().clone())
            }
            (_, Json::Object(details)) => {
                Value::from(details.iter().map(|(n, v)| (capitalized(n), from_api(v))).collect::<Object>())
            }
            (_, other) => from_api(other),
        };
        members.push((capitalized(name), value));
    }
    if described["status"] == "TIMED_OUT" && described.get("error").is_none_or(Json::is_null) {
        members.push(("Error".to_owned(), Value::from("States.Timeout")));
    }
    sorted(members)
}

fn capitalized(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(more: &Json) -> Json {
        let mut described = json!({
            "executionArn": "arn:e", "stateMachineArn": "arn:m", "name": "n", "startDate": 1.5, "stopDate": 2.25,
            "redriveCount": 0, "input": "{\"n\":1.10}", "inputDetails": {"included": true}, "traceHeader": null,
        });
        for (name, value) in more.as_object().expect("members") {
            described[name] = value.clone();
        }
        described
    }

    #[test]
    fn an_end_looks_as_on_aws() {
        let succeeded = described(&json!({
            "status": "SUCCEEDED", "output": "{\"a\": [1.0]}", "outputDetails": {"included": true},
        }));
        let failed = described(&json!({"status": "FAILED", "error": "E", "cause": "because"}));
        let timed_out = described(&json!({"status": "TIMED_OUT"}));
        let cases = [
            (
                &succeeded,
                IntegrationPattern::Sync,
                Ok(concat!(
                    r#"{"ExecutionArn":"arn:e","Input":"{\"n\":1.10}","InputDetails":{"Included":true},"#,
                    r#""Name":"n","Output":"{\"a\": [1.0]}","OutputDetails":{"Included":true},"RedriveCount":0,"#,
                    r#""StartDate":1500,"StateMachineArn":"arn:m","Status":"SUCCEEDED","StopDate":2250}"#
                )),
            ),
            (
                &succeeded,
                IntegrationPattern::Sync2,
                Ok(concat!(
                    r#"{"ExecutionArn":"arn:e","Input":{"n":1.10},"InputDetails":{"Included":true},"#,
                    r#""Name":"n","Output":{"a":[1.0]},"OutputDetails":{"Included":true},"RedriveCount":0,"#,
                    r#""StartDate":1500,"StateMachineArn":"arn:m","Status":"SUCCEEDED","StopDate":2250}"#
                )),
            ),
            (
                &failed,
                IntegrationPattern::Sync2,
                Err(concat!(
                    r#"{"Cause":"because","Error":"E","ExecutionArn":"arn:e","Input":"{\"n\":1.10}","#,
                    r#""InputDetails":{"Included":true},"Name":"n","RedriveCount":0,"StartDate":1500,"#,
                    r#""StateMachineArn":"arn:m","Status":"FAILED","StopDate":2250}"#
                )),
            ),
            (
                &timed_out,
                IntegrationPattern::Sync,
                Err(concat!(
                    r#"{"Error":"States.Timeout","ExecutionArn":"arn:e","Input":"{\"n\":1.10}","#,
                    r#""InputDetails":{"Included":true},"Name":"n","RedriveCount":0,"StartDate":1500,"#,
                    r#""StateMachineArn":"arn:m","Status":"TIMED_OUT","StopDate":2250}"#
                )),
            ),
        ];
        for (described, pattern, expected) in cases {
            let ended = ended(described, pattern).map(|result| result.text().to_string());
            let expected =
                expected.map(str::to_owned).map_err(|cause| Failure::new("States.TaskFailed", cause));
            assert_eq!(ended, expected, "{pattern:?}");
        }
    }
}
