//! Judges a history of list appends, as Elle does (Kingsbury and Alvaro,
//! VLDB 2020): the lists that were read tell the order of all writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::graph::{Cycle, Edge, Graph};
use super::history::{History, Key, Op, Outcome, Txn, Value};
use super::violation::{Anomaly, Report, Violation};

/// Checks that the transactions could have run one after the other.
///
/// # Errors
/// The first anomaly that was found, the worst kinds first.
pub fn check(history: &History) -> Result<Report, Violation> {
    judge(history, false)
}

/// Checks that the transactions could have run one after the other, each at
/// some moment between its start and its end: strict serializability.
///
/// # Errors
/// The first anomaly that was found, the worst kinds first.
pub fn check_strict(history: &History) -> Result<Report, Violation> {
    judge(history, true)
}

/// A read of a list, less what the reader itself had appended before.
struct External<'a> {
    txn: usize,
    key: Key,
    list: &'a [Value],
}

struct Facts<'a> {
    txns: &'a [Txn],
    /// Who appended a value.
    writers: HashMap<(Key, Value), usize>,
    /// The last value that a transaction appended to a key.
    last: HashMap<(usize, Key), Value>,
    reads: Vec<External<'a>>,
    /// Transactions that happened: committed, or unknown and seen.
    happened: Vec<bool>,
    /// The order of each key's values, as the longest read has it, and after
    /// them those that nobody read.
    order: BTreeMap<Key, (&'a [Value], Vec<Value>)>,
}

fn judge(history: &History, strict: bool) -> Result<Report, Violation> {
    let mut facts = Facts::gather(&history.txns)?;
    facts.check_reads()?;
    let graph = facts.graph(strict);
    if let Some((anomaly, cycle)) = graph.worst_cycle() {
        return Err(Violation::new(anomaly, facts.explain(&cycle)));
    }
    let ended = |outcome| history.txns.iter().filter(|txn| txn.outcome == outcome).count();
    Ok(Report {
        committed: ended(Outcome::Committed),
        aborted: ended(Outcome::Aborted),
        unknown: ended(Outcome::Unknown),
        contended: facts.contended(),
        ww: graph.count(Edge::Ww),
        wr: graph.count(Edge::Wr),
        rw: graph.count(Edge::Rw),
        real_time: graph.count(Edge::RealTime),
    })
}

impl<'a> Facts<'a> {
    fn gather(txns: &'a [Txn]) -> Result<Self, Violation> {
        let mut facts = Facts {
            txns,
            writers: HashMap::new(),
            last: HashMap::new(),
            reads: Vec::new(),
            happened: txns.iter().map(|txn| txn.outcome == Outcome::Committed).collect(),
            order: BTreeMap::new(),
        };
        for (i, txn) in txns.iter().enumerate() {
            facts.follow(i, txn)?;
        }
        for read in &facts.reads {
            for value in read.list {
                if let Some(&writer) = facts.writers.get(&(read.key, *value)) {
                    facts.happened[writer] |= txns[writer].outcome == Outcome::Unknown;
                }
            }
        }
        Ok(facts)
    }

    /// Goes through one transaction: its appends, its reads, and whether it
    /// agrees with itself.
    fn follow(&mut self, i: usize, txn: &'a Txn) -> Result<(), Violation> {
        // What the transaction appended to a key so far, and what it read there.
        let mut own: HashMap<Key, Vec<Value>> = HashMap::new();
        let mut seen: HashMap<Key, &[Value]> = HashMap::new();
        for op in &txn.ops {
            match op {
                Op::Append(key, value) => {
                    if self.writers.insert((*key, *value), i).is_some() {
                        let text = format!("{value} was appended to {key} twice");
                        return Err(Violation::new(Anomaly::Malformed, text));
                    }
                    own.entry(*key).or_default().push(*value);
                    self.last.insert((i, *key), *value);
                }
                Op::Read(key, list) => {
                    let mine = own.get(key).map_or(&[][..], Vec::as_slice);
                    let internal = || Violation::new(Anomaly::Internal, format!("{txn:?}"));
                    let external = list.strip_suffix(mine).ok_or_else(internal)?;
                    match seen.insert(*key, external) {
                        Some(before) if before != external => return Err(internal()),
                        Some(_) => {}
                        None => self.reads.push(External { txn: i, key: *key, list: external }),
                    }
                }
            }
        }
        Ok(())
    }

    /// Judges each read by itself, and finds the order of each key.
    fn check_reads(&mut self) -> Result<(), Violation> {
        let mut order: BTreeMap<Key, (&'a [Value], Vec<Value>)> = BTreeMap::new();
        for read in &self.reads {
            self.check_read(read)?;
            let (longest, _) = order.entry(read.key).or_default();
            let longer = read.list.len() > longest.len();
            let (short, long) = if longer { (*longest, read.list) } else { (read.list, *longest) };
            if !long.starts_with(short) {
                let text = format!("key {} was read as {short:?} and as {long:?}", read.key);
                return Err(Violation::new(Anomaly::IncompatibleOrder, text));
            }
            *longest = long;
        }
        for (&(key, value), &writer) in &self.writers {
            if self.happened[writer] {
                let (longest, unread) = order.entry(key).or_default();
                if !longest.contains(&value) {
                    unread.push(value);
                }
            }
        }
        self.order = order;
        Ok(())
    }

    fn check_read(&self, read: &External<'_>) -> Result<(), Violation> {
        let reader = &self.txns[read.txn];
        let found = |anomaly, value: Value| {
            let text = format!("{value} of key {} was read by {reader:?}", read.key);
            Err(Violation::new(anomaly, text))
        };
        let mut once = BTreeSet::new();
        for &value in read.list {
            if !once.insert(value) {
                return found(Anomaly::Duplicate, value);
            }
            match self.writers.get(&(read.key, value)) {
                None => return found(Anomaly::Garbage, value),
                Some(&writer) if self.txns[writer].outcome == Outcome::Aborted => {
                    return found(Anomaly::G1a, value);
                }
                Some(_) => {}
            }
        }
        if let Some(&value) = read.list.last() {
            let writer = self.writers[&(read.key, value)];
            if writer != read.txn && self.last[&(writer, read.key)] != value {
                return found(Anomaly::G1b, value);
            }
        }
        Ok(())
    }

    fn graph(&self, strict: bool) -> Graph {
        let mut graph = Graph::new(self.txns.len());
        for (&key, (longest, unread)) in &self.order {
            let writer = |value: &Value| self.writers[&(key, *value)];
            for pair in longest.windows(2) {
                graph.add(writer(&pair[0]), writer(&pair[1]), Edge::Ww);
            }
            // What nobody read comes after all that was read.
            if let Some(last) = longest.last() {
                unread.iter().for_each(|value| graph.add(writer(last), writer(value), Edge::Ww));
            }
        }
        for read in self.reads.iter().filter(|read| self.happened[read.txn]) {
            let (longest, unread) = &self.order[&read.key];
            let writer = |value: &Value| self.writers[&(read.key, *value)];
            if let Some(value) = read.list.last() {
                graph.add(writer(value), read.txn, Edge::Wr);
            }
            match longest.get(read.list.len()) {
                Some(next) => graph.add(read.txn, writer(next), Edge::Rw),
                None => unread.iter().for_each(|next| graph.add(read.txn, writer(next), Edge::Rw)),
            }
        }
        if strict {
            self.real_time(&mut graph);
        }
        graph
    }

    /// Edges from what ended to what began afterwards, less those that follow
    /// from others.
    fn real_time(&self, graph: &mut Graph) {
        let there: Vec<usize> = (0..self.txns.len()).filter(|&i| self.happened[i]).collect();
        let mut by_end = there.clone();
        by_end.sort_by_key(|&i| self.txns[i].end);
        for &later in &there {
            let start = self.txns[later].start;
            let ended = by_end.partition_point(|&i| self.txns[i].end < start);
            let mut newest_start = 0;
            for &earlier in by_end[..ended].iter().rev() {
                // Whatever ended before another of them began, is before that.
                if self.txns[earlier].end < newest_start {
                    break;
                }
                newest_start = newest_start.max(self.txns[earlier].start);
                graph.add(earlier, later, Edge::RealTime);
            }
        }
    }

    fn explain(&self, cycle: &Cycle) -> String {
        let step = |(i, edge): &(usize, Edge)| format!("{:?}\n  -{edge:?}->", self.txns[*i]);
        cycle.iter().map(step).collect::<Vec<_>>().join("\n") + "\nthe first again"
    }

    fn contended(&self) -> usize {
        let mut touching: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (i, txn) in self.txns.iter().enumerate() {
            let keys: BTreeSet<Key> = txn
                .ops
                .iter()
                .map(|op| match op {
                    Op::Read(key, _) | Op::Append(key, _) => *key,
                })
                .collect();
            keys.into_iter().for_each(|key| touching.entry(key).or_default().push(i));
        }
        let mut contended = BTreeSet::new();
        for indices in touching.values_mut() {
            indices.sort_by_key(|&i| self.txns[i].start);
            // Of what began earlier, the one that lasted longest.
            let mut longest: Option<usize> = None;
            for &i in indices.iter() {
                if let Some(before) = longest.filter(|&b| self.txns[b].end > self.txns[i].start) {
                    contended.extend([before, i]);
                }
                if longest.is_none_or(|b| self.txns[b].end < self.txns[i].end) {
                    longest = Some(i);
                }
            }
        }
        contended.into_iter().filter(|&i| self.txns[i].outcome == Outcome::Committed).count()
    }
}
