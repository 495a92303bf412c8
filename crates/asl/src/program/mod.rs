//! The compiled state machine: immutable, shared by all executions, every name resolved and every expression ready.
//!
//! Field names are those of the Amazon States Language in snake case. Shape only; [`mod@crate::compile`] makes it.

mod map;

use std::sync::Arc;

pub use map::{
    Branch, CountField, Distributed, ExecutionType, ItemBatcher, ItemReader, Items, Map, Parallel,
    PercentageField, Processor, ProcessorMode, ResultWriter,
};

use crate::choice::Condition;
use crate::path::{Path, ReferencePath};
use crate::template::{Template, ValueExpression};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// A state machine, ready to run.
#[derive(Debug)]
pub struct Program {
    /// `Comment` of the machine.
    pub comment: Option<Arc<str>>,
    /// `TimeoutSeconds` of the machine, 1 to 99,999,999.
    pub timeout_seconds: Option<u32>,
    /// `QueryLanguage` of the machine, which states without their own have.
    pub query_language: QueryLanguage,
    /// The first state.
    pub start_at: StateId,
    /// All states, those of nested containers included; [`StateId`] is the index.
    pub states: Vec<State>,
    /// The states in the order of their names.
    by_name: Vec<StateId>,
}

impl Program {
    /// A program of these states, which have names of their own.
    pub(crate) fn new(
        comment: Option<Arc<str>>,
        timeout_seconds: Option<u32>,
        query_language: QueryLanguage,
        start_at: StateId,
        states: Vec<State>,
    ) -> Self {
        let mut by_name: Vec<StateId> = (0..).map(StateId).take(states.len()).collect();
        by_name.sort_unstable_by(|a, b| states[a.0 as usize].name.cmp(&states[b.0 as usize].name));
        Program { comment, timeout_seconds, query_language, start_at, states, by_name }
    }

    /// The state `id`.
    #[must_use]
    pub fn state(&self, id: StateId) -> &State {
        &self.states[id.0 as usize]
    }

    /// The state called `name`; names are unique over the whole machine.
    #[must_use]
    pub fn state_named(&self, name: &str) -> Option<StateId> {
        let found = self.by_name.binary_search_by(|id| (*self.state(*id).name).cmp(name)).ok()?;
        Some(self.by_name[found])
    }
}

/// Index of a state in [`Program::states`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateId(pub u32);

/// One state.
#[derive(Debug)]
pub struct State {
    /// Its name, at most 80 characters.
    pub name: Arc<str>,
    /// `Comment`.
    pub comment: Option<Arc<str>>,
    /// The language of its expressions.
    pub query_language: QueryLanguage,
    /// The variables that its expressions read, sorted; those of states inside of it not included.
    pub variable_references: Vec<Arc<str>>,
    /// What it does.
    pub kind: StateKind,
}

/// The language of paths or expressions in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryLanguage {
    /// `JSONPath`
    #[default]
    JsonPath,
    /// `JSONata`
    Jsonata,
}

impl QueryLanguage {
    /// `JSONPath` or `JSONata`, as in the `QueryLanguage` field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            QueryLanguage::JsonPath => "JSONPath",
            QueryLanguage::Jsonata => "JSONata",
        }
    }
}

/// The type of a state with its fields.
#[derive(Debug)]
pub enum StateKind {
    /// `Pass`
    Pass(Pass),
    /// `Task`
    Task(Box<Task>),
    /// `Choice`
    Choice(Choice),
    /// `Wait`
    Wait(Wait),
    /// `Succeed`
    Succeed(Succeed),
    /// `Fail`
    Fail(Fail),
    /// `Parallel`
    Parallel(Box<Parallel>),
    /// `Map`
    Map(Box<Map>),
}

impl StateKind {
    /// `Pass`, `Task` … as in the `Type` field.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            StateKind::Pass(_) => "Pass",
            StateKind::Task(_) => "Task",
            StateKind::Choice(_) => "Choice",
            StateKind::Wait(_) => "Wait",
            StateKind::Succeed(_) => "Succeed",
            StateKind::Fail(_) => "Fail",
            StateKind::Parallel(_) => "Parallel",
            StateKind::Map(_) => "Map",
        }
    }
}

/// Where a state goes when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// `Next`
    Next(StateId),
    /// `End: true`
    End,
}

/// `InputPath` or `OutputPath`.
#[derive(Debug, Default)]
pub enum PathField {
    /// Absent or `$`: the whole document, untouched.
    #[default]
    Whole,
    /// `null`: `{}`.
    Empty,
    /// Any other path.
    Path(Path),
}

/// `ResultPath`: where the result goes in the raw input.
#[derive(Debug, Default)]
pub enum ResultPath {
    /// Absent or `$`: the result replaces the input.
    #[default]
    Replace,
    /// `null`: the result is dropped.
    Discard,
    /// A reference path.
    At(ReferencePath),
}

/// `Assign`: variable names with the values they get.
#[derive(Debug)]
pub struct Assign(pub Template);

/// `Pass`.
#[derive(Debug)]
pub struct Pass {
    /// `InputPath`.
    pub input_path: PathField,
    /// `Parameters`.
    pub parameters: Option<Template>,
    /// `Result`: replaces the input after `Parameters`.
    pub result: Option<Value>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `OutputPath`.
    pub output_path: PathField,
    /// `Output` of a JSONata state.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Assign>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// `Task`.
#[derive(Debug)]
pub struct Task {
    /// `Resource`.
    pub resource: Resource,
    /// `InputPath`.
    pub input_path: PathField,
    /// `Parameters`.
    pub parameters: Option<Template>,
    /// `Arguments` of a JSONata state.
    pub arguments: Option<Template>,
    /// `Credentials`.
    pub credentials: Option<Template>,
    /// `ResultSelector`.
    pub result_selector: Option<Template>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `OutputPath`.
    pub output_path: PathField,
    /// `Output` of a JSONata state.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Assign>,
    /// `TimeoutSeconds` or `TimeoutSecondsPath`.
    pub timeout: Option<SecondsField>,
    /// `HeartbeatSeconds` or `HeartbeatSecondsPath`.
    pub heartbeat: Option<SecondsField>,
    /// `Retry`, in order.
    pub retry: Vec<Retrier>,
    /// `Catch`, in order.
    pub catch: Vec<Catcher>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// A number of seconds, given or to be looked up.
#[derive(Debug)]
pub enum SecondsField {
    /// 1 to 99,999,999.
    Literal(u32),
    /// The `…Path` variant.
    Path(Path),
    /// An expression of a JSONata state.
    Query(Template),
}

/// `Resource` of a Task, taken apart.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The text as given.
    pub arn: Arc<str>,
    /// What it addresses.
    pub kind: ResourceKind,
}

/// What a Task calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceKind {
    /// `arn:<p>:lambda:<r>:<a>:function:<name>[:<qualifier>]`: the function itself.
    LambdaFunction,
    /// `arn:<p>:states:<r>:<a>:activity:<name>`.
    Activity,
    /// `arn:<p>:states:::<service>:<api>[.<pattern>]`.
    Service {
        /// `resourceType` in history: `lambda`, `dynamodb`, `aws-sdk:s3` …
        resource_type: Arc<str>,
        /// `resource` in history, the pattern's suffix kept: `invoke`, `invoke.waitForTaskToken` …
        resource: Arc<str>,
        /// The API alone: `invoke`.
        api: Arc<str>,
        /// How the call is waited for.
        pattern: IntegrationPattern,
    },
}

/// The service integration patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegrationPattern {
    /// No suffix.
    RequestResponse,
    /// `.sync`
    Sync,
    /// `.sync:2`
    Sync2,
    /// `.waitForTaskToken`
    WaitForTaskToken,
}

/// `Choice`.
#[derive(Debug)]
pub struct Choice {
    /// `InputPath`.
    pub input_path: PathField,
    /// `OutputPath`.
    pub output_path: PathField,
    /// `Output` of a JSONata state.
    pub output: Option<Template>,
    /// `Choices`, in order.
    pub rules: Vec<ChoiceRule>,
    /// `Default`.
    pub default: Option<StateId>,
    /// The state's own `Assign`, used when `Default` is taken.
    pub assign: Option<Assign>,
}

/// One member of `Choices`.
#[derive(Debug)]
pub struct ChoiceRule {
    /// What must hold.
    pub condition: Condition,
    /// `Next`.
    pub next: StateId,
    /// `Output` of a JSONata rule.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Assign>,
}

/// `Wait`.
#[derive(Debug)]
pub struct Wait {
    /// `InputPath`.
    pub input_path: PathField,
    /// `OutputPath`.
    pub output_path: PathField,
    /// `Output` of a JSONata state.
    pub output: Option<Template>,
    /// `Seconds`, `SecondsPath`, `Timestamp` or `TimestampPath`.
    pub until: WaitUntil,
    /// `Assign`.
    pub assign: Option<Assign>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// The one of the four fields that a `Wait` has.
#[derive(Debug)]
pub enum WaitUntil {
    /// `Seconds`, 0 to 99,999,999.
    Seconds(u32),
    /// `SecondsPath`
    SecondsPath(Path),
    /// `Timestamp`
    Timestamp(Timestamp),
    /// `TimestampPath`
    TimestampPath(Path),
    /// `Seconds` of a JSONata state, an expression.
    SecondsQuery(Template),
    /// `Timestamp` of a JSONata state, an expression.
    TimestampQuery(Template),
}

/// `Succeed`.
#[derive(Debug)]
pub struct Succeed {
    /// `InputPath`.
    pub input_path: PathField,
    /// `OutputPath`.
    pub output_path: PathField,
    /// `Output` of a JSONata state.
    pub output: Option<Template>,
}

/// `Fail`.
#[derive(Debug)]
pub struct Fail {
    /// `Error` or `ErrorPath`.
    pub error: Option<FailText>,
    /// `Cause` or `CausePath`.
    pub cause: Option<FailText>,
}

/// `Error` and `Cause` of a `Fail`, or their `…Path` variants.
#[derive(Debug)]
pub enum FailText {
    /// The text as given.
    Literal(Arc<str>),
    /// A path or an intrinsic function call that must give a string.
    Path(ValueExpression),
    /// An expression of a JSONata state.
    Query(Template),
}

/// A member of `Retry`.
#[derive(Debug, Clone)]
pub struct Retrier {
    /// `ErrorEquals`: names of errors.
    pub error_equals: Vec<Arc<str>>,
    /// Default 1.
    pub interval_seconds: u32,
    /// Default 3; 0 never retries.
    pub max_attempts: u32,
    /// Default 2.0, at least 1.0.
    pub backoff_rate: f64,
    /// `MaxDelaySeconds`: no delay is longer.
    pub max_delay_seconds: Option<u32>,
    /// `JitterStrategy`.
    pub jitter_strategy: JitterStrategy,
}

/// `JitterStrategy` of a retrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JitterStrategy {
    /// The delay as computed.
    #[default]
    None,
    /// A random delay between 0 and the computed one.
    Full,
}

/// A member of `Catch`.
#[derive(Debug)]
pub struct Catcher {
    /// `ErrorEquals`: names of errors.
    pub error_equals: Vec<Arc<str>>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `Output` of a JSONata state.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Assign>,
    /// `Next`.
    pub next: StateId,
}
