//! The configuration members of CreateFunction and UpdateFunctionConfiguration: checks, and what they change in a
//! function's record.

use serde_json::{Value, json};
use stepwell_aws::Fault;

use crate::faults;
use crate::record::FunctionRecord;
use crate::runtimes::Runtime;
use crate::validate::{Input, Problems};

/// Members that are recorded and shown, and change nothing here.
const RECORDED: &[&str] = &[
    "VpcConfig",
    "DeadLetterConfig",
    "KMSKeyArn",
    "TracingConfig",
    "EphemeralStorage",
    "SnapStart",
    "LoggingConfig",
    "Architectures",
];

/// Members that would change how a function runs, and that we cannot honour.
const UNSUPPORTED: &[&str] =
    &["FileSystemConfigs", "ImageConfig", "CapacityProviderConfig", "DurableConfig", "TenancyConfig"];

/// Variables that Lambda sets itself; a function cannot have its own.
const RESERVED_VARIABLES: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// All variables together, names and values, AWS's limit.
const ENVIRONMENT_BYTES_MAX: usize = 4096;

/// Checks the members of `input` against the API model.
pub(crate) fn check(input: &Input<'_>) -> Result<(), Fault> {
    let mut problems = Problems::new();
    if let Some(role) = input.text("Role")?
        && !is_role(role)
    {
        problems.pattern("role", role, r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+");
    }
    if let Some(handler) = input.text("Handler")? {
        problems.length("handler", handler, 0, 128);
        if handler.chars().any(char::is_whitespace) {
            problems.pattern("handler", handler, r"[^\s]+");
        }
    }
    if let Some(description) = input.text("Description")? {
        problems.length("description", description, 0, 256);
    }
    if let Some(timeout) = input.integer("Timeout")? {
        problems.range("timeout", timeout, 1, 900);
    }
    if let Some(memory) = input.integer("MemorySize")? {
        problems.range("memorySize", memory, 128, 10_240);
    }
    if let Some(kind) = input.text("PackageType")? {
        problems.one_of("packageType", kind, &["Zip", "Image"]);
    }
    check_structures(input, &mut problems)?;
    check_architectures(input, &mut problems)?;
    problems.fault()?;
    if input.text("PackageType")? == Some("Image") {
        return Err(faults::invalid_parameter(
            "Functions from container images are not supported by Stepwell",
        ));
    }
    if let Some(runtime) = input.text("Runtime")? {
        Runtime::parse(runtime)?;
    }
    for name in UNSUPPORTED {
        if input.get(name).is_some_and(|v| !is_empty(v)) {
            return Err(faults::invalid_parameter(format!("{name} is not supported by Stepwell")));
        }
    }
    if input.get("Layers").is_some_and(|v| !is_empty(v)) {
        return Err(faults::invalid_parameter(
            "Layers are not supported by Stepwell; put their files into the function's own code",
        ));
    }
    check_environment(input)
}

fn check_structures(input: &Input<'_>, problems: &mut Problems) -> Result<(), Fault> {
    if let Some(storage) = input.structure("EphemeralStorage")? {
        match storage.integer("Size")? {
            Some(size) => problems.range("ephemeralStorage.size", size, 512, 10_240),
            None => problems.missing("ephemeralStorage.size"),
        }
    }
    if let Some(mode) = input.structure("TracingConfig")?.map(|c| c.text("Mode")).transpose()?.flatten() {
        problems.one_of("tracingConfig.mode", mode, &["Active", "PassThrough"]);
    }
    if let Some(on) = input.structure("SnapStart")?.map(|c| c.text("ApplyOn")).transpose()?.flatten() {
        problems.one_of("snapStart.applyOn", on, &["PublishedVersions", "None"]);
    }
    if let Some(format) =
        input.structure("LoggingConfig")?.map(|c| c.text("LogFormat")).transpose()?.flatten()
    {
        problems.one_of("loggingConfig.logFormat", format, &["JSON", "Text"]);
    }
    Ok(())
}

fn check_architectures(input: &Input<'_>, problems: &mut Problems) -> Result<(), Fault> {
    match input.get("Architectures") {
        None => {}
        Some(Value::Array(list)) if list.len() == 1 => match list[0].as_str() {
            Some(one) => problems.one_of("architectures", one, &["x86_64", "arm64"]),
            None => problems.one_of("architectures", &list[0].to_string(), &["x86_64", "arm64"]),
        },
        Some(other) => problems.one_of("architectures", &other.to_string(), &["x86_64", "arm64"]),
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn is_role(text: &str) -> bool {
    let Some(arn) = stepwell_aws::arn::Arn::parse(text) else { return false };
    let name = arn.resource.strip_prefix("role").map(|r| r.strip_prefix('/').unwrap_or(r));
    arn.partition.starts_with("aws")
        && arn.service == "iam"
        && arn.region.is_empty()
        && arn.account.len() == 12
        && arn.account.bytes().all(|b| b.is_ascii_digit())
        && name.is_some_and(|n| {
            !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b))
        })
}

fn check_environment(input: &Input<'_>) -> Result<(), Fault> {
    let Some(variables) =
        input.structure("Environment")?.map(|e| e.text_map("Variables")).transpose()?.flatten()
    else {
        return Ok(());
    };
    let mut problems = Problems::new();
    for (name, value) in &variables {
        let named_well = name.len() >= 2
            && name.as_bytes()[0].is_ascii_alphabetic()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !named_well && !RESERVED_VARIABLES.contains(&name.as_str()) {
            problems.pattern("environment.variables.member.key", name, "[a-zA-Z]([a-zA-Z0-9_])+");
        }
        if value.as_str().is_some_and(|v| v.contains('\0')) {
            return Err(faults::invalid_parameter(format!(
                "The value of the environment variable {name} contains a zero byte"
            )));
        }
    }
    problems.fault()?;
    let used: Vec<&str> =
        variables.keys().map(String::as_str).filter(|n| RESERVED_VARIABLES.contains(n)).collect();
    let unable = "Lambda was unable to configure your environment variables because the environment variables you \
                  have provided";
    if !used.is_empty() {
        return Err(faults::invalid_parameter(format!(
            "{unable} contains reserved keys that are currently not supported for modification. Reserved keys used \
             in this request: {}",
            used.join(", ")
        )));
    }
    let measured = Value::Object(variables).to_string();
    if measured.len() > ENVIRONMENT_BYTES_MAX {
        return Err(faults::invalid_parameter(format!(
            "{unable} exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(())
}

/// Takes the members of a checked `input` over; absent ones stay as they are.
pub(crate) fn apply(record: &mut FunctionRecord, input: &Input<'_>) -> Result<(), Fault> {
    let texts = [
        ("Role", &mut record.role),
        ("Handler", &mut record.handler),
        ("Runtime", &mut record.runtime),
        ("Description", &mut record.description),
    ];
    for (name, field) in texts {
        if let Some(text) = input.text(name)? {
            *field = text.to_owned();
        }
    }
    let numbers = [("Timeout", &mut record.timeout_s), ("MemorySize", &mut record.memory_mb)];
    for (name, field) in numbers {
        if let Some(number) = input.integer(name)?.and_then(|n| u32::try_from(n).ok()) {
            *field = number;
        }
    }
    if let Some(environment) = input.structure("Environment")? {
        // An `Environment` without variables removes them all.
        record.environment = environment.text_map("Variables")?.filter(|v| !v.is_empty());
    }
    for name in RECORDED {
        match input.get(name) {
            Some(value) if is_empty(value) || value == &json!("") => {
                record.recorded.remove(*name);
            }
            Some(value) => {
                record.recorded.insert((*name).to_owned(), value.clone());
            }
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_checked_in_awss_words() {
        let cases = [
            (json!({"Timeout": 0}), "ValidationException", "greater than or equal to 1"),
            (json!({"Timeout": 901}), "ValidationException", "less than or equal to 900"),
            (json!({"Timeout": "3"}), "SerializationException", "Timeout must be an integer, not a string"),
            (json!({"MemorySize": 127}), "ValidationException", "greater than or equal to 128"),
            (json!({"Role": "nobody"}), "ValidationException", "'role'"),
            (json!({"Handler": "a b"}), "ValidationException", "'handler'"),
            (json!({"Runtime": "java21"}), "InvalidParameterValueException", "java21 is not supported"),
            (json!({"Architectures": ["mips"]}), "ValidationException", "[x86_64, arm64]"),
            (json!({"PackageType": "Image"}), "InvalidParameterValueException", "container images"),
            (json!({"Layers": ["arn"]}), "InvalidParameterValueException", "Layers"),
            (
                json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}),
                "InvalidParameterValueException",
                "AWS_REGION",
            ),
            (json!({"Environment": {"Variables": {"1A": "x"}}}), "ValidationException", "1A"),
            (json!({"Environment": {"Variables": {"A1": 5}}}), "SerializationException", "A1"),
            (
                json!({"Environment": {"Variables": {"BIG": "x".repeat(4096)}}}),
                "InvalidParameterValueException",
                "4KB",
            ),
        ];
        for (input, code, text) in cases {
            let fault = check(&Input::new(&input).expect("a structure")).expect_err("is refused");
            assert!(fault.code == code && fault.message.contains(text), "{input}: {fault}");
        }
        let fine = json!({"Role": "arn:aws:iam::000000000000:role/service-role/r", "Layers": [], "Timeout": 900,
            "Environment": {"Variables": {"TABLE_NAME": "t", "AWS_ENDPOINT_URL": "http://x"}}});
        check(&Input::new(&fine).expect("a structure")).expect("is fine");
    }
}
