//! Measures a workload: starts its executions, and makes sure that all of them have done what they should.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::{Connection, Request};
use super::error::BenchError;
use super::load::{self, Done, Limit, Operation, Stopwatch};
use super::references::{self, Syncs};
use super::report::{Measurement, Reference, Section, as_float};
use super::site::{Bench, Site};
use super::workloads::{Way, Workload};

/// Of so many executions of a client, one is looked at afterwards.
const SAMPLED_OF: u64 = 64;

/// Executions of a client that are looked at.
const SAMPLES_MAX: usize = 64;

/// How long the last executions may take to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Pause between two looks at an execution or a list.
const POLL_PAUSE: Duration = Duration::from_millis(1);

/// What StartExecution and StartSyncExecution answer, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    execution_arn: String,
    status: Option<String>,
    output: Option<String>,
}

/// A client that starts executions of one state machine.
pub(super) struct Starter {
    way: Way,
    host: String,
    request: Request,
    /// As DescribeExecution writes it.
    output: Value,
    count: u64,
    /// Some of those that it has started, the last one included.
    pub(super) samples: Vec<String>,
}

impl Starter {
    /// A client for a state machine.
    pub(super) fn new(site: &Site, workload: &Workload, machine_arn: &str) -> Self {
        Starter {
            way: workload.way,
            host: site.host.clone(),
            request: Request::states(&site.host, operation(workload.way), &body(workload, machine_arn)),
            output: workload.output.clone(),
            count: 0,
            samples: Vec::new(),
        }
    }

    fn remember(&mut self, execution_arn: String) {
        let is_sample = self.count.is_multiple_of(SAMPLED_OF) && self.samples.len() < SAMPLES_MAX;
        self.count += 1;
        if is_sample || self.samples.is_empty() {
            self.samples.push(execution_arn);
        } else if let Some(last) = self.samples.last_mut() {
            *last = execution_arn;
        }
    }

    /// Waits until an execution has succeeded.
    async fn watch(&self, connection: &mut Connection, execution_arn: &str) -> Result<(), BenchError> {
        let request = json!({ "executionArn": execution_arn }).to_string();
        let request = Request::states(&self.host, "DescribeExecution", &request);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let described: Value = connection.exchange(&request).await?.json()?;
            if described["status"] != "RUNNING" {
                return check(&described, &self.output);
            }
            if Instant::now() > deadline {
                return Err(BenchError::Wrong(format!("{execution_arn} does not end")));
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }
}

impl Operation for Starter {
    async fn perform(&mut self, connection: &mut Connection) -> Result<(), BenchError> {
        let started: Started = connection.exchange(&self.request).await?.json()?;
        match self.way {
            Way::Start => {}
            Way::Watch => self.watch(connection, &started.execution_arn).await?,
            Way::Sync => {
                let described = json!({"status": started.status, "output": started.output});
                check(&described, &self.output)?;
            }
        }
        self.remember(started.execution_arn);
        Ok(())
    }
}

fn operation(way: Way) -> &'static str {
    match way {
        Way::Start | Way::Watch => "StartExecution",
        Way::Sync => "StartSyncExecution",
    }
}

fn body(workload: &Workload, machine_arn: &str) -> String {
    json!({"stateMachineArn": machine_arn, "input": workload.input}).to_string()
}

/// Whether an execution has succeeded with the output that it should have.
fn check(described: &Value, expected: &Value) -> Result<(), BenchError> {
    let output = described["output"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    if described["status"] == "SUCCEEDED" && output.as_ref() == Some(expected) {
        return Ok(());
    }
    let text: String = described.to_string().chars().take(500).collect();
    Err(BenchError::Wrong(format!("an execution has not done what it should: {text}")))
}

/// Measures every number of clients of a workload, each with its references.
pub(super) async fn measure(
    bench: &Bench,
    workload: &Workload,
    section: &mut Section,
) -> Result<(), BenchError> {
    let site = bench.site().await?;
    let machine_arn = site.create(workload).await?;
    for clients in workload.clients {
        let measurement = measure_clients(bench, &site, workload, &machine_arn, *clients).await?;
        section.measurements.push(measurement);
    }
    site.forget(&machine_arn).await;
    Ok(())
}

async fn measure_clients(
    bench: &Bench,
    site: &Site,
    workload: &Workload,
    machine_arn: &str,
    clients: usize,
) -> Result<Measurement, BenchError> {
    let starters = || (0..clients).map(|_| Starter::new(site, workload, machine_arn)).collect::<Vec<_>>();
    load::drive(&site.host, starters(), Limit::Time(bench.args.seconds.min(Duration::from_secs(5)) / 5))
        .await?;
    all_succeeded(site, workload, machine_arn).await?;
    let disk_before = site.disk_bytes();
    let watch = Stopwatch::start(site.gauge());
    let done = load::drive(&site.host, starters(), Limit::Time(bench.args.seconds)).await?;
    all_succeeded(site, workload, machine_arn).await?;
    let load = watch.stop(&done);
    check_samples(site, workload, &done).await?;
    let grown = site.disk_bytes().zip(disk_before).and_then(|(after, before)| after.checked_sub(before));
    let disk_bytes =
        grown.filter(|_| workload.way != Way::Sync).map(|grown| as_float(grown) / as_float(load.operations));
    let label = format!("{} executions", workload.label).trim().to_owned();
    let mut measurement =
        Measurement { label, clients, load, parts: workload.parts, disk_bytes, references: Vec::new() };
    let body = body(workload, machine_arn);
    measurement.references.push(echo_reference(bench, clients, operation(workload.way), &body).await?);
    if let Some(bytes) = disk_bytes {
        measurement.references.push(sync_reference(bench, clients, bytes).await?);
    }
    Ok(measurement)
}

/// The echo of a request.
pub(super) async fn echo_reference(
    bench: &Bench,
    clients: usize,
    operation: &str,
    body: &str,
) -> Result<Reference, BenchError> {
    let load =
        references::echo(bench.echo().await?, clients, operation, body, bench.reference_time()).await?;
    Ok(Reference { name: "httpEcho", label: format!("HTTP echo of {} B", body.len()), load })
}

/// Syncs of so many bytes for each operation, of which `clients` share one.
pub(super) async fn sync_reference(
    bench: &Bench,
    clients: usize,
    bytes: f64,
) -> Result<Reference, BenchError> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes of a file, rounded")]
    let bytes = bytes.round().max(1.0) as u64;
    let together = clients as u64;
    let syncs = Syncs {
        directory: bench.directory().to_path_buf(),
        bytes,
        together,
        delay: bench.args.sync_delay.unwrap_or_default(),
        cpu: bench.cpus.server,
    };
    let load = references::syncs(syncs, bench.reference_time()).await?;
    let label = if together == 1 {
        format!("fdatasync of {bytes} B")
    } else {
        format!("fdatasync of {together} × {bytes} B")
    };
    Ok(Reference { name: "fdatasync", label, load })
}

/// Waits until no execution of the machine runs, and makes sure that none has failed.
async fn all_succeeded(site: &Site, workload: &Workload, machine_arn: &str) -> Result<(), BenchError> {
    if workload.way == Way::Sync {
        return Ok(());
    }
    let mut connection = site.connect().await?;
    let deadline = Instant::now() + PATIENCE;
    while listed(&mut connection, site, machine_arn, "RUNNING").await?.is_some() {
        if Instant::now() > deadline {
            return Err(BenchError::Wrong("executions do not end".to_owned()));
        }
        tokio::time::sleep(POLL_PAUSE).await;
    }
    for status in ["FAILED", "TIMED_OUT", "ABORTED"] {
        if let Some(execution_arn) = listed(&mut connection, site, machine_arn, status).await? {
            return Err(BenchError::Wrong(format!("{execution_arn} has ended as {status}")));
        }
    }
    Ok(())
}

/// One execution with this status, if there is one.
async fn listed(
    connection: &mut Connection,
    site: &Site,
    machine_arn: &str,
    status: &str,
) -> Result<Option<String>, BenchError> {
    let request = json!({"stateMachineArn": machine_arn, "statusFilter": status, "maxResults": 1});
    let page = connection.call(&site.host, "ListExecutions", &request).await?;
    Ok(page["executions"][0]["executionArn"].as_str().map(str::to_owned))
}

async fn check_samples(site: &Site, workload: &Workload, done: &Done<Starter>) -> Result<(), BenchError> {
    if workload.way != Way::Start {
        return Ok(());
    }
    let mut connection = site.connect().await?;
    for execution_arn in done.clients.iter().flat_map(|starter| &starter.samples) {
        let request = json!({ "executionArn": execution_arn });
        let described = connection.call(&site.host, "DescribeExecution", &request).await?;
        check(&described, &workload.output)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_with_the_right_output_counts() {
        let output = json!({"n": 100});
        for (described, right) in [
            (json!({"status": "SUCCEEDED", "output": "{\"n\": 100}"}), true),
            (json!({"status": "SUCCEEDED", "output": "{\"n\": 99}"}), false),
            (json!({"status": "SUCCEEDED"}), false),
            (json!({"status": "FAILED", "output": "{\"n\": 100}"}), false),
        ] {
            assert_eq!(check(&described, &output).is_ok(), right, "{described}");
        }
    }
}
