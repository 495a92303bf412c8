//! RedriveExecution: a closed execution is folded from its journal once more and goes on. And UpdateMapRun.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use stepwell_interpreter::{Command, MapRunStatus, decide};
use stepwell_store::{ExecutionKey, ExecutionRow, ReadError, Redrives};

use super::{Message, RedriveRequest, Release, Shard, UpdateMapRunRequest, outcome};
use crate::redrive::{CLIENT_TOKEN_VALIDITY_MS, CLIENT_TOKENS_MAX, HISTORY_FULL, not_redrivable_reason};
use crate::requests::{RedriveExecutionError, UpdateMapRunError};

impl Shard {
    pub(super) fn redrive(&mut self, request: Box<RedriveRequest>) {
        if self.closing.contains_key(&request.execution_arn) {
            // Its end is on its way to the disk, and is redriven from there.
            self.queued_requests.fetch_add(1, Ordering::Relaxed);
            self.releases.push(Release::Message(Message::Redrive(request)));
            return;
        }
        let result = self.redriven(&request.execution_arn, request.client_token);
        // What the answer tells of may still be on its way to the disk, too.
        self.releases.push(Release::Redrive(request.answer, result));
    }

    fn redriven(
        &mut self,
        execution_arn: &Arc<str>,
        client_token: Option<Arc<str>>,
    ) -> Result<i64, RedriveExecutionError> {
        let read = |error: ReadError| RedriveExecutionError::Read { reason: error.to_string() };
        let live =
            self.live.key_of(execution_arn).and_then(|key| Some((key, self.live.get(key)?.row.clone())));
        let found = match live {
            Some(live) => Some(live),
            None if self.removing.contains(execution_arn) => None,
            None => self.surroundings.executions.find(execution_arn).map_err(read)?,
        };
        let Some((key, row)) = found else {
            return Err(RedriveExecutionError::DoesNotExist { execution_arn: execution_arn.clone() });
        };
        let is_valid = |at_ms: i64, now_ms: i64| now_ms.saturating_sub(at_ms) < CLIENT_TOKEN_VALIDITY_MS;
        let now_ms = self.now_ms;
        let known = row.redrives.client_tokens.iter();
        let mut known =
            known.filter(|(token, at_ms)| Some(token) == client_token.as_ref() && is_valid(*at_ms, now_ms));
        if let Some((_, redrive_ms)) = known.next() {
            return Ok(*redrive_ms);
        }
        let is_deleted = self.surroundings.machines.is_deleted(&row.info.state_machine_arn);
        if let Some(reason) = not_redrivable_reason(&row, is_deleted, now_ms) {
            return Err(RedriveExecutionError::NotRedrivable { reason });
        }
        if self.live.is_full() {
            self.figures.throttled.add_alone(1);
            return Err(RedriveExecutionError::Throttled);
        }
        let redriven = self.begin_redrive(key, row, |redrives, redrive_ms| {
            let tokens = &mut redrives.client_tokens;
            tokens.retain(|(_, at_ms)| is_valid(*at_ms, now_ms));
            tokens.extend(client_token.map(|token| (token, redrive_ms)));
            let too_many = tokens.len().saturating_sub(CLIENT_TOKENS_MAX);
            tokens.drain(..too_many);
        });
        redriven.map_err(read)?.ok_or(RedriveExecutionError::NotRedrivable { reason: HISTORY_FULL })
    }

    /// Redrives the closed execution of which `closed` tells; `change` notes what else its row is to know. Gives its
    /// `redriveDate`, or `None` where its history has no room.
    pub(super) fn begin_redrive(
        &mut self,
        key: ExecutionKey,
        closed: ExecutionRow,
        change: impl FnOnce(&mut Redrives, i64),
    ) -> Result<Option<i64>, ReadError> {
        let mut live = self.fold_row(key, closed.clone())?;
        let moment = self.moment();
        let decision = decide(&live.revision.program, &mut live.execution, Command::Redrive, moment);
        let Some(redrive_ms) = live.execution.redriven_ms().filter(|_| !decision.records.is_empty()) else {
            return Ok(None);
        };
        live.row.outcome = outcome(&decision, &live.execution, moment.now_ms);
        live.row.redrives.count = live.execution.redrive_count();
        live.row.redrives.last_ms = Some(redrive_ms);
        change(&mut live.row.redrives, redrive_ms);
        self.surroundings.executions.put_redriven(&mut self.batch, key, &closed, &live.row);
        self.figures.redriven.add_alone(1);
        self.run_on(key, live, decision);
        Ok(Some(redrive_ms))
    }

    pub(super) fn update_map_run(&mut self, request: UpdateMapRunRequest) {
        let UpdateMapRunRequest { execution_arn, map_run_arn, settings, answer } = request;
        let key = self.running(&execution_arn);
        let runs = key.and_then(|key| self.live.get(key)).map(|live| live.execution.map_runs());
        let mut runs = runs.into_iter().flatten();
        let is_running =
            runs.any(|run| run.map_run_arn == map_run_arn && run.status == MapRunStatus::Running);
        let result = match key.filter(|_| is_running) {
            Some(key) => {
                self.command(key, Command::UpdateMapRun { map_run_arn, settings });
                Ok(())
            }
            None => Err(UpdateMapRunError::Completed),
        };
        self.releases.push(Release::UpdateMapRun(answer, result));
    }
}
