//! A plain layout for graphs that are too large for a careful one: rows from top to bottom, arrows straight down, ways
//! back along the right side. Its time grows with boxes and arrows only.

use super::{BOX_GAP, Frame, Layout, Point, ROW_GAP, Ranks, Request, Route, Size};

/// Distance of the ways back from each other.
const LANE: f64 = 10.0;
/// Ways back share this many lanes.
const LANES: usize = 40;
/// Room between a frame and the boxes in it.
const FRAME_MARGIN: f64 = 18.0;
/// How often rows are sorted by their neighbours.
const SWEEPS: usize = 4;

pub(super) fn layout(request: &Request, ranks: &Ranks) -> Layout {
    let rows = sorted_rows(request, ranks);
    let (nodes, width, gaps) = place(request, &rows);
    let edges = route(request, ranks, &nodes, width, &gaps);
    let clusters = frames(request, &nodes);
    Layout { size: Size { width: 0.0, height: 0.0 }, nodes, edges, clusters }
}

/// The boxes of each row, each near the boxes above that it is connected with.
fn sorted_rows(request: &Request, ranks: &Ranks) -> Vec<Vec<usize>> {
    let count = ranks.row_of.iter().max().map_or(0, |last| last + 1);
    let mut rows = vec![Vec::new(); count];
    for (node, row) in ranks.row_of.iter().enumerate() {
        rows[*row].push(node);
    }
    let mut position = vec![0.0; request.nodes.len()];
    for sweep in 0..SWEEPS {
        let mut sum = vec![(0.0, 0.0); request.nodes.len()];
        for row in &rows {
            for (at, node) in row.iter().enumerate() {
                position[*node] = (at as f64 + 0.5) / row.len() as f64;
            }
        }
        for (edge, back) in request.edges.iter().zip(&ranks.back) {
            let (from, to) = if sweep % 2 == 0 { (edge.from, edge.to) } else { (edge.to, edge.from) };
            if !back {
                sum[to].0 += position[from];
                sum[to].1 += 1.0;
            }
        }
        let wanted = |node: usize| if sum[node].1 > 0.0 { sum[node].0 / sum[node].1 } else { position[node] };
        for row in &mut rows {
            row.sort_by(|a, b| wanted(*a).total_cmp(&wanted(*b)).then(a.cmp(b)));
        }
    }
    rows
}

/// The middles of all boxes, the width of the widest row, and the place below each row.
fn place(request: &Request, rows: &[Vec<usize>]) -> (Vec<Point>, f64, Vec<f64>) {
    let row_width = |row: &[usize]| row.iter().map(|node| request.nodes[*node].width + BOX_GAP).sum::<f64>();
    let width = rows.iter().map(|row| row_width(row)).fold(0.0, f64::max);
    let label_room =
        request.edges.iter().filter_map(|edge| edge.label).map(|size| size.height).fold(0.0, f64::max);
    let mut nodes = vec![Point { x: 0.0, y: 0.0 }; request.nodes.len()];
    let mut below = Vec::with_capacity(rows.len());
    let mut top = 0.0;
    for row in rows {
        let height = row.iter().map(|node| request.nodes[*node].height).fold(0.0, f64::max);
        let mut x = (width - row_width(row)) / 2.0;
        for node in row {
            let size = request.nodes[*node];
            nodes[*node] = Point { x: x + (size.width + BOX_GAP) / 2.0, y: top + height / 2.0 };
            x += size.width + BOX_GAP;
        }
        below.push(top + height);
        top += height + ROW_GAP + label_room;
    }
    (nodes, width, below)
}

fn route(request: &Request, ranks: &Ranks, nodes: &[Point], width: f64, below: &[f64]) -> Vec<Route> {
    let mut lanes = 0;
    let routes = request.edges.iter().enumerate().map(|(index, edge)| {
        let (from, to) = (nodes[edge.from], nodes[edge.to]);
        let (from_size, to_size) = (request.nodes[edge.from], request.nodes[edge.to]);
        let bottom = Point { x: from.x, y: from.y + from_size.height / 2.0 };
        let top = Point { x: to.x, y: to.y - to_size.height / 2.0 };
        if ranks.back[index] {
            lanes += 1;
            let lane = width + LANE * (1 + lanes % LANES) as f64;
            let low = below[ranks.row_of[edge.from]] + ROW_GAP / 3.0;
            let high = top.y - ROW_GAP / 3.0;
            let points = vec![
                bottom,
                Point { x: from.x, y: low },
                Point { x: lane, y: low },
                Point { x: lane, y: high },
                Point { x: to.x, y: high },
                top,
            ];
            return Route { points, label: Point { x: (from.x + lane) / 2.0, y: low } };
        }
        let turn = Point { x: from.x, y: below[ranks.row_of[edge.from]] + ROW_GAP / 3.0 };
        let before = Point { x: to.x, y: top.y - ROW_GAP / 3.0 };
        // Near the box it leaves, where labels of arrows to one box do not meet.
        let label = Point { x: turn.x + (before.x - turn.x) * 0.25, y: turn.y + (before.y - turn.y) * 0.25 };
        Route { points: vec![bottom, turn, before, top], label }
    });
    routes.collect()
}

/// Frames around their boxes, and around the frames inside.
fn frames(request: &Request, nodes: &[Point]) -> Vec<Option<Frame>> {
    let mut frames: Vec<Option<Frame>> = vec![None; request.cluster_parents.len()];
    for (node, cluster) in request.cluster_of.iter().enumerate() {
        let mut around = *cluster;
        let mut depth = 1.0;
        while let Some(index) = around.filter(|index| *index < frames.len()) {
            let size = request.nodes[node];
            let margin = 2.0 * FRAME_MARGIN * depth;
            let size = Size { width: size.width + margin, height: size.height + margin };
            let empty = Frame { left: f64::MAX, top: f64::MAX, right: f64::MIN, bottom: f64::MIN };
            frames[index].get_or_insert(empty).include(nodes[node], size);
            around = request.cluster_parents[index].filter(|parent| *parent < index);
            depth += 0.5;
        }
    }
    frames
}
