//! What can be typed after `stepwell bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// `stepwell bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Measure these only; several are separated by commas
    #[arg(long, value_name = "NAME", value_enum, value_delimiter = ',')]
    pub only: Vec<BenchSection>,
    /// How long each measurement takes; what it is compared with takes less
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub seconds: Duration,
    /// How many executions wait at once in the section `parked`
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub parked: u64,
    /// Directory on the disk to measure; what is written below it is removed at the end
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub data_dir: PathBuf,
    /// Pretend that the disk takes so long for each sync, as ordinary disks do: 5ms
    #[arg(long, value_name = "TIME", value_parser = delay)]
    pub sync_delay: Option<Duration>,
    /// The processor that the server runs on [default: the first one]
    #[arg(long, value_name = "CPU")]
    pub server_cpu: Option<usize>,
    /// The processor that the clients run on [default: the last one]
    #[arg(long, value_name = "CPU")]
    pub client_cpu: Option<usize>,
    /// Let the server and the clients use all processors
    #[arg(long, conflicts_with_all = ["server_cpu", "client_cpu"])]
    pub all_cpus: bool,
    /// Measure the server at this http:// URL instead of one started for the purpose: without what needs its process or its
    /// disk. Leaves its executions there
    #[arg(long, value_name = "URL", conflicts_with_all = ["data_dir", "sync_delay", "server_cpu", "serve"])]
    pub endpoint_url: Option<String>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
    /// Further options of `stepwell serve`
    #[arg(last = true, value_name = "OPTION")]
    pub serve: Vec<String>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchSection {
    /// From process start to the first answer, on an empty directory; memory when idle
    Startup,
    /// Durable executions of one Pass state
    Start,
    /// Durable transitions of a loop of 100 iterations
    Loop,
    /// StartSyncExecution of one Pass state
    Sync,
    /// Inline Map over 1,000 items
    Map,
    /// The same payload shaped in JSONPath and in JSONata
    Shape,
    /// Bytes on disk for a transition that does not change its payload
    Journal,
    /// Executions that wait: memory, disk, requests among them, restart after kill -9
    Parked,
}

/// `stepwell bench-echo`: what `stepwell bench` compares answers with.
#[derive(Debug, Args)]
pub struct BenchEchoArgs {}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number of seconds".to_owned())?;
    if !(0.01..=3600.0).contains(&seconds) {
        return Err("must be between 0.01 and 3600".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// `5ms`, `250us`.
pub(super) fn delay(text: &str) -> Result<Duration, String> {
    let units = [("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let parsed = units.iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(number * factor)
    });
    match parsed {
        Some(seconds) if (0.0..=10.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be a time up to 10s, such as 5ms".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("5ms", Some(Duration::from_millis(5))),
            ("0.5ms", Some(Duration::from_micros(500))),
            ("250us", Some(Duration::from_micros(250))),
            ("1s", Some(Duration::from_secs(1))),
            ("5", None),
            ("ms", None),
            ("-1ms", None),
            ("1h", None),
            ("60s", None),
            ("NaNs", None),
        ] {
            assert_eq!(delay(text).ok(), expected, "{text}");
        }
        assert_eq!(seconds("0.2"), Ok(Duration::from_millis(200)));
        assert!(seconds("0").is_err() && seconds("NaN").is_err() && seconds("1e9").is_err());
    }
}
