//! The way of ended executions to the collector: a bounded queue and one task that reads, makes spans and sends them.
//!
//! Best effort. The queue never blocks whoever fills it: what does not fit is dropped and counted, and what was not
//! sent when the process ended is not sent by the next one.

use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::trace::SpanId;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{
    Protocol, SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use stepwell_engine::{EndWatch, Engine};
use stepwell_interpreter::ChildOf;
use stepwell_store::ExecutionRow;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use super::TraceFigures;
use super::context::{TraceContext, root_id};
use super::spans;

/// Ended executions that may wait.
const QUEUED_MAX: usize = 16_384;

/// Spans of one request.
const REQUEST_SPANS_MAX: usize = 512;

/// How long the first of several executions waits for others to share its request.
const GATHER_PAUSE: Duration = Duration::from_millis(500);

/// Time for one attempt at a request, its answer included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Map Runs within Map Runs that are followed to the execution whose trace it is.
const ANCESTORS_MAX: usize = 16;

/// Which executions are traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traced {
    /// All of them.
    All,
    /// Those of state machines whose `tracingConfiguration` is enabled, as in AWS.
    Enabled,
}

/// How executions are traced.
#[derive(Debug, Clone, Copy)]
pub struct TraceOptions {
    /// Which of them.
    pub traced: Traced,
}

/// Why executions cannot be traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// Its protocol is one that is not spoken.
    #[error(
        "traces cannot be exported by OTLP over '{protocol}'; OTEL_EXPORTER_OTLP_PROTOCOL may be http/protobuf or http/json"
    )]
    Protocol {
        /// As configured.
        protocol: String,
    },
    /// Something else about the configuration.
    #[error("traces cannot be exported: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

impl TraceOptions {
    /// Whether the environment names a collector and wants traces exported; `variable` reads it.
    ///
    /// Errors: it wants a protocol that is not spoken.
    pub fn is_configured(variable: impl Fn(&str) -> Option<String>) -> Result<bool, TraceError> {
        let is =
            |name: &str, value: &str| variable(name).is_some_and(|text| text.eq_ignore_ascii_case(value));
        let endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
        if endpoint.is_none() || is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(false);
        }
        match named_protocol(variable) {
            Some(protocol) if !["http/protobuf", "http/json"].contains(&protocol.as_str()) => {
                Err(TraceError::Protocol { protocol })
            }
            _ => Ok(true),
        }
    }
}

/// The protocol that the environment asks for, if it does.
fn named_protocol(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
    names.iter().find_map(|name| variable(name))
}

/// The protocol to speak; where the environment names none, the default of OpenTelemetry's specification.
fn protocol() -> Protocol {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match named_protocol(variable).as_deref() {
        Some("http/json") => Protocol::HttpJson,
        _ => Protocol::HttpBinary,
    }
}

/// An end of an execution. It may be redriven, and end again, before this one is traced.
struct Ended {
    execution_arn: Arc<str>,
    last_event_id: u64,
}

/// Traces the executions of an engine. [`Exporter::shutdown`] ends it.
pub struct Exporter {
    queue: mpsc::Sender<Ended>,
    figures: Arc<TraceFigures>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").field("figures", &self.figures).finish_non_exhaustive()
    }
}

impl EndWatch for Exporter {
    fn ended(&self, execution_arn: &Arc<str>, last_event_id: u64) {
        let ended = Ended { execution_arn: execution_arn.clone(), last_event_id };
        if self.queue.try_send(ended).is_err() {
            self.figures.executions_dropped.add(1);
        }
    }
}

impl Exporter {
    /// Traces what ends in `engine` from now on. Must be called within a tokio runtime. Where to, say OpenTelemetry's
    /// variables in the environment.
    pub fn start(engine: &Engine, options: TraceOptions) -> Result<Arc<Exporter>, TraceError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = HyperClient::new(connector, REQUEST_TIMEOUT, None);
        let mut collector =
            OtlpExporter::builder().with_http().with_http_client(client).with_protocol(protocol()).build()?;
        opentelemetry_sdk::trace::SpanExporter::set_resource(&mut collector, &resource());
        let (queue, ended) = mpsc::channel(QUEUED_MAX);
        let (stop, stopped) = watch::channel(false);
        let figures: Arc<TraceFigures> = Arc::default();
        let sender = Sender {
            engine: engine.clone(),
            collector,
            options,
            figures: figures.clone(),
            spans: Vec::new(),
        };
        let task = tokio::spawn(sender.run(ended, stopped));
        let exporter = Arc::new(Exporter { queue, figures, stop, task: Mutex::new(Some(task)) });
        engine.watch_ends(exporter.clone());
        Ok(exporter)
    }

    /// What became of the spans.
    #[must_use]
    pub fn figures(&self) -> &Arc<TraceFigures> {
        &self.figures
    }

    /// Sends what waits, for so long at the most, and ends.
    pub async fn shutdown(&self, patience: Duration) {
        self.stop.send_replace(true);
        let Some(mut task) = self.task.lock().await.take() else { return };
        if tokio::time::timeout(patience, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("some traces were not exported in time");
        }
    }
}

/// Who the spans come from. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
fn resource() -> Resource {
    use opentelemetry::KeyValue;
    let named = std::env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || std::env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|text| text.contains("service.name="));
    let builder =
        Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if named { builder.build() } else { builder.with_service_name("stepwell").build() }
}

struct Sender {
    engine: Engine,
    collector: OtlpExporter,
    options: TraceOptions,
    figures: Arc<TraceFigures>,
    /// Made and not yet sent.
    spans: Vec<SpanData>,
}

impl Sender {
    async fn run(mut self, mut ended: mpsc::Receiver<Ended>, mut stopped: watch::Receiver<bool>) {
        loop {
            let first = tokio::select! {
                first = ended.recv() => first,
                _ = stopped.wait_for(|stopped| *stopped) => None,
            };
            let Some(first) = first else { break };
            self.trace(first).await;
            tokio::select! {
                () = tokio::time::sleep(GATHER_PAUSE) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
            self.trace_waiting(&mut ended).await;
        }
        ended.close();
        self.trace_waiting(&mut ended).await;
    }

    async fn trace_waiting(&mut self, ended: &mut mpsc::Receiver<Ended>) {
        while let Ok(ended) = ended.try_recv() {
            self.trace(ended).await;
        }
        let rest = std::mem::take(&mut self.spans);
        if !rest.is_empty() {
            self.send(rest).await;
        }
    }

    /// Makes the spans of an execution, and sends as many as fill requests.
    async fn trace(&mut self, ended: Ended) {
        let (engine, traced) = (self.engine.clone(), self.options.traced);
        let execution_arn = ended.execution_arn.clone();
        let made = tokio::task::spawn_blocking(move || read(&engine, &ended, traced)).await;
        match made {
            Ok(Ok(spans)) => self.spans.extend(spans),
            Ok(Err(error)) => {
                tracing::warn!(execution = %execution_arn, %error, "an execution cannot be traced");
            }
            Err(error) => tracing::error!(execution = %execution_arn, %error, "tracing panicked"),
        }
        while self.spans.len() >= REQUEST_SPANS_MAX {
            let rest = self.spans.split_off(REQUEST_SPANS_MAX);
            let full = std::mem::replace(&mut self.spans, rest);
            self.send(full).await;
        }
    }

    async fn send(&self, spans: Vec<SpanData>) {
        let count = spans.len() as u64;
        match self.collector.export(spans).await {
            Ok(()) => self.figures.exported.add(count),
            Err(error) => {
                self.figures.dropped.add(count);
                tracing::warn!(spans = count, %error, "the collector did not take spans");
            }
        }
    }
}

/// The spans of an execution up to one of its ends; none where it is not to be traced.
fn read(engine: &Engine, ended: &Ended, traced: Traced) -> Result<Vec<SpanData>, stepwell_store::ReadError> {
    let Ended { execution_arn, last_event_id } = ended;
    let Some(row) = engine.execution_row(execution_arn)? else { return Ok(Vec::new()) };
    if traced == Traced::Enabled {
        let revision = engine.machines().revision(row.revision);
        if !revision.is_some_and(|revision| revision.configurations.tracing.contains(r#""enabled":true"#)) {
            return Ok(Vec::new());
        }
    }
    let mut context = TraceContext::of(&row);
    let mut child_of = row.info.child_of.clone();
    let mut parent_row = None;
    for _ in 0..ANCESTORS_MAX {
        let Some(ChildOf { execution_arn: parent, .. }) = child_of else { break };
        let Some(ancestor) = engine.execution_row(&parent)? else { break };
        context = TraceContext { parent: context.parent, ..TraceContext::of(&ancestor) };
        child_of = ancestor.info.child_of.clone();
        parent_row = parent_row.or(Some(ancestor));
    }
    if !context.is_sampled {
        return Ok(Vec::new());
    }
    let Some((row, records)) = engine.journal(execution_arn)? else { return Ok(Vec::new()) };
    let records = spans::until(&records, *last_event_id);
    if let Some(parent) = parent_row {
        // Directly below the execution that has the Map Run, in its trace.
        context.parent = Some(parent_span(&parent, spans::begin_ms(&row, records)));
    }
    Ok(spans::of(&row, records, context))
}

/// The span of the run of `parent` to which a child belongs that began, or was redriven, at this time. A run is over
/// when its children are, so that one of before the last redrive is of the run before it.
fn parent_span(parent: &ExecutionRow, begin_ms: i64) -> SpanId {
    let redrives = &parent.redrives;
    let is_before = redrives.last_ms.is_some_and(|last_ms| begin_ms < last_ms);
    root_id(&parent.info.execution_arn, redrives.count.saturating_sub(u32::from(is_before)))
}

#[cfg(test)]
mod tests {
    use stepwell_store::Redrives;

    use super::*;
    use crate::traces::spans::tests::row;

    #[test]
    fn children_hang_below_the_run_that_they_began_in() {
        let arn = row(Redrives::default()).info.execution_arn.clone();
        for (count, last_ms, begin_ms, run) in [
            (0, None, 5, 0),
            (1, Some(10), 9, 0),
            (1, Some(10), 10, 1),
            (3, Some(10), 9, 2),
            (3, Some(10), 11, 3),
        ] {
            let parent = row(Redrives { count, last_ms, ..Redrives::default() });
            assert_eq!(parent_span(&parent, begin_ms), root_id(&arn, run), "{count} {begin_ms}");
        }
        assert_ne!(root_id(&arn, 0), root_id(&arn, 1));
    }
}
