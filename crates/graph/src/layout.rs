//! Where the boxes, frames and arrows of a graph go.
//!
//! The work is done by `sugiyama` (the `dagre` library) where the graph is of the usual size, and by `rows` where that
//! would take long: its time is bounded by the number of boxes and arrows alone.

mod ranks;
mod rows;
mod sugiyama;

use ranks::Ranks;

/// Distance between boxes beside each other.
const BOX_GAP: f64 = 36.0;
/// Distance between rows of boxes.
const ROW_GAP: f64 = 46.0;

/// How many boxes, and places where an arrow passes a row, `dagre` is given; it takes well under a second for them.
const SUGIYAMA_PLACES_MAX: usize = 2_500;

/// What is to be placed.
pub(crate) struct Request {
    pub(crate) nodes: Vec<Size>,
    pub(crate) edges: Vec<EdgeRequest>,
    /// For each node the frame around it.
    pub(crate) cluster_of: Vec<Option<usize>>,
    /// For each frame the frame around it.
    pub(crate) cluster_parents: Vec<Option<usize>>,
}

/// An arrow with the room its label needs.
pub(crate) struct EdgeRequest {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) label: Option<Size>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// A frame: its corners.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

/// The way of an arrow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    /// From the border of one box to the border of the other.
    pub(crate) points: Vec<Point>,
    /// The middle of the label.
    pub(crate) label: Point,
}

/// Where everything goes; `nodes` are the middles of the boxes. Nothing lies left of or above the origin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) size: Size,
    pub(crate) nodes: Vec<Point>,
    pub(crate) edges: Vec<Route>,
    pub(crate) clusters: Vec<Option<Frame>>,
}

impl Layout {
    pub(crate) fn of(request: &Request) -> Layout {
        let ranks = Ranks::of(request);
        let passed: usize = ranks.spans(request).map(|span| span.saturating_mul(2)).sum();
        let mut layout = if request.nodes.len() + passed <= SUGIYAMA_PLACES_MAX {
            sugiyama::layout(request)
        } else {
            rows::layout(request, &ranks)
        };
        layout.move_to_origin(request);
        layout
    }

    /// Shifts everything so that the smallest coordinates are 0, and measures the whole.
    fn move_to_origin(&mut self, request: &Request) {
        let mut all = Frame { left: f64::MAX, top: f64::MAX, right: f64::MIN, bottom: f64::MIN };
        for (at, size) in self.nodes.iter().zip(&request.nodes) {
            all.include(*at, *size);
        }
        for (route, edge) in self.edges.iter().zip(&request.edges) {
            for at in &route.points {
                all.include(*at, Size { width: 0.0, height: 0.0 });
            }
            if let Some(size) = edge.label {
                all.include(route.label, size);
            }
        }
        for frame in self.clusters.iter().flatten() {
            all.include(Point { x: frame.left, y: frame.top }, Size { width: 0.0, height: 0.0 });
            all.include(Point { x: frame.right, y: frame.bottom }, Size { width: 0.0, height: 0.0 });
        }
        if all.left > all.right {
            all = Frame { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 };
        }
        self.size = Size { width: all.right - all.left, height: all.bottom - all.top };
        let points =
            self.edges.iter_mut().flat_map(|route| route.points.iter_mut().chain([&mut route.label]));
        for point in self.nodes.iter_mut().chain(points) {
            point.x -= all.left;
            point.y -= all.top;
        }
        for frame in self.clusters.iter_mut().flatten() {
            frame.left -= all.left;
            frame.right -= all.left;
            frame.top -= all.top;
            frame.bottom -= all.top;
        }
    }
}

impl Frame {
    fn include(&mut self, middle: Point, size: Size) {
        self.left = self.left.min(middle.x - size.width / 2.0);
        self.right = self.right.max(middle.x + size.width / 2.0);
        self.top = self.top.min(middle.y - size.height / 2.0);
        self.bottom = self.bottom.max(middle.y + size.height / 2.0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{EdgeRequest, Layout, Request, Size};

    fn request(nodes: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Request {
        let edges = edges.into_iter().map(|(from, to)| {
            let label = (from % 3 == 0).then_some(Size { width: 80.0, height: 16.0 });
            EdgeRequest { from, to, label }
        });
        Request {
            nodes: vec![Size { width: 160.0, height: 50.0 }; nodes],
            edges: edges.collect(),
            cluster_of: vec![None; nodes],
            cluster_parents: Vec::new(),
        }
    }

    fn check(name: &str, request: &Request) {
        let layout = Layout::of(request);
        assert_eq!(layout.nodes.len(), request.nodes.len(), "{name}");
        assert_eq!(layout.edges.len(), request.edges.len(), "{name}");
        let all = layout.nodes.iter().chain(layout.edges.iter().flat_map(|route| &route.points));
        for point in all {
            assert!(point.x.is_finite() && point.y.is_finite(), "{name}: {point:?}");
            assert!(
                point.x > -0.1 && point.x < layout.size.width + 0.1,
                "{name}: {point:?} in {:?}",
                layout.size
            );
            assert!(
                point.y > -0.1 && point.y < layout.size.height + 0.1,
                "{name}: {point:?} in {:?}",
                layout.size
            );
        }
        for (one, a) in layout.nodes.iter().enumerate() {
            for (other, b) in layout.nodes.iter().enumerate().skip(one + 1) {
                let apart = (a.x - b.x).abs() >= 160.0 || (a.y - b.y).abs() >= 50.0;
                assert!(apart, "{name}: boxes {one} and {other} overlap at {a:?} and {b:?}");
            }
        }
        assert_eq!(layout, Layout::of(request), "{name}: the same graph gives the same picture");
    }

    #[test]
    fn boxes_never_overlap_whatever_the_graph() {
        check("nothing", &request(0, []));
        check("one", &request(1, []));
        check("self", &request(1, [(0, 0)]));
        check("double", &request(2, [(0, 1), (0, 1), (1, 0), (1, 0)]));
        let mut seed = 42_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for round in 0..150 {
            let nodes = 1 + random(30);
            let edges: Vec<_> = (0..random(60)).map(|_| (random(nodes), random(nodes))).collect();
            check(&format!("round {round}: {nodes} {edges:?}"), &request(nodes, edges));
        }
    }

    #[test]
    fn large_graphs_take_bounded_time() {
        let chain = |n: usize| (1..n).map(|i| (i - 1, i));
        let shapes: Vec<(&str, Request)> = vec![
            ("chain", request(500, chain(500))),
            ("chain with ways back", request(500, chain(500).chain((0..50).map(|i| (499 - i, i * 7))))),
            ("fan", request(500, (1..499).flat_map(|i| [(0, i), (i, 499)]))),
            (
                "dense",
                request(500, (0..500).flat_map(|i| (0..20).map(move |k| (i, (i * 37 + k * 91) % 500)))),
            ),
            ("long chain", request(5_000, chain(5_000))),
        ];
        for (name, request) in shapes {
            let begin = Instant::now();
            let layout = Layout::of(&request);
            let took = begin.elapsed();
            assert!(took < Duration::from_secs(20), "{name}: {took:?} without optimization");
            assert!(layout.nodes.iter().all(|at| at.x.is_finite() && at.y.is_finite()), "{name}");
        }
    }
}
