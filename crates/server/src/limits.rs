//! Every limit of the wire side, with its unit and reason.

use std::time::Duration;

/// Limits of one listening port.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at once; further ones wait in the system's backlog.
    pub connections_max: usize,
    /// Requests that are worked on at once, long polls among them; further ones are answered with the API's
    /// ThrottlingException.
    pub requests_max: usize,
    /// Time for a client to send a request's headers. It begins with the end of the request before, so that it is
    /// also the time after which an idle connection is closed: whoever wants to hold connections can hold idle ones,
    /// so that a shorter time for headers alone would keep nobody out. Also the time for a TLS handshake.
    pub headers_timeout: Duration,
    /// Time for a client to send a request's body.
    pub body_timeout: Duration,
    /// Time for which a client may take nothing of an answer.
    pub stall_timeout: Duration,
    /// Bytes of a request's headers. There may be 100 of them, as hyper has it.
    pub headers_bytes_max: usize,
    /// Bytes of all request bodies held in memory at once; a request beyond that is answered 503.
    pub buffered_bytes_max: usize,
    /// Time that requests under way are given when the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 16_384,
            requests_max: 8192,
            headers_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(60),
            headers_bytes_max: 32 * 1024,
            buffered_bytes_max: 512 * 1024 * 1024,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Bytes of a request body, where nobody allows more. Above the largest of the embedded APIs' payloads: Lambda's
/// Invoke takes 6 MB, DynamoDB 16 MB only in batches of 25 items of 400 KB, which is 10 MB at the most.
pub const BODY_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Bytes of an oversized body that are read and thrown away, so that the client, still writing, gets to see the answer.
pub(crate) const DISCARDED_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Time for throwing them away.
pub(crate) const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// `maxResults` 0 or absent means this many. Source: API reference of every listing operation.
pub(crate) const PAGE_SIZE_DEFAULT: usize = 100;
/// Bytes after which a page of history ends early, though `maxResults` allows more events.
pub(crate) const HISTORY_PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Pages of history that are read at once; others wait. One page costs the memory of the batches of journal that it
/// touches, which may be far larger than itself.
pub(crate) const HISTORY_READS_MAX: usize = 4;
/// Executions that are described at once, for the same reason.
pub(crate) const DESCRIPTIONS_MAX: usize = 8;
/// How long a `nextToken` is good. Source: API reference.
pub(crate) const TOKEN_VALIDITY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long DeleteStateMachine waits for the machine's executions to end before it answers; they go on ending.
pub(crate) const DELETION_WAIT: Duration = Duration::from_secs(2);
/// Pause before a request that the engine turned away for load is tried again, where nobody else would.
pub(crate) const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// How long GetActivityTask waits for a task. Source: API reference, GetActivityTask.
pub(crate) const ACTIVITY_POLL: Duration = Duration::from_secs(60);
/// Bytes of a payload. Source: quotas, "Maximum input or output size".
pub(crate) const PAYLOAD_BYTES_MAX: usize = 262_144;
/// Characters of a `traceHeader`. Source: API model.
pub(crate) const TRACE_HEADER_CHARS_MAX: usize = 256;
/// How long TestState may take. Source: developer guide, "Testing state machines with TestState".
pub(crate) const TEST_STATE_MAX: Duration = Duration::from_secs(5 * 60);
