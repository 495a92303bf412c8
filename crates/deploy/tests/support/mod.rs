//! What the tests share: services in memory that record every call, stores in memory, a host without real time.

#![allow(dead_code, reason = "every test binary uses a part of this")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_deploy::{
    AssetStore, Environment, Host, NoParameters, Services, StackRecord, StackStore, StoreError,
};

/// Runs a future whose awaits are all ready at once.
pub(crate) fn block_on<T>(future: impl Future<Output = T> + Send) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

#[derive(Default)]
pub(crate) struct World {
    /// Existing resources: `table/Name`, `function/Name`, `machine/ARN`, `queue/Name`.
    pub(crate) existing: Mutex<BTreeMap<String, Value>>,
    /// `service:Operation` and the input of every call that was made.
    pub(crate) calls: Mutex<Vec<(String, Value)>>,
    /// `service:Operation` of the calls that are refused, with the number of calls to let pass before.
    pub(crate) refuse: Mutex<BTreeMap<String, u32>>,
    /// Calls whose input contains this text are refused.
    pub(crate) poison: Mutex<Option<String>>,
    /// After so many calls every save fails: a crash.
    pub(crate) saves_left: Mutex<Option<u32>>,
    pub(crate) stacks: Mutex<BTreeMap<String, StackRecord>>,
    pub(crate) archived: Mutex<Vec<StackRecord>>,
    pub(crate) files: Mutex<BTreeMap<(String, String), Vec<u8>>>,
    pub(crate) events: Mutex<Vec<String>>,
    uuids: AtomicU64,
}

pub(crate) struct Fake {
    name: &'static str,
    world: Arc<World>,
}

impl Service for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        let key = format!("{}:{}", self.name, call.operation);
        self.world.calls.lock().unwrap().push((key.clone(), call.input.clone()));
        if let Some(left) = self.world.refuse.lock().unwrap().get_mut(&key) {
            if *left == 0 {
                return Box::pin(async {
                    Err(Fault::new("InvalidDefinition", "Invalid State Machine Definition: no"))
                });
            }
            *left -= 1;
        }
        let poison = self.world.poison.lock().unwrap().clone();
        if poison.is_some_and(|poison| call.input.to_string().contains(&poison)) {
            return Box::pin(async {
                Err(Fault::new("InvalidDefinition", "Invalid State Machine Definition: no"))
            });
        }
        let answer = self.world.answer(&key, &call.input).map(Reply::ok);
        Box::pin(async move { answer })
    }
}

fn text(input: &Value, name: &str) -> String {
    input[name].as_str().unwrap_or_default().to_owned()
}

impl World {
    pub(crate) fn new() -> Arc<World> {
        Arc::new(World::default())
    }

    fn has(&self, key: &str) -> bool {
        self.existing.lock().unwrap().contains_key(key)
    }

    fn put(&self, key: String, value: &Value) {
        self.existing.lock().unwrap().insert(key, value.clone());
    }

    fn update(&self, key: &str, input: &Value) {
        if let Some(Value::Object(object)) = self.existing.lock().unwrap().get_mut(key) {
            object.extend(input.as_object().unwrap().clone());
        }
    }

    fn take(&self, key: &str) -> bool {
        self.existing.lock().unwrap().remove(key).is_some()
    }

    fn answer(&self, key: &str, input: &Value) -> Result<Value, Fault> {
        let account = Account::default();
        match key {
            "states:CreateStateMachine" => {
                let arn = account.arn("states", &format!("stateMachine:{}", text(input, "name")));
                self.put(format!("machine/{arn}"), input);
                Ok(json!({"stateMachineArn": arn, "creationDate": 1}))
            }
            "states:DescribeStateMachine" => {
                let arn = text(input, "stateMachineArn");
                match self.existing.lock().unwrap().get(&format!("machine/{arn}")) {
                    Some(machine) => Ok(machine.clone()),
                    None => {
                        let message = format!("State Machine Does Not Exist: '{arn}'");
                        Err(Fault::new("StateMachineDoesNotExist", message))
                    }
                }
            }
            "states:UpdateStateMachine" => {
                self.update(&format!("machine/{}", text(input, "stateMachineArn")), input);
                Ok(json!({"updateDate": 2, "revisionId": self.next_uuid()}))
            }
            "states:DeleteStateMachine" => {
                self.take(&format!("machine/{}", text(input, "stateMachineArn")));
                Ok(json!({}))
            }
            "states:DescribeActivity" => {
                let arn = text(input, "activityArn");
                match self.has(&format!("activity/{arn}")) {
                    true => Ok(json!({"activityArn": arn})),
                    false => {
                        Err(Fault::new("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'")))
                    }
                }
            }
            "states:CreateActivity" => {
                let arn = account.arn("states", &format!("activity:{}", text(input, "name")));
                self.put(format!("activity/{arn}"), input);
                Ok(json!({"activityArn": arn}))
            }
            "states:DeleteActivity" => {
                self.take(&format!("activity/{}", text(input, "activityArn")));
                Ok(json!({}))
            }
            "states:PublishStateMachineVersion" => {
                let arn = format!("{}:1", text(input, "stateMachineArn"));
                self.put(format!("version/{arn}"), input);
                Ok(json!({"stateMachineVersionArn": arn}))
            }
            "states:DeleteStateMachineVersion" => {
                self.take(&format!("version/{}", text(input, "stateMachineVersionArn")));
                Ok(json!({}))
            }
            "states:CreateStateMachineAlias" => {
                let version = text(&input["routingConfiguration"][0], "stateMachineVersionArn");
                let arn = version.replace(":1", &format!(":{}", text(input, "name")));
                self.put(format!("alias/{arn}"), input);
                Ok(json!({"stateMachineAliasArn": arn}))
            }
            "states:DeleteStateMachineAlias" => {
                self.take(&format!("alias/{}", text(input, "stateMachineAliasArn")));
                Ok(json!({}))
            }
            "states:TagResource" | "states:UntagResource" => Ok(json!({})),
            "lambda:CreateFunction" => {
                let name = text(input, "FunctionName");
                if self.has(&format!("function/{name}")) {
                    let message = format!("Function already exist: {name}");
                    return Err(Fault::new("ResourceConflictException", message).with_status(409));
                }
                self.put(format!("function/{name}"), input);
                Ok(
                    json!({"FunctionArn": account.arn("lambda", &format!("function:{name}")), "State": "Active"}),
                )
            }
            "lambda:UpdateFunctionCode" | "lambda:UpdateFunctionConfiguration" => {
                let name = text(input, "FunctionName");
                self.update(&format!("function/{name}"), input);
                Ok(json!({"FunctionArn": account.arn("lambda", &format!("function:{name}"))}))
            }
            "lambda:DeleteFunction" => {
                match self.take(&format!("function/{}", text(input, "FunctionName"))) {
                    true => Ok(json!({})),
                    false => {
                        Err(Fault::new("ResourceNotFoundException", "Function not found").with_status(404))
                    }
                }
            }
            "dynamodb:CreateTable" => {
                let name = text(input, "TableName");
                if self.has(&format!("table/{name}")) {
                    return Err(Fault::new(
                        "ResourceInUseException",
                        format!("Table already exists: {name}"),
                    ));
                }
                self.put(format!("table/{name}"), input);
                Ok(json!({}))
            }
            "dynamodb:DescribeTable" => {
                let name = text(input, "TableName");
                if !self.has(&format!("table/{name}")) {
                    return Err(Fault::new("ResourceNotFoundException", "Requested resource not found"));
                }
                let arn = account.arn("dynamodb", &format!("table/{name}"));
                Ok(
                    json!({"Table": {"TableStatus": "ACTIVE", "TableArn": arn, "LatestStreamArn": format!("{arn}/stream/1")}}),
                )
            }
            "dynamodb:UpdateTable" => {
                self.update(&format!("table/{}", text(input, "TableName")), input);
                Ok(json!({}))
            }
            "dynamodb:UpdateTimeToLive" => Ok(json!({})),
            "dynamodb:DeleteTable" => {
                self.take(&format!("table/{}", text(input, "TableName")));
                Ok(json!({}))
            }
            "sqs:GetQueueUrl" => {
                let name = text(input, "QueueName");
                match self.has(&format!("queue/{name}")) {
                    true => Ok(json!({"QueueUrl": format!("http://127.0.0.1:8083/000000000000/{name}")})),
                    false => Err(Fault::new("QueueDoesNotExist", "The specified queue does not exist.")),
                }
            }
            "sqs:CreateQueue" => {
                let name = text(input, "QueueName");
                self.put(format!("queue/{name}"), input);
                Ok(json!({"QueueUrl": format!("http://127.0.0.1:8083/000000000000/{name}")}))
            }
            "sqs:GetQueueAttributes" => {
                let url = text(input, "QueueUrl");
                let name = url.rsplit('/').next().unwrap_or_default();
                Ok(json!({"Attributes": {"QueueArn": account.arn("sqs", name)}}))
            }
            "sqs:SetQueueAttributes" => {
                let url = text(input, "QueueUrl");
                self.update(&format!("queue/{}", url.rsplit('/').next().unwrap_or_default()), input);
                Ok(json!({}))
            }
            "sqs:DeleteQueue" => {
                let url = text(input, "QueueUrl");
                self.take(&format!("queue/{}", url.rsplit('/').next().unwrap_or_default()));
                Ok(json!({}))
            }
            other => {
                let (service, operation) = other.split_once(':').unwrap_or((other, ""));
                Err(Fault::unknown_operation(service, operation))
            }
        }
    }

    fn next_uuid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.uuids.fetch_add(1, Ordering::Relaxed))
    }

    /// The calls since the last time, without those that only ask.
    pub(crate) fn changes(&self) -> Vec<String> {
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        calls
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| !key.contains(":Describe") && !key.contains(":Get"))
            .collect()
    }

    /// The inputs of all calls of `service:Operation` so far.
    pub(crate) fn inputs(&self, key: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(called, _)| called == key).map(|(_, input)| input.clone()).collect()
    }

    /// Kinds of the resources that exist, with their number.
    pub(crate) fn inventory(&self) -> BTreeMap<String, usize> {
        let mut inventory = BTreeMap::new();
        for key in self.existing.lock().unwrap().keys() {
            *inventory.entry(key.split('/').next().unwrap_or_default().to_owned()).or_insert(0) += 1;
        }
        inventory
    }

    pub(crate) fn record(&self, name: &str) -> StackRecord {
        self.stacks.lock().unwrap().get(name).expect("the stack is recorded").clone()
    }

    /// Takes the events so far, as `LogicalId STATUS`.
    pub(crate) fn take_events(&self) -> Vec<String> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }
}

impl StackStore for World {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StackRecord>, StoreError>> {
        Box::pin(async move { Ok(self.stacks.lock().unwrap().get(name).cloned()) })
    }

    fn save<'a>(&'a self, record: &'a StackRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if let Some(left) = &mut *self.saves_left.lock().unwrap() {
                if *left == 0 {
                    return Err(StoreError("the power is out".into()));
                }
                *left -= 1;
            }
            // Through JSON, as a real store would keep it.
            let text = serde_json::to_string(record).expect("a record serializes");
            let kept = serde_json::from_str(&text).expect("a record is read back");
            self.stacks.lock().unwrap().insert(record.name.clone(), kept);
            Ok(())
        })
    }

    fn delete<'a>(&'a self, record: &'a StackRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.stacks.lock().unwrap().remove(&record.name);
            self.archived.lock().unwrap().push(record.clone());
            Ok(())
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<StackRecord>, StoreError>> {
        Box::pin(async move { Ok(self.stacks.lock().unwrap().values().cloned().collect()) })
    }
}

impl AssetStore for World {
    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        content: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.files.lock().unwrap().insert((bucket.to_owned(), key.to_owned()), content);
            Ok(())
        })
    }

    fn get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(
            async move { Ok(self.files.lock().unwrap().get(&(bucket.to_owned(), key.to_owned())).cloned()) },
        )
    }
}

impl Host for World {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn uuid(&self) -> String {
        self.next_uuid()
    }

    fn pause(&self, _time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A world with its four services, ready to be deployed to.
pub(crate) struct Cloud {
    pub(crate) world: Arc<World>,
    pub(crate) account: Account,
    pub(crate) inert: Vec<String>,
    services: BTreeMap<String, Arc<dyn Service>>,
}

impl Cloud {
    pub(crate) fn new() -> Cloud {
        let world = World::new();
        let services = ["states", "lambda", "dynamodb", "sqs"].into_iter().map(|name| {
            let fake: Arc<dyn Service> = Arc::new(Fake { name, world: world.clone() });
            (name.to_owned(), fake)
        });
        let services = services.collect();
        Cloud { world, account: Account::default(), inert: Vec::new(), services }
    }

    pub(crate) fn environment(&self) -> Environment<'_> {
        let services: &dyn Services = &self.services;
        Environment {
            account: &self.account,
            services,
            stacks: &*self.world,
            assets: &*self.world,
            parameters: &NoParameters,
            host: &*self.world,
            endpoint_host: Some("127.0.0.1:8083"),
            inert_types: &self.inert,
        }
    }

    /// A sink that keeps events as `LogicalId STATUS` in the world.
    pub(crate) fn sink(&self) -> impl Fn(&stepwell_deploy::stack::StackEvent) + Send + Sync {
        let world = self.world.clone();
        move |event| world.events.lock().unwrap().push(format!("{} {}", event.logical_id, event.status))
    }
}

/// All distinct values, sorted.
pub(crate) fn set(values: &[String]) -> BTreeSet<&str> {
    values.iter().map(String::as_str).collect()
}
