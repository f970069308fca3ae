//! A report, boiled down: what tables and pages show.

use super::{Measured, Report, WorkloadInfo};
use crate::format::{count, plural, rate};
use crate::stats::{self, Ratio};
use crate::workload::Over;

/// What several trials of one workload on one target came to.
pub struct Cell<'r> {
    /// The target's name.
    pub target: &'r str,
    /// Its place in [`Report::targets`].
    pub index: usize,
    /// Each trial.
    pub trials: Vec<&'r Measured>,
    /// By which factor its throughput is that of the baseline; `None` of the
    /// baseline itself.
    pub ratio: Option<Ratio>,
    /// Whether the others are compared with this one.
    pub is_baseline: bool,
}

/// A target without figures, and why.
pub struct Lacking<'r> {
    /// The target's name.
    pub target: &'r str,
    /// Why there are none.
    pub why: &'r str,
    /// Whether it should have been able.
    pub failed: bool,
}

/// A workload with all its targets.
pub struct Group<'r> {
    /// The workload.
    pub workload: &'r WorkloadInfo,
    /// Targets with figures.
    pub cells: Vec<Cell<'r>>,
    /// Targets that were tried and have none, or not from all trials.
    pub lacking: Vec<Lacking<'r>>,
}

impl Cell<'_> {
    /// The values of one metric.
    pub fn values(&self, of: impl Fn(&Measured) -> f64) -> Vec<f64> {
        self.trials.iter().map(|trial| of(trial)).collect()
    }

    /// Their median.
    pub fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        stats::median(&self.values(of))
    }

    /// The median of what not every trial has.
    pub fn median_of(&self, of: impl Fn(&Measured) -> Option<u64>) -> Option<f64> {
        let values: Vec<f64> =
            self.trials.iter().filter_map(|trial| of(trial)).map(|v| v as f64).collect();
        (!values.is_empty()).then(|| stats::median(&values))
    }

    /// Which share of what arrived never began, in an open loop.
    pub fn unstarted_share(&self) -> f64 {
        let unstarted: u64 = self.trials.iter().map(|trial| trial.unstarted).sum();
        let all: u64 = self.trials.iter().map(|trial| trial.ops + trial.unstarted).sum();
        unstarted as f64 / all.max(1) as f64
    }
}

/// The workloads of a report that were tried, in its order.
pub fn groups(report: &Report) -> Vec<Group<'_>> {
    let tried = report
        .workloads
        .iter()
        .filter(|workload| report.trials.iter().any(|tried| tried.workload == workload.name));
    tried.map(|workload| group(report, workload)).collect()
}

fn group<'r>(report: &'r Report, workload: &'r WorkloadInfo) -> Group<'r> {
    let mut cells = Vec::new();
    let mut lacking = Vec::new();
    for (index, target) in report.targets.iter().enumerate() {
        let name = &target.name;
        let trials = report.measured(&workload.name, name);
        if let Some((why, failed)) = report.why_not(&workload.name, name) {
            lacking.push(Lacking { target: name, why, failed });
        }
        if !trials.is_empty() {
            cells.push(Cell { target: name, index, trials, ratio: None, is_baseline: false });
        }
    }
    let yardstick = cells.iter().position(|cell| report.targets[cell.index].yardstick);
    let baseline = yardstick.unwrap_or(0);
    if let Some(values) = cells.get(baseline).map(|cell| cell.values(|m| m.throughput)) {
        for (place, cell) in cells.iter_mut().enumerate() {
            cell.is_baseline = place == baseline;
            if !cell.is_baseline {
                cell.ratio = stats::ratio(&values, &cell.values(|m| m.throughput));
            }
        }
    }
    Group { workload, cells, lacking }
}

/// With what a workload was run, in one line.
pub fn parameters(workload: &WorkloadInfo) -> String {
    let p = &workload.parameters;
    let (things, workers) = match workload.over {
        Over::Records => ("record", "thread"),
        Over::Sqlite => ("row", "connection"),
    };
    let mut parts = vec![
        format!("{} of {} B", plural(p.records, things), count(p.value_bytes as u64)),
        plural(p.threads as u64, workers),
    ];
    match p.rate {
        Some(arrivals) => parts.push(format!("open loop, {} arrivals a second", rate(arrivals))),
        None => parts.push("closed loop".to_owned()),
    }
    match p.durable {
        Some(true) => parts.push("durable updates".to_owned()),
        Some(false) => parts.push("updates do not wait for the disk".to_owned()),
        None => {}
    }
    if let Some(depth) = p.depth {
        parts.push(format!("{} of history", plural(depth, "commit")));
    }
    parts.join(" · ")
}

/// On what it was measured, in one line.
pub fn machine(report: &Report) -> String {
    let m = &report.machine;
    let versions: Vec<String> =
        m.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "{}, {}, {} of memory · {} · {} · {}",
        m.cpu,
        plural(m.cores as u64, "core"),
        crate::format::bytes(m.memory_bytes as f64),
        m.kernel,
        m.filesystem,
        versions.join(", ")
    )
}

/// How it was measured, in one line.
pub fn method(report: &Report) -> String {
    let s = &report.settings;
    format!(
        "{} of {} s after {} s of warm-up, each in a process of its own; seed {}",
        plural(u64::from(s.repeat), "repetition"),
        s.seconds,
        s.warm_up_seconds,
        s.seed
    )
}
