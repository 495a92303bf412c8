//! `sns:publish` and `events:putEvents`.

use serde_json::{Map, Value};

use super::{IntegrationPattern, service_task};
use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::resources::Topic;
use crate::state::{in_jsonata, task_type};
use crate::values::{TaskInput, Text};

task_type!(
    /// Publishes a message to an SNS topic.
    ///
    /// ```
    /// use stepwell_cdk::{SnsPublish, TaskInput, Topic};
    ///
    /// let tell = SnsPublish::new("Tell", Topic::from_name("News"), TaskInput::from_text("done")).subject("Good news");
    /// # let _ = tell;
    /// ```
    SnsPublish, Publish
);

struct Publish {
    topic: Topic,
    message: TaskInput,
    subject: Option<Text>,
    pattern: IntegrationPattern,
}

impl Specific for Publish {
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        let mut parameters = Map::new();
        parameters.insert("TopicArn".into(), self.topic.arn().into());
        self.message.insert_into(&mut parameters, "Message");
        if let Some(subject) = &self.subject {
            subject.insert_into(&mut parameters, "Subject");
        }
        service_task(state, language, "sns:publish", self.pattern, parameters, fields)
    }
}

in_jsonata!(SnsPublish, topic: Topic, message: TaskInput);

impl SnsPublish {
    /// Publishes `message` to `topic`.
    #[must_use]
    pub fn new(name: impl Into<String>, topic: Topic, message: TaskInput) -> SnsPublish {
        let settings = Publish { topic, message, subject: None, pattern: IntegrationPattern::default() };
        SnsPublish::create(name, settings)
    }

    /// The subject of mails.
    pub fn subject(&self, subject: impl Into<Text>) -> SnsPublish {
        self.set(|settings| settings.subject = Some(subject.into()))
    }

    /// Waits for a task token, which the message must carry.
    pub fn wait_for_task_token(&self) -> SnsPublish {
        self.set(|settings| settings.pattern = IntegrationPattern::WaitForTaskToken)
    }
}

task_type!(
    /// Puts events on EventBridge buses.
    ///
    /// ```
    /// use serde_json::json;
    /// use stepwell_cdk::{EventBridgePutEvents, EventEntry, TaskInput};
    ///
    /// let detail = TaskInput::from_object(json!({"order.$": "$.id"}));
    /// let put = EventBridgePutEvents::new("Tell", [EventEntry::new("my.shop", "OrderPaid", detail)]);
    /// # let _ = put;
    /// ```
    EventBridgePutEvents, PutEvents
);

/// One event of [`EventBridgePutEvents`].
#[derive(Debug, Clone, PartialEq)]
pub struct EventEntry {
    source: Text,
    detail_type: Text,
    detail: TaskInput,
    event_bus: Option<Text>,
}

impl EventEntry {
    /// An event for the default bus.
    #[must_use]
    pub fn new(source: impl Into<Text>, detail_type: impl Into<Text>, detail: TaskInput) -> EventEntry {
        EventEntry { source: source.into(), detail_type: detail_type.into(), detail, event_bus: None }
    }

    /// The ARN of another bus.
    #[must_use]
    pub fn event_bus(mut self, arn: impl Into<Text>) -> EventEntry {
        self.event_bus = Some(arn.into());
        self
    }

    fn render(&self) -> Value {
        let mut entry = Map::new();
        self.detail.insert_into(&mut entry, "Detail");
        self.detail_type.insert_into(&mut entry, "DetailType");
        if let Some(bus) = &self.event_bus {
            bus.insert_into(&mut entry, "EventBusName");
        }
        self.source.insert_into(&mut entry, "Source");
        Value::Object(entry)
    }
}

struct PutEvents {
    entries: Vec<EventEntry>,
    pattern: IntegrationPattern,
}

impl Specific for PutEvents {
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        let entries = self.entries.iter().map(EventEntry::render).collect();
        let parameters = Map::from_iter([("Entries".to_owned(), Value::Array(entries))]);
        service_task(state, language, "events:putEvents", self.pattern, parameters, fields)
    }
}

in_jsonata!(EventBridgePutEvents, entries: impl IntoIterator<Item = EventEntry>);

impl EventBridgePutEvents {
    /// Puts `entries`.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        entries: impl IntoIterator<Item = EventEntry>,
    ) -> EventBridgePutEvents {
        let settings =
            PutEvents { entries: entries.into_iter().collect(), pattern: IntegrationPattern::default() };
        EventBridgePutEvents::create(name, settings)
    }

    /// Waits for a task token, which an event must carry.
    pub fn wait_for_task_token(&self) -> EventBridgePutEvents {
        self.set(|settings| settings.pattern = IntegrationPattern::WaitForTaskToken)
    }
}
