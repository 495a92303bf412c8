//! `Wait`: let time pass.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::state::{continued, in_jsonata, state_type, with_assign, with_outputs, with_paths};
use crate::values::seconds;

state_type!(
    /// Waits, for a time or until one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stepwell_cdk::{Wait, WaitTime};
    ///
    /// let wait = Wait::new("WaitXSeconds", WaitTime::duration(Duration::from_secs(10)));
    /// let until = Wait::new("Until due", WaitTime::timestamp_path("$.due"));
    /// # let _ = wait.next(until);
    /// ```
    Wait, WaitTime, continues: true
);
continued!(Wait);
with_paths!(Wait);
with_outputs!(Wait);
in_jsonata!(Wait, time: WaitTime);
with_assign!(Wait);

/// How long a [`Wait`] takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitTime(Until);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Until {
    Duration(Duration),
    Seconds(String),
    SecondsPath(String),
    Timestamp(String),
    TimestampPath(String),
}

impl WaitTime {
    /// A fixed time, a whole number of seconds.
    #[must_use]
    pub fn duration(duration: Duration) -> WaitTime {
        WaitTime(Until::Duration(duration))
    }

    /// The number of seconds that an expression in JSONata gives: `{% $states.input.delay %}`.
    #[must_use]
    pub fn seconds(expression: impl Into<String>) -> WaitTime {
        WaitTime(Until::Seconds(expression.into()))
    }

    /// The number of seconds at `path`.
    #[must_use]
    pub fn seconds_path(path: impl Into<String>) -> WaitTime {
        WaitTime(Until::SecondsPath(path.into()))
    }

    /// Until `timestamp`, RFC 3339 such as `2030-01-01T00:00:00Z`; in JSONata it may be an expression.
    #[must_use]
    pub fn timestamp(timestamp: impl Into<String>) -> WaitTime {
        WaitTime(Until::Timestamp(timestamp.into()))
    }

    /// Until the timestamp at `path`.
    #[must_use]
    pub fn timestamp_path(path: impl Into<String>) -> WaitTime {
        WaitTime(Until::TimestampPath(path.into()))
    }
}

impl Specific for WaitTime {
    fn render(
        &self,
        state: &str,
        _: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Wait".into());
        let (field, value) = match &self.0 {
            Until::Duration(duration) => ("Seconds", seconds(*duration, "Seconds", state)?),
            Until::Seconds(expression) => ("Seconds", expression.clone().into()),
            Until::SecondsPath(path) => ("SecondsPath", path.clone().into()),
            Until::Timestamp(timestamp) => ("Timestamp", timestamp.clone().into()),
            Until::TimestampPath(path) => ("TimestampPath", path.clone().into()),
        };
        fields.insert(field.into(), value);
        Ok(())
    }
}

impl Wait {
    /// A Wait of `time`.
    #[must_use]
    pub fn new(name: impl Into<String>, time: WaitTime) -> Wait {
        Wait::create(name, time)
    }
}
