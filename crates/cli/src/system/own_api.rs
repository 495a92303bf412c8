//! Stepwell's own endpoints under `/_stepwell/`: assets, stacks, and what this server is. For the command line; what
//! AWS has an API for is served as that API.
//!
//! `GET info` · `HEAD|PUT assets/BUCKET/KEY` · `GET|POST stacks` · `GET|DELETE stacks/NAME` ·
//! `GET operations/ID?after=N` (waits a while for news)

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_aws::{Account, BoxFuture};
use stepwell_deploy::stack::{StackRecord, StackStore as _};
use stepwell_deploy::{DeployRequest, StackResult, stack};
use stepwell_server::{BODY_BYTES_MAX, RestService};

use super::deployments::{Deployments, Order};

/// Where these endpoints are.
const PREFIX: &str = "/_stepwell/";

/// A header that every request but `GET` and `HEAD` must carry. A web page cannot make a browser send it here without
/// asking first, and the question is not answered, so pages cannot deploy anything.
pub(crate) const OWN_HEADER: &str = "x-stepwell";

/// What requests to these endpoints are signed for.
pub(crate) const SIGNING_NAME: &str = "stepwell";

/// Bytes of an asset; a Lambda package has at most 250 MiB.
const ASSET_BYTES_MAX: usize = 260 * 1024 * 1024;

/// How long a question about an operation waits for news.
const PATIENCE: Duration = Duration::from_secs(10);

/// The endpoints.
pub(crate) struct OwnApi {
    account: Account,
    deployments: Deployments,
}

struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

type Answer = Result<(StatusCode, Value), Refusal>;

fn refuse(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into() }
}

fn not_found(message: impl Into<String>) -> Refusal {
    refuse(StatusCode::NOT_FOUND, "NotFoundException", message)
}

fn store_failed(error: &dyn std::error::Error) -> Refusal {
    tracing::error!(%error, "the store failed");
    refuse(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalFailure",
        "the store failed; the server's log says why",
    )
}

impl OwnApi {
    /// The endpoints of a server.
    pub(crate) fn new(account: Account, deployments: Deployments) -> Self {
        OwnApi { account, deployments }
    }

    async fn answer(&self, head: &Parts, body: Bytes) -> Answer {
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if !reads && !head.headers.contains_key(OWN_HEADER) {
            let message = format!("requests to {PREFIX} must carry the header {OWN_HEADER}");
            return Err(refuse(StatusCode::FORBIDDEN, "AccessDeniedException", message));
        }
        let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let parts: Vec<&str> = path.splitn(3, '/').collect();
        match (head.method.as_str(), parts.as_slice()) {
            ("GET", ["info"]) => Ok((StatusCode::OK, self.info())),
            ("HEAD" | "GET", ["assets", bucket, key]) => self.asset_exists(bucket, key),
            ("PUT", ["assets", bucket, key]) => self.put_asset(bucket, key, body).await,
            ("GET", ["stacks"]) => self.list_stacks().await,
            ("POST", ["stacks"]) => self.deploy(&body),
            ("GET", ["stacks", name]) => self.show_stack(name).await,
            ("DELETE", ["stacks", name]) => self.delete_stack(name).await,
            ("GET", ["operations", id]) => self.report(id, head.uri.query().unwrap_or_default()).await,
            _ => Err(not_found(format!("there is nothing at {} {}", head.method, head.uri.path()))),
        }
    }

    fn info(&self) -> Value {
        json!({
            "name": "stepwell",
            "version": env!("CARGO_PKG_VERSION"),
            "partition": self.account.partition,
            "region": self.account.region,
            "account": self.account.id,
        })
    }

    fn asset_exists(&self, bucket: &str, key: &str) -> Answer {
        let exists = self.deployments.assets().contains(bucket, key).map_err(|error| store_failed(&error))?;
        Ok((StatusCode::OK, json!({ "exists": exists })))
    }

    async fn put_asset(&self, bucket: &str, key: &str, body: Bytes) -> Answer {
        let assets = self.deployments.assets().clone();
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let kept = tokio::task::spawn_blocking(move || assets.put_blocking(&bucket, &key, &body)).await;
        match kept {
            Ok(Ok(())) => Ok((StatusCode::OK, json!({}))),
            Ok(Err(error)) => Err(store_failed(&error)),
            Err(error) => Err(store_failed(&error)),
        }
    }

    async fn list_stacks(&self) -> Answer {
        let records = self.deployments.stacks().list().await.map_err(|error| store_failed(&error))?;
        Ok((StatusCode::OK, json!({"stacks": records.iter().map(summary).collect::<Vec<_>>()})))
    }

    async fn show_stack(&self, name: &str) -> Answer {
        let record = self.deployments.stacks().load(name).await.map_err(|error| store_failed(&error))?;
        match record {
            Some(record) => Ok((StatusCode::OK, shown(&record))),
            None => Err(not_found(format!("Stack with id {name} does not exist"))),
        }
    }

    async fn delete_stack(&self, name: &str) -> Answer {
        let record = self.deployments.stacks().load(name).await.map_err(|error| store_failed(&error))?;
        if record.is_none() {
            return Err(not_found(format!("Stack with id {name} does not exist")));
        }
        self.begin(Order::Delete(name.to_owned()))
    }

    fn deploy(&self, body: &[u8]) -> Answer {
        let request: DeployRequest = serde_json::from_slice(body).map_err(|error| {
            refuse(
                StatusCode::BAD_REQUEST,
                "SerializationException",
                format!("the request is not understood: {error}"),
            )
        })?;
        self.begin(Order::Deploy(request))
    }

    fn begin(&self, order: Order) -> Answer {
        match self.deployments.begin(order) {
            Ok(id) => Ok((StatusCode::ACCEPTED, json!({ "operation": id }))),
            Err(busy) => Err(refuse(StatusCode::CONFLICT, "OperationInProgressException", busy.to_string())),
        }
    }

    async fn report(&self, id: &str, query: &str) -> Answer {
        let after = query.split('&').find_map(|pair| pair.strip_prefix("after="));
        let after = after.and_then(|number| number.parse().ok()).unwrap_or(0);
        match self.deployments.report(id, after, PATIENCE).await {
            Some(report) => Ok((StatusCode::OK, as_json(&report)?)),
            None => Err(not_found(format!("there is no operation {id}"))),
        }
    }
}

fn as_json(value: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value).map_err(|error| store_failed(&error))
}

fn summary(record: &StackRecord) -> Value {
    json!({
        "name": record.name,
        "id": record.id,
        "status": record.status,
        "statusReason": record.status_reason,
        "createdMs": record.created_ms,
        "updatedMs": record.updated_ms,
        "resources": record.resources.len(),
    })
}

fn shown(record: &StackRecord) -> Value {
    let mut value = summary(record);
    let result = StackResult::of(record, stack::Action::Unchanged);
    value["resources"] = json!(result.resources);
    value["outputs"] = json!(result.outputs);
    value["tags"] = json!(record.tags);
    value["events"] = json!(record.events);
    value
}

impl RestService for OwnApi {
    fn signing_name(&self) -> &'static str {
        SIGNING_NAME
    }

    fn handles(&self, _method: &Method, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn body_bytes_max(&self, method: &Method, path: &str) -> usize {
        let asset = method == Method::PUT && path.starts_with("/_stepwell/assets/");
        if asset { ASSET_BYTES_MAX } else { BODY_BYTES_MAX }
    }

    fn handle(&self, head: Parts, body: Bytes) -> BoxFuture<'_, (StatusCode, HeaderMap, Bytes)> {
        Box::pin(async move {
            let (status, value) = self.answer(&head, body).await.unwrap_or_else(|refusal| {
                (refusal.status, json!({"__type": refusal.code, "message": refusal.message}))
            });
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (status, headers, Bytes::from(value.to_string()))
        })
    }
}
