//! TestState: runs one state, with or without a mock, and shows what is seen between its steps.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stepwell_aws::Fault;
use stepwell_engine::{HttpTrace, TaskCall};

use crate::limits::TEST_STATE_MAX;
use crate::states::{StepFunctions, read_input};
use crate::test_state::{self, Begun, Call, Input, TaskError};
use crate::{arns, fault, stopping};

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    if let Some(role_arn) = &input.role_arn {
        arns::check(role_arn)?;
    }
    let (now_ms, entropy) = (context.now_ms(), uuid::Uuid::new_v4().as_u64_pair().1);
    let (trial, begun) = context
        .blocking(move |context| {
            let trial = test_state::trial(input, context.engine().account(), now_ms, entropy)?;
            let begun = test_state::begin(&trial);
            Ok((trial, begun))
        })
        .await?;
    let (paused, reply) = match begun {
        Begun::Ended(answer) => return Ok(answer),
        Begun::Waiting(due_ms, paused) => {
            let wait = Duration::from_millis(due_ms.saturating_sub(now_ms).unsigned_abs());
            within_the_limit(tokio::time::sleep(wait)).await?;
            (paused, None)
        }
        Begun::Calling(call, mut paused) => {
            let trace = trial.http_trace().map(Arc::new);
            let reply = within_the_limit(called(&context, call, trace.clone())).await?;
            if let Some(trace) = trace {
                paused.note_exchange(trace.exchange());
            }
            (paused, Some(reply))
        }
    };
    context.blocking(move |_| Ok(test_state::end(&trial, paused, reply))).await
}

/// The outcome of `work`, unless it takes too long or the server stops.
async fn within_the_limit<T>(work: impl Future<Output = T>) -> Result<T, Fault> {
    tokio::select! {
        done = tokio::time::timeout(TEST_STATE_MAX, work) => {
            done.map_err(|_| fault::validation("The state did not end within the 5 minutes of a TestState call", None))
        }
        () = stopping::begun() => Err(fault::stopping()),
    }
}

async fn called(
    context: &StepFunctions,
    call: Call,
    http_trace: Option<Arc<HttpTrace>>,
) -> Result<stepwell_asl::Payload, TaskError> {
    let Call { resource, parameters, role_arn } = call;
    let outcome = context.engine().call_task(TaskCall { resource, parameters, role_arn, http_trace }).await;
    outcome.map_err(|failed| TaskError {
        error: failed.error.map(Into::into),
        cause: failed.cause.map(Into::into),
    })
}
