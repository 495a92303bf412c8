//! Activities: their durable registry, and the tasks that wait for a worker to poll.
//!
//! What waits is in memory only: after a start every execution that waits for a worker offers its task again.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::time::Duration;

use stepwell_asl::payload::Payload;
use stepwell_aws::Account;
use stepwell_store::{CommitError, Keyspace, ReadError, Store, WriteBatch};
use tokio::sync::{Notify, oneshot};

use crate::dispatch::AttemptKey;
use crate::shard::Message;

/// Activities of an account. Source: quotas, "Maximum number of registered activities".
pub const ACTIVITIES_MAX: usize = 100_000;

/// Workers that may poll one activity at a time. Source: quotas, "Activity pollers".
pub const POLLERS_MAX: usize = 1_000;

const RECORD_VERSION: u64 = 1;

/// A registered activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// `arn:aws:states:…:activity:<name>`
    pub arn: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// `encryptionConfiguration` as JSON text in the caller's normal form.
    pub encryption: Arc<str>,
    /// Key and value, in the order in which they were set.
    pub tags: Vec<(String, String)>,
}

/// Why an activity could not be created, changed or read.
#[derive(Debug, thiserror::Error)]
pub enum ActivityError {
    /// There is none with this ARN.
    #[error("Activity Does Not Exist: '{arn}'")]
    DoesNotExist {
        /// The ARN.
        arn: String,
    },
    /// One with this name and other settings is there.
    #[error("Activity Already Exists: '{arn}'")]
    AlreadyExists {
        /// The ARN.
        arn: Arc<str>,
    },
    /// The account has as many as it may.
    #[error("The maximum number of activities has been reached.")]
    LimitExceeded,
    /// As many workers poll it as may.
    #[error("The maximum number of workers concurrently polling for activity tasks has been reached.")]
    WorkerLimitExceeded,
    /// It could not be made durable.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// A task that a worker has taken.
#[derive(Debug, Clone)]
pub struct ActivityTask {
    /// For SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat.
    pub token: String,
    /// What to work on.
    pub input: Payload,
}

/// A task that waits for a worker.
pub(crate) struct Offer {
    pub attempt: AttemptKey,
    pub activity_arn: Arc<str>,
    pub task: ActivityTask,
    /// The shard of its execution.
    pub shard: mpsc::Sender<Message>,
}

#[derive(Default)]
struct Waiting {
    queues: HashMap<Arc<str>, Queue>,
    /// Which activity an attempt waits at, and its place in the queue.
    places: HashMap<AttemptKey, (Arc<str>, u64)>,
    /// Grows with every offer.
    next_place: u64,
}

#[derive(Default)]
struct Queue {
    /// By place, the oldest first.
    offers: BTreeMap<u64, Offer>,
    pollers: usize,
    arrived: Arc<Notify>,
}

impl Queue {
    /// Whether nobody waits, neither a task nor a worker.
    fn is_idle(&self) -> bool {
        self.offers.is_empty() && self.pollers == 0
    }
}

/// The activities of an engine.
pub struct Activities {
    store: Store,
    keyspace: Keyspace,
    account: Account,
    records: RwLock<BTreeMap<Arc<str>, Arc<Activity>>>,
    waiting: Mutex<Waiting>,
}

impl Activities {
    /// Reads the registry.
    pub fn open(store: &Store, account: Account) -> Result<Activities, ReadError> {
        let keyspace = store.keyspace("engine.activities")?;
        let mut records = BTreeMap::new();
        for pair in keyspace.prefix(&[]) {
            let (_, bytes) = pair?;
            let activity = decode(&bytes).map_err(|reason| ReadError::Corrupt {
                keyspace: "engine.activities",
                reason: reason.to_owned(),
            })?;
            records.insert(activity.arn.clone(), Arc::new(activity));
        }
        Ok(Activities {
            store: store.clone(),
            keyspace,
            account,
            records: RwLock::new(records),
            waiting: Mutex::default(),
        })
    }

    /// CreateActivity: a name is one activity; a second call with the same encryption gives the first one again.
    /// Blocks until it is durable.
    pub fn create(
        &self,
        name: &str,
        encryption: &str,
        tags: Vec<(String, String)>,
        now_ms: i64,
    ) -> Result<Arc<Activity>, ActivityError> {
        let arn: Arc<str> = self.account.arn("states", &format!("activity:{name}")).into();
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = records.get(&arn) {
            let same = &*known.encryption == encryption;
            return if same { Ok(known.clone()) } else { Err(ActivityError::AlreadyExists { arn }) };
        }
        if records.len() >= ACTIVITIES_MAX {
            return Err(ActivityError::LimitExceeded);
        }
        let activity = Arc::new(Activity {
            arn: arn.clone(),
            name: name.into(),
            created_ms: now_ms,
            encryption: encryption.into(),
            tags,
        });
        self.write(&activity)?;
        records.insert(arn, activity.clone());
        Ok(activity)
    }

    /// Replaces the tags of an activity. Blocks until they are durable.
    pub fn set_tags(&self, arn: &str, tags: Vec<(String, String)>) -> Result<(), ActivityError> {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        let known = records.get(arn).ok_or_else(|| ActivityError::DoesNotExist { arn: arn.to_owned() })?;
        let activity = Arc::new(Activity { tags, ..Activity::clone(known) });
        self.write(&activity)?;
        records.insert(activity.arn.clone(), activity);
        Ok(())
    }

    /// DeleteActivity; one that is not there is deleted already. Blocks until it is durable.
    pub fn delete(&self, arn: &str) -> Result<(), ActivityError> {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        if records.contains_key(arn) {
            let mut batch = WriteBatch::new();
            batch.delete(&self.keyspace, arn.as_bytes());
            self.store.commit(batch)?;
            records.remove(arn);
        }
        Ok(())
    }

    /// The activity with this ARN.
    #[must_use]
    pub fn get(&self, arn: &str) -> Option<Arc<Activity>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner).get(arn).cloned()
    }

    /// So many activities after the one with the ARN `after`, in the order of their ARNs.
    #[must_use]
    pub fn list(&self, after: Option<&str>, limit: usize) -> Vec<Arc<Activity>> {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        records.range::<str, _>((from, Bound::Unbounded)).map(|(_, a)| a.clone()).take(limit).collect()
    }

    fn write(&self, activity: &Activity) -> Result<(), CommitError> {
        let mut batch = WriteBatch::new();
        batch.put(&self.keyspace, activity.arn.as_bytes(), encode(activity));
        self.store.commit(batch)
    }

    /// GetActivityTask: waits up to `wait` for a task and takes it; `None` when none came. The task's start is durable
    /// when this returns.
    pub async fn poll(
        &self,
        arn: &str,
        worker_name: Option<Arc<str>>,
        wait: Duration,
    ) -> Result<Option<ActivityTask>, ActivityError> {
        if self.get(arn).is_none() {
            return Err(ActivityError::DoesNotExist { arn: arn.to_owned() });
        }
        let _poller = self.enter(arn)?;
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let arrived = self.lock().queues.entry(arn.into()).or_default().arrived.clone();
            let notified = arrived.notified();
            tokio::pin!(notified);
            // Registered before looking, so that an offer between the look and the wait is not missed.
            notified.as_mut().enable();
            while let Some(offer) = self.take(arn) {
                let (answer, answered) = oneshot::channel();
                let worker_name = worker_name.clone();
                let message = Message::ActivityTaken { attempt: offer.attempt, worker_name, answer };
                // An attempt that is no longer waited for is not started; the next one may be.
                if offer.shard.send(message).is_ok() && answered.await.is_ok() {
                    return Ok(Some(offer.task));
                }
            }
            if tokio::time::timeout_at(deadline, notified).await.is_err() {
                return Ok(None);
            }
        }
    }

    fn enter(&self, arn: &str) -> Result<Poller<'_>, ActivityError> {
        let mut waiting = self.lock();
        let queue = waiting.queues.entry(arn.into()).or_default();
        if queue.pollers >= POLLERS_MAX {
            return Err(ActivityError::WorkerLimitExceeded);
        }
        queue.pollers += 1;
        Ok(Poller { activities: self, arn: arn.to_owned() })
    }

    /// Lets a task wait for a worker.
    pub(crate) fn offer(&self, offer: Offer) {
        let mut waiting = self.lock();
        let place = waiting.next_place;
        waiting.next_place += 1;
        waiting.places.insert(offer.attempt, (offer.activity_arn.clone(), place));
        let queue = waiting.queues.entry(offer.activity_arn.clone()).or_default();
        queue.offers.insert(place, offer);
        queue.arrived.notify_one();
    }

    /// Nobody waits for this attempt any more.
    pub(crate) fn withdraw(&self, attempt: AttemptKey) {
        let mut waiting = self.lock();
        let Some((arn, place)) = waiting.places.remove(&attempt) else { return };
        let Some(queue) = waiting.queues.get_mut(&arn) else { return };
        queue.offers.remove(&place);
        if queue.is_idle() {
            waiting.queues.remove(&arn);
        }
    }

    /// How many tasks wait for a worker, and how many workers wait for a task.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.places.len(), waiting.queues.values().map(|queue| queue.pollers).sum())
    }

    /// What memory holds of tasks that wait for a worker.
    pub(crate) fn held(&self) -> [(&'static str, usize); 3] {
        let waiting = self.lock();
        let offers = waiting.queues.values().map(|queue| queue.offers.len()).sum();
        let idle = waiting.queues.values().filter(|queue| queue.is_idle()).count();
        [
            ("tasks of activities", offers),
            ("places of tasks of activities", waiting.places.len()),
            ("empty queues of activities", idle),
        ]
    }

    fn take(&self, arn: &str) -> Option<Offer> {
        let mut waiting = self.lock();
        let (_, offer) = waiting.queues.get_mut(arn)?.offers.pop_first()?;
        waiting.places.remove(&offer.attempt);
        Some(offer)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a worker out when its poll ends, however it ends.
struct Poller<'a> {
    activities: &'a Activities,
    arn: String,
}

impl Drop for Poller<'_> {
    fn drop(&mut self) {
        let mut waiting = self.activities.lock();
        let Some(queue) = waiting.queues.get_mut(self.arn.as_str()) else { return };
        queue.pollers -= 1;
        // A worker that was woken and left must not keep the news to itself.
        if !queue.offers.is_empty() {
            queue.arrived.notify_one();
        } else if queue.is_idle() {
            waiting.queues.remove(self.arn.as_str());
        }
    }
}

fn encode(activity: &Activity) -> Vec<u8> {
    let record = serde_json::json!({
        "version": RECORD_VERSION,
        "arn": &*activity.arn,
        "name": &*activity.name,
        "created_ms": activity.created_ms,
        "encryption": &*activity.encryption,
        "tags": activity.tags,
    });
    record.to_string().into_bytes()
}

fn decode(bytes: &[u8]) -> Result<Activity, &'static str> {
    let record: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
    if record["version"] != RECORD_VERSION {
        return Err("it was written by another version");
    }
    let text = |name: &str| record[name].as_str().map(Arc::from).ok_or("a member is missing");
    let tags = record["tags"].as_array().ok_or("a member is missing")?;
    Ok(Activity {
        arn: text("arn")?,
        name: text("name")?,
        created_ms: record["created_ms"].as_i64().ok_or("a member is missing")?,
        encryption: text("encryption")?,
        tags: tags
            .iter()
            .map(|pair| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned())))
            .collect::<Option<_>>()
            .ok_or("a tag is broken")?,
    })
}
