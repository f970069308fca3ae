//! A report as tables for a terminal.

use std::fmt::Write as _;

use super::case::{Case, Mode, Workload};
use super::report::{Measured, Report};
use crate::format::{count, nanos, plural, rate, ratio};
use crate::report::table::{Column, Paint, write_columns};
use crate::stats::{median, range};

mod lag;
#[cfg(test)]
mod tests;

/// The whole report; with `color`, ratios are green or red.
pub fn table(report: &Report, color: bool) -> String {
    let mut text = String::new();
    for cases in report.cases.chunk_by(same_table) {
        write_group(&mut text, report, cases, color);
        text.push('\n');
    }
    for line in notes(report) {
        let _ = writeln!(text, "{}", Paint::Dim.on(&line, color));
    }
    text
}

/// Cases that differ in the number of connections only.
fn same_table(a: &Case, b: &Case) -> bool {
    Case { connections: 0, ..*a } == Case { connections: 0, ..*b }
}

/// One line of a table.
struct Row<'r> {
    case: &'r Case,
    target: &'r str,
    trials: Vec<(u32, &'r Measured)>,
    baseline: Vec<(u32, &'r Measured)>,
}

fn write_group(text: &mut String, report: &Report, cases: &[Case], color: bool) {
    let _ = writeln!(text, "{}\n", Paint::Bold.on(&title(&cases[0]), color));
    let mut rows = Vec::new();
    let mut remarks = Vec::new();
    for case in cases {
        for target in &report.targets {
            let trials = report.measured(case, &target.name);
            if let Some(why) = report.why_not(case, &target.name) {
                let who = format!("{} with {}", target.name, connections(case));
                remarks.push(format!("{who} failed: {why}"));
            }
            if trials.is_empty() {
                continue;
            }
            let baseline = target.against.as_deref();
            let baseline = baseline.map(|baseline| report.measured(case, baseline));
            let row =
                Row { case, target: &target.name, trials, baseline: baseline.unwrap_or_default() };
            remarks.extend(row.remarks());
            rows.push(row);
        }
    }
    if !rows.is_empty() {
        write_columns(text, &columns(report, &rows), color);
    }
    for remark in remarks {
        let _ = writeln!(text, "  {}", Paint::Bad.on(&remark, color));
    }
}

/// What the cases of a table have in common.
fn title(case: &Case) -> String {
    let size = match case.workload {
        Workload::Increment => String::new(),
        Workload::Echo => format!(" of {}", plural(case.value_bytes as u64, "byte")),
        _ => format!(", values of {}", plural(case.value_bytes as u64, "byte")),
    };
    let way = match case.mode {
        Mode::Unary => "unary",
        Mode::Stream => "stream",
    };
    let under_way = match case.pipeline {
        1 => "one request at a time".to_owned(),
        n => format!("up to {n} requests at a time"),
    };
    format!("{}{size} · {way} · {under_way} on each connection", case.workload)
}

fn connections(case: &Case) -> String {
    plural(case.connections as u64, "connection")
}

impl Row<'_> {
    fn values(&self, of: impl Fn(&Measured) -> f64) -> Vec<f64> {
        self.trials.iter().map(|(_, trial)| of(trial)).collect()
    }

    fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        median(&self.values(of))
    }

    /// By which factor a figure is the baseline's, in each round that both have.
    fn ratios(&self, of: impl Fn(&Measured) -> Option<f64>) -> Vec<f64> {
        let pairs = self.trials.iter().filter_map(|(round, own)| {
            let (_, other) = self.baseline.iter().find(|(other, _)| other == round)?;
            of(own).zip(of(other))
        });
        pairs.filter(|(_, other)| *other > 0.0).map(|(own, other)| own / other).collect()
    }

    fn errors(&self) -> u64 {
        self.trials.iter().flat_map(|(_, trial)| &trial.errors).map(|error| error.count).sum()
    }

    /// What a figure alone would not say.
    fn remarks(&self) -> Vec<String> {
        let who = format!("{} with {}", self.target, connections(self.case));
        let mut remarks = Vec::new();
        for (round, trial) in &self.trials {
            for error in &trial.errors {
                let what = match &*error.example {
                    "" => error.kind.clone(),
                    example => format!("{}, such as: {example}", error.kind),
                };
                let round = round + 1;
                remarks.push(format!("{who}, round {round}: {} × {what}", count(error.count)));
            }
        }
        let unstarted: u64 = self.trials.iter().map(|(_, trial)| trial.unstarted).sum();
        if unstarted > 0 {
            let unstarted = plural(unstarted, "request");
            remarks.push(format!("{who} could not keep up: {unstarted} arrived and never began"));
        }
        remarks
    }
}

fn columns(report: &Report, rows: &[Row<'_>]) -> Vec<Column> {
    let column = |head, of: &dyn Fn(&Row<'_>) -> (String, Paint)| Column {
        head,
        left: false,
        cells: rows.iter().map(of).collect(),
    };
    let plain =
        |head, of: &dyn Fn(&Row<'_>) -> String| column(head, &|row| (of(row), Paint::Plain));
    let time = |nanos_of: Option<f64>| nanos_of.map_or_else(|| "–".to_owned(), nanos);
    let compared = report.targets.iter().any(|target| target.against.is_some());
    let mut columns = vec![
        plain("connections", &|row| row.case.connections.to_string()),
        Column { left: true, ..column("server", &|row| (row.target.to_owned(), Paint::Bold)) },
        plain("ops/s", &|row| rate(row.median(|m| m.throughput))),
        plain("±", &|row| spread(&row.values(|m| m.throughput))),
    ];
    if compared {
        columns.push(column("ratio (min–max)", &|row| {
            ratio_of(&row.ratios(|m| Some(m.throughput)), true)
        }));
    }
    columns.extend([
        plain("p50", &|row| nanos(row.median(|m| m.latency.all.p50_ns as f64))),
        plain("p99", &|row| nanos(row.median(|m| m.latency.all.p99_ns as f64))),
        plain("p99.9", &|row| nanos(row.median(|m| m.latency.all.p999_ns as f64))),
        plain("server CPU/op", &|row| {
            let known = row.trials.iter().all(|(_, trial)| trial.server_cpu_ns.is_some());
            time(known.then(|| row.median(|m| m.server_cpu_ns.unwrap_or_default())))
        }),
    ]);
    if compared {
        columns.push(column("ratio (min–max)", &|row| {
            ratio_of(&row.ratios(|m| m.server_cpu_ns), false)
        }));
    }
    columns.push(plain("client CPU/op", &|row| nanos(row.median(|m| m.client_cpu_ns))));
    columns.extend(lag::columns(rows));
    columns.push(column("errors", &|row| match row.errors() {
        0 => ("0".to_owned(), Paint::Dim),
        errors => (count(errors), Paint::Bad),
    }));
    columns
}

/// Half the range, in percent of the median.
fn spread(values: &[f64]) -> String {
    if values.len() < 2 || median(values) <= 0.0 {
        return String::new();
    }
    let (low, high) = range(values);
    format!("{:.0} %", (high - low) / 2.0 / median(values) * 100.0)
}

/// The median of the rounds' ratios, and the smallest and the largest; good if
/// all of them are, on the side where `more` says that it is.
fn ratio_of(ratios: &[f64], more: bool) -> (String, Paint) {
    if ratios.is_empty() {
        return (String::new(), Paint::Plain);
    }
    let (low, high) = range(ratios);
    let paint = match (low > 1.0, high < 1.0) {
        (true, _) if more => Paint::Good,
        (_, true) if !more => Paint::Good,
        (false, false) => Paint::Plain,
        _ => Paint::Bad,
    };
    (format!("{} ({low:.2}–{high:.2})", ratio(median(ratios))), paint)
}

/// How it was measured.
fn notes(report: &Report) -> Vec<String> {
    let s = &report.settings;
    let load = match s.rate {
        None => "closed loop".to_owned(),
        Some(arrivals) => format!(
            "open loop, {} requests a second in all, latencies from when each should have begun",
            rate(arrivals)
        ),
    };
    let mut notes = vec![
        format!(
            "Medians of {} of {} s after {} s of warm-up, the servers in turn; {load}; {}; {} of \
             the client; seed {}.",
            plural(u64::from(s.rounds), "round"),
            s.seconds,
            s.warm_up_seconds,
            plural(s.records, "record"),
            plural(s.threads as u64, "thread"),
            s.seed
        ),
        "±: half of what lies between the slowest and the fastest round; CPU/op: processor time \
         for one answer. A trial begins when its server has come to rest, if its process is known."
            .to_owned(),
    ];
    notes.extend(ratios(report));
    notes.extend(lag::note(report));
    for target in &report.targets {
        let version = target.version.as_deref().unwrap_or("unknown");
        notes.push(format!("{}: at {}, version {version}.", target.name, target.address));
    }
    let m = &report.machine;
    notes.push(format!("{}, {}, {}.", m.cpu, plural(m.cores as u64, "core"), m.kernel));
    notes
}

/// What is compared with what, if anything is.
fn ratios(report: &Report) -> Option<String> {
    let pairs: Vec<(&str, &str)> =
        report.targets.iter().filter_map(|t| Some((&*t.name, t.against.as_deref()?))).collect();
    let (_, first) = pairs.first()?;
    let what = if pairs.iter().all(|(_, against)| against == first) {
        format!("to {first}")
    } else {
        let pairs: Vec<String> =
            pairs.iter().map(|(name, against)| format!("{name} to {against}")).collect();
        pairs.join(", ")
    };
    Some(format!("Ratios: {what}; round by round, their median, the smallest and the largest."))
}
