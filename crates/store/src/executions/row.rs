//! What is known of an execution without reading its journal: one row, and its bytes.

use std::sync::Arc;

use stepwell_interpreter::{ChildOf, ExecutionInfo, ExecutionKind, ExecutionStatus, ThreadId};

use crate::bytes::{Malformed, Reader, Writer};

/// 2 added the ARNs of version and alias at the end, 3 whose child an execution is, 4 its redrives.
const ROW_VERSION: u8 = 4;

/// What is known of an execution without reading its journal.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionRow {
    /// What was fixed at its start.
    pub info: Arc<ExecutionInfo>,
    /// Which revision of its machine it runs.
    pub revision: u64,
    /// `traceHeader` of StartExecution.
    pub trace_header: Option<Arc<str>>,
    /// The version that was started, where it was one.
    pub state_machine_version_arn: Option<Arc<str>>,
    /// The alias that was started, where it was one.
    pub state_machine_alias_arn: Option<Arc<str>>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// How often it was redriven, and what that needs to know.
    pub redrives: Redrives,
}

/// The redrives of an execution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redrives {
    /// `redriveCount`
    pub count: u32,
    /// When it was redriven last, in milliseconds since 1970.
    pub last_ms: Option<i64>,
    /// A child execution's: with which redrive of its Map Run, from 1, it began or was redriven last; 0 before.
    pub of_map_run: u32,
    /// The client tokens of the last redrives, oldest first, with their `redriveDate`.
    pub client_tokens: Vec<(Arc<str>, i64)>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Not `RUNNING`.
    pub status: ExecutionStatus,
    /// Milliseconds since 1970.
    pub stop_ms: i64,
    /// Batch and number of the output payload, with `SUCCEEDED`.
    pub output: Option<(u32, u32)>,
    /// Where there is one.
    pub error: Option<Arc<str>>,
    /// Where there is one.
    pub cause: Option<Arc<str>>,
    /// The id of its last event; 0 where it is not known, of an execution that ended under an earlier version.
    pub last_event_id: u64,
}

impl ExecutionRow {
    /// `RUNNING`, or how it ended.
    #[must_use]
    pub fn status(&self) -> ExecutionStatus {
        self.outcome.as_ref().map_or(ExecutionStatus::Running, |o| o.status)
    }

    /// What a list is ordered by: the stop in the list of a closed status, the start or the last redrive in that of
    /// those that run; the start in the list of all, so that no page misses an execution because it ends between two of
    /// them.
    pub(super) fn listed_ms(&self, status: Option<ExecutionStatus>) -> i64 {
        let stop_ms = self.outcome.as_ref().map(|o| o.stop_ms);
        match status {
            None => self.info.start_ms,
            Some(ExecutionStatus::Running) => self.redrives.last_ms.unwrap_or(self.info.start_ms),
            Some(_) => stop_ms.unwrap_or(self.info.start_ms),
        }
    }
}

/// Statuses by their numbers on disk.
pub(super) fn status_number(status: ExecutionStatus) -> u8 {
    match status {
        ExecutionStatus::Running => 0,
        ExecutionStatus::Succeeded => 1,
        ExecutionStatus::Failed => 2,
        ExecutionStatus::TimedOut => 3,
        ExecutionStatus::Aborted => 4,
    }
}

pub(super) fn encode_row(row: &ExecutionRow) -> Vec<u8> {
    let info = &row.info;
    let mut w = Writer::default();
    w.byte(ROW_VERSION);
    w.text(&info.execution_arn);
    w.text(&info.name);
    w.text(&info.state_machine_arn);
    w.text(&info.state_machine_name);
    w.text(&info.role_arn);
    w.text(&info.region);
    w.signed(info.start_ms);
    w.option(info.timeout_s, |w, s| w.unsigned(u64::from(s)));
    w.unsigned(row.revision);
    w.optional_text(row.trace_header.as_deref());
    w.option(row.outcome.as_ref(), |w, outcome| {
        w.byte(status_number(outcome.status));
        w.signed(outcome.stop_ms);
        w.option(outcome.output, |w, (batch, index)| {
            w.unsigned(u64::from(batch));
            w.unsigned(u64::from(index));
        });
        w.optional_text(outcome.error.as_deref());
        w.optional_text(outcome.cause.as_deref());
    });
    w.optional_text(row.state_machine_version_arn.as_deref());
    w.optional_text(row.state_machine_alias_arn.as_deref());
    w.option(info.child_of.as_ref(), |w, child_of| {
        w.text(&child_of.map_run_arn);
        w.text(&child_of.map_state);
        w.text(&child_of.execution_arn);
        w.unsigned(u64::from(child_of.thread.0));
        w.unsigned(u64::from(child_of.index));
    });
    // Version 4.
    w.unsigned(info.child_of.as_ref().map_or(0, |child_of| u64::from(child_of.items)));
    w.unsigned(row.outcome.as_ref().map_or(0, |outcome| outcome.last_event_id));
    w.unsigned(u64::from(row.redrives.count));
    w.option(row.redrives.last_ms, Writer::signed);
    w.unsigned(u64::from(row.redrives.of_map_run));
    w.unsigned(row.redrives.client_tokens.len() as u64);
    for (token, at_ms) in &row.redrives.client_tokens {
        w.text(token);
        w.signed(*at_ms);
    }
    w.0
}

pub(super) fn decode_row(bytes: &[u8]) -> Result<ExecutionRow, Malformed> {
    let mut r = Reader(bytes);
    let version = r.byte()?;
    if !(1..=ROW_VERSION).contains(&version) {
        return Err(Malformed("it was written by another version"));
    }
    let info = ExecutionInfo {
        execution_arn: r.text()?,
        name: r.text()?,
        state_machine_arn: r.text()?,
        state_machine_name: r.text()?,
        role_arn: r.text()?,
        region: r.text()?,
        start_ms: r.signed()?,
        timeout_s: r.option(Reader::unsigned_32)?,
        child_of: None,
        kind: ExecutionKind::Standard,
    };
    let info = ExecutionInfo { kind: ExecutionKind::of_arn(&info.execution_arn), ..info };
    let mut row = ExecutionRow {
        info: Arc::new(info),
        revision: r.unsigned()?,
        trace_header: r.optional_text()?,
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        outcome: r.option(|r| {
            let number = r.byte()?;
            let status = ExecutionStatus::ALL.into_iter().find(|s| status_number(*s) == number);
            Ok(Outcome {
                status: status.ok_or(Malformed("it names an unknown status"))?,
                stop_ms: r.signed()?,
                output: r.option(|r| Ok((r.unsigned_32()?, r.unsigned_32()?)))?,
                error: r.optional_text()?,
                cause: r.optional_text()?,
                last_event_id: 0,
            })
        })?,
        redrives: Redrives::default(),
    };
    if version >= 2 {
        row.state_machine_version_arn = r.optional_text()?;
        row.state_machine_alias_arn = r.optional_text()?;
    }
    if version >= 3 {
        let child_of = r.option(|r| {
            Ok(ChildOf {
                map_run_arn: r.text()?,
                map_state: r.text()?,
                execution_arn: r.text()?,
                thread: ThreadId(r.unsigned_32()?),
                index: r.unsigned_32()?,
                items: 1,
            })
        })?;
        row.info = Arc::new(ExecutionInfo { child_of, ..ExecutionInfo::clone(&row.info) });
    }
    if version >= 4 {
        let items = r.unsigned_32()?;
        if let Some(child_of) = &row.info.child_of {
            let child_of = Some(ChildOf { items, ..child_of.clone() });
            row.info = Arc::new(ExecutionInfo { child_of, ..ExecutionInfo::clone(&row.info) });
        }
        let last_event_id = r.unsigned()?;
        if let Some(outcome) = &mut row.outcome {
            outcome.last_event_id = last_event_id;
        }
        row.redrives.count = r.unsigned_32()?;
        row.redrives.last_ms = r.option(Reader::signed)?;
        row.redrives.of_map_run = r.unsigned_32()?;
        for _ in 0..r.unsigned()? {
            row.redrives.client_tokens.push((r.text()?, r.signed()?));
        }
    }
    r.finish()?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ExecutionRow {
        ExecutionRow {
            info: Arc::new(ExecutionInfo {
                execution_arn: "arn:e".into(),
                name: "e".into(),
                state_machine_arn: "arn:m".into(),
                state_machine_name: "m".into(),
                role_arn: "arn:r".into(),
                region: "us-east-1".into(),
                start_ms: 5,
                timeout_s: None,
                child_of: None,
                kind: ExecutionKind::Standard,
            }),
            revision: 7,
            trace_header: None,
            state_machine_version_arn: Some("arn:m:1".into()),
            state_machine_alias_arn: Some("arn:m:a".into()),
            outcome: None,
            redrives: Redrives::default(),
        }
    }

    /// A child execution that was redriven and has ended.
    fn redriven() -> ExecutionRow {
        let child_of = Some(ChildOf {
            map_run_arn: "arn:r".into(),
            map_state: "M".into(),
            execution_arn: "arn:p".into(),
            thread: ThreadId(3),
            index: 4,
            items: 5,
        });
        ExecutionRow {
            info: Arc::new(ExecutionInfo { child_of, ..ExecutionInfo::clone(&row().info) }),
            outcome: Some(Outcome {
                status: ExecutionStatus::Failed,
                stop_ms: 9,
                output: None,
                error: Some("E".into()),
                cause: None,
                last_event_id: 300,
            }),
            redrives: Redrives {
                count: 2,
                last_ms: Some(8),
                of_map_run: 3,
                client_tokens: vec![("t".into(), 7), ("u".into(), 8)],
            },
            ..row()
        }
    }

    #[test]
    fn rows_come_back() {
        for row in [row(), redriven()] {
            assert_eq!(decode_row(&encode_row(&row)).expect("reads"), row);
        }
    }

    #[test]
    fn rows_of_version_1_are_read() {
        let started =
            ExecutionRow { state_machine_version_arn: None, state_machine_alias_arn: None, ..row() };
        let mut bytes = encode_row(&started);
        bytes[0] = 1;
        // Version 1 ended with the outcome: what later ones added is gone.
        bytes.truncate(bytes.len() - 9);
        assert_eq!(decode_row(&bytes).expect("reads"), started);
        bytes[0] = ROW_VERSION + 1;
        assert!(decode_row(&bytes).is_err());
    }
}
