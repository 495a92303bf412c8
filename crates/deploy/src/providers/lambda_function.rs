//! `AWS::Lambda::Function`: `Ref` is the name.
//!
//! Inline code becomes a package with one file, `index.py` or `index.js`. A package in the asset store travels in the
//! call; one that is not there is passed on as bucket and key.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use stepwell_aws::BoxFuture;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::schema::{Effect, Property, Shape, TAGS, TEXTS};
use super::{Live, Provider, ProviderError, ResourceContext, copied, tag_changes, tag_map, text};
use crate::limits::DIRECT_PACKAGE_BYTES_MAX;

pub(super) struct Function;

const IMAGES: &str = "container images; use a zip package";

static PROPERTIES: [Property; 30] = [
    Property::new("Architectures", TEXTS),
    Property::new("CapacityProviderConfig", Shape::Any).with(Effect::Warn("capacity providers are not used")),
    Property::new(
        "Code",
        Shape::Object(&[
            Property::new("ImageUri", Shape::Text).with(Effect::Refuse(IMAGES)),
            Property::new("S3Bucket", Shape::Text),
            Property::new("S3Key", Shape::Text),
            Property::new("S3ObjectVersion", Shape::Text),
            Property::new("SourceKMSKeyArn", Shape::Text),
            Property::new("ZipFile", Shape::Text),
        ]),
    )
    .required(),
    Property::new("CodeSigningConfigArn", Shape::Text).with(Effect::Recorded),
    Property::new("DeadLetterConfig", Shape::Object(&[Property::new("TargetArn", Shape::Text)])),
    Property::new("Description", Shape::Text),
    Property::new("DurableConfig", Shape::Any).with(Effect::Refuse("durable functions")),
    Property::new("Environment", Shape::Object(&[Property::new("Variables", Shape::Map(&Shape::Text))])),
    Property::new("EphemeralStorage", Shape::Object(&[Property::new("Size", Shape::Integer).required()])),
    Property::new("FileSystemConfigs", Shape::Any).with(Effect::Refuse("mounted file systems")),
    Property::new("FunctionName", Shape::Text).with(Effect::Replace),
    Property::new("FunctionScalingConfig", Shape::Any).with(Effect::Recorded),
    Property::new("Handler", Shape::Text),
    Property::new("ImageConfig", Shape::Any).with(Effect::Refuse(IMAGES)),
    Property::new("KmsKeyArn", Shape::Text).with(Effect::Recorded),
    Property::new("Layers", TEXTS),
    Property::new(
        "LoggingConfig",
        Shape::Object(&[
            Property::new("ApplicationLogLevel", Shape::Text),
            Property::new("LogFormat", Shape::Text),
            Property::new("LogGroup", Shape::Text),
            Property::new("SystemLogLevel", Shape::Text),
        ]),
    ),
    Property::new("MemorySize", Shape::Integer),
    Property::new("PackageType", Shape::Text).with(Effect::Replace),
    Property::new("PublishToLatestPublished", Shape::Any).with(Effect::Recorded),
    Property::new("RecursiveLoop", Shape::Text).with(Effect::Recorded),
    Property::new("ReservedConcurrentExecutions", Shape::Integer),
    Property::new("Role", Shape::Text).required(),
    Property::new("Runtime", Shape::Text),
    Property::new("RuntimeManagementConfig", Shape::Any).with(Effect::Recorded),
    Property::new("SnapStart", Shape::Any).with(Effect::Recorded),
    Property::new("Tags", TAGS),
    Property::new("Timeout", Shape::Integer),
    Property::new("TracingConfig", Shape::Object(&[Property::new("Mode", Shape::Text)])),
    Property::new("VpcConfig", Shape::Any).with(Effect::Warn("functions use the network of their host")),
];

/// Members of CreateFunction and UpdateFunctionConfiguration with the names of their properties, and what a member
/// is set to when its property goes away.
fn configuration_defaults() -> [(&'static str, Option<Value>); 12] {
    [
        ("Role", None),
        ("Handler", None),
        ("Runtime", None),
        ("Description", Some(json!(""))),
        ("Timeout", Some(json!(3))),
        ("MemorySize", Some(json!(128))),
        ("Environment", Some(json!({"Variables": {}}))),
        ("DeadLetterConfig", Some(json!({"TargetArn": ""}))),
        ("EphemeralStorage", Some(json!({"Size": 512}))),
        ("Layers", Some(json!([]))),
        ("LoggingConfig", Some(json!({"LogFormat": "Text"}))),
        ("TracingConfig", Some(json!({"Mode": "PassThrough"}))),
    ]
}

impl Provider for Function {
    fn kind(&self) -> &str {
        "AWS::Lambda::Function"
    }

    fn properties(&self) -> Option<&'static [Property]> {
        Some(&PROPERTIES)
    }

    fn attributes(&self) -> Option<&'static [&'static str]> {
        Some(&["Arn"])
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("FunctionName")
    }

    fn create<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        properties: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let given = text(properties, "FunctionName");
            let name = given.map_or_else(|| cx.generated_name(64), str::to_owned);
            let names: Vec<&str> = configuration_defaults().iter().map(|(name, _)| *name).collect();
            let mut input = copied(properties, &names);
            for (key, value) in copied(properties, &["Architectures", "PackageType"]) {
                input.insert(key, value);
            }
            input.insert("FunctionName".to_owned(), json!(name));
            input.insert("Code".to_owned(), code(cx, properties).await?);
            if properties.get("Tags").is_some() {
                input.insert("Tags".to_owned(), json!(tag_map(properties)));
            }
            let reply = match cx.call("lambda", "CreateFunction", Value::Object(input)).await {
                Ok(reply) => reply,
                Err(error) if error.code.as_deref() == Some("ResourceConflictException") => {
                    if !cx.resuming {
                        return Err(ProviderError::already_exists(self.kind(), &name));
                    }
                    // The interrupted creation got through; its properties may have been others.
                    update_code(cx, &name, properties).await?;
                    update_configuration(cx, &name, &Value::Null, properties).await?
                }
                Err(error) => return Err(error),
            };
            let arn = text(&reply, "FunctionArn").unwrap_or_default();
            let attributes = BTreeMap::from([("Arn".to_owned(), json!(arn))]);
            let live = Live { physical_id: name.clone(), attributes };
            settle(cx, &name, &reply).await.map_err(|error| error.leaving(&live))?;
            concurrency(cx, &name, &Value::Null, properties).await.map_err(|error| error.leaving(&live))?;
            Ok(live)
        })
    }

    fn update<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        old: &'a Value,
        new: &'a Value,
    ) -> BoxFuture<'a, Result<Live, ProviderError>> {
        Box::pin(async move {
            let name = &live.physical_id;
            if ["Code", "Architectures", "Runtime"]
                .iter()
                .any(|property| old.get(*property) != new.get(*property))
            {
                update_code(cx, name, new).await?;
            }
            update_configuration(cx, name, old, new).await?;
            concurrency(cx, name, old, new).await?;
            let arn = live.attributes.get("Arn").cloned().unwrap_or_default();
            let (set, removed) = tag_changes(old, new);
            if !removed.is_empty() {
                cx.call("lambda", "UntagResource", json!({"Resource": arn, "TagKeys": removed})).await?;
            }
            if !set.is_empty() {
                cx.call("lambda", "TagResource", json!({"Resource": arn, "Tags": set})).await?;
            }
            Ok(live.clone())
        })
    }

    fn delete<'a>(
        &'a self,
        cx: &'a ResourceContext<'a>,
        live: &'a Live,
        _properties: &'a Value,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let input = json!({"FunctionName": live.physical_id});
            match cx.call("lambda", "DeleteFunction", input).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        })
    }
}

async fn update_code(cx: &ResourceContext<'_>, name: &str, properties: &Value) -> Result<(), ProviderError> {
    let mut input = code(cx, properties).await?;
    input["FunctionName"] = json!(name);
    if let Some(architectures) = properties.get("Architectures") {
        input["Architectures"] = architectures.clone();
    }
    let reply = cx.call("lambda", "UpdateFunctionCode", input).await?;
    settle(cx, name, &reply).await
}

/// Sets what differs between `old` and `new`, all of `new` where `old` is null; the answer, empty if nothing differs.
async fn update_configuration(
    cx: &ResourceContext<'_>,
    name: &str,
    old: &Value,
    new: &Value,
) -> Result<Value, ProviderError> {
    let mut input = Map::new();
    for (property, default) in configuration_defaults() {
        match (old.get(property), new.get(property)) {
            (before, Some(now)) if before != Some(now) => {
                input.insert(property.to_owned(), now.clone());
            }
            (Some(_), None) => {
                if let Some(default) = default {
                    input.insert(property.to_owned(), default);
                }
            }
            _ => {}
        }
    }
    if input.is_empty() {
        return Ok(json!({}));
    }
    input.insert("FunctionName".to_owned(), json!(name));
    let reply = cx.call("lambda", "UpdateFunctionConfiguration", Value::Object(input)).await?;
    settle(cx, name, &reply).await?;
    Ok(reply)
}

async fn concurrency(
    cx: &ResourceContext<'_>,
    name: &str,
    old: &Value,
    new: &Value,
) -> Result<(), ProviderError> {
    const PROPERTY: &str = "ReservedConcurrentExecutions";
    let result = match (old.get(PROPERTY), new.get(PROPERTY)) {
        (before, Some(now)) if before != Some(now) => {
            let input = json!({"FunctionName": name, PROPERTY: now});
            cx.call("lambda", "PutFunctionConcurrency", input).await
        }
        (Some(_), None) => {
            cx.call("lambda", "DeleteFunctionConcurrency", json!({"FunctionName": name})).await
        }
        _ => return Ok(()),
    };
    match result {
        Err(error) if error.is_unknown_operation() => {
            cx.warn(format!("{PROPERTY}: the Lambda service does not limit concurrency per function"));
            Ok(())
        }
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// Waits while the service says that the function is being made or changed.
async fn settle(cx: &ResourceContext<'_>, name: &str, reply: &Value) -> Result<(), ProviderError> {
    let is_busy = |configuration: &Value| {
        text(configuration, "State") == Some("Pending")
            || text(configuration, "LastUpdateStatus") == Some("InProgress")
    };
    if !is_busy(reply) {
        return Ok(());
    }
    let question = json!({"FunctionName": name});
    let done = cx.until("lambda", "GetFunctionConfiguration", &question, |answer| !is_busy(answer)).await?;
    if text(&done, "State") == Some("Failed") || text(&done, "LastUpdateStatus") == Some("Failed") {
        let reason =
            text(&done, "StateReason").or(text(&done, "LastUpdateStatusReason")).unwrap_or("unknown reason");
        return Err(ProviderError::new(format!("The function {name} failed to become ready: {reason}")));
    }
    Ok(())
}

/// The `Code` member of CreateFunction.
async fn code(cx: &ResourceContext<'_>, properties: &Value) -> Result<Value, ProviderError> {
    let code = &properties["Code"];
    if let Some(source) = text(code, "ZipFile") {
        let runtime = text(properties, "Runtime").unwrap_or_default();
        let package = inline_package(runtime, source)?;
        return Ok(json!({"ZipFile": STANDARD.encode(package)}));
    }
    let (Some(bucket), Some(key)) = (text(code, "S3Bucket"), text(code, "S3Key")) else {
        return Err(ProviderError::new("Code needs either ZipFile or S3Bucket and S3Key"));
    };
    let found = cx.environment.assets.get(bucket, key).await;
    match found.map_err(|error| ProviderError::new(error.to_string()))? {
        Some(content) if content.len() <= DIRECT_PACKAGE_BYTES_MAX => {
            Ok(json!({"ZipFile": STANDARD.encode(content)}))
        }
        _ => Ok(Value::Object(copied(code, &["S3Bucket", "S3Key", "S3ObjectVersion", "SourceKMSKeyArn"]))),
    }
}

/// A package with the inline source as its only file; the same source always gives the same bytes.
fn inline_package(runtime: &str, source: &str) -> Result<Vec<u8>, ProviderError> {
    let file = if runtime.starts_with("python") {
        "index.py"
    } else if runtime.starts_with("nodejs") {
        // AWS writes `.js` for every Node.js version; Node finds out whether it is an ES module.
        "index.js"
    } else {
        return Err(ProviderError::new(format!(
            "ZipFile can only be used with nodejs and python runtimes, not with '{runtime}'"
        )));
    };
    let broken = |error: &dyn std::fmt::Display| ProviderError::new(format!("packing {file}: {error}"));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    writer.start_file(file, options).map_err(|error| broken(&error))?;
    writer.write_all(source.as_bytes()).map_err(|error| broken(&error))?;
    writer.finish().map(Cursor::into_inner).map_err(|error| broken(&error))
}
