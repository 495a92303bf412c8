//! What an invocation ended with, and AWS's payloads for the ends that no runtime reports.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::process::describe_exit;
use super::runtime_api::RESPONSE_BYTES_MAX;

/// The answer to an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What the handler returned, byte for byte.
    Response(Bytes),
    /// `X-Amz-Function-Error: Unhandled` with this payload.
    FunctionError(Bytes),
}

impl Outcome {
    /// The same with `task_root` called what it is called on AWS: an error's stack trace names the function's files, and
    /// must not tell where this machine keeps them.
    pub(super) fn with_task_root_of_aws(self, task_root: &Path) -> Outcome {
        match self {
            Outcome::FunctionError(payload) => {
                let root = task_root.to_string_lossy();
                match std::str::from_utf8(&payload) {
                    Ok(text) if root.len() > 1 && text.contains(&*root) => {
                        Outcome::FunctionError(Bytes::from(text.replace(&*root, "/var/task")))
                    }
                    _ => Outcome::FunctionError(payload),
                }
            }
            response @ Outcome::Response(_) => response,
        }
    }
}

fn function_error(kind: &str, message: &str) -> Outcome {
    Outcome::FunctionError(Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string()))
}

/// The function's time is up.
pub(super) fn timed_out(request_id: &str, timeout: Duration) -> Outcome {
    let message =
        format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", timeout.as_secs_f64());
    function_error("Sandbox.Timedout", &message)
}

/// The runtime's process ended without an answer.
pub(super) fn exited(request_id: &str, status: Option<ExitStatus>) -> Outcome {
    let how = match status {
        Some(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
        Some(status) => format!("Runtime exited with error: {}", describe_exit(status)),
        None => "Runtime exited with error: signal: killed".to_owned(),
    };
    function_error("Runtime.ExitError", &format!("RequestId: {request_id} Error: {how}"))
}

/// The answer is too large.
pub(super) fn too_large() -> Outcome {
    function_error(
        "Function.ResponseSizeTooLarge",
        &format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."),
    )
}

/// The program cannot be started.
pub(super) fn invalid_entrypoint(request_id: &str, reason: &str) -> Outcome {
    function_error("Runtime.InvalidEntrypoint", &format!("RequestId: {request_id} Error: {reason}"))
}

/// What the runtime said about its own start; AWS puts the invocation's id into it. `hint` explains a missing module
/// that we could not install.
pub(super) fn init_error(request_id: &str, body: &Bytes, hint: Option<&str>) -> Outcome {
    let Ok(Value::Object(mut error)) = serde_json::from_slice(body) else {
        return function_error(
            "Runtime.Unknown",
            &format!("RequestId: {request_id} Error: Unknown application error occurred"),
        );
    };
    if error.get("requestId").is_some_and(|id| id.as_str().is_none_or(str::is_empty)) {
        error.insert("requestId".into(), Value::String(request_id.to_owned()));
    }
    let missing =
        |text: &str| ["boto3", "botocore"].iter().any(|m| text.contains(&format!("No module named '{m}'")));
    if let (Some(hint), Some(Value::String(message))) = (hint, error.get_mut("errorMessage"))
        && missing(message)
    {
        message.push_str(" (");
        message.push_str(hint);
        message.push(')');
    }
    Outcome::FunctionError(Bytes::from(Value::Object(error).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(outcome: Outcome) -> String {
        match outcome {
            Outcome::Response(b) | Outcome::FunctionError(b) => String::from_utf8(b.to_vec()).expect("UTF-8"),
        }
    }

    #[test]
    fn stack_traces_name_files_as_aws_does() {
        let payload = br#"{"stackTrace":["  File \"/data/lambda/code/ab/index.py\", line 2, in main"]}"#;
        let outcome = Outcome::FunctionError(Bytes::from_static(payload));
        let shown = text(outcome.with_task_root_of_aws(Path::new("/data/lambda/code/ab")));
        assert_eq!(shown, r#"{"stackTrace":["  File \"/var/task/index.py\", line 2, in main"]}"#);
    }

    #[test]
    fn payloads_are_awss() {
        assert_eq!(
            text(timed_out("i", Duration::from_secs(3))),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: i Error: Task timed out after 3.00 seconds"}"#
        );
        assert_eq!(
            text(exited("i", None)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: i Error: Runtime exited with error: signal: killed"}"#
        );
        let body = Bytes::from_static(
            br#"{"errorMessage":"No module named 'boto3'","errorType":"T","requestId":"","stackTrace":[]}"#,
        );
        assert_eq!(
            text(init_error("i", &body, Some("offline"))),
            r#"{"errorMessage":"No module named 'boto3' (offline)","errorType":"T","requestId":"i","stackTrace":[]}"#
        );
        assert!(text(init_error("i", &Bytes::from_static(b"?"), None)).contains("Runtime.Unknown"));
    }
}
