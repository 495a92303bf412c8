//! The graph as a Mermaid flowchart.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::model::{EdgeKind, Graph, Node, NodeKind, StateType};

impl Graph {
    /// The graph as Mermaid `flowchart` text, with all names escaped; renders on GitHub and in Mermaid 10 and later.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        let contents = self.contents();
        for part in &contents[0] {
            self.write_part(&mut out, *part, &contents, 1);
        }
        for edge in &self.edges {
            let label = escape(&edge.labels.join(", "));
            let arrow = if edge.kind == EdgeKind::Catch { "-.->" } else { "-->" };
            let label = if label.is_empty() { String::new() } else { format!("|\"{label}\"|") };
            line(&mut out, 1, &format!("{} {arrow}{label} {}", id(edge.from), id(edge.to)));
        }
        let classes: BTreeSet<&str> = self.nodes.iter().filter_map(|node| class(node.kind)).collect();
        for class in classes {
            line(&mut out, 1, &format!("classDef {class} stroke:{},stroke-width:2px", color(class)));
        }
        out
    }

    /// What is outside of all frames, then what is in each frame: frames first, then boxes.
    fn contents(&self) -> Vec<Vec<Part>> {
        let mut contents = vec![Vec::new(); self.clusters.len() + 1];
        let mut put = |around: Option<usize>, part| {
            contents[around.filter(|cluster| *cluster < self.clusters.len()).map_or(0, |c| c + 1)].push(part);
        };
        for (index, cluster) in self.clusters.iter().enumerate() {
            // A frame inside itself would be no tree.
            put(cluster.parent.filter(|parent| *parent < index), Part::Cluster(index));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            put(node.cluster, Part::Node(index));
        }
        contents
    }

    fn write_part(&self, out: &mut String, part: Part, contents: &[Vec<Part>], depth: usize) {
        let index = match part {
            Part::Node(index) => return write_node(out, index, &self.nodes[index], depth),
            Part::Cluster(index) => index,
        };
        /// More than any definition nests.
        const DEPTH_MAX: usize = 200;
        if depth > DEPTH_MAX {
            return;
        }
        let cluster = &self.clusters[index];
        let kind = if cluster.kind == StateType::Parallel { "Parallel" } else { "Map" };
        let detail = if cluster.detail.is_empty() { kind } else { &cluster.detail };
        let title = escape(&format!("{}: {detail}", cluster.name));
        line(out, depth, &format!("subgraph c{index}[\"{title}\"]"));
        for inner in &contents[index + 1] {
            self.write_part(out, *inner, contents, depth + 1);
        }
        line(out, depth, "end");
    }
}

#[derive(Clone, Copy)]
enum Part {
    Cluster(usize),
    Node(usize),
}

fn write_node(out: &mut String, index: usize, node: &Node, depth: usize) {
    if matches!(node.kind, NodeKind::State(StateType::Parallel | StateType::Map) | NodeKind::Exit) {
        // The frame bears the name; these are where it is entered and left.
        return line(out, depth, &format!("{}((\" \")):::dot", id(index)));
    }
    let (open, close) = match node.kind {
        NodeKind::Start | NodeKind::End | NodeKind::Exit => ("((", "))"),
        NodeKind::State(StateType::Choice) => ("{", "}"),
        NodeKind::State(StateType::Succeed | StateType::Fail) => ("([", "])"),
        NodeKind::State(_) => ("[", "]"),
    };
    let mut label = escape(&node.name);
    if !node.detail.is_empty() {
        let _ = write!(label, "<br/><small>{}</small>", escape(&node.detail));
    }
    let class = class(node.kind).map_or_else(String::new, |class| format!(":::{class}"));
    line(out, depth, &format!("{}{open}\"{label}\"{close}{class}", id(index)));
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{}{text}", "    ".repeat(depth));
}

/// Names may be words that Mermaid reserves (`end`), so boxes are numbered.
fn id(index: usize) -> String {
    format!("n{index}")
}

fn class(kind: NodeKind) -> Option<&'static str> {
    match kind {
        NodeKind::Start | NodeKind::End => None,
        NodeKind::State(StateType::Parallel | StateType::Map) | NodeKind::Exit => Some("dot"),
        NodeKind::State(StateType::Choice) => Some("choice"),
        NodeKind::State(StateType::Wait) => Some("wait"),
        NodeKind::State(StateType::Pass) => Some("pass"),
        NodeKind::State(StateType::Succeed) => Some("succeed"),
        NodeKind::State(StateType::Fail) => Some("fail"),
        NodeKind::State(_) => Some("task"),
    }
}

fn color(class: &str) -> &'static str {
    match class {
        "choice" => "#8c4fff",
        "wait" => "#2e73b8",
        "succeed" => "#1d8102",
        "fail" => "#d13212",
        "task" => "#ed7100",
        _ => "#7d8998",
    }
}

/// Mermaid's entity codes for everything that is not plainly harmless: quotes end a label, `%%{` begins a directive,
/// `` "` `` Markdown, `<` HTML, `#` an entity, and `1.` or `-` in front a list, which Mermaid refuses to draw.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut only_digits = true;
    for c in text.chars() {
        let begins_list = only_digits && matches!(c, '.' | '-' | ')');
        only_digits &= c.is_ascii_digit() || c == ' ';
        match c {
            '"' => out.push_str("#quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            ' ' | '.' | ',' | '-' | '$' | '/' | '?' | '!' | '=' | '(' | ')' | '[' | ']' if !begins_list => {
                out.push(c)
            }
            c if c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_control()) => out.push(c),
            c if c.is_ascii_graphic() => {
                let _ = write!(out, "#{};", c as u32);
            }
            _ => out.push('\u{fffd}'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;
    use crate::model::{Cluster, Edge, EdgeKind, Graph, Node, NodeKind, StateType};

    #[test]
    fn nothing_in_a_name_is_markup() {
        let cases = [
            ("Loop Completed?", "Loop Completed?"),
            ("\"a\" & <b>", "#quot;a#quot; #38; #60;b#62;"),
            ("%%{init: {}}%%", "#37;#37;#123;init#58; #123;#125;#125;#37;#37;"),
            ("`code` *bold* _it_ #35;", "#96;code#96; #42;bold#42; #95;it#95; #35;35#59;"),
            ("1. first", "1#46; first"),
            ("- item 1.5", "#45; item 1.5"),
            ("line\nbreak\u{7}", "line break\u{fffd}"),
            ("übergröße 状態 🦀", "übergröße 状態 🦀"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn frames_are_subgraphs() {
        let node = |name: &str, cluster| Node {
            kind: NodeKind::State(StateType::Pass),
            name: name.into(),
            detail: String::new(),
            comment: None,
            cluster,
        };
        let cluster = |kind, name: &str, detail: &str, parent| Cluster {
            kind,
            name: name.into(),
            detail: detail.into(),
            parent,
        };
        let graph = Graph {
            nodes: vec![node("A", None), node("B", Some(0)), node("C", Some(1))],
            edges: vec![Edge { from: 0, to: 1, kind: EdgeKind::Catch, labels: vec!["catch E".into()] }],
            clusters: vec![
                cluster(StateType::Parallel, "Both", "", None),
                cluster(StateType::Map, "Each", "Map $.items", Some(0)),
            ],
            comment: None,
        };
        let expected = "\
flowchart TD
    subgraph c0[\"Both#58; Parallel\"]
        subgraph c1[\"Each#58; Map $.items\"]
            n2[\"C\"]:::pass
        end
        n1[\"B\"]:::pass
    end
    n0[\"A\"]:::pass
    n0 -.->|\"catch E\"| n1
    classDef pass stroke:#7d8998,stroke-width:2px
";
        assert_eq!(graph.to_mermaid(), expected);
    }
}
