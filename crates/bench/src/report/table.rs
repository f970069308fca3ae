//! Tables for a terminal.

use std::fmt::Write as _;

use super::Report;
use super::summary::{Cell, Group, groups, machine, method, parameters};
use crate::compare::{Compared, Comparison, METRICS, Verdict};
use crate::format::{bytes, nanos, rate, ratio};
use crate::stats;

#[cfg(test)]
mod tests;

/// How wide a bar is that stands for the fastest.
const BAR_CELLS: f64 = 10.0;

/// A text with its columns, so that what is coloured is still aligned.
pub(crate) struct Column {
    pub(crate) head: &'static str,
    pub(crate) left: bool,
    pub(crate) cells: Vec<(String, Paint)>,
}

/// How a text looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Good,
    Bad,
    Dim,
    Bold,
    Bar,
}

impl Paint {
    pub(crate) fn on(self, text: &str, color: bool) -> String {
        let code = match self {
            _ if !color => return text.to_owned(),
            Paint::Plain => return text.to_owned(),
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Dim => "2",
            Paint::Bold => "1",
            Paint::Bar => "36",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The whole report; with `color`, certain ratios are green or red.
pub fn table(report: &Report, color: bool) -> String {
    let mut text = String::new();
    for group in groups(report) {
        write_group(&mut text, &group, color);
        text.push('\n');
    }
    let note = if report.settings.repeat as usize >= stats::repetitions_needed() {
        "a ratio with ~ is not beyond noise".to_owned()
    } else {
        format!("ratios with ~: fewer than {} repetitions say little", stats::repetitions_needed())
    };
    let lines = [
        format!("Medians of {}.", method(report)),
        format!("±: half of what lies between the slowest and the fastest; {note}."),
        machine(report),
    ];
    for line in lines {
        let _ = writeln!(text, "{}", Paint::Dim.on(&line, color));
    }
    text
}

fn write_group(text: &mut String, group: &Group<'_>, color: bool) {
    let name = Paint::Bold.on(&group.workload.name, color);
    let _ = writeln!(text, "{name}  {}", group.workload.about);
    let _ = writeln!(text, "{}\n", Paint::Dim.on(&parameters(group.workload), color));
    if !group.cells.is_empty() {
        write_columns(text, &columns(group), color);
    }
    for lacking in &group.lacking {
        let paint = if lacking.failed { Paint::Bad } else { Paint::Dim };
        let what = if lacking.failed { "failed: " } else { "" };
        let line = format!("{}: {what}{}", lacking.target, lacking.why);
        let _ = writeln!(text, "  {}", paint.on(&line, color));
    }
    for cell in &group.cells {
        let share = cell.unstarted_share();
        if share > 0.0 {
            let line = format!(
                "{} could not keep up: {:.1} % of what arrived never began",
                cell.target,
                share * 100.0
            );
            let _ = writeln!(text, "  {}", Paint::Bad.on(&line, color));
        }
    }
}

fn columns(group: &Group<'_>) -> Vec<Column> {
    let fastest = group.cells.iter().map(|cell| cell.median(|m| m.throughput)).fold(0.0, f64::max);
    let column = |head, of: &dyn Fn(&Cell<'_>) -> (String, Paint)| Column {
        head,
        left: false,
        cells: group.cells.iter().map(of).collect(),
    };
    let plain =
        |head, of: &dyn Fn(&Cell<'_>) -> String| column(head, &|cell| (of(cell), Paint::Plain));
    let left = |column: Column| Column { left: true, ..column };
    let size = |bytes_of: Option<f64>| bytes_of.map_or_else(|| "–".to_owned(), bytes);
    vec![
        left(column("", &|cell| (cell.target.to_owned(), Paint::Bold))),
        plain("ops/s", &|cell| rate(cell.median(|m| m.throughput))),
        plain("±", &spread),
        column("ratio", &ratio_of),
        left(column("", &|cell| (bar(cell.median(|m| m.throughput) / fastest), Paint::Bar))),
        plain("p50", &|cell| nanos(cell.median(|m| m.latency.all.p50_ns as f64))),
        plain("p90", &|cell| nanos(cell.median(|m| m.latency.all.p90_ns as f64))),
        plain("p99", &|cell| nanos(cell.median(|m| m.latency.all.p99_ns as f64))),
        plain("p99.9", &|cell| nanos(cell.median(|m| m.latency.all.p999_ns as f64))),
        plain("max", &|cell| nanos(cell.median(|m| m.latency.all.max_ns as f64))),
        plain("CPU/op", &|cell| nanos(cell.median(|m| m.cpu_ns_per_op))),
        plain("disk", &|cell| size(cell.median_of(|m| m.disk_bytes))),
        plain("memory", &|cell| size(cell.median_of(|m| m.peak_bytes))),
    ]
}

/// Half the range, in percent of the median.
fn spread(cell: &Cell<'_>) -> String {
    let values = cell.values(|m| m.throughput);
    if values.len() < 2 {
        return String::new();
    }
    let (low, high) = stats::range(&values);
    format!("{:.0} %", (high - low) / 2.0 / stats::median(&values) * 100.0)
}

fn ratio_of(cell: &Cell<'_>) -> (String, Paint) {
    match &cell.ratio {
        None => ("1.00× ".to_owned(), Paint::Dim),
        Some(r) if !r.is_certain() => (format!("{}~", ratio(r.estimate)), Paint::Plain),
        Some(r) if r.estimate > 1.0 => (format!("{} ", ratio(r.estimate)), Paint::Good),
        Some(r) => (format!("{} ", ratio(r.estimate)), Paint::Bad),
    }
}

/// A bar with eighths of a cell.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = ((share * BAR_CELLS * 8.0).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// Columns side by side, below their heads.
pub(crate) fn write_columns(text: &mut String, columns: &[Column], color: bool) {
    let width = |column: &Column| {
        let cells = column.cells.iter().map(|(cell, _)| cell.chars().count());
        cells.chain([column.head.chars().count()]).max().unwrap_or_default()
    };
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for row in std::iter::once(None).chain((0..rows).map(Some)) {
        let mut line = String::new();
        for column in columns {
            let (cell, paint) = match row {
                None => (column.head, Paint::Dim),
                Some(row) => (&*column.cells[row].0, column.cells[row].1),
            };
            let space = " ".repeat(width(column) - cell.chars().count());
            let cell = paint.on(cell, color);
            line += "  ";
            line += &if column.left { cell + &space } else { space + &cell };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// A comparison; what did not change is one line for each target.
pub fn comparison(comparison: &Comparison, color: bool) -> String {
    let mut text = String::new();
    let mut rows = comparison.rows.as_slice();
    while let Some(first) = rows.first() {
        let same = |row: &&Compared| row.workload == first.workload && row.target == first.target;
        let count = rows.iter().take_while(same).count();
        write_compared(&mut text, &rows[..count], color);
        rows = &rows[count..];
    }
    for remark in &comparison.remarks {
        let _ = writeln!(text, "note: {remark}");
    }
    text
}

fn write_compared(text: &mut String, rows: &[Compared], color: bool) {
    let title = format!("{} on {}", rows[0].workload, rows[0].target);
    let title = Paint::Bold.on(&title, color);
    let told: Vec<&Compared> = rows.iter().filter(|row| row.verdict != Verdict::Same).collect();
    if told.is_empty() {
        let _ = writeln!(text, "{title}: no difference beyond noise");
        return;
    }
    let _ = writeln!(text, "{title}");
    for row in &told {
        let (what, paint) = match row.verdict {
            Verdict::Better => ("better", Paint::Good),
            Verdict::Worse => ("worse", Paint::Bad),
            Verdict::Same | Verdict::TooFew => ("too few repetitions to say", Paint::Dim),
        };
        let interval = row.interval.map_or_else(String::new, |(low, high)| {
            format!(" (between {:+.1} and {:+.1} %)", (low - 1.0) * 100.0, (high - 1.0) * 100.0)
        });
        let (old, new) = row.medians;
        let _ = writeln!(
            text,
            "  {:<11}  {:>10} → {:<10}  {:+.1} %{interval}: {}",
            row.metric,
            figure(row.metric, old),
            figure(row.metric, new),
            row.change_percent(),
            paint.on(what, color)
        );
    }
    if told.len() < rows.len() {
        let _ = writeln!(text, "  otherwise no difference beyond noise");
    }
}

fn figure(metric: &str, value: f64) -> String {
    debug_assert!(METRICS.iter().any(|known| known.name == metric));
    match metric {
        "throughput" => format!("{}/s", rate(value)),
        "disk" | "peak memory" => bytes(value),
        _ => nanos(value),
    }
}
