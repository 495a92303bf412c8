//! The operations that only read.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use stepwell_aws::{Fault, Reply};

use super::{named, shown};
use crate::Inner;
use crate::code;
use crate::faults;
use crate::names::{LATEST, function_arn};
use crate::record::Code;
use crate::validate::{Input, Problems};

/// Functions of one page at the most, whatever `MaxItems` says; AWS's limit.
const PAGE_MAX: usize = 50;

/// Bytes of all code together that an account may hold, as AWS shows it.
const ACCOUNT_CODE_BYTES: u64 = 80_530_636_800;

pub(super) fn function(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, entry) = named(inner, input)?;
    let record = entry.record();
    let location = match &record.code {
        Code::Directory(path) => format!("file://{path}"),
        Code::Archive(_) => {
            let server = inner.ground.options.endpoint_url.get().map_or("", String::as_str);
            format!("{}/_stepwell/lambda/functions/{}/code.zip", server.trim_end_matches('/'), record.key())
        }
    };
    let mut output = json!({
        "Configuration": shown(inner, &id, &record),
        "Code": {"RepositoryType": "S3", "Location": location},
    });
    let latest = inner.latest(&id)?.record();
    if !latest.tags.is_empty() {
        output["Tags"] = Value::Object(latest.tags.clone());
    }
    if let Some(limit) = latest.reserved_concurrency {
        output["Concurrency"] = json!({"ReservedConcurrentExecutions": limit});
    }
    Ok(output)
}

pub(super) fn configuration(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, entry) = named(inner, input)?;
    Ok(shown(inner, &id, &entry.record()))
}

/// The archive itself, for `Code.Location` of GetFunction.
pub(super) async fn archive(inner: &Arc<Inner>, input: &Input<'_>) -> Result<Reply, Fault> {
    let (_, entry) = named(inner, input)?;
    let Code::Archive(hash) = entry.record().code.clone() else {
        return Err(faults::resource_not_found("The function's code is a directory of the server's machine"));
    };
    let inner = inner.clone();
    let read = tokio::task::spawn_blocking(move || inner.catalog.archive(&hash)).await;
    let bytes =
        read.map_err(|e| faults::service(e.to_string()))?.map_err(|e| faults::service(e.to_string()))?;
    let mut reply = Reply::empty();
    reply.headers.push(("Content-Type".into(), "application/zip".into()));
    reply.body = Some(Bytes::from(bytes));
    Ok(reply)
}

pub(super) fn list(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let count = page_size(input)?;
    let after = match input.text("Marker")? {
        Some(marker) if !marker.is_empty() => code::from_base64(marker)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| faults::invalid_parameter("The Marker is not one that ListFunctions returned"))?,
        _ => String::new(),
    };
    let all_versions = input.text("FunctionVersion")? == Some("ALL");
    let (page, more) = inner.catalog.page(&after, count, all_versions);
    let functions: Vec<Value> = page
        .iter()
        .map(|entry| {
            let record = entry.record();
            let mut shown = record.configuration(&inner.ground.account);
            if all_versions && record.version.is_none() {
                shown["FunctionArn"] =
                    json!(format!("{}:{LATEST}", function_arn(&inner.ground.account, &record.name)));
            }
            shown
        })
        .collect();
    let mut output = json!({ "Functions": functions });
    if let (true, Some(last)) = (more, page.last()) {
        output["NextMarker"] = json!(code::base64_text(last.record().key().as_bytes()));
    }
    Ok(output)
}

pub(super) fn page_size(input: &Input<'_>) -> Result<usize, Fault> {
    let Some(asked) = input.integer("MaxItems")? else { return Ok(PAGE_MAX) };
    let mut problems = Problems::new();
    problems.range("maxItems", asked, 1, 10_000);
    problems.fault()?;
    Ok(usize::try_from(asked).unwrap_or(PAGE_MAX).min(PAGE_MAX))
}

pub(super) fn code_signing(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    Ok(json!({"CodeSigningConfigArn": "", "FunctionName": id.name}))
}

pub(super) fn recursion(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    named(inner, input)?;
    Ok(json!({"RecursiveLoop": "Allow"}))
}

pub(super) fn runtime_management(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    Ok(json!({"UpdateRuntimeOn": "Auto", "FunctionArn": id.arn(&inner.ground.account)}))
}

pub(super) fn no_event_invoke_config(inner: &Inner, input: &Input<'_>) -> Result<Fault, Fault> {
    let (id, _) = named(inner, input)?;
    let arn = function_arn(&inner.ground.account, &id.name);
    Ok(faults::resource_not_found(format!("The function {arn}:{LATEST} doesn't have an EventInvokeConfig")))
}

pub(super) fn account(inner: &Inner) -> Value {
    let (bytes, count) = inner.catalog.usage();
    let concurrent = inner.ground.options.limits.concurrent_invocations;
    json!({
        "AccountLimit": {
            "TotalCodeSize": ACCOUNT_CODE_BYTES,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": code::ZIPPED_BYTES_MAX,
            "ConcurrentExecutions": concurrent,
            "UnreservedConcurrentExecutions": concurrent,
        },
        "AccountUsage": {"TotalCodeSize": bytes, "FunctionCount": count},
    })
}
