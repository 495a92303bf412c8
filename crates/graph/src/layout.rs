//! Where the boxes, frames and arrows of a graph go.
//!
//! `nested` takes the picture apart into frames. What is in a frame is placed by `sugiyama` (the `dagre` library) where
//! it is of the usual size, and by `rows` where that would take long: its time is bounded by the number of boxes and
//! arrows alone.

mod flat;
mod nested;
mod ranks;
mod rows;
mod sugiyama;

use ranks::Ranks;

/// Distance between boxes beside each other.
const BOX_GAP: f64 = 36.0;
/// Distance between rows of boxes.
const ROW_GAP: f64 = 46.0;

/// What is to be placed.
pub(crate) struct Request {
    pub(crate) nodes: Vec<Size>,
    pub(crate) edges: Vec<EdgeRequest>,
    /// For each node the frame around it.
    pub(crate) cluster_of: Vec<Option<usize>>,
    /// For each frame the frame around it, which has a lower index.
    pub(crate) cluster_parents: Vec<Option<usize>>,
}

/// An arrow with the room its label needs.
pub(crate) struct EdgeRequest {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) label: Option<Size>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
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
    /// How many frames are around the arrow and its label.
    pub(crate) depth: usize,
}

/// Where everything goes; `nodes` are the middles of the boxes. Nothing lies left of or above the origin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) size: Size,
    pub(crate) nodes: Vec<Point>,
    pub(crate) edges: Vec<Route>,
    pub(crate) clusters: Vec<Frame>,
    /// For each frame how many frames there are from the outermost to this one.
    pub(crate) cluster_depths: Vec<usize>,
}

impl Layout {
    pub(crate) fn of(request: &Request) -> Layout {
        nested::layout(request)
    }
}

impl Frame {
    fn around(middle: Point, size: Size) -> Frame {
        Frame {
            left: middle.x - size.width / 2.0,
            top: middle.y - size.height / 2.0,
            right: middle.x + size.width / 2.0,
            bottom: middle.y + size.height / 2.0,
        }
    }

    /// The smallest frame around both.
    fn and(self, other: Frame) -> Frame {
        Frame {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{EdgeRequest, Frame, Layout, Request, Size};

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
        check_boxes(name, request, &layout);
        assert_eq!(layout, Layout::of(request), "{name}: the same graph gives the same picture");
    }

    /// No two boxes, and no box and a frame that it is not in, overlap; what is in a frame is inside of it.
    fn check_boxes(name: &str, request: &Request, layout: &Layout) {
        let nodes = layout.nodes.iter().zip(&request.nodes).zip(&request.cluster_of);
        let nodes = nodes.map(|((at, size), cluster)| (Frame::around(*at, *size), *cluster));
        let frames = layout.clusters.iter().zip(&request.cluster_parents);
        let all: Vec<(Frame, Option<usize>)> =
            frames.map(|(frame, parent)| (*frame, *parent)).chain(nodes).collect();
        let is_in = |index: usize, frame: usize| {
            let mut around = all[index].1;
            while let Some(cluster) = around.filter(|cluster| *cluster != frame) {
                around = all[cluster].1;
            }
            around.is_some()
        };
        for (one, (a, _)) in all.iter().enumerate() {
            for (other, (b, _)) in all.iter().enumerate().skip(one + 1) {
                if one < layout.clusters.len() && is_in(other, one) {
                    let inside = b.left > a.left && b.right < a.right && b.top > a.top && b.bottom < a.bottom;
                    assert!(inside, "{name}: {other} at {b:?} is not inside of {one} at {a:?}");
                } else {
                    let beside = a.right <= b.left || b.right <= a.left;
                    let apart = beside || a.bottom <= b.top || b.bottom <= a.top;
                    assert!(apart, "{name}: {one} and {other} overlap at {a:?} and {b:?}");
                }
            }
        }
    }

    fn random() -> impl FnMut(usize) -> usize {
        let mut seed = 42_u64;
        move |below| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        }
    }

    fn frames_at_random(request: &mut Request, frames: usize, random: &mut impl FnMut(usize) -> usize) {
        let mut any = |below: usize| random(below + 1).checked_sub(1);
        request.cluster_parents = (0..frames).map(&mut any).collect();
        request.cluster_of = request.nodes.iter().map(|_| any(frames)).collect();
    }

    #[test]
    fn boxes_never_overlap_whatever_the_graph() {
        check("nothing", &request(0, []));
        check("one", &request(1, []));
        check("self", &request(1, [(0, 0)]));
        check("double", &request(2, [(0, 1), (0, 1), (1, 0), (1, 0)]));
        let mut random = random();
        for round in 0..150 {
            let nodes = 1 + random(30);
            let edges: Vec<_> = (0..random(60)).map(|_| (random(nodes), random(nodes))).collect();
            check(&format!("round {round}: {nodes} {edges:?}"), &request(nodes, edges));
        }
    }

    #[test]
    fn frames_hold_what_is_in_them_and_nothing_else() {
        let mut random = random();
        for round in 0..100 {
            let nodes = 1 + random(30);
            let edges: Vec<_> = (0..random(60)).map(|_| (random(nodes), random(nodes))).collect();
            let mut request = request(nodes, edges.clone());
            frames_at_random(&mut request, 1 + random(6), &mut random);
            let shape = (&edges, &request.cluster_of, &request.cluster_parents);
            check(&format!("round {round}: {nodes} {shape:?}"), &request);
        }
        let mut large = request(900, (0..2_000).map(|i| (i * 7 % 900, i * 31 % 900)));
        frames_at_random(&mut large, 12, &mut random);
        check("too large for the careful layout", &large);
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
        let mut framed = request(5_000, chain(5_000));
        framed.cluster_parents = (0..200_usize).map(|index| index.checked_sub(1)).collect();
        framed.cluster_of = (0..5_000).map(|index| Some(index % 200)).collect();
        for (name, request) in shapes.into_iter().chain([("frames in frames", framed)]) {
            let begin = Instant::now();
            let layout = Layout::of(&request);
            let took = begin.elapsed();
            assert!(took < Duration::from_secs(20), "{name}: {took:?} without optimization");
            assert!(layout.nodes.iter().all(|at| at.x.is_finite() && at.y.is_finite()), "{name}");
        }
    }
}
