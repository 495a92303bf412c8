//! From a compiled program to boxes and arrows.

use stepwell_asl::Program;
use stepwell_asl::program::{
    Catcher, Choice, IntegrationPattern, Resource, ResourceKind, State, StateId, StateKind, Task, Transition,
    Wait, WaitUntil,
};

use crate::condition;
use crate::model::{Edge, EdgeKind, Graph, Node, NodeKind, StateType};

impl Graph {
    /// The graph of `program`: a start marker, all states, an end marker, and an arrow for each way from one to another.
    ///
    /// Arrows between the same two boxes for the same kind of reason are one, with several labels.
    #[must_use]
    pub fn from_program(program: &Program) -> Graph {
        let end = program.states.len() + 1;
        let mut nodes = vec![marker(NodeKind::Start, "Start")];
        nodes.extend(program.states.iter().map(node));
        nodes.push(marker(NodeKind::End, "End"));

        let mut edges =
            vec![Edge { from: 0, to: box_of(program.start_at), kind: EdgeKind::Next, labels: Vec::new() }];
        for (index, state) in program.states.iter().enumerate() {
            let mut ways = Ways { from: index + 1, end, edges: Vec::new() };
            ways.of(&state.kind);
            edges.append(&mut ways.edges);
        }
        let comment = program.comment.as_deref().map(str::to_owned);
        Graph { nodes, edges, clusters: Vec::new(), comment }
    }
}

/// States come after the start marker.
fn box_of(state: StateId) -> usize {
    state.0 as usize + 1
}

fn marker(kind: NodeKind, name: &str) -> Node {
    Node { kind, name: name.to_owned(), detail: String::new(), comment: None, cluster: None }
}

fn node(state: &State) -> Node {
    let (kind, detail) = describe(&state.kind);
    Node {
        kind: NodeKind::State(kind),
        name: state.name.to_string(),
        detail,
        comment: state.comment.as_deref().map(str::to_owned),
        cluster: None,
    }
}

/// The ways out of one state.
struct Ways {
    from: usize,
    end: usize,
    edges: Vec<Edge>,
}

impl Ways {
    fn of(&mut self, kind: &StateKind) {
        match kind {
            StateKind::Pass(pass) => self.transition(pass.transition),
            StateKind::Wait(wait) => self.transition(wait.transition),
            StateKind::Task(task) => {
                self.transition(task.transition);
                self.catchers(&task.catch);
            }
            StateKind::Parallel(parallel) => {
                self.transition(parallel.transition);
                self.catchers(&parallel.catch);
            }
            StateKind::Map(map) => {
                self.transition(map.transition);
                self.catchers(&map.catch);
            }
            StateKind::Choice(choice) => self.rules(choice),
            StateKind::Succeed(_) | StateKind::Fail(_) => self.add(self.end, EdgeKind::Next, None),
        }
    }

    fn transition(&mut self, transition: Transition) {
        match transition {
            Transition::Next(next) => self.add(box_of(next), EdgeKind::Next, None),
            Transition::End => self.add(self.end, EdgeKind::Next, None),
        }
    }

    fn rules(&mut self, choice: &Choice) {
        for rule in &choice.rules {
            self.add(box_of(rule.next), EdgeKind::Choice, Some(condition::text(&rule.condition)));
        }
        if let Some(default) = choice.default {
            self.add(box_of(default), EdgeKind::Choice, Some("default".to_owned()));
        }
    }

    fn catchers(&mut self, catchers: &[Catcher]) {
        for catcher in catchers {
            let errors: Vec<&str> = catcher.error_equals.iter().map(|error| &**error).collect();
            self.add(box_of(catcher.next), EdgeKind::Catch, Some(format!("catch {}", errors.join(", "))));
        }
    }

    fn add(&mut self, to: usize, kind: EdgeKind, label: Option<String>) {
        match self.edges.iter_mut().find(|edge| edge.to == to && edge.kind == kind) {
            Some(edge) => edge.labels.extend(label),
            None => {
                let labels = label.into_iter().collect();
                self.edges.push(Edge { from: self.from, to, kind, labels });
            }
        }
    }
}

fn describe(kind: &StateKind) -> (StateType, String) {
    match kind {
        StateKind::Pass(_) => (StateType::Pass, String::new()),
        StateKind::Choice(_) => (StateType::Choice, String::new()),
        StateKind::Succeed(_) => (StateType::Succeed, String::new()),
        StateKind::Fail(_) => (StateType::Fail, String::new()),
        StateKind::Wait(wait) => (StateType::Wait, wait_detail(wait)),
        StateKind::Task(task) => task_detail(task),
        StateKind::Parallel(_) => (StateType::Service, "Parallel".to_owned()),
        StateKind::Map(_) => (StateType::Service, "Map".to_owned()),
    }
}

fn wait_detail(wait: &Wait) -> String {
    match &wait.until {
        WaitUntil::Seconds(seconds) => format!("Wait {}", duration(*seconds)),
        WaitUntil::SecondsPath(path) => format!("Wait {} s", path.text()),
        WaitUntil::Timestamp(until) => format!("Wait until {}", until.to_iso8601()),
        WaitUntil::TimestampPath(path) => format!("Wait until {}", path.text()),
        WaitUntil::SecondsQuery(_) | WaitUntil::TimestampQuery(_) => "Wait for a computed time".to_owned(),
    }
}

/// `90 s` as `1 min 30 s`: the two largest units that are there.
fn duration(seconds: u32) -> String {
    const UNITS: [(u32, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in UNITS {
        if rest >= size {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

fn task_detail(task: &Task) -> (StateType, String) {
    let Resource { arn, kind } = &task.resource;
    match kind {
        ResourceKind::LambdaFunction => {
            (StateType::Lambda, format!("Lambda {}", last_part(arn, "function:")))
        }
        ResourceKind::Activity => (StateType::Activity, format!("Activity {}", last_part(arn, "activity:"))),
        ResourceKind::Service { resource_type, api, pattern, .. } => {
            let (state_type, service) = service(resource_type);
            let waits = match pattern {
                IntegrationPattern::RequestResponse => "",
                IntegrationPattern::Sync | IntegrationPattern::Sync2 => " (sync)",
                IntegrationPattern::WaitForTaskToken => " (task token)",
            };
            (state_type, format!("{service} {api}{waits}"))
        }
    }
}

/// What follows `mark` in `arn`.
fn last_part<'a>(arn: &'a str, mark: &str) -> &'a str {
    arn.split_once(mark).map_or(arn, |(_, name)| name)
}

/// Colour group and name of a service.
fn service(resource_type: &str) -> (StateType, &str) {
    match resource_type {
        "lambda" => (StateType::Lambda, "Lambda"),
        "dynamodb" => (StateType::Database, "DynamoDB"),
        "sqs" => (StateType::Messaging, "SQS"),
        "sns" => (StateType::Messaging, "SNS"),
        "events" => (StateType::Messaging, "EventBridge"),
        "states" => (StateType::Execution, "States"),
        "http" => (StateType::Service, "HTTP"),
        other => (StateType::Service, other),
    }
}
