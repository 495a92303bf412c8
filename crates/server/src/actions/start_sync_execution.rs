//! StartSyncExecution: runs an Express execution and answers when it has ended, however it has.

use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_engine::{ExecutionStatus, SyncExecution};

use super::describe_execution::show_payload;
use super::start_execution::{Request, refusal};
use crate::fault;
use crate::history::seconds;
use crate::states::StepFunctions;

/// The unit in which AWS bills the duration of an Express execution.
const BILLED_MS: i64 = 100;

/// The unit in which AWS bills its memory; what a small one gets.
const BILLED_MB: i64 = 64;

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let Request { start, included_data } = Request::read(&context, input)?;
    if !start.revision.express {
        return Err(fault::machine_type_not_supported());
    }
    let trace_header = start.trace_header.clone();
    let ended = context.engine().start_sync_execution(start).await.map_err(refusal)?;
    let mut answer = description(&ended, included_data.as_deref() != Some("METADATA_ONLY"));
    if let Some(header) = trace_header {
        answer["traceHeader"] = header.into();
    }
    Ok(answer)
}

fn description(ended: &SyncExecution, include_data: bool) -> Value {
    let info = &ended.info;
    let ms = ended.stop_ms.saturating_sub(info.start_ms).max(1);
    let billed_ms = ms.saturating_add(BILLED_MS - 1) / BILLED_MS * BILLED_MS;
    let mut answer = json!({
        "executionArn": &*info.execution_arn,
        "stateMachineArn": &*info.state_machine_arn,
        "name": &*info.name,
        "startDate": seconds(info.start_ms),
        "stopDate": seconds(ended.stop_ms),
        "status": ended.status.name(),
        "billingDetails": {
            "billedDurationInMilliseconds": billed_ms,
            "billedMemoryUsedInMB": BILLED_MB,
        },
    });
    show_payload(&mut answer, "input", &ended.input, include_data);
    if let Some(output) = &ended.output {
        show_payload(&mut answer, "output", output, include_data);
    }
    let timed_out = (ended.status == ExecutionStatus::TimedOut).then_some("States.Timeout");
    if let Some(error) = ended.error.as_deref().or(timed_out) {
        answer["error"] = error.into();
    }
    if let Some(cause) = ended.cause.as_deref() {
        answer["cause"] = cause.into();
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepwell_asl::Payload;
    use stepwell_interpreter::{ExecutionInfo, ExecutionKind};

    use super::*;

    fn ended(status: ExecutionStatus, ms: i64) -> SyncExecution {
        let info = ExecutionInfo {
            execution_arn: "arn:e".into(),
            name: "n".into(),
            state_machine_arn: "arn:m".into(),
            state_machine_name: "m".into(),
            role_arn: "arn:r".into(),
            region: "us-east-1".into(),
            start_ms: 1_500,
            timeout_s: Some(300),
            child_of: None,
            kind: ExecutionKind::SyncExpress,
        };
        SyncExecution {
            info: Arc::new(info),
            status,
            stop_ms: 1_500 + ms,
            input: Payload::parse("{\"a\": 1}").expect("is JSON"),
            output: (status == ExecutionStatus::Succeeded).then(Payload::empty_object),
            error: (status == ExecutionStatus::Failed).then(|| "E".into()),
            cause: (status == ExecutionStatus::Failed).then(|| "because".into()),
        }
    }

    #[test]
    fn each_end_has_its_members() {
        let common = json!({
            "executionArn": "arn:e", "stateMachineArn": "arn:m", "name": "n", "startDate": 1.5,
            "input": "{\"a\": 1}", "inputDetails": {"included": true},
        });
        for (status, ms, billed_ms, own) in [
            (
                ExecutionStatus::Succeeded,
                0,
                100,
                json!({
                    "stopDate": 1.5, "output": "{}", "outputDetails": {"included": true},
                }),
            ),
            (ExecutionStatus::Failed, 100, 100, json!({"stopDate": 1.6, "error": "E", "cause": "because"})),
            (ExecutionStatus::TimedOut, 101, 200, json!({"stopDate": 1.601, "error": "States.Timeout"})),
        ] {
            let mut expected = common.clone();
            expected["status"] = status.name().into();
            expected["billingDetails"] =
                json!({"billedDurationInMilliseconds": billed_ms, "billedMemoryUsedInMB": 64});
            for (name, value) in own.as_object().expect("members") {
                expected[name] = value.clone();
            }
            assert_eq!(description(&ended(status, ms), true), expected);
        }
        let without = description(&ended(ExecutionStatus::Succeeded, 0), false);
        assert_eq!(without["inputDetails"], json!({"included": false}));
        assert!(without.get("input").is_none() && without.get("output").is_none());
    }
}
