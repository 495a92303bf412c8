//! A recorded case: its file, with the names that the runner chooses put in.

use std::path::{Path, PathBuf};

use serde_json::Value;
use stepwell_asl::timestamp::Timestamp;
use stepwell_interpreter::ExecutionKind;

/// When every run starts: 2024-06-01T00:00:00Z.
pub const START_MS: i64 = 1_717_200_000_000;

/// One recorded execution.
#[derive(Debug, Clone)]
pub struct Case {
    /// `<family>/<test>`
    pub id: String,
    /// The ASL text.
    pub definition: String,
    /// The input as it was sent.
    pub input: String,
    /// The role, as the recording names it.
    pub role_arn: String,
    /// Of which kind it was.
    pub kind: ExecutionKind,
    /// The state machine's name.
    pub machine_name: String,
    /// The execution's name.
    pub execution_name: String,
    /// Replies of tasks in the order of scheduling.
    pub replies: Vec<Value>,
    /// What stands for outside resources.
    pub mocks: Vec<Value>,
    /// What AWS answered.
    pub expected: Value,
    /// Texts that stand for anything.
    pub wildcards: Vec<String>,
    /// Tokens that stand for a text of the engine's choice, the same one everywhere.
    pub engine_tokens: Vec<String>,
    /// Whether the order of events is one of several valid ones.
    pub concurrent: bool,
}

/// The folder of recordings, or `None` where this checkout stands alone.
#[must_use]
pub fn recordings() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    path.is_dir().then_some(path)
}

/// The executions recorded in `family`, in the order of their file names.
///
/// # Panics
/// Where a file is no recording: the suite itself is broken then.
#[must_use]
pub fn executions(family: &str) -> Vec<Case> {
    let Some(folder) = recordings().map(|r| r.join(family)) else { return Vec::new() };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the family has a folder")
        .map(|f| f.expect("is readable").path())
        .collect();
    files.sort();
    files.iter().filter_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Option<Case> {
    // In two recordings the token's own brackets were replaced once more.
    let text = std::fs::read_to_string(file)
        .expect("a recording is readable")
        .replace("<<task_token>:1>", "<task_token:1>");
    let mut raw: Value = serde_json::from_str(&text).expect("a recording is JSON");
    if raw["kind"] != "execution" {
        return None;
    }
    let mut replacements =
        vec![("<partition>".to_owned(), "aws".to_owned()), ("<region>".to_owned(), "us-east-1".to_owned())];
    let mut engine_tokens = Vec::new();
    if let Some(placeholders) = raw["placeholders"].as_object() {
        for (token, about) in placeholders {
            match (about["bound_by"].as_str(), about["example"].as_str()) {
                (Some("runner"), Some(example)) => replacements.push((token.clone(), example.to_owned())),
                (Some("runner"), None) if about["kind"] == "timestamp" => {
                    replacements.push((token.clone(), instant(about)));
                }
                _ => engine_tokens.push(token.clone()),
            }
        }
    }
    // A longer token may hold a shorter one.
    replacements.sort_by_key(|(token, _)| std::cmp::Reverse(token.len()));
    if text.contains("<task_token:1>") {
        engine_tokens.push("<task_token:1>".to_owned());
    }
    let placeholders = raw["placeholders"].take();
    let wildcards = texts(&raw["wildcards"]);
    for (token, _) in &replacements {
        engine_tokens.retain(|t| t != token);
    }
    let chosen = |wanted: &dyn Fn(&str, &Value) -> bool| {
        let found = placeholders.as_object()?.iter().find(|(token, about)| wanted(token, about))?;
        found.1["example"].as_str().map(str::to_owned)
    };
    let role_arn = chosen(&|token, _| token == "snf_role_arn")
        .or_else(|| chosen(&|_, about| about["kind"] == "role_arn" && about["bound_by"] == "runner"))
        .unwrap_or_else(|| "arn:aws:iam::111111111111:role/conformance".into());
    let machine_name =
        chosen(&|_, about| about["kind"] == "state_machine_name").unwrap_or_else(|| "machine".into());
    let execution_name = chosen(&|token, _| token == "<ExecArnPart_0idx>")
        .or_else(|| chosen(&|_, a| a["kind"] == "execution_name"));
    let execution_name = execution_name.unwrap_or_else(|| "execution".into());
    replace(&mut raw, &replacements);
    let definition = match &raw["definition"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(Case {
        id: raw["id"].as_str().expect("a case has an id").to_owned(),
        definition,
        input: match raw["input_text"].as_str() {
            Some(text) if serde_json::from_str::<Value>(text).is_ok() => text.to_owned(),
            // A string was recorded without its quotes.
            _ => match raw["input"].as_str() {
                Some(text) if serde_json::from_str::<Value>(text).is_ok() => text.to_owned(),
                _ => raw["input"].to_string(),
            },
        },
        role_arn,
        kind: match raw["type"].as_str() {
            Some("EXPRESS") if raw["expected"]["sync_response"].is_object() => ExecutionKind::SyncExpress,
            Some("EXPRESS") => ExecutionKind::Express,
            _ => ExecutionKind::Standard,
        },
        machine_name,
        execution_name,
        replies: raw["recorded_task_replies"].as_array().cloned().unwrap_or_default(),
        mocks: raw["mocks"].as_array().cloned().unwrap_or_default(),
        expected: raw["expected"].clone(),
        wildcards,
        engine_tokens,
        concurrent: raw["concurrent_branches"] == true || raw["history_normalised"].is_string(),
    })
}

/// A time that lies as far from the start as the recording's did, written as it was.
fn instant(about: &Value) -> String {
    let seconds = about["offset_seconds_from_start"].as_i64().unwrap_or(0);
    let text = Timestamp::from_epoch_ms(START_MS + seconds * 1000).to_iso8601();
    let tail =
        about["format_example"].as_str().and_then(|example| example.get("2024-06-01T00:00:00".len()..));
    format!("{}{}", &text["".len().."2024-06-01T00:00:00".len()], tail.unwrap_or("Z"))
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .map(|a| a.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
        .unwrap_or_default()
}

fn replace(value: &mut Value, replacements: &[(String, String)]) {
    match value {
        Value::String(text) => {
            for (token, by) in replacements {
                if text.contains(token.as_str()) {
                    *text = text.replace(token.as_str(), by);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|e| replace(e, replacements)),
        Value::Object(members) => {
            let old = std::mem::take(members);
            for (name, mut member) in old {
                replace(&mut member, replacements);
                let mut name = Value::String(name);
                replace(&mut name, replacements);
                members.insert(name.as_str().unwrap_or_default().to_owned(), member);
            }
        }
        _ => {}
    }
}
