//! Where a section measures: a fresh server on a fresh directory, or one that runs elsewhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::connection::{Connection, Request};
use super::error::BenchError;
use super::machine::{self, Cpus, Gauge};
use super::process::{self, Process};
use super::workloads::{Way, Workload};
use crate::args::BenchArgs;

/// What all sections share.
pub(super) struct Bench {
    pub(super) args: BenchArgs,
    pub(super) cpus: Cpus,
    /// Everything that is written is below it, and goes with it.
    directory: TempDir,
    echo: OnceCell<Process>,
}

impl Bench {
    /// Makes the directory.
    ///
    /// Errors: it cannot be made there.
    pub(super) fn new(args: BenchArgs, cpus: Cpus) -> Result<Bench, std::io::Error> {
        let parent = if args.endpoint_url.is_some() { std::env::temp_dir() } else { args.data_dir.clone() };
        let directory = tempfile::Builder::new().prefix(".stepwell-bench-").tempdir_in(parent)?;
        Ok(Bench { args, cpus, directory, echo: OnceCell::new() })
    }

    /// Where everything is written.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// How long a reference is measured: it varies less than what it is compared with.
    pub(super) fn reference_time(&self) -> Duration {
        (self.args.seconds / 2).min(Duration::from_secs(2))
    }

    /// The echo, on the server's processor. It is started once.
    pub(super) async fn echo(&self) -> Result<&Process, BenchError> {
        self.echo
            .get_or_try_init(|| async {
                let mut command = process::command(&["bench-echo"])?;
                command.stdin(std::process::Stdio::piped());
                process::start(command, self.cpus.server, &self.directory().join("echo.log")).await
            })
            .await
    }

    /// A server on the directory `data`, which is made if absent.
    pub(super) async fn server(&self, data: &Path) -> Result<Process, BenchError> {
        let mut command =
            process::command(&["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"])?;
        command.arg(data).arg("--cache-dir").arg(self.directory().join("cache"));
        if let Some(delay) = self.args.sync_delay {
            command.arg("--sync-delay").arg(format!("{}us", delay.as_micros()));
        }
        command.args(&self.args.serve);
        process::start(command, self.cpus.server, &self.log()).await
    }

    fn log(&self) -> PathBuf {
        self.directory().join("server.log")
    }

    /// An empty directory.
    ///
    /// Errors: it cannot be made.
    pub(super) fn fresh_directory(&self) -> Result<TempDir, BenchError> {
        let made = tempfile::Builder::new().prefix("data-").tempdir_in(self.directory());
        made.map_err(|error| BenchError::Process(format!("no directory can be made: {error}")))
    }

    /// The server that a section measures.
    pub(super) async fn site(&self) -> Result<Site, BenchError> {
        if let Some(url) = &self.args.endpoint_url {
            let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
            let host = if host.contains(':') { host } else { format!("{host}:80") };
            return Ok(Site { own: None, host });
        }
        let data = self.fresh_directory()?;
        let process = self.server(data.path()).await?;
        let host = process.host.clone();
        Ok(Site { own: Some(Own { process, data }), host })
    }

    /// An error, with the end of the server's log where its process has ended.
    pub(super) fn explain(&self, error: BenchError) -> BenchError {
        match error {
            BenchError::Connection(source) if self.args.endpoint_url.is_none() => BenchError::Process(
                format!("{source}; the server's log ends so: {}", process::tail(&self.log())),
            ),
            other => other,
        }
    }
}

/// A server to measure.
pub(super) struct Site {
    own: Option<Own>,
    /// `address:port`.
    pub(super) host: String,
}

/// A server that was started for a section.
pub(super) struct Own {
    // Dropped first: the directory cannot be removed while somebody writes into it.
    pub(super) process: Process,
    pub(super) data: TempDir,
}

impl Site {
    /// What the server uses.
    pub(super) fn gauge(&self) -> Gauge {
        self.own.as_ref().map_or(Gauge::of(None), |own| own.process.gauge())
    }

    /// Bytes on its disk.
    pub(super) fn disk_bytes(&self) -> Option<u64> {
        Some(machine::disk_bytes(self.own.as_ref()?.data.path()))
    }

    /// The server, if it was started for the section.
    pub(super) fn into_own(self) -> Option<Own> {
        self.own
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Connection, BenchError> {
        Connection::open(&self.host).await
    }

    /// One operation of Step Functions.
    pub(super) async fn call(&self, operation: &str, input: &Value) -> Result<Value, BenchError> {
        self.connect().await?.call(&self.host, operation, input).await
    }

    /// Creates the state machine of a workload and gives its ARN.
    pub(super) async fn create(&self, workload: &Workload) -> Result<String, BenchError> {
        let express = workload.way == Way::Sync;
        let request = json!({
            "name": format!("stepwell-bench-{}-{}", workload.name, std::process::id()),
            "definition": workload.definition.to_string(),
            "roleArn": "arn:aws:iam::000000000000:role/stepwell-bench",
            "type": if express { "EXPRESS" } else { "STANDARD" },
        });
        let created = self.call("CreateStateMachine", &request).await?;
        let arn = created["stateMachineArn"].as_str().map(str::to_owned);
        arn.ok_or_else(|| BenchError::Wrong("CreateStateMachine gave no ARN".to_owned()))
    }

    /// Deletes a state machine where the server goes on without us.
    pub(super) async fn forget(&self, machine_arn: &str) {
        if self.own.is_none() {
            let _ = self.call("DeleteStateMachine", &json!({"stateMachineArn": machine_arn})).await;
        }
    }
}

/// Waits for the first answer that a new server gives.
pub(super) async fn first_answer(host: &str) -> Result<(), BenchError> {
    let mut connection = Connection::open(host).await?;
    let answer = connection.exchange(&Request::ready(host)).await?;
    if answer.status != 200 {
        return Err(BenchError::Wrong(format!("the server is not ready: status {}", answer.status)));
    }
    Ok(())
}
