//! The figures of all parts as a Prometheus page, in the OpenMetrics text format.
//!
//! Names and units are listed in `docs/operations.md`; a test holds the two together. No label is a name of a machine,
//! an execution or a function: their number is the user's, and every series costs the monitoring memory.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use stepwell_engine::Engine;
use stepwell_figures::Distribution;
use stepwell_lambda::Lambda;
use stepwell_server::ServerFigures;
use stepwell_store::Store;

use crate::process;
use crate::traces::TraceFigures;

/// The content type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whose figures are shown. What is absent is left out.
#[derive(Clone, Default)]
pub struct Sources {
    /// Executions, timers, tasks.
    pub engine: Option<Engine>,
    /// Commits.
    pub store: Option<Store>,
    /// Functions.
    pub lambda: Option<Arc<Lambda>>,
    /// Requests and connections.
    pub server: Option<Arc<ServerFigures>>,
    /// Spans.
    pub traces: Option<Arc<TraceFigures>>,
    /// The version of the program.
    pub version: &'static str,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The page.
#[must_use]
pub fn page(sources: &Sources) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(sources.clone()));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("writing to a string never fails");
    page
}

impl Collector for Sources {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.gauge(
            "stepwell_build_info",
            "The version that runs; always 1",
            &[(&[("version", self.version)], 1)],
        )?;
        if let Some(engine) = &self.engine {
            page.engine(engine)?;
        }
        if let Some(store) = &self.store {
            page.store(store)?;
        }
        if let Some(lambda) = &self.lambda {
            page.lambda(lambda)?;
        }
        if let Some(server) = &self.server {
            page.server(server)?;
        }
        if let Some(traces) = &self.traces {
            let counts = [("exported", traces.exported.get()), ("dropped", traces.dropped.get())];
            page.counter_by(
                "stepwell_trace_spans",
                "Spans, by whether the collector got them",
                "outcome",
                &counts,
            )?;
            page.counter(
                "stepwell_trace_executions_dropped",
                "Executions without a trace because too many waited for the collector",
                None,
                traces.executions_dropped.get(),
            )?;
        }
        self.throttled(&mut page)?;
        page.process()
    }
}

impl Sources {
    fn throttled(&self, page: &mut Page<'_>) -> fmt::Result {
        let mut counts = Vec::new();
        if let Some(engine) = &self.engine {
            counts.push(("shard", engine.figures().throttled));
        }
        if let Some(server) = &self.server {
            counts.push(("memory", server.refused_for_memory.get()));
        }
        if let Some(lambda) = &self.lambda {
            let throttled =
                lambda.figures().ended.iter().find(|(outcome, _)| *outcome == "throttled").copied();
            counts.push(("lambda", throttled.map_or(0, |(_, count)| count)));
        }
        let help = "Requests refused because the server has too much to do, by what was full";
        page.counter_by("stepwell_throttled_requests", help, "by", &counts)
    }
}

/// The page as far as it is written.
struct Page<'a>(DescriptorEncoder<'a>);

/// Labels, and the value that they have.
type Labelled<'a, V> = (&'a [(&'a str, &'a str)], V);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A counter with one label.
    fn counter_by(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: &[(impl AsRef<str>, u64)],
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            let labels = Labels(&[(label, value.as_ref())]);
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, values: &[Labelled<'_, i64>]) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            if labels.is_empty() {
                metric.encode_gauge(value)?;
            } else {
                metric.encode_family(&Labels(labels))?.encode_gauge(value)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, name: &str, help: &str, value: usize) -> fmt::Result {
        self.gauge(name, help, &[(&[], i64::try_from(value).unwrap_or(i64::MAX))])
    }

    /// A histogram; durations are in nanoseconds and become seconds.
    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: &[Labelled<'_, Distribution>],
    ) -> fmt::Result {
        let scale = if matches!(unit, Some(Unit::Seconds)) { 1e9 } else { 1.0 };
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        for (labels, value) in values {
            #[allow(clippy::cast_precision_loss, reason = "bounds are far below 2^53, and sums are rounded")]
            let scaled = |raw: u64| raw as f64 / scale;
            let bounds = value.bounds.iter().map(|bound| scaled(*bound)).chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(value.counts.iter().copied()).collect();
            let (sum, count) = (scaled(value.sum), value.count());
            if labels.is_empty() {
                metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
            } else {
                let labels = Labels(labels);
                metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
            }
        }
        Ok(())
    }

    fn seconds(&mut self, name: &str, help: &str, value: Distribution) -> fmt::Result {
        self.histogram(name, help, Some(&Unit::Seconds), &[(&[], value)])
    }

    fn engine(&mut self, engine: &Engine) -> fmt::Result {
        let figures = engine.figures();
        let started = "Executions started, child executions of Map Runs among them";
        self.counter("stepwell_executions_started", started, None, figures.started)?;
        let redriven = "Redrives, those of child executions of Map Runs among them";
        self.counter("stepwell_executions_redriven", redriven, None, figures.redriven)?;
        let ended: Vec<_> = figures.ended.iter().map(|(status, count)| (status.name(), *count)).collect();
        self.counter_by("stepwell_executions_ended", "Executions ended, by final status", "status", &ended)?;
        let running = figures.in_memory + figures.parked;
        self.gauge("stepwell_executions_running", "Executions that run", &[(&[], running)])?;
        let parked = "Executions that run and wait out of memory";
        self.gauge("stepwell_executions_parked", parked, &[(&[], figures.parked)])?;
        self.counter("stepwell_state_transitions", "States entered", None, figures.transitions)?;
        self.counter("stepwell_history_events", "Events of histories written", None, figures.events)?;
        self.gauge("stepwell_timers_pending", "Timers that are set", &[(&[], figures.timers)])?;
        self.seconds("stepwell_timer_lag", "How late timers fire", figures.timer_lag)?;
        self.count("stepwell_tasks_under_way", "Calls of tasks under way", figures.tasks_under_way)?;
        let labels: Vec<_> =
            figures.tasks.iter().map(|t| [("kind", t.kind), ("outcome", t.outcome)]).collect();
        let took = figures.tasks.iter().map(|task| task.took.clone());
        let tasks: Vec<Labelled<'_, _>> = labels.iter().map(|labels| &labels[..]).zip(took).collect();
        let help = "How long calls of tasks take, by what is called and how it ends";
        self.histogram("stepwell_task", help, Some(&Unit::Seconds), &tasks)?;
        let waiting = "Tasks of activities that wait for a worker";
        self.count("stepwell_activity_tasks_waiting", waiting, figures.activity_tasks_waiting)?;
        let pollers = "Workers that wait for a task of an activity";
        self.count("stepwell_activity_pollers", pollers, figures.activity_pollers)?;
        let queued = "API requests that wait for a shard";
        let names: Vec<String> = (0..figures.shards.len()).map(|index| index.to_string()).collect();
        let labels: Vec<_> = names.iter().map(|name| [("shard", name.as_str())]).collect();
        let depths = figures.shards.iter().map(|s| i64::try_from(s.queued_requests).unwrap_or(i64::MAX));
        let depths: Vec<Labelled<'_, _>> = labels.iter().map(|labels| &labels[..]).zip(depths).collect();
        self.gauge("stepwell_shard_queued_requests", queued, &depths)?;
        let messages: Vec<_> =
            names.iter().zip(&figures.shards).map(|(name, s)| (name, s.messages)).collect();
        self.counter_by("stepwell_shard_messages", "Messages handled by a shard", "shard", &messages)?;
        let rounds: Vec<_> = names.iter().zip(&figures.shards).map(|(name, s)| (name, s.rounds)).collect();
        let help = "Rounds of a shard; each gives one batch at the most";
        self.counter_by("stepwell_shard_rounds", help, "shard", &rounds)
    }

    fn store(&mut self, store: &Store) -> fmt::Result {
        let figures = store.figures();
        let commits = "From a batch's being handed in to its being durable";
        self.seconds("stepwell_store_commit", commits, figures.commits.get())?;
        self.seconds("stepwell_store_sync", "The fdatasync of a group of batches", figures.syncs.get())?;
        let groups = "Batches that one fdatasync made durable";
        self.histogram("stepwell_store_group_batches", groups, None, &[(&[], figures.group_batches.get())])?;
        let batch_bytes = figures.batch_bytes.get();
        let written = batch_bytes.sum;
        let sizes = "Keys and values of a batch";
        self.histogram("stepwell_store_batch", sizes, Some(&Unit::Bytes), &[(&[], batch_bytes)])?;
        let help = "Keys and values written";
        self.counter("stepwell_store_written", help, Some(&Unit::Bytes), written)?;
        self.counter("stepwell_store_changes", "Keys written or removed", None, figures.changes.get())?;
        let queued = "Batches that wait to be written";
        self.gauge("stepwell_store_queued_batches", queued, &[(&[], figures.queued.get())])
    }

    fn lambda(&mut self, lambda: &Lambda) -> fmt::Result {
        let figures = lambda.figures();
        let ended = "Invocations of embedded functions, by how they ended";
        self.counter_by("stepwell_lambda_invocations", ended, "outcome", &figures.ended)?;
        let took = "How long invocations take, their waits for a process among it";
        self.seconds("stepwell_lambda_invocation", took, figures.took)?;
        let cold = "Processes started because no warm one was there";
        self.counter("stepwell_lambda_cold_starts", cold, None, figures.cold_starts)?;
        self.count("stepwell_lambda_processes", "Processes of functions, busy or warm", figures.processes)?;
        let idle = "Processes of functions that wait for an invocation";
        self.count("stepwell_lambda_idle_processes", idle, figures.idle_processes)?;
        let waiting = "Invocations that wait for others to end";
        self.count("stepwell_lambda_invocations_waiting", waiting, figures.waiting)
    }

    fn server(&mut self, figures: &ServerFigures) -> fmt::Result {
        let open = [(&[][..], figures.connections.get())];
        self.gauge("stepwell_http_connections", "Connections that are open", &open)?;
        let under_way = [(&[][..], figures.requests_under_way.get())];
        self.gauge("stepwell_http_requests_under_way", "Requests that are being answered", &under_way)?;
        let operations = figures.operations();
        let help = "Requests answered, by service, operation and status (0: a rare one)";
        {
            let mut metric =
                self.0.encode_descriptor("stepwell_http_requests", help, None, MetricType::Counter)?;
            for operation in &operations {
                for (status, count) in &operation.statuses {
                    let status = status.to_string();
                    let labels = [
                        ("service", operation.service),
                        ("operation", operation.operation.as_str()),
                        ("status", status.as_str()),
                    ];
                    let labels = Labels(&labels);
                    metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
                }
            }
        }
        let labels = operations.iter().map(|o| [("service", o.service), ("operation", o.operation.as_str())]);
        let labels: Vec<_> = labels.collect();
        let took = operations.iter().map(|operation| operation.took.clone());
        let took: Vec<Labelled<'_, _>> = labels.iter().map(|labels| &labels[..]).zip(took).collect();
        let help = "How long requests take, from their last byte to the answer";
        self.histogram("stepwell_http_request", help, Some(&Unit::Seconds), &took)
    }

    fn process(&mut self) -> fmt::Result {
        let Some(process) = process::measure() else { return Ok(()) };
        let name = "process_cpu";
        let help = "Processor time in user and system mode";
        let mut metric = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&process.cpu_s, None)?;
        let mut metric = self.0.encode_descriptor(
            "process_start_time",
            "When the process began, since 1970",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        metric.encode_gauge(&process.start_s)?;
        let gauges = [
            ("process_resident_memory_bytes", "Memory in use", process.resident_bytes),
            ("process_virtual_memory_bytes", "Address space", process.virtual_bytes),
            ("process_threads", "Threads", process.threads),
            ("process_open_fds", "File descriptors that are open", process.open_fds),
            ("process_max_fds", "File descriptors that may be open", process.max_fds),
        ];
        for (name, help, value) in gauges {
            self.gauge(name, help, &[(&[], i64::try_from(value).unwrap_or(i64::MAX))])?;
        }
        Ok(())
    }
}

/// Labels of one series.
struct Labels<'a>(&'a [(&'a str, &'a str)]);

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelSetEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}
