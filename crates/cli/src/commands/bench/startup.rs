//! From the start of a process to its first answer, and what it takes when nothing happens.

use std::time::{Duration, Instant};

use super::error::BenchError;
use super::load::{Load, histogram, record};
use super::process;
use super::report::{Figure, Measurement, Reference, Section, Unit, as_float};
use super::site::{Bench, first_answer};

/// Starts on an empty directory, at the most.
const STARTS_MAX: u64 = 20;

/// Starts on an empty directory, at least.
const STARTS_MIN: u64 = 3;

/// How long a server is left alone before its memory is read.
const IDLE_TIME: Duration = Duration::from_secs(1);

pub(super) async fn measure(bench: &Bench, section: &mut Section) -> Result<(), BenchError> {
    if bench.args.endpoint_url.is_some() {
        return Err(BenchError::NeedsOwnServer);
    }
    let (mut latency, begun) = (histogram(), Instant::now());
    let mut cpu = Duration::ZERO;
    let mut resident = None;
    let (mut spent, mut count) = (Duration::ZERO, 0);
    while count < STARTS_MIN || count < STARTS_MAX && begun.elapsed() < bench.args.seconds {
        let data = bench.fresh_directory()?;
        let server = bench.server(data.path()).await?;
        first_answer(&server.host).await?;
        let took = server.started.elapsed();
        record(&mut latency, took);
        cpu += server.gauge().cpu().unwrap_or_default();
        spent += took;
        count += 1;
        if resident.is_none() {
            tokio::time::sleep(IDLE_TIME.min(bench.args.seconds)).await;
            resident = server.gauge().resident();
        }
    }
    let load = Load { operations: count, elapsed: spent, latency, cpu: Some(cpu), throttled: 0 };
    section.measurements.push(Measurement {
        label: "starts of the server".to_owned(),
        clients: 1,
        load,
        parts: None,
        disk_bytes: None,
        references: vec![bare_process(bench).await?],
    });
    if let Some(resident) = resident {
        section.figures.push(Figure {
            name: "idleResident",
            label: "resident memory when idle".to_owned(),
            value: as_float(resident),
            unit: Unit::Bytes,
        });
    }
    Ok(())
}

/// The same binary, when it only prints its version.
async fn bare_process(bench: &Bench) -> Result<Reference, BenchError> {
    let mut latency = histogram();
    let mut elapsed = Duration::ZERO;
    for _ in 0..STARTS_MIN * 3 {
        let begun = Instant::now();
        let (mut command, cpu) = (process::command(&["version"])?, bench.cpus.server);
        command.stdout(std::process::Stdio::null());
        let ended = tokio::task::spawn_blocking(move || {
            super::machine::pin(cpu);
            command.status()
        });
        let status = ended.await.map_err(|error| BenchError::Process(error.to_string()))?;
        status.map_err(|error| BenchError::Process(format!("this program cannot be started: {error}")))?;
        let took = begun.elapsed();
        record(&mut latency, took);
        elapsed += took;
    }
    let load = Load { operations: latency.len(), elapsed, latency, cpu: None, throttled: 0 };
    Ok(Reference { name: "bareProcess", label: "a process of the binary".to_owned(), load })
}
