//! Whether an execution can be redriven, and why not. Source: API reference of RedriveExecution and DescribeExecution.

use stepwell_interpreter::ExecutionStatus;
use stepwell_interpreter::limits::{EXECUTION_OPEN_MS_MAX, REDRIVABLE_EVENTS_MAX, REDRIVABLE_PERIOD_MS};
use stepwell_store::ExecutionRow;

/// Client tokens of redrives that an execution keeps.
pub(crate) const CLIENT_TOKENS_MAX: usize = 10;

/// How long a client token names its redrive.
pub(crate) const CLIENT_TOKEN_VALIDITY_MS: i64 = 15 * 60_000;

/// The history has no room for another redrive.
pub(crate) const HISTORY_FULL: &str = "Execution history event limit exceeded";

/// `redriveStatusReason`; `None` where it can be redriven, a child execution by its Map Run.
#[must_use]
pub fn not_redrivable_reason(
    row: &ExecutionRow,
    is_machine_deleted: bool,
    now_ms: i64,
) -> Option<&'static str> {
    let outcome = match &row.outcome {
        None => return Some("Execution is RUNNING and cannot be redriven"),
        Some(outcome) if outcome.status == ExecutionStatus::Succeeded => {
            return Some("Execution is SUCCEEDED and cannot be redriven");
        }
        Some(outcome) => outcome,
    };
    if is_machine_deleted {
        Some("State machine is in DELETING status")
    } else if !row.info.kind.is_express() && outcome.last_event_id >= REDRIVABLE_EVENTS_MAX {
        Some(HISTORY_FULL)
    } else if now_ms.saturating_sub(row.info.start_ms) >= EXECUTION_OPEN_MS_MAX {
        Some("Execution has exceeded the max execution time")
    } else if now_ms.saturating_sub(outcome.stop_ms) >= REDRIVABLE_PERIOD_MS {
        Some("Execution redrivable period exceeded")
    } else {
        None
    }
}
