//! `sqs:sendMessage`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{IntegrationPattern, service_task};
use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::resources::Queue;
use crate::state::{in_jsonata, task_type};
use crate::values::{TaskInput, Text, seconds};

task_type!(
    /// Sends a message to an SQS queue.
    ///
    /// ```
    /// use stepwell_cdk::{Queue, SqsSendMessage, TaskInput};
    ///
    /// let body = TaskInput::from_json_path_at("$.DynamoDB.Item.Message.S");
    /// let send = SqsSendMessage::new("Send", Queue::from_name("Outbox"), body).result_path("$.SQS");
    /// # let _ = send;
    /// ```
    SqsSendMessage, Settings
);

struct Settings {
    queue: Queue,
    body: TaskInput,
    pattern: IntegrationPattern,
    delay: Option<Duration>,
    deduplication_id: Option<Text>,
    group_id: Option<Text>,
}

impl Specific for Settings {
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        let mut parameters = Map::new();
        parameters.insert("QueueUrl".into(), self.queue.url().into());
        self.body.insert_into(&mut parameters, "MessageBody");
        if let Some(delay) = self.delay {
            parameters.insert("DelaySeconds".into(), seconds(delay, "DelaySeconds", state)?);
        }
        if let Some(id) = &self.deduplication_id {
            id.insert_into(&mut parameters, "MessageDeduplicationId");
        }
        if let Some(id) = &self.group_id {
            id.insert_into(&mut parameters, "MessageGroupId");
        }
        service_task(state, language, "sqs:sendMessage", self.pattern, parameters, fields)
    }
}

in_jsonata!(SqsSendMessage, queue: Queue, body: TaskInput);

impl SqsSendMessage {
    /// Sends `body` to `queue`.
    #[must_use]
    pub fn new(name: impl Into<String>, queue: Queue, body: TaskInput) -> SqsSendMessage {
        let settings = Settings {
            queue,
            body,
            pattern: IntegrationPattern::default(),
            delay: None,
            deduplication_id: None,
            group_id: None,
        };
        SqsSendMessage::create(name, settings)
    }

    /// After what time the message can be received, whole seconds.
    pub fn delay(&self, delay: Duration) -> SqsSendMessage {
        self.set(|settings| settings.delay = Some(delay))
    }

    /// By what a FIFO queue recognizes a repeated message.
    pub fn message_deduplication_id(&self, id: impl Into<Text>) -> SqsSendMessage {
        self.set(|settings| settings.deduplication_id = Some(id.into()))
    }

    /// The group of a FIFO queue in which messages keep their order.
    pub fn message_group_id(&self, id: impl Into<Text>) -> SqsSendMessage {
        self.set(|settings| settings.group_id = Some(id.into()))
    }

    /// Whether to go on at once, or to wait for a task token that the message carries.
    pub fn integration_pattern(&self, pattern: IntegrationPattern) -> SqsSendMessage {
        if pattern == IntegrationPattern::RunJob {
            self.state.report(BuildError::InvalidSettings {
                state: self.state.name(),
                problem: "sqs:sendMessage has no RunJob pattern".to_owned(),
            });
            return self.clone();
        }
        self.set(|settings| settings.pattern = pattern)
    }
}
