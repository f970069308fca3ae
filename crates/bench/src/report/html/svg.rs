//! What plots are drawn with.

use std::fmt::Write as _;

/// Text as it may stand in markup and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // Nothing in a page may be one, and no text of ours has any.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A picture under way.
pub(super) struct Svg {
    text: String,
}

impl Svg {
    /// One of this size; `id` is unique in the page, `title` and `about` are
    /// for who does not see it.
    pub(super) fn new(id: &str, width: f64, height: f64, title: &str, about: &str) -> Self {
        let mut text = String::new();
        let _ = write!(
            text,
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            escape(title),
            escape(about)
        );
        Svg { text }
    }

    /// Adds markup.
    pub(super) fn add(&mut self, markup: &str) {
        self.text += markup;
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.text,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// Words; `anchor` is start, middle or end.
    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: &str, text: &str) {
        let _ = write!(
            self.text,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            at.0,
            at.1,
            escape(text)
        );
    }

    pub(super) fn finish(self) -> String {
        self.text + "</svg>"
    }
}

/// The points of a path.
pub(super) fn path(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut text = String::new();
    for (i, (x, y)) in points.into_iter().enumerate() {
        let _ = write!(text, "{}{x:.1},{y:.1}", if i == 0 { "M" } else { "L" });
    }
    text
}

/// Puts values on a line of pixels, by their logarithm.
#[derive(Clone, Copy)]
pub(super) struct LogScale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl LogScale {
    /// From `low`, at pixel `from`, to `high`, at pixel `to`; widened to have
    /// some extent where the values have little.
    pub(super) fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (low.max(1.0).log10(), high.max(1.0).log10());
        if high - low < 0.5 {
            let middle = (low + high) / 2.0;
            (low, high) = (middle - 0.25, middle + 0.25);
        }
        LogScale { low, high, from, to }
    }

    /// The pixel of a value; values outside are at the ends.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value.max(1e-9).log10() - self.low) / (self.high - self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values to label: powers of ten, and 2 and 5 between where those
    /// are few.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let decades = self.high - self.low;
        let steps: &[f64] = match decades {
            d if d > 3.2 => &[1.0],
            d if d > 1.6 => &[1.0, 3.0],
            _ => &[1.0, 2.0, 5.0],
        };
        let powers = self.low.floor() as i32..=self.high.ceil() as i32;
        let all = powers.flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
        let fits = |tick: &f64| (self.low - 1e-9..=self.high + 1e-9).contains(&tick.log10());
        all.filter(fits).collect()
    }
}

/// Round numbers up to `value`, four or so. `base` is what units are apart, so
/// that they are round in the unit that they are written in.
pub(super) fn linear_ticks(value: f64, base: f64) -> Vec<f64> {
    if value <= 0.0 {
        return vec![0.0];
    }
    let unit = base.powf((value.ln() / base.ln()).floor());
    let rough = value / unit / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let nice = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
    let step = unit * nice.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    (0..=4).map(|i| f64::from(i) * step).take_while(|tick| *tick <= value * 1.001).collect()
}
