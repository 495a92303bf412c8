//! Child executions of Map Runs: they live on the shard of their own ARN, and tell their parent's when they end.
//!
//! A child's ARN follows from its Map Run and its index, so that starting it once more, after a crash, finds the first.

use std::sync::Arc;

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{ChildOf, ChildStart, Command, Effect, ExecutionInfo};
use stepwell_store::{ExecutionKey, ExecutionRow, ReadError, Redrives};

use super::{Message, Release, Shard};
use crate::machines::MachineRevision;
use crate::redrive::not_redrivable_reason;

/// A child execution that is asked for, with the revision that it runs.
pub(super) type Deferred = (Box<ChildStart>, Arc<MachineRevision>);

impl Shard {
    /// Starts a child execution, unless it is there already; one that failed before its Map Run was redriven is
    /// redriven, any other that has ended tells its parent once more.
    pub(super) fn start_child(&mut self, child: Box<ChildStart>, revision: Arc<MachineRevision>) {
        if child.info.kind.is_express() {
            self.start_express_child(*child, revision);
            return;
        }
        let arn = child.info.execution_arn.clone();
        if self.closing.contains_key(&arn) {
            // Nothing more may follow for its parent: it is looked at again when its end is on the disk, unless its
            // Map Run is over by then.
            self.deferred_children.insert(arn, (child, revision));
            return;
        }
        let found = match self.live.key_of(&arn).and_then(|key| Some((key, self.live.get(key)?))) {
            Some((key, live)) => Ok(Some((key, live.row.clone()))),
            None if self.removing.contains(&arn) => Ok(None),
            None => self.surroundings.executions.find(&arn),
        };
        match found {
            Ok(None) => self.begin_child(*child, revision),
            Ok(Some((key, row))) => {
                if let Err(error) = self.known_child(key, row, child.redrive) {
                    tracing::error!(execution = %arn, %error, "cannot read a child execution");
                }
            }
            Err(error) => {
                tracing::error!(execution = %arn, %error, "cannot find out whether a child execution exists")
            }
        }
    }

    /// The end of an execution is on the disk.
    pub(super) fn start_deferred_child(&mut self, execution_arn: &str) {
        if let Some((child, revision)) = self.deferred_children.remove(execution_arn) {
            self.start_child(child, revision);
        }
    }

    /// A child that has ended before is asked for once more.
    pub(super) fn tell_parent_again(&mut self, key: ExecutionKey, row: &ExecutionRow) {
        let output = row.outcome.as_ref().and_then(|o| o.output);
        let output = output.map(|(batch, index)| self.surroundings.executions.payload(key, batch, index));
        match output.transpose() {
            Ok(output) => self.tell_parent(&row.info, row.redrives.of_map_run, output),
            Err(error) => {
                let execution = &row.info.execution_arn;
                tracing::error!(%execution, %error, "cannot read a child execution's output");
            }
        }
    }

    /// A Map Run asks with its redrive of this number for a child execution that is there.
    fn known_child(&mut self, key: ExecutionKey, row: ExecutionRow, redrive: u32) -> Result<(), ReadError> {
        let is_older = row.redrives.of_map_run < redrive;
        match &row.outcome {
            // It has never been stopped: what it comes to counts for this redrive.
            None if is_older => self.count_for_redrive(key, redrive),
            None => {}
            Some(outcome) if is_older && outcome.status.is_unsuccessful() => {
                let info = row.info.clone();
                let may_be_redriven = not_redrivable_reason(&row, false, self.now_ms).is_none();
                let change = |redrives: &mut Redrives, _| redrives.of_map_run = redrive;
                if !may_be_redriven || self.begin_redrive(key, row, change)?.is_none() {
                    self.tell_parent(&info, redrive, None);
                }
            }
            Some(_) => self.tell_parent_again(key, &row),
        }
        Ok(())
    }

    /// A child that runs is one of this redrive of its Map Run. It is in memory until that is durable: whoever loaded
    /// it sooner would read the row of before.
    fn count_for_redrive(&mut self, key: ExecutionKey, redrive: u32) {
        if self.live.get(key).is_none() && !self.load(key) {
            return;
        }
        let Some(live) = self.live.get_mut(key) else { return };
        live.row.redrives.of_map_run = redrive;
        let executions = &self.surroundings.executions;
        executions.put_row(&mut self.batch, key, &live.row);
        if std::mem::take(&mut live.is_parked) {
            executions.put_unparked(&mut self.batch, key);
            // Then it may leave once more.
            self.releases.push(Release::Message(Message::Continue { key }));
        }
    }

    fn begin_child(&mut self, child: ChildStart, revision: Arc<MachineRevision>) {
        let ChildStart { info, input, redrive } = child;
        let row = ExecutionRow {
            info: Arc::new(ExecutionInfo { start_ms: self.now_ms, ..info }),
            revision: revision.key,
            trace_header: None,
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            outcome: None,
            redrives: Redrives { of_map_run: redrive, ..Redrives::default() },
        };
        let key = self.surroundings.executions.new_key();
        self.begin_standard(key, row, revision, input);
    }

    /// An execution has ended: where it is a child, its parent is told once that is durable.
    /// `redrive` is that of its Map Run with which it began or was redriven last.
    pub(super) fn tell_parent(&mut self, info: &ExecutionInfo, redrive: u32, output: Option<Payload>) {
        let Some(ChildOf { map_run_arn, execution_arn, thread, index, .. }) = info.child_of.clone() else {
            return;
        };
        let message = Message::ChildEnded {
            parent_arn: execution_arn.clone(),
            command: Box::new(Command::ChildEnded { thread, map_run_arn, index, redrive, output }),
        };
        self.releases.push(Release::Route(execution_arn, message));
    }

    /// The Map Run of a child execution is over: the child is stopped, wherever it is.
    pub(super) fn stop_child(&mut self, execution_arn: &str) {
        // Asked for before, by the same Map Run.
        self.deferred_children.remove(execution_arn);
        self.forget_undecided(execution_arn);
        if let Some(key) = self.express_child(execution_arn).or_else(|| self.running(execution_arn)) {
            self.command(key, Command::Stop { error: None, cause: None });
        } else if !self.stop_express_child(execution_arn) {
            // It has ended before, or was never started.
            self.surroundings.executions.delete_orphan(&mut self.batch, execution_arn);
        }
    }

    /// Asks, when the engine starts, for the stops that were decided and may not have been carried out. Before anything
    /// else: the Map Run may have been redriven since, and then asks for the same child once more.
    pub(crate) fn recover_orphan(&mut self, execution_arn: Arc<str>) {
        // Its own inbox is there as long as it is.
        let _ = self.itself.send(Message::StopChild { execution_arn });
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
