//! Curves of latencies.

use std::fmt::Write as _;

use super::svg::{LogScale, Svg, escape, path};
use crate::format::nanos;
use crate::latency::QUANTILES;
use crate::report::summary::Cell;
use crate::stats;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 42.0;
/// What a label on the axis below needs.
const LABEL: f64 = 46.0;

/// Quantiles that axes name.
const NAMED: [(f64, &str); 7] = [
    (0.0, "min"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
];
/// Those that a curve has points for.
const POINTS: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 0.9999];
/// From where to where a distribution is drawn: the last thousandth would
/// leave no room for the others.
const SHARE_FROM: f64 = 0.001;
const SHARE_TO: f64 = 0.999;

/// A target's latencies: at each quantile the median of its repetitions, and
/// the least and the most.
pub(super) struct Curve<'r> {
    name: &'r str,
    class: &'static str,
    points: Vec<Point>,
}

#[derive(Clone, Copy)]
struct Point {
    quantile: f64,
    nanos: f64,
    low: f64,
    high: f64,
}

impl<'r> Curve<'r> {
    pub(super) fn of(cell: &Cell<'r>, class: &'static str) -> Self {
        // Beyond one operation in so many there is nothing but the slowest.
        let ops = cell.trials.iter().map(|trial| trial.latency.all.count).max().unwrap_or(1);
        let known = |quantile: f64| (1.0 - quantile) * ops as f64 >= 1.0;
        let points = QUANTILES.iter().filter(|quantile| known(**quantile)).filter_map(|quantile| {
            let at = |curve: &[(f64, u64)]| {
                let found = curve.iter().find(|(q, _)| q == quantile);
                found.map(|(_, nanos)| *nanos as f64)
            };
            let values: Vec<f64> =
                cell.trials.iter().filter_map(|trial| at(&trial.latency.curve)).collect();
            let (low, high) = stats::range(&values);
            let nanos = stats::median(&values);
            (!values.is_empty()).then_some(Point { quantile: *quantile, nanos, low, high })
        });
        Curve { name: cell.target, class, points: points.collect() }
    }

    fn find(&self, quantile: f64) -> Option<&Point> {
        self.points.iter().find(|point| point.quantile == quantile)
    }
}

/// What both plots have.
struct Frame {
    svg: Svg,
}

impl Frame {
    fn new(id: &str, title: &str, curves: &[Curve<'_>]) -> Self {
        let about: Vec<String> = curves
            .iter()
            .map(|curve| {
                let named = NAMED.iter().filter_map(|(quantile, name)| {
                    Some(format!("{name} {}", nanos(curve.find(*quantile)?.nanos)))
                });
                format!("{}: {}", curve.name, named.collect::<Vec<_>>().join(", "))
            })
            .collect();
        Frame { svg: Svg::new(id, WIDTH, HEIGHT, title, &about.join("; ")) }
    }

    fn vertical(&mut self, x: f64, label: &str) {
        self.svg.line("grid", (x, TOP), (x, HEIGHT - BOTTOM));
        self.svg.text("soft", (x, HEIGHT - BOTTOM + 17.0), "middle", label);
    }

    fn horizontal(&mut self, y: f64, label: &str) {
        self.svg.line("grid", (LEFT, y), (WIDTH - RIGHT, y));
        self.svg.text("soft", (LEFT - 7.0, y + 4.0), "end", label);
    }

    fn finish(mut self, below: &str) -> String {
        let bottom = HEIGHT - BOTTOM;
        self.svg.line("axis", (LEFT, bottom), (WIDTH - RIGHT, bottom));
        self.svg.line("axis", (LEFT, TOP), (LEFT, bottom));
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        self.svg.text("soft", (middle, HEIGHT - 6.0), "middle", below);
        self.svg.finish()
    }

    /// A curve with the band of its repetitions and points to point at.
    fn curve(
        &mut self,
        curve: &Curve<'_>,
        points: &[Point],
        place: &dyn Fn(&Point, f64) -> (f64, f64),
        to_tell: &dyn Fn(&Point) -> bool,
    ) {
        let line = path(points.iter().map(|point| place(point, point.nanos)));
        let there = points.iter().map(|point| place(point, point.high));
        let back = points.iter().rev().map(|point| place(point, point.low));
        let band = path(there.chain(back));
        let mut group = format!(
            "<g class=\"{}\"><title>{}</title><path class=\"band\" d=\"{band}Z\"/>\
             <path class=\"curve\" d=\"{line}\"/>",
            curve.class,
            escape(curve.name)
        );
        for point in points.iter().filter(|point| to_tell(point)) {
            let (x, y) = place(point, point.nanos);
            let _ = write!(
                group,
                "<circle class=\"point\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\
                 <circle class=\"touch\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"10\"><title>{}, {} % of \
                 operations: {} or less (from {} to {})</title></circle>",
                escape(curve.name),
                percent(point.quantile),
                nanos(point.nanos),
                nanos(point.low),
                nanos(point.high)
            );
        }
        self.svg.add(&(group + "</g>"));
    }
}

/// `99.9`, without what floating point adds.
fn percent(quantile: f64) -> f64 {
    (quantile * 1e6).round() / 1e4
}

/// Latency by percentile, both by their logarithm, so that the tail has room.
pub(super) fn percentiles(id: &str, curves: &[Curve<'_>]) -> String {
    let mut frame = Frame::new(id, "Latency by percentile", curves);
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let low = all().map(|point| point.low).fold(f64::MAX, f64::min);
    let high = all().map(|point| point.high).fold(0.0, f64::max);
    let vertical = LogScale::new(low * 0.9, high * 1.1, HEIGHT - BOTTOM, TOP);
    let nines = |quantile: f64| -(1.0 - quantile).log10();
    let most = all().map(|point| nines(point.quantile)).fold(1.0, f64::max);
    let across = |quantile: f64| LEFT + nines(quantile) / most * (WIDTH - LEFT - RIGHT);
    for tick in vertical.ticks() {
        frame.horizontal(vertical.at(tick), &round_nanos(tick));
    }
    let mut labelled = WIDTH;
    for (quantile, name) in NAMED.iter().rev().filter(|(quantile, _)| nines(*quantile) <= most) {
        let x = across(*quantile);
        let room = labelled - x >= LABEL;
        frame.vertical(x, if room { name } else { "" });
        labelled = if room { x } else { labelled };
    }
    for curve in curves {
        let place = |point: &Point, nanos: f64| (across(point.quantile), vertical.at(nanos));
        frame.curve(curve, &curve.points, &place, &|point| POINTS.contains(&point.quantile));
    }
    frame.finish("so many operations took this long at most")
}

/// Which share of the operations took how long at most.
pub(super) fn distribution(id: &str, curves: &[Curve<'_>]) -> String {
    let mut frame = Frame::new(id, "Distribution of latencies", curves);
    let shown = |point: &&Point| (SHARE_FROM..=SHARE_TO).contains(&point.quantile);
    let all = || curves.iter().flat_map(|curve| &curve.points).filter(shown);
    let low = all().map(|point| point.low).fold(f64::MAX, f64::min);
    let high = all().map(|point| point.high).fold(0.0, f64::max);
    let across = LogScale::new(low * 0.95, high * 1.05, LEFT, WIDTH - RIGHT);
    let vertical = |quantile: f64| HEIGHT - BOTTOM - quantile * (HEIGHT - BOTTOM - TOP);
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        frame.horizontal(vertical(share), &format!("{:.0} %", share * 100.0));
    }
    for tick in across.ticks() {
        frame.vertical(across.at(tick), &round_nanos(tick));
    }
    for curve in curves {
        let points: Vec<Point> = curve.points.iter().filter(shown).copied().collect();
        let place = |point: &Point, nanos: f64| (across.at(nanos), vertical(point.quantile));
        frame.curve(curve, &points, &place, &|point| {
            [0.25, 0.5, 0.75, 0.9, 0.99].contains(&point.quantile)
        });
    }
    frame.finish("latency")
}

/// A round number of nanoseconds, without digits that are all zero.
fn round_nanos(value: f64) -> String {
    let (number, unit) = match value {
        v if v < 999.0 => (v, "ns"),
        v if v < 999e3 => (v / 1e3, "µs"),
        v if v < 999e6 => (v / 1e6, "ms"),
        v => (v / 1e9, "s"),
    };
    format!("{} {unit}", (number * 1e3).round() / 1e3)
}
