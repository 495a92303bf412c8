//! Every bound of an execution, in one place. Source: AWS Step Functions service quotas.

/// Bytes of UTF-8 that the input, output or result of a state or task may have.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;

/// Events that the history of a Standard execution may have; the last of them is then `ExecutionFailed`.
pub const HISTORY_EVENTS_MAX: u64 = 25_000;

/// Seconds that an Express execution may take. Source: quotas, "Maximum execution time".
pub const EXPRESS_SECONDS_MAX: u32 = 300;

/// Characters of an `error`; longer ones are cut.
pub const ERROR_CHARS_MAX: usize = 256;

/// Characters of a `cause`; longer ones are cut.
pub const CAUSE_CHARS_MAX: usize = 32_768;

/// Records that one decision makes at the most (about); a longer run of states goes on with the next command, so that
/// a machine that loops does not hold up the other executions of its shard.
pub const DECISION_RECORDS_MAX: usize = 2_000;

/// Bytes that all variables of an execution may have together.
pub const VARIABLES_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Iterations of an inline Map that run at a time where the definition sets no lower limit.
pub const INLINE_MAP_CONCURRENCY_MAX: u32 = 40;

/// Items of an inline Map: each has two events of its own, so that more could never fit a history.
pub const MAP_ITEMS_MAX: u32 = 262_144;

/// Bytes of the items of a Map that an expression computes: they are kept with the execution, as variables are.
pub const MAP_ITEMS_BYTES_MAX: usize = VARIABLES_BYTES_MAX;

/// Child executions of a Map Run that run at a time where the definition sets no lower limit.
pub const MAP_RUN_CONCURRENCY_MAX: u32 = 10_000;

/// Redrives of one Map Run.
pub const MAP_RUN_REDRIVES_MAX: u32 = 1_000;

/// An execution can be redriven while its history has fewer events: there must be room for `ExecutionRedriven` and one
/// more.
pub const REDRIVABLE_EVENTS_MAX: u64 = 24_999;

/// An execution can be redriven this long after it closed, in milliseconds.
pub const REDRIVABLE_PERIOD_MS: i64 = 14 * 86_400_000;

/// An execution can be open this long, in milliseconds.
pub const EXECUTION_OPEN_MS_MAX: i64 = 365 * 86_400_000;
