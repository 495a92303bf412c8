//! A graph without frames: what `sugiyama` and `rows` place. A frame is one of its boxes.

use super::{Point, Size};

/// Arrows keep this distance from the corners of boxes.
const CORNER: f64 = 16.0;
/// Arrows leave and reach boxes upright over this length.
const STUB: f64 = 14.0;

/// What is to be placed.
pub(super) struct Flat {
    pub(super) boxes: Vec<Size>,
    pub(super) edges: Vec<FlatEdge>,
}

/// An arrow with the room its label needs.
pub(super) struct FlatEdge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: Option<Size>,
    /// Where it begins at the lower side of its first box.
    pub(super) from_port: Port,
    /// Where it ends at the upper side of its last box.
    pub(super) to_port: Port,
}

/// The part of a box's side where an arrow meets it: all of it, or in a frame what lies above or below the box inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    /// The middle of the part, from the middle of the box.
    pub(super) x: f64,
    pub(super) width: f64,
    /// How far behind the side of the box the arrow goes on, straight.
    pub(super) inset: f64,
}

/// Where everything went, in the same order.
pub(super) struct Placed {
    /// The middles of the boxes.
    pub(super) boxes: Vec<Point>,
    pub(super) routes: Vec<PlacedRoute>,
}

/// The way of an arrow, and the middle of its label.
pub(super) struct PlacedRoute {
    pub(super) points: Vec<Point>,
    pub(super) label: Point,
}

impl Port {
    pub(super) fn whole(size: Size) -> Port {
        Port { x: 0.0, width: size.width, inset: 0.0 }
    }

    /// Where an arrow that comes from `x` meets a box whose middle is at `middle`.
    pub(super) fn toward(self, middle: f64, x: f64) -> f64 {
        let reach = (self.width / 2.0 - CORNER).max(0.0);
        let own = middle + self.x;
        own + ((x - own) * 0.5).clamp(-reach, reach)
    }
}

impl FlatEdge {
    /// Lets the arrow meet its boxes at the upper or lower side, upright: at a corner it would seem to miss the box, and
    /// a flat one would hide its head behind it.
    pub(super) fn attach(&self, points: &mut Vec<Point>, flat: &Flat, boxes: &[Point]) {
        // Between neighbouring rows there is one point, halfway between the middles of the boxes. Where the arrow goes on
        // inside of a frame, beside its middle, that would be a detour.
        let aside = self.from_port.inset > 0.0 || self.to_port.inset > 0.0;
        if aside && points.len() == 3 && self.label.is_none() {
            points.remove(1);
        }
        meet(points, boxes[self.from], flat.boxes[self.from], self.from_port, Side::Lower);
        points.reverse();
        meet(points, boxes[self.to], flat.boxes[self.to], self.to_port, Side::Upper);
        points.reverse();
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Upper,
    Lower,
}

/// Moves the end where `points` begins to the side of its box. A way back meets the other side, where there is no port.
fn meet(points: &mut Vec<Point>, middle: Point, size: Size, port: Port, port_side: Side) {
    let half = size.height / 2.0;
    let next = points[1];
    let side = match next.y - middle.y {
        dy if dy >= half => Side::Lower,
        dy if dy <= -half => Side::Upper,
        _ => return,
    };
    let port = if side == port_side { port } else { Port::whole(size) };
    let down = if side == Side::Lower { 1.0 } else { -1.0 };
    let x = port.toward(middle.x, next.x);
    let border = middle.y + down * half;
    points[0] = Point { x, y: border - down * port.inset };
    let stub = STUB.min((next.y - border).abs());
    points.insert(1, Point { x, y: border + down * stub });
}
