//! Two reports, and what changed between them beyond noise.

use std::collections::BTreeSet;

use hozo::traits::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::report::{Measured, Report, WorkloadInfo};
use crate::stats::{self, Ratio};

#[cfg(test)]
mod tests;

/// Something that is compared.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Whether more of it is better.
    pub more_is_better: bool,
    of: fn(&Measured) -> Option<f64>,
}

/// All that is compared.
pub const METRICS: [Metric; 6] = [
    Metric { name: "throughput", more_is_better: true, of: |m| Some(m.throughput) },
    Metric { name: "p50", more_is_better: false, of: |m| Some(m.latency.all.p50_ns as f64) },
    Metric { name: "p99", more_is_better: false, of: |m| Some(m.latency.all.p99_ns as f64) },
    Metric { name: "CPU per op", more_is_better: false, of: |m| Some(m.cpu_ns_per_op) },
    Metric { name: "disk", more_is_better: false, of: |m| m.disk_bytes.map(|b| b as f64) },
    Metric { name: "peak memory", more_is_better: false, of: |m| m.peak_bytes.map(|b| b as f64) },
];

/// What comparing said about one metric of a workload on a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Surely better.
    Better,
    /// Surely worse.
    Worse,
    /// No difference beyond noise.
    Same,
    /// Too few repetitions to say.
    TooFew,
}

/// One row of a comparison.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Compared {
    /// The workload.
    pub workload: String,
    /// The target.
    pub target: String,
    /// What is compared.
    pub metric: &'static str,
    /// The medians of both.
    pub medians: (f64, f64),
    /// By which factor the second is the first.
    pub ratio: f64,
    /// Where that factor surely is; `None` with too few repetitions.
    pub interval: Option<(f64, f64)>,
    /// What that means.
    pub verdict: Verdict,
}

impl Compared {
    /// By how many percent it is surely worse, at least; 0 unless it is worse.
    pub fn worse_percent(&self) -> f64 {
        let Some((low, high)) = self.interval else { return 0.0 };
        match self.verdict {
            Verdict::Worse if low > 1.0 => (low - 1.0) * 100.0,
            Verdict::Worse => (1.0 - high) * 100.0,
            _ => 0.0,
        }
    }

    /// The change in percent, of the estimate.
    pub fn change_percent(&self) -> f64 {
        (self.ratio - 1.0) * 100.0
    }
}

/// A comparison of two reports.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// All that both have.
    pub rows: Vec<Compared>,
    /// What the reader should know besides.
    pub remarks: Vec<String>,
}

impl Comparison {
    /// Compares `b` with `a`.
    pub fn of(a: &Report, b: &Report) -> Result<Self> {
        let workloads = common(a, b)?;
        let mut remarks = Vec::new();
        let differ = a.machine.differences(&b.machine);
        if !differ.is_empty() {
            remarks.push(format!(
                "the machines differ, so differences need not be the code's ({})",
                differ.join("; ")
            ));
        }
        let mut rows = Vec::new();
        let mut lacking = BTreeSet::new();
        for workload in &workloads {
            for target in &a.targets {
                let [old, new] = [a, b].map(|r| r.measured(workload, &target.name));
                match (old.is_empty(), new.is_empty()) {
                    (true, true) => {}
                    (false, false) => rows.extend(compare(workload, &target.name, &old, &new)),
                    (first, _) => {
                        let which = if first { "second" } else { "first" };
                        lacking.insert(format!(
                            "only the {which} report has {workload} on {}",
                            target.name
                        ));
                    }
                }
            }
        }
        if rows.is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the reports have no target in common that was measured in both",
            )
            .with("the first has", names(a.targets.iter().map(|t| &*t.name)))
            .with("the second has", names(b.targets.iter().map(|t| &*t.name))));
        }
        remarks.extend(only_one(a, b));
        remarks.extend(lacking);
        if rows.iter().any(|row| row.verdict == Verdict::TooFew) {
            remarks.push(format!(
                "with fewer than {} repetitions on both sides nothing is certain; \
                 measure with --repeat {0} or more",
                stats::repetitions_needed()
            ));
        }
        Ok(Comparison { rows, remarks })
    }

    /// The rows that are surely worse by more than so many percent.
    pub fn failures(&self, percent: f64) -> impl Iterator<Item = &Compared> {
        self.rows.iter().filter(move |row| row.worse_percent() > percent)
    }
}

/// The names of the workloads of both; an error if there are none, or if one
/// was run with other parameters.
fn common(a: &Report, b: &Report) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for first in &a.workloads {
        let Some(second) = b.workloads.iter().find(|w| w.name == first.name) else { continue };
        if let Some(what) = mismatch(first, second) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("the reports cannot be compared: {} was run with {what}", first.name),
            ));
        }
        found.push(first.name.clone());
    }
    if found.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "the reports have no workload in common")
            .with("the first has", names(a.workloads.iter().map(|w| &*w.name)))
            .with("the second has", names(b.workloads.iter().map(|w| &*w.name))));
    }
    Ok(found)
}

/// The first parameter in which two runs of a workload differ.
fn mismatch(a: &WorkloadInfo, b: &WorkloadInfo) -> Option<String> {
    let (a, b) = (&a.parameters, &b.parameters);
    let rate = |rate: Option<f64>| match rate {
        Some(rate) => format!("{rate} operations a second"),
        None => "as many operations as go (no rate)".to_owned(),
    };
    let durable = |durable: Option<bool>| match durable {
        Some(true) => "durable updates".to_owned(),
        _ => "updates that do not wait for the disk".to_owned(),
    };
    let depth = |depth: Option<u64>| format!("a depth of {}", depth.unwrap_or_default());
    let pairs = [
        (a.records != b.records, format!("{} records", a.records), format!("{}", b.records)),
        (
            a.value_bytes != b.value_bytes,
            format!("values of {} bytes", a.value_bytes),
            format!("of {}", b.value_bytes),
        ),
        (a.threads != b.threads, format!("{} threads", a.threads), format!("{}", b.threads)),
        (a.rate != b.rate, rate(a.rate), rate(b.rate)),
        (a.durable != b.durable, durable(a.durable), durable(b.durable)),
        (a.depth != b.depth, depth(a.depth), depth(b.depth)),
    ];
    let differs = pairs.into_iter().find(|(differs, ..)| *differs);
    differs.map(|(_, a, b)| format!("{a} in the first and {b} in the second"))
}

/// What only one of the two has.
fn only_one(a: &Report, b: &Report) -> Vec<String> {
    let workloads = |r: &Report| r.workloads.iter().map(|w| w.name.clone()).collect();
    let targets = |r: &Report| r.targets.iter().map(|t| t.name.clone()).collect();
    let mut remarks = Vec::new();
    let mut tell = |a: BTreeSet<String>, b: BTreeSet<String>| {
        for (which, only) in [("first", &a - &b), ("second", &b - &a)] {
            if !only.is_empty() {
                let only = names(only.iter().map(|name| &**name));
                remarks.push(format!("only the {which} report has {only}"));
            }
        }
    };
    tell(workloads(a), workloads(b));
    tell(targets(a), targets(b));
    remarks
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn compare(workload: &str, target: &str, a: &[&Measured], b: &[&Measured]) -> Vec<Compared> {
    let metrics = METRICS.iter().filter_map(|metric| {
        let values = |m: &[&Measured]| m.iter().filter_map(|m| (metric.of)(m)).collect::<Vec<_>>();
        let (a, b) = (values(a), values(b));
        let ratio = stats::ratio(&a, &b)?;
        Some(Compared {
            workload: workload.to_owned(),
            target: target.to_owned(),
            metric: metric.name,
            medians: (stats::median(&a), stats::median(&b)),
            ratio: ratio.estimate,
            interval: ratio.interval,
            verdict: verdict(metric, &ratio),
        })
    });
    metrics.collect()
}

fn verdict(metric: &Metric, ratio: &Ratio) -> Verdict {
    match (ratio.interval, ratio.is_certain()) {
        (None, _) => Verdict::TooFew,
        (_, false) => Verdict::Same,
        (_, true) if (ratio.estimate > 1.0) == metric.more_is_better => Verdict::Better,
        (_, true) => Verdict::Worse,
    }
}
