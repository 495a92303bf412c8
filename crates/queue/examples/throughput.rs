//! Measures durable sends: `cargo run --release -p stepwell-queue --example throughput [SECONDS]`.
//!
//! Prints messages per second and latencies for 1 and 32 concurrent senders of single messages, and for 32 senders of
//! batches of ten. Every message is on disk before its send ends.

#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use stepwell_aws::{Account, Call, Service as _};
use stepwell_queue::Queues;
use stepwell_store::Store;

const BODY_BYTES: usize = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let directory = tempfile::tempdir_in(".")?;
    let clock = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    };
    let queues = Queues::open(Store::open(directory.path())?, Account::default(), Arc::new(clock))?;
    let create = Call::new("CreateQueue", json!({"QueueName": "bench"}));
    let url = queues.call(create).await?.output["QueueUrl"].clone();
    let body = "x".repeat(BODY_BYTES);
    let single = json!({"QueueUrl": url, "MessageBody": body});
    let entries: Vec<Value> = (0..10).map(|i| json!({"Id": i.to_string(), "MessageBody": body})).collect();
    let batch = json!({"QueueUrl": url, "Entries": entries});
    for (name, senders, operation, input, messages) in [
        ("1 sender", 1, "SendMessage", &single, 1),
        ("32 senders", 32, "SendMessage", &single, 1),
        ("32 senders, batches of 10", 32, "SendMessageBatch", &batch, 10),
    ] {
        let mut latencies = run(&queues, senders, operation, input, Duration::from_secs(seconds)).await;
        latencies.sort();
        let rate = (latencies.len() * messages) as f64 / seconds as f64;
        let at = |part: usize| latencies.get(latencies.len() * part / 1_000).copied().unwrap_or_default();
        println!("{name}: {rate:.0} messages/s, p50 {:?}, p99 {:?}", at(500), at(990));
    }
    Ok(())
}

/// Calls from `senders` tasks for `length`; the latency of every call.
async fn run(
    queues: &Arc<Queues>,
    senders: usize,
    operation: &'static str,
    input: &Value,
    length: Duration,
) -> Vec<Duration> {
    let end = Instant::now() + length;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..senders {
        let (queues, input) = (queues.clone(), input.clone());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let begin = Instant::now();
                if let Err(fault) = queues.call(Call::new(operation, input.clone())).await {
                    println!("a send failed: {fault}");
                    break;
                }
                latencies.push(begin.elapsed());
            }
            latencies
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}
