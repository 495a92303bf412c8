//! `Wait`: the chain rests until a time; a time that has passed is no wait at all.

use stepwell_asl::environment::StatesError;
use stepwell_asl::fields::WaitTarget;
use stepwell_asl::program::{State, Wait};

use super::{Exit, assignments, target};
use crate::decide::{Deciding, Stop};
use crate::event::{PrivateRecord, ThreadId};

/// The longest wait that AWS accepts: seconds that fit a signed 32-bit number.
const DELAY_MS_MAX: i64 = i32::MAX as i64 * 1000;

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    wait: &Wait,
) -> Result<(), Stop> {
    let visit = super::visit(deciding, thread);
    let surroundings = deciding.surroundings(thread, state);
    let effective = wait.input_path.apply(&visit.input.payload, &surroundings)?;
    let due_ms = match wait.until.resolve(effective.value(), &surroundings)? {
        WaitTarget::Seconds(seconds) => {
            visit.entered_ms.saturating_add_unsigned(seconds.saturating_mul(1000))
        }
        WaitTarget::At(timestamp) => timestamp.epoch_ms(),
    };
    drop(surroundings);
    if due_ms.saturating_sub(deciding.now_ms) > DELAY_MS_MAX {
        return Err(Stop::Failed(StatesError::runtime("Wait state delay is too long.")));
    }
    if due_ms <= deciding.now_ms {
        return leave(deciding, thread, state, wait);
    }
    deciding.note(PrivateRecord::WaitScheduled { thread, due_ms });
    Ok(())
}

pub(super) fn leave(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    wait: &Wait,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let effective = wait.input_path.apply(&raw.payload, &surroundings)?;
    let assigned = assignments(deciding, thread, state, wait.assign.as_ref(), &effective)?;
    let output = wait.output_path.apply(&effective, &surroundings)?;
    drop(surroundings);
    Exit { output, known: &[&raw], assigned, next: target(wait.transition) }.take(deciding, thread, state)
}
