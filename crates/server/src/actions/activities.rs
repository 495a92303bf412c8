//! What the operations on activities share: how their errors look from outside.

use stepwell_aws::Fault;
use stepwell_engine::activities::ActivityError;

use crate::fault;
use crate::states::store_failure;

/// How a refused operation on an activity looks from outside.
pub(super) fn refusal(error: ActivityError) -> Fault {
    let text = error.to_string();
    match error {
        ActivityError::DoesNotExist { arn } => fault::activity_does_not_exist(&arn),
        ActivityError::AlreadyExists { .. } => fault::service("ActivityAlreadyExists", text),
        ActivityError::LimitExceeded => fault::service("ActivityLimitExceeded", text),
        ActivityError::WorkerLimitExceeded => fault::service("ActivityWorkerLimitExceeded", text),
        ActivityError::Commit(error) => store_failure(&error),
    }
}
