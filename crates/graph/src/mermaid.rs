//! The graph as a Mermaid flowchart.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::model::{EdgeKind, Graph, Node, NodeKind, StateType};

impl Graph {
    /// The graph as Mermaid `flowchart` text, with all names escaped; renders on GitHub and in Mermaid 10 and later.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        for cluster in self.roots() {
            self.write_cluster(&mut out, cluster, 1);
        }
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.cluster.is_none()) {
            write_node(&mut out, index, node, 1);
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

    fn roots(&self) -> impl Iterator<Item = usize> + '_ {
        self.clusters
            .iter()
            .enumerate()
            .filter(|(_, cluster)| cluster.parent.is_none())
            .map(|(index, _)| index)
    }

    fn write_cluster(&self, out: &mut String, index: usize, depth: usize) {
        /// More than any definition nests; ends a chain of parents that is no tree.
        const DEPTH_MAX: usize = 100;
        let Some(cluster) = self.clusters.get(index).filter(|_| depth < DEPTH_MAX) else { return };
        line(out, depth, &format!("subgraph c{index}[\"{}\"]", escape(&cluster.name)));
        for (inner, _) in self.clusters.iter().enumerate().filter(|(_, inner)| inner.parent == Some(index)) {
            self.write_cluster(out, inner, depth + 1);
        }
        for (node_index, node) in
            self.nodes.iter().enumerate().filter(|(_, node)| node.cluster == Some(index))
        {
            write_node(out, node_index, node, depth + 1);
        }
        line(out, depth, "end");
    }
}

fn write_node(out: &mut String, index: usize, node: &Node, depth: usize) {
    let (open, close) = match node.kind {
        NodeKind::Start | NodeKind::End => ("((", "))"),
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
        let cluster = |name: &str, parent| Cluster { name: name.into(), parent };
        let graph = Graph {
            nodes: vec![node("A", None), node("B", Some(0)), node("C", Some(1))],
            edges: vec![Edge { from: 0, to: 1, kind: EdgeKind::Catch, labels: vec!["catch E".into()] }],
            clusters: vec![cluster("Both", None), cluster("Branch 1", Some(0))],
            comment: None,
        };
        let expected = "\
flowchart TD
    subgraph c0[\"Both\"]
        subgraph c1[\"Branch 1\"]
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
