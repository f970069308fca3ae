//! Latencies: recorded in HDR histograms, told as quantiles.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest latency that is told apart; longer ones count as this.
const NANOS_MAX: u64 = 3_600_000_000_000;
/// Three significant digits: a value is within 0.1 % of what was measured.
const DIGITS: u8 = 3;

/// What an operation was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// A record or row was read.
    Read,
    /// A record or row was overwritten.
    Update,
    /// A record was added.
    Insert,
    /// Several records or rows were read in order.
    Scan,
    /// A record was read and overwritten, as one.
    ReadModifyWrite,
    /// Many rows were added in one transaction.
    Load,
}

/// Latencies by operation.
#[derive(Default)]
pub struct Recorder {
    by_op: BTreeMap<Op, Histogram<u64>>,
}

impl Recorder {
    /// Adds one.
    pub fn record(&mut self, op: Op, nanos: u64) {
        self.by_op.entry(op).or_insert_with(empty).saturating_record(nanos.max(1));
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Recorder) {
        for (op, histogram) in &other.by_op {
            let own = self.by_op.entry(*op).or_insert_with(empty);
            own.add(histogram).expect("all histograms have the same bounds");
        }
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.by_op.values().map(|histogram| histogram.len()).sum()
    }

    /// The first kind that was recorded, for operations of which it is not
    /// known what they would have been.
    pub fn first_op(&self) -> Op {
        self.by_op.keys().next().copied().unwrap_or(Op::Read)
    }

    /// All of them together, and each operation by itself.
    pub fn latency(&self) -> Latency {
        let mut all = empty();
        for histogram in self.by_op.values() {
            all.add(histogram).expect("all histograms have the same bounds");
        }
        Latency {
            all: Quantiles::of(&all),
            by_op: self.by_op.iter().map(|(op, of)| (*op, Quantiles::of(of))).collect(),
            curve: curve(&all),
        }
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, NANOS_MAX, DIGITS).expect("the bounds are right")
}

/// The values at [`QUANTILES`], in one pass.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let mut points = Vec::with_capacity(QUANTILES.len());
    let mut wanted = QUANTILES.iter().copied().peekable();
    let mut seen = 0;
    for value in histogram.iter_recorded() {
        seen += value.count_at_value();
        let reaches = |q: &f64| (q * histogram.len() as f64).ceil() as u64 <= seen;
        while let Some(quantile) = wanted.next_if(reaches) {
            points.push((quantile, value.value_iterated_to()));
        }
    }
    points
}

/// Latencies of one run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// Of all operations.
    pub all: Quantiles,
    /// Of each kind of operation.
    pub by_op: BTreeMap<Op, Quantiles>,
    /// Of all operations: so many, as a fraction, took so many nanoseconds at
    /// most.
    pub curve: Vec<(f64, u64)>,
}

/// The usual quantiles, in nanoseconds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many operations.
    pub count: u64,
    /// Their mean.
    pub mean_ns: f64,
    /// Half of them took this at most.
    pub p50_ns: u64,
    /// Nine of ten.
    pub p90_ns: u64,
    /// 99 of 100.
    pub p99_ns: u64,
    /// 999 of 1,000.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        Quantiles {
            count: histogram.len(),
            mean_ns: histogram.mean(),
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        }
    }
}

/// The points of [`Latency::curve`]: dense where most operations are, and on
/// towards the slowest.
pub const QUANTILES: [f64; 48] = [
    0.0, 0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55,
    0.6, 0.65, 0.7, 0.75, 0.8, 0.825, 0.85, 0.875, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985,
    0.99, 0.992, 0.994, 0.996, 0.998, 0.999, 0.9992, 0.9995, 0.9998, 0.9999, 0.999_95, 0.999_98,
    0.999_99, 0.999_995, 0.999_999, 1.0,
];
