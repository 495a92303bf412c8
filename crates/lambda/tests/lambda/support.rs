//! A Lambda service in a directory of its own, and short ways to create and invoke functions.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Value, json};
use stepwell_aws::{Account, Call, Fault, Reply, Service};
use stepwell_lambda::{Lambda, LambdaOptions};
use stepwell_store::Store;
use tempfile::TempDir;

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/test";

pub(crate) struct Bench {
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) dir: TempDir,
}

/// Installed packages stay between test runs.
fn cache_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("lambda-packages")
}

pub(crate) fn options(dir: &Path) -> LambdaOptions {
    LambdaOptions::new(cache_dir(), dir.join("work"), dir.join("logs"))
}

pub(crate) fn open(dir: &Path, change: impl FnOnce(&mut LambdaOptions)) -> Arc<Lambda> {
    let store = Store::open(&dir.join("data")).expect("the store opens");
    let mut options = options(dir);
    change(&mut options);
    Lambda::open(store, Account::default(), options).expect("the service opens")
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut LambdaOptions)) -> Bench {
        let dir = tempfile::tempdir().expect("a directory");
        Bench { lambda: open(dir.path(), change), dir }
    }

    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.lambda.call(Call::new(operation, input)).await.map(|reply| reply.output)
    }

    pub(crate) async fn python(&self, name: &str, source: &str) {
        self.python_with(name, source, json!({})).await;
    }

    /// Creates a Python function with `index.main`; `more` overrides and adds members.
    pub(crate) async fn python_with(&self, name: &str, source: &str, more: Value) {
        let mut input = json!({"FunctionName": name, "Runtime": "python3.11", "Handler": "index.main", "Role": ROLE,
            "Timeout": 30, "Code": {"ZipFile": zip_text(&[("index.py", source)])}});
        merge(&mut input, more);
        self.call("CreateFunction", input).await.expect("is created");
    }

    pub(crate) async fn reply(&self, input: Value, payload: &str) -> Result<Reply, Fault> {
        let mut call = Call::new("Invoke", input);
        call.body = Bytes::copy_from_slice(payload.as_bytes());
        self.lambda.call(call).await
    }

    /// The payload and whether it is a function error.
    pub(crate) async fn invoke(&self, name: &str, payload: &str) -> (bool, String) {
        let reply = self.reply(json!({"FunctionName": name}), payload).await.expect("is invoked");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("X-Amz-Executed-Version"), Some("$LATEST"));
        let error = reply.header("X-Amz-Function-Error");
        assert!(matches!(error, None | Some("Unhandled")));
        (error.is_some(), String::from_utf8(reply.body.expect("a payload").to_vec()).expect("UTF-8"))
    }

    /// The value that a function returned without error.
    pub(crate) async fn value(&self, name: &str, payload: &str) -> Value {
        let (failed, text) = self.invoke(name, payload).await;
        assert!(!failed, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The error of a function that failed.
    pub(crate) async fn error(&self, name: &str, payload: &str) -> Value {
        let (failed, text) = self.invoke(name, payload).await;
        assert!(failed, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Waits until the function's log file contains `text`.
    pub(crate) async fn log_with(&self, name: &str, text: &str) -> String {
        let path = self.lambda.log_path(name);
        eventually(&format!("{text:?} in {}", path.display()), || {
            std::fs::read_to_string(&path).ok().filter(|log| log.contains(text))
        })
        .await
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// Polls until there is something, at most two minutes: packages may have to be installed first.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
        writer.start_file(*name, options).expect("starts");
        writer.write_all(content.as_bytes()).expect("writes");
    }
    writer.finish().expect("finishes").into_inner()
}

pub(crate) fn zip_text(files: &[(&str, &str)]) -> String {
    BASE64.encode(zip(files))
}

/// Whether a process with this id lives.
pub(crate) fn lives(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
}
