//! Frames in frames: each is laid out alone, the innermost first, and is then a box in the one around it.
//!
//! That suits state machines better than one layout for all: what is in a frame leads only to what is in it, so no frame
//! is pulled apart by the states beside it, and each part costs only its own size.

use std::collections::BTreeMap;

use super::flat::{Flat, FlatEdge, Placed, Port};
use super::{EdgeRequest, Frame, Layout, Point, Ranks, Request, Route, Size, rows, sugiyama};

/// Room between a frame and what is in it.
const FRAME_MARGIN: f64 = 18.0;

/// How many boxes, and places where an arrow passes a row, `dagre` is given; it takes well under a second for them.
const SUGIYAMA_PLACES_MAX: usize = 2_500;

/// The whole picture, or the inside of a frame; the frame `n` is level `n + 1`.
type Level = usize;

const WHOLE: Level = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Node(usize),
    Frame(Level),
}

/// What is known of a level.
#[derive(Default)]
struct Inside {
    /// The level around it; itself for the whole.
    around: Level,
    /// How many frames are around its boxes.
    depth: usize,
    items: Vec<Item>,
    /// Arrows between its items, or what is in them.
    edges: Vec<usize>,
    /// Filled in when it is laid out: the size of the frame, the upper left corner in the level around it.
    size: Size,
    corner: Point,
}

pub(super) fn layout(request: &Request) -> Layout {
    let mut nested = Nested::of(request);
    let mut budget = SUGIYAMA_PLACES_MAX;
    // A frame has a higher number than the one around it.
    for level in (0..nested.levels.len()).rev() {
        nested.lay_out(level, &mut budget);
    }
    nested.finish()
}

struct Nested<'a> {
    request: &'a Request,
    levels: Vec<Inside>,
    /// The level that each node is in.
    level_of: Vec<Level>,
    /// The middles of the nodes in their level.
    nodes: Vec<Point>,
    routes: Vec<Route>,
}

impl Nested<'_> {
    fn of(request: &Request) -> Nested<'_> {
        let frames = request.cluster_parents.len();
        let mut levels = vec![Inside::default()];
        for (index, parent) in request.cluster_parents.iter().enumerate() {
            // A frame inside itself would be no tree.
            let around = parent.filter(|parent| *parent < index).map_or(WHOLE, |parent| parent + 1);
            let depth = levels[around].depth + 1;
            levels.push(Inside { around, depth, ..Inside::default() });
        }
        let level_of: Vec<Level> = (request.cluster_of.iter())
            .map(|cluster| cluster.filter(|cluster| *cluster < frames).map_or(WHOLE, |cluster| cluster + 1))
            .collect();
        let origin = Point { x: 0.0, y: 0.0 };
        let routes = vec![Route { points: Vec::new(), label: origin, depth: 0 }; request.edges.len()];
        let nodes = vec![origin; request.nodes.len()];
        let mut nested = Nested { request, levels, level_of, nodes, routes };
        nested.sort_in();
        nested
    }

    /// Puts every arrow and every item where it belongs: first the items that arrows from outside lead to, because the
    /// layout begins at the first.
    fn sort_in(&mut self) {
        let mut entered = vec![false; self.request.nodes.len()];
        for (index, edge) in self.request.edges.iter().enumerate() {
            let (level, _, to) = self.meeting(edge);
            self.levels[level].edges.push(index);
            entered[edge.to] |= to != Item::Node(edge.to);
        }
        for wanted in [true, false] {
            for (node, level) in self.level_of.iter().enumerate() {
                if entered[node] == wanted {
                    self.levels[*level].items.push(Item::Node(node));
                }
            }
        }
        for frame in 1..self.levels.len() {
            let around = self.levels[frame].around;
            self.levels[around].items.push(Item::Frame(frame));
        }
    }

    /// The innermost level that holds both ends of an arrow, and the items of the ends there.
    fn meeting(&self, edge: &EdgeRequest) -> (Level, Item, Item) {
        let (mut from, mut to) = (Item::Node(edge.from), Item::Node(edge.to));
        let (mut from_level, mut to_level) = (self.level_of[edge.from], self.level_of[edge.to]);
        while from_level != to_level {
            let (from_depth, to_depth) = (self.levels[from_level].depth, self.levels[to_level].depth);
            if from_depth >= to_depth {
                (from, from_level) = (Item::Frame(from_level), self.levels[from_level].around);
            }
            if to_depth >= from_depth {
                (to, to_level) = (Item::Frame(to_level), self.levels[to_level].around);
            }
        }
        (from_level, from, to)
    }

    fn size(&self, item: Item) -> Size {
        match item {
            Item::Node(node) => self.request.nodes[node],
            Item::Frame(level) => self.levels[level].size,
        }
    }

    fn lay_out(&mut self, level: Level, budget: &mut usize) {
        let flat = self.flat(level);
        let ranks = Ranks::of(&flat);
        let passed: usize = ranks.spans(&flat).map(|span| span.saturating_mul(2)).sum();
        let places = flat.boxes.len() + passed;
        let mut placed = if places <= *budget {
            *budget -= places;
            sugiyama::layout(&flat)
        } else {
            rows::layout(&flat, &ranks)
        };
        let margin = if level == WHOLE { 0.0 } else { FRAME_MARGIN };
        self.levels[level].size = move_inside(&mut placed, &flat, margin);
        for (position, middle) in placed.boxes.into_iter().enumerate() {
            match self.levels[level].items[position] {
                Item::Node(node) => self.nodes[node] = middle,
                Item::Frame(inner) => {
                    let Size { width, height } = self.levels[inner].size;
                    self.levels[inner].corner =
                        Point { x: middle.x - width / 2.0, y: middle.y - height / 2.0 };
                }
            }
        }
        let depth = self.levels[level].depth;
        for (position, route) in placed.routes.into_iter().enumerate() {
            let edge = self.levels[level].edges[position];
            self.routes[edge] = Route { points: route.points, label: route.label, depth };
        }
    }

    /// The level as a graph of boxes.
    fn flat(&self, level: Level) -> Flat {
        let Inside { items, edges, .. } = &self.levels[level];
        let positions: BTreeMap<Item, usize> =
            items.iter().enumerate().map(|(position, item)| (*item, position)).collect();
        let edges = edges.iter().map(|index| {
            let edge = &self.request.edges[*index];
            let (_, from, to) = self.meeting(edge);
            FlatEdge {
                from: positions[&from],
                to: positions[&to],
                label: edge.label,
                from_port: self.port(edge.from, from, |frame, inner| frame.bottom - inner.bottom),
                to_port: self.port(edge.to, to, |frame, inner| inner.top - frame.top),
            }
        });
        Flat { boxes: items.iter().map(|item| self.size(*item)).collect(), edges: edges.collect() }
    }

    /// Where an arrow to or from `node` meets `item`, which is the node or a frame around it.
    fn port(&self, node: usize, item: Item, inset: impl Fn(Frame, Frame) -> f64) -> Port {
        let Item::Frame(outer) = item else { return Port::whole(self.request.nodes[node]) };
        let mut middle = self.nodes[node];
        let mut level = self.level_of[node];
        while level != outer {
            let Inside { corner, around, .. } = &self.levels[level];
            middle = Point { x: middle.x + corner.x, y: middle.y + corner.y };
            level = *around;
        }
        let size = self.levels[outer].size;
        let frame = Frame { left: 0.0, top: 0.0, right: size.width, bottom: size.height };
        let inner = Frame::around(middle, self.request.nodes[node]);
        let width = self.request.nodes[node].width;
        Port { x: middle.x - size.width / 2.0, width, inset: inset(frame, inner) }
    }

    /// From places in levels to places in the whole.
    fn finish(mut self) -> Layout {
        let mut corners = vec![Point { x: 0.0, y: 0.0 }];
        for inside in self.levels.iter().skip(1) {
            let outer = corners[inside.around];
            corners.push(Point { x: outer.x + inside.corner.x, y: outer.y + inside.corner.y });
        }
        let shift = |point: &mut Point, by: Point| {
            point.x += by.x;
            point.y += by.y;
        };
        for (node, level) in self.level_of.iter().enumerate() {
            shift(&mut self.nodes[node], corners[*level]);
        }
        for (level, inside) in self.levels.iter().enumerate() {
            for edge in &inside.edges {
                let route = &mut self.routes[*edge];
                route.points.iter_mut().for_each(|point| shift(point, corners[level]));
                shift(&mut route.label, corners[level]);
            }
        }
        let inner = || self.levels.iter().zip(&corners).skip(1);
        let clusters = inner().map(|(inside, corner)| Frame {
            left: corner.x,
            top: corner.y,
            right: corner.x + inside.size.width,
            bottom: corner.y + inside.size.height,
        });
        let clusters = clusters.collect();
        let cluster_depths = inner().map(|(inside, _)| inside.depth).collect();
        let size = self.levels[WHOLE].size;
        Layout { size, nodes: self.nodes, edges: self.routes, clusters, cluster_depths }
    }
}

/// Shifts everything so that nothing is nearer than `margin` to the left and upper border, and measures the whole.
fn move_inside(placed: &mut Placed, flat: &Flat, margin: f64) -> Size {
    let mut all: Option<Frame> = None;
    let mut include = |frame: Frame| all = Some(all.map_or(frame, |all| all.and(frame)));
    for (at, size) in placed.boxes.iter().zip(&flat.boxes) {
        include(Frame::around(*at, *size));
    }
    for (route, edge) in placed.routes.iter().zip(&flat.edges) {
        for at in &route.points {
            include(Frame::around(*at, Size::default()));
        }
        if let Some(size) = edge.label {
            include(Frame::around(route.label, size));
        }
    }
    let all = all.unwrap_or(Frame { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 });
    let points = placed.routes.iter_mut().flat_map(|route| route.points.iter_mut().chain([&mut route.label]));
    for point in placed.boxes.iter_mut().chain(points) {
        point.x += margin - all.left;
        point.y += margin - all.top;
    }
    Size { width: all.right - all.left + 2.0 * margin, height: all.bottom - all.top + 2.0 * margin }
}
