//! What the API answered: remembered as a promise, and refused where it is not durable.

use std::sync::Arc;

use stepwell_engine::{
    RedriveExecutionError, StartExecutionError, StartedExecution, StopExecutionError, TaskTokenError,
};
use stepwell_interpreter::TaskToken;

use super::Simulation;
use crate::clients::{Answer, Say};

impl Simulation {
    pub(super) fn answered(&mut self, answer: Answer) -> Result<(), String> {
        self.log.line(format_args!("{answer:?}"));
        match answer {
            Answer::Started { arn, input, result } => self.started(&arn, input, result),
            Answer::ExpressStarted(result) => self.express_started(result),
            Answer::SyncEnded(result) => self.sync_ended(result),
            Answer::Stopped { arn, was_known, result } => self.stopped(&arn, was_known, result),
            Answer::Redriven { arn, was_known, result } => self.redriven(&arn, was_known, result),
            Answer::Described { arn, stop_ms } => {
                self.promises.stops.extend(stop_ms.map(|stop_ms| (arn, stop_ms)));
                self.check_promises()
            }
            Answer::Token { token, say, result } => self.token_answered(token, say, result),
            Answer::Polled { activity, result } => {
                self.polling[activity] = false;
                let task = result.map_err(|e| format!("a poll fails: {e}"))?;
                let Some(task) = task else { return Ok(()) };
                let token = TaskToken::decode(&task.token).ok_or("a worker's token cannot be read")?;
                let attempt = (token.execution_arn, token.scheduled_event);
                if !self.script.lock().facts.started.contains(&attempt) {
                    return Err(format!("{attempt:?} is given to a worker before its start is durable"));
                }
                self.tokens.push(task.token);
                Ok(())
            }
        }
    }

    fn started(
        &mut self,
        arn: &Arc<str>,
        input: &'static str,
        result: Result<StartedExecution, StartExecutionError>,
    ) -> Result<(), String> {
        match result {
            Ok(started) => {
                self.ran.started += 1;
                if !self.is_durable(arn) {
                    return Err(format!("the start of {arn} is acknowledged and not durable"));
                }
                let promise = (input, started.start_ms);
                let known = *self.promises.starts.entry(arn.clone()).or_insert(promise);
                if known != promise {
                    return Err(format!("{arn} was acknowledged as {known:?}, and now as {promise:?}"));
                }
                self.check_promises()
            }
            Err(StartExecutionError::AlreadyExists { .. }) if !self.is_durable(arn) => {
                Err(format!("{arn} is said to exist and is not durable"))
            }
            Err(StartExecutionError::AlreadyExists { .. } | StartExecutionError::Commit(_)) => Ok(()),
            Err(StartExecutionError::Stopping) => Ok(()),
            Err(error) => Err(format!("the start of {arn} fails: {error}")),
        }
    }

    fn stopped(
        &mut self,
        arn: &Arc<str>,
        was_known: bool,
        result: Result<i64, StopExecutionError>,
    ) -> Result<(), String> {
        match result {
            Ok(stop_ms) => {
                self.ran.stopped += 1;
                self.promises.stops.insert(arn.clone(), stop_ms);
                self.check_promises()
            }
            Err(StopExecutionError::DoesNotExist { .. }) if was_known => {
                Err(format!("{arn} was acknowledged and is said not to exist"))
            }
            Err(StopExecutionError::Read { reason }) => Err(format!("the stop of {arn} fails: {reason}")),
            Err(_) => Ok(()),
        }
    }

    fn redriven(
        &mut self,
        arn: &Arc<str>,
        was_known: bool,
        result: Result<i64, RedriveExecutionError>,
    ) -> Result<(), String> {
        match result {
            Ok(redrive_ms) => {
                self.ran.redriven += 1;
                let latest = self.promises.redrives.entry(arn.clone()).or_insert(redrive_ms);
                *latest = redrive_ms.max(*latest);
                self.check_promises()
            }
            Err(RedriveExecutionError::DoesNotExist { .. }) if was_known => {
                Err(format!("{arn} was acknowledged and is said not to exist"))
            }
            Err(RedriveExecutionError::Read { reason }) => {
                Err(format!("the redrive of {arn} fails: {reason}"))
            }
            Err(_) => Ok(()),
        }
    }

    fn token_answered(
        &mut self,
        token: String,
        say: Say,
        result: Result<(), TaskTokenError>,
    ) -> Result<(), String> {
        let attempt = TaskToken::decode(&token).map(|t| (t.execution_arn, t.scheduled_event));
        let attempt = attempt.ok_or("a token of ours cannot be read")?;
        let script = self.script.lock();
        match result {
            Ok(()) if say == Say::Heartbeat && script.facts.heard.contains(&attempt) => Ok(()),
            Ok(()) if say == Say::Heartbeat => {
                Err(format!("the heartbeat of {attempt:?} is acknowledged and not durable"))
            }
            Ok(()) if !script.facts.answered.contains(&attempt) => {
                Err(format!("the end of {attempt:?} is acknowledged and not durable"))
            }
            Ok(()) if self.promises.ends.insert(token, ()).is_some() => {
                Err(format!("the end of {attempt:?} is acknowledged twice"))
            }
            Ok(()) => {
                self.ran.tokens += 1;
                Ok(())
            }
            Err(TaskTokenError::TimedOut) if !script.facts.over.contains(&attempt) => {
                Err(format!("{attempt:?} is said to be over; that is not durable"))
            }
            Err(error @ (TaskTokenError::Invalid | TaskTokenError::DoesNotExist)) => {
                Err(format!("a good token of {attempt:?} is refused: {error}"))
            }
            Err(_) => Ok(()),
        }
    }
}
