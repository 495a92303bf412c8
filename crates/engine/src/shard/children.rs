//! Child executions of Map Runs: they live on the shard of their own ARN, and tell their parent's when they end.
//!
//! A child's ARN follows from its Map Run and its index, so that starting it once more, after a crash, finds the first.

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{ChildOf, ChildStart, Command, Effect, Execution, ExecutionInfo, decide};
use stepwell_store::{ExecutionKey, ExecutionRow};

use super::{Live, Message, Release, Shard, outcome};
use crate::machines::MachineRevision;

impl Shard {
    /// Starts a child execution, unless it is there already; one that has ended tells its parent once more.
    pub(super) fn start_child(&mut self, child: ChildStart, revision: Arc<MachineRevision>) {
        if child.info.kind.is_express() {
            self.start_express_child(child, revision);
            return;
        }
        let ChildStart { info, input } = child;
        let arn = info.execution_arn.clone();
        if self.by_arn.contains_key(&arn) || self.closing.contains_key(&arn) {
            return;
        }
        match self.surroundings.executions.find(&arn) {
            Ok(None) => self.begin_child(info, input, revision),
            // It waits, out of memory.
            Ok(Some((_, row))) if row.outcome.is_none() => {}
            Ok(Some((key, row))) => self.tell_parent_again(key, &row),
            Err(error) => {
                tracing::error!(execution = %arn, %error, "cannot find out whether a child execution exists")
            }
        }
    }

    /// A child that has ended before is asked for once more.
    pub(super) fn tell_parent_again(&mut self, key: ExecutionKey, row: &ExecutionRow) {
        let output = row.outcome.as_ref().and_then(|o| o.output);
        let output = output.map(|(batch, index)| self.surroundings.executions.payload(key, batch, index));
        match output.transpose() {
            Ok(output) => self.tell_parent(&row.info, output),
            Err(error) => {
                let execution = &row.info.execution_arn;
                tracing::error!(%execution, %error, "cannot read a child execution's output");
            }
        }
    }

    fn begin_child(&mut self, info: ExecutionInfo, input: Payload, revision: Arc<MachineRevision>) {
        let info = Arc::new(ExecutionInfo { start_ms: self.now_ms, ..info });
        let key = self.surroundings.executions.new_key();
        let row = ExecutionRow {
            info: info.clone(),
            revision: revision.key,
            trace_header: None,
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            outcome: None,
        };
        let mut execution = Execution::new(info.clone());
        let moment = self.moment();
        let number = execution.next_batch();
        let decision = decide(&revision.program, &mut execution, Command::Start { input }, moment);
        let mut live = Live { execution, revision, row, timer_ms: None, is_parked: false };
        live.row.outcome = outcome(&decision, self.now_ms);
        self.surroundings.executions.put_started(&mut self.batch, key, &live.row);
        self.figures.started.add_alone(1);
        self.figures.decided(&decision.records);
        self.surroundings.executions.put_records(&mut self.batch, key, number, &decision.records);
        self.log(&live.revision, &info, &decision.records);
        let stop_ms = live.row.outcome.as_ref().map(|outcome| outcome.stop_ms);
        self.by_arn.insert(info.execution_arn.clone(), key);
        self.live.insert(key, live);
        self.release_effects(key, &info, decision.effects);
        if let Some(stop_ms) = stop_ms {
            self.live.remove(&key);
            self.by_arn.remove(&info.execution_arn);
            self.closed(&info.execution_arn, stop_ms);
        } else {
            self.set_timer(key);
            self.consider_parking(key);
        }
    }

    /// An execution has ended: where it is a child, its parent is told once that is durable.
    pub(super) fn tell_parent(&mut self, info: &ExecutionInfo, output: Option<Payload>) {
        let Some(ChildOf { map_run_arn, execution_arn, thread, index, .. }) = info.child_of.clone() else {
            return;
        };
        let message = Message::ChildEnded {
            parent_arn: execution_arn.clone(),
            command: Box::new(Command::ChildEnded { thread, map_run_arn, index, output }),
        };
        self.releases.push(Release::Route(execution_arn, message));
    }

    /// The Map Run of a child execution is over: the child is stopped, wherever it is.
    pub(super) fn stop_child(&mut self, execution_arn: &str) {
        match self.express_child(execution_arn).or_else(|| self.running(execution_arn)) {
            Some(key) => self.command(key, Command::Stop { error: None, cause: None }),
            // It has ended before, or was never started.
            None => self.surroundings.executions.delete_orphan(&mut self.batch, execution_arn),
        }
    }

    /// Asks, when the engine starts, for the stops that were decided and may not have been carried out.
    pub(crate) fn recover_orphan(&mut self, execution_arn: Arc<str>) {
        self.releases.push(Release::Message(Message::StopChild { execution_arn }));
    }

    /// What an effect on child executions sends out.
    pub(super) fn child_effect(&mut self, revision: Option<Arc<MachineRevision>>, effect: Effect) {
        match (effect, revision) {
            (Effect::StartChild(child), Some(revision)) => {
                let arn = child.info.execution_arn.clone();
                self.releases.push(Release::Route(arn, Message::StartChild { child, revision }));
            }
            (Effect::StopChild { execution_arn }, _) => {
                // With the batch that ends the Map Run: the request itself could be lost.
                self.surroundings.executions.put_orphan(&mut self.batch, &execution_arn);
                let message = Message::StopChild { execution_arn: execution_arn.clone() };
                self.releases.push(Release::Route(execution_arn, message));
            }
            _ => {}
        }
    }
}
