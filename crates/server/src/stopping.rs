//! Whether the port that a request came in by is stopping: for requests that wait.
//!
//! A long poll would otherwise hold up the end of the server for as long as it may wait. The port tells it to every
//! request in this way, so that nothing between the port and the action has to pass it on.

use tokio::sync::watch;

tokio::task_local! {
    static STOPPED: watch::Receiver<bool>;
}

/// Answers a request of a port that tells by `stopped` when it is about to stop.
pub(crate) async fn tell<F: Future>(stopped: watch::Receiver<bool>, answer: F) -> F::Output {
    STOPPED.scope(stopped, answer).await
}

/// Resolves when the port of this request is about to stop; never for a call from inside the process.
pub(crate) async fn begun() {
    let Ok(mut stopped) = STOPPED.try_with(watch::Receiver::clone) else {
        return std::future::pending().await;
    };
    // An error means that the port is gone, which is a stop, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
