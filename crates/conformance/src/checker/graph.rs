//! Dependency graphs and their cycles.

use std::collections::VecDeque;

use super::violation::Anomaly;

/// Why one transaction comes before another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Edge {
    /// Wrote the version before.
    Ww,
    /// Wrote what the other read.
    Wr,
    /// Read what the other replaced.
    Rw,
    /// Ended before the other began.
    RealTime,
}

/// A graph over transactions 0..n.
pub(super) struct Graph {
    edges: Vec<Vec<(usize, Edge)>>,
}

/// A cycle: each transaction and the edge that leads from it to the next, the
/// last to the first.
pub(super) type Cycle = Vec<(usize, Edge)>;

impl Graph {
    pub(super) fn new(transactions: usize) -> Self {
        Graph { edges: vec![Vec::new(); transactions] }
    }

    pub(super) fn add(&mut self, from: usize, to: usize, edge: Edge) {
        if from != to && !self.edges[from].contains(&(to, edge)) {
            self.edges[from].push((to, edge));
        }
    }

    pub(super) fn count(&self, edge: Edge) -> usize {
        self.edges.iter().flatten().filter(|(_, e)| *e == edge).count()
    }

    /// The worst cycle: one of the first class of anomalies that has any.
    pub(super) fn worst_cycle(&self) -> Option<(Anomaly, Cycle)> {
        use Edge::{RealTime, Rw, Wr, Ww};
        let writes = |edge| matches!(edge, Ww | RealTime);
        if let Some(cycle) = self.cycle(writes) {
            return Some((Anomaly::G0, cycle));
        }
        let dependencies = |edge| matches!(edge, Ww | Wr | RealTime);
        if let Some(cycle) = self.cycle(dependencies) {
            return Some((Anomaly::G1c, cycle));
        }
        // Without cycles of dependencies, every cycle has an anti-dependency.
        let within = self.components(|_| true);
        for (from, edges) in self.edges.iter().enumerate() {
            for &(to, edge) in
                edges.iter().filter(|(to, e)| *e == Rw && within[from] == within[*to])
            {
                if let Some(mut cycle) = self.path(to, from, dependencies) {
                    cycle.insert(0, (from, edge));
                    return Some((Anomaly::GSingle, cycle));
                }
            }
        }
        self.cycle(|_| true).map(|cycle| (Anomaly::G2, cycle))
    }

    /// A shortest cycle over the edges that are `allowed`, of some component.
    fn cycle(&self, allowed: impl Fn(Edge) -> bool + Copy) -> Option<Cycle> {
        let component = self.components(allowed);
        for (from, edges) in self.edges.iter().enumerate() {
            for &(to, edge) in edges.iter().filter(|(_, e)| allowed(*e)) {
                if component[from] == component[to] {
                    let mut cycle = self.path(to, from, allowed)?;
                    cycle.insert(0, (from, edge));
                    return Some(cycle);
                }
            }
        }
        None
    }

    /// A shortest path, as the edges from each of its nodes but the last.
    fn path(&self, from: usize, to: usize, allowed: impl Fn(Edge) -> bool) -> Option<Cycle> {
        let mut came: Vec<Option<(usize, Edge)>> = vec![None; self.edges.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let mut path = Vec::new();
                let mut at = to;
                while at != from {
                    let (before, edge) = came[at]?;
                    path.push((before, edge));
                    at = before;
                }
                path.reverse();
                return Some(path);
            }
            for &(next, edge) in self.edges[node].iter().filter(|(_, e)| allowed(*e)) {
                if next != from && came[next].is_none() {
                    came[next] = Some((node, edge));
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// The strongly connected component of each node (Tarjan, without recursion).
    fn components(&self, allowed: impl Fn(Edge) -> bool) -> Vec<usize> {
        const NONE: usize = usize::MAX;
        let n = self.edges.len();
        let (mut index, mut low) = (vec![NONE; n], vec![NONE; n]);
        let (mut component, mut components, mut clock) = (vec![NONE; n], 0, 0);
        let mut stack = Vec::new();
        for root in 0..n {
            if index[root] != NONE {
                continue;
            }
            // Each frame is a node and which of its edges comes next.
            let mut frames = vec![(root, 0)];
            while let Some((node, next)) = frames.last_mut() {
                let node = *node;
                if *next == 0 {
                    (index[node], low[node]) = (clock, clock);
                    clock += 1;
                    stack.push(node);
                }
                let found = self.edges[node][*next..].iter().position(|(to, e)| {
                    // Nodes that are done have their component already.
                    allowed(*e) && component[*to] == NONE && *to != node
                });
                if let Some(skip) = found {
                    let to = self.edges[node][*next + skip].0;
                    *next += skip + 1;
                    if index[to] == NONE {
                        frames.push((to, 0));
                    } else {
                        low[node] = low[node].min(index[to]);
                    }
                    continue;
                }
                frames.pop();
                if let Some((parent, _)) = frames.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
                if low[node] == index[node] {
                    while let Some(member) = stack.pop() {
                        component[member] = components;
                        if member == node {
                            break;
                        }
                    }
                    components += 1;
                }
            }
        }
        component
    }
}
