//! The graph of a state machine: boxes, arrows, and the words on them. Shape only; `program` makes it.

/// A state machine as boxes and arrows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The start marker, the states as they are compiled, the end marker, then the exits of frames.
    pub nodes: Vec<Node>,
    /// The arrows.
    pub edges: Vec<Edge>,
    /// Frames around each Parallel and Map with the states inside; the outer before the inner.
    pub clusters: Vec<Cluster>,
    /// `Comment` of the machine.
    pub comment: Option<String>,
}

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it stands for.
    pub kind: NodeKind,
    /// The state's name; `Start` and `End` for the markers, and for an exit the name of the Parallel or Map.
    pub name: String,
    /// What the state does, in a few words: `Lambda invoke`, `10 s`; empty where the type says it all.
    pub detail: String,
    /// `Comment` of the state.
    pub comment: Option<String>,
    /// Index of the frame around it in [`Graph::clusters`].
    pub cluster: Option<usize>,
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Where an execution begins.
    Start,
    /// Where it ends, well or not.
    End,
    /// A state. That of a Parallel or Map is where its frame is entered.
    State(StateType),
    /// Where the frame of a Parallel or Map is left: all its branches or iterations are done, or one failed.
    Exit,
}

/// The types of states, tasks told apart by what they call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateType {
    /// `Pass`
    Pass,
    /// A `Task` that calls a Lambda function.
    Lambda,
    /// A `Task` that calls DynamoDB.
    Database,
    /// A `Task` that calls SQS, SNS or EventBridge.
    Messaging,
    /// A `Task` that starts a state machine.
    Execution,
    /// A `Task` done by an activity's worker.
    Activity,
    /// Any other `Task`.
    Service,
    /// `Choice`
    Choice,
    /// `Wait`
    Wait,
    /// `Succeed`
    Succeed,
    /// `Fail`
    Fail,
    /// `Parallel`
    Parallel,
    /// `Map`
    Map,
}

/// One arrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Index of the box it leaves.
    pub from: usize,
    /// Index of the box it points to.
    pub to: usize,
    /// Why it is taken.
    pub kind: EdgeKind,
    /// Its words, one line per rule or catcher: `$.status == "FAILED"`, `default`, `catch States.ALL`, the
    /// comment of a branch; empty for `Next`.
    pub labels: Vec<String>,
}

/// Why an arrow is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EdgeKind {
    /// From the start marker, by `Next`, into a branch or iteration, to an exit, or to the end marker.
    Next,
    /// By a rule or the default of a Choice.
    Choice,
    /// By a catcher.
    Catch,
}

/// A frame around a Parallel or Map and the states inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// `Parallel` or `Map`.
    pub kind: StateType,
    /// Name of that state.
    pub name: String,
    /// What it does, in a few words, as in [`Node::detail`].
    pub detail: String,
    /// Index of the frame around this one.
    pub parent: Option<usize>,
}
