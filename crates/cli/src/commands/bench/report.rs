//! What was found, as tables for people and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::load::Load;
use crate::table;
use crate::terminal::{Paint, Terminal};

/// One section of the report.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) measurements: Vec<Measurement>,
    /// Single figures.
    pub(super) figures: Vec<Figure>,
    /// Why there is no more of it.
    pub(super) error: Option<String>,
}

/// Something that clients did, and what it is compared with.
#[derive(Debug)]
pub(super) struct Measurement {
    /// What: `executions`, `JSONata executions` …
    pub(super) label: String,
    pub(super) clients: usize,
    pub(super) load: Load,
    /// What one of them consists of, and how many.
    pub(super) parts: Option<(&'static str, u64)>,
    /// Bytes on disk for one of them.
    pub(super) disk_bytes: Option<f64>,
    pub(super) references: Vec<Reference>,
}

/// What the machine can do at best.
#[derive(Debug)]
pub(super) struct Reference {
    /// In JSON.
    pub(super) name: &'static str,
    /// In the table.
    pub(super) label: String,
    pub(super) load: Load,
}

/// A single figure.
#[derive(Debug)]
pub(super) struct Figure {
    /// In JSON.
    pub(super) name: &'static str,
    /// In the table.
    pub(super) label: String,
    pub(super) value: f64,
    pub(super) unit: Unit,
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Milliseconds,
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Unit::Bytes => bytes(value),
            Unit::Milliseconds => time(Duration::from_secs_f64(value.max(0.0) / 1000.0)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Unit::Bytes => "bytes",
            Unit::Milliseconds => "milliseconds",
        }
    }
}

impl Measurement {
    /// How many times a reference does in the same time: above 1 where Stepwell does more.
    fn throughput_ratio(&self, reference: &Reference) -> f64 {
        self.load.per_second() / reference.load.per_second().max(1e-9)
    }

    /// How many times as long as a reference's median its own is.
    fn p50_ratio(&self, reference: &Reference) -> f64 {
        percentile(&self.load, 0.5).as_secs_f64() / percentile(&reference.load, 0.5).as_secs_f64().max(1e-9)
    }

    fn json(&self) -> Value {
        let mut value = load_json(&self.load);
        value["name"] = json!(self.label);
        value["clients"] = json!(self.clients);
        if let Some((name, count)) = self.parts {
            value["parts"] =
                json!({"name": name, "count": count, "perSecond": self.load.per_second() * as_float(count)});
        }
        value["diskBytesEach"] = json!(self.disk_bytes);
        let references = self.references.iter().map(|reference| {
            let mut value = load_json(&reference.load);
            value["name"] = json!(reference.name);
            value["throughputRatio"] = json!(self.throughput_ratio(reference));
            value["p50Ratio"] = json!(self.p50_ratio(reference));
            value
        });
        value["references"] = references.collect();
        value
    }
}

impl Section {
    /// As JSON.
    pub(super) fn json(&self) -> Value {
        let figures = self
            .figures
            .iter()
            .map(|figure| json!({"name": figure.name, "value": figure.value, "unit": figure.unit.name()}));
        json!({
            "name": self.name,
            "title": self.title,
            "measurements": self.measurements.iter().map(Measurement::json).collect::<Value>(),
            "figures": figures.collect::<Value>(),
            "error": self.error,
        })
    }

    /// As text, with an empty line at its end.
    pub(super) fn text(&self, terminal: &Terminal) -> String {
        let mut text = format!(
            "{} {}\n",
            terminal.out(Paint::Strong, &self.name),
            terminal.out(Paint::Dim, &format!("· {}", self.title))
        );
        if !self.measurements.is_empty() {
            text.push_str(&measurements_table(&self.measurements));
            text.push('\n');
        }
        for figure in &self.figures {
            text.push_str(&format!("{:<54}{}\n", figure.label, figure.unit.text(figure.value)));
        }
        if let Some(error) = &self.error {
            text.push_str(&terminal.out(Paint::Bad, &format!("not available: {error}")));
            text.push('\n');
        }
        text
    }
}

fn measurements_table(measurements: &[Measurement]) -> String {
    let headings =
        ["", "per second", "p50", "p90", "p99", "max", "cpu each", "disk each", "ratio", "p50 ratio"];
    let mut table = table::table(&headings);
    for measurement in measurements {
        let plural = if measurement.clients == 1 { "client" } else { "clients" };
        let label = format!("{}, {} {plural}", measurement.label, measurement.clients);
        let mut row = load_cells(label, &measurement.load);
        row.push(measurement.disk_bytes.map(bytes).unwrap_or_default());
        table.add_row(row);
        if let Some((name, count)) = measurement.parts {
            let count = as_float(count);
            let cpu = measurement.load.cpu_each().map(|cpu| time(cpu.div_f64(count)));
            let mut row = vec![format!("  {name}"), number(measurement.load.per_second() * count)];
            row.extend([const { String::new() }; 4]);
            row.push(cpu.unwrap_or_default());
            row.push(measurement.disk_bytes.map(|each| bytes(each / count)).unwrap_or_default());
            table.add_row(row);
        }
        for reference in &measurement.references {
            let mut row = load_cells(format!("  {}", reference.label), &reference.load);
            row.push(String::new());
            row.push(format!("{:.2}", measurement.throughput_ratio(reference)));
            row.push(format!("{:.2}", measurement.p50_ratio(reference)));
            table.add_row(row);
        }
        if measurement.load.throttled > 0 {
            table.add_row(vec![format!("  turned away {} times", measurement.load.throttled)]);
        }
    }
    table::text(&table)
}

fn load_cells(label: String, load: &Load) -> Vec<String> {
    let mut cells = vec![label, number(load.per_second())];
    cells.extend([0.5, 0.9, 0.99, 1.0].map(|share| time(percentile(load, share))));
    cells.push(load.cpu_each().map(time).unwrap_or_default());
    cells
}

fn load_json(load: &Load) -> Value {
    let milliseconds = |share| percentile(load, share).as_secs_f64() * 1000.0;
    json!({
        "operations": load.operations,
        "seconds": load.elapsed.as_secs_f64(),
        "perSecond": load.per_second(),
        "latencyMilliseconds": {
            "p50": milliseconds(0.5),
            "p90": milliseconds(0.9),
            "p99": milliseconds(0.99),
            "max": milliseconds(1.0),
        },
        "cpuMicrosecondsEach": load.cpu_each().map(|cpu| cpu.as_secs_f64() * 1e6),
        "throttled": load.throttled,
    })
}

fn percentile(load: &Load, share: f64) -> Duration {
    Duration::from_nanos(load.latency.value_at_quantile(share))
}

#[allow(clippy::cast_precision_loss, reason = "figures for reading need no more than 52 bits")]
pub(super) fn as_float(count: u64) -> f64 {
    count as f64
}

/// With three significant digits or none after the point.
fn significant(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 0.001 => format!("{} µs", significant(s * 1e6)),
        s if s < 1.0 => format!("{} ms", significant(s * 1e3)),
        s => format!("{} s", significant(s)),
    }
}

fn bytes(value: f64) -> String {
    match value {
        v if v < 10_000.0 => format!("{} B", significant(v)),
        v if v < 10_000.0 * 1024.0 => format!("{} KiB", significant(v / 1024.0)),
        v => format!("{} MiB", significant(v / (1024.0 * 1024.0))),
    }
}

/// With commas between thousands.
fn number(value: f64) -> String {
    if value < 1000.0 {
        return significant(value);
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::load::histogram;
    use super::*;

    #[test]
    fn figures_are_easily_read() {
        assert_eq!(
            [0.0, 9.876, 98.76, 999.4, 1000.0, 1_234_567.8].map(number),
            ["0.00", "9.88", "98.8", "999", "1,000", "1,234,568"]
        );
        assert_eq!(time(Duration::from_micros(87)), "87.0 µs");
        assert_eq!(time(Duration::from_micros(8_765)), "8.77 ms");
        assert_eq!(time(Duration::from_secs(12)), "12.0 s");
        assert_eq!([87.3, 20_480.0, 31_457_280.0].map(bytes), ["87.3 B", "20.0 KiB", "30.0 MiB"]);
    }

    fn load(operations: u64, seconds: u64) -> Load {
        let mut latency = histogram();
        latency.record_n(seconds * 1_000_000_000 / operations, operations).expect("is in range");
        let elapsed = Duration::from_secs(seconds);
        Load { operations, elapsed, latency, cpu: Some(elapsed / 2), throttled: 0 }
    }

    #[test]
    fn a_reference_is_compared_with() {
        let measurement = Measurement {
            label: "executions".into(),
            clients: 1,
            load: load(100, 1),
            parts: Some(("transitions", 7)),
            disk_bytes: Some(700.0),
            references: vec![Reference { name: "httpEcho", label: "echo".into(), load: load(400, 1) }],
        };
        let value = measurement.json();
        let reference = &value["references"][0];
        assert_eq!(reference["throughputRatio"], 0.25);
        assert!(
            reference["p50Ratio"].as_f64().is_some_and(|ratio| (3.9..4.1).contains(&ratio)),
            "{reference}"
        );
        assert_eq!(value["parts"]["perSecond"], 700.0);
        assert_eq!(value["cpuMicrosecondsEach"], 5000.0);
        let text = measurements_table(&[measurement]);
        assert!(text.contains("executions, 1 client  100") && text.contains("  transitions"), "{text}");
        assert!(
            text.lines().nth(2).is_some_and(|line| line.contains("714 µs") && line.contains("100 B")),
            "{text}"
        );
    }
}
