//! Progress of work that takes long, for people who watch.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::context::Context;

/// A bar of `total` bytes on standard error; nothing unless that is a terminal.
pub(crate) fn bytes(context: &Context, doing: &'static str) -> ProgressBar {
    bar(context, doing, "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}")
}

/// A bar of records.
pub(crate) fn records(context: &Context, doing: &'static str) -> ProgressBar {
    bar(context, doing, "{msg} [{bar:30}] {pos}/{len} records {per_sec} {eta}")
}

/// Into how many parts [`share`] divides what is to be done.
pub(crate) const SHARES: u64 = 10_000;

/// A bar of [`SHARES`] parts of work that has no unit.
pub(crate) fn share(context: &Context, doing: &'static str) -> ProgressBar {
    let bar = bar(context, doing, "[{bar:30}] {percent:>3} % {eta:>4}  {msg}");
    bar.set_length(SHARES);
    bar
}

/// Something under way whose end is not known.
pub(crate) fn spinner(context: &Context, doing: &'static str) -> ProgressBar {
    bar(context, doing, "{msg} {spinner} {elapsed}")
}

fn bar(context: &Context, doing: &'static str, template: &str) -> ProgressBar {
    if context.quiet || context.json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).expect("our own template is right");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(doing);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
