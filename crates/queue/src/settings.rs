//! The settable attributes of a queue: defaults, checks, and how they are shown.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use stepwell_aws::{Account, Fault};

use crate::fault;
use crate::limits::{DELAY_S, KMS_REUSE_S, MESSAGE_BYTES_SETTING, RETENTION_S, VISIBILITY_S, WAIT_S};
use crate::redrive::{Redrive, RedriveAllow};

/// What `CreateQueue` and `SetQueueAttributes` set. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) delay_s: u32,
    pub(crate) message_bytes_max: u32,
    pub(crate) retention_s: u32,
    pub(crate) wait_s: u32,
    pub(crate) visibility_s: u32,
    /// Stored and shown, not enforced.
    pub(crate) policy: Option<String>,
    pub(crate) redrive: Option<Redrive>,
    pub(crate) redrive_allow: Option<RedriveAllow>,
    /// Present for FIFO queues only.
    pub(crate) fifo: Option<Fifo>,
    /// Encryption is the operator's disk's business; these three are stored and shown.
    pub(crate) kms_key: Option<String>,
    pub(crate) kms_reuse_s: Option<u32>,
    pub(crate) managed_sse: bool,
}

/// The attributes of FIFO queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fifo {
    /// Whether a message without a deduplication id gets the SHA-256 of its body as one.
    pub(crate) content_based_deduplication: bool,
    /// Whether a deduplication id counts within its message group only.
    pub(crate) deduplication_per_group: bool,
    /// Shown, not enforced: there is no throughput quota here.
    pub(crate) throughput_per_group: bool,
}

impl Settings {
    /// The defaults of a new queue.
    pub(crate) fn new(fifo: bool) -> Settings {
        let fifo = fifo.then_some(Fifo {
            content_based_deduplication: false,
            deduplication_per_group: false,
            throughput_per_group: false,
        });
        Settings {
            delay_s: 0,
            message_bytes_max: *MESSAGE_BYTES_SETTING.end(),
            retention_s: 345_600,
            wait_s: 0,
            visibility_s: 30,
            policy: None,
            redrive: None,
            redrive_allow: None,
            fifo,
            kms_key: None,
            kms_reuse_s: None,
            managed_sse: true,
        }
    }

    /// Sets several attributes, or none of them where one is wrong. An empty value takes a policy or key away.
    pub(crate) fn with(&self, attributes: &[(&str, &str)], account: &Account) -> Result<Settings, Fault> {
        let mut settings = self.clone();
        for (name, value) in attributes {
            settings.set(name, value, account)?;
        }
        let given =
            |wanted: &str| attributes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let wants_kms = given("KmsMasterKeyId").is_some_and(|key| !key.is_empty());
        let wants_sse = given("SqsManagedSseEnabled").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if wants_sse && (wants_kms || self.kms_key.is_some() && settings.kms_key.is_some()) {
            return Err(fault::invalid_attribute_name(
                "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE \
                 or SQS SSE.",
            ));
        }
        if wants_kms {
            settings.managed_sse = false;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str, account: &Account) -> Result<(), Fault> {
        let present = || Some(value.to_owned()).filter(|value| !value.is_empty());
        match name {
            "DelaySeconds" => self.delay_s = number(name, value, &DELAY_S)?,
            "MaximumMessageSize" => self.message_bytes_max = number(name, value, &MESSAGE_BYTES_SETTING)?,
            "MessageRetentionPeriod" => self.retention_s = number(name, value, &RETENTION_S)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait_s = number(name, value, &WAIT_S)?,
            "VisibilityTimeout" => self.visibility_s = number(name, value, &VISIBILITY_S)?,
            "Policy" => {
                let policy = present();
                if let Some(policy) = &policy {
                    let parsed: Result<serde_json::Map<_, _>, _> = serde_json::from_str(policy);
                    parsed.map_err(|_| fault::invalid_attribute_value(name, None))?;
                }
                self.policy = policy;
            }
            "RedrivePolicy" => {
                self.redrive = present().map(|text| Redrive::parse(&text, account)).transpose()?;
            }
            "RedriveAllowPolicy" => {
                self.redrive_allow = present().map(|text| RedriveAllow::parse(&text)).transpose()?;
            }
            "KmsMasterKeyId" => self.kms_key = present(),
            "KmsDataKeyReusePeriodSeconds" => self.kms_reuse_s = Some(number(name, value, &KMS_REUSE_S)?),
            "SqsManagedSseEnabled" => self.managed_sse = flag(name, value)?,
            "FifoQueue" | "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit" => {
                self.set_fifo(name, value)?;
            }
            _ => return Err(fault::unknown_attribute(name)),
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let fifo = self.fifo.as_mut().ok_or_else(|| fault::unknown_attribute(name))?;
        let choice = |no: &str, yes: &str| match value {
            value if value == no => Ok(false),
            value if value == yes => Ok(true),
            _ => Err(fault::invalid_attribute_value(name, None)),
        };
        match name {
            "FifoQueue" => {
                if !flag(name, value)? {
                    let reason = "Modifying queue type is not supported.";
                    return Err(fault::invalid_attribute_value(name, Some(reason)));
                }
            }
            "ContentBasedDeduplication" => fifo.content_based_deduplication = flag(name, value)?,
            "DeduplicationScope" => fifo.deduplication_per_group = choice("queue", "messageGroup")?,
            _ => fifo.throughput_per_group = choice("perQueue", "perMessageGroupId")?,
        }
        Ok(())
    }

    /// The value of the settable attribute `name` as `GetQueueAttributes` shows it; `None` where it is unset or does
    /// not belong to this kind of queue.
    pub(crate) fn show(&self, name: &str) -> Option<String> {
        match name {
            "DelaySeconds" => Some(self.delay_s.to_string()),
            "MaximumMessageSize" => Some(self.message_bytes_max.to_string()),
            "MessageRetentionPeriod" => Some(self.retention_s.to_string()),
            "ReceiveMessageWaitTimeSeconds" => Some(self.wait_s.to_string()),
            "VisibilityTimeout" => Some(self.visibility_s.to_string()),
            "Policy" => self.policy.clone(),
            "RedrivePolicy" => self.redrive.as_ref().map(Redrive::show),
            "RedriveAllowPolicy" => self.redrive_allow.as_ref().map(RedriveAllow::show),
            "KmsMasterKeyId" => self.kms_key.clone(),
            "KmsDataKeyReusePeriodSeconds" => {
                self.kms_key.as_ref().map(|_| self.kms_reuse_s.unwrap_or(300).to_string())
            }
            "SqsManagedSseEnabled" => Some(self.managed_sse.to_string()),
            "FifoQueue" => self.fifo.as_ref().map(|_| "true".to_owned()),
            "ContentBasedDeduplication" => {
                self.fifo.as_ref().map(|f| f.content_based_deduplication.to_string())
            }
            "DeduplicationScope" => self
                .fifo
                .as_ref()
                .map(|f| if f.deduplication_per_group { "messageGroup" } else { "queue" }.into()),
            "FifoThroughputLimit" => self
                .fifo
                .as_ref()
                .map(|f| if f.throughput_per_group { "perMessageGroupId" } else { "perQueue" }.into()),
            _ => None,
        }
    }
}

/// The settable attributes, in the order in which `All` shows them.
pub(crate) const NAMES: [&str; 15] = [
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
];

fn number(name: &str, value: &str, range: &RangeInclusive<u32>) -> Result<u32, Fault> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| fault::invalid_attribute_value(name, None))
}

fn flag(name: &str, value: &str) -> Result<bool, Fault> {
    match value {
        _ if value.eq_ignore_ascii_case("true") => Ok(true),
        _ if value.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(fault::invalid_attribute_value(name, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_checked_one_by_one() {
        let account = Account::default();
        for (fifo, name, value, error) in [
            (false, "DelaySeconds", "900", None),
            (false, "DelaySeconds", "901", Some("InvalidAttributeValue")),
            (false, "DelaySeconds", "-1", Some("InvalidAttributeValue")),
            (false, "MaximumMessageSize", "1023", Some("InvalidAttributeValue")),
            (false, "MessageRetentionPeriod", "60", None),
            (false, "MessageRetentionPeriod", "59", Some("InvalidAttributeValue")),
            (false, "ReceiveMessageWaitTimeSeconds", "21", Some("InvalidAttributeValue")),
            (false, "VisibilityTimeout", "43201", Some("InvalidAttributeValue")),
            (false, "Policy", "{}", None),
            (false, "Policy", "[", Some("InvalidAttributeValue")),
            (false, "FifoQueue", "false", Some("InvalidAttributeName")),
            (false, "ContentBasedDeduplication", "true", Some("InvalidAttributeName")),
            (false, "Nonsense", "1", Some("InvalidAttributeName")),
            (false, "QueueArn", "1", Some("InvalidAttributeName")),
            (true, "FifoQueue", "false", Some("InvalidAttributeValue")),
            (true, "ContentBasedDeduplication", "true", None),
            (true, "ContentBasedDeduplication", "yes", Some("InvalidAttributeValue")),
            (true, "DeduplicationScope", "messageGroup", None),
            (true, "FifoThroughputLimit", "perMessageGroupId", None),
            (true, "FifoThroughputLimit", "x", Some("InvalidAttributeValue")),
        ] {
            match (Settings::new(fifo).with(&[(name, value)], &account), error) {
                (Ok(settings), None) => assert_eq!(settings.show(name).as_deref(), Some(value)),
                (Err(fault), Some(code)) => assert_eq!(fault.code, code, "{name}={value}"),
                (outcome, _) => panic!("{name}={value}: {outcome:?}"),
            }
        }
    }

    #[test]
    fn one_kind_of_encryption_at_a_time() {
        let account = Account::default();
        let plain = Settings::new(false);
        let kms = plain.with(&[("KmsMasterKeyId", "k")], &account).expect("sets");
        assert_eq!(kms.show("SqsManagedSseEnabled").as_deref(), Some("false"));
        assert_eq!(kms.show("KmsDataKeyReusePeriodSeconds").as_deref(), Some("300"));
        let both = [("KmsMasterKeyId", "k"), ("SqsManagedSseEnabled", "true")];
        assert!(plain.with(&both, &account).is_err());
        assert!(kms.with(&[("SqsManagedSseEnabled", "true")], &account).is_err());
        let back = [("KmsMasterKeyId", ""), ("SqsManagedSseEnabled", "true")];
        assert!(kms.with(&back, &account).is_ok());
    }
}
