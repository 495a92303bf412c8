//! A Step Functions API over a real engine on a directory that goes away, with tasks that answer their input.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_aws::{Account, BoxFuture, Call, Service};
use stepwell_engine::machines::Machines;
use stepwell_engine::{Clock, Engine, EngineOptions, SystemClock};
use stepwell_integrations::{TaskOutcome, TaskRequest, TaskRunner};
use stepwell_logs::{Logs, LogsService};
use stepwell_server::{App, ExecutionLogs, Limits, StepFunctions};
use stepwell_store::Store;

use super::{DEADLINE, Server};

pub(crate) struct Identity;

impl TaskRunner for Identity {
    fn run(&self, request: TaskRequest) -> BoxFuture<'_, TaskOutcome> {
        Box::pin(async move { TaskOutcome::Succeeded(request.parameters) })
    }
}

pub(crate) struct Home {
    pub(crate) states: StepFunctions,
    pub(crate) logs: Arc<LogsService>,
    engine: Engine,
    account: Account,
    /// Taken out only to be opened again.
    directory: Option<tempfile::TempDir>,
}

impl Drop for Home {
    fn drop(&mut self) {
        self.engine.shutdown();
    }
}

impl Home {
    pub(crate) fn new() -> Home {
        Home::open(tempfile::tempdir().expect("a directory"), Account::default())
    }

    pub(crate) fn of_account(id: &str) -> Home {
        let account = Account { id: id.to_owned(), ..Account::default() };
        Home::open(tempfile::tempdir().expect("a directory"), account)
    }

    fn open(directory: tempfile::TempDir, account: Account) -> Home {
        Home::with_runner(directory, account, Arc::new(Identity))
    }

    /// With tasks of the caller's choice.
    pub(crate) fn with_runner(
        directory: tempfile::TempDir,
        account: Account,
        runner: Arc<dyn TaskRunner>,
    ) -> Home {
        let store = Store::open(directory.path()).expect("opens");
        let machines = Arc::new(Machines::open(&store, account.clone()).expect("opens"));
        let clock = Arc::new(|| SystemClock.now_ms());
        let logs = Logs::open(&store, account.clone(), clock).expect("opens");
        machines.log_to(Arc::new(ExecutionLogs::new(logs.clone())));
        let options = EngineOptions {
            account: account.clone(),
            shards: NonZeroUsize::MIN,
            clock: Arc::new(SystemClock),
            retention: None,
        };
        let runtime = tokio::runtime::Handle::current();
        let engine = Engine::start(store, machines, runner, runtime, options).expect("starts");
        let states = StepFunctions::new(engine.clone(), Arc::new(SystemClock));
        Home { states, logs: Arc::new(LogsService::new(logs)), engine, account, directory: Some(directory) }
    }

    /// Closes everything and opens it again.
    pub(crate) fn restart(mut self) -> Home {
        let (directory, account) = (self.directory.take().expect("is taken once"), self.account.clone());
        drop(self);
        Home::open(directory, account)
    }

    pub(crate) async fn serve(&self) -> Server {
        let app = App::builder(self.account.clone())
            .target("AWSStepFunctions", Arc::new(self.states.clone()))
            .target("Logs_20140328", self.logs.clone());
        Server::start(app.build(), Limits::default()).await
    }

    /// The answer of CloudWatch Logs, or `Code: message` of the exception.
    pub(crate) async fn logs(&self, operation: &str, input: Value) -> Result<Value, String> {
        let outcome = self.logs.call(Call::new(operation, input)).await;
        outcome.map(|reply| reply.output).map_err(|fault| format!("{}: {}", fault.code, fault.message))
    }

    /// The answer, or `Code: message` of the exception.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        let outcome = self.states.call(Call::new(operation, input)).await;
        if let Ok(reply) = &outcome {
            let model = stepwell_server::model::step_functions();
            let shape = model.operation(operation).and_then(|o| o.output).expect("has an output");
            let problems = super::shapes::problems(model, shape, &reply.output);
            assert!(problems.is_empty(), "{operation}: {problems:?}");
        }
        outcome.map(|reply| reply.output).map_err(|fault| format!("{}: {}", fault.code, fault.message))
    }

    pub(crate) async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    pub(crate) async fn create(&self, name: &str, definition: &Value) -> String {
        let input = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE});
        let answer = self.ok("CreateStateMachine", input).await;
        answer["stateMachineArn"].as_str().expect("an ARN").to_owned()
    }

    /// Polls DescribeExecution until the execution has closed.
    pub(crate) async fn closed(&self, execution_arn: &str) -> Value {
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let answer = self.ok("DescribeExecution", json!({"executionArn": execution_arn})).await;
            if answer["status"] != "RUNNING" {
                return answer;
            }
            assert!(std::time::Instant::now() < deadline, "{execution_arn} does not end");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/r";

pub(crate) fn pass() -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"a": 1}, "End": true}}})
}

pub(crate) fn wait() -> Value {
    json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}})
}

pub(crate) fn arn(resource: &str) -> String {
    Account::default().arn("states", resource)
}
