//! One page with everything: nothing is loaded from anywhere, and nothing runs.

mod bars;
mod curves;
mod svg;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use self::bars::{Bar, Bars, bars};
use self::curves::{Curve, distribution, percentiles};
use self::svg::escape;
use super::summary::{Cell, Group, groups, machine, method, parameters};
use super::{Measured, Report};
use crate::format::{bytes, count, nanos, rate, ratio};
use crate::stats::{self, Ratio};

/// Colours that targets have, in their order; the yardstick has its own.
const CLASSES: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];

/// The report as a page. It is also well-formed XML.
pub fn page(report: &Report) -> String {
    let groups = groups(report);
    let mut page = String::new();
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>hozo bench, {}</title>\n<style>\n{}</style>\n</head>\n<body>\n",
        escape(&report.started),
        include_str!("style.css")
    );
    header(&mut page, report);
    page += "<main>\n";
    glance(&mut page, report, &groups);
    for (index, group) in groups.iter().enumerate() {
        section(&mut page, report, group, index);
    }
    page += "</main>\n";
    footer(&mut page, report);
    page + "</body>\n</html>\n"
}

/// The colour of a target.
fn class(report: &Report, index: usize) -> &'static str {
    if report.targets[index].yardstick {
        return "sy";
    }
    let before = report.targets[..index].iter().filter(|target| !target.yardstick).count();
    CLASSES[before % CLASSES.len()]
}

fn header(page: &mut String, report: &Report) {
    let _ = write!(
        page,
        "<header>\n<h1>Stores side by side</h1>\n<p class=\"soft\">hozo bench · {} · {}</p>\n\
         <p class=\"soft\">{}</p>\n<ul class=\"legend\">\n",
        escape(&report.started),
        escape(&method(report)),
        escape(&machine(report))
    );
    for (index, target) in report.targets.iter().enumerate() {
        let what = match (target.yardstick, target.name == target.backend, target.existing) {
            (true, ..) => " (a plain file: WAL, synchronous=FULL)".to_owned(),
            (_, _, true) => format!(" ({}, with what it holds)", target.backend),
            (_, true, _) => String::new(),
            (_, false, _) => format!(" ({})", target.backend),
        };
        let _ = writeln!(
            page,
            "<li class=\"{}\"><i></i>{}<span class=\"soft\">{}</span></li>",
            class(report, index),
            escape(&target.name),
            escape(&what)
        );
    }
    *page += "</ul>\n</header>\n";
}

/// All workloads in one table of ratios.
fn glance(page: &mut String, report: &Report, groups: &[Group<'_>]) {
    *page += "<section class=\"card scroll\">\n<table>\n<caption>Throughput at a glance: how often \
              as fast as the first in the row. A tint is a difference beyond noise; ~ is none.\
              </caption>\n<thead><tr><th scope=\"col\">workload</th>";
    for target in &report.targets {
        let _ = write!(page, "<th scope=\"col\">{}</th>", escape(&target.name));
    }
    *page += "</tr></thead>\n<tbody>\n";
    for (row, group) in groups.iter().enumerate() {
        let _ = write!(
            page,
            "<tr><th scope=\"row\"><a href=\"#w{row}\">{}</a></th>",
            escape(&group.workload.name)
        );
        for index in 0..report.targets.len() {
            let cell = group.cells.iter().find(|cell| cell.index == index);
            *page += &cell.map_or_else(|| "<td class=\"none\">–</td>".to_owned(), glance_cell);
        }
        *page += "</tr>\n";
    }
    *page += "</tbody>\n</table>\n</section>\n";
}

fn glance_cell(cell: &Cell<'_>) -> String {
    let throughput = format!("{}/s", rate(cell.median(|m| m.throughput)));
    match &cell.ratio {
        None => format!("<td>{throughput}</td>"),
        Some(r) if !r.is_certain() => {
            format!("<td title=\"{throughput}\">~ {}</td>", ratio(r.estimate))
        }
        Some(r) => {
            let (class, tint) = tint(r);
            let shown = ratio(r.estimate);
            format!(
                "<td class=\"{class}\" style=\"--t:{tint}\" title=\"{throughput}\">{shown}</td>"
            )
        }
    }
}

/// The more it differs the stronger, up to eight times.
fn tint(ratio: &Ratio) -> (&'static str, u32) {
    let class = if ratio.estimate > 1.0 { "better" } else { "worse" };
    let strength = 8.0 + 14.0 * ratio.estimate.log2().abs();
    (class, strength.min(50.0) as u32)
}

/// One workload.
fn section(page: &mut String, report: &Report, group: &Group<'_>, index: usize) {
    let _ = write!(
        page,
        "<section class=\"card\" id=\"w{index}\">\n<h2>{}</h2>\n<p>{}</p>\n\
         <p class=\"soft\">{}</p>\n",
        escape(&group.workload.name),
        escape(&group.workload.about),
        escape(&parameters(group.workload))
    );
    for lacking in &group.lacking {
        let class = if lacking.failed { "wrong" } else { "soft" };
        let (target, why) = (escape(lacking.target), escape(lacking.why));
        let _ = writeln!(page, "<p class=\"{class}\">{target}: {why}</p>");
    }
    for cell in group.cells.iter().filter(|cell| cell.unstarted_share() > 0.0) {
        let _ = writeln!(
            page,
            "<p class=\"wrong\">{} could not keep up: {:.1} % of what arrived never began.</p>",
            escape(cell.target),
            cell.unstarted_share() * 100.0
        );
    }
    if !group.cells.is_empty() {
        plots(page, report, group, index);
        figures(page, group);
    }
    *page += "</section>\n";
}

fn plots(page: &mut String, report: &Report, group: &Group<'_>, index: usize) {
    let class_of = |cell: &Cell<'_>| class(report, cell.index);
    let curves: Vec<Curve<'_>> =
        group.cells.iter().map(|cell| Curve::of(cell, class_of(cell))).collect();
    let draw = |name: &str,
                title,
                base: f64,
                figure: fn(f64) -> String,
                of: &dyn Fn(&Measured) -> Option<f64>| {
        let drawn: Vec<Bar<'_>> = group
            .cells
            .iter()
            .map(|cell| Bar {
                name: cell.target,
                class: class_of(cell),
                values: cell.trials.iter().filter_map(|trial| of(trial)).collect(),
            })
            .filter(|bar| !bar.values.is_empty())
            .collect();
        if drawn.is_empty() {
            return String::new();
        }
        let plot = Bars { id: format!("w{index}-{name}"), title, base, figure };
        bars(&plot, &drawn)
    };
    let throughput = draw("ops", "Operations a second", 1000.0, rate, &|m| Some(m.throughput));
    let size = |of: Option<u64>| of.map(|bytes| bytes as f64);
    let cpu =
        draw("cpu", "Processor time of an operation", 1000.0, nanos, &|m| Some(m.cpu_ns_per_op));
    let memory = draw("mem", "Memory at most", 1024.0, bytes, &|m| size(m.peak_bytes));
    let disk = draw("disk", "Bytes on disk", 1024.0, bytes, &|m| size(m.disk_bytes));
    let by_percentile = percentiles(&format!("w{index}-p"), &curves);
    let by_latency = distribution(&format!("w{index}-d"), &curves);
    *page += "<div class=\"plots\">\n";
    let below = "Bars are medians, dots the repetitions.";
    figure(page, "Throughput, operations a second (more is better)", &throughput, below);
    figure(page, "Processor time of an operation", &cpu, "");
    let below = "Bands reach from the least to the most of the repetitions.";
    figure(page, "Latency by percentile (lower is better)", &by_percentile, below);
    let below = "Further left is faster; the slowest thousandth is not shown.";
    figure(page, "Distribution of latencies", &by_latency, below);
    figure(page, "Memory of the process at most", &memory, "");
    figure(page, "On disk at the end", &disk, "");
    *page += "</div>\n";
}

/// A plot with its title; nothing where there is nothing to plot.
fn figure(page: &mut String, title: &str, svg: &str, below: &str) {
    if svg.is_empty() {
        return;
    }
    let _ = write!(page, "<figure>\n<h3>{}</h3>\n{svg}\n", escape(title));
    if !below.is_empty() {
        let _ = writeln!(page, "<figcaption>{}</figcaption>", escape(below));
    }
    *page += "</figure>\n";
}

/// The figures themselves, for who wants or needs no plots.
fn figures(page: &mut String, group: &Group<'_>) {
    const HEADS: [&str; 14] = [
        "operations",
        "a second",
        "ratio",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "CPU per op",
        "on disk",
        "written",
        "memory",
        "retries",
        "load",
    ];
    *page += "<details><summary>All figures</summary>\n<div class=\"scroll\"><table>\n<caption>\
              Medians of the repetitions</caption>\n<thead><tr><th scope=\"col\"></th>";
    for head in HEADS {
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    *page += "</tr></thead>\n<tbody>\n";
    for cell in &group.cells {
        row(
            page,
            cell.target,
            "row",
            &[
                count(cell.median(|m| m.ops as f64) as u64),
                rate(cell.median(|m| m.throughput)),
                ratio_text(cell),
                nanos(cell.median(|m| m.latency.all.p50_ns as f64)),
                nanos(cell.median(|m| m.latency.all.p90_ns as f64)),
                nanos(cell.median(|m| m.latency.all.p99_ns as f64)),
                nanos(cell.median(|m| m.latency.all.p999_ns as f64)),
                nanos(cell.median(|m| m.latency.all.max_ns as f64)),
                nanos(cell.median(|m| m.cpu_ns_per_op)),
                size(cell.median_of(|m| m.disk_bytes)),
                size(cell.median_of(|m| m.written_bytes)),
                size(cell.median_of(|m| m.peak_bytes)),
                count(cell.median(|m| m.retries as f64) as u64),
                nanos(cell.median(|m| m.loaded.seconds * 1e9)),
            ],
        );
        by_operation(page, cell);
    }
    *page += "</tbody>\n</table></div>\n</details>\n";
}

/// A line for each kind of operation, where there are several.
fn by_operation(page: &mut String, cell: &Cell<'_>) {
    let Some(first) = cell.trials.first().filter(|trial| trial.latency.by_op.len() > 1) else {
        return;
    };
    for op in first.latency.by_op.keys() {
        let median = |of: &dyn Fn(&crate::latency::Quantiles) -> u64| {
            let each = cell.trials.iter().filter_map(|trial| trial.latency.by_op.get(op));
            stats::median(&each.map(|quantiles| of(quantiles) as f64).collect::<Vec<_>>())
        };
        let name = serde_json::to_value(op).ok().and_then(|v| v.as_str().map(str::to_owned));
        let empty = String::new;
        row(
            page,
            &format!("· {}", name.unwrap_or_default()),
            "row",
            &[
                count(median(&|q| q.count) as u64),
                empty(),
                empty(),
                nanos(median(&|q| q.p50_ns)),
                nanos(median(&|q| q.p90_ns)),
                nanos(median(&|q| q.p99_ns)),
                nanos(median(&|q| q.p999_ns)),
                nanos(median(&|q| q.max_ns)),
                empty(),
                empty(),
                empty(),
                empty(),
                empty(),
                empty(),
            ],
        );
    }
}

fn row(page: &mut String, name: &str, scope: &str, values: &[String]) {
    let _ = write!(page, "<tr><th scope=\"{scope}\">{}</th>", escape(name));
    for value in values {
        let _ = write!(page, "<td>{}</td>", escape(value));
    }
    *page += "</tr>\n";
}

fn ratio_text(cell: &Cell<'_>) -> String {
    let Some(r) = &cell.ratio else { return "1".to_owned() };
    let range = r
        .interval
        .map_or_else(String::new, |(low, high)| format!(" ({}–{})", ratio(low), ratio(high)));
    format!("{}{range}", ratio(r.estimate))
}

fn size(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), bytes)
}

fn footer(page: &mut String, report: &Report) {
    let failed = report.trials.iter().filter(|t| matches!(t.outcome, super::Outcome::Failed(_)));
    let _ = write!(
        page,
        "<footer>\n<p>{} trials, {} of them failed. A ratio is the median of all ratios between the \
         repetitions of two targets; it is beyond noise if the interval that has the true one with \
         {:.0} % certainty (Hodges and Lehmann) leaves out 1. Latencies of an open loop count from \
         when the operation should have begun.</p>\n</footer>\n",
        report.trials.len(),
        failed.count(),
        (1.0 - stats::ALPHA) * 100.0
    );
}
