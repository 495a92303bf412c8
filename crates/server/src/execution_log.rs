//! The logs of executions: what a machine's logging configuration wants of its events, as log events.
//!
//! Owns the record of an event and the levels. Where log events are kept is `stepwell_logs`' business; when they are
//! written is the engine's: with the events themselves.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_asl::Timestamp;
use stepwell_engine::machines::{ExecutionLog, MachineRevision};
use stepwell_engine::{EventDetails, HistoryEvent};
use stepwell_interpreter::{ExecutionInfo, Record, StateType};
use stepwell_logs::Logs;
use stepwell_store::WriteBatch;

use crate::history;

/// Logs executions to the log groups that their machines name.
pub struct ExecutionLogs(Arc<Logs>);

impl ExecutionLogs {
    /// Logs to the groups of `logs`; to be given to `Machines::log_to` before the engine starts.
    #[must_use]
    pub fn new(logs: Arc<Logs>) -> ExecutionLogs {
        ExecutionLogs(logs)
    }
}

impl std::fmt::Debug for ExecutionLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ExecutionLogs").finish_non_exhaustive()
    }
}

impl ExecutionLog for ExecutionLogs {
    fn has_log_group(&self, arn: &str) -> bool {
        self.0.has_group(arn)
    }

    fn log(
        &self,
        batch: &mut WriteBatch,
        revision: &MachineRevision,
        info: &ExecutionInfo,
        redrive_count: u32,
        records: &[Record],
    ) {
        let Some(logging) = Logging::read(&revision.configurations.logging) else { return };
        for record in records {
            let Record::Event(event) = record else { continue };
            if logging.level.wants(&event.details) {
                let message = message(event, info, redrive_count, logging.include_execution_data).to_string();
                let stream = stream(info, event.timestamp_ms);
                self.0.append(batch, &logging.group_arn, &stream, event.timestamp_ms, &message);
            }
        }
    }
}

/// One stream per machine and hour.
fn stream(info: &ExecutionInfo, timestamp_ms: i64) -> String {
    let time = Timestamp::from_epoch_ms(timestamp_ms).to_iso8601();
    let hour = time.get(..13).unwrap_or(&time).replace('T', "-");
    format!("states/{}/{hour}", info.state_machine_name)
}

/// The log event of an event. All scalars are texts.
fn message(event: &HistoryEvent, info: &ExecutionInfo, redrive_count: u32, include_data: bool) -> Value {
    let (event_type, details) = history::type_and_details(event, include_data);
    json!({
        "id": event.id.to_string(),
        "type": event_type,
        "details": details.unwrap_or_else(|| json!({})),
        "previous_event_id": event.previous_event_id.to_string(),
        "event_timestamp": event.timestamp_ms.to_string(),
        "execution_arn": &*info.execution_arn,
        "redrive_count": redrive_count.to_string(),
    })
}

/// What a logging configuration asks for.
struct Logging {
    level: Level,
    include_execution_data: bool,
    group_arn: String,
}

impl Logging {
    /// Reads the normal form; `None` where nothing is to be logged.
    fn read(normal_form: &str) -> Option<Logging> {
        // Nearly all machines; not worth reading JSON for.
        if normal_form.ends_with(r#""level":"OFF"}"#) {
            return None;
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct NormalForm {
            level: String,
            include_execution_data: bool,
            destinations: Vec<Value>,
        }
        let read: NormalForm = serde_json::from_str(normal_form).ok()?;
        let level = match read.level.as_str() {
            "ALL" => Level::All,
            "ERROR" => Level::Error,
            "FATAL" => Level::Fatal,
            _ => return None,
        };
        let group = read.destinations.first()?["cloudWatchLogsLogGroup"]["logGroupArn"].as_str()?;
        Some(Logging {
            level,
            include_execution_data: read.include_execution_data,
            group_arn: group.to_owned(),
        })
    }
}

enum Level {
    All,
    Error,
    Fatal,
}

impl Level {
    fn wants(&self, details: &EventDetails) -> bool {
        use EventDetails as E;
        let is_fatal = matches!(
            details,
            E::ExecutionFailed { .. } | E::ExecutionTimedOut { .. } | E::ExecutionAborted { .. }
        );
        match self {
            Level::All => true,
            Level::Fatal => is_fatal,
            Level::Error => is_fatal || is_error(details),
        }
    }
}

/// The events of level `ERROR` besides those of `FATAL`. Source: developer guide, "Log levels".
fn is_error(details: &EventDetails) -> bool {
    use EventDetails as E;
    matches!(
        details,
        E::StateEntered { state_type: StateType::Fail, .. }
            | E::LambdaFunctionFailed { .. }
            | E::LambdaFunctionTimedOut { .. }
            | E::ActivityFailed { .. }
            | E::ActivityTimedOut { .. }
            | E::TaskFailed { .. }
            | E::TaskTimedOut { .. }
            | E::ParallelStateFailed
            | E::MapStateFailed
            | E::MapRunFailed { .. }
            | E::MapIterationFailed { .. }
            | E::MapIterationAborted { .. }
            | E::StateAborted { .. }
            | E::EvaluationFailed { .. }
    )
}
