//! Who wants to know when an execution of this engine ends: attempts that wait for a nested one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stepwell_aws::BoxFuture;
use tokio::sync::oneshot;

/// The waits by ARN. Each is dropped when its execution ends or nobody waits any more.
#[derive(Default)]
pub(crate) struct Closings {
    waits: Mutex<HashMap<Arc<str>, Vec<oneshot::Sender<()>>>>,
}

impl Closings {
    /// Ends when [`Closings::closed`] is told of this execution; waits from this call on.
    pub(crate) fn wait(self: &Arc<Self>, execution_arn: &str) -> BoxFuture<'static, ()> {
        let (told, tells) = oneshot::channel();
        let execution_arn: Arc<str> = execution_arn.into();
        self.lock().entry(execution_arn.clone()).or_default().push(told);
        let mut wait = Wait { closings: self.clone(), execution_arn, tells };
        Box::pin(async move {
            // Dropped without a word only with everything else.
            let _ = (&mut wait.tells).await;
        })
    }

    /// Of how many executions the end is waited for.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The end of this execution is durable.
    pub(crate) fn closed(&self, execution_arn: &str) {
        let told = self.lock().remove(execution_arn);
        for told in told.into_iter().flatten() {
            // One who has gone meanwhile.
            let _ = told.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<oneshot::Sender<()>>>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves nothing behind when it is given up.
struct Wait {
    closings: Arc<Closings>,
    execution_arn: Arc<str>,
    tells: oneshot::Receiver<()>,
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.tells.close();
        let mut waits = self.closings.lock();
        if let Some(all) = waits.get_mut(&self.execution_arn) {
            all.retain(|told| !told.is_closed());
            if all.is_empty() {
                waits.remove(&self.execution_arn);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_is_told_and_nothing_stays() {
        let closings = Arc::new(Closings::default());
        let (first, second, given_up) = (closings.wait("a"), closings.wait("a"), closings.wait("a"));
        let other = closings.wait("b");
        drop(given_up);
        assert_eq!(closings.lock().get("a").map(Vec::len), Some(2));
        closings.closed("a");
        first.await;
        second.await;
        assert!(!closings.lock().contains_key("a"));
        drop(other);
        assert!(closings.lock().is_empty());
        closings.closed("b");
    }
}
