//! What transactions did and when, as their clients saw it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a list.
pub type Key = u64;
/// Something appended to a list; no two appends to one key have the same.
pub type Value = u64;
/// A moment of the [`Recorder`]'s clock.
pub type Tick = u64;

/// One step of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Read the whole list of a key.
    Read(Key, Vec<Value>),
    /// Appended a value to the list of a key.
    Append(Key, Value),
}

/// What the client was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was committed.
    Committed,
    /// It was not committed, and never will be.
    Aborted,
    /// Nobody told: it may be committed or not.
    Unknown,
}

/// One transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Txn {
    /// Who ran it.
    pub process: u32,
    /// When it began.
    pub start: Tick,
    /// When its outcome was known.
    pub end: Tick,
    /// What it did, in this order. Reads see the transaction's own appends.
    pub ops: Vec<Op>,
    /// How it ended.
    pub outcome: Outcome,
}

/// All transactions of a run, in any order.
#[derive(Clone, Default, Debug)]
pub struct History {
    /// The transactions.
    pub txns: Vec<Txn>,
}

/// Collects a [`History`] from many threads.
#[derive(Default, Debug)]
pub struct Recorder {
    clock: AtomicU64,
    txns: Mutex<Vec<Txn>>,
}

impl Recorder {
    /// A recorder without transactions.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next moment. Whoever sees a higher one came later.
    pub fn tick(&self) -> Tick {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Begins a transaction: call it before the first read.
    pub fn begin(&self, process: u32) -> Recording<'_> {
        let txn = Txn {
            process,
            start: self.tick(),
            end: Tick::MAX,
            ops: Vec::new(),
            outcome: Outcome::Unknown,
        };
        Recording { recorder: self, txn }
    }

    /// All that was recorded.
    pub fn into_history(self) -> History {
        History { txns: self.txns.into_inner().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// A transaction that is being recorded. Dropped without an end, as when its
/// thread panics, it is not recorded at all.
#[derive(Debug)]
#[must_use = "record its end"]
pub struct Recording<'a> {
    recorder: &'a Recorder,
    txn: Txn,
}

impl Recording<'_> {
    /// It read a list.
    pub fn read(&mut self, key: Key, list: impl Into<Vec<Value>>) {
        self.txn.ops.push(Op::Read(key, list.into()));
    }

    /// It appended a value.
    pub fn append(&mut self, key: Key, value: Value) {
        self.txn.ops.push(Op::Append(key, value));
    }

    /// It ended: call it after the answer came. A transaction whose outcome is
    /// unknown may take effect at any later time.
    pub fn end(mut self, outcome: Outcome) {
        if outcome != Outcome::Unknown {
            self.txn.end = self.recorder.tick();
        }
        self.txn.outcome = outcome;
        let mut txns = self.recorder.txns.lock().unwrap_or_else(PoisonError::into_inner);
        txns.push(self.txn);
    }
}
