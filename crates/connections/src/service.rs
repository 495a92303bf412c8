//! The service as the rest of Stepwell sees it: the operations, over records that are on disk before they are answered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use serde_json::{Map, Value as Json, json};
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_integrations::connections::{Connection, ConnectionError, Connections};
use stepwell_store::{Keyspace, ReadError, Store, WriteBatch};
use uuid::Uuid;

use crate::check;
use crate::record::{AUTHORIZED, DEAUTHORIZED, Record};

/// Connections of an account. Source: EventBridge quotas, "Connections".
const CONNECTIONS_MAX: usize = 3_000;

/// Longest page of ListConnections; also its default.
const PAGE_MAX: usize = 100;

const KEYSPACE: &str = "events.connections";

/// Gives the time: milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Why the connections could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What the data directory holds could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// EventBridge as far as it is connections.
pub struct EventConnections {
    inner: Arc<Inner>,
    /// For every other operation.
    elsewhere: Option<Arc<dyn Service>>,
}

struct Inner {
    store: Store,
    keyspace: Keyspace,
    account: Account,
    clock: Clock,
    /// By name.
    records: RwLock<BTreeMap<String, Arc<Record>>>,
}

impl fmt::Debug for EventConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventConnections").field("account", &self.inner.account).finish_non_exhaustive()
    }
}

impl EventConnections {
    /// Opens the connections that `store` holds. Operations that are not about connections go to `elsewhere`, an
    /// EventBridge that is not ours. Blocks.
    pub fn open(
        store: &Store,
        account: Account,
        clock: Clock,
        elsewhere: Option<Arc<dyn Service>>,
    ) -> Result<Arc<EventConnections>, OpenError> {
        let keyspace = store.keyspace(KEYSPACE)?;
        let mut records = BTreeMap::new();
        for pair in keyspace.prefix(&[]) {
            let (_, bytes) = pair?;
            let record = Record::read(&bytes)
                .map_err(|reason| ReadError::Corrupt { keyspace: KEYSPACE, reason: reason.to_owned() })?;
            records.insert(record.name.clone(), Arc::new(record));
        }
        let records = RwLock::new(records);
        let inner = Inner { store: store.clone(), keyspace, account, clock, records };
        Ok(Arc::new(EventConnections { inner: Arc::new(inner), elsewhere }))
    }

    async fn answer(&self, call: Call) -> Result<Reply, Fault> {
        let action: fn(&Inner, &Json) -> Result<Json, Fault> = match call.operation.as_str() {
            "CreateConnection" => Inner::create,
            "UpdateConnection" => Inner::update,
            "DescribeConnection" => Inner::describe,
            "ListConnections" => Inner::list,
            "DeauthorizeConnection" => Inner::deauthorize,
            "DeleteConnection" => Inner::delete,
            operation => {
                return match &self.elsewhere {
                    Some(elsewhere) => elsewhere.call(call).await,
                    None => Err(Fault::new(
                        "UnknownOperationException",
                        format!(
                            "Stepwell serves connections only; for {operation} start the server with --endpoint \
                             events=URL, --endpoint events=aws or AWS_ENDPOINT_URL_EVENTBRIDGE set"
                        ),
                    )),
                };
            }
        };
        let inner = self.inner.clone();
        let outcome = tokio::task::spawn_blocking(move || action(&inner, &call.input)).await;
        outcome
            .unwrap_or_else(|_| Err(Fault::internal("the request could not be worked on to its end")))
            .map(Reply::ok)
    }
}

impl Service for EventConnections {
    fn name(&self) -> &'static str {
        "events"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        Box::pin(self.answer(call))
    }
}

impl Connections for EventConnections {
    fn connection(&self, arn: &str) -> BoxFuture<'_, Result<Connection, ConnectionError>> {
        let found = self.inner.usable(arn);
        Box::pin(async { found })
    }
}

impl Inner {
    fn create(&self, input: &Json) -> Result<Json, Fault> {
        let name = check::name(input)?;
        let description = check::description(input)?.map(str::to_owned);
        let authorization_type = check::authorization_type(input)?.ok_or_else(|| {
            check::invalid(
                "1 validation error detected: Value null at 'authorizationType' failed to satisfy constraint: Member \
                 must not be null",
            )
        })?;
        let auth_parameters = check::merged(&Json::Object(Map::new()), &input["AuthParameters"]);
        check::auth_parameters(authorization_type, &auth_parameters)?;
        refuse_private(input)?;
        let now_ms = (self.clock)();
        let resource = format!("connection/{name}/{}", Uuid::new_v4());
        let record = Record {
            arn: self.account.arn("events", &resource),
            name: name.to_owned(),
            description,
            authorization_type: authorization_type.to_owned(),
            auth_parameters,
            kms_key: input["KmsKeyIdentifier"].as_str().map(str::to_owned),
            state: AUTHORIZED.to_owned(),
            created_ms: now_ms,
            modified_ms: now_ms,
            authorized_ms: Some(now_ms),
        };
        self.change(name, |known, count| match known {
            Some(_) => Err(Fault::new(
                "ResourceAlreadyExistsException",
                format!("Connection {name} already exists."),
            )),
            None if count >= CONNECTIONS_MAX => Err(Fault::new(
                "LimitExceededException",
                "The requested resource exceeds the maximum number allowed.",
            )),
            None => Ok(record),
        })
        .map(|record| {
            let mut answer = record.changed();
            answer.as_object_mut().and_then(|members| members.remove("LastAuthorizedTime"));
            answer
        })
    }

    fn update(&self, input: &Json) -> Result<Json, Fault> {
        let name = check::name(input)?;
        let description = check::description(input)?.map(str::to_owned);
        let authorization_type = check::authorization_type(input)?;
        refuse_private(input)?;
        let now_ms = (self.clock)();
        let record = self.change(name, |known, _| {
            let known = known.ok_or_else(|| missing(name))?;
            let mut record = Record::clone(known);
            let new_type = authorization_type.unwrap_or(&known.authorization_type).to_owned();
            let before = if new_type == known.authorization_type {
                known.auth_parameters.clone()
            } else {
                Json::Object(Map::new())
            };
            let given = &input["AuthParameters"];
            record.auth_parameters = if given.is_null() { before } else { check::merged(&before, given) };
            check::auth_parameters(&new_type, &record.auth_parameters)?;
            record.authorization_type = new_type;
            record.description = description.or(record.description);
            record.kms_key = input["KmsKeyIdentifier"].as_str().map(str::to_owned).or(record.kms_key);
            record.state = AUTHORIZED.to_owned();
            record.modified_ms = now_ms;
            record.authorized_ms = Some(now_ms);
            Ok(record)
        })?;
        Ok(record.changed())
    }

    fn deauthorize(&self, input: &Json) -> Result<Json, Fault> {
        let name = check::name(input)?;
        let now_ms = (self.clock)();
        let record = self.change(name, |known, _| {
            let mut record = Record::clone(known.ok_or_else(|| missing(name))?);
            record.auth_parameters = Json::Object(Map::new());
            record.state = DEAUTHORIZED.to_owned();
            record.modified_ms = now_ms;
            Ok(record)
        })?;
        Ok(record.changed())
    }

    fn describe(&self, input: &Json) -> Result<Json, Fault> {
        let name = check::name(input)?;
        self.read().get(name).map(|record| record.described()).ok_or_else(|| missing(name))
    }

    fn list(&self, input: &Json) -> Result<Json, Fault> {
        let text = |member: &str| input[member].as_str().unwrap_or_default();
        let (prefix, state, after) = (text("NamePrefix"), text("ConnectionState"), text("NextToken"));
        let limit = match &input["Limit"] {
            Json::Null => PAGE_MAX,
            limit => {
                let limit = limit.as_u64().and_then(|limit| usize::try_from(limit).ok());
                limit.filter(|limit| (1..=PAGE_MAX).contains(limit)).ok_or_else(|| {
                    check::invalid(format!(
                        "Parameter Limit is not valid. Reason: must be from 1 to {PAGE_MAX}."
                    ))
                })?
            }
        };
        let records = self.read();
        let mut found = records.values().filter(|record| {
            record.name.starts_with(prefix)
                && (state.is_empty() || record.state == state)
                && (after.is_empty() || record.name.as_str() > after)
        });
        let page: Vec<&Arc<Record>> = found.by_ref().take(limit).collect();
        let mut answer =
            json!({ "Connections": page.iter().map(|record| record.listed()).collect::<Vec<_>>() });
        if let (Some(_), Some(last)) = (found.next(), page.last()) {
            answer["NextToken"] = Json::from(last.name.as_str());
        }
        Ok(answer)
    }

    fn delete(&self, input: &Json) -> Result<Json, Fault> {
        let name = check::name(input)?;
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        let record = records.get(name).ok_or_else(|| missing(name))?;
        let mut answer = record.changed();
        answer["ConnectionState"] = "DELETING".into();
        let mut batch = WriteBatch::new();
        batch.delete(&self.keyspace, name.as_bytes());
        self.commit(batch)?;
        records.remove(name);
        Ok(answer)
    }

    fn usable(&self, arn: &str) -> Result<Connection, ConnectionError> {
        let arn = || arn.to_owned();
        let records = self.read();
        let name = arn().rsplit('/').nth(1).map(str::to_owned).unwrap_or_default();
        let record = records.get(&name).filter(|record| record.arn == arn());
        let record = record.ok_or_else(|| ConnectionError::NotFound { arn: arn() })?;
        if record.state != AUTHORIZED {
            return Err(ConnectionError::InvalidState { arn: arn(), state: record.state.clone() });
        }
        record.connection().ok_or_else(|| ConnectionError::Unreadable {
            arn: arn(),
            reason: "its record is incomplete".to_owned(),
        })
    }

    /// Replaces the connection `name` by what `new` makes of it; it also learns how many there are. Durable when it
    /// returns.
    fn change(
        &self,
        name: &str,
        new: impl FnOnce(Option<&Arc<Record>>, usize) -> Result<Record, Fault>,
    ) -> Result<Arc<Record>, Fault> {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        let record = Arc::new(new(records.get(name), records.len())?);
        let mut batch = WriteBatch::new();
        batch.put(&self.keyspace, name.as_bytes(), record.to_bytes());
        self.commit(batch)?;
        records.insert(name.to_owned(), record.clone());
        Ok(record)
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), Fault> {
        self.store.commit(batch).map_err(|error| {
            tracing::error!(%error, "a connection could not be written");
            Fault::internal("the data directory cannot be written; the server's log says why")
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Record>>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(name: &str) -> Fault {
    Fault::new(
        "ResourceNotFoundException",
        format!("Failed to describe the connection(s). Connection '{name}' does not exist."),
    )
}

fn refuse_private(input: &Json) -> Result<(), Fault> {
    if input["InvocationConnectivityParameters"].is_null() {
        return Ok(());
    }
    Err(check::invalid(
        "InvocationConnectivityParameters (private connections) are not supported by Stepwell.",
    ))
}
