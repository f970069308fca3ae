//! What a checker can find, and what it says when it finds nothing.

use std::fmt;

/// The kinds of anomalies, named as by Adya and by Elle where they have a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Anomaly {
    /// The history itself is impossible to judge: a value appended twice.
    Malformed,
    /// Too little happened for the run to say anything.
    Inconclusive,
    /// A transaction does not see its own writes, or not the same twice.
    Internal,
    /// A read of something that nobody ever wrote.
    Garbage,
    /// A list that has a value twice.
    Duplicate,
    /// Two reads that are no prefixes of each other: an update was lost.
    IncompatibleOrder,
    /// A read of what an aborted transaction wrote.
    G1a,
    /// A read of what a transaction wrote before it wrote something else.
    G1b,
    /// A cycle of writes that follow each other.
    G0,
    /// A cycle of writes and of reads of what was written.
    G1c,
    /// A cycle with one anti-dependency: a lost update, a fractured or a stale read.
    GSingle,
    /// A cycle with several anti-dependencies: write skew.
    G2,
    /// Money that was made or lost.
    Sum,
    /// A transaction whose reads are not what was there when it was committed.
    NotSerial,
    /// An answer and the log that do not agree.
    Log,
    /// The same commit id that was answered in two ways.
    Repetition,
}

/// A run that no right store gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// What it is.
    pub anomaly: Anomaly,
    /// Which transactions, keys and values show it.
    pub evidence: String,
}

impl Violation {
    /// A violation with its evidence.
    pub fn new(anomaly: Anomaly, evidence: impl Into<String>) -> Self {
        Violation { anomaly, evidence: evidence.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.anomaly, self.evidence)
    }
}

impl std::error::Error for Violation {}

/// How much a run that showed no violation says.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Report {
    /// Transactions that were committed.
    pub committed: usize,
    /// Transactions that were aborted.
    pub aborted: usize,
    /// Transactions of which nobody knows.
    pub unknown: usize,
    /// Committed transactions that were under way while another one was that
    /// touched a key in common.
    pub contended: usize,
    /// Edges of the dependency graph: write after write.
    pub ww: usize,
    /// Read of what was written.
    pub wr: usize,
    /// Write after it was read.
    pub rw: usize,
    /// One ended before the other began.
    pub real_time: usize,
}
