//! Whether the server that a request came to is stopping: for requests that wait.
//!
//! A long poll would otherwise hold up the end of the server for as long as it may wait. The app tells it to every
//! request in this way, so that nothing between the port and the action has to pass it on. Requests that are still
//! under way when the server has no time left are given up, with an answer that says so.

use std::time::Duration;

use tokio::sync::watch;

/// What a request that comes to a stopping server may wait. Long polls that were answered at once would be asked again
/// at once, for as long as tasks under way keep the port open.
const LATE_WAIT: Duration = Duration::from_millis(500);

/// How far the stop of a server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// It runs.
    NotYet,
    /// Long polls are answered, all else goes on.
    Begun,
    /// What is under way is given up.
    OutOfTime,
}

tokio::task_local! {
    static STOPPED: Told;
}

struct Told {
    stopped: watch::Receiver<Stop>,
    /// Whether the request came after the stop.
    is_late: bool,
}

/// Answers a request of a server that tells by `stopped` when it is about to stop.
pub(crate) async fn tell<F: Future>(stopped: watch::Receiver<Stop>, answer: F) -> F::Output {
    let is_late = *stopped.borrow() >= Stop::Begun;
    STOPPED.scope(Told { stopped, is_late }, answer).await
}

/// Resolves when the server is about to stop; never for a call from inside the process.
pub(crate) async fn begun() {
    let Ok((mut stopped, is_late)) = STOPPED.try_with(|told| (told.stopped.clone(), told.is_late)) else {
        return std::future::pending().await;
    };
    if is_late {
        tokio::time::sleep(LATE_WAIT).await;
    }
    // An error means that the server is gone, which is a stop, too.
    let _ = stopped.wait_for(|stop| *stop >= Stop::Begun).await;
}

/// The result of `work`, or `None` where the server has no time left for it. What calls from inside the process do, is
/// never given up in this way.
pub(crate) async fn unless_out_of_time<F: Future>(work: F) -> Option<F::Output> {
    let Ok(mut stopped) = STOPPED.try_with(|told| told.stopped.clone()) else { return Some(work.await) };
    tokio::select! {
        biased;
        outcome = work => Some(outcome),
        // An error means that the server is gone.
        _ = stopped.wait_for(|stop| *stop >= Stop::OutOfTime) => None,
    }
}
