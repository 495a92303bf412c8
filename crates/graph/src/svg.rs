//! The graph as an SVG picture: self-contained, readable on light and dark ground, with names for screen readers.

mod card;
mod edges;
mod icons;
mod style;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use card::Card;
use edges::Label;

use crate::layout::{EdgeRequest, Layout, Request, Size};
use crate::model::{EdgeKind, Graph, NodeKind};
use crate::text::{escape_xml, number, width, wrap};

/// Room around the picture.
const MARGIN: f64 = 24.0;
/// Font size of the title.
const TITLE_SIZE: f64 = 17.0;
/// Height of the title's line.
const TITLE_HEIGHT: f64 = 34.0;
/// Height of the legend's line.
const LEGEND_HEIGHT: f64 = 30.0;

/// How a picture is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SvgOptions {
    /// Stands above the picture and names it for screen readers.
    pub title: Option<String>,
    /// How far an execution came: what to show for the states of these names. States that are not here are drawn pale,
    /// unless the map is empty.
    pub statuses: BTreeMap<String, StateStatus>,
    /// The ground the picture is for.
    pub color_scheme: ColorScheme,
}

/// What an execution did with a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StateStatus {
    /// It was entered; nothing more is known.
    Entered,
    /// It is at work.
    InProgress,
    /// It is done.
    Succeeded,
    /// It failed, and a catcher took over.
    CaughtError,
    /// It failed.
    Failed,
}

/// The ground a picture is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorScheme {
    /// As the viewer prefers.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Graph {
    /// The graph as a picture.
    #[must_use]
    pub fn to_svg(&self, options: &SvgOptions) -> String {
        let cards: Vec<Card> = self.nodes.iter().map(Card::of).collect();
        let labels: Vec<Option<Label>> = self.edges.iter().map(Label::of).collect();
        let request = Request {
            nodes: cards.iter().map(|card| card.size).collect(),
            edges: (self.edges.iter().zip(&labels))
                .map(|(edge, label)| EdgeRequest {
                    from: edge.from,
                    to: edge.to,
                    label: label.as_ref().map(Label::size),
                })
                .collect(),
            cluster_of: self.nodes.iter().map(|node| node.cluster).collect(),
            cluster_parents: self.clusters.iter().map(|cluster| cluster.parent).collect(),
        };
        let layout = Layout::of(&request);
        Picture { graph: self, options, cards, labels, layout }.draw()
    }
}

struct Picture<'a> {
    graph: &'a Graph,
    options: &'a SvgOptions,
    cards: Vec<Card>,
    labels: Vec<Option<Label>>,
    layout: Layout,
}

impl Picture<'_> {
    fn draw(&self) -> String {
        let title = self.options.title.as_deref().filter(|title| !title.trim().is_empty());
        let title_lines = title.map(|title| wrap(title, 56.0, 2)).unwrap_or_default();
        let legend = style::legend(&self.options.statuses);
        let head = if title.is_some() {
            TITLE_HEIGHT + TITLE_SIZE * 1.3 * (title_lines.len() as f64 - 1.0)
        } else {
            0.0
        };
        let foot = if legend.is_empty() { 0.0 } else { LEGEND_HEIGHT };
        let title_width = title_lines.iter().map(|line| width(line) * TITLE_SIZE).fold(0.0, f64::max);
        let inner = self.layout.size.width.max(title_width).max(style::legend_width(&legend));
        let size = Size {
            width: (inner + 2.0 * MARGIN).ceil(),
            height: (self.layout.size.height + head + foot + 2.0 * MARGIN).ceil(),
        };

        let mut out = String::new();
        self.open(&mut out, size);
        let _ = writeln!(out, r#"<rect class="ground" width="{}" height="{}"/>"#, size.width, size.height);
        for (index, line) in title_lines.iter().enumerate() {
            let y = MARGIN + TITLE_SIZE * (0.8 + 1.3 * index as f64);
            let _ = writeln!(
                out,
                r#"<text class="title" x="{MARGIN}" y="{}">{}</text>"#,
                number(y),
                escape_xml(line)
            );
        }
        let left = MARGIN + (inner - self.layout.size.width) / 2.0;
        let _ = writeln!(out, r#"<g transform="translate({} {})">"#, number(left), number(MARGIN + head));
        self.clusters(&mut out);
        self.edges(&mut out);
        self.nodes(&mut out);
        out.push_str("</g>\n");
        style::draw_legend(&mut out, &legend, MARGIN, size.height - MARGIN);
        out.push_str("</svg>\n");
        out
    }

    fn open(&self, out: &mut String, size: Size) {
        let scheme = match self.options.color_scheme {
            ColorScheme::Auto => "auto",
            ColorScheme::Light => "light",
            ColorScheme::Dark => "dark",
        };
        let (w, h) = (size.width, size.height);
        let _ = writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="stepwell-graph {scheme}" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-label="{}">"#,
            escape_xml(&self.accessible_name())
        );
        let _ = writeln!(out, "<title>{}</title>", escape_xml(&self.accessible_name()));
        let _ = writeln!(out, "<desc>{}</desc>", escape_xml(&self.description()));
        style::write(out);
    }

    fn accessible_name(&self) -> String {
        self.options.title.clone().unwrap_or_else(|| "State machine".to_owned())
    }

    /// The picture in words: the comment of the machine, and how many states it has.
    fn description(&self) -> String {
        let states = self.graph.nodes.iter().filter(|node| matches!(node.kind, NodeKind::State(_))).count();
        let count = if states == 1 { "1 state".to_owned() } else { format!("{states} states") };
        match &self.graph.comment {
            Some(comment) => format!("{comment} ({count})"),
            None => format!("A state machine of {count}"),
        }
    }

    fn clusters(&self, out: &mut String) {
        for (index, cluster) in self.graph.clusters.iter().enumerate() {
            let frame = self.layout.clusters[index];
            let mut class = format!("cluster {}", style::type_class(cluster.kind));
            // Frames alternate between two grounds, so that one inside another stands out.
            class.push_str(if self.layout.cluster_depths[index] % 2 == 1 { " odd" } else { " even" });
            match self.options.statuses.get(&cluster.name) {
                Some(status) => class.extend([" ", style::status_class(*status)]),
                None if !self.options.statuses.is_empty() => class.push_str(" pale"),
                None => {}
            }
            let detail =
                if cluster.detail.is_empty() { style::type_name(cluster.kind) } else { &cluster.detail };
            let _ = writeln!(
                out,
                r#"<g class="{class}" data-container="{}"><title>{}</title><rect class="frame" x="{}" y="{}" width="{}" height="{}" rx="10"/></g>"#,
                escape_xml(&cluster.name),
                escape_xml(&format!("{} ({detail})", cluster.name)),
                number(frame.left),
                number(frame.top),
                number(frame.right - frame.left),
                number(frame.bottom - frame.top)
            );
        }
    }

    fn edges(&self, out: &mut String) {
        for (edge, route) in self.graph.edges.iter().zip(&self.layout.edges) {
            let mut class = if edge.kind == EdgeKind::Catch { "edge catch" } else { "edge" }.to_owned();
            if self.graph.nodes[edge.to].kind == NodeKind::Exit {
                class.push_str(" joining");
            }
            if self.is_pale(edge.from) || self.is_pale(edge.to) {
                class.push_str(" pale");
            }
            let _ = writeln!(out, r#"<path class="{class}" d="{}"/>"#, edges::path(&route.points));
        }
        // All labels lie above all arrows, so that none is crossed out.
        for ((edge, route), label) in self.graph.edges.iter().zip(&self.layout.edges).zip(&self.labels) {
            if let Some(label) = label {
                label.draw(out, edge, route.label, route.depth);
            }
        }
    }

    fn nodes(&self, out: &mut String) {
        for (index, ((node, card), at)) in
            self.graph.nodes.iter().zip(&self.cards).zip(&self.layout.nodes).enumerate()
        {
            card.draw(out, node, *at, self.status(index), self.is_pale(index));
        }
    }

    /// Of an exit it is the status of its Parallel or Map.
    fn status(&self, node: usize) -> Option<StateStatus> {
        let node = &self.graph.nodes[node];
        match node.kind {
            NodeKind::State(_) | NodeKind::Exit => self.options.statuses.get(&node.name).copied(),
            NodeKind::Start | NodeKind::End => None,
        }
    }

    /// Whether the execution did not come to this state.
    fn is_pale(&self, node: usize) -> bool {
        let is_marker = matches!(self.graph.nodes[node].kind, NodeKind::Start | NodeKind::End);
        !is_marker && !self.options.statuses.is_empty() && self.status(node).is_none()
    }
}
