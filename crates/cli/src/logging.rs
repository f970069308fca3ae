//! Where log lines go: to standard error, as text or as JSON.

use std::io;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::serve::{LogFormat, LogLevel};

/// Our own crates, by the beginning of their names.
const OURS: &str = "hozo";

/// Logs from now on. Of other people's crates only what is at least a warning,
/// unless everything is asked for: at `debug` they tell of every frame.
pub(crate) fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let others = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    let which = Targets::new().with_default(others).with_target(OURS, level);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // It fails where somebody logs already, which is as good.
    let _ = tracing_subscriber::registry().with(lines.with_filter(which)).try_init();
}
