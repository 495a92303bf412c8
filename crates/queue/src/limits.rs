//! Every bound of the service, with its unit and source. Source of all of them unless said otherwise: Amazon SQS
//! Developer Guide, "Amazon SQS message quotas" and "queue quotas".

use std::ops::RangeInclusive;

/// Bytes of a message (body and attributes), and of all messages of a batch together.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// `MaximumMessageSize`, bytes.
pub(crate) const MESSAGE_BYTES_SETTING: RangeInclusive<u32> = 1_024..=1_048_576;
/// `DelaySeconds` of a queue or a message.
pub(crate) const DELAY_S: RangeInclusive<u32> = 0..=900;
/// `MessageRetentionPeriod`, seconds: one minute to fourteen days.
pub(crate) const RETENTION_S: RangeInclusive<u32> = 60..=1_209_600;
/// `ReceiveMessageWaitTimeSeconds` and `WaitTimeSeconds`.
pub(crate) const WAIT_S: RangeInclusive<u32> = 0..=20;
/// `VisibilityTimeout`, seconds: up to twelve hours, also in total after repeated extension.
pub(crate) const VISIBILITY_S: RangeInclusive<u32> = 0..=43_200;
/// `KmsDataKeyReusePeriodSeconds`.
pub(crate) const KMS_REUSE_S: RangeInclusive<u32> = 60..=86_400;
/// `maxReceiveCount` of a redrive policy.
pub(crate) const MAX_RECEIVE_COUNT: RangeInclusive<u32> = 1..=1_000;
/// `MaxNumberOfMessages` of a receive.
pub(crate) const RECEIVE_MESSAGES: RangeInclusive<u32> = 1..=10;
/// Entries of one batch request.
pub(crate) const BATCH_ENTRIES_MAX: usize = 10;
/// Characters of a batch entry's `Id`, and of a queue name.
pub(crate) const NAME_CHARS_MAX: usize = 80;
/// User attributes of one message.
pub(crate) const MESSAGE_ATTRIBUTES_MAX: usize = 10;
/// Characters of a message attribute's name and of its type.
pub(crate) const ATTRIBUTE_NAME_CHARS_MAX: usize = 256;
/// Characters of a group id, deduplication id or receive attempt id.
pub(crate) const TOKEN_CHARS_MAX: usize = 128;
/// Messages in flight per queue; more are not handed out.
pub(crate) const IN_FLIGHT_MAX: usize = 120_000;
/// How long the first use of a deduplication id suppresses others, and a receive attempt id repeats its answer.
pub(crate) const DEDUPLICATION_MS: i64 = 5 * 60 * 1_000;
/// Between two purges of a queue.
pub(crate) const PURGE_INTERVAL_MS: i64 = 60 * 1_000;
/// Tags of a queue.
pub(crate) const TAGS_MAX: usize = 50;
/// Queues of one answer of the list operations.
pub(crate) const LIST_PAGE: RangeInclusive<u32> = 1..=1_000;
/// ARNs in a redrive allow policy.
pub(crate) const ALLOWED_SOURCES: RangeInclusive<usize> = 1..=10;

/// Expired messages, or messages moved to a dead-letter queue, that one call clears away at the most (ours: it bounds
/// the time a call may hold the others up).
pub(crate) const CLEARED_PER_CALL_MAX: usize = 1_000;
/// Forgotten deduplication ids that one send clears away at the most (ours).
pub(crate) const FORGOTTEN_PER_SEND_MAX: usize = 100;
/// Remembered receive attempts per queue (ours).
pub(crate) const ATTEMPTS_MAX: usize = 1_000;
/// Messages per batch when a whole queue is cleared (ours).
pub(crate) const SWEEP_BATCH: usize = 500;
