//! The row of each box when every arrow that closes no loop points down.

use super::flat::Flat;

/// Rows, counted from the top, and which arrows point up.
pub(super) struct Ranks {
    pub(super) row_of: Vec<usize>,
    /// For each edge whether it closes a loop.
    pub(super) back: Vec<bool>,
}

impl Ranks {
    pub(super) fn of(flat: &Flat) -> Ranks {
        let back = back_edges(flat);
        let row_of = rows(flat, &back);
        Ranks { row_of, back }
    }

    /// For each edge how many rows it passes.
    pub(super) fn spans<'a>(&'a self, flat: &'a Flat) -> impl Iterator<Item = usize> + 'a {
        flat.edges.iter().map(|edge| self.row_of[edge.from].abs_diff(self.row_of[edge.to]))
    }
}

fn outgoing(flat: &Flat) -> Vec<Vec<usize>> {
    let mut outgoing = vec![Vec::new(); flat.boxes.len()];
    for (index, edge) in flat.edges.iter().enumerate() {
        outgoing[edge.from].push(index);
    }
    outgoing
}

/// Edges that lead to a box on the way to themselves, in a depth-first walk from the first box.
fn back_edges(flat: &Flat) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnTheWay,
        Done,
    }
    let outgoing = outgoing(flat);
    let mut marks = vec![Mark::New; flat.boxes.len()];
    let mut back = vec![false; flat.edges.len()];
    for root in 0..flat.boxes.len() {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::OnTheWay;
        let mut way = vec![(root, 0)];
        while let Some((node, position)) = way.last_mut() {
            let Some(&edge) = outgoing[*node].get(*position) else {
                marks[*node] = Mark::Done;
                way.pop();
                continue;
            };
            *position += 1;
            let to = flat.edges[edge].to;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::OnTheWay;
                    way.push((to, 0));
                }
                Mark::OnTheWay => back[edge] = true,
                Mark::Done => {}
            }
        }
    }
    back
}

/// The longest way to each box along edges that point down.
fn rows(flat: &Flat, back: &[bool]) -> Vec<usize> {
    let outgoing = outgoing(flat);
    let mut waits_for = vec![0_usize; flat.boxes.len()];
    for (edge, back) in flat.edges.iter().zip(back) {
        if !back {
            waits_for[edge.to] += 1;
        }
    }
    let mut rows = vec![0; flat.boxes.len()];
    let mut ready: Vec<usize> = (0..flat.boxes.len()).filter(|node| waits_for[*node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &index in &outgoing[node] {
            if back[index] {
                continue;
            }
            let to = flat.edges[index].to;
            rows[to] = rows[to].max(rows[node] + 1);
            waits_for[to] -= 1;
            if waits_for[to] == 0 {
                ready.push(to);
            }
        }
    }
    rows
}
