//! `RedrivePolicy` and `RedriveAllowPolicy`: where messages go that were received too often, and who may send them
//! here. Reading and writing the JSON texts; whether a target exists is for the caller to check.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_aws::{Account, Fault};

use crate::address::name_in_arn;
use crate::fault;
use crate::limits::{ALLOWED_SOURCES, MAX_RECEIVE_COUNT};

/// A queue's `RedrivePolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Redrive {
    /// ARN of the dead-letter queue.
    pub(crate) target: String,
    /// Deliveries after which a message goes there.
    pub(crate) receives_max: u32,
}

impl Redrive {
    /// Reads the attribute's JSON text. Unknown members are dropped, as SQS does.
    pub(crate) fn parse(text: &str, account: &Account) -> Result<Redrive, Fault> {
        let invalid = |reason: &str| fault::invalid_value(text, "RedrivePolicy", reason);
        let Ok(Value::Object(policy)) = serde_json::from_str(text) else {
            return Err(invalid("Redrive policy is not a valid JSON map."));
        };
        let member = |name: &str| {
            let missing =
                || invalid(&format!("Redrive policy does not contain mandatory attribute: {name}."));
            policy.get(name).ok_or_else(missing)
        };
        let target = member("deadLetterTargetArn")?;
        let receives = member("maxReceiveCount")?;
        let target = target.as_str().filter(|arn| name_in_arn(arn, account).is_some());
        let Some(target) = target else { return Err(invalid("Invalid value for deadLetterTargetArn.")) };
        let number = match receives {
            Value::Number(number) => number.as_u64(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        };
        let receives_max =
            number.and_then(|n| u32::try_from(n).ok()).filter(|n| MAX_RECEIVE_COUNT.contains(n));
        let Some(receives_max) = receives_max else {
            let shown = receives.as_str().map_or_else(|| receives.to_string(), str::to_owned);
            return Err(invalid(&format!(
                "Invalid value for maxReceiveCount: {shown}, valid values are from 1 to 1000 both inclusive."
            )));
        };
        Ok(Redrive { target: target.to_owned(), receives_max })
    }

    /// The attribute's value as `GetQueueAttributes` shows it.
    pub(crate) fn show(&self) -> String {
        json!({"deadLetterTargetArn": self.target, "maxReceiveCount": self.receives_max}).to_string()
    }
}

/// A queue's `RedriveAllowPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RedriveAllow {
    /// Any queue may name this one as its dead-letter queue.
    All,
    /// None may.
    None,
    /// Only the queues with these ARNs may.
    Queues(Vec<String>),
}

impl RedriveAllow {
    /// Reads the attribute's JSON text.
    pub(crate) fn parse(text: &str) -> Result<RedriveAllow, Fault> {
        let invalid = |reason: &str| fault::invalid_value(text, "RedriveAllowPolicy", reason);
        let Ok(Value::Object(policy)) = serde_json::from_str(text) else {
            return Err(invalid("Redrive allow policy is not a valid JSON map."));
        };
        let sources = match policy.get("sourceQueueArns") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => {
                let arns: Option<Vec<String>> =
                    list.iter().map(|arn| arn.as_str().map(str::to_owned)).collect();
                arns.ok_or_else(|| invalid("Invalid value for sourceQueueArns."))?
            }
            Some(_) => return Err(invalid("Invalid value for sourceQueueArns.")),
        };
        let allow = match policy.get("redrivePermission").and_then(Value::as_str) {
            Some("allowAll") => RedriveAllow::All,
            Some("denyAll") => RedriveAllow::None,
            Some("byQueue") if ALLOWED_SOURCES.contains(&sources.len()) => {
                return Ok(RedriveAllow::Queues(sources));
            }
            Some("byQueue") => {
                return Err(invalid("byQueue requires between 1 and 10 sourceQueueArns."));
            }
            Some(_) => return Err(invalid("Invalid value for redrivePermission.")),
            None => {
                return Err(invalid(
                    "Redrive allow policy does not contain mandatory attribute: redrivePermission.",
                ));
            }
        };
        if sources.is_empty() {
            Ok(allow)
        } else {
            Err(invalid("sourceQueueArns is allowed only with byQueue."))
        }
    }

    /// The attribute's value as `GetQueueAttributes` shows it.
    pub(crate) fn show(&self) -> String {
        match self {
            RedriveAllow::All => json!({"redrivePermission": "allowAll"}),
            RedriveAllow::None => json!({"redrivePermission": "denyAll"}),
            RedriveAllow::Queues(arns) => json!({"redrivePermission": "byQueue", "sourceQueueArns": arns}),
        }
        .to_string()
    }

    /// Whether the queue `source` may send its dead letters here.
    pub(crate) fn allows(&self, source: &str) -> bool {
        match self {
            RedriveAllow::All => true,
            RedriveAllow::None => false,
            RedriveAllow::Queues(arns) => arns.iter().any(|arn| arn == source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redrive_policies() {
        let account = Account::default();
        let arn = account.arn("sqs", "dead");
        let cases = [
            (format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#), None),
            (format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"3","x":1}}"#), None),
            (format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":0}}"#), Some("maxReceiveCount: 0")),
            (format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1001}}"#), Some("1001")),
            (format!(r#"{{"deadLetterTargetArn":"{arn}"}}"#), Some("mandatory attribute: maxReceiveCount")),
            (
                r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#.into(),
                Some(
                    "Value {\"deadLetterTargetArn\": \"dummy\", \"maxReceiveCount\": 42} for parameter RedrivePolicy is \
                 invalid. Reason: Invalid value for deadLetterTargetArn.",
                ),
            ),
            ("nonsense".into(), Some("not a valid JSON map")),
        ];
        for (text, error) in cases {
            match (Redrive::parse(&text, &account), error) {
                (Ok(policy), None) => {
                    let shown = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#);
                    assert_eq!(policy.show(), shown);
                }
                (Err(fault), Some(part)) => assert!(fault.message.contains(part), "{}", fault.message),
                (outcome, _) => panic!("{text}: {outcome:?}"),
            }
        }
    }

    #[test]
    fn allow_policies() {
        for (text, allowed) in [
            (r#"{"redrivePermission":"allowAll"}"#, Some(true)),
            (r#"{"redrivePermission":"denyAll"}"#, Some(false)),
            (r#"{"redrivePermission":"byQueue","sourceQueueArns":["a"]}"#, Some(true)),
            (r#"{"redrivePermission":"byQueue","sourceQueueArns":["b"]}"#, Some(false)),
            (r#"{"redrivePermission":"byQueue"}"#, None),
            (r#"{"redrivePermission":"allowAll","sourceQueueArns":["b"]}"#, None),
            (r#"{"redrivePermission":"other"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(RedriveAllow::parse(text).ok().map(|policy| policy.allows("a")), allowed, "{text}");
        }
    }
}
