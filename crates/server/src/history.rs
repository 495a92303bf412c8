//! The events of a history in the shape of `GetExecutionHistory`.

use serde_json::{Map, Value, json};
use stepwell_asl::Payload;
use stepwell_engine::{EventDetails, HistoryEvent};

/// An event on the wire. Without `include_data` inputs, outputs and parameters are left out.
pub fn event(event: &HistoryEvent, include_data: bool) -> Value {
    let event_type = type_name(&event.details);
    let details = Details { include_data }.of(&event.details);
    let mut wire = Map::new();
    wire.insert("timestamp".into(), seconds(event.timestamp_ms));
    wire.insert("id".into(), event.id.into());
    wire.insert("previousEventId".into(), event.previous_event_id.into());
    if let Some(details) = details {
        wire.insert(details_member(&event.details, &event_type), details);
    }
    wire.insert("type".into(), event_type.into());
    Value::Object(wire)
}

/// Type and details of an event, apart from its frame.
pub(crate) fn type_and_details(event: &HistoryEvent, include_data: bool) -> (String, Option<Value>) {
    (type_name(&event.details), Details { include_data }.of(&event.details))
}

/// Milliseconds since 1970 as AWS writes times: seconds with a fraction.
pub(crate) fn seconds(ms: i64) -> Value {
    Value::from(ms as f64 / 1000.0)
}

/// The `type`.
fn type_name(details: &EventDetails) -> String {
    use EventDetails as E;
    let name = match details {
        E::StateEntered { state_type, .. } => return format!("{}StateEntered", state_type.name()),
        E::StateExited { state_type, .. } => return format!("{}StateExited", state_type.name()),
        E::StateAborted { state_type } => return format!("{}StateAborted", state_type.name()),
        E::ExecutionStarted { .. } => "ExecutionStarted",
        E::ExecutionSucceeded { .. } => "ExecutionSucceeded",
        E::ExecutionFailed { .. } => "ExecutionFailed",
        E::ExecutionAborted { .. } => "ExecutionAborted",
        E::ExecutionTimedOut { .. } => "ExecutionTimedOut",
        E::ExecutionRedriven { .. } => "ExecutionRedriven",
        E::LambdaFunctionScheduled { .. } => "LambdaFunctionScheduled",
        E::LambdaFunctionStarted => "LambdaFunctionStarted",
        E::LambdaFunctionSucceeded { .. } => "LambdaFunctionSucceeded",
        E::LambdaFunctionFailed { .. } => "LambdaFunctionFailed",
        E::LambdaFunctionTimedOut { .. } => "LambdaFunctionTimedOut",
        E::ActivityScheduled { .. } => "ActivityScheduled",
        E::ActivityStarted { .. } => "ActivityStarted",
        E::ActivitySucceeded { .. } => "ActivitySucceeded",
        E::ActivityFailed { .. } => "ActivityFailed",
        E::ActivityTimedOut { .. } => "ActivityTimedOut",
        E::TaskScheduled { .. } => "TaskScheduled",
        E::TaskStarted { .. } => "TaskStarted",
        E::TaskSubmitted { .. } => "TaskSubmitted",
        E::TaskSucceeded { .. } => "TaskSucceeded",
        E::TaskFailed { .. } => "TaskFailed",
        E::TaskSubmitFailed { .. } => "TaskSubmitFailed",
        E::TaskTimedOut { .. } => "TaskTimedOut",
        E::ParallelStateStarted => "ParallelStateStarted",
        E::ParallelStateSucceeded => "ParallelStateSucceeded",
        E::ParallelStateFailed => "ParallelStateFailed",
        E::MapStateStarted { .. } => "MapStateStarted",
        E::MapRunStarted { .. } => "MapRunStarted",
        E::MapRunRedriven { .. } => "MapRunRedriven",
        E::MapRunSucceeded => "MapRunSucceeded",
        E::MapRunFailed { .. } => "MapRunFailed",
        E::MapStateSucceeded => "MapStateSucceeded",
        E::MapStateFailed => "MapStateFailed",
        E::MapIterationStarted { .. } => "MapIterationStarted",
        E::MapIterationSucceeded { .. } => "MapIterationSucceeded",
        E::MapIterationFailed { .. } => "MapIterationFailed",
        E::MapIterationAborted { .. } => "MapIterationAborted",
        E::EvaluationFailed { .. } => "EvaluationFailed",
    };
    name.to_owned()
}

/// The member that holds the details: one for all states, otherwise the type's own.
fn details_member(details: &EventDetails, event_type: &str) -> String {
    match details {
        EventDetails::StateEntered { .. } => "stateEnteredEventDetails".into(),
        EventDetails::StateExited { .. } => "stateExitedEventDetails".into(),
        _ => {
            let mut member = format!("{event_type}EventDetails");
            member[..1].make_ascii_lowercase();
            member
        }
    }
}

struct Details {
    include_data: bool,
}

impl Details {
    /// The details; `None` for the types that have none.
    fn of(&self, details: &EventDetails) -> Option<Value> {
        use EventDetails as E;
        let mut wire = Map::new();
        match details {
            E::ExecutionStarted { input, role_arn } => {
                self.put_input(&mut wire, &input.payload);
                put(&mut wire, "roleArn", role_arn);
            }
            E::StateEntered { name, input, .. } => {
                put(&mut wire, "name", name);
                self.put_input(&mut wire, &input.payload);
            }
            E::StateExited { name, output, assigned, .. } => {
                put(&mut wire, "name", name);
                self.put_output(&mut wire, &output.payload);
                self.put_assigned(&mut wire, assigned.iter().map(|(name, value)| (&**name, &value.payload)));
            }
            E::LambdaFunctionScheduled { resource, scheduled }
            | E::ActivityScheduled { resource, scheduled } => {
                put(&mut wire, "resource", resource);
                self.put_input(&mut wire, &scheduled.parameters.payload);
                // The model gives a Lambda function no heartbeat.
                let heartbeat_s =
                    scheduled.heartbeat_s.filter(|_| matches!(details, E::ActivityScheduled { .. }));
                put_schedule(&mut wire, scheduled.timeout_s, heartbeat_s);
                if matches!(details, E::LambdaFunctionScheduled { .. }) {
                    put_credentials(&mut wire, scheduled.credentials_role.as_deref());
                }
            }
            E::TaskScheduled { resource, region, scheduled } => {
                put_resource(&mut wire, &resource.resource_type, &resource.resource);
                put(&mut wire, "region", region);
                if self.include_data {
                    put(&mut wire, "parameters", scheduled.parameters.payload.text());
                }
                put_schedule(&mut wire, scheduled.timeout_s, scheduled.heartbeat_s);
                put_credentials(&mut wire, scheduled.credentials_role.as_deref());
            }
            E::TaskStarted { resource } => {
                put_resource(&mut wire, &resource.resource_type, &resource.resource)
            }
            E::TaskSubmitted { resource, output } | E::TaskSucceeded { resource, output } => {
                put_resource(&mut wire, &resource.resource_type, &resource.resource);
                self.put_output(&mut wire, &output.payload);
            }
            E::TaskFailed { resource, error, cause }
            | E::TaskSubmitFailed { resource, error, cause }
            | E::TaskTimedOut { resource, error, cause } => {
                put_resource(&mut wire, &resource.resource_type, &resource.resource);
                put_failure(&mut wire, error.as_deref(), cause.as_deref());
            }
            E::ExecutionSucceeded { output }
            | E::LambdaFunctionSucceeded { output }
            | E::ActivitySucceeded { output } => self.put_output(&mut wire, &output.payload),
            E::ExecutionFailed { error, cause }
            | E::ExecutionAborted { error, cause }
            | E::ExecutionTimedOut { error, cause }
            | E::LambdaFunctionFailed { error, cause }
            | E::LambdaFunctionTimedOut { error, cause }
            | E::ActivityFailed { error, cause }
            | E::ActivityTimedOut { error, cause }
            | E::MapRunFailed { error, cause } => put_failure(&mut wire, error.as_deref(), cause.as_deref()),
            E::ActivityStarted { worker_name } => put_some(&mut wire, "workerName", worker_name.as_deref()),
            E::MapRunStarted { map_run_arn, .. } => put(&mut wire, "mapRunArn", map_run_arn),
            E::MapRunRedriven { map_run_arn, redrive_count } => {
                put(&mut wire, "mapRunArn", map_run_arn);
                wire.insert("redriveCount".into(), (*redrive_count).into());
            }
            E::ExecutionRedriven { redrive_count } => {
                wire.insert("redriveCount".into(), (*redrive_count).into());
            }
            E::MapStateStarted { length, .. } => drop(wire.insert("length".into(), (*length).into())),
            E::MapIterationStarted { name, index }
            | E::MapIterationSucceeded { name, index }
            | E::MapIterationFailed { name, index }
            | E::MapIterationAborted { name, index } => {
                put(&mut wire, "name", name);
                wire.insert("index".into(), (*index).into());
            }
            E::EvaluationFailed { state, location, error, cause } => {
                put(&mut wire, "state", state);
                put_some(&mut wire, "location", location.as_deref());
                put_failure(&mut wire, Some(error), Some(cause));
            }
            E::LambdaFunctionStarted
            | E::ParallelStateStarted
            | E::ParallelStateSucceeded
            | E::ParallelStateFailed
            | E::MapRunSucceeded
            | E::MapStateSucceeded
            | E::MapStateFailed
            | E::StateAborted { .. } => return None,
        }
        Some(wire.into())
    }

    fn put_input(&self, wire: &mut Map<String, Value>, input: &Payload) {
        if self.include_data {
            put(wire, "input", input.text());
            wire.insert("inputDetails".into(), not_truncated());
        }
    }

    fn put_output(&self, wire: &mut Map<String, Value>, output: &Payload) {
        if self.include_data {
            put(wire, "output", output.text());
            wire.insert("outputDetails".into(), not_truncated());
        }
    }

    fn put_assigned<'a>(
        &self,
        wire: &mut Map<String, Value>,
        assigned: impl Iterator<Item = (&'a str, &'a Payload)>,
    ) {
        let variables: Map<String, Value> =
            assigned.map(|(name, value)| (name.to_owned(), Value::from(&**value.text()))).collect();
        if self.include_data && !variables.is_empty() {
            wire.insert("assignedVariables".into(), variables.into());
            wire.insert("assignedVariablesDetails".into(), not_truncated());
        }
    }
}

fn put(wire: &mut Map<String, Value>, member: &str, text: &str) {
    wire.insert(member.into(), text.into());
}

fn put_some(wire: &mut Map<String, Value>, member: &str, text: Option<&str>) {
    if let Some(text) = text {
        put(wire, member, text);
    }
}

fn put_failure(wire: &mut Map<String, Value>, error: Option<&str>, cause: Option<&str>) {
    put_some(wire, "error", error);
    put_some(wire, "cause", cause);
}

fn put_resource(wire: &mut Map<String, Value>, resource_type: &str, resource: &str) {
    put(wire, "resourceType", resource_type);
    put(wire, "resource", resource);
}

fn put_schedule(wire: &mut Map<String, Value>, timeout_s: Option<u64>, heartbeat_s: Option<u64>) {
    if let Some(seconds) = timeout_s {
        wire.insert("timeoutInSeconds".into(), seconds.into());
    }
    if let Some(seconds) = heartbeat_s {
        wire.insert("heartbeatInSeconds".into(), seconds.into());
    }
}

fn put_credentials(wire: &mut Map<String, Value>, role: Option<&str>) {
    if let Some(role) = role {
        wire.insert("taskCredentials".into(), json!({ "roleArn": role }));
    }
}

fn not_truncated() -> Value {
    json!({ "truncated": false })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepwell_interpreter::{ScheduledResource, StateType, Stored, TaskResource, ThreadId};

    use super::*;
    use crate::model::step_functions;
    use crate::model::table::{Model, Shape, ShapeKind};

    fn stored(text: &str) -> Stored {
        Stored { batch: 0, index: 0, payload: Payload::parse(text).expect("is JSON") }
    }

    /// One event of every type, with all members that it can have.
    fn every_event() -> Vec<EventDetails> {
        use EventDetails as E;
        let text = |t: &str| Some(Arc::<str>::from(t));
        let (error, cause) = (text("E"), text("C"));
        let resource = TaskResource { resource_type: "sqs".into(), resource: "sendMessage".into() };
        let scheduled = ScheduledResource {
            parameters: stored("{\"p\":1}"),
            timeout_s: Some(5),
            heartbeat_s: Some(2),
            credentials_role: text("arn:r"),
            token_nonce: 7,
        };
        let name = || Arc::<str>::from("M");
        let mut events = vec![
            E::ExecutionStarted { input: stored("1"), role_arn: "arn:r".into() },
            E::ExecutionSucceeded { output: stored("2") },
            E::ExecutionFailed { error: error.clone(), cause: cause.clone() },
            E::ExecutionAborted { error: None, cause: None },
            E::ExecutionTimedOut { error: error.clone(), cause: None },
            E::LambdaFunctionScheduled { resource: "arn:f".into(), scheduled: scheduled.clone() },
            E::LambdaFunctionStarted,
            E::LambdaFunctionSucceeded { output: stored("3") },
            E::LambdaFunctionFailed { error: error.clone(), cause: cause.clone() },
            E::LambdaFunctionTimedOut { error: error.clone(), cause: cause.clone() },
            E::ActivityScheduled { resource: "arn:a".into(), scheduled: scheduled.clone() },
            E::ActivityStarted { worker_name: text("w") },
            E::ActivityStarted { worker_name: None },
            E::ActivitySucceeded { output: stored("8") },
            E::ActivityFailed { error: error.clone(), cause: cause.clone() },
            E::ActivityTimedOut { error: error.clone(), cause: cause.clone() },
            E::TaskScheduled { resource: resource.clone(), region: "us-east-1".into(), scheduled },
            E::TaskSubmitted { resource: resource.clone(), output: stored("9") },
            E::ParallelStateStarted,
            E::ParallelStateSucceeded,
            E::ParallelStateFailed,
            E::MapStateStarted { length: 3, concurrency: 1 },
            E::MapStateSucceeded,
            E::MapStateFailed,
            E::MapIterationStarted { name: name(), index: 0 },
            E::MapIterationSucceeded { name: name(), index: 0 },
            E::MapIterationFailed { name: name(), index: 0 },
            E::MapIterationAborted { name: name(), index: 0 },
            E::StateAborted { state_type: StateType::Task },
            E::StateAborted { state_type: StateType::Wait },
            E::EvaluationFailed {
                state: name(),
                location: text("Output"),
                error: "E".into(),
                cause: "C".into(),
            },
            E::TaskStarted { resource: resource.clone() },
            E::TaskSucceeded { resource: resource.clone(), output: stored("4") },
            E::TaskFailed { resource: resource.clone(), error: error.clone(), cause: cause.clone() },
            E::TaskTimedOut { resource, error, cause },
        ];
        for state_type in
            [StateType::Pass, StateType::Task, StateType::Choice, StateType::Wait, StateType::Succeed]
        {
            events.push(E::StateExited {
                state_type,
                name: "S".into(),
                output: stored("5"),
                assigned: vec![("v".into(), stored("[1]"))],
                next: None,
            });
            events.push(E::StateEntered { state_type, name: "S".into(), input: stored("6") });
        }
        events.push(E::StateEntered { state_type: StateType::Fail, name: "F".into(), input: stored("7") });
        events
    }

    fn member<'a>(model: &'a Model, shape: &Shape, name: &str) -> Option<&'a Shape> {
        let ShapeKind::Structure(members) = &shape.kind else { return None };
        members.iter().find(|m| m.name == name).map(|m| model.shape(m.shape))
    }

    #[test]
    fn every_event_is_one_of_the_model() {
        let model = step_functions();
        let event_shape = model.shape_named("HistoryEvent").expect("is there");
        let Some(ShapeKind::Text(types)) = model.shape_named("HistoryEventType").map(|s| &s.kind) else {
            panic!("event types are an enumeration")
        };
        for (id, details) in (1..).zip(every_event()) {
            let given = HistoryEvent {
                id,
                previous_event_id: id - 1,
                timestamp_ms: 1500,
                thread: ThreadId::MAIN,
                details,
            };
            let wire = event(&given, true);
            let event_type = wire["type"].as_str().expect("has a type");
            assert!(types.values.iter().any(|t| t == event_type), "{event_type}");
            assert_eq!(wire["timestamp"], json!(1.5));
            for (name, details) in wire.as_object().expect("is an object") {
                let shape =
                    member(model, event_shape, name).unwrap_or_else(|| panic!("{event_type}: {name}"));
                let Some(details) = details.as_object() else { continue };
                for member_name in details.keys() {
                    assert!(
                        member(model, shape, member_name).is_some(),
                        "{event_type}: {name}.{member_name}"
                    );
                }
                let ShapeKind::Structure(members) = &shape.kind else { panic!("{name} is a structure") };
                for required in members.iter().filter(|m| m.required) {
                    assert!(details.contains_key(&required.name), "{event_type}: {name}.{}", required.name);
                }
            }
            let bare = event(&given, false).to_string();
            for data in ["\"input\"", "\"output\"", "\"parameters\"", "assignedVariables"] {
                assert!(!bare.contains(data), "{event_type}: {bare}");
            }
        }
    }

    #[test]
    fn details_are_as_aws_writes_them() {
        let wire = |details: EventDetails| {
            let thread = ThreadId::MAIN;
            event(
                &HistoryEvent {
                    id: 3,
                    previous_event_id: 2,
                    timestamp_ms: 1_721_709_848_725,
                    thread,
                    details,
                },
                true,
            )
        };
        let exited = EventDetails::StateExited {
            state_type: StateType::Pass,
            name: "P".into(),
            output: stored("{}"),
            assigned: vec![("x".into(), stored("1"))],
            next: None,
        };
        let truncated = json!({"truncated": false});
        assert_eq!(
            wire(exited),
            json!({"id": 3, "previousEventId": 2, "timestamp": 1_721_709_848.725, "type": "PassStateExited",
                "stateExitedEventDetails": {"name": "P", "output": "{}", "outputDetails": truncated,
                    "assignedVariables": {"x": "1"}, "assignedVariablesDetails": truncated}})
        );
        let aborted = wire(EventDetails::ExecutionAborted { error: None, cause: None });
        assert_eq!(aborted["executionAbortedEventDetails"], json!({}));
    }
}
