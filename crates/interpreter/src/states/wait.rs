//! `Wait`: the chain rests until a time; a time that has passed is no wait at all.

use stepwell_asl::environment::StatesError;
use stepwell_asl::fields::WaitTarget;
use stepwell_asl::program::{ResultPath, State, Wait};

use super::flow::{self, Leaving, Outcome, target};
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
    let entered_ms = super::visit(deciding, thread).entered_ms;
    let surroundings = deciding.surroundings(thread, state);
    let until = if flow::is_jsonata(state) {
        wait.until.resolve_query(&flow::scope(&surroundings))?
    } else {
        let effective = flow::input(&surroundings, state, &wait.input_path, None, None)?;
        wait.until.resolve(effective.value(), &surroundings)?
    };
    drop(surroundings);
    let due_ms = match until {
        WaitTarget::Seconds(seconds) => entered_ms.saturating_add_unsigned(seconds.saturating_mul(1000)),
        WaitTarget::At(timestamp) => timestamp.epoch_ms(),
    };
    if due_ms.saturating_sub(deciding.now_ms) > DELAY_MS_MAX {
        return Err(Stop::Failed(StatesError::runtime("Wait state delay is too long.")));
    }
    if due_ms <= deciding.now_ms {
        return leave(deciding, thread, state, wait);
    }
    deciding.note(PrivateRecord::WaitScheduled { thread, due_ms })
}

pub(super) fn leave(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    wait: &Wait,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let effective = flow::input(&deciding.surroundings(thread, state), state, &wait.input_path, None, None)?;
    let leaving = Leaving {
        result_selector: None,
        result_path: &ResultPath::Replace,
        output_path: &wait.output_path,
        output: wait.output.as_ref(),
        assign: wait.assign.as_ref(),
        next: target(wait.transition),
        location: "",
    };
    flow::leave(deciding, thread, state, &leaving, &Outcome::Input(effective), &[&raw])
}
