//! Express executions in a run: a start that was acknowledged leads to an end, whatever crashes meanwhile, and nothing
//! of one leaves before its start is durable.

use std::sync::Arc;

use stepwell_engine::{ExecutionStatus, StartExecutionError, StartedExecution, SyncExecution};

use super::Simulation;
use crate::{clients, ends};

/// Asynchronous executions that run together at the most.
const RUNNING_MAX: usize = 12;

impl Simulation {
    /// Somebody starts one, and waits for its end or does not.
    pub(super) fn ask_express(&mut self) {
        let machine = self.random.pick(&self.express_machines);
        let input = self.random.pick(super::INPUTS);
        let waits = self.random.one_in(3);
        let house = self.house.as_ref().expect("a life is under way");
        let revision = house.machines.current(&machine).expect("no machine is ever deleted");
        self.log.line(format_args!("ask for an Express start of {machine} with {input}; waits: {waits}"));
        if waits {
            clients::start_sync(&house.runtime, &house.engine, &self.answers, revision, input);
        } else if self.started_express().len() < RUNNING_MAX {
            clients::start_express(&house.runtime, &house.engine, &self.answers, revision, input);
        }
    }

    pub(super) fn express_started(
        &mut self,
        result: Result<StartedExecution, StartExecutionError>,
    ) -> Result<(), String> {
        match result {
            Ok(started) => {
                self.ran.started_express += 1;
                self.promises.express.insert(started.execution_arn);
                self.check_express()
            }
            Err(StartExecutionError::Commit(_) | StartExecutionError::Stopping) => Ok(()),
            Err(error) => Err(format!("the start of an Express execution fails: {error}")),
        }
    }

    pub(super) fn sync_ended(
        &mut self,
        result: Result<SyncExecution, StartExecutionError>,
    ) -> Result<(), String> {
        match result {
            Ok(ended) if ended.status == ExecutionStatus::Running => {
                Err(format!("this is no end: {ended:?}"))
            }
            Ok(ended) if ended.stop_ms < ended.info.start_ms => Err(format!("it ends too early: {ended:?}")),
            Ok(_) => {
                self.ran.ended_sync += 1;
                Ok(())
            }
            Err(StartExecutionError::Stopping) => Ok(()),
            Err(error) => Err(format!("a synchronous execution fails to run: {error}")),
        }
    }

    /// Of every acknowledged start the disk has that it is to be run, or that it has been.
    pub(super) fn check_express(&self) -> Result<(), String> {
        for arn in &self.promises.express {
            let has_ended = self.disk.durable(ends::KEYSPACE, arn.as_bytes()).is_some();
            if !has_ended && !self.is_started_express(arn) {
                return Err(format!("{arn} was acknowledged, has not ended, and would never run again"));
            }
        }
        Ok(())
    }

    /// Nothing calls before its start is durable; only who waits for an end has none.
    pub(super) fn check_express_calls(&self) -> Result<(), String> {
        for call in &self.script.lock().calls {
            let arn = &call.request.execution_arn;
            let is_early = match clients::express_name(arn) {
                Some(clients::SYNC_NAME) | None => false,
                Some(_) if arn.contains('/') => !self.is_durable(arn),
                Some(_) => {
                    !self.is_started_express(arn)
                        && self.disk.durable(ends::KEYSPACE, arn.as_bytes()).is_none()
                }
            };
            if is_early {
                return Err(format!("{arn} calls a task before its start is durable"));
            }
        }
        Ok(())
    }

    /// In the end all have ended, and none is left to run.
    pub(super) fn check_express_ends(&self) -> Result<(), String> {
        if let Some(arn) = self.started_express().first() {
            return Err(format!("{arn} does not end"));
        }
        self.check_express()
    }

    fn is_started_express(&self, arn: &str) -> bool {
        self.disk.durable("express.started", arn.as_bytes()).is_some()
    }

    fn started_express(&self) -> Vec<Arc<str>> {
        let mut started = Vec::new();
        self.disk.for_each_durable(|keyspace, key, _| {
            if keyspace == "express.started" {
                started.push(String::from_utf8_lossy(key).into());
            }
        });
        started
    }
}
