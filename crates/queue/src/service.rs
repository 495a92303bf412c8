//! The service as the rest of Stepwell sees it, and the way from an operation's name to its action.

use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_store::Store;
use tokio::sync::watch;

use crate::actions;
use crate::address;
use crate::fault;
use crate::input::Input;
use crate::ledger::SharedLedger;
use crate::open::{self, Directory, OpenError};
use crate::queue::Queue;

/// Gives the time: milliseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The SQS of one account.
pub struct Queues {
    pub(crate) ledger: SharedLedger,
    pub(crate) account: Account,
    clock: Clock,
    directory: RwLock<Directory>,
    host: OnceLock<String>,
    /// Whether receives still wait for messages.
    waits_ended: watch::Sender<bool>,
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queues").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Queues {
    /// Opens the queues that `store` holds. Reads one small record per message, so it takes about a microsecond for
    /// each; blocks meanwhile.
    pub fn open(store: Store, account: Account, clock: Clock) -> Result<Arc<Queues>, OpenError> {
        let (ledger, directory) = open::open(store, &account, clock())?;
        Ok(Arc::new(Queues {
            ledger: Arc::new(ledger),
            account,
            clock,
            directory: RwLock::new(directory),
            host: OnceLock::new(),
            waits_ended: watch::Sender::new(false),
        }))
    }

    /// Says where clients reach the queues, as `host:port`: in the URLs that calls get which come from no client, as
    /// those of a Task do. Only the first call counts.
    pub fn reached_at(&self, host: String) {
        let _ = self.host.set(host);
    }

    /// Receives that wait for a message are answered, empty; later ones wait half a second at the most. For a server
    /// that is about to stop.
    pub fn end_waits(&self) {
        self.waits_ended.send_replace(true);
    }

    /// Whether and when [`Queues::end_waits`] was called.
    pub(crate) fn waits_ended(&self) -> watch::Receiver<bool> {
        self.waits_ended.subscribe()
    }

    /// Milliseconds since the epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    pub(crate) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For changes, within a turn at the ledger.
    pub(crate) fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue of this name, if its creation is on disk.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Queue>, Fault> {
        let queue = self.directory().get(name).filter(|queue| queue.is_durable()).cloned();
        queue.ok_or_else(fault::queue_does_not_exist)
    }

    /// The queue that the member `QueueUrl` names.
    pub(crate) fn addressed(&self, input: Input<'_>) -> Result<Arc<Queue>, Fault> {
        // SQS answers a missing URL as it answers a wrong one.
        let url = input.text("QueueUrl")?.ok_or_else(fault::queue_does_not_exist)?;
        self.find(address::name_in_url(url, &self.account)?)
    }

    async fn dispatch(&self, call: Call) -> Result<Reply, Fault> {
        let input = Input::of(&call.input)?;
        let own = || self.host.get().map(|host| format!("http://{host}"));
        let origin = call.origin().or_else(own);
        let origin = origin.as_deref();
        let output = match call.operation.as_str() {
            "CreateQueue" => actions::create_queue::call(self, input, origin).await,
            "DeleteQueue" => actions::delete_queue::call(self, input).await,
            "PurgeQueue" => actions::purge_queue::call(self, input).await,
            "GetQueueUrl" => actions::list_queues::get_url(self, input, origin),
            "ListQueues" => actions::list_queues::list(self, input, origin),
            "ListDeadLetterSourceQueues" => actions::list_queues::dead_letter_sources(self, input, origin),
            "GetQueueAttributes" => actions::queue_attributes::get(self, input),
            "SetQueueAttributes" => actions::queue_attributes::set(self, input).await,
            "TagQueue" => actions::queue_tags::tag(self, input).await,
            "UntagQueue" => actions::queue_tags::untag(self, input).await,
            "ListQueueTags" => actions::queue_tags::list(self, input),
            "SendMessage" => actions::send_message::one(self, input).await,
            "SendMessageBatch" => actions::send_message::batch(self, input).await,
            "ReceiveMessage" => actions::receive_message::call(self, input).await,
            "DeleteMessage" => actions::delete_message::one(self, input).await,
            "DeleteMessageBatch" => actions::delete_message::batch(self, input).await,
            "ChangeMessageVisibility" => actions::change_visibility::one(self, input).await,
            "ChangeMessageVisibilityBatch" => actions::change_visibility::batch(self, input).await,
            other => Err(Fault::unknown_operation("SQS", other)),
        };
        output.map(Reply::ok)
    }
}

impl Service for Queues {
    fn name(&self) -> &'static str {
        "sqs"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        Box::pin(self.dispatch(call))
    }
}
