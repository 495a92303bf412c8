//! An embedded CloudWatch Logs whose log groups and events survive, on Stepwell's own store.
//!
//! [`Logs`] answers the operations of the CloudWatch Logs API (2014-03-28) that are needed to make log groups and to
//! write and read log events; it is also where executions with a logging configuration are logged
//! ([`Logs::append`], which adds to the batch that makes the execution's events durable).
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `logs.groups` | name | JSON: id, creation, retention |
//! | `logs.streams` | group id, name | JSON: creation |
//! | `logs.events` | group id, stream, 0, timestamp, sequence number | ingestion time, message |
//!
//! A group's id is never used again, so events that a crash left behind a deletion belong to nobody. This crate never
//! reads a clock of its own, never speaks a wire protocol, and does not check permissions.

#![allow(
    clippy::result_large_err,
    reason = "a fault ends a request; boxing it everywhere would cost more to read than it saves to move"
)]

mod events;
mod fault;
mod groups;
mod operations;
mod pattern;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_store::{CommitError, Keyspace, ReadError, Store, WriteBatch};

use groups::Groups;

/// Milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The log groups of a data directory.
pub struct Logs {
    account: Account,
    store: Store,
    groups_keyspace: Keyspace,
    streams_keyspace: Keyspace,
    events_keyspace: Keyspace,
    /// All groups and their streams; a panic elsewhere leaves it whole, as every change is one insertion or removal.
    groups: RwLock<Groups>,
    next_sequence: AtomicU64,
    clock: Clock,
}

impl Logs {
    /// Opens the log groups in `store`.
    pub fn open(store: &Store, account: Account, clock: Clock) -> Result<Arc<Logs>, ReadError> {
        let (groups_keyspace, streams_keyspace) =
            (store.keyspace("logs.groups")?, store.keyspace("logs.streams")?);
        let groups = Groups::read(&groups_keyspace, &streams_keyspace)?;
        // Only has to grow from one start to the next, within a millisecond of the events' own time.
        let first_sequence = u64::try_from(clock()).unwrap_or(0).saturating_mul(1_000_000);
        Ok(Arc::new(Logs {
            account,
            store: store.clone(),
            groups_keyspace,
            streams_keyspace,
            events_keyspace: store.keyspace("logs.events")?,
            groups: RwLock::new(groups),
            next_sequence: AtomicU64::new(first_sequence),
            clock,
        }))
    }

    /// Whether there is the log group that `arn` names, with or without `:*` at its end.
    #[must_use]
    pub fn has_group(&self, arn: &str) -> bool {
        self.group_name(arn).is_some_and(|name| self.read().get(name).is_some())
    }

    /// Adds a log event to `batch`. A group that does not exist (any more) swallows it; a stream is made where there is
    /// none.
    pub fn append(
        &self,
        batch: &mut WriteBatch,
        group_arn: &str,
        stream: &str,
        timestamp_ms: i64,
        message: &str,
    ) {
        let Some(name) = self.group_name(group_arn) else { return };
        let now_ms = self.now_ms();
        let Some(id) = self.read().get(name).map(|group| group.id) else { return };
        if self.read().get(name).is_some_and(|group| !group.streams.contains_key(stream)) {
            let put = groups::stream_record(id, stream, now_ms);
            batch.put(&self.streams_keyspace, put.0, put.1);
            self.write().add_stream(name, stream, now_ms);
        }
        self.put_event(batch, id, stream, timestamp_ms, now_ms, message);
    }

    fn put_event(
        &self,
        batch: &mut WriteBatch,
        group: u64,
        stream: &str,
        timestamp_ms: i64,
        now_ms: i64,
        message: &str,
    ) {
        let sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        let position = events::Position { timestamp_ms, sequence };
        batch.put(
            &self.events_keyspace,
            events::key(group, stream, position),
            events::value(now_ms, message),
        );
    }

    fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// The name in the ARN of a log group of this account.
    fn group_name<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let own = self.account.arn("logs", "log-group:");
        let name = arn.strip_prefix(own.as_str())?;
        let name = name.strip_suffix(":*").unwrap_or(name);
        (!name.contains(':')).then_some(name)
    }

    fn group_arn(&self, name: &str) -> String {
        self.account.arn("logs", &format!("log-group:{name}"))
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), Fault> {
        self.store.commit(batch).map_err(|error: CommitError| fault::store(&error))
    }

    fn read(&self) -> RwLockReadGuard<'_, Groups> {
        self.groups.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Groups> {
        self.groups.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// [`Logs`] as a service under the target prefix `Logs_20140328`.
pub struct LogsService(Arc<Logs>);

impl LogsService {
    /// The API of `logs`.
    #[must_use]
    pub fn new(logs: Arc<Logs>) -> LogsService {
        LogsService(logs)
    }
}

impl Service for LogsService {
    fn name(&self) -> &'static str {
        "logs"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        let logs = self.0.clone();
        Box::pin(async move {
            let Call { operation, input, .. } = call;
            let Some(operation) = operations::of(&operation) else {
                return Err(Fault::unknown_operation("Amazon CloudWatch Logs", &operation));
            };
            let done: Result<Result<Value, Fault>, _> =
                tokio::task::spawn_blocking(move || operation(&logs, input)).await;
            match done {
                Ok(answer) => answer.map(Reply::ok),
                Err(_) => Err(Fault::internal("the request could not be worked on to its end")),
            }
        })
    }
}
