//! Logging, tracing and encryption of a state machine: checked, and brought into the form in which they are compared,
//! stored and shown.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use stepwell_aws::Fault;
use stepwell_engine::machines::{Configurations, ExecutionLog};

use crate::fault;

/// `loggingConfiguration` as a request has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Logging {
    level: Option<String>,
    include_execution_data: Option<bool>,
    destinations: Option<Vec<Value>>,
}

/// `tracingConfiguration` as a request has it.
#[derive(Deserialize)]
pub(super) struct Tracing {
    enabled: Option<bool>,
}

/// `encryptionConfiguration` as a request has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Encryption {
    #[serde(rename = "type")]
    kind: String,
    kms_key_id: Option<String>,
    kms_data_key_reuse_period_seconds: Option<f64>,
}

/// The normal form of `loggingConfiguration`; absent is `OFF`. Where nobody knows log groups, all are there.
pub(super) fn logging(given: Option<Logging>, log: Option<&Arc<dyn ExecutionLog>>) -> Result<String, Fault> {
    let given = given.unwrap_or(Logging { level: None, include_execution_data: None, destinations: None });
    let level = given.level.unwrap_or_else(|| "OFF".into());
    let destinations = given.destinations.unwrap_or_default();
    if (level != "OFF" && destinations.len() != 1) || destinations.len() > 1 {
        return Err(invalid_logging("Must specify exactly one Log Destination."));
    }
    for destination in &destinations {
        let group = destination["cloudWatchLogsLogGroup"]["logGroupArn"].as_str();
        let is_there = |arn: &str| log.map_or(arn.starts_with("arn:"), |log| log.has_log_group(arn));
        if !group.is_some_and(is_there) {
            return Err(invalid_logging("Log Destination not found."));
        }
    }
    let mut normal = Map::new();
    if !destinations.is_empty() {
        normal.insert("destinations".into(), destinations.into());
    }
    normal.insert("includeExecutionData".into(), given.include_execution_data.unwrap_or(false).into());
    normal.insert("level".into(), level.into());
    Ok(Value::Object(normal).to_string())
}

/// The normal form of `tracingConfiguration`; absent is disabled.
pub(super) fn tracing(given: Option<Tracing>) -> String {
    json!({ "enabled": given.and_then(|g| g.enabled).unwrap_or(false) }).to_string()
}

/// The normal form of `encryptionConfiguration`; absent is the key that AWS owns.
pub(super) fn encryption(given: Option<Encryption>) -> Result<String, Fault> {
    let Some(given) = given else { return Ok(json!({ "type": "AWS_OWNED_KEY" }).to_string()) };
    let mut normal = Map::new();
    match (given.kind.as_str(), given.kms_key_id) {
        ("CUSTOMER_MANAGED_KMS_KEY", Some(key)) => {
            normal.insert("kmsKeyId".into(), key.into());
            let seconds = given.kms_data_key_reuse_period_seconds.map_or(300, |s| s as i64);
            normal.insert("kmsDataKeyReusePeriodSeconds".into(), seconds.into());
        }
        ("CUSTOMER_MANAGED_KMS_KEY", None) => {
            return Err(invalid_encryption("kmsKeyId must be specified for CUSTOMER_MANAGED_KMS_KEY"));
        }
        (_, Some(_)) => return Err(invalid_encryption("kmsKeyId must not be specified for AWS_OWNED_KEY")),
        (_, None) => {}
    }
    normal.insert("type".into(), given.kind.into());
    Ok(Value::Object(normal).to_string())
}

/// Puts the configurations of a revision into an answer.
pub(super) fn show(configurations: &Configurations, answer: &mut Value) {
    for (member, text) in [
        ("loggingConfiguration", &configurations.logging),
        ("tracingConfiguration", &configurations.tracing),
        ("encryptionConfiguration", &configurations.encryption),
    ] {
        answer[member] = parsed(text);
    }
}

/// A stored configuration as JSON.
pub(super) fn parsed(text: &Arc<str>) -> Value {
    // Only texts made above are stored.
    serde_json::from_str(text).unwrap_or_default()
}

fn invalid_logging(detail: &str) -> Fault {
    fault::service("InvalidLoggingConfiguration", format!("Invalid Logging Configuration: {detail}"))
}

fn invalid_encryption(detail: &str) -> Fault {
    fault::service("InvalidEncryptionConfiguration", format!("Invalid Encryption Configuration: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logging_of(given: Value) -> Result<String, String> {
        logging(Some(serde_json::from_value(given).expect("has the shape")), None).map_err(|f| f.message)
    }

    #[test]
    fn logging_is_checked_and_completed() {
        let group = |name: &str| json!({"cloudWatchLogsLogGroup": {"logGroupArn": format!("arn:aws:logs:r:a:log-group:{name}:*")}});
        let none = "Invalid Logging Configuration: Must specify exactly one Log Destination.".to_owned();
        assert_eq!(
            logging(None, None).expect("is the default"),
            r#"{"includeExecutionData":false,"level":"OFF"}"#
        );
        assert_eq!(
            logging_of(json!({})).expect("is the default"),
            logging(None, None).expect("is the default")
        );
        for level in ["ALL", "FATAL", "ERROR"] {
            assert_eq!(logging_of(json!({"level": level})), Err(none.clone()));
        }
        assert_eq!(logging_of(json!({"level": "ALL", "destinations": [group("a"), group("b")]})), Err(none));
        assert_eq!(
            logging_of(json!({"level": "OFF", "includeExecutionData": true, "destinations": [group("a")]})),
            Ok(json!({"destinations": [group("a")], "includeExecutionData": true, "level": "OFF"})
                .to_string())
        );
        let missing = "Invalid Logging Configuration: Log Destination not found.".to_owned();
        assert_eq!(logging_of(json!({"level": "ALL", "destinations": [{}]})), Err(missing));
    }

    #[test]
    fn encryption_is_checked_and_completed() {
        let of = |given: Value| encryption(Some(serde_json::from_value(given).expect("has the shape")));
        assert_eq!(encryption(None).expect("is the default"), r#"{"type":"AWS_OWNED_KEY"}"#);
        assert_eq!(
            of(json!({"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"})).expect("is complete"),
            r#"{"kmsKeyId":"k","kmsDataKeyReusePeriodSeconds":300,"type":"CUSTOMER_MANAGED_KMS_KEY"}"#
        );
        for bad in
            [json!({"type": "CUSTOMER_MANAGED_KMS_KEY"}), json!({"type": "AWS_OWNED_KEY", "kmsKeyId": "k"})]
        {
            assert_eq!(of(bad).expect_err("is wrong").code, "InvalidEncryptionConfiguration");
        }
    }
}
