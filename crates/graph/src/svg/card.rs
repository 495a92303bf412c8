//! One box: a card with an icon, the name of the state and what it does; a round marker for start and end.

use std::fmt::Write as _;

use super::{StateStatus, icons, style};
use crate::layout::{Point, Size};
use crate::model::{Node, NodeKind};
use crate::text::{escape_xml, number, width, wrap};

/// Font size of names.
const NAME_SIZE: f64 = 13.5;
/// Distance between the lines of a name.
const NAME_LINE: f64 = 17.0;
/// Font size of the line above the name.
const DETAIL_SIZE: f64 = 11.0;
/// Height of the line above the name.
const DETAIL_LINE: f64 = 15.0;
/// Side of the icon's square.
const ICON: f64 = 34.0;
/// Room between the card's border and what is in it.
const PADDING: f64 = 10.0;
/// Text is between these widths.
const TEXT_MIN: f64 = 86.0;
const TEXT_MAX: f64 = 214.0;
/// Bold letters are wider.
const BOLD: f64 = 1.12;
/// Size of the start and end markers.
const MARKER: Size = Size { width: 64.0, height: 30.0 };
/// Size of the dot where a frame is left.
const EXIT: Size = Size { width: 11.0, height: 11.0 };
/// Names have at most 80 characters, and five lines hold the widest of them.
const NAME_LINES_MAX: usize = 8;

/// A box, measured.
pub(super) struct Card {
    pub(super) size: Size,
    name: Vec<String>,
    detail: String,
}

impl Card {
    pub(super) fn of(node: &Node) -> Card {
        let kind = match node.kind {
            NodeKind::State(kind) => kind,
            NodeKind::Start | NodeKind::End => return Card::marker(MARKER, vec![node.name.clone()]),
            NodeKind::Exit => return Card::marker(EXIT, Vec::new()),
        };
        let name = wrap(&node.name, TEXT_MAX / NAME_SIZE / BOLD, NAME_LINES_MAX);
        let detail = if node.detail.is_empty() { style::type_name(kind) } else { &node.detail };
        let detail = wrap(detail, TEXT_MAX / DETAIL_SIZE, 1).concat();
        let widest = name
            .iter()
            .map(|line| width(line) * NAME_SIZE * BOLD)
            .fold(width(&detail) * DETAIL_SIZE, f64::max);
        let text = Size {
            width: widest.clamp(TEXT_MIN, TEXT_MAX),
            height: DETAIL_LINE + NAME_LINE * name.len() as f64,
        };
        let size = Size {
            width: (ICON + text.width + 3.0 * PADDING).ceil(),
            height: text.height.max(ICON) + 2.0 * PADDING,
        };
        Card { size, name, detail }
    }

    fn marker(size: Size, name: Vec<String>) -> Card {
        Card { size, name, detail: String::new() }
    }

    pub(super) fn draw(
        &self,
        out: &mut String,
        node: &Node,
        at: Point,
        status: Option<StateStatus>,
        pale: bool,
    ) {
        match node.kind {
            NodeKind::Start | NodeKind::End => self.draw_marker(out, at),
            NodeKind::Exit => self.draw_exit(out, at, pale),
            NodeKind::State(_) => self.draw_state(out, node, at, status, pale),
        }
    }

    fn draw_marker(&self, out: &mut String, at: Point) {
        let (left, top) = (at.x - self.size.width / 2.0, at.y - self.size.height / 2.0);
        let _ = writeln!(
            out,
            r#"<g class="marker" transform="translate({} {})"><rect width="{}" height="{}" rx="{}"/><text x="{}" y="{}">{}</text></g>"#,
            number(left),
            number(top),
            self.size.width,
            self.size.height,
            self.size.height / 2.0,
            number(self.size.width / 2.0),
            number(self.size.height / 2.0 + NAME_SIZE * 0.33),
            escape_xml(&self.name.concat())
        );
    }

    fn draw_exit(&self, out: &mut String, at: Point, pale: bool) {
        let class = if pale { "exit pale" } else { "exit" };
        let (x, y, r) = (number(at.x), number(at.y), number(self.size.width / 2.0));
        let _ = writeln!(out, r#"<circle class="{class}" cx="{x}" cy="{y}" r="{r}"/>"#);
    }

    fn draw_state(&self, out: &mut String, node: &Node, at: Point, status: Option<StateStatus>, pale: bool) {
        let NodeKind::State(kind) = node.kind else { return };
        let Size { width: w, height: h } = self.size;
        let mut class = format!("state {}", style::type_class(kind));
        if let Some(status) = status {
            let _ = write!(class, " {}", style::status_class(status));
        }
        if pale {
            class.push_str(" pale");
        }
        let _ = writeln!(
            out,
            r#"<g class="{class}" data-state="{}" transform="translate({} {})">"#,
            escape_xml(&node.name),
            number(at.x - w / 2.0),
            number(at.y - h / 2.0)
        );
        let _ = writeln!(out, "<title>{}</title>", escape_xml(&self.tooltip(node, status)));
        let _ = writeln!(out, r#"<rect class="card" width="{}" height="{}" rx="8"/>"#, number(w), number(h));
        let icon_top = (h - ICON) / 2.0;
        let _ = writeln!(
            out,
            r#"<g transform="translate({PADDING} {})"><rect class="icon" width="{ICON}" height="{ICON}" rx="6"/><path class="sign" transform="translate(5 5)" d="{}"/></g>"#,
            number(icon_top),
            icons::path(kind)
        );
        let text_left = ICON + 2.0 * PADDING;
        let text_height = DETAIL_LINE + NAME_LINE * self.name.len() as f64;
        let mut baseline = (h - text_height) / 2.0 + DETAIL_SIZE;
        let _ = writeln!(
            out,
            r#"<text class="detail" x="{text_left}" y="{}">{}</text>"#,
            number(baseline),
            escape_xml(&self.detail)
        );
        baseline += DETAIL_LINE - DETAIL_SIZE + NAME_SIZE - 1.0;
        for line in &self.name {
            let _ = writeln!(
                out,
                r#"<text class="name" x="{text_left}" y="{}">{}</text>"#,
                number(baseline),
                escape_xml(line)
            );
            baseline += NAME_LINE;
        }
        if let Some(status) = status {
            style::draw_badge(out, status, Point { x: w, y: 0.0 });
        }
        out.push_str("</g>\n");
    }

    /// Type, name and comment, uncut.
    fn tooltip(&self, node: &Node, status: Option<StateStatus>) -> String {
        let mut text = node.name.clone();
        if !self.detail.is_empty() {
            let detail = if node.detail.is_empty() { &self.detail } else { &node.detail };
            let _ = write!(text, " ({detail})");
        }
        if let Some(status) = status {
            let _ = write!(text, ": {}", style::status_name(status));
        }
        if let Some(comment) = &node.comment {
            let _ = write!(text, ". {comment}");
        }
        text
    }
}
