//! Executions that wait: what each costs, how requests among them answer, and how a server comes back to them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::connection::{Connection, Request};
use super::error::BenchError;
use super::executions::{Starter, echo_reference, sync_reference};
use super::load::{self, Limit, Operation, Stopwatch};
use super::machine::Gauge;
use super::report::{Figure, Measurement, Section, Unit, as_float};
use super::site::{Bench, Own, Site, first_answer};
use super::workloads;

/// Memory counts as settled when it has changed by less than this share within [`SETTLE_PAUSE`].
const SETTLED_SHARE: f64 = 0.005;
const SETTLE_PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked at, at the most.
const SETTLE_LOOKS: usize = 20;

/// Clients that ask about executions.
const ASKING_CLIENTS: usize = 16;

pub(super) async fn measure(bench: &Bench, section: &mut Section) -> Result<(), BenchError> {
    let workload = workloads::waiting();
    let site = bench.site().await?;
    let machine_arn = site.create(&workload).await?;
    // The first executions make the buffers that the others use.
    let starters =
        |count| (0..count).map(|_| Starter::new(&site, &workload, &machine_arn)).collect::<Vec<_>>();
    let (resident_before, disk_before) = (site.gauge().resident(), site.disk_bytes());
    let clients = workload.clients[0];
    let watch = Stopwatch::start(site.gauge());
    let done = load::drive(&site.host, starters(clients), Limit::Count(bench.args.parked)).await?;
    let load = watch.stop(&done);
    let disk_bytes = site
        .disk_bytes()
        .zip(disk_before)
        .map(|(after, before)| as_float(after.saturating_sub(before)) / as_float(bench.args.parked));
    let body = json!({"stateMachineArn": machine_arn, "input": workload.input}).to_string();
    let mut references = vec![echo_reference(bench, clients, "StartExecution", &body).await?];
    if let Some(bytes) = disk_bytes {
        references.push(sync_reference(bench, clients, bytes).await?);
    }
    section.measurements.push(Measurement {
        label: "starts".to_owned(),
        clients,
        load,
        parts: None,
        disk_bytes,
        references,
    });
    let settled = settled_resident(site.gauge()).await;
    memory_figures(section, "", resident_before, settled, bench.args.parked);
    let samples: Vec<String> = done.clients.into_iter().flat_map(|starter| starter.samples).collect();
    ask(bench, &site, &machine_arn, &samples, section).await?;
    match site.into_own() {
        Some(own) => restart(bench, own, resident_before, &samples, section).await,
        None => Ok(()),
    }
}

/// Resident memory once it no longer changes.
async fn settled_resident(gauge: Gauge) -> Option<u64> {
    let mut last = gauge.resident()?;
    for _ in 0..SETTLE_LOOKS {
        tokio::time::sleep(SETTLE_PAUSE).await;
        let now = gauge.resident()?;
        let changed = as_float(now.abs_diff(last)) / as_float(last.max(1));
        last = now;
        if changed < SETTLED_SHARE {
            break;
        }
    }
    Some(last)
}

fn memory_figures(section: &mut Section, when: &str, before: Option<u64>, after: Option<u64>, parked: u64) {
    let (Some(before), Some(after)) = (before, after) else { return };
    let (resident, each) = match when {
        "" => ("resident", "residentEach"),
        _ => ("residentAfterRestart", "residentEachAfterRestart"),
    };
    section.figures.push(Figure {
        name: resident,
        label: format!("resident memory{when}"),
        value: as_float(after),
        unit: Unit::Bytes,
    });
    section.figures.push(Figure {
        name: each,
        label: format!("resident memory of an execution{when}"),
        value: as_float(after.saturating_sub(before)) / as_float(parked),
        unit: Unit::Bytes,
    });
}

/// Requests about one of many executions.
struct Asking {
    requests: Vec<Request>,
    random: Box<dyn FnMut() -> u64>,
    is_right: fn(&Value) -> bool,
}

impl Operation for Asking {
    async fn perform(&mut self, connection: &mut Connection) -> Result<(), BenchError> {
        let count = self.requests.len() as u64;
        let index = usize::try_from((self.random)() % count.max(1)).unwrap_or_default();
        let answer: Value = connection.exchange(&self.requests[index]).await?.json()?;
        if (self.is_right)(&answer) {
            return Ok(());
        }
        let text: String = answer.to_string().chars().take(500).collect();
        Err(BenchError::Wrong(format!("an execution that waits is shown as {text}")))
    }
}

fn is_running(described: &Value) -> bool {
    described["status"] == "RUNNING"
}

fn has_executions(page: &Value) -> bool {
    page["executions"].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(is_running))
}

fn has_waiting(page: &Value) -> bool {
    page["events"]
        .as_array()
        .is_some_and(|events| events.last().is_some_and(|e| e["type"] == "WaitStateEntered"))
}

/// Asks about executions at random while all of them wait.
async fn ask(
    bench: &Bench,
    site: &Site,
    machine_arn: &str,
    samples: &[String],
    section: &mut Section,
) -> Result<(), BenchError> {
    let by_arn = |operation: &str| -> Vec<Request> {
        let body = |arn: &String| json!({ "executionArn": arn }).to_string();
        samples.iter().map(|arn| Request::states(&site.host, operation, &body(arn))).collect()
    };
    let page = json!({"stateMachineArn": machine_arn, "statusFilter": "RUNNING", "maxResults": 100});
    let lists = vec![Request::states(&site.host, "ListExecutions", &page.to_string())];
    let describe = by_arn("DescribeExecution");
    type IsRight = fn(&Value) -> bool;
    let asked: [(&str, usize, Vec<Request>, IsRight); 4] = [
        ("DescribeExecution", 1, describe.clone(), is_running),
        ("DescribeExecution", ASKING_CLIENTS, describe, is_running),
        ("GetExecutionHistory", 1, by_arn("GetExecutionHistory"), has_waiting),
        ("ListExecutions of 100", 1, lists, has_executions),
    ];
    for (label, clients, requests, is_right) in asked {
        let clients_asking = (1..=clients as u64).map(|seed| Asking {
            requests: requests.clone(),
            random: Box::new(workloads::pseudo_random(seed * 7919)),
            is_right,
        });
        let watch = Stopwatch::start(site.gauge());
        let limit = Limit::Time(bench.reference_time());
        let done = load::drive(&site.host, clients_asking.collect(), limit).await?;
        let load = watch.stop(&done);
        let mut references = Vec::new();
        if label == "DescribeExecution" {
            let body = json!({ "executionArn": samples.first() }).to_string();
            references.push(echo_reference(bench, clients, label, &body).await?);
        }
        let label = label.to_owned();
        section.measurements.push(Measurement {
            label,
            clients,
            load,
            parts: None,
            disk_bytes: None,
            references,
        });
    }
    Ok(())
}

/// Kills the server and starts it again on what it has left.
async fn restart(
    bench: &Bench,
    own: Own,
    resident_before: Option<u64>,
    samples: &[String],
    section: &mut Section,
) -> Result<(), BenchError> {
    let Own { process, data } = own;
    process.kill();
    let begun = Instant::now();
    let server = bench.server(data.path()).await?;
    first_answer(&server.host).await?;
    let took = begun.elapsed();
    section.figures.push(Figure {
        name: "restartToReady",
        label: "from a start after kill -9 to the first answer".to_owned(),
        value: took.as_secs_f64() * 1000.0,
        unit: Unit::Milliseconds,
    });
    let settled = settled_resident(server.gauge()).await;
    memory_figures(section, " after the restart", resident_before, settled, bench.args.parked);
    let mut connection = Connection::open(&server.host).await?;
    for arn in samples {
        let described =
            connection.call(&server.host, "DescribeExecution", &json!({ "executionArn": arn })).await?;
        if !is_running(&described) {
            return Err(BenchError::Wrong(format!("{arn} does not wait after the restart: {described}")));
        }
    }
    let Some(arn) = samples.first() else { return Ok(()) };
    connection.call(&server.host, "StopExecution", &json!({ "executionArn": arn })).await?;
    let described =
        connection.call(&server.host, "DescribeExecution", &json!({ "executionArn": arn })).await?;
    if described["status"] != "ABORTED" {
        return Err(BenchError::Wrong(format!("{arn} was stopped and is shown as {described}")));
    }
    Ok(())
}
