//! `stepwell env`: the exports that point AWS SDKs and tools at a server, for `eval "$(stepwell env)"`.

use http::Method;
use serde_json::{Map, Value, json};

use crate::args::{DEFAULT_ADDRESS, EnvArgs};
use crate::client::{Client, ClientError, explicit_endpoint};
use crate::outcome::{CommandResult, Outcome};
use crate::terminal::Terminal;

pub(super) async fn run(args: EnvArgs, terminal: &Terminal) -> CommandResult {
    let url = explicit_endpoint(args.endpoint.endpoint_url.as_deref());
    let url = url.unwrap_or_else(|| format!("http://{DEFAULT_ADDRESS}"));
    let client = Client::new(&url, args.endpoint.ca_bundle.as_deref())?;
    // Printed also where no server answers yet; only its region is then a guess.
    let (region, any_credentials) = match client.own(Method::GET, "info", bytes::Bytes::new()).await {
        Ok(info) => (info["region"].as_str().unwrap_or("us-east-1").to_owned(), true),
        Err(error) => {
            terminal.note(&format!("# {error}"));
            ("us-east-1".to_owned(), !matches!(error, ClientError::Refused { .. }))
        }
    };
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let exports = exports(client.url(), &region, any_credentials, is_set);
    if args.output.json {
        let object: Map<String, Value> =
            exports.into_iter().map(|(name, v)| (name.to_owned(), json!(v))).collect();
        terminal.data(&Value::Object(object).to_string())?;
    } else {
        for (name, value) in exports {
            terminal.data(&format!("export {name}={}", quoted(&value)))?;
        }
    }
    Ok(Outcome::Success)
}

/// Names and values; credentials and region only where none are set, and credentials only where the server takes any.
fn exports(
    url: &str,
    region: &str,
    any_credentials: bool,
    is_set: impl Fn(&str) -> bool,
) -> Vec<(&'static str, String)> {
    let mut exports = vec![("AWS_ENDPOINT_URL", url.to_owned())];
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if !is_set(name) {
            exports.push((name, region.to_owned()));
        }
    }
    if any_credentials && !is_set("AWS_ACCESS_KEY_ID") && !is_set("AWS_PROFILE") {
        // The server does not check them, but the SDKs want some.
        exports.push(("AWS_ACCESS_KEY_ID", "stepwell".to_owned()));
        exports.push(("AWS_SECRET_ACCESS_KEY", "stepwell".to_owned()));
    }
    // Without it SDKs send StartSyncExecution and TestState to the host sync-127.0.0.1.
    exports.push(("AWS_DISABLE_HOST_PREFIX_INJECTION", "true".to_owned()));
    exports.push(("AWS_EC2_METADATA_DISABLED", "true".to_owned()));
    exports
}

/// As a shell reads it back.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_stays() {
        let names = |set: &[&str]| -> Vec<&str> {
            exports("http://x:1", "us-east-1", true, |name| set.contains(&name))
                .into_iter()
                .map(|(n, _)| n)
                .collect()
        };
        assert!(names(&[]).contains(&"AWS_SECRET_ACCESS_KEY"));
        assert!(!names(&["AWS_PROFILE"]).contains(&"AWS_ACCESS_KEY_ID"));
        assert!(!names(&["AWS_REGION"]).contains(&"AWS_REGION"));
        let picky = exports("http://x:1", "us-east-1", false, |_| false);
        assert!(!picky.iter().any(|(name, _)| *name == "AWS_ACCESS_KEY_ID"));
    }

    #[test]
    fn shells_read_values_back() {
        assert_eq!(quoted("http://127.0.0.1:8083"), "http://127.0.0.1:8083");
        assert_eq!(quoted("a b'c"), "'a b'\\''c'");
        assert_eq!(quoted(""), "''");
    }
}
