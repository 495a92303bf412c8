//! Layout by the `dagre` library: few crossings, straight long arrows.

use dagre::graph::{Graph, GraphOptions};
use dagre::layout::types::LabelPos;
use dagre::{EdgeLabel, LayoutOptions, NodeLabel};

use super::flat::{Flat, Placed, PlacedRoute};
use super::{BOX_GAP, Point, ROW_GAP};

/// Room around a label.
const LABEL_MARGIN: f64 = 4.0;

pub(super) fn layout(flat: &Flat) -> Placed {
    let mut graph = build(flat);
    let options = LayoutOptions {
        nodesep: BOX_GAP,
        edgesep: 24.0,
        ranksep: ROW_GAP,
        tie_keep_first: true,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut graph, Some(options));
    read(&graph, flat)
}

fn build(flat: &Flat) -> Graph<NodeLabel, EdgeLabel> {
    let mut graph = Graph::with_options(GraphOptions { directed: true, multigraph: true, compound: false });
    for (index, size) in flat.boxes.iter().enumerate() {
        let label = NodeLabel { width: size.width, height: size.height, ..NodeLabel::default() };
        graph.set_node(box_id(index), Some(label));
    }
    for (index, edge) in flat.edges.iter().enumerate() {
        let mut label = EdgeLabel { labelpos: LabelPos::Center, ..EdgeLabel::default() };
        if let Some(size) = edge.label {
            label.width = size.width + 2.0 * LABEL_MARGIN;
            label.height = size.height + 2.0 * LABEL_MARGIN;
        }
        graph.set_edge(box_id(edge.from), box_id(edge.to), Some(label), Some(&edge_id(index)));
    }
    graph
}

fn read(graph: &Graph<NodeLabel, EdgeLabel>, flat: &Flat) -> Placed {
    let place = |id: &str| {
        graph.node(id).map_or(Point::default(), |node| Point {
            x: node.x.unwrap_or_default(),
            y: node.y.unwrap_or_default(),
        })
    };
    let boxes: Vec<Point> = (0..flat.boxes.len()).map(|index| place(&box_id(index))).collect();
    let routes = flat.edges.iter().enumerate().map(|(index, edge)| {
        let laid = graph.edge(&box_id(edge.from), &box_id(edge.to), Some(&edge_id(index)));
        let mut points: Vec<Point> = laid
            .map(|laid| laid.points.iter().map(|point| Point { x: point.x, y: point.y }).collect())
            .unwrap_or_default();
        if points.len() < 2 {
            points = vec![boxes[edge.from], boxes[edge.to]];
        }
        let middle = points[points.len() / 2];
        edge.attach(&mut points, flat, &boxes);
        let label = laid.and_then(|laid| Some(Point { x: laid.x?, y: laid.y? })).unwrap_or(middle);
        PlacedRoute { points, label }
    });
    let routes = routes.collect();
    Placed { boxes, routes }
}

fn box_id(index: usize) -> String {
    format!("n{index}")
}

fn edge_id(index: usize) -> String {
    format!("e{index}")
}
