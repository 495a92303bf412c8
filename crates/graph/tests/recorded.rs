//! Pictures of the definitions that AWS recorded executions of: all states are there, and no arrow crosses a frame but
//! where it is entered and left.
//!
//! The recordings lie beside the repository; without them the test says so and passes.

// A test says what it skips.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use stepwell_asl::{MachineType, Value, compile_as, json};
use stepwell_graph::{Graph, NodeKind, StateType, SvgOptions};

#[test]
fn every_recorded_definition_is_drawn() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if !folder.is_dir() {
        println!("skipped: there are no recordings at {}", folder.display());
        return;
    }
    let (mut drawn, mut frames) = (0, 0);
    for (path, definition) in definitions(&folder) {
        let Ok(program) = compile_as(&definition, MachineType::Standard) else { continue };
        let graph = Graph::from_program(&program);
        check(&path, &graph);
        let svg = graph.to_svg(&SvgOptions::default());
        assert_eq!(svg.matches("data-state=").count(), program.states.len(), "{}", path.display());
        assert_eq!(svg.matches("data-container=").count(), graph.clusters.len(), "{}", path.display());
        assert_eq!(
            graph.to_mermaid().matches("subgraph ").count(),
            graph.clusters.len(),
            "{}",
            path.display()
        );
        drawn += 1;
        frames += graph.clusters.len();
    }
    assert!(drawn > 100 && frames > 50, "{drawn} definitions with {frames} frames");
}

fn check(path: &Path, graph: &Graph) {
    for edge in &graph.edges {
        let (from, to) = (&graph.nodes[edge.from], &graph.nodes[edge.to]);
        let parent = |cluster: Option<usize>| cluster.and_then(|cluster| graph.clusters[cluster].parent);
        let outside_of = |node: &stepwell_graph::Node| {
            let is_door =
                matches!(node.kind, NodeKind::Exit | NodeKind::State(StateType::Parallel | StateType::Map));
            if is_door { parent(node.cluster) } else { node.cluster }
        };
        let inside = from.cluster == to.cluster;
        let into = from.cluster == outside_of(to);
        let out = outside_of(from) == to.cluster;
        let past = outside_of(from) == outside_of(to);
        assert!(inside || into || out || past, "{}: {} to {}", path.display(), from.name, to.name);
    }
}

fn definitions(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "json") {
                let text = std::fs::read_to_string(&path).expect("a readable file");
                found.extend(definition(&text).map(|definition| (path, definition)));
            }
        }
    }
    found.sort();
    found
}

fn definition(recording: &str) -> Option<String> {
    let content = json::parse(recording).ok()?;
    if let Some(text) = content.get("definition_text").and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    match content.get("definition")? {
        Value::String(text) => Some(text.to_string()),
        definition => Some(definition.to_json()),
    }
}
