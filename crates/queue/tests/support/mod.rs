//! What the tests of the queues share: a service on a directory of its own with a clock that only the test moves.

#![allow(dead_code, unreachable_pub, clippy::result_large_err, clippy::print_stderr)]

pub mod shim;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use stepwell_aws::{Account, Call, Fault, Service as _};
use stepwell_queue::{Clock, Queues};
use stepwell_store::Store;

/// Where the clocks of tests begin.
pub const START_MS: i64 = 1_700_000_000_000;

/// A service under test.
pub struct Sqs {
    pub queues: Arc<Queues>,
    pub clock: Arc<AtomicI64>,
}

impl Sqs {
    /// Opens the service on `directory`, its clock at `now_ms`.
    pub fn open(directory: &Path, now_ms: i64) -> Sqs {
        let clock = Arc::new(AtomicI64::new(now_ms));
        let read = clock.clone();
        Sqs { queues: open(directory, Arc::new(move || read.load(Ordering::SeqCst))), clock }
    }

    /// Opens the service with a clock that runs with the (simulated) time of the runtime.
    pub fn open_in_runtime_time(directory: &Path) -> Sqs {
        let begin = tokio::time::Instant::now();
        let passed = move || i64::try_from(begin.elapsed().as_millis()).expect("fits");
        Sqs { queues: open(directory, Arc::new(move || START_MS + passed())), clock: Arc::default() }
    }

    /// Lets seconds pass.
    pub fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.queues.call(Call::new(operation, input)).await.map(|reply| reply.output)
    }

    /// A call that must succeed.
    pub async fn ok(&self, operation: &str, input: Value) -> Value {
        let shown = input.to_string();
        self.call(operation, input).await.unwrap_or_else(|fault| panic!("{operation} {shown}: {fault}"))
    }

    /// A call that must fail; gives the code that SDKs show, and the text.
    pub async fn fails(&self, operation: &str, input: Value) -> (String, String) {
        let shown = input.to_string();
        match self.call(operation, input).await {
            Ok(output) => panic!("{operation} {shown} succeeded: {output}"),
            Err(fault) => (fault.query_code().to_owned(), fault.message),
        }
    }

    /// Creates a queue and gives its URL.
    pub async fn create(&self, name: &str, attributes: Value) -> String {
        let output = self.ok("CreateQueue", json!({"QueueName": name, "Attributes": attributes})).await;
        output["QueueUrl"].as_str().expect("a URL").to_owned()
    }

    /// Sends a text and gives the answer.
    pub async fn send(&self, url: &str, body: &str) -> Value {
        self.ok("SendMessage", json!({"QueueUrl": url, "MessageBody": body})).await
    }

    /// Sends to a FIFO queue with content-based deduplication.
    pub async fn send_to_group(&self, url: &str, group: &str, body: &str) -> Value {
        self.ok("SendMessage", json!({"QueueUrl": url, "MessageBody": body, "MessageGroupId": group})).await
    }

    /// Receives up to ten messages with all their attributes; `more` adds members to the request.
    pub async fn receive_with(&self, url: &str, more: Value) -> Vec<Value> {
        let mut input = json!({
            "QueueUrl": url,
            "MaxNumberOfMessages": 10,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        merge(&mut input, more);
        let output = self.ok("ReceiveMessage", input).await;
        output["Messages"].as_array().cloned().unwrap_or_default()
    }

    pub async fn receive(&self, url: &str) -> Vec<Value> {
        self.receive_with(url, json!({})).await
    }

    /// The bodies of up to ten messages.
    pub async fn receive_bodies(&self, url: &str) -> Vec<String> {
        bodies(&self.receive(url).await)
    }

    pub async fn delete(&self, url: &str, message: &Value) {
        self.ok("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]})).await;
    }

    /// Visible, in flight and delayed messages.
    pub async fn counts(&self, url: &str) -> [u64; 3] {
        let output = self.ok("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]})).await;
        let number = |kind: &str| {
            let name = format!("ApproximateNumberOfMessages{kind}");
            output["Attributes"][name].as_str().expect("a number").parse().expect("a number")
        };
        [number(""), number("NotVisible"), number("Delayed")]
    }
}

/// Opens the queues in `directory`.
pub fn open(directory: &Path, clock: Clock) -> Arc<Queues> {
    let store = Store::open(directory).expect("the store opens");
    Queues::open(store, Account::default(), clock).expect("the queues open")
}

pub fn bodies(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["Body"].as_str().expect("a body").to_owned()).collect()
}

/// Adds the members of `more` to `input`.
pub fn merge(input: &mut Value, more: Value) {
    let more = match more {
        Value::Object(more) => more,
        other => panic!("not a structure: {other}"),
    };
    input.as_object_mut().expect("a structure").extend(more);
}
