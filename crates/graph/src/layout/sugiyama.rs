//! Layout by the `dagre` library: few crossings, straight long arrows, frames around their boxes.

use dagre::graph::{Graph, GraphOptions};
use dagre::layout::types::LabelPos;
use dagre::{EdgeLabel, LayoutOptions, NodeLabel};

use super::{BOX_GAP, Frame, Layout, Point, ROW_GAP, Request, Route, Size};

/// Room around a label.
const LABEL_MARGIN: f64 = 4.0;

/// Arrows keep this distance from the corners of boxes.
const CORNER: f64 = 16.0;
/// Arrows leave and reach boxes upright over this length.
const STUB: f64 = 14.0;

pub(super) fn layout(request: &Request) -> Layout {
    let mut graph = build(request);
    let options = LayoutOptions {
        nodesep: BOX_GAP,
        edgesep: 24.0,
        ranksep: ROW_GAP,
        tie_keep_first: true,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut graph, Some(options));
    read(&graph, request)
}

fn build(request: &Request) -> Graph<NodeLabel, EdgeLabel> {
    let compound = !request.cluster_parents.is_empty();
    let mut graph = Graph::with_options(GraphOptions { directed: true, multigraph: true, compound });
    for (index, size) in request.nodes.iter().enumerate() {
        let label = NodeLabel { width: size.width, height: size.height, ..NodeLabel::default() };
        graph.set_node(node_id(index), Some(label));
    }
    for index in 0..request.cluster_parents.len() {
        graph.set_node(cluster_id(index), Some(NodeLabel::default()));
    }
    for (index, parent) in request.cluster_parents.iter().enumerate() {
        // A frame inside itself would be no tree.
        if let Some(parent) = parent.filter(|parent| *parent < index) {
            graph.set_parent(&cluster_id(index), Some(&cluster_id(parent)));
        }
    }
    for (index, cluster) in request.cluster_of.iter().enumerate() {
        if let Some(cluster) = cluster.filter(|cluster| *cluster < request.cluster_parents.len()) {
            graph.set_parent(&node_id(index), Some(&cluster_id(cluster)));
        }
    }
    for (index, edge) in request.edges.iter().enumerate() {
        let mut label = EdgeLabel { labelpos: LabelPos::Center, ..EdgeLabel::default() };
        if let Some(size) = edge.label {
            label.width = size.width + 2.0 * LABEL_MARGIN;
            label.height = size.height + 2.0 * LABEL_MARGIN;
        }
        graph.set_edge(node_id(edge.from), node_id(edge.to), Some(label), Some(&edge_id(index)));
    }
    graph
}

fn read(graph: &Graph<NodeLabel, EdgeLabel>, request: &Request) -> Layout {
    let place = |id: &str| {
        graph.node(id).map_or(Point { x: 0.0, y: 0.0 }, |node| Point {
            x: node.x.unwrap_or_default(),
            y: node.y.unwrap_or_default(),
        })
    };
    let nodes: Vec<Point> = (0..request.nodes.len()).map(|index| place(&node_id(index))).collect();
    let edges = request.edges.iter().enumerate().map(|(index, edge)| {
        let laid = graph.edge(&node_id(edge.from), &node_id(edge.to), Some(&edge_id(index)));
        let mut points: Vec<Point> = laid
            .map(|laid| laid.points.iter().map(|point| Point { x: point.x, y: point.y }).collect())
            .unwrap_or_default();
        if points.len() < 2 {
            points = vec![nodes[edge.from], nodes[edge.to]];
        }
        let middle = points[points.len() / 2];
        attach(&mut points, nodes[edge.from], request.nodes[edge.from]);
        points.reverse();
        attach(&mut points, nodes[edge.to], request.nodes[edge.to]);
        points.reverse();
        let label = laid.and_then(|laid| Some(Point { x: laid.x?, y: laid.y? })).unwrap_or(middle);
        Route { points, label }
    });
    let edges = edges.collect();
    let clusters = (0..request.cluster_parents.len()).map(|index| {
        let node = graph.node(&cluster_id(index))?;
        let (x, y) = (node.x?, node.y?);
        let (w, h) = (node.width / 2.0, node.height / 2.0);
        Some(Frame { left: x - w, top: y - h, right: x + w, bottom: y + h })
    });
    let clusters = clusters.collect();
    Layout { size: Size { width: 0.0, height: 0.0 }, nodes, edges, clusters }
}

/// Lets the arrow that begins with `points` meet its box at the upper or lower side, upright: at a corner it would seem to
/// miss the box, and a flat one would hide its head behind it.
fn attach(points: &mut Vec<Point>, middle: Point, size: Size) {
    let half = size.height / 2.0;
    let next = points[1];
    let down = match next.y - middle.y {
        dy if dy >= half => 1.0,
        dy if dy <= -half => -1.0,
        _ => return,
    };
    let reach = (size.width / 2.0 - CORNER).max(0.0);
    let x = middle.x + ((next.x - middle.x) * 0.5).clamp(-reach, reach);
    let border = middle.y + down * half;
    points[0] = Point { x, y: border };
    let stub = STUB.min((next.y - border).abs());
    points.insert(1, Point { x, y: border + down * stub });
}

fn node_id(index: usize) -> String {
    format!("n{index}")
}

fn cluster_id(index: usize) -> String {
    format!("c{index}")
}

fn edge_id(index: usize) -> String {
    format!("e{index}")
}
