//! Arrows and the words on them.

use std::fmt::Write as _;

use crate::layout::{Point, Size};
use crate::model::Edge;
use crate::text::{escape_xml, number, width, wrap};

/// Font size of labels.
const SIZE: f64 = 11.5;
/// Distance between lines.
const LINE: f64 = 15.0;
/// Widest line.
const WIDTH_MAX: f64 = 200.0;
/// One rule or catcher gets at most this many lines.
const LINES_PER_LABEL: usize = 3;
/// A label as a whole gets at most this many lines.
const LINES_MAX: usize = 6;
/// Room around the text.
const PADDING: f64 = 4.0;

/// The words on one arrow, broken into lines.
pub(super) struct Label {
    lines: Vec<String>,
}

impl Label {
    pub(super) fn of(edge: &Edge) -> Option<Label> {
        let mut lines = Vec::new();
        for label in &edge.labels {
            lines.extend(wrap(label, WIDTH_MAX / SIZE, LINES_PER_LABEL));
        }
        if lines.len() > LINES_MAX {
            lines.truncate(LINES_MAX - 1);
            lines.push("…".to_owned());
        }
        lines.iter().any(|line| !line.is_empty()).then_some(Label { lines })
    }

    pub(super) fn size(&self) -> Size {
        let widest = self.lines.iter().map(|line| width(line) * SIZE).fold(0.0, f64::max);
        Size { width: widest + 2.0 * PADDING, height: LINE * self.lines.len() as f64 + PADDING }
    }

    /// `depth` is the number of frames around the arrow, which tells the ground that the label lies on.
    pub(super) fn draw(&self, out: &mut String, edge: &Edge, middle: Point, depth: usize) {
        let class = if depth % 2 == 1 { "label odd" } else { "label" };
        let Size { width: w, height: h } = self.size();
        let _ = write!(
            out,
            r#"<g class="{class}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="3"/>"#,
            escape_xml(&edge.labels.join("; ")),
            number(middle.x - w / 2.0),
            number(middle.y - h / 2.0),
            number(w),
            number(h)
        );
        let top = middle.y - h / 2.0 + PADDING / 2.0;
        for (index, line) in self.lines.iter().enumerate() {
            let baseline = top + LINE * index as f64 + SIZE;
            let _ = write!(
                out,
                r#"<text x="{}" y="{}">{}</text>"#,
                number(middle.x),
                number(baseline),
                escape_xml(line)
            );
        }
        out.push_str("</g>\n");
    }
}

/// A smooth line through `points`: straight at the ends, rounded at every point between.
pub(super) fn path(points: &[Point]) -> String {
    let mut out = String::new();
    let place = |point: Point| format!("{} {}", number(point.x), number(point.y));
    let Some((first, rest)) = points.split_first() else { return out };
    let _ = write!(out, "M{}", place(*first));
    for (index, point) in rest.iter().enumerate() {
        match rest.get(index + 1) {
            Some(next) => {
                let middle = Point { x: (point.x + next.x) / 2.0, y: (point.y + next.y) / 2.0 };
                if index == 0 {
                    let start = Point { x: (first.x + point.x) / 2.0, y: (first.y + point.y) / 2.0 };
                    let _ = write!(out, "L{}", place(start));
                }
                let _ = write!(out, "Q{} {}", place(*point), place(middle));
            }
            None => {
                let _ = write!(out, "L{}", place(*point));
            }
        }
    }
    out
}
