//! From a compiled program to boxes, arrows and frames.

use std::collections::VecDeque;

use stepwell_asl::Program;
use stepwell_asl::program::{Catcher, Choice, State, StateId, StateKind, Transition};

use crate::condition;
use crate::describe::describe;
use crate::model::{Cluster, Edge, EdgeKind, Graph, Node, NodeKind};

impl Graph {
    /// The graph of `program`: a start marker, all states, an end marker, and an arrow for each way from one to another.
    ///
    /// A Parallel or Map is a frame: it is entered at its own box, from which arrows lead to the first state of each
    /// branch, and left at its exit, to which arrows lead from all states that end a branch. Arrows between the same two
    /// boxes for the same kind of reason are one, with several labels.
    #[must_use]
    pub fn from_program(program: &Program) -> Graph {
        let frames = Frames::of(program);
        let end = program.states.len() + 1;
        let mut nodes = vec![marker(NodeKind::Start, "Start", None)];
        nodes.extend(program.states.iter().zip(&frames.around).map(|(state, cluster)| node(state, *cluster)));
        nodes.push(marker(NodeKind::End, "End", None));
        let exits: Vec<Option<usize>> = (frames.clusters.iter().enumerate().zip(&frames.is_left))
            .map(|((index, cluster), is_left)| {
                is_left.then(|| {
                    nodes.push(marker(NodeKind::Exit, &cluster.name, Some(index)));
                    nodes.len() - 1
                })
            })
            .collect();

        let mut edges =
            vec![Edge { from: 0, to: box_of(program.start_at), kind: EdgeKind::Next, labels: Vec::new() }];
        for (index, state) in program.states.iter().enumerate() {
            let end = frames.outside(index).and_then(|cluster| exits[cluster]).unwrap_or(end);
            let own_exit = frames.own[index].and_then(|cluster| exits[cluster]);
            let mut ways = Ways { end, edges: Vec::new() };
            ways.inside(index + 1, &state.kind);
            ways.onwards(own_exit.unwrap_or(index + 1), &state.kind);
            edges.append(&mut ways.edges);
        }
        let comment = program.comment.as_deref().map(str::to_owned);
        Graph { nodes, edges, clusters: frames.clusters, comment }
    }
}

/// Which state is in which frame.
struct Frames {
    /// The outer before the inner.
    clusters: Vec<Cluster>,
    /// For each frame whether a state inside ends its branch; else the frame is never left.
    is_left: Vec<bool>,
    /// For each state the frame that its box is in; that of a Parallel or Map is in its own.
    around: Vec<Option<usize>>,
    /// For each Parallel and Map its frame.
    own: Vec<Option<usize>>,
}

impl Frames {
    /// Follows all ways from the first state. The validation of a definition ensures that they lead to every state.
    fn of(program: &Program) -> Frames {
        let count = program.states.len();
        let mut frames = Frames {
            clusters: Vec::new(),
            is_left: Vec::new(),
            around: vec![None; count],
            own: vec![None; count],
        };
        let mut seen = vec![false; count];
        let mut open = VecDeque::from([(program.start_at, None)]);
        while let Some((id, around)) = open.pop_front() {
            let index = id.0 as usize;
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            let state = program.state(id);
            let mut cluster = around;
            if !entries(&state.kind).is_empty() {
                let (kind, detail) = describe(&state.kind);
                let name = state.name.to_string();
                // The box inside the frame is where it is entered.
                cluster = Some(frames.clusters.len());
                frames.own[index] = cluster;
                frames.clusters.push(Cluster { kind, name, detail, parent: around });
                frames.is_left.push(false);
            }
            frames.around[index] = cluster;
            if let Some(around) = around.filter(|_| ends(&state.kind)) {
                frames.is_left[around] = true;
            }
            open.extend(entries(&state.kind).into_iter().map(|(first, _)| (first, cluster)));
            open.extend(followers(&state.kind).into_iter().map(|next| (next, around)));
        }
        frames
    }

    /// The frame that a state is in; for a Parallel or Map not its own, but the one around that.
    fn outside(&self, state: usize) -> Option<usize> {
        match self.own[state] {
            Some(own) => self.clusters[own].parent,
            None => self.around[state],
        }
    }
}

/// The first state of each branch, or of the processor, with its comment.
fn entries(kind: &StateKind) -> Vec<(StateId, Option<&str>)> {
    match kind {
        StateKind::Parallel(parallel) => {
            let branches = parallel.branches.iter();
            branches.map(|branch| (branch.start_at, branch.comment.as_deref())).collect()
        }
        StateKind::Map(map) => vec![(map.processor.start_at, map.processor.comment.as_deref())],
        _ => Vec::new(),
    }
}

/// `Next` or `End`, where the type has them.
fn transition(kind: &StateKind) -> Option<Transition> {
    match kind {
        StateKind::Pass(pass) => Some(pass.transition),
        StateKind::Wait(wait) => Some(wait.transition),
        StateKind::Task(task) => Some(task.transition),
        StateKind::Parallel(parallel) => Some(parallel.transition),
        StateKind::Map(map) => Some(map.transition),
        StateKind::Succeed(_) | StateKind::Fail(_) => Some(Transition::End),
        StateKind::Choice(_) => None,
    }
}

fn catchers(kind: &StateKind) -> &[Catcher] {
    match kind {
        StateKind::Task(task) => &task.catch,
        StateKind::Parallel(parallel) => &parallel.catch,
        StateKind::Map(map) => &map.catch,
        _ => &[],
    }
}

/// Whether the state can be the last of its branch.
fn ends(kind: &StateKind) -> bool {
    transition(kind) == Some(Transition::End)
}

/// The states beside this one that it leads to.
fn followers(kind: &StateKind) -> Vec<StateId> {
    let mut followers = Vec::new();
    if let Some(Transition::Next(next)) = transition(kind) {
        followers.push(next);
    }
    followers.extend(catchers(kind).iter().map(|catcher| catcher.next));
    if let StateKind::Choice(choice) = kind {
        followers.extend(choice.rules.iter().map(|rule| rule.next));
        followers.extend(choice.default);
    }
    followers
}

/// States come after the start marker.
fn box_of(state: StateId) -> usize {
    state.0 as usize + 1
}

fn marker(kind: NodeKind, name: &str, cluster: Option<usize>) -> Node {
    Node { kind, name: name.to_owned(), detail: String::new(), comment: None, cluster }
}

fn node(state: &State, cluster: Option<usize>) -> Node {
    let (kind, detail) = describe(&state.kind);
    Node {
        kind: NodeKind::State(kind),
        name: state.name.to_string(),
        detail,
        comment: state.comment.as_deref().map(str::to_owned),
        cluster,
    }
}

/// The ways out of one state.
struct Ways {
    /// Where `End` leads.
    end: usize,
    edges: Vec<Edge>,
}

impl Ways {
    /// Into each branch of a Parallel or the processor of a Map.
    fn inside(&mut self, from: usize, kind: &StateKind) {
        for (first, comment) in entries(kind) {
            self.add(from, box_of(first), EdgeKind::Next, comment.map(str::to_owned));
        }
    }

    /// To the states after it.
    fn onwards(&mut self, from: usize, kind: &StateKind) {
        match transition(kind) {
            Some(Transition::Next(next)) => self.add(from, box_of(next), EdgeKind::Next, None),
            Some(Transition::End) => self.add(from, self.end, EdgeKind::Next, None),
            None => {}
        }
        if let StateKind::Choice(choice) = kind {
            self.rules(from, choice);
        }
        for catcher in catchers(kind) {
            let errors: Vec<&str> = catcher.error_equals.iter().map(|error| &**error).collect();
            let label = format!("catch {}", errors.join(", "));
            self.add(from, box_of(catcher.next), EdgeKind::Catch, Some(label));
        }
    }

    fn rules(&mut self, from: usize, choice: &Choice) {
        for rule in &choice.rules {
            let label = condition::text(&rule.condition);
            self.add(from, box_of(rule.next), EdgeKind::Choice, Some(label));
        }
        if let Some(default) = choice.default {
            self.add(from, box_of(default), EdgeKind::Choice, Some("default".to_owned()));
        }
    }

    fn add(&mut self, from: usize, to: usize, kind: EdgeKind, label: Option<String>) {
        let same = |edge: &&mut Edge| (edge.from, edge.to, edge.kind) == (from, to, kind);
        match self.edges.iter_mut().find(same) {
            Some(edge) => edge.labels.extend(label),
            None => self.edges.push(Edge { from, to, kind, labels: label.into_iter().collect() }),
        }
    }
}
