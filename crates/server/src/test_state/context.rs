//! The surroundings of a state under test: its context object, given or made up, and its variables.

use std::cell::Cell;

use stepwell_asl::environment::Environment;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{IntegrationPattern, ResourceKind, StateKind};
use stepwell_asl::timestamp::Timestamp;
use stepwell_asl::value::{Object, Value};
use stepwell_aws::{Account, Fault};

use crate::fault;

/// What the expressions of a state see besides its input.
pub(super) struct Surroundings<'a> {
    pub(super) context: &'a Value,
    pub(super) variables: &'a Object,
    pub(super) entropy: Cell<u64>,
}

impl Environment for Surroundings<'_> {
    fn context(&self) -> &Value {
        self.context
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name)
    }

    fn random_u64(&self) -> u64 {
        // SplitMix64: every state of the counter gives a well mixed number.
        let state = self.entropy.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.entropy.set(state);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// The context object of a request that gives none, as AWS makes it up.
pub(super) fn made_up(
    account: &Account,
    input: &Payload,
    role_arn: Option<&str>,
    kind: &StateKind,
    now_ms: i64,
) -> Value {
    let now = Timestamp::from_epoch_ms(now_ms).to_iso8601();
    let (machine, name) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let mut execution = Object::new();
    execution.insert("Id", account.arn("states", &format!("express:{machine}:{name}")));
    execution.insert("Input", input.value().clone());
    execution.insert("Name", name);
    execution.insert("RoleArn", role_arn.map_or(Value::Null, Value::from));
    execution.insert("StartTime", now.clone());
    let mut state_machine = Object::new();
    state_machine.insert("Id", account.arn("states", &format!("stateMachine:{machine}")));
    state_machine.insert("Name", machine);
    let mut state = Object::new();
    state.insert("Name", "StateName");
    state.insert("EnteredTime", now);
    if matches!(kind, StateKind::Task(_) | StateKind::Map(_)) {
        state.insert("RetryCount", 0);
    }
    let mut context = Object::new();
    context.insert("Execution", execution);
    context.insert("StateMachine", state_machine);
    context.insert("State", state);
    context.into()
}

/// The same context with the item that an ItemSelector is evaluated for.
pub(super) fn with_item(context: &Value, index: usize, item: &Value) -> Value {
    let mut members = Object::new();
    members.insert("Index", i64::try_from(index).unwrap_or(i64::MAX));
    members.insert("Value", item.clone());
    let mut context = context.as_object().cloned().unwrap_or_default();
    context.insert("Map", Object::from_iter([("Item", members)]));
    context.into()
}

/// The members that a given context object may have, and whether they are texts.
const MEMBERS: &[(&str, &[(&str, Kind)])] = &[
    (
        "Execution",
        &[
            ("Id", Kind::Text),
            ("Input", Kind::Any),
            ("Name", Kind::Text),
            ("RoleArn", Kind::Text),
            ("StartTime", Kind::Text),
            ("RedriveCount", Kind::Number),
            ("RedriveTime", Kind::Text),
        ],
    ),
    ("State", &[("EnteredTime", Kind::Text), ("Name", Kind::Text), ("RetryCount", Kind::Number)]),
    ("StateMachine", &[("Id", Kind::Text), ("Name", Kind::Text)]),
    ("Task", &[("Token", Kind::Text)]),
];

#[derive(Clone, Copy)]
enum Kind {
    Any,
    Text,
    Number,
}

impl Kind {
    /// What a value of another type should be.
    fn mismatch(self, value: &Value) -> Option<&'static str> {
        match (self, value) {
            (Kind::Text, Value::String(_)) | (Kind::Number, Value::Number(_)) | (Kind::Any, _) => None,
            (Kind::Text, _) => Some("a string"),
            (Kind::Number, _) => Some("a number"),
        }
    }
}

/// The context object that a request gives for a state.
pub(super) fn given(text: &str, kind: &StateKind) -> Result<Value, Fault> {
    let invalid =
        |detail: String| fault::validation(format!("Invalid Context object provided: {detail}"), None);
    let payload = Payload::parse(text).map_err(|error| invalid(error.message().to_owned()))?;
    let Some(context) = payload.value().as_object() else {
        return Err(invalid("it must be a JSON object".into()));
    };
    for (name, value) in context.iter() {
        let Some((_, members)) = MEMBERS.iter().find(|(known, _)| *known == &**name) else {
            return Err(invalid(match &**name {
                "Map" => "'Map' field is not supported when mocking a Context object".into(),
                _ => format!("Field '{name}' is not allowed"),
            }));
        };
        let Some(given) = value.as_object() else { return Err(invalid(format!("{name} must be an object"))) };
        for (member, value) in given.iter() {
            let Some((_, kind)) = members.iter().find(|(known, _)| *known == &**member) else {
                return Err(invalid(format!("Field '{member}' is not allowed")));
            };
            if let Some(expected) = kind.mismatch(value) {
                return Err(invalid(format!("{name}.{member} must be {expected}")));
            }
        }
    }
    if context.get("Task").is_some() && !has_token(kind) {
        return Err(invalid(
            "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' \
             service integration pattern"
                .into(),
        ));
    }
    Ok(payload.value().clone())
}

fn has_token(kind: &StateKind) -> bool {
    let StateKind::Task(task) = kind else { return false };
    match &task.resource.kind {
        ResourceKind::Service { pattern, .. } => *pattern != IntegrationPattern::RequestResponse,
        ResourceKind::LambdaFunction | ResourceKind::Activity => false,
    }
}
