//! One invocation of a function, from its parameters to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Value, json};
use stepwell_aws::{Call, Fault, Reply};

use crate::Inner;
use crate::catalog::Entry;
use crate::faults;
use crate::logs::WorkerLog;
use crate::names::{self, FunctionId, LATEST};
use crate::record::Alias;
use crate::validate::{Input, Problems};
use crate::worker::{Finished, Invocation, Outcome, Worker};

/// Payload of a synchronous invocation, AWS's limit.
const SYNC_BYTES_MAX: usize = 6_291_456;

/// Payload of an `Event` invocation, AWS's limit.
const EVENT_BYTES_MAX: usize = 1_048_576;

/// Bytes of the client context as it travels, AWS's limit.
const CLIENT_CONTEXT_BYTES_MAX: usize = 3583;

/// Warm processes that may turn out dead before a new one is started.
const DEAD_WORKERS_MAX: usize = 100;

/// The `Invoke` operation.
pub(crate) async fn invoke(inner: &Arc<Inner>, call: Call) -> Result<Reply, Fault> {
    let input = Input::new(&call.input)?;
    let name = input.required_text("FunctionName")?;
    let id = names::parse(name, input.text("Qualifier")?, &inner.ground.account)?;
    let kind = input.text("InvocationType")?.unwrap_or("RequestResponse");
    let log_type = input.text("LogType")?.unwrap_or("None");
    let mut problems = Problems::new();
    problems.one_of("invocationType", kind, &["Event", "RequestResponse", "DryRun"]);
    problems.one_of("logType", log_type, &["None", "Tail"]);
    problems.fault()?;
    let client_context = input.text("ClientContext")?.map(read_client_context).transpose()?;
    let entry = inner.function(&id)?;
    let payload = payload(&input, &call.body)?;
    let bytes_max = if kind == "Event" { EVENT_BYTES_MAX } else { SYNC_BYTES_MAX };
    if payload.len() > bytes_max {
        return Err(faults::request_too_large(bytes_max));
    }
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        return Err(faults::invalid_content(format!("Could not parse payload into json: {error}")));
    }
    let request_id = uuid::Uuid::new_v4().to_string();
    let invocation = Invocation {
        request_id: request_id.clone(),
        payload,
        invoked_arn: id.arn(&inner.ground.account),
        client_context,
    };
    match kind {
        "DryRun" => Ok(answer(204, request_id, Bytes::new())),
        "Event" => {
            inner.events.accept(inner, &id, invocation).await?;
            Ok(answer(202, request_id, Bytes::new()))
        }
        _ => {
            let finished = run(inner, &entry, invocation).await;
            let answered = matches!(&finished, Ok(Finished { outcome: Outcome::Response(_), .. }));
            if inner.pool.is_closed() && !answered {
                return Err(faults::unanswered());
            }
            let finished = finished?;
            let version = entry.record().version_text();
            Ok(synchronous(request_id, &version, finished, log_type == "Tail"))
        }
    }
}

/// The payload: the body, or where there is none the member `Payload`, or `{}`.
fn payload(input: &Input<'_>, body: &Bytes) -> Result<Bytes, Fault> {
    if !body.is_empty() {
        return Ok(body.clone());
    }
    match input.text("Payload")? {
        Some(text) => crate::code::from_base64(text)
            .map(Bytes::from)
            .ok_or_else(|| faults::invalid_content("the payload is not valid base64")),
        None => Ok(Bytes::from_static(b"{}")),
    }
}

/// The client context's JSON on one line.
fn read_client_context(text: &str) -> Result<String, Fault> {
    let decoded = crate::code::from_base64(text).filter(|_| text.len() <= CLIENT_CONTEXT_BYTES_MAX);
    let json = decoded.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    json.map(|json| json.to_string())
        .ok_or_else(|| faults::invalid_content("Client context must be a valid Base64-encoded JSON object."))
}

fn answer(status: u16, request_id: String, body: Bytes) -> Reply {
    Reply { status, headers: Vec::new(), output: json!({}), body: Some(body), request_id: Some(request_id) }
}

fn synchronous(request_id: String, version: &str, finished: Finished, with_log: bool) -> Reply {
    let (body, failed) = match finished.outcome {
        Outcome::Response(body) => (body, false),
        Outcome::FunctionError(body) => (body, true),
    };
    let mut reply = answer(200, request_id, body);
    let mut header = |name: &str, value: String| reply.headers.push((name.to_owned(), value));
    header("X-Amz-Executed-Version", version.to_owned());
    if failed {
        header("X-Amz-Function-Error", "Unhandled".to_owned());
    }
    if with_log {
        header("X-Amz-Log-Result", BASE64.encode(&finished.tail));
    }
    reply
}

/// One of an alias's versions, by their weights.
fn choose_version(alias: &Alias) -> String {
    let random = uuid::Uuid::new_v4().as_u128() as u32;
    let mut left = f64::from(random) / f64::from(u32::MAX);
    for (version, weight) in &alias.weights {
        if left < *weight {
            return version.clone();
        }
        left -= weight;
    }
    alias.version.clone()
}

/// Counts an invocation of a function while it runs.
struct InProgress(Arc<Entry>);

impl InProgress {
    fn begin(inner: &Inner, entry: &Arc<Entry>) -> Result<InProgress, Fault> {
        let latest = inner.catalog.get(&entry.record().name);
        let entry = latest.as_ref().unwrap_or(entry);
        let before = entry.in_progress.fetch_add(1, Ordering::AcqRel);
        let counted = InProgress(entry.clone());
        match entry.record().reserved_concurrency {
            Some(limit) if before >= limit => {
                Err(faults::throttled("ReservedFunctionConcurrentInvocationLimitExceeded"))
            }
            _ => Ok(counted),
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs an invocation to its end.
pub(crate) async fn run(
    inner: &Arc<Inner>,
    entry: &Arc<Entry>,
    invocation: Invocation,
) -> Result<Finished, Fault> {
    let began = Instant::now();
    let result = attempt(inner, entry, invocation).await;
    let outcome = match &result {
        Ok(Finished { outcome: Outcome::Response(_), .. }) => "succeeded",
        Ok(Finished { outcome: Outcome::FunctionError(_), .. }) => "function_error",
        Err(fault) if fault.status == 429 => "throttled",
        Err(_) => "failed",
    };
    inner.figures.ended(outcome, began.elapsed());
    result
}

async fn attempt(inner: &Arc<Inner>, entry: &Arc<Entry>, invocation: Invocation) -> Result<Finished, Fault> {
    let _counted = InProgress::begin(inner, entry)?;
    let mut launch = entry.launch();
    if let Some(next) = launch.if_changed().await {
        launch = entry.replace(&launch, next);
        inner.pool.retire(entry.uid, Some(launch.generation));
    }
    // Before a place is taken: the first function of a language may have to wait for packages.
    let blueprint = launch.blueprint(&inner.ground, &inner.catalog).await?;
    let _place = inner.pool.place().await?;
    for _ in 0..DEAD_WORKERS_MAX {
        let worker = match inner.pool.take(entry.uid, launch.generation) {
            Some(worker) => worker,
            None => {
                let (shutdown, alive) = inner.pool.admit()?;
                inner.figures.cold_starts.add(1);
                let log = WorkerLog::new(launch.record.name.as_str().into(), inner.logs.clone());
                Worker::start(blueprint.clone(), log, shutdown, alive)
            }
        };
        let Some(finished) = worker.invoke(invocation.clone()).await else { continue };
        // A function that has changed meanwhile, or is gone, needs its old workers no more.
        if finished.reusable && inner.is_current(entry, launch.generation) {
            inner.pool.give_back(entry.uid, launch.generation, worker);
        }
        return Ok(finished);
    }
    Err(faults::service("The function's processes could not be started"))
}

impl Inner {
    /// The version of a function that `id` names; an alias with several versions gives one of them by their weights.
    pub(crate) fn function(&self, id: &FunctionId) -> Result<Arc<Entry>, Fault> {
        let latest = self.latest(id)?;
        let alias = |name: &str| latest.record().aliases.get(name).map(choose_version);
        let version = match id.qualifier.as_deref() {
            None | Some(LATEST) => return Ok(latest),
            Some(number) if number.bytes().all(|b| b.is_ascii_digit()) => Some(number.to_owned()),
            Some(name) => alias(name),
        };
        let entry = match version.as_deref() {
            None => None,
            Some(LATEST) => Some(latest),
            Some(number) => self.catalog.get(&format!("{}:{number}", id.name)),
        };
        entry.ok_or_else(|| faults::function_not_found(&id.arn(&self.ground.account)))
    }

    /// `$LATEST` of the function that `id` names, whatever its qualifier.
    pub(crate) fn latest(&self, id: &FunctionId) -> Result<Arc<Entry>, Fault> {
        let entry = self.catalog.get(&id.name);
        entry.ok_or_else(|| faults::function_not_found(&id.arn(&self.ground.account)))
    }

    fn is_current(&self, entry: &Arc<Entry>, generation: u64) -> bool {
        entry.launch().generation == generation
            && self.catalog.get(&entry.record().key()).is_some_and(|now| now.uid == entry.uid)
    }
}
