//! What a redrive does to an execution that ended without success: its chains stand again where they stood, each
//! before its unsuccessful state.
//!
//! | state | goes on |
//! |---|---|
//! | Choice, Succeed, Pass | is worked again; it is not entered again |
//! | Task | is scheduled again, with all its retries |
//! | Wait | rests until the time it had |
//! | Fail | is entered again |
//! | Parallel, inline Map | with the branches and iterations that had not ended; with all of them where all had ended, or where it failed with `States.DataLimitExceeded` |
//! | Distributed Map | as the same Map Run; as a new one where that had ended well, or had not begun |
//!
//! Of a Pass AWS says that it counts as exited and is not run again where something before it failed or the machine's
//! time was over. That leaves open what the output of one would be that failed itself: it has none. It is worked again,
//! with its input, as a Choice is.

use std::collections::BTreeMap;

use stepwell_asl::program::{Program, StateKind};

use crate::event::ThreadId;
use crate::execution::{Activity, Children, Execution, ExecutionStatus, Position, Thread, Visit};
use crate::map_run::MapRun;

/// What a Parallel or Map state held when it failed.
#[derive(Debug, Clone)]
pub(crate) enum GivenUp {
    Children {
        children: Children,
        /// The chains below it, at any depth.
        threads: BTreeMap<ThreadId, Thread>,
        /// The last event of the state's own chain before.
        last_event: u64,
    },
    MapRun(Box<MapRun>),
}

impl Execution {
    /// The execution, which ended without success, runs again.
    pub(crate) fn redrive(&mut self, program: &Program, at_ms: i64) {
        self.status = ExecutionStatus::Running;
        self.redrive_count += 1;
        self.redriven_ms = Some(at_ms);
        let mut waiting: Vec<ThreadId> = self.threads.keys().copied().collect();
        while let Some(id) = waiting.pop() {
            let Some(thread) = self.threads.get_mut(&id) else { continue };
            let given_up = rewind(program, thread);
            waiting.extend(given_up.keys().copied());
            self.threads.extend(given_up);
        }
        self.remember_all(at_ms);
    }
}

/// Puts a chain before its unsuccessful state; gives the chains below it that are there again.
fn rewind(program: &Program, thread: &mut Thread) -> BTreeMap<ThreadId, Thread> {
    let mut restored = BTreeMap::new();
    let Position::In(visit) = &mut thread.position else { return restored };
    if matches!(program.state(visit.state).kind, StateKind::Fail(_)) {
        thread.position = Position::Between { next: Some(visit.state), input: visit.input.clone() };
        return restored;
    }
    visit.retries.clear();
    visit.activity = match (std::mem::replace(&mut visit.activity, Activity::Ready), visit.given_up.take()) {
        (activity @ Activity::Waiting { .. }, _) => activity,
        (Activity::Children(children), _) if !children.all_have_ended() => Activity::Children(children),
        (Activity::MapRun(run) | Activity::Redriving(run), _) if !run.children.all_have_ended() => {
            Activity::Redriving(run)
        }
        (Activity::Failed(failure), Some(given_up))
            if failure.error.as_deref() != Some("States.DataLimitExceeded") =>
        {
            match *given_up {
                GivenUp::Children { children, threads, last_event } => {
                    restored = threads;
                    thread.last_event = last_event;
                    Activity::Children(children)
                }
                GivenUp::MapRun(run) => Activity::Redriving(run),
            }
        }
        _ => {
            thread.last_event = visit.entered_event;
            Activity::Ready
        }
    };
    restored
}

impl Visit {
    /// Keeps what the state holds for a redrive: the state has failed.
    pub(crate) fn give_up(&mut self, given_up: GivenUp) {
        self.given_up = Some(Box::new(given_up));
    }
}
