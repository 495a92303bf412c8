//! What is told of Map Runs: one row each, written with every batch of their execution's journal that changes them.

use std::sync::Arc;

use stepwell_interpreter::{MapRunState, MapRunStatus};

use super::{ExecutionKey, Executions, corrupt, key_from};
use crate::bytes::{Malformed, Reader, Writer};
use crate::kv::{ReadError, WriteBatch};

/// The first byte of every row.
const VERSION: u8 = 1;

impl Executions {
    /// Adds the Map Run of an execution, or what it has become, to `batch`.
    pub fn put_map_run(&self, batch: &mut WriteBatch, key: ExecutionKey, run: &MapRunState) {
        let run_key = run_key(key, run.started_event);
        batch.put(&self.map_run_arns, run.map_run_arn.as_bytes(), run_key.clone());
        batch.put(&self.map_runs, run_key, encode(run));
    }

    /// Removes what is told of the Map Runs of an execution.
    pub(super) fn delete_map_runs(&self, batch: &mut WriteBatch, key: ExecutionKey) -> Result<(), ReadError> {
        for run in self.map_runs(key, 0, usize::MAX)? {
            batch.delete(&self.map_run_arns, run.map_run_arn.as_bytes());
            batch.delete(&self.map_runs, run_key(key, run.started_event));
        }
        Ok(())
    }

    /// The Map Run with this ARN, and its execution.
    pub fn map_run(&self, map_run_arn: &str) -> Result<Option<(ExecutionKey, MapRunState)>, ReadError> {
        let Some(run_key) = self.map_run_arns.get(map_run_arn)? else { return Ok(None) };
        let Some(bytes) = self.map_runs.get(&run_key)? else { return Ok(None) };
        let corrupt = |e| corrupt("executions.map_runs", &e);
        let key =
            run_key.get(..8).ok_or(Malformed("a key is too short")).and_then(key_from).map_err(corrupt)?;
        Ok(Some((key, decode(&bytes).map_err(corrupt)?)))
    }

    /// The Map Runs of an execution in the order of their starts, from that with the `MapRunStarted` event
    /// `from_event` on; `limit` at the most.
    pub fn map_runs(
        &self,
        key: ExecutionKey,
        from_event: u64,
        limit: usize,
    ) -> Result<Vec<MapRunState>, ReadError> {
        let (from, to) = (run_key(key, from_event), run_key(key, u64::MAX));
        let pairs = self.map_runs.range(&from, &to).take(limit);
        pairs.map(|pair| decode(&pair?.1).map_err(|e| corrupt("executions.map_runs", &e))).collect()
    }
}

fn run_key(key: ExecutionKey, started_event: u64) -> Vec<u8> {
    let mut bytes = key.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&started_event.to_be_bytes());
    bytes
}

/// Statuses by their numbers on disk.
fn status_number(status: MapRunStatus) -> u8 {
    match status {
        MapRunStatus::Running => 0,
        MapRunStatus::Succeeded => 1,
        MapRunStatus::Failed => 2,
        MapRunStatus::Aborted => 3,
    }
}

fn encode(run: &MapRunState) -> Vec<u8> {
    let mut w = Writer::default();
    w.byte(VERSION);
    w.text(&run.map_run_arn);
    w.unsigned(run.started_event);
    w.byte(status_number(run.status));
    w.signed(run.start_ms);
    w.option(run.stop_ms, Writer::signed);
    w.unsigned(u64::from(run.max_concurrency));
    w.option(run.tolerated_failure_count, |w, n| w.unsigned(u64::from(n)));
    w.option(run.tolerated_failure_percentage, |w, n| w.unsigned(n.to_bits()));
    w.unsigned(u64::from(run.children));
    w.unsigned(u64::from(run.items));
    w.unsigned(u64::from(run.redrive_count));
    w.option(run.redrive_ms, Writer::signed);
    w.unsigned(u64::from(run.changed_in));
    w.0
}

fn decode(bytes: &[u8]) -> Result<MapRunState, Malformed> {
    let mut r = Reader(bytes);
    if r.byte()? != VERSION {
        return Err(Malformed("it was written by another version"));
    }
    let (map_run_arn, started_event): (Arc<str>, u64) = (r.text()?, r.unsigned()?);
    let number = r.byte()?;
    let status = MapRunStatus::ALL.into_iter().find(|s| status_number(*s) == number);
    let run = MapRunState {
        map_run_arn,
        started_event,
        status: status.ok_or(Malformed("it names an unknown status"))?,
        start_ms: r.signed()?,
        stop_ms: r.option(Reader::signed)?,
        max_concurrency: r.unsigned_32()?,
        tolerated_failure_count: r.option(Reader::unsigned_32)?,
        tolerated_failure_percentage: r.option(Reader::unsigned)?.map(f64::from_bits),
        children: r.unsigned_32()?,
        items: r.unsigned_32()?,
        redrive_count: r.unsigned_32()?,
        redrive_ms: r.option(Reader::signed)?,
        changed_in: r.unsigned_32()?,
    };
    r.finish()?;
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_runs_come_back() {
        let run = MapRunState {
            map_run_arn: "arn:r".into(),
            started_event: 4,
            status: MapRunStatus::Failed,
            start_ms: 1,
            stop_ms: Some(2),
            max_concurrency: 3,
            tolerated_failure_count: Some(4),
            tolerated_failure_percentage: Some(12.5),
            children: 5,
            items: 6,
            redrive_count: 7,
            redrive_ms: Some(8),
            changed_in: 9,
        };
        assert_eq!(decode(&encode(&run)).expect("reads"), run);
        let plain = MapRunState {
            stop_ms: None,
            tolerated_failure_count: None,
            tolerated_failure_percentage: None,
            redrive_ms: None,
            ..run
        };
        assert_eq!(decode(&encode(&plain)).expect("reads"), plain);
    }
}
