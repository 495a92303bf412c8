//! After the end: the retention time passes, and everything that ever ran is removed, whatever crashes meanwhile.

use stepwell_engine::RETENTION;

use super::Simulation;
use crate::house::House;

/// Steps after which the removal counts as stuck.
const REMOVAL_STEPS_MAX: usize = 2_000;

/// Sweeps after which nothing may be left.
const SWEEPS_MAX: usize = 3;

impl Simulation {
    /// Lets the retention time pass; in the end nothing of any execution may be on the disk.
    pub(super) fn remove_everything(&mut self) -> Result<(), String> {
        let retention_ms =
            i64::try_from(RETENTION.as_millis()).map_err(|_| "the retention time is too long")?;
        // Children go after those that started them: their time may be put off.
        self.move_clock(retention_ms + retention_ms / 2);
        let mut sweeps = 0;
        for _ in 0..REMOVAL_STEPS_MAX {
            let is_last =
                self.house().retention.step().map_err(|e| format!("nothing can be removed: {e}"))?;
            for shard in 0..self.house().shards.len() {
                self.round(shard, 256);
            }
            let writer = &mut self.house().writer;
            while writer.queued() > 0 {
                writer.write(512);
                writer.sync();
            }
            for shard in 0..self.house().shards.len() {
                self.round(shard, 256);
            }
            if is_last {
                // Children are left to the sweep after the one that removes whom they belong to.
                sweeps += 1;
                match self.check_nothing_is_left() {
                    Err(left) if sweeps > SWEEPS_MAX => return Err(left),
                    Err(_) => {}
                    done => return done,
                }
            }
            if self.random.one_in(4) {
                self.crash_while_removing()?;
            }
        }
        Err("the removal of what has closed does not end".into())
    }

    /// A step, and a crash that loses any of what it wrote.
    fn crash_while_removing(&mut self) -> Result<(), String> {
        self.house().retention.step().map_err(|e| format!("nothing can be removed: {e}"))?;
        for shard in 0..self.house().shards.len() {
            self.round(shard, 256);
        }
        while self.house().writer.queued() > 0 && !self.house().writer.waits_for_sync() {
            let batches = self.random.between(1, 3);
            self.house().writer.write(batches);
            if self.random.one_in(2) {
                self.house().writer.sync();
            }
        }
        let kept = self.random.below(self.disk.unsynced() + 1);
        self.log.line(format_args!("crash while removing; {kept} groups are kept"));
        self.house = None;
        self.disk.crash(kept);
        let mut entropy = self.random.fork();
        let shards = self.random.pick(&[1, 2]);
        self.house = Some(House::open(&self.disk, self.script.clone(), &self.clock, shards, &mut entropy)?);
        Ok(())
    }

    fn check_nothing_is_left(&self) -> Result<(), String> {
        let mut left = None;
        self.disk.for_each_durable(|keyspace, key, _| {
            if keyspace.starts_with("executions.") && keyspace != "executions.notes" {
                left = Some(format!("{key:?} is left in {keyspace} after everything was removed"));
            }
        });
        left.map_or(Ok(()), Err)
    }
}
