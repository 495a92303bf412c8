//! Runs a handler of a directory in place and prints its answer and how long it took:
//! `cargo run -p stepwell-lambda --example invoke -- DIRECTORY RUNTIME HANDLER PAYLOAD [TIMES]`

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::Instant;

use serde_json::json;
use stepwell_aws::{Account, Call, Service};
use stepwell_lambda::{Lambda, LambdaOptions};
use stepwell_store::Store;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, runtime, handler, payload, times @ ..] = arguments.as_slice() else {
        return Err("usage: invoke DIRECTORY RUNTIME HANDLER PAYLOAD [TIMES]".into());
    };
    let times: usize = times.first().map_or(Ok(1), |t| t.parse())?;
    let scratch = std::env::temp_dir().join("stepwell-invoke-example");
    let store = Store::open(&scratch.join("data"))?;
    let options = LambdaOptions::new(scratch.join("cache"), scratch.join("work"), scratch.join("logs"));
    let lambda = Lambda::open(store, Account::default(), options)?;
    let _ = lambda.call(Call::new("DeleteFunction", json!({"FunctionName": "example"}))).await;
    let directory = std::path::absolute(directory)?;
    let input = json!({"FunctionName": "example", "Runtime": runtime, "Handler": handler, "Timeout": 60,
        "MemorySize": 512, "Role": "arn:aws:iam::000000000000:role/example",
        "Code": {"S3Bucket": "__local__", "S3Key": directory}});
    lambda.call(Call::new("CreateFunction", input)).await?;
    let mut taken = Vec::new();
    for i in 0..times {
        let mut call = Call::new("Invoke", json!({"FunctionName": "example"}));
        call.body = payload.clone().into();
        let started = Instant::now();
        let reply = lambda.call(call).await?;
        taken.push(started.elapsed());
        if i == 0 {
            let kind = reply.header("X-Amz-Function-Error").unwrap_or("fine");
            println!("{kind}: {}", String::from_utf8_lossy(reply.body.as_deref().unwrap_or_default()));
        }
    }
    println!("first: {:?}", taken[0]);
    taken.drain(..1);
    taken.sort();
    if let Some(last) = taken.len().checked_sub(1) {
        println!("warm: p50 {:?}, p99 {:?}", taken[last / 2], taken[last * 99 / 100]);
    }
    println!("log: {}", lambda.log_path("example").display());
    lambda.shutdown().await;
    Ok(())
}
