//! Bars: a figure of each target.

use std::fmt::Write as _;

use super::svg::{Svg, escape, linear_ticks};
use crate::stats;

/// A bar.
pub(super) struct Bar<'r> {
    /// The target's name.
    pub(super) name: &'r str,
    /// Which colour it has.
    pub(super) class: &'static str,
    /// The values of its repetitions; the bar is their median.
    pub(super) values: Vec<f64>,
}

/// What a plot of bars says.
pub(super) struct Bars<'t> {
    /// Unique in the page.
    pub(super) id: String,
    /// What it shows.
    pub(super) title: &'t str,
    /// What units are apart: 1000, or 1024 of bytes.
    pub(super) base: f64,
    /// How values are written.
    pub(super) figure: fn(f64) -> String,
}

const WIDTH: f64 = 640.0;
const ROW: f64 = 34.0;
const THICK: f64 = 18.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 78.0;
const BOTTOM: f64 = 24.0;
/// Longer names are cut; the title of their bar has them whole.
const NAME_CHARS_MAX: usize = 13;

/// Draws horizontal bars from zero, with the range of the repetitions and a dot
/// for each.
pub(super) fn bars(plot: &Bars<'_>, bars: &[Bar<'_>]) -> String {
    let height = bars.len() as f64 * ROW + BOTTOM;
    let most = bars.iter().flat_map(|bar| &bar.values).copied().fold(0.0, f64::max);
    let scale = |value: f64| LEFT + value / most.max(1e-12) * (WIDTH - LEFT - RIGHT);
    let about: Vec<String> = bars.iter().map(|bar| tell(plot, bar)).collect();
    let mut svg = Svg::new(&plot.id, WIDTH, height, plot.title, &about.join("; "));
    let bottom = height - BOTTOM;
    for tick in linear_ticks(most, plot.base) {
        svg.line("grid", (scale(tick), 0.0), (scale(tick), bottom));
        let label = (plot.figure)(tick);
        // The digits that are all zero are of no use on an axis.
        let label =
            if tick == 0.0 { "0".to_owned() } else { label.replace(".00", "").replace(".0 ", " ") };
        svg.text("soft", (scale(tick), height - 6.0), "middle", &label);
    }
    for (row, bar) in bars.iter().enumerate() {
        draw(&mut svg, plot, bar, row as f64 * ROW + ROW / 2.0, &scale);
    }
    svg.line("axis", (LEFT, 0.0), (LEFT, bottom));
    svg.finish()
}

fn draw(svg: &mut Svg, plot: &Bars<'_>, bar: &Bar<'_>, y: f64, scale: &dyn Fn(f64) -> f64) {
    let (low, high) = stats::range(&bar.values);
    let median = stats::median(&bar.values);
    let mut name: String = bar.name.chars().take(NAME_CHARS_MAX).collect();
    if name.len() < bar.name.len() {
        name.pop();
        name.push('…');
    }
    svg.text("", (LEFT - 8.0, y + 4.0), "end", &name);
    let mut group = String::new();
    let _ = write!(
        group,
        "<g class=\"{}\"><title>{}</title><rect class=\"bar\" x=\"{LEFT}\" y=\"{:.1}\" \
         width=\"{:.1}\" height=\"{THICK}\" rx=\"2\"/></g>",
        bar.class,
        escape(&tell(plot, bar)),
        y - THICK / 2.0,
        (scale(median) - LEFT).max(1.0)
    );
    svg.add(&group);
    if bar.values.len() > 1 {
        svg.line("whisker", (scale(low), y), (scale(high), y));
        for (i, value) in bar.values.iter().enumerate() {
            let shown = (plot.figure)(*value);
            svg.add(&format!(
                "<circle class=\"each\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"2.6\"><title>{}, repetition \
                 {}: {shown}</title></circle>",
                scale(*value),
                escape(bar.name),
                i + 1
            ));
        }
    }
    svg.text("", (scale(high) + 9.0, y + 4.0), "start", &(plot.figure)(median));
}

/// A bar in words.
fn tell(plot: &Bars<'_>, bar: &Bar<'_>) -> String {
    let (low, high) = stats::range(&bar.values);
    let show = plot.figure;
    let median = show(stats::median(&bar.values));
    if bar.values.len() < 2 {
        return format!("{}: {median}", bar.name);
    }
    format!("{}: {median}, from {} to {}", bar.name, show(low), show(high))
}
