//! Pictures of large, framed and hostile graphs: every state is drawn, in bounded time, as well-formed XML.

use std::fmt::Write as _;

use stepwell_graph::{Cluster, Edge, EdgeKind, Graph, Node, NodeKind, StateType, SvgOptions};

fn node(name: impl Into<String>, cluster: Option<usize>) -> Node {
    let kind = NodeKind::State(StateType::Lambda);
    Node { kind, name: name.into(), detail: "Lambda invoke".into(), comment: None, cluster }
}

fn edge(from: usize, to: usize, label: &str) -> Edge {
    let labels = if label.is_empty() { Vec::new() } else { vec![label.to_owned()] };
    Edge { from, to, kind: EdgeKind::Next, labels }
}

fn graph(nodes: Vec<Node>, edges: Vec<Edge>, clusters: Vec<Cluster>) -> Graph {
    Graph { nodes, edges, clusters, comment: None }
}

/// Writes the picture into the folder that `STEPWELL_PICTURES` names, for looking at it.
fn keep(name: &str, svg: &str) {
    if let Some(folder) = std::env::var_os("STEPWELL_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.svg")), svg)
            .expect("a writable folder");
    }
}

#[test]
fn five_hundred_states_with_many_ways_back() {
    let nodes: Vec<Node> = (0..500).map(|index| node(format!("State {index}"), None)).collect();
    let mut edges: Vec<Edge> = (1..500).map(|index| edge((index - 1) / 2, index, "next")).collect();
    edges.extend((0..120).map(|index| edge(499 - index, index, "again")));
    let svg = graph(nodes, edges, Vec::new()).to_svg(&SvgOptions::default());
    assert_eq!(svg.matches("data-state=").count(), 500);
    keep("five-hundred", &svg);
}

#[test]
fn frames_hold_their_states() {
    let cluster = |name: &str, parent| Cluster {
        kind: StateType::Parallel,
        name: name.into(),
        detail: String::new(),
        parent,
    };
    let nodes = vec![
        node("Before", None),
        node("Left", Some(1)),
        node("Left too", Some(1)),
        node("Right", Some(2)),
        node("After", None),
    ];
    let edges = vec![edge(0, 1, ""), edge(1, 2, ""), edge(0, 3, ""), edge(2, 4, ""), edge(3, 4, "")];
    let clusters = vec![cluster("Both", None), cluster("Branch 1", Some(0)), cluster("Branch 2", Some(0))];
    let svg = graph(nodes, edges, clusters).to_svg(&SvgOptions::default());
    assert_eq!(svg.matches("data-container=").count(), 3);
    keep("frames", &svg);
}

#[test]
fn any_name_gives_well_formed_xml() {
    let mut names: Vec<String> =
        (0..0x300_u32).filter_map(char::from_u32).map(|c| format!("a{c}b")).collect();
    names.extend([
        "]]>".into(),
        "<!--".into(),
        "&amp;".into(),
        String::new(),
        "x".repeat(10_000),
        "漢".repeat(80),
    ]);
    let mut label = String::new();
    for name in &names {
        let _ = write!(label, "{name} ");
    }
    let count = names.len();
    let nodes = names.into_iter().map(|name| node(name, None)).collect();
    let svg = graph(nodes, vec![edge(0, 1, &label)], Vec::new())
        .to_svg(&SvgOptions { title: Some(label.clone()), ..SvgOptions::default() });
    assert_eq!(svg.matches("data-state=").count(), count);
    assert_well_formed(&svg);
}

/// Tags are balanced, attributes quoted, and no reserved or forbidden character stands outside of markup.
fn assert_well_formed(xml: &str) {
    let forbidden = |c: char| c < ' ' && c != '\n';
    assert!(!xml.contains(forbidden), "a control character");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(begin) = rest.find('<') {
        assert!(entities_only(&rest[..begin]), "text: {}", &rest[..begin]);
        let end = begin + rest[begin..].find('>').expect("a tag ends");
        let tag = &rest[begin + 1..end];
        assert!(!tag.contains('<') && entities_only(tag), "tag: {tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes: {tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or_default());
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?} not closed");
}

fn entities_only(text: &str) -> bool {
    text.match_indices('&').all(|(at, _)| {
        ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|entity| text[at..].starts_with(entity))
    })
}
