//! One state, run by itself: what TestState does.
//!
//! Owns the steps of a single state with everything that can be looked at between them, the mocks that stand for what
//! a state calls, and the checks of such a request. There is no execution and no history. The meaning of every
//! expression is `stepwell_asl`'s; how executions go on is the engine's, and in doubt its order of steps counts.
//!
//! | module | owns |
//! |---|---|
//! | [`request`] | the request, checked, as a [`Trial`] |
//! | [`context`] | the context object and the variables |
//! | [`work`] | the steps of each type of state |
//! | [`failure`] | what follows an error: retriers and catchers |
//! | [`schema`] | whether a mocked result has the shape of the API's answer |

mod context;
mod failure;
mod items;
mod request;
mod schema;
mod work;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{Program, State, StateId};
use stepwell_asl::value::Object;
use stepwell_engine::{HttpExchange, HttpTrace};

pub(crate) use request::{Input, trial};
pub(crate) use work::{Begun, Call, begin, end};

/// What stands for the call of a state.
#[derive(Debug, Clone)]
pub(crate) enum Mock {
    /// It gives this.
    Result(Payload),
    /// It fails.
    Error(TaskError),
}

/// How a task failed.
#[derive(Debug, Clone)]
pub(crate) struct TaskError {
    pub(crate) error: Option<Arc<str>>,
    pub(crate) cause: Option<Arc<str>>,
}

/// A checked request.
#[derive(Debug)]
pub(crate) struct Trial {
    program: Program,
    state: StateId,
    input: Payload,
    mock: Option<Mock>,
    context: stepwell_asl::Value,
    variables: Object,
    /// `RoleArn` of the caller.
    role_arn: Option<String>,
    /// `retrierRetryCount`
    retries_made: u32,
    /// `mapIterationFailureCount`
    failed_iterations: u32,
    /// `mapItemReaderData`
    reader_data: Option<Payload>,
    /// Whether the answer has `inspectionData`.
    inspects: bool,
    /// Whether it has the HTTP request and its response as well.
    traces: bool,
    /// Whether those show what the connection adds.
    reveals_secrets: bool,
    entropy: u64,
    now_ms: i64,
}

impl Trial {
    fn state(&self) -> &State {
        self.program.state(self.state)
    }

    /// Takes note of the HTTP exchange that its task has, where it is to be shown.
    pub(crate) fn http_trace(&self) -> Option<HttpTrace> {
        self.traces.then(|| HttpTrace::new(self.reveals_secrets))
    }
}

/// What is seen between the steps of a state: the members of `inspectionData`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inspection(Map<String, Value>);

impl Inspection {
    fn note(&mut self, member: &str, payload: &Payload) {
        self.0.insert(member.into(), Value::from(&**payload.text()));
    }

    fn note_value(&mut self, member: &str, value: impl Into<Value>) {
        self.0.insert(member.into(), value.into());
    }

    fn note_exchange(&mut self, exchange: HttpExchange) {
        if let Some(request) = exchange.request {
            let mut members = json!({
                "protocol": request.protocol,
                "method": request.method,
                "url": request.url,
                "headers": header_text(&request.headers),
            });
            if let Some(body) = request.body {
                members["body"] = body.into();
            }
            self.note_value("request", members);
        }
        if let Some(response) = exchange.response {
            let members = json!({
                "protocol": response.protocol,
                "statusCode": response.status_code.to_string(),
                "statusMessage": response.status_message,
                "headers": header_text(&response.headers),
                "body": response.body,
            });
            self.note_value("response", members);
        }
    }
}

/// `[name: value, name: value]`. Source: "Using TestState API", the example of `TRACE`.
fn header_text(headers: &[(String, String)]) -> String {
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("[{}]", headers.join(", "))
}

/// What a state has come to.
#[derive(Debug, Default)]
pub(crate) struct Tested {
    status: &'static str,
    output: Option<Payload>,
    next: Option<Arc<str>>,
    error: Option<Arc<str>>,
    cause: Option<Arc<str>>,
}

impl Tested {
    /// The answer of TestState.
    fn into_answer(self, inspection: Option<Inspection>) -> Value {
        let mut answer = Map::new();
        answer.insert("status".into(), self.status.into());
        if let Some(output) = self.output {
            answer.insert("output".into(), Value::from(&**output.text()));
        }
        for (member, text) in [("nextState", self.next), ("error", self.error), ("cause", self.cause)] {
            if let Some(text) = text {
                answer.insert(member.into(), Value::from(&*text));
            }
        }
        if let Some(Inspection(members)) = inspection {
            answer.insert("inspectionData".into(), members.into());
        }
        answer.into()
    }
}
