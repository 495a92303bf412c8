//! Colours, class names and the legend.
//!
//! The style sheet names every colour twice instead of using variables, which not every viewer knows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::StateStatus;
use crate::layout::Point;
use crate::model::StateType;
use crate::text::{number, width};

/// Font size of the legend.
const LEGEND_SIZE: f64 = 11.5;
/// Room for the dot before a legend's words and the gap behind them.
const LEGEND_GAP: f64 = 34.0;
/// Ends of arrows, in units of the arrow's width.
const ARROW: &str = "M0 0 10 5 0 10 2.5 5z";

/// The colours that differ between light and dark ground.
const SCHEMES: [Scheme; 2] = [
    Scheme {
        selector: "",
        ground: "#ffffff",
        card: "#ffffff",
        border: "#b6bec9",
        text: "#0f141a",
        detail: "#5f6b7a",
        edge: "#7d8998",
        catch: "#b4540a",
        frames: ["#f4f6f9", "#ffffff"],
        marker: "#f2f3f5",
        tints: ["#eef3fb", "#e3effd", "#e6f4e1", "#fdf1dd", "#fdeae6"],
        strokes: ["#7d8998", "#0972d3", "#2e8113", "#c26a00", "#d13212"],
    },
    Scheme {
        selector: ".dark",
        ground: "#161d26",
        card: "#232f3e",
        border: "#5f6b7a",
        text: "#ebebf0",
        detail: "#b4bccb",
        edge: "#8d99a8",
        catch: "#f89256",
        frames: ["#1d2734", "#161d26"],
        marker: "#2a3747",
        tints: ["#2b3645", "#12375c", "#1c3b1a", "#453216", "#4a1f1a"],
        strokes: ["#8d99a8", "#539fe5", "#6bc46d", "#f2a33a", "#ff7a66"],
    },
];

struct Scheme {
    selector: &'static str,
    ground: &'static str,
    card: &'static str,
    border: &'static str,
    text: &'static str,
    detail: &'static str,
    edge: &'static str,
    catch: &'static str,
    /// Grounds of the outermost frames and all odd ones, and of those inside of them.
    frames: [&'static str; 2],
    marker: &'static str,
    /// Ground and border of a state by its status, in the order of [`STATUSES`].
    tints: [&'static str; 5],
    strokes: [&'static str; 5],
}

const STATUSES: [StateStatus; 5] = [
    StateStatus::Entered,
    StateStatus::InProgress,
    StateStatus::Succeeded,
    StateStatus::CaughtError,
    StateStatus::Failed,
];

const TYPES: [StateType; 13] = [
    StateType::Pass,
    StateType::Lambda,
    StateType::Database,
    StateType::Messaging,
    StateType::Execution,
    StateType::Activity,
    StateType::Service,
    StateType::Choice,
    StateType::Wait,
    StateType::Succeed,
    StateType::Fail,
    StateType::Parallel,
    StateType::Map,
];

/// The style sheet and the ends of arrows.
pub(super) fn write(out: &mut String) {
    out.push_str("<style>\n");
    let _ = writeln!(
        out,
        ".stepwell-graph text{{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}}"
    );
    for (rule, declarations) in [
        ("title", "font-size:17px;font-weight:600"),
        ("name", "font-size:13.5px;font-weight:600"),
        ("detail", "font-size:11px"),
        ("marker text", "font-size:13px;text-anchor:middle"),
        ("label text", "font-size:11.5px;text-anchor:middle"),
        ("legend text", "font-size:11.5px"),
        ("card", "stroke-width:1.2"),
        ("edge", "fill:none;stroke-width:1.5;marker-end:url(#stepwell-arrow)"),
        ("edge.catch", "stroke-dasharray:5 4;marker-end:url(#stepwell-arrow-catch)"),
        ("edge.joining", "marker-end:none"),
        ("frame", "stroke-width:1.2"),
        ("sign", "fill:none;stroke:#fff;stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round"),
        ("pale", "opacity:.55"),
        ("badge path", "fill:none;stroke:#fff;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round"),
    ] {
        let _ = writeln!(out, ".stepwell-graph .{rule}{{{declarations}}}");
    }
    for kind in TYPES {
        let _ = writeln!(
            out,
            ".stepwell-graph .{} .icon{{fill:{}}}",
            type_class(kind).replace(' ', "."),
            color(kind)
        );
    }
    for scheme in &SCHEMES {
        write_scheme(out, scheme, &format!(".stepwell-graph{}", scheme.selector));
    }
    out.push_str("@media (prefers-color-scheme:dark){\n");
    write_scheme(out, &SCHEMES[1], ".stepwell-graph.auto");
    out.push_str("}\n</style>\n<defs>");
    for (id, class) in [("stepwell-arrow", "arrow"), ("stepwell-arrow-catch", "arrow-catch")] {
        let _ = write!(
            out,
            r#"<marker id="{id}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path class="{class}" d="{ARROW}"/></marker>"#
        );
    }
    out.push_str("</defs>\n");
}

fn write_scheme(out: &mut String, scheme: &Scheme, root: &str) {
    for (rule, declarations) in [
        ("ground", format!("fill:{}", scheme.ground)),
        ("card", format!("fill:{};stroke:{}", scheme.card, scheme.border)),
        ("title", format!("fill:{}", scheme.text)),
        ("name", format!("fill:{}", scheme.text)),
        ("detail", format!("fill:{}", scheme.detail)),
        ("edge", format!("stroke:{}", scheme.edge)),
        ("edge.catch", format!("stroke:{}", scheme.catch)),
        ("arrow", format!("fill:{}", scheme.edge)),
        ("arrow-catch", format!("fill:{}", scheme.catch)),
        ("label rect", format!("fill:{}", scheme.ground)),
        ("label text", format!("fill:{}", scheme.detail)),
        ("legend text", format!("fill:{}", scheme.detail)),
        ("label.odd rect", format!("fill:{}", scheme.frames[0])),
        ("odd .frame", format!("fill:{};stroke:{}", scheme.frames[0], scheme.border)),
        ("even .frame", format!("fill:{};stroke:{}", scheme.frames[1], scheme.border)),
        ("exit", format!("fill:{}", scheme.edge)),
        ("marker rect", format!("fill:{};stroke:{}", scheme.marker, scheme.border)),
        ("marker text", format!("fill:{}", scheme.detail)),
    ] {
        let _ = writeln!(out, "{root} .{rule}{{{declarations}}}");
    }
    for ((status, tint), stroke) in STATUSES.iter().zip(scheme.tints).zip(scheme.strokes) {
        let class = status_class(*status);
        let _ = writeln!(out, "{root} .{class} .card{{fill:{tint};stroke:{stroke};stroke-width:2}}");
        let _ = writeln!(out, "{root} .{class} circle{{fill:{stroke}}}");
        let _ = writeln!(out, "{root} .{class} .frame{{stroke:{stroke};stroke-width:2}}");
    }
}

/// The class of a type of state; its name, too, for scripts.
pub(super) fn type_class(kind: StateType) -> &'static str {
    match kind {
        StateType::Pass => "pass",
        StateType::Lambda => "task lambda",
        StateType::Database => "task database",
        StateType::Messaging => "task messaging",
        StateType::Execution => "task execution",
        StateType::Activity => "task activity",
        StateType::Service => "task service",
        StateType::Choice => "choice",
        StateType::Wait => "wait",
        StateType::Succeed => "succeed",
        StateType::Fail => "fail",
        StateType::Parallel => "parallel",
        StateType::Map => "map",
    }
}

/// What stands above the name where a state has no details.
pub(super) fn type_name(kind: StateType) -> &'static str {
    match kind {
        StateType::Pass => "Pass",
        StateType::Choice => "Choice",
        StateType::Wait => "Wait",
        StateType::Succeed => "Succeed",
        StateType::Fail => "Fail",
        StateType::Parallel => "Parallel",
        StateType::Map => "Map",
        StateType::Lambda
        | StateType::Database
        | StateType::Messaging
        | StateType::Execution
        | StateType::Activity
        | StateType::Service => "Task",
    }
}

fn color(kind: StateType) -> &'static str {
    match kind {
        StateType::Lambda => "#ed7100",
        StateType::Database => "#c925d1",
        StateType::Messaging | StateType::Execution => "#e7157b",
        StateType::Activity => "#0972d3",
        StateType::Service => "#01a88d",
        StateType::Choice => "#8c4fff",
        StateType::Wait => "#2e73b8",
        StateType::Pass => "#5f6b7a",
        StateType::Succeed => "#1d8102",
        StateType::Fail => "#d13212",
        StateType::Parallel => "#4b5bd6",
        StateType::Map => "#0b7a75",
    }
}

pub(super) fn status_class(status: StateStatus) -> &'static str {
    match status {
        StateStatus::Entered => "is-entered",
        StateStatus::InProgress => "is-in-progress",
        StateStatus::Succeeded => "is-succeeded",
        StateStatus::CaughtError => "is-caught",
        StateStatus::Failed => "is-failed",
    }
}

pub(super) fn status_name(status: StateStatus) -> &'static str {
    match status {
        StateStatus::Entered => "Entered",
        StateStatus::InProgress => "In progress",
        StateStatus::Succeeded => "Succeeded",
        StateStatus::CaughtError => "Caught error",
        StateStatus::Failed => "Failed",
    }
}

/// The dot at the corner of a state, with a sign, so that colour is not all that tells the statuses apart.
pub(super) fn draw_badge(out: &mut String, status: StateStatus, at: Point) {
    let sign = match status {
        StateStatus::Entered => "M-3 0h6",
        StateStatus::InProgress => "M0-4v4l3 1.5",
        StateStatus::Succeeded => "M-3.8.2l2.6 2.6 5-5.4",
        StateStatus::CaughtError => "M0-4.5v5M0 4v.1",
        StateStatus::Failed => "M-3-3l6 6M3-3l-6 6",
    };
    let _ = writeln!(
        out,
        r#"<g class="badge" transform="translate({} {})"><circle r="9"/><path d="{sign}"/></g>"#,
        number(at.x),
        number(at.y)
    );
}

/// The statuses that occur, in order.
pub(super) fn legend(statuses: &BTreeMap<String, StateStatus>) -> Vec<StateStatus> {
    let mut present: Vec<StateStatus> = statuses.values().copied().collect();
    present.sort_unstable();
    present.dedup();
    present
}

pub(super) fn legend_width(legend: &[StateStatus]) -> f64 {
    legend.iter().map(|status| width(status_name(*status)) * LEGEND_SIZE + LEGEND_GAP).sum()
}

pub(super) fn draw_legend(out: &mut String, legend: &[StateStatus], left: f64, baseline: f64) {
    let mut x = left;
    for status in legend {
        let name = status_name(*status);
        let _ = writeln!(
            out,
            r#"<g class="legend {}" transform="translate({} {})"><circle cx="5" cy="-4" r="5"/><text x="16">{name}</text></g>"#,
            status_class(*status),
            number(x),
            number(baseline)
        );
        x += width(name) * LEGEND_SIZE + LEGEND_GAP;
    }
}
