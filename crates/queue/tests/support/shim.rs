//! A small HTTP server that speaks the awsJson1.0 protocol for one service, so that real SDKs can be pointed at it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use stepwell_aws::{Call, Fault, Service};
use tokio::net::TcpListener;

/// Serves `service` on a free port until the runtime ends.
pub async fn serve(service: Arc<dyn Service>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("sets");
            let service = service.clone();
            tokio::spawn(async move {
                let answer = hyper::service::service_fn(move |request| answer(service.clone(), request));
                let _ = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    address
}

async fn answer(
    service: Arc<dyn Service>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let host = header("host");
    let target = header("x-amz-target").unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let outcome = match serde_json::from_slice(&body) {
        Ok(input) => service.call(Call { host, ..Call::new(operation, input) }).await,
        Err(error) => Err(Fault::new("SerializationException", error.to_string())),
    };
    let (status, headers, body) = match outcome {
        Ok(reply) => (reply.status, reply.headers, reply.output),
        Err(fault) => {
            let code = match fault.namespace {
                Some(namespace) => format!("{namespace}#{}", fault.code),
                None => fault.code,
            };
            let mut body = json!({"__type": code, "message": fault.message});
            body.as_object_mut().expect("a map").extend(fault.members);
            (fault.status, fault.headers, body)
        }
    };
    let mut response =
        Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(Value::to_string(&body)));
    Ok(response.body(body).expect("headers are valid"))
}

/// Runs a Python script with boto3 pointed at `address`; whether it ended well, or cannot run on this machine.
pub fn run_python(script: &str, address: SocketAddr) -> bool {
    let probe = std::process::Command::new("python3").args(["-c", "import boto3"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("SKIPPED: {script}: this machine has no python3 with boto3");
        return true;
    }
    let output = std::process::Command::new("python3")
        .arg(script)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_MAX_ATTEMPTS", "1")
        .output()
        .expect("python3 starts");
    if !output.status.success() {
        eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}
