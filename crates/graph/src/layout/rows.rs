//! A plain layout for graphs that are too large for a careful one: rows from top to bottom, arrows straight down, ways
//! back along the right side. Its time grows with boxes and arrows only.

use super::flat::{Flat, Placed, PlacedRoute};
use super::{BOX_GAP, Point, ROW_GAP, Ranks};

/// Distance of the ways back from each other.
const LANE: f64 = 10.0;
/// Ways back share this many lanes.
const LANES: usize = 40;
/// How often rows are sorted by their neighbours.
const SWEEPS: usize = 4;

pub(super) fn layout(flat: &Flat, ranks: &Ranks) -> Placed {
    let rows = sorted_rows(flat, ranks);
    let (boxes, width, gaps) = place(flat, &rows);
    let routes = route(flat, ranks, &boxes, width, &gaps);
    Placed { boxes, routes }
}

/// The boxes of each row, each near the boxes above that it is connected with.
fn sorted_rows(flat: &Flat, ranks: &Ranks) -> Vec<Vec<usize>> {
    let count = ranks.row_of.iter().max().map_or(0, |last| last + 1);
    let mut rows = vec![Vec::new(); count];
    for (node, row) in ranks.row_of.iter().enumerate() {
        rows[*row].push(node);
    }
    let mut position = vec![0.0; flat.boxes.len()];
    for sweep in 0..SWEEPS {
        let mut sum = vec![(0.0, 0.0); flat.boxes.len()];
        for row in &rows {
            for (at, node) in row.iter().enumerate() {
                position[*node] = (at as f64 + 0.5) / row.len() as f64;
            }
        }
        for (edge, back) in flat.edges.iter().zip(&ranks.back) {
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
fn place(flat: &Flat, rows: &[Vec<usize>]) -> (Vec<Point>, f64, Vec<f64>) {
    let row_width = |row: &[usize]| row.iter().map(|node| flat.boxes[*node].width + BOX_GAP).sum::<f64>();
    let width = rows.iter().map(|row| row_width(row)).fold(0.0, f64::max);
    let label_room =
        flat.edges.iter().filter_map(|edge| edge.label).map(|size| size.height).fold(0.0, f64::max);
    let mut nodes = vec![Point { x: 0.0, y: 0.0 }; flat.boxes.len()];
    let mut below = Vec::with_capacity(rows.len());
    let mut top = 0.0;
    for row in rows {
        let height = row.iter().map(|node| flat.boxes[*node].height).fold(0.0, f64::max);
        let mut x = (width - row_width(row)) / 2.0;
        for node in row {
            let size = flat.boxes[*node];
            nodes[*node] = Point { x: x + (size.width + BOX_GAP) / 2.0, y: top + height / 2.0 };
            x += size.width + BOX_GAP;
        }
        below.push(top + height);
        top += height + ROW_GAP + label_room;
    }
    (nodes, width, below)
}

fn route(flat: &Flat, ranks: &Ranks, nodes: &[Point], width: f64, below: &[f64]) -> Vec<PlacedRoute> {
    let mut lanes = 0;
    let routes = flat.edges.iter().enumerate().map(|(index, edge)| {
        let (from, to) = (nodes[edge.from], nodes[edge.to]);
        let (from_size, to_size) = (flat.boxes[edge.from], flat.boxes[edge.to]);
        let (from_x, to_x) = (edge.from_port.toward(from.x, to.x), edge.to_port.toward(to.x, from.x));
        let bottom = Point { x: from_x, y: from.y + from_size.height / 2.0 - edge.from_port.inset };
        let top = Point { x: to_x, y: to.y - to_size.height / 2.0 + edge.to_port.inset };
        let above = to.y - to_size.height / 2.0 - ROW_GAP / 3.0;
        if ranks.back[index] {
            lanes += 1;
            let lane = width + LANE * (1 + lanes % LANES) as f64;
            let low = below[ranks.row_of[edge.from]] + ROW_GAP / 3.0;
            let points = vec![
                bottom,
                Point { x: from_x, y: low },
                Point { x: lane, y: low },
                Point { x: lane, y: above },
                Point { x: to_x, y: above },
                top,
            ];
            return PlacedRoute { points, label: Point { x: (from_x + lane) / 2.0, y: low } };
        }
        let turn = Point { x: from_x, y: below[ranks.row_of[edge.from]] + ROW_GAP / 3.0 };
        let before = Point { x: to_x, y: above };
        // Near the box it leaves, where labels of arrows to one box do not meet.
        let label = Point { x: turn.x + (before.x - turn.x) * 0.25, y: turn.y + (before.y - turn.y) * 0.25 };
        PlacedRoute { points: vec![bottom, turn, before, top], label }
    });
    routes.collect()
}
