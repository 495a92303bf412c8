//! What the operations with a task token share: how their errors look from outside.

use stepwell_aws::Fault;
use stepwell_engine::TaskTokenError;

use crate::fault;
use crate::states::store_failure;

/// How a refused task token looks from outside.
pub(super) fn refusal(error: TaskTokenError) -> Fault {
    let text = error.to_string();
    match error {
        TaskTokenError::Invalid => fault::invalid_token(),
        TaskTokenError::DoesNotExist => fault::service("TaskDoesNotExist", text),
        TaskTokenError::TimedOut => fault::service("TaskTimedOut", text),
        TaskTokenError::Throttled => fault::throttled(),
        TaskTokenError::Stopping => fault::stopping(),
        TaskTokenError::Commit(error) => store_failure(&error),
    }
}
